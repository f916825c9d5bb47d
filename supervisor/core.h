/* SPDX-License-Identifier: ISC */
/* The supervisor's state: one of it, passed to all that needs it. */
#ifndef VMSUP_SUPERVISOR_CORE_H
#define VMSUP_SUPERVISOR_CORE_H

#include <limits.h>

#include "supervisor/control/control.h"
#include "supervisor/host/notify.h"
#include "supervisor/net/monitor.h"
#include "supervisor/vm/host.h"

/* An upgrade that is under way: takeover/upgrade.h. */
struct upgrade {
	struct call *call; /* who asked; NULL: nobody, or he went away */
	int program_fd; /* owned: the new program; -1: no upgrade under way */
	int trial_pid_fd; /* owned: the new program, trying the state */
	int words_fd; /* owned: its standard error */
	struct source trial_source;
	struct timer deadline;
	int guard_fd; /* owned: to who takes over if the new program fails */
	int guard_pid_fd; /* owned */
};

/* As in a new supervisor. */
#define UPGRADE_NONE                           \
	((struct upgrade){ .program_fd = -1,   \
			   .trial_pid_fd = -1, \
			   .words_fd = -1,     \
			   .guard_fd = -1,     \
			   .guard_pid_fd = -1, \
			   .trial_source.fd = -1 })

struct supervisor {
	struct host host;
	uint64_t started_ns;
	char program[PATH_MAX]; /* where this one was started from */
	struct upgrade upgrade;
	struct notify notify;
	struct timer watchdog; /* systemd's */
	size_t told_running, told_failed; /* to systemd */

	struct control *control;
	struct net_monitor monitor;
	struct source monitor_source;
	struct source signal_source; /* its fd owned */
	struct source starter_source; /* hang-up of who started this */

	struct timer populate; /* makes the configured VMs, a few a turn */
	size_t populated; /* how many of config->vms there are */
	struct timer multicast; /* opens it between VMs */
	bool querying; /* the bridge was made a multicast querier */

	bool foreground;
	bool caps_dropped; /* its capabilities were dropped */
	bool settled; /* every VM of the configuration got somewhere */
	bool took_over; /* VMs of an earlier supervisor */
	bool leave_vms; /* VMs, links and state stay for the next supervisor */
	int exit_status;

	uint32_t ping_id; /* the last one's */
	struct call_list shutdown_calls; /* wait for the end */
	struct call_list status_calls; /* wait for counters: api/waits.c */
};

#endif
