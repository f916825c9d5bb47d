/* SPDX-License-Identifier: ISC */
/* Optional arguments of a call: absent, null or of their type. */
#include "supervisor/arguments.h"

bool argument_bool(struct call *call, const char *name, bool *value)
{
	json_t *given = json_object_get(call->parameters, name);

	*value = json_is_true(given);
	if (!given || json_is_null(given) || json_is_boolean(given))
		return true;
	call_invalid_parameter(call, name);
	return false;
}

bool argument_number(struct call *call, const char *name, long min, long max,
		     long preset, long *number)
{
	json_t *value = json_object_get(call->parameters, name);

	*number = preset;
	if (!value || json_is_null(value))
		return true;
	if (json_is_integer(value) && json_integer_value(value) >= min &&
	    json_integer_value(value) <= max) {
		*number = (long)json_integer_value(value);
		return true;
	}
	call_invalid_parameter(call, name);
	return false;
}

bool argument_string(struct call *call, const char *name, const char **text)
{
	json_t *value = json_object_get(call->parameters, name);

	*text = json_string_value(value);
	if (!value || json_is_null(value) || *text)
		return true;
	call_invalid_parameter(call, name);
	return false;
}
