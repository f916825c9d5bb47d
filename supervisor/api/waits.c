/* SPDX-License-Identifier: ISC */
/* The method Status, which waits until the counters of VMs are fresh. */
#include "supervisor/api/waits.h"

#include <time.h>

#include "supervisor/api/arguments.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/status.h"
#include "supervisor/core.h"
#include "supervisor/life/protocol.h"
#include "supervisor/vm/vms.h"

/* How long a Status waits for counters of VMs that don't answer. */
#define STATUS_WAIT_MS 50

struct status_wait {
	struct waiting waiting;
	struct supervisor *supervisor;
	struct timer timer;
};

static void on_release(struct waiting *waiting)
{
	struct status_wait *wait = (struct status_wait *)waiting;

	loop_timer_cancel(&wait->supervisor->host.loop, &wait->timer);
}

/* The VMs that a Status is about: those named, or all. */
static size_t asked_for(const struct supervisor *supervisor,
			const struct call *call)
{
	size_t named =
		json_array_size(json_object_get(call->parameters, "names"));

	return named ? named : supervisor->host.vm_count;
}

static struct vm *asked_vm(const struct supervisor *supervisor,
			   const struct call *call, size_t index)
{
	json_t *names = json_object_get(call->parameters, "names");
	json_t *name = json_array_get(names, index);

	return name ? vms_find(&supervisor->host, json_string_value(name))
		    : supervisor->host.vms[index];
}

/* Reads the counters of the first-hop guard, at the caller's expense. */
static void count_drops(struct supervisor *supervisor, const struct call *call)
{
	if (asked_for(supervisor, call) == 1)
		firsthop_count(asked_vm(supervisor, call, 0));
	else
		firsthop_count_all(&supervisor->host);
}

static void answer_status(const struct supervisor *supervisor,
			  struct call *call)
{
	size_t count = asked_for(supervisor, call);
	json_t *vms = json_array();
	bool complete = true;

	for (size_t i = 0; i < count && complete; i++)
		complete = json_array_append_new(
				   vms,
				   vm_json(asked_vm(supervisor, call, i))) == 0;
	if (!complete) {
		json_decref(vms);
		vms = NULL;
	}
	reply_with(call, json_pack("{s:o, s:o}", "supervisor",
				   supervisor_json(supervisor), "vms", vms));
}

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static void answer_wait(struct status_wait *wait)
{
	struct supervisor *supervisor = wait->supervisor;
	struct call *call = waiting_end(&wait->waiting);
	uint64_t began_ns;

	/* nobody's clock runs here: the answer came from a VM process */
	began_ns = cpu_now_ns();
	count_drops(supervisor, call);
	call_charge(call, cpu_now_ns() - began_ns);
	answer_status(supervisor, call);
}

static void wait_over(struct timer *timer)
{
	answer_wait(timer->ctx);
}

/* True if STATS of a VM that the call is about are due. ask: first asks the VMs
 * of which none are due. */
static bool stats_due(const struct supervisor *supervisor,
		      const struct call *call, bool ask)
{
	size_t count = asked_for(supervisor, call);
	bool due = false;

	for (size_t i = 0; i < count && (ask || !due); i++) {
		struct vm *vm = asked_vm(supervisor, call, i);

		if (!ask) {
			due = vm->heartbeat.awaiting_stats &&
			      vm->process.pid_fd >= 0;
		} else if (vm_ask_stats(vm)) {
			call_charge(call, WAITS_QUESTION_NS);
			due = true;
		}
	}
	return due;
}

void waits_status(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct status_wait *wait;

	if (!argument_vms(supervisor, call, true))
		return;
	wait = stats_due(supervisor, call, true)
		       ? waiting_add(&supervisor->status_calls, call,
				     sizeof(*wait))
		       : NULL;
	if (!wait) {
		count_drops(supervisor, call);
		answer_status(supervisor, call);
		return;
	}
	wait->supervisor = supervisor;
	wait->waiting.release = on_release;
	wait->timer = (struct timer){ .fire = wait_over, .ctx = wait };
	loop_timer_in(&supervisor->host.loop, &wait->timer, STATUS_WAIT_MS);
}

void waits_stats_arrived(void *ctx)
{
	struct supervisor *supervisor = ctx;
	struct waiting *waiting, *next;

	for (waiting = LIST_FIRST(&supervisor->status_calls); waiting;
	     waiting = next) {
		next = LIST_NEXT(waiting, entry);
		if (!stats_due(supervisor, waiting->call, false))
			answer_wait((struct status_wait *)waiting);
	}
}
