/* SPDX-License-Identifier: ISC */
/* The message layer of varlink, and that the interface texts are varlink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/control/buffer.h"
#include "supervisor/control/service.h"
#include "supervisor/control/varlink.h"

/* ---- calls in */

static void reads_a_whole_call(void **state)
{
	static const char text[] =
		"{\"method\":\"io.vmsup.Status\",\"more\":true,"
		"\"parameters\":{\"names\":[\"vm0\"]}}";
	struct varlink_call call;
	const char *why;

	(void)state;
	assert_int_equal(varlink_parse(text, strlen(text), &call, &why), 0);
	assert_string_equal(call.method, "io.vmsup.Status");
	assert_true(call.more);
	assert_false(call.oneway);
	assert_false(call.upgrade);
	assert_int_equal(
		json_array_size(json_object_get(call.parameters, "names")), 1);
	varlink_call_uninit(&call);
}

static void absent_parameters_are_an_empty_object(void **state)
{
	static const char *const texts[] = {
		"{\"method\":\"a.B\"}",
		"{\"method\":\"a.B\",\"parameters\":null}",
		"{\"parameters\":{},\"method\":\"a.B\"}",
		" {\"method\" : \"a.B\", \"oneway\":false}\n",
	};
	struct varlink_call call;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(
			varlink_parse(texts[i], strlen(texts[i]), &call, &why),
			0);
		assert_true(json_is_object(call.parameters));
		assert_int_equal(json_object_size(call.parameters), 0);
		varlink_call_uninit(&call);
	}
}

static void bad_calls_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "is no valid JSON" },
		{ " ", "is no valid JSON" },
		{ "{", "is no valid JSON" },
		{ "{}x", "is no valid JSON" },
		{ "{}{}", "is no valid JSON" },
		{ "null", "is no valid JSON" },
		{ "7", "is no valid JSON" },
		{ "\"a.B\"", "is no valid JSON" },
		{ "{\"method\":\"a.B\",\"method\":\"a.C\"}",
		  "is no valid JSON" },
		{ "{\"method\":\"a.B\",\"parameters\":{\"a\":1,\"a\":2}}",
		  "is no valid JSON" },
		{ "{\"method\":\"a.\\u0000B\"}", "is no valid JSON" },
		{ "{\"method\":\"a.\xff\"}", "is no valid JSON" },
		{ "{\"method\":\"a.B\",\"parameters\":"
		  "{\"n\":99999999999999999999}}",
		  "is no valid JSON" },
		{ "[]", "is no JSON object" },
		{ "{}", "has no method" },
		{ "{\"parameters\":{}}", "has no method" },
		{ "{\"method\":7}", "has no valid method name" },
		{ "{\"method\":null}", "has no valid method name" },
		{ "{\"method\":\"\"}", "has no valid method name" },
		{ "{\"method\":\"Status\"}", "has no valid method name" },
		{ "{\"method\":\".Status\"}", "has no valid method name" },
		{ "{\"method\":\"io.vmsup.\"}", "has no valid method name" },
		{ "{\"method\":\"a b.C\"}", "has no valid method name" },
		{ "{\"method\":\"a.B\\n\"}", "has no valid method name" },
		{ "{\"method\":\"\xc3\xa4.B\"}", "has no valid method name" },
		{ "{\"method\":\"a.B\",\"parameters\":[]}",
		  "has parameters that are no object" },
		{ "{\"method\":\"a.B\",\"parameters\":\"x\"}",
		  "has parameters that are no object" },
		{ "{\"method\":\"a.B\",\"more\":1}",
		  "has a more that is no boolean" },
		{ "{\"method\":\"a.B\",\"oneway\":null}",
		  "has a oneway that is no boolean" },
		{ "{\"method\":\"a.B\",\"upgrade\":\"no\"}",
		  "has an upgrade that is no boolean" },
		{ "{\"method\":\"a.B\",\"else\":1}",
		  "has a key that varlink doesn't know" },
		{ "{\"method\":\"a.B\",\"oneway\":true,\"more\":true}",
		  "asks for replies and for none" },
	};
	struct varlink_call call;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(varlink_parse(cases[i].text,
					       strlen(cases[i].text), &call,
					       &why),
				 -EBADMSG);
		assert_string_equal(why, cases[i].why);
		assert_null(call.message);
	}
}

static void long_method_names_are_refused(void **state)
{
	char text[VARLINK_MAX_NAME + 32];
	struct varlink_call call;
	const char *why;
	int length;

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		length = snprintf(text, sizeof(text), "{\"method\":\"a.%0*d\"}",
				  VARLINK_MAX_NAME - 2 + extra, 1);
		assert_int_equal(
			varlink_parse(text, (size_t)length, &call, &why),
			extra ? -EBADMSG : 0);
		varlink_call_uninit(&call);
	}
}

/* { "method": "a.B", "parameters": { "x": ... } } around what fill() makes. */
static int parse_around(const char *inner, const char **why)
{
	cleanup_free char *text = NULL;
	struct varlink_call call;
	int length, error;

	length = asprintf(
		&text, "{\"method\":\"a.B\",\"parameters\":{\"x\":%s}}", inner);
	assert_true(length > 0);
	error = varlink_parse(text, (size_t)length, &call, why);
	varlink_call_uninit(&call);
	return error;
}

static void nesting_is_limited(void **state)
{
	char inner[2 * VARLINK_MAX_DEPTH + 3];
	const char *why;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		/* the message and its parameters are two levels themselves */
		size_t depth = VARLINK_MAX_DEPTH - 2 + over;

		memset(inner, '[', depth);
		memset(inner + depth, ']', depth);
		inner[2 * depth] = '\0';
		assert_int_equal(parse_around(inner, &why),
				 over ? -EBADMSG : 0);
	}
	assert_string_equal(why, "nests too deep");
	/* brackets in strings aren't nesting, whatever is escaped there */
	assert_int_equal(
		parse_around("\"[[[[[[[[[\\\"[[[[[[[[[[[[[[[\\\\\"", &why), 0);
}

static void values_are_limited(void **state)
{
	cleanup_free char *inner = malloc(4 * VARLINK_MAX_VALUES);
	const char *why;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		/* the braces, one comma and the bracket count as well */
		size_t values = VARLINK_MAX_VALUES - 3 + over;
		size_t at = 0;

		inner[at++] = '[';
		for (size_t i = 0; i < values; i++) {
			inner[at++] = '1';
			inner[at++] = ',';
		}
		inner[at - 1] = ']';
		inner[at] = '\0';
		assert_int_equal(parse_around(inner, &why),
				 over ? -EBADMSG : 0);
	}
	assert_string_equal(why, "holds too many values");
}

/* ---- replies out */

static void writes_replies_and_errors(void **state)
{
	static const char wanted[] =
		"{\"parameters\":{\"a\":0.1}}\0"
		"{\"parameters\":{},\"continues\":true}\0"
		"{\"error\":\"io.vmsup.NoSuchVm\",\"parameters\":"
		"{\"name\":\"vm9\"}}\0"
		"{\"error\":\"a.B\",\"parameters\":{}}";
	struct buffer out = { .limit = 4096 };

	(void)state;
	assert_int_equal(
		varlink_put_reply(&out, json_pack("{s:f}", "a", 0.1), false),
		0);
	assert_int_equal(varlink_put_reply(&out, NULL, true), 0);
	assert_int_equal(varlink_put_error(&out, "io.vmsup.NoSuchVm",
					   json_pack("{s:s}", "name", "vm9")),
			 0);
	assert_int_equal(varlink_put_error(&out, "a.B", NULL), 0);
	assert_int_equal(buffer_length(&out), sizeof(wanted));
	assert_memory_equal(buffer_head(&out), wanted, sizeof(wanted));
	buffer_clear(&out);
}

static void what_does_not_fit_leaves_no_trace(void **state)
{
	struct buffer out = { .limit = 64 };
	size_t before;

	(void)state;
	assert_int_equal(varlink_put_reply(&out, NULL, false), 0);
	before = buffer_length(&out);
	assert_int_equal(varlink_put_reply(&out,
					   json_pack("{s:s}", "long",
						     "0123456789012345678901234"
						     "5678901234567890123456"),
					   false),
			 -ENOBUFS);
	assert_int_equal(buffer_length(&out), before);
	assert_string_equal(buffer_head(&out), "{\"parameters\":{}}");
	buffer_clear(&out);
}

static void quotes_are_short_and_printable(void **state)
{
	char text[2 * VARLINK_MAX_NAME];
	json_t *quote;

	(void)state;
	quote = varlink_quote("name", "a\n\x1b\xc3\xa4~");
	assert_string_equal(json_string_value(json_object_get(quote, "name")),
			    "a????~");
	json_decref(quote);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	quote = varlink_quote("name", text);
	assert_int_equal(json_string_length(json_object_get(quote, "name")),
			 VARLINK_MAX_NAME);
	json_decref(quote);
}

/* ---- the buffer under it */

static void buffer_keeps_order_and_limit(void **state)
{
	struct buffer buffer = { .limit = 10000 };
	unsigned int in = 0, out = 0;

	(void)state;
	/* three in, two out, until it is full; then one in, one out */
	while (buffer_append(&buffer, &in, sizeof(in)) == 0) {
		in++;
		if (in % 3)
			continue;
		for (int i = 0; i < 2; i++) {
			assert_memory_equal(buffer_head(&buffer), &out,
					    sizeof(out));
			buffer_consume(&buffer, sizeof(out));
			out++;
		}
	}
	assert_int_equal(buffer_length(&buffer), 10000);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(buffer_append(&buffer, "x", 1), -ENOBUFS);
		assert_memory_equal(buffer_head(&buffer), &out, sizeof(out));
		buffer_consume(&buffer, sizeof(out));
		out++;
		assert_int_equal(buffer_append(&buffer, &in, sizeof(in)), 0);
		in++;
		assert_true(buffer.capacity <= 15000);
	}
	while (buffer_length(&buffer) > 0) {
		assert_memory_equal(buffer_head(&buffer), &out, sizeof(out));
		buffer_consume(&buffer, sizeof(out));
		out++;
	}
	assert_int_equal(in, out);
	assert_null(buffer.data);
}

/*
 * ---- a reader of varlink interface texts (varlink.org, "Interface
 * Definition"): it says whether a text is one, and whether every type that is
 * named in it is defined in it
 */

#define MAX_NAMES 64

struct reader {
	const char *at;
	char defined[MAX_NAMES][64], used[MAX_NAMES][64];
	size_t defined_count, used_count;
	bool failed;
};

static void skip_space(struct reader *reader)
{
	for (;;) {
		while (isspace((unsigned char)*reader->at))
			reader->at++;
		if (*reader->at != '#')
			return;
		reader->at += strcspn(reader->at, "\n");
	}
}

static bool take(struct reader *reader, const char *token)
{
	size_t length = strlen(token);

	skip_space(reader);
	if (strncmp(reader->at, token, length) != 0)
		return false;
	/* a word ends where its letters do */
	if (isalpha((unsigned char)token[0]) &&
	    isalnum((unsigned char)reader->at[length]))
		return false;
	reader->at += length;
	return true;
}

static void expect(struct reader *reader, const char *token)
{
	if (!take(reader, token))
		reader->failed = true;
}

/* A run of letters, digits and inner marks; empty if there is none. */
static void take_word(struct reader *reader, const char *marks, char word[64])
{
	size_t length = 0;

	skip_space(reader);
	if (isalpha((unsigned char)*reader->at))
		while (length < 63 && *reader->at &&
		       (isalnum((unsigned char)*reader->at) ||
			(strchr(marks, *reader->at) &&
			 isalnum((unsigned char)reader->at[1]))))
			word[length++] = *reader->at++;
	word[length] = '\0';
	if (length == 0)
		reader->failed = true;
}

static void read_type(struct reader *reader);

/* ( name: type, ... ) or, for an enum, ( name, ... ) */
static void read_struct(struct reader *reader)
{
	char names[MAX_NAMES][64];
	size_t count = 0;

	expect(reader, "(");
	if (take(reader, ")"))
		return;
	do {
		if (count == MAX_NAMES) {
			reader->failed = true;
			return;
		}
		take_word(reader, "_", names[count]);
		for (size_t i = 0; i < count; i++)
			if (strcmp(names[i], names[count]) == 0)
				reader->failed = true;
		count++;
		if (take(reader, ":"))
			read_type(reader);
	} while (!reader->failed && take(reader, ","));
	expect(reader, ")");
}

static void read_type(struct reader *reader)
{
	static const char *const plain[] = { "bool", "int", "float", "string",
					     "object" };
	bool maybe = take(reader, "?");

	if (take(reader, "[]") || take(reader, "[string]")) {
		read_type(reader);
		return;
	}
	if (maybe && take(reader, "?"))
		reader->failed = true;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (take(reader, plain[i]))
			return;
	skip_space(reader);
	if (*reader->at == '(') {
		read_struct(reader);
	} else if (isupper((unsigned char)*reader->at) &&
		   reader->used_count < MAX_NAMES) {
		take_word(reader, "", reader->used[reader->used_count++]);
	} else {
		reader->failed = true;
	}
}

static void read_member(struct reader *reader)
{
	bool is_method = take(reader, "method");
	char *name = reader->defined[reader->defined_count];

	if (!is_method && !take(reader, "type") && !take(reader, "error")) {
		reader->failed = true;
		return;
	}
	take_word(reader, "", name);
	if (!isupper((unsigned char)name[0]) ||
	    reader->defined_count == MAX_NAMES - 1)
		reader->failed = true;
	for (size_t i = 0; i < reader->defined_count; i++)
		if (strcmp(name, reader->defined[i]) == 0)
			reader->failed = true;
	reader->defined_count++;
	read_struct(reader);
	if (is_method) {
		expect(reader, "->");
		read_struct(reader);
	}
}

static bool is_defined(const struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->defined_count; i++)
		if (strcmp(reader->defined[i], name) == 0)
			return true;
	return false;
}

/* NULL if text describes interface, else where it doesn't. */
static const char *find_mistake(const char *text, const char *interface)
{
	struct reader reader = { .at = text };
	char name[64];

	expect(&reader, "interface");
	take_word(&reader, ".-", name);
	if (strcmp(name, interface) != 0)
		return text;
	skip_space(&reader);
	while (*reader.at && !reader.failed) {
		read_member(&reader);
		skip_space(&reader);
	}
	if (reader.failed)
		return reader.at;
	for (size_t i = 0; i < reader.used_count; i++)
		if (!is_defined(&reader, reader.used[i]))
			return strstr(text, reader.used[i]);
	return NULL;
}

static void assert_is_interface(const char *text, const char *interface)
{
	const char *mistake = find_mistake(text, interface);

	if (mistake)
		fail_msg("%s: mistake before \"%.40s\"", interface, mistake);
}

static void own_interface_is_varlink(void **state)
{
	static char text[32 * 1024];
	FILE *file = fopen("supervisor/api/io.vmsup.varlink", "r");
	size_t length;

	(void)state;
	if (!file)
		fail_msg("run this from the top of the source tree");
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	assert_is_interface(text, "io.vmsup");
	/* control.c tells clients by this error why they are cut off */
	assert_non_null(strstr(text, "\nerror Failed (message: string)\n"));
}

static void service_interface_is_varlink(void **state)
{
	(void)state;
	assert_is_interface(service_description, "org.varlink.service");
}

static void the_reader_finds_mistakes(void **state)
{
	static const char *const wrong[] = {
		"",
		"interface a.c",
		"interface a.b method X()",
		"interface a.b method x() -> ()",
		"interface a.b method X(a: integer) -> ()",
		"interface a.b method X(a: T) -> ()",
		"interface a.b method X(a: ??int) -> ()",
		"interface a.b method X(a: int,) -> ()",
		"interface a.b method X(a: int, a: int) -> ()",
		"interface a.b type X (a: [int]string)",
		"interface a.b type X (a: int) type X (b: int)",
		"interface a.b error X",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_non_null(find_mistake(wrong[i], "a.b"));
	assert_null(find_mistake("interface a.b\n"
				 "type T (x: ?[]T, y: [string](one, two))\n"
				 "method X(a_b: ?float) -> (c: (d: []bool))",
				 "a.b"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_whole_call),
		cmocka_unit_test(absent_parameters_are_an_empty_object),
		cmocka_unit_test(bad_calls_are_refused),
		cmocka_unit_test(long_method_names_are_refused),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(values_are_limited),
		cmocka_unit_test(writes_replies_and_errors),
		cmocka_unit_test(what_does_not_fit_leaves_no_trace),
		cmocka_unit_test(quotes_are_short_and_printable),
		cmocka_unit_test(buffer_keeps_order_and_limit),
		cmocka_unit_test(own_interface_is_varlink),
		cmocka_unit_test(service_interface_is_varlink),
		cmocka_unit_test(the_reader_finds_mistakes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
