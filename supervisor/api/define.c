/* SPDX-License-Identifier: ISC */
/* The method Define: makes and starts a VM that a client describes. */
#include "supervisor/api/define.h"

#include "supervisor/api/arguments.h"
#include "supervisor/core.h"
#include "supervisor/instance/populate.h"
#include "supervisor/life/machine.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_machine.h"

/* Reads the machine that the call describes, with its descriptors; *machine is
 * NULL if there is none. The caller owns *machine, also after an error. 0 or
 * -errno with problem set. */
static int take_machine(struct call *call, const char *name,
			struct machine_config **machine,
			struct problem *problem)
{
	const json_t *described = json_object_get(call->parameters, "machine");
	int error;

	*machine = NULL;
	/* without descriptors by number, which would be ours */
	error = state_machine_load(machine, described, STATE_CRASH, name,
				   problem);
	if (!error && *machine)
		error = machine_take_files(*machine, call->fds, call->fd_count,
					   problem);
	if (!error && *machine)
		error = machine_check_host(*machine, problem);
	return error;
}

/* True if the argument is an array of strings, or absent. */
static bool are_strings(const json_t *array)
{
	const json_t *element;
	size_t i;

	if (!array)
		return true;
	json_array_foreach(array, i, element)
		if (!json_is_string(element))
			return false;
	return json_is_array(array) || json_is_null(array);
}

/* Reads the call's arguments but for the machine; false with the call
 * answered. */
static bool take_definition(struct call *call, struct definition *definition)
{
	const json_t *machine = json_object_get(call->parameters, "machine");

	if (!argument_string(call, "name", &definition->name) ||
	    !argument_string(call, "mac", &definition->mac) ||
	    !argument_string(call, "ipv4", &definition->ipv4) ||
	    !argument_string(call, "ipv6", &definition->ipv6))
		return false;
	if (!definition->name || !vm_name_valid(definition->name)) {
		call_invalid_parameter(call, "name");
		return false;
	}
	definition->allow = json_object_get(call->parameters, "allow");
	if (!are_strings(definition->allow)) {
		call_invalid_parameter(call, "allow");
		return false;
	}
	if (machine && !json_is_object(machine) && !json_is_null(machine)) {
		call_invalid_parameter(call, "machine");
		return false;
	}
	return true;
}

void methods_define(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct definition definition = { 0 };
	struct problem problem = { 0 };
	int error;

	if (!take_definition(call, &definition))
		return;
	error = take_machine(call, definition.name, &definition.machine,
			     &problem);
	if (!error)
		error = populate_define(supervisor, &definition, &problem);
	if (error) {
		machine_free(definition.machine);
		call_failed(call, problem.text);
	} else {
		call_reply(call, NULL);
	}
}
