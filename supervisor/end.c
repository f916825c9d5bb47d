/* SPDX-License-Identifier: ISC */
/* The supervisor's end: everything taken down, or left to the next one. */
#include "supervisor/end.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/caps.h"
#include "supervisor/core.h"
#include "supervisor/instance/shutdown.h"
#include "supervisor/lib/signals.h"
#include "supervisor/life/process.h"
#include "supervisor/state/store.h"
#include "supervisor/takeover/upgrade.h"

static bool any_adopted(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->host.vm_count; i++)
		if (supervisor->host.vms[i]->process.pid_fd >= 0)
			return true;
	return false;
}

static void free_vms(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->host.vm_count; i++) {
		vm_let_go(supervisor->host.vms[i]);
		vm_free(supervisor->host.vms[i]);
	}
	free(supervisor->host.vms);
}

static void end_links(struct supervisor *supervisor)
{
	bool leave = supervisor->leave_vms && any_adopted(supervisor);

	/* in one batch, while the TAPs are still held: see net.h */
	if (supervisor->host.net.sock && !leave)
		net_destroy(&supervisor->host.net);
	firsthop_end(&supervisor->host, leave);
	free_vms(supervisor);
	if (supervisor->monitor.sock) {
		loop_remove(&supervisor->host.loop,
			    &supervisor->monitor_source);
		net_monitor_uninit(&supervisor->monitor);
	}
	if (supervisor->host.net.sock)
		net_uninit(&supervisor->host.net);
}

static void end_files(struct supervisor *supervisor)
{
	fd_close(&supervisor->host.store_fd);
	if (supervisor->leave_vms) {
		cgroup_release(&supervisor->host.cgroup);
		rundir_release(&supervisor->host.rundir);
		return;
	}
	if (supervisor->caps_dropped)
		caps_raise_last();
	cgroup_uninit(&supervisor->host.cgroup);
	store_forget(&supervisor->host.rundir);
	rundir_uninit(&supervisor->host.rundir);
}

void supervisor_take_down(struct supervisor *supervisor)
{
	end_links(supervisor);
	room_uninit(&supervisor->host.room);
	handoff_close(&supervisor->host.handoff);
	for (int kind = 0; kind < GUEST_KINDS; kind++)
		fd_close(&supervisor->host.filter_fd[kind]);
	fd_close(&supervisor->host.vcpu_filter_fd);
	fd_close(&supervisor->host.proc_fd);
	fd_close(&supervisor->host.vmproc_fd);
	upgrade_cancel(supervisor, "the supervisor is ending");
	notify_uninit(&supervisor->notify);
	uids_uninit(&supervisor->host.uids);
	end_files(supervisor);
	if (supervisor->control) {
		events_end(&supervisor->host.events);
		shutdown_answer(supervisor);
		control_free(supervisor->control);
	}
	signals_close(&supervisor->host.loop, &supervisor->signal_source);
	loop_uninit(&supervisor->host.loop);
}

int supervisor_serve(struct supervisor *supervisor)
{
	int error;

	if (supervisor->notify.fd >= 0 && supervisor->notify.watchdog_ns)
		loop_timer_at(&supervisor->host.loop, &supervisor->watchdog, 0);
	firsthop_watch_start(&supervisor->host);
	error = loop_run(&supervisor->host.loop);

	if (error)
		log_error("event loop: %s", strerror(-error));
	supervisor_take_down(supervisor);
	return error ? 1 : supervisor->exit_status;
}
