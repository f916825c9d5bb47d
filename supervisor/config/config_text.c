/* SPDX-License-Identifier: ISC */
/*
 * Makes a configuration's bytes safe for libconfig.
 *
 * libconfig up to 1.6 reads 4294967297 as 1: without an L behind it, an
 * integer is cut to 32 bits in silence, and a memory limit of 64 GiB would be
 * none at all. So an L is put behind each. And its @include opens any file by
 * name, with the rights of whoever parses: it never gets to see one. It looks
 * for duplicates in time n squared, so that groups are kept small. Comments and
 * strings are told apart from the rest as libconfig does it.
 */
#include "supervisor/config/config_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEX_DIGITS_MAX 15 /* the digits of a positive long long */
/* restart.jitter of a VM is in the third group; the file is the first. */
#define DEPTH_MAX 8
/* No group has that many settings. */
#define GROUP_MAX 64

/* There is a NUL at end: so one byte can be read ahead. out has room for twice
 * the input: no byte becomes more than two. */
struct scan {
	const char *next, *end;
	char *out;
	unsigned int line;
	unsigned int depth; /* of groups */
	/* how many so far, in each open group */
	unsigned int settings[DEPTH_MAX];
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

static bool refuse_text(struct scan *scan, unsigned int line, const char *text)
{
	scan->error->line = line;
	snprintf(scan->error->text, sizeof(scan->error->text), "%s", text);
	return false;
}

static bool copy_line_comment(struct scan *scan)
{
	copy(scan, strcspn(scan->next, "\n"));
	/* libconfig refuses a comment without newline at the end of the file */
	if (scan->next == scan->end)
		*scan->out++ = '\n';
	return true;
}

/* Refuses a comment without end, which libconfig takes: a typing error would
 * hide the rest of the file. */
static bool copy_block_comment(struct scan *scan)
{
	const char *end = strstr(scan->next + 2, "*/");

	if (!end)
		return refuse_text(scan, scan->line,
				   "a comment without an end (add */)");
	copy(scan, (size_t)(end - scan->next) + 2);
	return true;
}

static bool copy_string(struct scan *scan)
{
	unsigned int line = scan->line;

	copy(scan, 1);
	while (scan->next < scan->end && *scan->next != '"')
		copy(scan, *scan->next == '\\' ? 2 : 1);
	if (scan->next == scan->end)
		return refuse_text(scan, line,
				   "a string without an end (add a quote)");
	copy(scan, 1);
	return true;
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) ||
	       (text[length] && strchr("-_*", text[length])))
		length++;
	return length;
}

/* Copies an exponent ("e5", "E-3"), if there is one. */
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

/* Copies the part that makes a number a float, if there is
 * one: ".5", "e3", ".5e3". */
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
		if (length > HEX_DIGITS_MAX)
			return refuse_text(
				scan, scan->line,
				"a number too large (write at most 15 "
				"hexadecimal digits)");
		length += 2;
	} else {
		length = strspn(digits, "0123456789");
	}
	copy(scan, length);
	if (!copy_fraction(scan) && *scan->next != 'L')
		*scan->out++ = 'L';
	return true;
}

/* Copies a bracket, sign or blank. */
static bool copy_byte(struct scan *scan)
{
	switch (*scan->next) {
	case '{':
		if (++scan->depth >= DEPTH_MAX)
			return refuse_text(
				scan, scan->line,
				"nested too deeply (remove brackets)");
		scan->settings[scan->depth] = 0;
		break;
	case '}':
		scan->depth -= scan->depth > 0;
		break;
	case '=':
	case ':':
		if (++scan->settings[scan->depth] > GROUP_MAX)
			return refuse_text(
				scan, scan->line,
				"too many settings in one group (see "
				"vmsup.conf(5) for those that it knows)");
		break;
	default:
		break;
	}
	copy(scan, 1);
	return true;
}

/* Copies one token, string, comment or byte. False: it is refused. */
static bool copy_next(struct scan *scan)
{
	const char *next = scan->next;

	if (*next == '#' || (next[0] == '/' && next[1] == '/'))
		return copy_line_comment(scan);
	if (next[0] == '/' && next[1] == '*')
		return copy_block_comment(scan);
	if (*next == '"')
		return copy_string(scan);
	if (isdigit((unsigned char)*next))
		return copy_number(scan);
	if (*next == '@')
		return refuse_text(
			scan, scan->line,
			"@include isn't allowed: one file is the whole "
			"configuration (put its settings here)");
	if (*next == '.')
		copy_fraction(scan);
	else if (isalpha((unsigned char)*next) || *next == '*')
		copy(scan, name_length(next));
	else
		return copy_byte(scan);
	return true;
}

/* Refuses a NUL among length bytes. */
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
	struct scan scan = { .next = raw, .end = raw + length, .line = 1 };
	char *text;

	if (refuse_nul(raw, length, error))
		return NULL;
	text = malloc(2 * length + 1);
	if (!text) {
		*error = (struct config_tree_error){ .text = "out of memory" };
		return NULL;
	}
	scan.out = text;
	scan.error = error;
	while (scan.next < scan.end)
		if (!copy_next(&scan)) {
			free(text);
			return NULL;
		}
	*scan.out = '\0';
	return text;
}
