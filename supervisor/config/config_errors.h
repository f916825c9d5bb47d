/* SPDX-License-Identifier: ISC */
/* The errors of one configuration file, collected, and written by line. */
#ifndef VMSUP_SUPERVISOR_CONFIG_ERRORS_H
#define VMSUP_SUPERVISOR_CONFIG_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config_error {
	unsigned int line; /* 0: the file as a whole */
	size_t order; /* the order in which errors were found */
	char *text; /* owned */
};

struct config_errors {
	struct config_error *list; /* owned */
	size_t count, room;
	bool lost; /* memory ran out: some errors aren't listed */
};

void config_errors_init(struct config_errors *errors);
void config_errors_uninit(struct config_errors *errors);

/* Adds an error. Control characters in it are replaced. */
void config_errors_add(struct config_errors *errors, unsigned int line,
		       const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool config_errors_any(const struct config_errors *errors);

/* Writes the errors to out as "NAME:LINE: text", sorted by line. */
void config_errors_write(struct config_errors *errors, const char *name,
			 FILE *out);

#endif
