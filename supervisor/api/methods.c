/* SPDX-License-Identifier: ISC */
/* The methods of io.vmsup: what clients of the control socket can ask. */
#include "supervisor/api/methods.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/api/arguments.h"
#include "supervisor/api/sandbox.h"
#include "supervisor/api/define.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/waits.h"
#include "supervisor/core.h"
#include "supervisor/instance/shutdown.h"
#include "supervisor/life/life.h"
#include "supervisor/life/process.h"
#include "supervisor/state/store.h"
#include "supervisor/takeover/upgrade.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/pings.h"
#include "supervisor/vm/vm_state.h"
#include "supervisor/vm/vms.h"

#define PING_TIMEOUT_MS     10000
#define PING_TIMEOUT_MAX_MS 3600000
#define PING_PAYLOAD_BYTES  56
/* The charge for each byte of an echo request. The VM, the bridge and the host
 * that answers spend this time, not the supervisor; the caller pays for it. */
#define PING_BYTE_NS 8

/* ---- commands */

/* Answers that the state store failed. what: whose state, and what was done in
 * spite of that. */
static void not_kept(const struct supervisor *supervisor, struct call *call,
		     const char *what)
{
	char text[PATH_MAX + 256];

	snprintf(text, sizeof(text),
		 "%s can't be kept in %s/" STORE_DIRECTORY ": %s (%s)", what,
		 supervisor->host.rundir.path,
		 strerror(-supervisor->host.store_error),
		 store_remedy(supervisor->host.store_error));
	call_failed(call, text);
}

/* Answers a command that was carried out. It fails nevertheless if its result
 * couldn't be saved: a crash would undo it. */
static void answer_command(const struct supervisor *supervisor,
			   struct call *call, const json_t *names)
{
	char what[VM_NAME_MAX + 96];
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		const struct vm *vm =
			vms_find(&supervisor->host, json_string_value(name));

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

/* Raises the event in every VM named, or, if the state of one forbids it, in
 * none. */
static void run_command(struct supervisor *supervisor, struct call *call,
			enum vm_event event)
{
	json_t *names = json_object_get(call->parameters, "names"), *name;
	size_t i;

	if (!argument_vms(supervisor, call, false))
		return;
	if (supervisor->host.ending && event != VM_STOP) {
		call_failed(call, "the supervisor is stopping");
		return;
	}
	json_array_foreach(names, i, name) {
		struct vm *vm =
			vms_find(&supervisor->host, json_string_value(name));

		if (!vm_takes(vm, event)) {
			reply_wrong_state(call, vm, vm_remedy(vm->state));
			return;
		}
	}
	json_array_foreach(names, i, name)
		vm_event(vms_find(&supervisor->host, json_string_value(name)),
			 event);
	answer_command(supervisor, call, names);
}

static void on_start(void *ctx, struct call *call)
{
	run_command(ctx, call, VM_START);
}

static void on_stop(void *ctx, struct call *call)
{
	run_command(ctx, call, VM_STOP);
}

static void on_restart(void *ctx, struct call *call)
{
	run_command(ctx, call, VM_RESTART);
}

static void on_reset(void *ctx, struct call *call)
{
	run_command(ctx, call, VM_RESET);
}

static void on_pause(void *ctx, struct call *call)
{
	run_command(ctx, call, VM_PAUSE);
}

static void on_resume(void *ctx, struct call *call)
{
	run_command(ctx, call, VM_RESUME);
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

static void on_kill(void *ctx, struct call *call)
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
	if (!argument_vms(supervisor, call, false))
		return;
	json_array_foreach(names, i, name) {
		struct vm *vm =
			vms_find(&supervisor->host, json_string_value(name));

		if (vm->process.pid_fd < 0) {
			reply_wrong_state(call, vm,
					  "it has no process to kill");
			return;
		}
	}
	json_array_foreach(names, i, name)
		vm_signal(vms_find(&supervisor->host, json_string_value(name)),
			  signal_number(signal));
	call_reply(call, NULL);
}

static void on_shutdown(void *ctx, struct call *call)
{
	if (shutdown_await(ctx, call))
		shutdown_begin(ctx, 0);
}

static void on_detach(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->host.ending) {
		call_failed(call, "the supervisor is stopping its VMs");
	} else if (shutdown_await(supervisor, call) &&
		   shutdown_leave(supervisor) < 0) {
		shutdown_forget(call);
		not_kept(supervisor, call, "not detached: the state of VMs");
	}
}

/* ---- Upgrade: begun by one image, answered by the next */

static void on_upgrade(void *ctx, struct call *call)
{
	struct problem problem;

	char text[sizeof(problem.text) + 32];

	if (upgrade_begin(ctx, call, &problem) == 0)
		return;
	snprintf(text, sizeof(text), "not upgraded: %s", problem.text);
	call_failed(call, text);
}

static void resume_upgrade(void *ctx, struct call *call, const json_t *saved)
{
	const struct supervisor *supervisor = ctx;

	(void)saved;
	reply_with(call,
		   json_pack("{s:i, s:s, s:s}", "pid", (int)getpid(), "version",
			     VMSUP_VERSION, "program", supervisor->program));
}

/* ---- streams */

static void on_events(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	bool past;

	if (!argument_bool(call, "past", &past))
		return;
	if (call->more)
		events_listen(&supervisor->host.events, call, past);
	else
		reply_with(call,
			   json_pack("{s:o}", "events",
				     events_past(&supervisor->host.events)));
}

static void resume_events(void *ctx, struct call *call, const json_t *saved)
{
	struct supervisor *supervisor = ctx;

	events_resume(&supervisor->host.events, call, NULL, saved);
}

static void resume_logs(void *ctx, struct call *call, const json_t *saved)
{
	struct supervisor *supervisor = ctx;
	const struct vm *vm = argument_vm(supervisor, call);

	if (vm)
		events_resume(&supervisor->host.events, call, vm->config.name,
			      saved);
}

static void on_logs(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct vm *vm = argument_vm(supervisor, call);
	bool previous, follow;
	json_t *lines;

	if (!vm || !argument_bool(call, "previous", &previous) ||
	    !argument_bool(call, "follow", &follow))
		return;
	lines = json_pack("{s:o, s:I}", "lines",
			  vmlog_json(previous ? &vm->log.kept.previous
					      : &vm->log.kept.current),
			  "dropped", (json_int_t)vm->log.dropped);
	if (lines && follow && call->more) {
		call_more(call, lines);
		events_follow(&supervisor->host.events, call, vm->config.name);
	} else {
		reply_with(call, lines);
	}
}

static void on_deaths(void *ctx, struct call *call)
{
	const struct vm *vm = argument_vm(ctx, call);

	if (vm)
		reply_with(call, json_pack("{s:o}", "deaths",
					   deaths_json(&vm->deaths)));
}

/* ---- Ping */

static void resume_ping(void *ctx, struct call *call, const json_t *saved)
{
	struct vm *vm = argument_vm(ctx, call);

	if (vm && !pings_call_resume(vm, call, saved))
		call_failed(call, "the VM process died");
}

/* Reads the request from the call; false with the call answered. */
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

static void on_ping(void *ctx, struct call *call)
{
	struct supervisor *supervisor = ctx;
	struct vm *vm = argument_vm(supervisor, call);
	struct msg_ping request = { 0 };
	int error;

	if (!vm || !ping_request(call, &request))
		return;
	if (vm->state != VM_RUNNING) {
		reply_wrong_state(call, vm, vm_remedy(vm->state));
		return;
	}
	request.id = ++supervisor->ping_id;
	error = pings_ask(vm, &request, call);
	if (error) {
		call_failed(call, ping_failure(error));
		return;
	}
	call_charge(call,
		    WAITS_QUESTION_NS + request.payload_bytes * PING_BYTE_NS);
}

/* ---- Sandbox, Console, Stats: of a VM that has a process */

static void on_sandbox(void *ctx, struct call *call)
{
	const struct vm *vm = argument_working_vm(ctx, call);

	if (vm)
		reply_with(call, sandbox_json(vm));
}

static void on_stats(void *ctx, struct call *call)
{
	struct vm *vm = argument_working_vm(ctx, call);
	json_t *counters;

	if (!vm)
		return;
	call_charge(call, WAITS_QUESTION_NS);
	if (vm->config.machine) {
		counters_call(vm, call);
		return;
	}
	counters = json_object();
	firsthop_add_counters(vm, counters);
	reply_with(call, json_pack("{s:o}", "counters", counters));
}

static void on_console(void *ctx, struct call *call)
{
	struct vm *vm = argument_console_vm(ctx, call);

	if (vm)
		console_attach(vm, call);
}

static void resume_console(void *ctx, struct call *call, const json_t *saved)
{
	struct vm *vm = argument_console_vm(ctx, call);

	(void)saved;
	if (vm)
		console_call_resume(vm, call);
}

static void on_type(void *ctx, struct call *call)
{
	const struct vm *named = argument_vm(ctx, call);
	struct vm *vm;

	if (!named)
		return;
	if (!json_is_string(json_object_get(call->parameters, "data"))) {
		call_invalid_parameter(call, "data");
		return;
	}
	vm = argument_console_vm(ctx, call);
	if (vm)
		console_type(vm, call);
}

const struct control_method methods[] = {
	{ .name = "Status", .handle = waits_status },
	{ .name = "Start", .handle = on_start, .root_only = true },
	{ .name = "Stop", .handle = on_stop, .root_only = true },
	{ .name = "Restart", .handle = on_restart, .root_only = true },
	{ .name = "Reset", .handle = on_reset, .root_only = true },
	{ .name = "Pause", .handle = on_pause, .root_only = true },
	{ .name = "Resume", .handle = on_resume, .root_only = true },
	{ .name = "Kill", .handle = on_kill, .root_only = true },
	{ .name = "Define", .handle = methods_define, .root_only = true },
	{ .name = "Shutdown", .handle = on_shutdown, .root_only = true },
	{ .name = "Detach", .handle = on_detach, .root_only = true },
	{ .name = "Upgrade",
	  .handle = on_upgrade,
	  .resume = resume_upgrade,
	  .root_only = true },
	{ .name = "Events",
	  .handle = on_events,
	  .save = events_save,
	  .resume = resume_events },
	{ .name = "Logs",
	  .handle = on_logs,
	  .save = events_save,
	  .resume = resume_logs },
	{ .name = "Deaths", .handle = on_deaths },
	{ .name = "Ping",
	  .handle = on_ping,
	  .save = pings_call_save,
	  .resume = resume_ping },
	{ .name = "Sandbox", .handle = on_sandbox },
	{ .name = "Stats", .handle = on_stats },
	{ .name = "Console",
	  .handle = on_console,
	  .save = console_call_save,
	  .resume = resume_console,
	  .root_only = true },
	{ .name = "Type", .handle = on_type, .root_only = true },
};
const size_t method_count = ARRAY_SIZE(methods);
