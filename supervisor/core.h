/* SPDX-License-Identifier: ISC */
/* The supervisor's state: one of it, passed to all that needs it. */
#ifndef VMSUP_SUPERVISOR_CORE_H
#define VMSUP_SUPERVISOR_CORE_H

#include <limits.h>

#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/room.h"
#include "supervisor/host/notify.h"
#include "supervisor/host/rundir.h"
#include "supervisor/host/uids.h"
#include "supervisor/net/monitor.h"
#include "supervisor/takeover/upgrade.h"
#include "supervisor/vm/events.h"
#include "supervisor/vm/firsthop.h"
#include "supervisor/vm/vm.h"

/* Who may wait for the end at the same time. */
#define SHUTDOWN_CALLS 8

struct supervisor {
	struct loop loop;
	const struct vm_hooks *hooks;
	struct config *config;
	struct rundir rundir;
	uint64_t started_ns;
	char program[PATH_MAX]; /* where this one was started from */
	struct upgrade upgrade;
	struct notify notify;
	struct timer watchdog; /* systemd's */
	size_t told_running, told_failed; /* to systemd */

	/* what VM processes are made of */
	int keep_fd; /* owned; -1: none yet. See keep.h */
	int keep_error; /* why the state can't be kept now; 0: it is */
	bool unsaved; /* the instance's document is to be written again */
	struct timer keep_again;
	char boot_id[40];
	uint64_t network_inode; /* of the network namespace it lives in */
	struct room room;
	struct cgroup cgroup;
	struct uids uids;
	int vmproc_fd; /* owned: the program */
	int filter_fd[GUEST_KINDS]; /* owned: stage 2, by kind of guest */
	struct filter_program setup_filter[GUEST_KINDS]; /* stage 1 */
	int vcpu_filter_fd; /* owned: what vCPU threads stack on that */
	char digests[FILTER_ROLES][FILTER_DIGEST_TEXT]; /* of all these */
	char seal_digest[FILTER_DIGEST_TEXT]; /* see stage2_seal() */
	int proc_fd; /* owned: /proc, for the proof of each cage */

	struct net net;
	struct firsthop firsthop;
	struct net_monitor monitor;
	struct source monitor_source;

	struct control *control;
	struct events events;
	struct source signal_source; /* its fd owned */
	struct source starter_source; /* hang-up of who started this */
	struct timer populate; /* makes the configured VMs, a few a turn */
	struct timer multicast; /* opens it between VMs */
	struct timer review; /* after changes of VMs */
	struct timer watch; /* over the first-hop guard, where it can be taken */

	struct vm **vms; /* owned */
	size_t vm_count;
	size_t populated; /* how many of config->vms there are */

	uint32_t filters; /* system call filters of this process */
	char loaded[FILTER_DIGESTS_TEXT]; /* of them: those it loaded */
	bool foreground;
	bool cut; /* its capabilities are */
	bool querying; /* the bridge was made a multicast querier */
	bool settled; /* every VM of the configuration got somewhere */
	bool ending;
	bool took_over; /* VMs of an earlier supervisor */
	bool leave; /* at its end: VMs, links and state, to the next one */
	int exit_status;
	uint32_t ping_id;
	struct call *shutdown_calls[SHUTDOWN_CALLS]; /* NULL: free */
	struct status_wait *status_waits; /* methods.c's */
};

#endif
