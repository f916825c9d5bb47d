/* SPDX-License-Identifier: ISC */
/* The supervisor's state: one of it, passed to all that needs it. */
#ifndef VMSUP_SUPERVISOR_CORE_H
#define VMSUP_SUPERVISOR_CORE_H

#include <limits.h>

#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/room.h"
#include "supervisor/events.h"
#include "supervisor/firsthop.h"
#include "supervisor/notify.h"
#include "supervisor/rundir.h"
#include "supervisor/uids.h"
#include "supervisor/upgrade.h"
#include "supervisor/vm.h"

/* Who may wait for the end at the same time. */
#define SHUTDOWN_CALLS 8

struct supervisor {
	struct loop loop;
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
	struct filter_program setup_filter[GUEST_KINDS]; /* owned: stage 1 */
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
	struct source signal_source;
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
	int signal_fd; /* owned */
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

/* NULL: no VM of that name. */
struct vm *supervisor_find(const struct supervisor *supervisor,
			   const char *name);
/* Adds a VM that was just made, which it owns then. 0 or -ENOMEM. */
int supervisor_add(struct supervisor *supervisor, struct vm *vm);
/* A VM by options, as in the configuration file; NULL: the default. */
struct definition {
	const char *name, *mac, *ipv4, *ipv6;
	const json_t *allow; /* an array of strings, or NULL */
	struct machine_config *machine; /* NULL: guest builtin */
};
/* Defines and starts one, and takes over its machine if that succeeds. 0 or
 * -errno with problem set. */
int supervisor_define(struct supervisor *supervisor,
		      const struct definition *definition,
		      struct problem *problem);
/* gone() of a call that waits for the end. */
void supervisor_call_gone(struct call *call);
/* A VM's state changed: ends the start or the supervisor if it was the last. */
void supervisor_vm_changed(struct supervisor *supervisor);
/* Ends the supervisor alone: VMs stay, for the next one. 0, or -errno: their
 * state can't be kept, and it goes on. */
int supervisor_leave(struct supervisor *supervisor);
/* Begins to take everything down; returns at once. */
void supervisor_end(struct supervisor *supervisor, int exit_status);

/* Gives what the configuration leaves open: names, addresses, MACs. 0 or
 * -errno with problem set. */
int supervisor_assign(struct supervisor *supervisor, struct problem *problem);

/* What the loop calls; ctx is the supervisor. Makes the next few configured
 * VMs; looks at all after changes; opens multicast between them. */
timer_fn supervisor_populate, supervisor_review, supervisor_open_multicast,
	supervisor_watchdog;
/* Signals; the hang-up of who started this; link news. */
source_fn supervisor_on_signal, supervisor_on_starter_gone,
	supervisor_on_monitor;
net_news_fn supervisor_on_link_news;

/* The methods of io.vmsup; their ctx is the supervisor. */
extern const struct control_method methods[];
extern const size_t method_count;
/* define.c: one of them. */
void methods_define(void *ctx, struct call *call);
/* A VM's counters came in: a Status that waited for them may be answered. */
void methods_stats_arrived(struct supervisor *supervisor);
/* Answers those who asked for the end. */
void methods_answer_shutdown(struct supervisor *supervisor);

/* cage.c: a reply of io.vmsup Sandbox. */
json_t *cage_json(const struct vm *vm);

/* The io.vmsup Supervisor. */
json_t *supervisor_json(const struct supervisor *supervisor);

#endif
