/* SPDX-License-Identifier: ISC */
/*
 * Varlink messages: bytes into a checked call, replies and errors to bytes.
 *
 * Theory of operation: whoever may connect may send anything. Before the JSON
 * parser sees a message, its length, its depth and the number of its values are
 * known to be small, so neither the parser's stack nor its heap grows with what
 * was sent. Afterwards every key must be one that varlink knows, and of its
 * type: an unknown key may ask for something that would silently not be done.
 */
#include "supervisor/control/varlink.h"

#include <errno.h>
#include <string.h>

#include "ipc/fd.h"

/* With fifteen digits, 0.1 is written as 0.1 and not as the nearest double. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* Checks depth and number of values without parsing
 * them. NULL; or what is wrong. */
static const char *check_shape(const char *bytes, size_t length)
{
	size_t depth = 0, values = 0;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char byte = bytes[i];

		if (in_string) {
			if (byte == '\\')
				i++;
			else if (byte == '"')
				in_string = false;
			continue;
		}
		if (byte == '"')
			in_string = true;
		else if (byte == '{' || byte == '[')
			depth++;
		else if ((byte == '}' || byte == ']') && depth > 0)
			depth--;
		/* a container counts with its first
		 * value, also if it is empty */
		if (byte == ',' || byte == '{' || byte == '[')
			values++;
		if (depth > VARLINK_MAX_DEPTH)
			return "nests too deep";
		if (values > VARLINK_MAX_VALUES)
			return "holds too many values";
	}
	return NULL;
}

static bool name_is_valid(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t length = strlen(name);

	return length <= VARLINK_MAX_NAME && dot && dot != name && dot[1] &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._-") == length;
}

static const char *take_method(struct varlink_call *call, const json_t *value)
{
	call->method = json_string_value(value);
	if (!call->method || !name_is_valid(call->method))
		return "has no valid method name";
	return NULL;
}

static const char *take_parameters(struct varlink_call *call,
				   const json_t *value)
{
	/* Some clients send null for no parameters;
	 * find_parameters() makes an object of it. */
	if (!json_is_object(value) && !json_is_null(value))
		return "has parameters that are no object";
	(void)call;
	return NULL;
}

static const char *take_more(struct varlink_call *call, const json_t *value)
{
	call->more = json_is_true(value);
	return json_is_boolean(value) ? NULL : "has a more that is no boolean";
}

static const char *take_oneway(struct varlink_call *call, const json_t *value)
{
	call->oneway = json_is_true(value);
	return json_is_boolean(value) ? NULL
				      : "has a oneway that is no boolean";
}

static const char *take_upgrade(struct varlink_call *call, const json_t *value)
{
	call->upgrade = json_is_true(value);
	return json_is_boolean(value) ? NULL
				      : "has an upgrade that is no boolean";
}

/* The keys that a call may have (varlink.org, "Method Call"). */
static const struct call_key {
	const char *name;
	const char *(*take)(struct varlink_call *call, const json_t *value);
} call_keys[] = {
	{ "method", take_method },   { "parameters", take_parameters },
	{ "more", take_more },       { "oneway", take_oneway },
	{ "upgrade", take_upgrade },
};

static const struct call_key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(call_keys); i++)
		if (strcmp(call_keys[i].name, name) == 0)
			return &call_keys[i];
	return NULL;
}

static const char *take_keys(struct varlink_call *call)
{
	const char *name, *why;
	json_t *value;

	if (!json_is_object(call->message))
		return "is no JSON object";
	json_object_foreach(call->message, name, value) {
		const struct call_key *key = find_key(name);

		if (!key)
			return "has a key that varlink doesn't know";
		why = key->take(call, value);
		if (why)
			return why;
	}
	if (!call->method)
		return "has no method";
	if (call->oneway && (call->more || call->upgrade))
		return "asks for replies and for none";
	return NULL;
}

/* Finds the parameters, or adds an empty object. */
static int find_parameters(struct varlink_call *call)
{
	call->parameters = json_object_get(call->message, "parameters");
	if (json_is_object(call->parameters))
		return 0;
	call->parameters = json_object();
	return json_object_set_new(call->message, "parameters",
				   call->parameters);
}

int varlink_parse(const char *bytes, size_t length, struct varlink_call *call,
		  const char **why)
{
	json_error_t error;
	json_t *message;

	*call = (struct varlink_call){ 0 };
	*why = check_shape(bytes, length);
	if (*why)
		return -EBADMSG;
	message = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
	if (message)
		return varlink_take(message, call, why);
	if (json_error_code(&error) == json_error_out_of_memory) {
		*why = "doesn't fit into memory";
		return -ENOMEM;
	}
	*why = "is no valid JSON";
	return -EBADMSG;
}

int varlink_take(json_t *message, struct varlink_call *call, const char **why)
{
	*call = (struct varlink_call){ .message = message };
	*why = take_keys(call);
	if (*why) {
		varlink_call_uninit(call);
		return -EBADMSG;
	}
	if (find_parameters(call) < 0) {
		*why = "doesn't fit into memory";
		varlink_call_uninit(call);
		return -ENOMEM;
	}
	return 0;
}

void varlink_call_uninit(struct varlink_call *call)
{
	json_decref(call->message);
	*call = (struct varlink_call){ 0 };
}

/* ---- output */

struct dump {
	struct buffer *out;
	int error;
};

static int dump_piece(const char *bytes, size_t length, void *ctx)
{
	struct dump *dump = ctx;

	dump->error = buffer_append(dump->out, bytes, length);
	return dump->error ? -1 : 0;
}

/* Takes over message; NULL: no memory. Writes it straight into the buffer,
 * because a reply may have a megabyte. */
static int put_message(struct buffer *out, json_t *message)
{
	struct dump dump = { .out = out };
	size_t before = buffer_length(out);

	if (!message)
		return -ENOMEM;
	if (json_dump_callback(message, dump_piece, &dump, DUMP_FLAGS) < 0 &&
	    dump.error == 0)
		dump.error = -EINVAL;
	if (dump.error == 0)
		dump.error = buffer_append(out, "", 1);
	if (dump.error)
		buffer_truncate(out, before);
	json_decref(message);
	return dump.error;
}

static json_t *or_empty(json_t *parameters)
{
	return parameters ? parameters : json_object();
}

int varlink_put_reply(struct buffer *out, json_t *parameters, bool continues)
{
	json_t *message =
		json_pack("{s:o}", "parameters", or_empty(parameters));

	if (message && continues &&
	    json_object_set_new(message, "continues", json_true()) < 0) {
		json_decref(message);
		message = NULL;
	}
	return put_message(out, message);
}

int varlink_put_error(struct buffer *out, const char *error, json_t *parameters)
{
	return put_message(out, json_pack("{s:s, s:o}", "error", error,
					  "parameters", or_empty(parameters)));
}

json_t *varlink_quote(const char *key, const char *text)
{
	char clean[VARLINK_MAX_NAME + 1];
	size_t length = strnlen(text, VARLINK_MAX_NAME);

	for (size_t i = 0; i < length; i++)
		clean[i] =
			(char)(text[i] < ' ' || text[i] > '~' ? '?' : text[i]);
	clean[length] = '\0';
	return json_pack("{s:s}", key, clean);
}
