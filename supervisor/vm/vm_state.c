/* SPDX-License-Identifier: ISC */
/* States of VMs by name, and what to do about them. */
#include "supervisor/vm/vm_state.h"

#include <assert.h>

#include "ipc/fd.h"

static const char *const state_names[] = {
	[VM_STOPPED] = "stopped",   [VM_STARTING] = "starting",
	[VM_RUNNING] = "running",   [VM_PAUSED] = "paused",
	[VM_BACKOFF] = "backoff",   [VM_FAILED] = "failed",
	[VM_STOPPING] = "stopping",
};
static_assert(ARRAY_SIZE(state_names) == VM_STATES, "a name per state");

const char *vm_state_name(enum vm_state state)
{
	return state_names[state];
}

const char *vm_remedy(enum vm_state state)
{
	static const char *const remedies[] = {
		[VM_STOPPED] = "vmsup start it first",
		[VM_STARTING] = "wait until it runs",
		[VM_RUNNING] = "it runs already",
		[VM_PAUSED] = "vmsup resume it first",
		[VM_BACKOFF] = "vmsup start starts it now",
		[VM_FAILED] = "vmsup reset clears it",
		[VM_STOPPING] = "wait until it has stopped",
	};
	static_assert(sizeof(remedies) / sizeof(remedies[0]) == VM_STATES,
		      "a remedy per state");

	return remedies[state];
}
