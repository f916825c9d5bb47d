/* SPDX-License-Identifier: ISC */
/* The end begun: VMs stopped, or left to the next supervisor; who waits for it. */
#include "supervisor/instance/shutdown.h"

#include <string.h>

#include "ipc/log.h"
#include "supervisor/core.h"
#include "supervisor/life/life.h"
#include "supervisor/state/keep.h"
#include "supervisor/vm/vms.h"

static void call_gone(struct call *call)
{
	*(struct call **)call->ctx = NULL;
}

/* The call is answered when there is nothing left to do but exit. */
bool shutdown_await(struct supervisor *supervisor, struct call *call)
{
	for (size_t i = 0; i < SHUTDOWN_CALLS; i++)
		if (!supervisor->shutdown_calls[i]) {
			supervisor->shutdown_calls[i] = call;
			call->ctx = &supervisor->shutdown_calls[i];
			call->gone = call_gone;
			return true;
		}
	call_error(call, "io.vmsup.Failed",
		   json_pack("{s:s}", "message", "it is stopping already"));
	return false;
}

void shutdown_forget(struct call *call)
{
	call_gone(call);
	call->gone = NULL;
}

void shutdown_answer(struct supervisor *supervisor)
{
	for (size_t i = 0; i < SHUTDOWN_CALLS; i++)
		if (supervisor->shutdown_calls[i]) {
			supervisor->shutdown_calls[i]->gone = NULL;
			call_reply(supervisor->shutdown_calls[i], NULL);
			supervisor->shutdown_calls[i] = NULL;
		}
}

int shutdown_leave(struct supervisor *supervisor)
{
	int error = 0;

	/* with what changes all the time */
	for (size_t i = 0; i < supervisor->host.vm_count && !error; i++)
		error = keep_vm(supervisor->host.vms[i]);
	if (error)
		return error;
	log_info("ending; %zu VMs are left to the next supervisor",
		 supervisor->host.vm_count);
	(void)notify_send(&supervisor->notify, "STOPPING=1\n");
	supervisor->leave = true;
	supervisor->exit_status = SHUTDOWN_EXIT_LEFT;
	loop_stop(&supervisor->host.loop);
	return 0;
}

void shutdown_begin(struct supervisor *supervisor, int exit_status)
{
	if (supervisor->host.ending)
		return;
	supervisor->host.ending = true;
	supervisor->exit_status = exit_status;
	(void)notify_send(&supervisor->notify, "STOPPING=1\n");
	/* should it be cut off, the next one ends what this one began to */
	keep_instance(&supervisor->host);
	log_info("stopping %zu VMs", supervisor->host.vm_count);
	loop_timer_cancel(&supervisor->host.loop, &supervisor->populate);
	for (size_t i = 0; i < supervisor->host.vm_count; i++)
		vm_event(supervisor->host.vms[i], VM_STOP);
	vms_changed(&supervisor->host);
}
