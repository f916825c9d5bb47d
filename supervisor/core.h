/* SPDX-License-Identifier: ISC */
/* The supervisor's state: one of it, passed to all that needs it. */
#ifndef VMSUP_SUPERVISOR_CORE_H
#define VMSUP_SUPERVISOR_CORE_H

#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/room.h"
#include "supervisor/events.h"
#include "supervisor/rundir.h"
#include "supervisor/uids.h"
#include "supervisor/vm.h"

/* Who may wait for the end at the same time. */
#define SHUTDOWN_CALLS 8

struct supervisor {
	struct loop loop;
	struct config *config;
	struct rundir rundir;
	uint64_t started_ns;

	/* what VM processes are made of */
	struct room room;
	struct cgroup cgroup;
	struct uids uids;
	int vmproc_fd; /* owned: the program */
	int filter_fd[GUEST_KINDS]; /* owned: stage 2, by kind of guest */
	int proc_fd; /* owned: /proc, for the proof of each cage */

	struct net net;
	struct net_monitor monitor;
	struct source monitor_source;

	struct control *control;
	struct events events;
	struct source signal_source;
	struct source starter_source; /* hang-up of who started this */
	struct timer populate; /* makes the configured VMs, a few a turn */
	struct timer multicast; /* opens it between VMs */
	struct timer review; /* after changes of VMs */

	struct vm **vms; /* owned */
	size_t vm_count;
	size_t populated; /* how many of config->vms there are */

	bool foreground;
	bool cut; /* its capabilities are */
	bool querying; /* the bridge was made a multicast querier */
	bool settled; /* every VM of the configuration got somewhere */
	bool ending;
	int exit_status;
	uint32_t ping_id;
	struct call *shutdown_calls[SHUTDOWN_CALLS]; /* NULL: free */
	struct status_wait *status_waits; /* methods.c's */
};

/* NULL: no VM of that name. */
struct vm *supervisor_find(const struct supervisor *supervisor,
			   const char *name);
/* Adds a VM that was just made. 0 or -ENOMEM. */
int supervisor_add(struct supervisor *supervisor, struct vm *vm);
/* Defines and starts a VM by options (NULL: the default), as in the
 * configuration file. 0 or -errno with problem set. */
int supervisor_define(struct supervisor *supervisor, const char *name,
		      const char *mac, const char *ipv4, const char *ipv6,
		      struct problem *problem);
/* gone() of a call that waits for the end. */
void supervisor_call_gone(struct call *call);
/* A VM's state changed: ends the start or the supervisor if it was the last. */
void supervisor_vm_changed(struct supervisor *supervisor);
/* Begins to take everything down; returns at once. */
void supervisor_end(struct supervisor *supervisor, int exit_status);

/* Gives what the configuration leaves open: names, addresses, MACs. 0 or
 * -errno with problem set. */
int supervisor_assign(struct supervisor *supervisor, struct problem *problem);

/* What the loop calls; ctx is the supervisor. Makes the next few configured
 * VMs; looks at all after changes; opens multicast between them. */
timer_fn supervisor_populate, supervisor_review, supervisor_open_multicast;
/* Signals; the hang-up of who started this; link news. */
source_fn supervisor_on_signal, supervisor_on_starter_gone,
	supervisor_on_monitor;
net_news_fn supervisor_on_link_news;

/* The methods of io.vmsup; their ctx is the supervisor. */
extern const struct control_method methods[];
extern const size_t method_count;
/* A VM's counters came in: a Status that waited for them may be answered. */
void methods_stats_arrived(struct supervisor *supervisor);
/* Answers those who asked for the end. */
void methods_answer_shutdown(struct supervisor *supervisor);

/* The io.vmsup Supervisor. */
json_t *supervisor_json(const struct supervisor *supervisor);

#endif
