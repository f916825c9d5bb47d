/* SPDX-License-Identifier: ISC */
/* One VM, as the supervisor knows it. */
#ifndef VMSUP_SUPERVISOR_VM_H
#define VMSUP_SUPERVISOR_VM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/loop.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter_digest.h"
#include "supervisor/control/waiting.h"
#include "supervisor/config/config.h"
#include "supervisor/control/control.h"
#include "supervisor/net/guard.h"
#include "supervisor/net/net.h"
#include "supervisor/vm/backoff.h"
#include "supervisor/vm/death.h"
#include "supervisor/vm/vmlog.h"

struct host;
struct stage1;

enum vm_state {
	VM_STOPPED,
	VM_STARTING,
	VM_RUNNING,
	VM_PAUSED,
	VM_BACKOFF,
	VM_FAILED,
	VM_STOPPING,
	VM_STATES
};

/* Where the way to a stopped VM stands (state STOPPING). */
enum stop_step {
	STOP_ASKED, /* STOP was sent to the guest */
	STOP_TERMINATED, /* SIGTERM was sent to the process */
	STOP_KILLED, /* SIGKILL was */
};

/* A token bucket: so many tokens a second, as many as the burst at once. */
struct token_bucket {
	uint64_t refilled_ns;
	uint32_t left;
};

/* An echo request that a VM was asked for and hasn't reported on. */
struct vm_ping {
	struct vm_ping *next;
	uint32_t id;
	uid_t uid; /* who asked for it; (uid_t)-1: not known any more */
};

/* What is counted of a VM: what its process tells, and after that what only the
 * supervisor can know. */
enum vm_stat {
	VM_STAT_GUARD_FIRST = STATS, /* one for each enum guard_reason */
	VM_STATS = STATS + GUARD_REASONS
};

/* A VM's TAP: the supervisor's, the same over all generations. */
struct vm_tap {
	int fd; /* owned; of its first queue. -1: none */
	int queue_fds[MACHINE_QUEUES - 1]; /* owned; -1: none */
	int ifindex;
	bool untouched; /* no process had it yet */
	bool introduced; /* the bridge and the host know who is behind it */
	uint32_t mtu;
	uint32_t told_mtu; /* what the process knows of it */
	struct net_counters base; /* when the last generation ended */
	bool guarded; /* the first-hop guard is in force there */
	uint64_t guard_seen[GUARD_REASONS]; /* its counters, as last read */
};

/* The process of one generation: pid_fd >= 0 while there is one. */
struct vm_process {
	pid_t pid; /* to be shown; signals go through pid_fd */
	int pid_fd; /* owned */
	struct source pid_source;
	uint64_t started; /* its start time, as /proc/PID/stat has it */
	uint64_t spawned_ns, running_ns; /* 0: not yet RUNNING */

	uint32_t protocol; /* version that it speaks */
	struct channel channel; /* fd owned */
	struct source channel_source;
	uint64_t channel_inode; /* of our end: what it keeps for a successor */
	bool channel_ended; /* by the VM process */

	int listener_fd; /* owned; of its filter, from READY on */
	struct source listener_source;
	int uids_fd; /* owned; what it holds its uid by, until READY */
	uint32_t filters; /* system call filters that it should show */
	struct filter_digests digests; /* what these are */
	bool vhost_used;

	bool proved; /* it said READY, and its cage was found closed */
	bool loaded; /* it said that its guest is there */
	bool adopting; /* STARTING: taken over, and not heard of yet */
	bool pause_pending, resume_pending;
	bool stop_told; /* this process has been told to stop */
	/* The guest powered off, rebooted or crashed, as the VM process told: why
	 * the process ends. */
	enum death_reason guest_event;
	bool guest_event_told;
	struct death exit; /* why the process must end, once that is known */
};

/* Before a process is made: nothing of the one before is left. */
#define VM_PROCESS_NONE                                              \
	((struct vm_process){                                        \
		.pid_fd = -1,                                        \
		.pid_source.fd = -1,                                 \
		.channel = { .fd = -1, .side = CHANNEL_SUPERVISOR }, \
		.channel_source.fd = -1,                             \
		.listener_fd = -1,                                   \
		.listener_source.fd = -1,                            \
		.uids_fd = -1,                                       \
	})

struct vm_heartbeat {
	struct timer timer;
	uint64_t unanswered_ns; /* since when an answer is due; 0: none is */
	bool awaiting_stats; /* a STATS? is under way */
	uint64_t stats_id; /* the last one's */
	bool aborting; /* SIGABRT was sent, SIGKILL is next */
};

struct vm_log {
	struct vmlog kept;
	struct token_bucket lines, flood;
	uint64_t dropped; /* lines that found the bucket empty */
};

struct vm {
	struct host *host;
	struct vm_config config;
	size_t index; /* among the host's VMs */
	uid_t uid;
	bool stored; /* its document is as it is now, or unsaved: store.h */
	bool unsaved; /* it couldn't be written */

	enum vm_state state;
	bool wanted; /* the intent: up */
	struct timer timer; /* the state's deadline or retry */
	enum stop_step stop_step;
	bool taken_over; /* from an earlier supervisor */
	bool restart_due; /* it was being restarted when it was taken over */
	struct backoff backoff;
	struct deaths deaths;
	uint64_t generation; /* 0: never started */
	uint64_t restarts; /* by itself, after deaths nobody asked for */

	struct vm_tap tap;
	struct vm_process process;
	struct vm_heartbeat heartbeat;
	struct vm_log log;

	uint64_t stats[VM_STATS]; /* of this generation, as last heard */
	uint64_t settled[VM_STATS]; /* of all earlier ones */
	bool unsettled; /* stats are those of one that has ended */

	/* guest kvm: opened for the generation that is being made */
	int kvm_fd, vhost_fds[MACHINE_QUEUES]; /* owned; -1: none */

	bool bounded; /* this supervisor has set its cgroup's limits */
	bool oom_known; /* oom is what this supervisor has seen */
	struct cgroup_oom oom; /* its cgroup's count: bounds.h */
	struct console *console; /* owned; NULL: none. See console.h */
	struct counters *counters; /* owned; NULL: none. See counters.h */
	struct vm_ping *pings;
	uint32_t ping_count;
	struct call_list ping_calls; /* see pings.c */
};

enum vm_event {
	/* commands */
	VM_START,
	VM_STOP,
	VM_RESTART,
	VM_RESET,
	VM_PAUSE,
	VM_RESUME,
	/* news */
	VM_LOADED, /* the cage is closed, and the guest is there */
	/* of a VM of an earlier supervisor, at the start of this one */
	VM_TAKEN_OVER, /* its process is there, and was proved */
	VM_LOST, /* it has no process any more, or none that can be proved */
	VM_REVIVED, /* without a process: it is to be where it should */
	VM_ADOPTED, /* the process that was taken over answers */
	VM_ADOPTED_PAUSED,
	VM_WAS_PAUSED,
	VM_WAS_RESUMED,
	VM_DIED,
	VM_TIMEOUT,
	VM_EVENTS
};

/* What rooms above are told, and the one fork, in whose place a test has its
 * own: set once, before the first VM is made. */
struct vm_hooks {
	/* What happened to a process, or that the state's time is over. 0, or
	 * -EINVAL if the VM's state has no place for the event. */
	int (*event)(struct vm *vm, enum vm_event event);
	/* Counters of a VM came in; ctx: hooks_ctx. */
	void (*stats_arrived)(void *ctx);
	/* Makes a VM's process: process_make(). */
	pid_t (*make_process)(const struct stage1 *stage, int cgroup_fd,
			      int *pid_fd);
};

/* A VM with nothing but its host. NULL with problem set. */
struct vm *vm_alloc(struct host *host, struct problem *problem);
/* Makes a VM: uid, TAP, which isn't guarded yet (firsthop_guard()). NULL with
 * problem set, and nothing left behind. */
struct vm *vm_new(struct host *host, const struct vm_config *config,
		  struct problem *problem);
/* Frees a VM without a process; its TAP stays until its link is deleted. */
void vm_free(struct vm *vm);
/* Hands an event to the hook for them, and returns what that does. */
int vm_raise(struct vm *vm, enum vm_event event);

#endif
