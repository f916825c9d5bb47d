/* SPDX-License-Identifier: ISC */
/* Fields of a reply, with a default where they are absent or null. */
#ifndef VMSUP_SUPERVISOR_CLI_FIELD_H
#define VMSUP_SUPERVISOR_CLI_FIELD_H

#include <jansson.h>
#include <stdbool.h>

/* The text lives as long as object; "" if the field is absent. */
static inline const char *field_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline json_int_t field_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline double field_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static inline bool field_absent(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return !value || json_is_null(value);
}

#endif
