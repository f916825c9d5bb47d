/* SPDX-License-Identifier: ISC */
/* Optional arguments of a call: absent, null or of their type. */
#include "supervisor/api/arguments.h"

#include "supervisor/api/reply.h"
#include "supervisor/core.h"
#include "supervisor/vm/vm_state.h"
#include "supervisor/vm/vms.h"

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

struct vm *argument_vm(struct supervisor *supervisor, struct call *call)
{
	json_t *name = json_object_get(call->parameters, "name");
	struct vm *vm;

	if (!json_is_string(name)) {
		call_invalid_parameter(call, "name");
		return NULL;
	}
	vm = vms_find(&supervisor->host, json_string_value(name));
	if (!vm)
		reply_no_such_vm(call, json_string_value(name));
	return vm;
}

/* Takes no more names than there are VMs: a reply with a thousand times vm0
 * would delay all clients. */
bool argument_vms(struct supervisor *supervisor, struct call *call,
		  bool optional)
{
	json_t *names = json_object_get(call->parameters, "names"), *name;
	size_t i;

	if (optional && (!names || json_is_null(names)))
		return true;
	if (!json_is_array(names) || (!optional && !json_array_size(names))) {
		call_invalid_parameter(call, "names");
		return false;
	}
	json_array_foreach(names, i, name) {
		if (!json_is_string(name)) {
			call_invalid_parameter(call, "names");
			return false;
		}
		if (!vms_find(&supervisor->host, json_string_value(name))) {
			reply_no_such_vm(call, json_string_value(name));
			return false;
		}
		if (i == supervisor->host.vm_count) {
			call_invalid_parameter(call, "names");
			return false;
		}
	}
	return true;
}

struct vm *argument_working_vm(struct supervisor *supervisor, struct call *call)
{
	struct vm *vm = argument_vm(supervisor, call);

	if (!vm || vm->state == VM_RUNNING || vm->state == VM_PAUSED)
		return vm;
	reply_wrong_state(call, vm, vm_remedy(vm->state));
	return NULL;
}

struct vm *argument_console_vm(struct supervisor *supervisor, struct call *call)
{
	struct vm *vm = argument_vm(supervisor, call);

	if (!vm || vm->config.machine)
		return vm;
	call_failed(call, "this guest has no console (only guest kvm has)");
	return NULL;
}
