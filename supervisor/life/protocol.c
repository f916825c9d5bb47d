/* SPDX-License-Identifier: ISC */
/*
 * The protocol with VM processes: what one says, and what is said to it.
 *
 * Theory of operation: the VM process is hostile. channel_receive() has checked
 * type, size, descriptors and generation; the table here says in which states
 * of the VM a type may come, and its handler whether it was asked for at all:
 * counters without a request, a result without a ping, an event that nobody
 * waits for are violations, so that there is nothing to flood the supervisor
 * with but log lines, and those have a token bucket. A violation costs the
 * process its life, with the reason recorded.
 */
#include "supervisor/life/protocol.h"

#include <assert.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/filter.h"
#include "supervisor/host/uids.h"
#include "supervisor/lib/sockets.h"
#include "supervisor/life/process.h"
#include "supervisor/life/verify.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/events.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/pings.h"
#include "supervisor/vm/tap.h"
#include "supervisor/vm/vm_state.h"

/* Messages of one VM served before others get their turn. */
#define MESSAGE_BUDGET 32
/* More than a channel holds. */
#define STALE_MESSAGES 1024
/* Rates and bursts of log lines. Lines over LOG_RATE are dropped and counted. A
 * process over FLOOD_RATE is killed. */
#define LOG_RATE    10
#define LOG_BURST   50
#define FLOOD_RATE  100
#define FLOOD_BURST 1000
/* The time that a process has from the end of its channel to its own end: the
 * kernel frees a machine's memory in between. */
#define CHANNEL_GRACE_MS 500
#define MACHINE_GRACE_MS 5000
/* Heartbeats fall on this grid, so that VMs share the supervisor's wake-ups. */
#define HEARTBEAT_GRID_NS (50 * NSEC_PER_MSEC)
/* A VM at which nothing happens is asked once in so many heartbeats, or in half
 * the watchdog's time if that is less: of 1,000 idle VMs, the supervisor's
 * whole work is to ask. */
#define QUIET_HEARTBEATS 4

static bool take_token(struct token_bucket *bucket, uint32_t rate,
		       uint32_t burst)
{
	uint64_t now = loop_now_ns();
	uint64_t add = (now - bucket->refilled_ns) * rate / NSEC_PER_SEC;

	if (bucket->refilled_ns == 0 || add > burst) {
		bucket->left = burst;
		bucket->refilled_ns = now;
	} else if (add > 0) {
		bucket->left += (uint32_t)add;
		if (bucket->left > burst)
			bucket->left = burst;
		/* the time of a part of a token counts for the next */
		bucket->refilled_ns += add * NSEC_PER_SEC / rate;
	}
	if (bucket->left == 0)
		return false;
	bucket->left--;
	return true;
}

/* ---- from the VM process */

/* True if fd is the listener of a filter: only a listener answers ENOENT for
 * the id of a notification that it never sent. */
static bool is_listener(int fd)
{
	uint64_t id = 0;

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 &&
	       errno == ENOENT;
}

static bool take_listener(struct vm *vm, int *fd)
{
	if (!is_listener(*fd)) {
		vm_kill_for(vm, DEATH_PROTOCOL, "READY without a listener");
		return false;
	}
	vm->process.listener_fd = steal_fd(fd);
	if (loop_add(&vm->host->loop, &vm->process.listener_source,
		     vm->process.listener_fd, EPOLLIN, vm_listener_ready,
		     vm) == 0)
		return true;
	vm_kill_for(vm, DEATH_PROTOCOL,
		    "the supervisor can't watch the filter's listener");
	return false;
}

/* The guest is loaded. VM_LOADED needs the proof of the sandbox as well: a
 * process that ended before its proof stays STARTING until its death. */
static void guest_is_there(struct vm *vm)
{
	vm->process.loaded = true;
	if (vm->process.proved)
		vm_raise(vm, VM_LOADED);
}

/* Repairs the locks on uids: the process may have locked other VMs' uids, or
 * unlocked its own. That works while the supervisor shares its open file. */
static bool confine_locks(struct vm *vm)
{
	int error = vm->process.uids_fd < 0
			    ? 0
			    : uids_confine(vm->process.uids_fd, vm->uid);

	fd_close(&vm->process.uids_fd);
	if (error)
		vm_kill_for(vm, DEATH_PROTOCOL, "its uid can't be locked: %s",
			    strerror(-error));
	return !error;
}

static void on_ready(struct vm *vm, const union msg *message, int *fd)
{
	struct problem problem;
	int error;

	(void)message;
	if (vm->process.listener_fd >= 0) {
		vm_kill_for(vm, DEATH_PROTOCOL, "READY twice");
		return;
	}
	if (!take_listener(vm, fd))
		return;
	/* the process can't change them again: its filter is in force */
	if (!vm_restore_sockets(vm) || !confine_locks(vm))
		return;
	error = vm_verify(vm, vm->host->proc_fd, &problem);
	if (error && error != -ESRCH) {
		vm_kill_for(vm, DEATH_PROTOCOL, "%s", problem.text);
		return;
	}
	vm->process.proved = !error; /* -ESRCH: its end shows at the pidfd */
	if (vm->process.protocol < PROTO_LOADED)
		guest_is_there(vm);
}

static void on_loaded(struct vm *vm, const union msg *message, int *fd)
{
	(void)message;
	(void)fd;
	if (vm->process.listener_fd < 0)
		vm_kill_for(vm, DEATH_PROTOCOL, "LOADED before READY");
	else if (vm->process.loaded)
		vm_kill_for(vm, DEATH_PROTOCOL, "LOADED twice");
	else
		guest_is_there(vm);
}

static void arm_heartbeat(struct vm *vm, uint64_t pause_ns)
{
	uint64_t due = loop_now_ns() + pause_ns;

	due += HEARTBEAT_GRID_NS - due % HEARTBEAT_GRID_NS;
	loop_timer_at(&vm->host->loop, &vm->heartbeat.timer, due);
}

/* From an answer to the next question. */
static uint64_t pause_of(const struct vm *vm)
{
	uint64_t beat_ns = vm->config.timeouts.heartbeat_ms * NSEC_PER_MSEC;
	uint64_t quiet_ns = QUIET_HEARTBEATS * beat_ns;
	uint64_t half_ns = vm->config.timeouts.watchdog_ms * NSEC_PER_MSEC / 2;

	if (quiet_ns > half_ns)
		quiet_ns = half_ns;
	return vm->heartbeat.quiet && quiet_ns > beat_ns ? quiet_ns : beat_ns;
}

/* From a question to the verdict that the process hangs. A quiet VM has that
 * much less as it was asked later, so that a hang is noticed as early. */
static uint64_t patience_of(const struct vm *vm)
{
	uint64_t beat_ns = vm->config.timeouts.heartbeat_ms * NSEC_PER_MSEC;
	uint64_t pause_ns = pause_of(vm);

	return vm->config.timeouts.watchdog_ms * NSEC_PER_MSEC -
	       (pause_ns > beat_ns ? pause_ns : 0);
}

/* before: the counters that the process sent last. */
static void note_quiet(struct vm *vm, const uint64_t before[VM_STATS])
{
	bool was_quiet = vm->heartbeat.quiet;

	vm->heartbeat.quiet = vm->heartbeat.heard &&
			      memcmp(before, vm->stats, sizeof(vm->stats)) == 0;
	vm->heartbeat.heard = true;
	/* else the next question is due within one heartbeat as it is */
	if (was_quiet || vm->heartbeat.quiet)
		arm_heartbeat(vm, pause_of(vm));
}

static void on_stats(struct vm *vm, const union msg *message, int *fd)
{
	uint64_t before[VM_STATS];
	struct net_counters tap;

	(void)fd;
	if (!vm->heartbeat.awaiting_stats ||
	    message->stats.id != vm->heartbeat.stats_id ||
	    message->stats.paused > 1) {
		vm_kill_for(vm, DEATH_PROTOCOL, "STATS without a request");
		return;
	}
	vm->heartbeat.awaiting_stats = false;
	vm->heartbeat.unanswered_ns = 0;
	counters_check(vm);
	vm_tell_mtu(vm); /* again, if the channel was full then */
	memcpy(before, vm->stats, sizeof(before));
	memcpy(vm->stats, message->stats.counters,
	       sizeof(message->stats.counters));
	vm->stats[STAT_RX_DROP_QUEUE] = 0;
	if (vm_read_tap(vm, &tap) < 0) {
		/* the TAP is gone: net/monitor.c reports that */
	} else if (vm->process.vhost_used) {
		/* the kernel moves the frames, past the process */
		vm_count_by_tap(vm, &tap);
	} else {
		/* frames that the process never read, the TAP counts */
		vm->stats[STAT_RX_DROP_QUEUE] =
			tap.rx_dropped - vm->tap.base.rx_dropped;
	}
	note_quiet(vm, before);
	vm->host->hooks->stats_arrived(vm->host->hooks_ctx);
}

static void on_ping_result(struct vm *vm, const union msg *message, int *fd)
{
	(void)fd;
	if (!pings_take(vm, &message->ping_result))
		vm_kill_for(vm, DEATH_PROTOCOL, "PING-RESULT without a PING");
}

/* What a guest does by itself. Its process ends afterwards, and its exit status
 * says the same and counts. */
static const char *const guest_event_names[GUEST_EVENTS] = {
	[GUEST_POWERED_OFF] = "guest-off",
	[GUEST_REBOOTED] = "guest-reboot",
	[GUEST_PANICKED] = "guest-panic",
	[GUEST_CRASHED] = "guest-crash",
};

/* The exit reason of an adopted process, whose exit status is lost. */
static const enum death_reason guest_reasons[GUEST_EVENTS] = {
	[GUEST_POWERED_OFF] = DEATH_POWEROFF,
	[GUEST_REBOOTED] = DEATH_REBOOT,
	[GUEST_PANICKED] = DEATH_PANIC,
	[GUEST_CRASHED] = DEATH_CRASH,
};

static void on_event(struct vm *vm, const union msg *message, int *fd)
{
	uint32_t event = message->event.event;
	struct {
		bool *pending;
		enum vm_event event;
	} answers[GUEST_EVENTS] = {
		[GUEST_PAUSED] = { &vm->process.pause_pending, VM_WAS_PAUSED },
		[GUEST_RESUMED] = { &vm->process.resume_pending,
				    VM_WAS_RESUMED },
	};

	(void)fd;
	/* allowed after LOADED: a process that has ended by now stays in
	 * STARTING in spite of it */
	if (vm->state == VM_STARTING && !vm->process.loaded) {
		vm_kill_for(vm, DEATH_PROTOCOL, "EVENT while starting");
		return;
	}
	if (event < GUEST_EVENTS && guest_event_names[event] &&
	    vm->config.machine && !vm->process.guest_event_told) {
		vm->process.guest_event_told =
			true; /* once a generation: no flood */
		vm->process.guest_event = guest_reasons[event];
		events_add(&vm->host->events, vm, guest_event_names[event],
			   NULL);
		return;
	}
	if (event >= GUEST_EVENTS || !answers[event].pending ||
	    !*answers[event].pending) {
		vm_kill_for(vm, DEATH_PROTOCOL, "EVENT %u unasked", event);
		return;
	}
	*answers[event].pending = false;
	vm_raise(vm, answers[event].event);
}

static void on_counters(struct vm *vm, const union msg *message, int *fd)
{
	const char *wrong = counters_take(vm, &message->counters);

	(void)fd;
	if (wrong)
		vm_kill_for(vm, DEATH_PROTOCOL, "%s", wrong);
}

static void on_log(struct vm *vm, const union msg *message, int *fd)
{
	const struct msg_log *log = &message->log;
	char text[MSG_LOG_TEXT];

	(void)fd;
	if (log->level >= LOG_LEVELS || log->length >= MSG_LOG_TEXT) {
		vm_kill_for(vm, DEATH_PROTOCOL, "LOG of level %u, length %u",
			    log->level, log->length);
		return;
	}
	if (!take_token(&vm->log.flood, FLOOD_RATE, FLOOD_BURST)) {
		vm_kill_for(vm, DEATH_PROTOCOL, "flood of LOG messages");
		return;
	}
	if (!take_token(&vm->log.lines, LOG_RATE, LOG_BURST)) {
		vm->log.dropped++;
		return;
	}
	memcpy(text, log->text, log->length);
	text[log->length] = '\0';
	if (vm->log.dropped)
		vm_log(vm, LOG_LEVEL_WARN, "%llu lines dropped",
		       (unsigned long long)vm->log.dropped);
	vm->log.dropped = 0;
	vm_log_process(vm, (enum log_level)log->level, text);
}

#define IN(state) (1U << VM_##state)
#define ALIVE     (IN(RUNNING) | IN(PAUSED) | IN(STOPPING))

static const struct {
	unsigned int states; /* of the VM, in which it may come */
	/* *fd, if the type has one: closed afterwards unless taken */
	void (*handle)(struct vm *vm, const union msg *message, int *fd);
} handlers[MSG_TYPES] = {
	/* STOPPING: it was on its way when the stop was asked for */
	[MSG_READY] = { IN(STARTING) | IN(STOPPING), on_ready },
	[MSG_LOADED] = { IN(STARTING) | IN(STOPPING), on_loaded },
	[MSG_STATS] = { ALIVE, on_stats },
	[MSG_PING_RESULT] = { ALIVE, on_ping_result },
	[MSG_EVENT] = { IN(STARTING) | ALIVE, on_event },
	[MSG_LOG] = { IN(STARTING) | ALIVE, on_log },
	[MSG_COUNTERS] = { ALIVE, on_counters },
};

static void on_heartbeat(struct timer *timer);

/*
 * Serves a process that was just taken over. The channel still has messages
 * that were meant for the earlier supervisor: only log lines and the listener
 * are taken from them. The answer to this supervisor's STATS? ends that time.
 * The answer also proves that the guest is loaded: a process reads no message
 * before.
 */
static void serve_adopted(struct vm *vm, const union msg *message, int *fd)
{
	unsigned int type = message->header.type;

	if (type == MSG_LOG) {
		on_log(vm, message, fd);
	} else if (type == MSG_READY && vm->process.listener_fd < 0) {
		take_listener(vm, fd);
	} else if (type == MSG_STATS &&
		   message->stats.id == vm->heartbeat.stats_id) {
		vm->process.adopting = false;
		/* what isn't here by now never comes */
		sockets_allow_descriptors(vm->process.channel.fd, false);
		vm->process.proved = vm->process.loaded = true;
		on_stats(vm, message, fd);
		if (vm->process.exit.reason == DEATH_NONE)
			vm_raise(vm, message->stats.paused ? VM_ADOPTED_PAUSED
							   : VM_ADOPTED);
	}
}

/* One message. False when there is no more to read now. */
static bool serve_message(struct vm *vm)
{
	struct channel_fault fault = { 0 };
	union msg message;
	unsigned int type;
	int fd;
	int result =
		channel_receive(&vm->process.channel, &message, &fd, &fault);

	if (result == -EAGAIN)
		return false;
	if (result == -ECONNRESET)
		return true; /* it left words unread; its own are still there */
	if (result == -EPROTO) {
		vm_kill_for(vm, DEATH_PROTOCOL, "%s", fault.text);
		return false;
	}
	if (result <= 0) {
		/* a process that ends closes it too: a moment will tell */
		loop_remove(&vm->host->loop, &vm->process.channel_source);
		vm->process.channel_ended = true;
		vm->heartbeat.timer.fire = on_heartbeat;
		vm->heartbeat.timer.ctx = vm;
		loop_timer_in(&vm->host->loop, &vm->heartbeat.timer,
			      vm->config.machine ? MACHINE_GRACE_MS
						 : CHANNEL_GRACE_MS);
		return false;
	}
	type = message.header.type;
	if (vm->process.adopting)
		serve_adopted(vm, &message, &fd);
	else if (handlers[type].states & 1U << vm->state)
		handlers[type].handle(vm, &message, &fd);
	else
		vm_kill_for(vm, DEATH_PROTOCOL, "%s while %s",
			    msg_specs[type].name, vm_state_name(vm->state));
	fd_close(&fd);
	return vm->process.exit.reason == DEATH_NONE &&
	       vm->process.channel.fd >= 0;
}

void vm_channel_ready(struct source *source, uint32_t events)
{
	struct vm *vm = source->ctx;

	(void)events;
	for (int i = 0; i < MESSAGE_BUDGET && serve_message(vm); i++)
		;
}

void vm_channel_drain(struct vm *vm)
{
	/* the channel holds no more than its buffer: this ends */
	while (vm->process.exit.reason == DEATH_NONE &&
	       !vm->process.channel_ended && serve_message(vm))
		;
}

/* ---- blocked system calls */

/*
 * SECCOMP_IOCTL_NOTIF_RECV waits for a notification if there is none, whatever
 * the descriptor's flags: whoever takes one between epoll_wait() and here holds
 * up the supervisor. Who has the listener could. A process whose set-up had a
 * list of its own can't ask its listener for anything; one of an earlier build
 * can, and is killed without a look at what it called.
 */
static bool may_receive(const struct vm *vm)
{
	return vm->process.protocol >= PROTO_SETUP_FILTER;
}

/* A system call was refused, and its number isn't known. */
static void refused_unread(struct vm *vm)
{
	vm_log(vm, LOG_LEVEL_ERROR, "blocked: a refused call");
	vm_kill_for(vm, DEATH_SECCOMP, "SIGSYS: a refused call");
	loop_remove(&vm->host->loop, &vm->process.listener_source);
}

void vm_listener_ready(struct source *source, uint32_t events)
{
	struct vm *vm = source->ctx;
	struct seccomp_notif call = { 0 };
	char name[32];

	if (!(events & EPOLLIN)) {
		/* hung up: the process has ended, or is about to */
		loop_remove(&vm->host->loop, source);
		return;
	}
	if (!may_receive(vm)) {
		refused_unread(vm);
		return;
	}
	if (ioctl(vm->process.listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) <
	    0) {
		if (errno == EINTR)
			return;
		/* the notification is gone: a signal interrupted the call, or
		 * the process ended. Either way a call was refused. */
		if (errno == ENOENT) {
			refused_unread(vm);
			return;
		}
		vm_kill_for(vm, DEATH_PROTOCOL, "READY without a listener");
		loop_remove(&vm->host->loop, source);
		return;
	}
	filter_syscall_name(call.data.nr, name, sizeof(name));
	vm_log(vm, LOG_LEVEL_ERROR,
	       "blocked: %s(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx)", name,
	       call.data.args[0], call.data.args[1], call.data.args[2],
	       call.data.args[3], call.data.args[4], call.data.args[5]);
	vm_kill_for(vm, DEATH_SECCOMP, "SIGSYS %s", name);
	loop_remove(&vm->host->loop, source);
}

/* ---- to the VM process */

static int request_stats(struct vm *vm)
{
	union msg message = { .stats_request.id = ++vm->heartbeat.stats_id };

	counters_expect(vm);
	return channel_send(&vm->process.channel, MSG_STATS_REQUEST, &message,
			    -1);
}

int vm_ask_sign_of_life(struct vm *vm)
{
	int error;

	/* no number that its last supervisor may have used */
	if (getrandom(&vm->heartbeat.stats_id, sizeof(vm->heartbeat.stats_id),
		      GRND_NONBLOCK) < 0)
		vm->heartbeat.stats_id += loop_now_ns();
	/* in a full channel there would be no place for the answer */
	for (int i = 0; i < STALE_MESSAGES && serve_message(vm); i++)
		;
	if (vm->process.exit.reason != DEATH_NONE)
		return 0;
	error = request_stats(vm);
	vm->heartbeat.awaiting_stats = !error;
	return error;
}

bool vm_ask_stats(struct vm *vm)
{
	if (vm->state != VM_RUNNING && vm->state != VM_PAUSED &&
	    vm->state != VM_STOPPING)
		return false;
	if (!vm->process.running_ns || vm->process.channel_ended ||
	    vm->process.exit.reason != DEATH_NONE)
		return false;
	/* one at a time: a process that doesn't read is never piled upon */
	if (!vm->heartbeat.awaiting_stats) {
		/* first: the counters then arrive before STATS */
		if (vm->config.machine)
			(void)counters_ask(vm);
		vm->heartbeat.awaiting_stats = request_stats(vm) == 0;
	}
	return vm->heartbeat.awaiting_stats;
}

/* No answer for too long: SIGABRT, and SIGCONT to let it be delivered. */
static void abort_vm(struct vm *vm)
{
	vm->process.exit.reason = DEATH_WATCHDOG;
	snprintf(vm->process.exit.detail, sizeof(vm->process.exit.detail),
		 "no heartbeat for %.1f s",
		 vm->config.timeouts.watchdog_ms / 1000.0);
	vm_log(vm, LOG_LEVEL_ERROR, "%s: SIGABRT", vm->process.exit.detail);
	vm->heartbeat.aborting = true;
	loop_remove(&vm->host->loop, &vm->process.channel_source);
	vm_signal(vm, SIGABRT);
	vm_signal(vm, SIGCONT);
	loop_timer_in(&vm->host->loop, &vm->heartbeat.timer,
		      vm->config.timeouts.abort_ms);
}

static void on_heartbeat(struct timer *timer)
{
	struct vm *vm = timer->ctx;
	uint64_t beat_ns = vm->config.timeouts.heartbeat_ms * NSEC_PER_MSEC;
	uint64_t now_ns = loop_now_ns();

	if (vm->heartbeat.aborting) {
		vm_signal(vm, SIGKILL);
		return;
	}
	if (vm->process.channel_ended) {
		vm_kill_for(vm, DEATH_PROTOCOL, "closed its channel");
		return;
	}
	/* the supervisor itself may have been delayed: an answer that waits in
	 * the channel counts */
	for (int i = 0; vm->heartbeat.unanswered_ns && i < MESSAGE_BUDGET &&
			serve_message(vm);
	     i++)
		;
	if (vm->process.exit.reason != DEATH_NONE || vm->process.channel_ended)
		return;
	if (vm->heartbeat.unanswered_ns &&
	    now_ns - vm->heartbeat.unanswered_ns >= patience_of(vm)) {
		abort_vm(vm);
		return;
	}
	if (!vm->heartbeat.unanswered_ns)
		vm->heartbeat.unanswered_ns = now_ns;
	vm_ask_stats(vm);
	arm_heartbeat(vm, beat_ns); /* until the answer comes */
}

void vm_heartbeat_resume(struct vm *vm, uint64_t due_ns)
{
	uint64_t beat_ns = vm->config.timeouts.heartbeat_ms * NSEC_PER_MSEC;
	uint64_t now_ns = loop_now_ns();

	/* whether it is quiet, this image has yet to find out */
	if (due_ns > now_ns + beat_ns)
		due_ns = now_ns + beat_ns;
	vm->heartbeat.timer.fire = on_heartbeat;
	vm->heartbeat.timer.ctx = vm;
	loop_timer_at(&vm->host->loop, &vm->heartbeat.timer, due_ns);
}

void vm_heartbeat_start(struct vm *vm)
{
	vm->heartbeat.timer.fire = on_heartbeat;
	vm->heartbeat.timer.ctx = vm;
	arm_heartbeat(vm, vm->config.timeouts.heartbeat_ms * NSEC_PER_MSEC);
}
