/* SPDX-License-Identifier: ISC */
/* The methods of io.vmsup: what clients of the control socket can ask. */
#include "supervisor/methods.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/cage.h"
#include "supervisor/define.h"
#include "supervisor/life.h"
#include "supervisor/spawn.h"
#include "supervisor/status.h"
#include "supervisor/supervisor.h"
#include "supervisor/talk.h"
#include "ipc/fd.h"
#include "supervisor/arguments.h"
#include "supervisor/console.h"
#include "supervisor/core.h"
#include "supervisor/counters.h"
#include "supervisor/keep.h"

/* How long a Status waits for counters of VMs that don't answer. */
#define STATUS_WAIT_MS      50
#define PING_TIMEOUT_MS     10000
#define PING_TIMEOUT_MAX_MS 3600000
#define PING_PAYLOAD_BYTES  56
/* A question to a VM process and its answer, of the supervisor's time: what a
 * caller is charged for each. */
#define QUESTION_NS 10000
/* A byte of an echo request, which the VM, the bridge and whoever answers move:
 * no time of the supervisor's, but the caller must not have it for nothing. */
#define PING_BYTE_NS 8

static void no_such_vm(struct call *call, const char *name)
{
	call_error(call, "io.vmsup.NoSuchVm", json_pack("{s:s}", "name", name));
}

static void failed(struct call *call, const char *message)
{
	call_error(call, "io.vmsup.Failed",
		   json_pack("{s:s}", "message", message));
}

/* parameters: NULL if there was no memory to make them. */
static void reply(struct call *call, json_t *parameters)
{
	if (parameters)
		call_reply(call, parameters);
	else
		failed(call, "the supervisor has no memory for the reply (try "
			     "again later)");
}

static void wrong_state(struct call *call, const struct vm *vm,
			const char *remedy)
{
	call_error(call, "io.vmsup.WrongState",
		   json_pack("{s:s, s:s, s:s}", "name", vm->config.name,
			     "state", vm_state_name(vm->state), "remedy",
			     remedy));
}

/* The VM that the call names; NULL with the call answered. */
static struct vm *named_vm(struct supervisor *supervisor, struct call *call)
{
	json_t *name = json_object_get(call->parameters, "name");
	struct vm *vm;

	if (!json_is_string(name)) {
		call_invalid_parameter(call, "name");
		return NULL;
	}
	vm = supervisor_find(supervisor, json_string_value(name));
	if (!vm)
		no_such_vm(call, json_string_value(name));
	return vm;
}

/* Checks that names is an array of VM names (or absent, if optional), not more
 * of them than there are VMs: a reply of a thousand times vm0 would hold up
 * everybody. False with the call answered. */
static bool names_valid(struct supervisor *supervisor, struct call *call,
			bool optional)
{
	json_t *names = json_object_get(call->parameters, "names"), *name;
	size_t i;

	if (optional && (!names || json_is_null(names)))
		return true;
	if (!json_is_array(names) || (!optional && !json_array_size(names))) {
		call_invalid_parameter(call, "names");
		return false;
	}
	json_array_foreach(names, i, name) {
		if (!json_is_string(name)) {
			call_invalid_parameter(call, "names");
			return false;
		}
		if (!supervisor_find(supervisor, json_string_value(name))) {
			no_such_vm(call, json_string_value(name));
			return false;
		}
		if (i == supervisor->vm_count) {
			call_invalid_parameter(call, "names");
			return false;
		}
	}
	return true;
}

/* ---- Status: answered when the counters are fresh */

struct status_wait {
	struct status_wait *next;
	struct supervisor *supervisor;
	struct call *call;
	struct timer timer;
};

static void unlink_wait(struct status_wait *gone)
{
	struct status_wait **at = &gone->supervisor->status_waits;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	loop_timer_cancel(&gone->supervisor->loop, &gone->timer);
}

static void wait_gone(struct call *call)
{
	struct status_wait *wait = call->ctx;

	unlink_wait(wait);
	free(wait);
}

/* How many VMs a Status is about, and which: those named, or all. */
static size_t asked_for(const struct supervisor *supervisor,
			const struct call *call)
{
	size_t named =
		json_array_size(json_object_get(call->parameters, "names"));

	return named ? named : supervisor->vm_count;
}

static struct vm *asked_vm(const struct supervisor *supervisor,
			   const struct call *call, size_t index)
{
	json_t *names = json_object_get(call->parameters, "names");
	json_t *name = json_array_get(names, index);

	return name ? supervisor_find(supervisor, json_string_value(name))
		    : supervisor->vms[index];
}

/* What the first-hop guard dropped: read now, on the caller's account. */
static void count_drops(struct supervisor *supervisor, const struct call *call)
{
	if (asked_for(supervisor, call) == 1)
		firsthop_count(asked_vm(supervisor, call, 0));
	else
		firsthop_count_all(supervisor);
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
	reply(call, json_pack("{s:o, s:o}", "supervisor",
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
	struct call *call = wait->call;
	struct supervisor *supervisor = wait->supervisor;
	uint64_t began_ns;

	unlink_wait(wait);
	free(wait);
	call->gone = NULL;
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

/* True if counters of a VM that the call is about are on their way. ask: asks
 * those first whose aren't. */
static bool stats_due(const struct supervisor *supervisor,
		      const struct call *call, bool ask)
{
	size_t count = asked_for(supervisor, call);
	bool due = false;

	for (size_t i = 0; i < count && (ask || !due); i++) {
		struct vm *vm = asked_vm(supervisor, call, i);

		if (!ask) {
			due = vm->awaiting_stats && vm->pid_fd >= 0;
		} else if (vm_ask_stats(vm)) {
			call_charge(call, QUESTION_NS);
			due = true;
		}
	}
	return due;
}

static void status(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct status_wait *wait;

	if (!names_valid(supervisor, call, true))
		return;
	wait = stats_due(supervisor, call, true) ? calloc(1, sizeof(*wait))
						 : NULL;
	if (!wait) {
		count_drops(supervisor, call);
		answer_status(supervisor, call);
		return;
	}
	wait->supervisor = supervisor;
	wait->call = call;
	wait->timer = (struct timer){ .fire = wait_over, .ctx = wait };
	wait->next = supervisor->status_waits;
	supervisor->status_waits = wait;
	call->ctx = wait;
	call->gone = wait_gone;
	loop_timer_in(&supervisor->loop, &wait->timer, STATUS_WAIT_MS);
}

void methods_stats_arrived(struct supervisor *supervisor)
{
	struct status_wait *next;

	for (struct status_wait *wait = supervisor->status_waits; wait;
	     wait = next) {
		next = wait->next;
		if (!stats_due(supervisor, wait->call, false))
			answer_wait(wait);
	}
}

/* ---- commands */

/* what: of whom, and what was done all the same. */
static void not_kept(const struct supervisor *supervisor, struct call *call,
		     const char *what)
{
	char text[PATH_MAX + 256];

	snprintf(text, sizeof(text),
		 "%s can't be kept in %s/" KEEP_DIRECTORY ": %s (%s)", what,
		 supervisor->rundir.path, strerror(-supervisor->keep_error),
		 keep_remedy(supervisor->keep_error));
	failed(call, text);
}

/* Answers a command that was carried out: one that a crash would take back has
 * failed nevertheless. */
static void answer_command(const struct supervisor *supervisor,
			   struct call *call, const json_t *names)
{
	char what[VM_NAME_MAX + 96];
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		const struct vm *vm =
			supervisor_find(supervisor, json_string_value(name));

		if (!vm || !vm->unsaved)
			continue;
		snprintf(what, sizeof(what),
			 "done, but until the next try it would not outlive a "
			 "crash: the state of %s",
			 vm->config.name);
		not_kept(supervisor, call, what);
		return;
	}
	call_reply(call, NULL);
}

/* Does event to every VM named, all or (if one's state forbids it) none. */
static void command(struct supervisor *supervisor, struct call *call,
		    enum vm_event event)
{
	json_t *names = json_object_get(call->parameters, "names"), *name;
	size_t i;

	if (!names_valid(supervisor, call, false))
		return;
	if (supervisor->ending && event != VM_STOP) {
		failed(call, "the supervisor is stopping");
		return;
	}
	json_array_foreach(names, i, name) {
		struct vm *vm =
			supervisor_find(supervisor, json_string_value(name));

		if (!vm_takes(vm, event)) {
			wrong_state(call, vm, vm_remedy(vm->state));
			return;
		}
	}
	json_array_foreach(names, i, name)
		vm_event(supervisor_find(supervisor, json_string_value(name)),
			 event);
	answer_command(supervisor, call, names);
}

static void start(void *ctx, struct call *call)
{
	command(ctx, call, VM_START);
}

static void stop(void *ctx, struct call *call)
{
	command(ctx, call, VM_STOP);
}

static void restart(void *ctx, struct call *call)
{
	command(ctx, call, VM_RESTART);
}

static void reset(void *ctx, struct call *call)
{
	command(ctx, call, VM_RESET);
}

static void pause_vms(void *ctx, struct call *call)
{
	command(ctx, call, VM_PAUSE);
}

static void resume(void *ctx, struct call *call)
{
	command(ctx, call, VM_RESUME);
}

/* The number of a signal by its name without SIG; 0: none. */
static int signal_number(const char *name)
{
	for (int number = 1; number < NSIG; number++) {
		const char *abbreviation = sigabbrev_np(number);

		if (abbreviation && strcmp(abbreviation, name) == 0)
			return number;
	}
	return 0;
}

static void kill_vms(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	json_t *names = json_object_get(call->parameters, "names"), *name;
	json_t *given = json_object_get(call->parameters, "signal");
	const char *signal = "KILL";
	size_t i;

	if (given && !json_is_null(given) && !json_is_string(given)) {
		call_invalid_parameter(call, "signal");
		return;
	}
	if (json_is_string(given))
		signal = json_string_value(given);
	if (signal_number(signal) == 0) {
		call_error(call, "io.vmsup.NoSuchSignal",
			   json_pack("{s:s}", "signal", signal));
		return;
	}
	if (!names_valid(supervisor, call, false))
		return;
	json_array_foreach(names, i, name) {
		struct vm *vm =
			supervisor_find(supervisor, json_string_value(name));

		if (vm->pid_fd < 0) {
			wrong_state(call, vm, "it has no process to kill");
			return;
		}
	}
	json_array_foreach(names, i, name)
		vm_signal(supervisor_find(supervisor, json_string_value(name)),
			  signal_number(signal));
	call_reply(call, NULL);
}

/* The call is answered when there is nothing left to do but exit. */
static bool answer_at_end(struct supervisor *supervisor, struct call *call)
{
	for (size_t i = 0; i < SHUTDOWN_CALLS; i++)
		if (!supervisor->shutdown_calls[i]) {
			supervisor->shutdown_calls[i] = call;
			call->ctx = &supervisor->shutdown_calls[i];
			call->gone = supervisor_call_gone;
			return true;
		}
	failed(call, "it is stopping already");
	return false;
}

static void shutdown_all(void *ctx, struct call *call)
{
	if (answer_at_end(ctx, call))
		supervisor_end(ctx, 0);
}

static void detach(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->ending) {
		failed(call, "the supervisor is stopping its VMs");
	} else if (answer_at_end(supervisor, call) &&
		   supervisor_leave(supervisor) < 0) {
		supervisor_call_gone(call);
		call->gone = NULL;
		not_kept(supervisor, call, "not detached: the state of VMs");
	}
}

void supervisor_call_gone(struct call *call)
{
	*(struct call **)call->ctx = NULL;
}

void methods_answer_shutdown(struct supervisor *supervisor)
{
	for (size_t i = 0; i < SHUTDOWN_CALLS; i++)
		if (supervisor->shutdown_calls[i]) {
			supervisor->shutdown_calls[i]->gone = NULL;
			call_reply(supervisor->shutdown_calls[i], NULL);
			supervisor->shutdown_calls[i] = NULL;
		}
}

/* ---- Upgrade: begun by one image, answered by the next */

static void upgrade(void *ctx, struct call *call)
{
	struct problem problem;

	char text[sizeof(problem.text) + 32];

	if (upgrade_begin(ctx, call, &problem) == 0)
		return;
	snprintf(text, sizeof(text), "not upgraded: %s", problem.text);
	failed(call, text);
}

static void upgraded(void *ctx, struct call *call, const json_t *saved)
{
	const struct supervisor *supervisor = ctx;

	(void)saved;
	reply(call,
	      json_pack("{s:i, s:s, s:s}", "pid", (int)getpid(), "version",
			VMSUP_VERSION, "program", supervisor->program));
}

/* ---- streams */

static void events(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	bool past;

	if (!argument_bool(call, "past", &past))
		return;
	if (call->more)
		events_listen(&supervisor->events, call, past);
	else
		reply(call, json_pack("{s:o}", "events",
				      events_past(&supervisor->events)));
}

static void events_again(void *ctx, struct call *call, const json_t *saved)
{
	struct supervisor *supervisor = ctx;

	events_resume(&supervisor->events, call, NULL, saved);
}

static void logs_again(void *ctx, struct call *call, const json_t *saved)
{
	struct supervisor *supervisor = ctx;
	const struct vm *vm = named_vm(supervisor, call);

	if (vm)
		events_resume(&supervisor->events, call, vm->config.name,
			      saved);
}

static void logs(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct vm *vm = named_vm(supervisor, call);
	bool previous, follow;
	json_t *lines;

	if (!vm || !argument_bool(call, "previous", &previous) ||
	    !argument_bool(call, "follow", &follow))
		return;
	lines = json_pack(
		"{s:o, s:I}", "lines",
		vmlog_json(previous ? &vm->log.previous : &vm->log.current),
		"dropped", (json_int_t)vm->log_dropped);
	if (lines && follow && call->more) {
		call_more(call, lines);
		events_follow(&supervisor->events, call, vm->config.name);
	} else {
		reply(call, lines);
	}
}

static void deaths(void *ctx, struct call *call)
{
	const struct vm *vm = named_vm(ctx, call);

	if (vm)
		reply(call,
		      json_pack("{s:o}", "deaths", deaths_json(&vm->deaths)));
}

/* ---- Ping */

static void ping_gone(struct call *call)
{
	struct vm_ping *ping = call->ctx;

	ping->call = NULL; /* the VM still reports on it */
}

static json_t *ping_save(const struct call *call)
{
	const struct vm_ping *ping = call->ctx;

	return json_integer(ping->id);
}

/* It is among its VM's already, without a call. */
static void ping_again(void *ctx, struct call *call, const json_t *saved)
{
	const struct vm *vm = named_vm(ctx, call);
	struct vm_ping *ping;

	if (!vm)
		return;
	for (ping = vm->pings; ping; ping = ping->next)
		if (!ping->call && json_integer_value(saved) == ping->id)
			break;
	if (!ping) {
		failed(call, "the VM process died");
		return;
	}
	ping->call = call;
	ping->uid = call->peer_uid;
	call->ctx = ping;
	call->gone = ping_gone;
}

/* What to ask of the VM; false with the call answered. */
static bool ping_request(struct call *call, struct msg_ping *request)
{
	json_t *address = json_object_get(call->parameters, "address");
	const char *text = json_string_value(address);
	long payload_bytes, timeout_ms, sequence;

	if (!text || (inet_pton(AF_INET, text, &request->target.ipv4) != 1 &&
		      inet_pton(AF_INET6, text, &request->target.ipv6) != 1)) {
		call_invalid_parameter(call, "address");
		return false;
	}
	if (!argument_number(call, "payload_bytes", 0, PING_PAYLOAD_MAX,
			     PING_PAYLOAD_BYTES, &payload_bytes) ||
	    !argument_number(call, "timeout_ms", 1, PING_TIMEOUT_MAX_MS,
			     PING_TIMEOUT_MS, &timeout_ms) ||
	    !argument_number(call, "sequence", 0, UINT16_MAX, 0, &sequence))
		return false;
	request->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	request->payload_bytes = (uint16_t)payload_bytes;
	request->timeout_ms = (uint32_t)timeout_ms;
	request->sequence = (uint16_t)sequence;
	return true;
}

static const char *ping_failure(int error)
{
	switch (error) {
	case -EBUSY:
		return "too many pings are under way from this VM (wait for "
		       "their results)";
	case -EDQUOT:
		return "too many of your pings are under way from this VM "
		       "(wait for their results)";
	default:
		return "the VM process doesn't listen";
	}
}

static void ping(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct vm *vm = named_vm(supervisor, call);
	struct msg_ping request = { 0 };
	int error;

	if (!vm || !ping_request(call, &request))
		return;
	if (vm->state != VM_RUNNING) {
		wrong_state(call, vm, vm_remedy(vm->state));
		return;
	}
	request.id = ++supervisor->ping_id;
	error = vm_ping(vm, &request, call);
	if (error) {
		failed(call, ping_failure(error));
		return;
	}
	call_charge(call, QUESTION_NS + request.payload_bytes * PING_BYTE_NS);
	call->ctx = vm->pings;
	call->gone = ping_gone;
}

/* ---- Sandbox, Console, Stats: of a VM that has a process */

/* The VM that the call names if its process works; NULL with the call
 * answered. */
static struct vm *working_vm(struct supervisor *supervisor, struct call *call)
{
	struct vm *vm = named_vm(supervisor, call);

	if (!vm || vm->state == VM_RUNNING || vm->state == VM_PAUSED)
		return vm;
	wrong_state(call, vm, vm_remedy(vm->state));
	return NULL;
}

static void sandbox(void *ctx, struct call *call)
{
	const struct vm *vm = working_vm(ctx, call);

	if (vm)
		reply(call, cage_json(vm));
}

static void stats(void *ctx, struct call *call)
{
	struct vm *vm = working_vm(ctx, call);
	json_t *counters;

	if (!vm)
		return;
	call_charge(call, QUESTION_NS);
	if (vm->config.machine) {
		counters_call(vm, call);
		return;
	}
	counters = json_object();
	firsthop_add_counters(vm, counters);
	reply(call, json_pack("{s:o}", "counters", counters));
}

/* The VM of a call about its console; NULL with the call answered. */
static struct vm *console_vm(struct supervisor *supervisor, struct call *call)
{
	struct vm *vm = named_vm(supervisor, call);

	if (!vm || vm->config.machine)
		return vm;
	failed(call, "this guest has no console (only guest kvm has)");
	return NULL;
}

static void console(void *ctx, struct call *call)
{
	struct vm *vm = console_vm(ctx, call);

	if (vm)
		console_attach(vm, call);
}

static void console_again(void *ctx, struct call *call, const json_t *saved)
{
	struct vm *vm = console_vm(ctx, call);

	(void)saved;
	if (vm)
		console_call_resume(vm, call);
}

static void type(void *ctx, struct call *call)
{
	const struct vm *named = named_vm(ctx, call);
	struct vm *vm;

	if (!named)
		return;
	if (!json_is_string(json_object_get(call->parameters, "data"))) {
		call_invalid_parameter(call, "data");
		return;
	}
	vm = console_vm(ctx, call);
	if (vm)
		console_type(vm, call);
}

const struct control_method methods[] = {
	{ .name = "Status", .handle = status },
	{ .name = "Start", .handle = start, .root_only = true },
	{ .name = "Stop", .handle = stop, .root_only = true },
	{ .name = "Restart", .handle = restart, .root_only = true },
	{ .name = "Reset", .handle = reset, .root_only = true },
	{ .name = "Pause", .handle = pause_vms, .root_only = true },
	{ .name = "Resume", .handle = resume, .root_only = true },
	{ .name = "Kill", .handle = kill_vms, .root_only = true },
	{ .name = "Define", .handle = methods_define, .root_only = true },
	{ .name = "Shutdown", .handle = shutdown_all, .root_only = true },
	{ .name = "Detach", .handle = detach, .root_only = true },
	{ .name = "Upgrade",
	  .handle = upgrade,
	  .resume = upgraded,
	  .root_only = true },
	{ .name = "Events",
	  .handle = events,
	  .save = events_save,
	  .resume = events_again },
	{ .name = "Logs",
	  .handle = logs,
	  .save = events_save,
	  .resume = logs_again },
	{ .name = "Deaths", .handle = deaths },
	{ .name = "Ping",
	  .handle = ping,
	  .save = ping_save,
	  .resume = ping_again },
	{ .name = "Sandbox", .handle = sandbox },
	{ .name = "Stats", .handle = stats },
	{ .name = "Console",
	  .handle = console,
	  .save = console_call_save,
	  .resume = console_again,
	  .root_only = true },
	{ .name = "Type", .handle = type, .root_only = true },
};
const size_t method_count = ARRAY_SIZE(methods);
