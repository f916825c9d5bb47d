/* SPDX-License-Identifier: ISC */
/*
 * The state machine of a VM: one table, state by event. A hole in the table is
 * refused: for a command with the remedy, for an event by killing the process
 * that sent it.
 *
 * The intent (vm->wanted) is set by commands alone; the state follows it and
 * what happens to the process. Every death comes here as VM_DIED, after the
 * process has been reaped.
 */
#include "supervisor/life/life.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ipc/log.h"
#include "supervisor/life/machine.h"
#include "supervisor/life/process.h"
#include "supervisor/life/spawn.h"
#include "supervisor/life/protocol.h"
#include "supervisor/state/store.h"
#include "supervisor/vm/events.h"
#include "supervisor/vm/tap.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/vms.h"

static void change_state(struct vm *vm, enum vm_state state, const char *event,
			 const char *detail)
{
	vm_settle(vm); /* what is kept of it has the totals */
	vm->state = state;
	if (state == VM_STOPPED || state == VM_FAILED)
		vm_withdraw(vm);
	events_add(&vm->host->events, vm, event, detail);
	vms_changed(vm->host);
}

static void retry_in(struct vm *vm, uint32_t delay_ms)
{
	char detail[48];

	loop_timer_in(&vm->host->loop, &vm->timer, delay_ms);
	snprintf(detail, sizeof(detail), "next try in %.1f s",
		 delay_ms / 1000.0);
	change_state(vm, VM_BACKOFF, "backoff", detail);
}

void vm_fail(struct vm *vm, const char *why)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	vm_log(vm, LOG_LEVEL_ERROR,
	       "failed: %s (vmsup reset %s starts it anew)", why,
	       vm->config.name);
	change_state(vm, VM_FAILED, "failed", why);
}

static struct backoff_verdict judge_death(struct vm *vm, uint64_t ran_ms)
{
	uint32_t random = 0;

	/* without entropy there is no jitter, which is no reason to fail */
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return backoff_death(&vm->backoff, &vm->config.restart, loop_now_ns(),
			     ran_ms, random);
}

static void fail_for_crash_loop(struct vm *vm)
{
	char why[160];
	const struct death *last = deaths_last(&vm->deaths);

	snprintf(why, sizeof(why), "%u deaths in %u s, the last: %s",
		 vm->config.restart.crash_deaths,
		 vm->config.restart.crash_window_ms / 1000,
		 last ? last->detail : "unknown");
	vm_fail(vm, why);
}

static void spawn_or_retry(struct vm *vm)
{
	struct problem problem;
	struct backoff_verdict verdict;
	struct death death = { .reason = DEATH_EXIT };
	int error = vm_spawn(vm, &problem);

	if (error == 0) {
		loop_timer_in(&vm->host->loop, &vm->timer,
			      vm->config.timeouts.start_ms);
		change_state(vm, VM_STARTING, "starting", NULL);
		/* before the process is told anything: from then on it can
		 * outlive the supervisor */
		store_vm(vm);
		vm_introduce(vm);
		return;
	}
	/* the host may allow later what it refuses now: the failure counts as
	 * a death of the VM */
	snprintf(death.detail, sizeof(death.detail), "%.79s", problem.text);
	death.generation = vm->generation;
	clock_gettime(CLOCK_REALTIME, &death.time);
	deaths_add(&vm->deaths, &death);
	verdict = judge_death(vm, 0);
	if (!vm->config.restart.enabled || error == PROBLEM_PERMANENT) {
		vm_fail(vm, problem.text);
		return;
	}
	vm_log(vm, LOG_LEVEL_ERROR, "%s", problem.text);
	if (verdict.give_up)
		fail_for_crash_loop(vm);
	else
		retry_in(vm, verdict.delay_ms);
}

/* ---- what the events do */

static void act_start(struct vm *vm)
{
	vm->wanted = true;
	spawn_or_retry(vm);
}

/* A start by a command forgets earlier deaths. */
static void act_start_anew(struct vm *vm)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	backoff_reset(&vm->backoff);
	act_start(vm);
}

static void act_want(struct vm *vm)
{
	vm->wanted = true;
}

static void act_nothing(struct vm *vm)
{
	(void)vm;
}

static void act_stop_quietly(struct vm *vm)
{
	vm->wanted = false;
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	change_state(vm, VM_STOPPED, "stopped", NULL);
}

static void kill_now(struct vm *vm)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	vm->stop_step = STOP_KILLED;
	vm_signal(vm, SIGKILL);
}

/* The next step of a stop: after STOP to the guest comes SIGTERM to its
 * process, then SIGKILL. */
static void act_stop_harder(struct vm *vm)
{
	struct loop *loop = &vm->host->loop;

	if (vm->stop_step >= STOP_TERMINATED) {
		kill_now(vm);
		return;
	}
	vm->stop_step = STOP_TERMINATED;
	loop_timer_in(loop, &vm->timer, vm->config.timeouts.stop_process_ms);
	vm_signal(vm, SIGTERM);
	vm_signal(vm, SIGCONT); /* a stopped process takes no SIGTERM */
}

/* An earlier supervisor has sent STOP: the stop's time begins anew. There is no
 * second STOP, which would make the guest end at once. */
static void await_stop(struct vm *vm)
{
	const struct vm_timeouts *timeouts = &vm->config.timeouts;

	change_state(vm, VM_STOPPING, "stopping", NULL);
	loop_timer_in(&vm->host->loop, &vm->timer,
		      vm->stop_step == STOP_ASKED ? timeouts->stop_guest_ms
						  : timeouts->stop_process_ms);
}

static void stop_guest(struct vm *vm)
{
	bool was_up = vm->state != VM_STARTING || vm->process.adopting;
	enum vm_state state = vm->state;

	if (vm->process.stop_told) {
		await_stop(vm);
		return;
	}
	change_state(vm, VM_STOPPING, "stopping", NULL);
	vm->stop_step = STOP_ASKED;
	loop_timer_in(&vm->host->loop, &vm->timer,
		      vm->config.timeouts.stop_guest_ms);
	/* a paused guest can't react to its power button */
	if (vm->config.machine && state == VM_PAUSED &&
	    !vm->process.resume_pending)
		vm->process.resume_pending =
			channel_signal(&vm->process.channel, MSG_RESUME) == 0;
	if (!was_up)
		kill_now(vm); /* no guest yet: nothing to lose */
	else if (channel_signal(&vm->process.channel, MSG_STOP) < 0)
		act_stop_harder(vm);
}

static void act_stop(struct vm *vm)
{
	vm->wanted = false;
	stop_guest(vm);
}

static void act_restart(struct vm *vm)
{
	vm->wanted = true;
	stop_guest(vm);
}

static void act_unwant(struct vm *vm)
{
	vm->wanted = false;
}

static void act_reset(struct vm *vm)
{
	backoff_reset(&vm->backoff);
	events_add(&vm->host->events, vm, "reset", NULL);
}

static void act_reset_and_start(struct vm *vm)
{
	act_reset(vm);
	act_start_anew(vm);
}

static void act_loaded(struct vm *vm)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	vm->process.running_ns = loop_now_ns();
	vm_heartbeat_start(vm);
	vm_tell_mtu(vm);
	vm_log(vm, LOG_LEVEL_INFO, "generation %llu runs: pid %d, uid %u",
	       (unsigned long long)vm->generation, vm->process.pid, vm->uid);
	change_state(vm, VM_RUNNING, "running", NULL);
}

/* A VM of an earlier supervisor, with its process. The change isn't reported:
 * only the process's answer is (act_adopted). */
static void act_take_over(struct vm *vm)
{
	vm->process.adopting = vm->taken_over = true;
	vm->process.stop_told = vm->state == VM_STOPPING;
	vm->restart_due = vm->process.stop_told && vm->wanted;
	vm->state = VM_STARTING;
}

/* A VM of an earlier supervisor, without its process: it waits for
 * VM_REVIVED. */
static void act_lose(struct vm *vm)
{
	vm->process.adopting = vm->taken_over = false;
	vm->state = VM_BACKOFF;
}

static void act_lose_failed(struct vm *vm)
{
	vm->process.adopting = vm->taken_over = false;
}

static void go_on_taken_over(struct vm *vm, enum vm_state state)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	if (!vm->process.running_ns)
		vm->process.running_ns = vm->process.spawned_ns;
	vm_heartbeat_start(vm);
	vm_log(vm, LOG_LEVEL_INFO, "generation %llu adopted: pid %d, uid %u",
	       (unsigned long long)vm->generation, vm->process.pid, vm->uid);
	change_state(vm, state, "adopted", NULL);
	/* the stop or restart that the earlier supervisor was asked for */
	if (!vm->wanted)
		act_stop(vm);
	else if (vm->restart_due)
		act_restart(vm);
	vm->restart_due = false;
}

static void act_adopted(struct vm *vm)
{
	go_on_taken_over(vm, VM_RUNNING);
}

static void act_adopted_paused(struct vm *vm)
{
	go_on_taken_over(vm, VM_PAUSED);
}

static void act_start_timeout(struct vm *vm)
{
	if (vm->process.adopting) {
		vm_kill_for(vm, DEATH_PROTOCOL,
			    "not adopted: silent for %.1f s after it was asked",
			    vm->config.timeouts.start_ms / 1000.0);
		return;
	}
	vm_kill_for(vm, DEATH_START_TIMEOUT, "not %s within %.1f s",
		    vm->process.proved ? "LOADED" : "READY",
		    vm->config.timeouts.start_ms / 1000.0);
}

/* PAUSE and RESUME are each sent once, in the order asked for: a VM process
 * takes no PAUSE while it is paused, and no RESUME while it runs. */
static void act_pause(struct vm *vm)
{
	if (!vm->process.pause_pending)
		vm->process.pause_pending =
			channel_signal(&vm->process.channel, MSG_PAUSE) == 0;
}

static void act_resume(struct vm *vm)
{
	if (!vm->process.resume_pending)
		vm->process.resume_pending =
			channel_signal(&vm->process.channel, MSG_RESUME) == 0;
}

static void act_pause_again(struct vm *vm)
{
	if (vm->process.resume_pending)
		act_pause(vm);
}

static void act_resume_again(struct vm *vm)
{
	if (vm->process.pause_pending)
		act_resume(vm);
}

static void act_paused(struct vm *vm)
{
	change_state(vm, VM_PAUSED, "paused", NULL);
}

static void act_resumed(struct vm *vm)
{
	change_state(vm, VM_RUNNING, "resumed", NULL);
}

/* A restart that nobody asked for. */
static void act_retry(struct vm *vm)
{
	vm->restarts++;
	spawn_or_retry(vm);
}

/* The VM's process ended with its supervisor. That is no fault of the VM: it
 * starts at once, without backoff. */
static void act_revive(struct vm *vm)
{
	if (!vm->wanted) {
		loop_timer_cancel(&vm->host->loop, &vm->timer);
		vm->state = VM_STOPPED;
	} else if (vm->generation == 0) {
		act_start_anew(vm);
	} else {
		act_retry(vm);
	}
}

/* The last error that the process of this generation logged; NULL: none. */
static const char *last_error(const struct vm *vm)
{
	for (size_t i = VMLOG_LINES; i-- > 0;) {
		const struct vmlog_line *line =
			vmlog_at(&vm->log.kept.current, i);

		if (line && line->level == LOG_LEVEL_ERROR)
			return line->text;
	}
	return NULL;
}

/* The process found its configuration bad: the next one would, too. */
static void fail_for_configuration(struct vm *vm, const struct death *death)
{
	const char *error = last_error(vm);
	char why[200];

	snprintf(why, sizeof(why), "%s%s%s", death->detail, error ? ": " : "",
		 error ? error : "");
	vm_fail(vm, why);
}

/* A death that nobody asked for. */
static void act_died(struct vm *vm)
{
	const struct death *death = deaths_last(&vm->deaths);
	uint64_t ran_ms = vm->process.running_ns
				  ? (loop_now_ns() - vm->process.running_ns) /
					    NSEC_PER_MSEC
				  : 0;
	struct backoff_verdict verdict = judge_death(vm, ran_ms);
	bool reboot = death && death->reason == DEATH_REBOOT;
	char bad[24];

	snprintf(bad, sizeof(bad), "exit %d:", VMPROC_EXIT_CONFIG);
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	if (death && death->reason == DEATH_EXIT &&
	    strncmp(death->detail, bad, strlen(bad)) == 0) {
		fail_for_configuration(vm, death);
	} else if (vm->host->ending || !vm->wanted) {
		/* not wanted: it was taken over while it was being stopped */
		vm->wanted = false;
		change_state(vm, VM_STOPPED, "stopped", NULL);
	} else if (death && death->reason == DEATH_POWEROFF) {
		vm->wanted = false;
		change_state(vm, VM_STOPPED, "stopped",
			     "the guest powered off");
	} else if (!vm->config.restart.enabled && !reboot) {
		vm->wanted = false;
		change_state(vm, VM_STOPPED, "stopped",
			     "its policy is not to restart");
	} else if (verdict.give_up && !reboot) {
		fail_for_crash_loop(vm);
	} else if (verdict.delay_ms) {
		retry_in(vm, verdict.delay_ms);
	} else {
		act_retry(vm);
	}
}

/* The end of STOPPING. */
static void act_gone(struct vm *vm)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	if (vm->wanted && !vm->host->ending)
		spawn_or_retry(vm);
	else
		change_state(vm, VM_STOPPED, "stopped", NULL);
}

typedef void action(struct vm *vm);

static action *const table[VM_STATES][VM_EVENTS] = {
	[VM_STOPPED] = {
		[VM_START] = act_start_anew,
		[VM_STOP] = act_nothing,
		[VM_RESTART] = act_start_anew,
		[VM_RESET] = act_reset,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose,
	},
	[VM_STARTING] = {
		[VM_START] = act_want,
		[VM_STOP] = act_stop,
		[VM_RESTART] = act_restart,
		[VM_RESET] = act_reset,
		[VM_LOADED] = act_loaded,
		[VM_ADOPTED] = act_adopted,
		[VM_ADOPTED_PAUSED] = act_adopted_paused,
		[VM_DIED] = act_died,
		[VM_TIMEOUT] = act_start_timeout,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose,
	},
	[VM_RUNNING] = {
		[VM_START] = act_want,
		[VM_STOP] = act_stop,
		[VM_RESTART] = act_restart,
		[VM_RESET] = act_reset,
		[VM_PAUSE] = act_pause,
		[VM_RESUME] = act_resume_again,
		[VM_WAS_PAUSED] = act_paused,
		[VM_DIED] = act_died,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose,
	},
	[VM_PAUSED] = {
		[VM_STOP] = act_stop,
		[VM_RESTART] = act_restart,
		[VM_RESET] = act_reset,
		[VM_PAUSE] = act_pause_again,
		[VM_RESUME] = act_resume,
		[VM_WAS_RESUMED] = act_resumed,
		[VM_DIED] = act_died,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose,
	},
	[VM_BACKOFF] = {
		[VM_START] = act_start,
		[VM_STOP] = act_stop_quietly,
		[VM_RESTART] = act_start,
		[VM_RESET] = act_reset_and_start,
		[VM_TIMEOUT] = act_retry,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose,
		[VM_REVIVED] = act_revive,
	},
	[VM_FAILED] = {
		[VM_START] = act_start_anew,
		[VM_STOP] = act_stop_quietly,
		[VM_RESTART] = act_start_anew,
		[VM_RESET] = act_reset_and_start,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose_failed,
		[VM_REVIVED] = act_nothing,
	},
	[VM_STOPPING] = {
		[VM_START] = act_want,
		[VM_STOP] = act_unwant,
		[VM_RESTART] = act_want,
		[VM_RESET] = act_reset,
		[VM_LOADED] = act_nothing, /* sent before the stop was known */
		[VM_ADOPTED] = act_nothing,
		[VM_ADOPTED_PAUSED] = act_nothing,
		[VM_WAS_PAUSED] = act_nothing,
		[VM_WAS_RESUMED] = act_nothing,
		[VM_DIED] = act_gone,
		[VM_TIMEOUT] = act_stop_harder,
		[VM_TAKEN_OVER] = act_take_over,
		[VM_LOST] = act_lose,
	},
};

/* Events of a live process aren't saved: the next supervisor asks it anew. */
static const bool changes_document[VM_EVENTS] = {
	[VM_START] = true,   [VM_STOP] = true, [VM_RESTART] = true,
	[VM_RESET] = true,   [VM_DIED] = true, [VM_TIMEOUT] = true,
	[VM_REVIVED] = true,
};

bool vm_takes(const struct vm *vm, enum vm_event event)
{
	return table[vm->state][event] != NULL;
}

int vm_event(struct vm *vm, enum vm_event event)
{
	action *act = table[vm->state][event];

	if (!act)
		return -EINVAL;
	vm->stored = !changes_document[event];
	act(vm);
	if (!vm->stored)
		store_vm(vm);
	return 0;
}
