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

/* How far a stop has come (state STOPPING). */
enum stop_step {
	STOP_ASKED, /* STOP was sent to the guest */
	STOP_TERMINATED, /* SIGTERM was sent to the process */
	STOP_KILLED, /* SIGKILL was sent to the process */
};

/* A token bucket: so many tokens a second, as many as the burst at once. */
struct token_bucket {
	uint64_t refilled_ns;
	uint32_t left;
};

/* An echo request that a VM was asked to send and hasn't reported on. */
struct vm_ping {
	struct vm_ping *next;
	uint32_t id;
	uid_t uid; /* the user who asked for it; (uid_t)-1: unknown */
};

/* A VM's counters: first those that its process reports (enum stat), then those
 * that only the supervisor knows. */
enum vm_stat {
	VM_STAT_GUARD_FIRST = STATS, /* one for each enum guard_reason */
	VM_STATS = STATS + GUARD_REASONS
};

/* A VM's TAP. The supervisor owns it, and all generations use it. */
struct vm_tap {
	int fd; /* owned; of its first queue. -1: none */
	int queue_fds[MACHINE_QUEUES - 1]; /* owned; -1: none */
	int ifindex;
	bool untouched; /* no process has had it yet */
	bool introduced; /* bridge and host know the VM's MAC and addresses */
	uint32_t mtu;
	uint32_t told_mtu; /* the MTU that the process was told last */
	struct net_counters base; /* as the last generation left them */
	bool guarded; /* the first-hop guard is in force on it */
	uint64_t guard_seen[GUARD_REASONS]; /* the guard's, as last read */
};

/* The process of one generation: pid_fd >= 0 while there is one. */
struct vm_process {
	pid_t pid; /* for people and /proc; signals go through pid_fd */
	int pid_fd; /* owned */
	struct source pid_source;
	uint64_t started; /* start time in ticks, as in /proc/PID/stat */
	uint64_t spawned_ns, running_ns; /* 0: not yet RUNNING */

	uint32_t protocol; /* the version that the process speaks */
	struct channel channel; /* fd owned */
	struct source channel_source;
	uint64_t channel_inode; /* of the supervisor's end */
	bool channel_ended; /* the process closed its end */

	int listener_fd; /* owned: of the process's filter, after READY */
	struct source listener_source;
	int uids_fd; /* owned until READY: the lock on the process's uid */
	uint32_t filters; /* how many system call filters /proc must show */
	struct filter_digests digests; /* of these filters */
	bool vhost_used; /* the kernel moves this process's frames */

	bool proved; /* READY came, and the sandbox was proved closed */
	bool loaded; /* LOADED came: the guest is loaded */
	bool adopting; /* STARTING: taken over, and no answer came yet */
	bool pause_pending, resume_pending; /* sent, not yet confirmed */
	bool stop_told; /* an earlier supervisor sent STOP */
	/* The guest powered off, rebooted or crashed, as its process reported:
	 * the process ends after that. */
	enum death_reason guest_event;
	bool guest_event_told;
	struct death exit; /* why the process must end, once that is known */
};

/* A VM without a process. */
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
	bool awaiting_stats; /* STATS? was sent, no STATS came yet */
	uint64_t stats_id; /* of the last STATS? */
	bool aborting; /* SIGABRT was sent, SIGKILL is next */
	bool heard; /* the process has sent STATS */
	bool quiet; /* its last two STATS were equal: it is asked less often */
};

struct vm_log {
	struct vmlog kept; /* the lines of this and the last generation */
	struct token_bucket lines, flood; /* rates: see protocol.c */
	uint64_t dropped; /* lines that found the bucket empty */
};

struct vm {
	struct host *host;
	struct vm_config config;
	size_t index; /* in host->vms */
	uid_t uid;
	bool stored; /* the document has the last event, or is unsaved */
	bool unsaved; /* writing the document failed: store.c tries again */

	enum vm_state state;
	bool wanted; /* the intent: the VM is to be up */
	struct timer timer; /* the state's deadline or retry */
	enum stop_step stop_step;
	bool taken_over; /* the process is an earlier supervisor's */
	bool restart_due; /* taken over in the middle of a restart */
	struct backoff backoff;
	struct deaths deaths;
	uint64_t generation; /* of its process; 0: never started */
	uint64_t restarts; /* starts after deaths that nobody asked for */

	struct vm_tap tap;
	struct vm_process process;
	struct vm_heartbeat heartbeat;
	struct vm_log log;

	uint64_t stats[VM_STATS]; /* this generation's, as last reported */
	uint64_t settled[VM_STATS]; /* the sum of all earlier generations */
	bool unsettled; /* stats of an ended generation, not in settled yet */

	/* guest kvm: opened for the generation that is being made */
	int kvm_fd, vhost_fds[MACHINE_QUEUES]; /* owned; -1: none */

	bool bounded; /* this supervisor has set the cgroup's limits */
	bool oom_known; /* oom holds what this supervisor has read */
	struct cgroup_oom oom; /* the cgroup's count of kills: bounds.h */
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
	/* what happened */
	VM_LOADED, /* the sandbox is closed, and the guest is loaded */
	/* to a VM of an earlier supervisor, while this one starts */
	VM_TAKEN_OVER, /* the VM has its process, which was proved */
	VM_LOST, /* the VM has no process, or its process was rejected */
	VM_REVIVED, /* a lost VM may start, if it is wanted */
	VM_ADOPTED, /* the process that was taken over answers */
	VM_ADOPTED_PAUSED, /* it answers, and its guest is paused */
	VM_WAS_PAUSED, /* the process confirms PAUSE */
	VM_WAS_RESUMED, /* the process confirms RESUME */
	VM_DIED, /* the process has ended and was reaped */
	VM_TIMEOUT, /* the state's time is over */
	VM_EVENTS
};

/* The calls from here to the folders above, and the one that forks, which tests
 * replace. Set once, before the first VM is made. */
struct vm_hooks {
	/* Hands an event to the state machine: vm_event(). 0, or -EINVAL if the
	 * VM's state has no place for the event. */
	int (*event)(struct vm *vm, enum vm_event event);
	/* A VM's STATS arrived; ctx: hooks_ctx. */
	void (*stats_arrived)(void *ctx);
	/* Makes a VM's process: process_make(). */
	pid_t (*make_process)(const struct stage1 *stage, int cgroup_fd,
			      int *pid_fd);
};

/* Makes a VM that has only its host. NULL with problem set. */
struct vm *vm_alloc(struct host *host, struct problem *problem);
/* Makes a VM: uid, TAP, which isn't guarded yet (firsthop_guard()). NULL with
 * problem set, and nothing left behind. */
struct vm *vm_new(struct host *host, const struct vm_config *config,
		  struct problem *problem);
/* Frees a VM without a process; its TAP stays until its link is deleted. */
void vm_free(struct vm *vm);
/* Hands an event to the hook, and returns what the hook returns. */
int vm_raise(struct vm *vm, enum vm_event event);

#endif
