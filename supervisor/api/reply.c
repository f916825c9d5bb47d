/* SPDX-License-Identifier: ISC */
/* Replies that many methods give. */
#include "supervisor/api/reply.h"

#include "supervisor/vm/vm_state.h"

void reply_no_such_vm(struct call *call, const char *name)
{
	call_error(call, "io.vmsup.NoSuchVm", json_pack("{s:s}", "name", name));
}

/* NULL parameters: there was no memory to make them. */
void reply_with(struct call *call, json_t *parameters)
{
	if (parameters)
		call_reply(call, parameters);
	else
		call_failed(call,
			    "the supervisor has no memory for the reply (try "
			    "again later)");
}

void reply_wrong_state(struct call *call, const struct vm *vm,
		       const char *remedy)
{
	call_error(call, "io.vmsup.WrongState",
		   json_pack("{s:s, s:s, s:s}", "name", vm->config.name,
			     "state", vm_state_name(vm->state), "remedy",
			     remedy));
}
