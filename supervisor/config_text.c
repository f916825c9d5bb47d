/* SPDX-License-Identifier: ISC */
/*
 * Makes a configuration's bytes safe for libconfig.
 *
 * libconfig up to 1.6 reads 4294967297 as 1: without an L behind it, an
 * integer is cut to 32 bits in silence, and a memory limit of 64 GiB would be
 * none at all. So an L is put behind each. And its @include opens any file by
 * name, with the rights of whoever parses: it never gets to see one. Comments
 * and strings are told apart from the rest as libconfig does it.
 */
#include "supervisor/config_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"

#define HEX_DIGITS_MAX 15 /* of a positive long long */

/* raw has a NUL behind its last byte, so that looking one byte ahead is safe;
 * out has room for twice as much as raw. */
struct scan {
	const char *next, *end;
	char *out;
	unsigned int line;
	struct config_tree_error *error;
};

static void copy(struct scan *scan, size_t count)
{
	for (; count > 0 && scan->next < scan->end; count--) {
		if (*scan->next == '\n')
			scan->line++;
		*scan->out++ = *scan->next++;
	}
}

/* Copies up to and with the next stop, or all of the rest. */
static void copy_through(struct scan *scan, const char *stop)
{
	const char *found = strstr(scan->next, stop);

	copy(scan, found ? (size_t)(found - scan->next) + strlen(stop)
			 : (size_t)(scan->end - scan->next));
}

static void copy_string(struct scan *scan)
{
	copy(scan, 1);
	while (scan->next < scan->end && *scan->next != '"')
		copy(scan, *scan->next == '\\' ? 2 : 1);
	copy(scan, 1);
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) ||
	       (text[length] && strchr("-_*", text[length])))
		length++;
	return length;
}

/* Copies an exponent ("e5", "E-3") if one stands there. */
static bool copy_exponent(struct scan *scan)
{
	size_t sign = 1;

	if (*scan->next != 'e' && *scan->next != 'E')
		return false;
	if (scan->next[1] == '+' || scan->next[1] == '-')
		sign = 2;
	if (!isdigit((unsigned char)scan->next[sign]))
		return false;
	copy(scan, sign + strspn(scan->next + sign, "0123456789"));
	return true;
}

/* Copies what makes a float, if it stands there: ".5", "e3", ".5e3". */
static bool copy_fraction(struct scan *scan)
{
	if (*scan->next != '.')
		return copy_exponent(scan);
	copy(scan, 1 + strspn(scan->next + 1, "0123456789"));
	copy_exponent(scan);
	return true;
}

static bool copy_number(struct scan *scan)
{
	const char *digits = scan->next;
	size_t length;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
		length = strspn(digits + 2, "0123456789abcdefABCDEF");
		if (length > HEX_DIGITS_MAX) {
			scan->error->line = scan->line;
			snprintf(scan->error->text, sizeof(scan->error->text),
				 "the number is too large (write at most %d "
				 "hexadecimal digits)",
				 HEX_DIGITS_MAX);
			return false;
		}
		length += 2;
	} else {
		length = strspn(digits, "0123456789");
	}
	copy(scan, length);
	if (!copy_fraction(scan) && *scan->next != 'L')
		*scan->out++ = 'L';
	return true;
}

static bool refuse_include(struct scan *scan)
{
	scan->error->line = scan->line;
	snprintf(scan->error->text, sizeof(scan->error->text),
		 "@include isn't allowed: one file is the whole configuration "
		 "(put its settings here)");
	return false;
}

/* Copies one token, string, comment or byte. False: refused. */
static bool copy_next(struct scan *scan)
{
	const char *next = scan->next;

	if (*next == '#' || (next[0] == '/' && next[1] == '/')) {
		copy_through(scan, "\n");
	} else if (next[0] == '/' && next[1] == '*') {
		copy(scan, 2);
		copy_through(scan, "*/");
	} else if (*next == '"') {
		copy_string(scan);
	} else if (isalpha((unsigned char)*next) || *next == '*') {
		copy(scan, name_length(next));
	} else if (isdigit((unsigned char)*next)) {
		return copy_number(scan);
	} else if (*next == '.') {
		copy_fraction(scan);
	} else if (*next == '@') {
		return refuse_include(scan);
	} else {
		copy(scan, 1);
	}
	return true;
}

/* An error at the first NUL among length bytes, if there is one. */
static bool refuse_nul(const char *raw, size_t length,
		       struct config_tree_error *error)
{
	const char *nul = memchr(raw, '\0', length);

	if (!nul)
		return false;
	error->line = 1;
	for (; raw < nul; raw++)
		error->line += *raw == '\n';
	snprintf(error->text, sizeof(error->text),
		 "a NUL byte: this isn't a text file (see vmsup.conf(5))");
	return true;
}

char *config_text_prepare(const char *raw, size_t length,
			  struct config_tree_error *error)
{
	cleanup_free char *source = malloc(length + 1);
	cleanup_free char *text = malloc(2 * length + 2);
	struct scan scan = { .line = 1, .error = error };

	if (!source || !text) {
		*error = (struct config_tree_error){ .text = "out of memory" };
		return NULL;
	}
	if (refuse_nul(raw, length, error))
		return NULL;
	memcpy(source, raw, length);
	source[length] = '\0';
	scan.next = source;
	scan.end = source + length;
	scan.out = text;
	while (scan.next < scan.end)
		if (!copy_next(&scan))
			return NULL;
	/* libconfig refuses a comment that ends with the file. */
	*scan.out++ = '\n';
	*scan.out = '\0';
	return steal_mem(&text);
}
