/* SPDX-License-Identifier: ISC */
/* Begins the end: stops the VMs, or leaves them to the next supervisor. */
#include "supervisor/instance/shutdown.h"

#include "ipc/log.h"
#include "supervisor/core.h"
#include "supervisor/life/life.h"
#include "supervisor/state/store.h"
#include "supervisor/vm/vms.h"

bool shutdown_await(struct supervisor *supervisor, struct call *call)
{
	if (waiting_add(&supervisor->shutdown_calls, call,
			sizeof(struct waiting)))
		return true;
	call_failed(call, "out of memory");
	return false;
}

void shutdown_forget(struct call *call)
{
	waiting_end(call->ctx);
}

void shutdown_answer(struct supervisor *supervisor)
{
	waiting_reply(&supervisor->shutdown_calls, NULL);
}

int shutdown_leave(struct supervisor *supervisor)
{
	int error = 0;

	/* with what changes all the time */
	for (size_t i = 0; i < supervisor->host.vm_count && !error; i++)
		error = store_vm(supervisor->host.vms[i]);
	if (error)
		return error;
	log_info("ending; %zu VMs are left to the next supervisor",
		 supervisor->host.vm_count);
	(void)notify_send(&supervisor->notify, "STOPPING=1\n");
	supervisor->leave_vms = true;
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
	store_instance(&supervisor->host);
	log_info("stopping %zu VMs", supervisor->host.vm_count);
	loop_timer_cancel(&supervisor->host.loop, &supervisor->populate);
	for (size_t i = 0; i < supervisor->host.vm_count; i++)
		vm_event(supervisor->host.vms[i], VM_STOP);
	vms_changed(&supervisor->host);
}
