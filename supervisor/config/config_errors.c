/* SPDX-License-Identifier: ISC */
/* The errors of one configuration file, collected, and written by line. */
#include "supervisor/config/config_errors.h"

#include <stdarg.h>
#include <stdlib.h>

#include "ipc/log.h"

#define FIRST_ROOM 16

void config_errors_init(struct config_errors *errors)
{
	*errors = (struct config_errors){ 0 };
}

void config_errors_uninit(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->list[i].text);
	free(errors->list);
	config_errors_init(errors);
}

static bool reserve_entry(struct config_errors *errors)
{
	size_t room = errors->room ? 2 * errors->room : FIRST_ROOM;
	struct config_error *list;

	if (errors->count < errors->room)
		return true;
	list = reallocarray(errors->list, room, sizeof(*list));
	if (!list)
		return false;
	errors->list = list;
	errors->room = room;
	return true;
}

void config_errors_add(struct config_errors *errors, unsigned int line,
		       const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		errors->lost = true;
		return;
	}
	if (!reserve_entry(errors)) {
		errors->lost = true;
		free(text);
		return;
	}
	log_clean(text);
	errors->list[errors->count] = (struct config_error){
		.line = line, .order = errors->count, .text = text
	};
	errors->count++;
}

bool config_errors_any(const struct config_errors *errors)
{
	return errors->count > 0 || errors->lost;
}

static int compare(const void *left, const void *right)
{
	const struct config_error *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

void config_errors_write(struct config_errors *errors, const char *name,
			 FILE *out)
{
	if (errors->count > 1)
		qsort(errors->list, errors->count, sizeof(*errors->list),
		      compare);
	for (size_t i = 0; i < errors->count; i++)
		if (errors->list[i].line)
			fprintf(out, "%s:%u: %s\n", name, errors->list[i].line,
				errors->list[i].text);
		else
			fprintf(out, "%s: %s\n", name, errors->list[i].text);
	if (errors->lost)
		fprintf(out, "%s: out of memory: errors may be missing here\n",
			name);
}
