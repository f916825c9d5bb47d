/* SPDX-License-Identifier: ISC */
/* The supervisor's state. There is one, passed as the first argument. */
#ifndef VMSUP_SUPERVISOR_CORE_H
#define VMSUP_SUPERVISOR_CORE_H

#include <limits.h>

#include "supervisor/control/control.h"
#include "supervisor/host/notify.h"
#include "supervisor/net/monitor.h"
#include "supervisor/vm/host.h"

/* An upgrade that is under way: takeover/upgrade.h. */
struct upgrade {
	struct call *call; /* waits for the end; NULL: none does any more */
	int program_fd; /* owned: the new program; -1: no upgrade under way */
	int trial_pid_fd; /* owned: the new program in its trial */
	int words_fd; /* owned: standard error of the trial */
	struct source trial_source;
	struct timer deadline;
	int guard_fd; /* owned: socket to the guard: upgrade.c */
	int guard_pid_fd; /* owned */
};

/* No upgrade is under way. */
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
	char program[PATH_MAX]; /* the path of this program */
	struct upgrade upgrade;
	struct notify notify;
	struct timer watchdog; /* sends systemd WATCHDOG=1 */
	size_t told_running, told_failed; /* VMs, as systemd was told last */

	struct control *control;
	struct net_monitor monitor;
	struct source monitor_source;
	struct source signal_source; /* fd owned */
	struct source starter_source; /* hang-up of the starting process */

	struct timer populate; /* makes the configured VMs, a few a turn */
	size_t populated; /* how many of config->vms are made */
	struct timer multicast; /* opens multicast between VMs */
	bool querying; /* the bridge was made a multicast querier */

	bool foreground;
	bool caps_dropped; /* its capabilities were dropped */
	bool settled; /* the start is over: every VM has its first outcome */
	bool took_over; /* the store had VMs of an earlier supervisor */
	bool leave_vms; /* VMs, links and state stay for the next supervisor */
	int exit_status;

	uint32_t ping_id; /* of the last ping */
	struct call_list shutdown_calls; /* calls that wait for the end */
	struct call_list status_calls; /* calls of Status: api/waits.c */
};

#endif
