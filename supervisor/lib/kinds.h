/* SPDX-License-Identifier: ISC */
/* One value of a structure as JSON and back, for each kind of field. */
#ifndef VMSUP_SUPERVISOR_KINDS_H
#define VMSUP_SUPERVISOR_KINDS_H

#include "supervisor/lib/fields.h"

/* Where in a document a load stands. */
struct kinds_place {
	const char *whose;
	struct problem *problem;
	size_t length; /* of path */
	char path[128]; /* "config.restart", "deaths.last[3]" */
};

struct kind {
	/* value: what the field's offset leads to. NULL without memory. */
	json_t *(*save)(const struct field *field, const void *value);
	/* 0; -EINVAL or -ENOMEM with problem set. */
	int (*load)(struct kinds_place *place, const struct field *field,
		    void *value, const json_t *json);
};

extern const struct kind kinds[FIELD_KINDS];

/* Adds a name, or one with an index, to the path; returns its length before, to
 * be put back. */
size_t kinds_enter(struct kinds_place *place, const char *name);
size_t kinds_enter_at(struct kinds_place *place, const char *name, size_t i);
/* Says what the value there should be, in words: -EINVAL. */
int kinds_refuse(const struct kinds_place *place, const char *expected);
/* -ENOMEM. */
int kinds_no_memory(const struct kinds_place *place);

#endif
