/* SPDX-License-Identifier: ISC */
/* Waits until VMs have the state that a command gives them. */
#include "supervisor/cli/await.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/loop.h"
#include "supervisor/cli/columns.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"

/* After this long without an event, Status is asked: the supervisor drops
 * events for a client that doesn't keep up. */
#define ASK_AFTER_MS 1000

static const struct {
	const char *state; /* the state that is the goal */
	bool newer; /* the generation must be newer than before, too */
	bool same; /* a newer generation is a failure: the VM died meanwhile */
	/* "failed" is a success, too: such a VM has no process */
	bool failed_will_do;
	bool up; /* "stopped" is a failure */
} goals[] = {
	[AWAIT_RUNNING] = { .state = "running", .up = true },
	[AWAIT_ALL_RUNNING] = { .state = "running", .up = true },
	[AWAIT_RESTARTED] = { .state = "running", .newer = true, .up = true },
	[AWAIT_STOPPED] = { .state = "stopped", .failed_will_do = true },
	[AWAIT_PAUSED] = { .state = "paused", .same = true },
	[AWAIT_RESUMED] = { .state = "running", .same = true },
	[AWAIT_RESET] = { .state = "" }, /* any state but "failed" */
};
static_assert(ARRAY_SIZE(goals) == AWAIT_GOALS, "one line for each goal");

int await_init(struct await *await, enum await_goal goal,
	       const char *const *names, size_t count)
{
	*await = (struct await){ .goal = goal, .index = json_object() };
	await->vms = calloc(count ? count : 1, sizeof(*await->vms));
	if (!await->vms || !await->index)
		goto fail;
	for (size_t i = 0; i < count; i++) {
		if (json_object_get(await->index, names[i]))
			continue; /* the VM was named twice */
		await->vms[await->count].name = strdup(names[i]);
		if (!await->vms[await->count].name ||
		    json_object_set_new(await->index, names[i],
					json_integer((json_int_t)await->count)))
			goto fail;
		await->count++;
	}
	await->pending = await->count;
	return 0;
fail:
	await_uninit(await);
	return -ENOMEM;
}

void await_uninit(struct await *await)
{
	for (size_t i = 0; await->vms && i < await->count; i++)
		free(await->vms[i].name);
	free(await->vms);
	json_decref(await->index);
	*await = (struct await){ 0 };
}

static struct await_vm *find_awaited(struct await *await, const char *name)
{
	const json_t *index = json_object_get(await->index, name);

	return index ? &await->vms[json_integer_value(index)] : NULL;
}

void await_baseline(struct await *await, const json_t *status)
{
	struct await_vm *vm;
	json_t *object;
	size_t i;

	json_array_foreach(json_object_get(status, "vms"), i, object) {
		vm = find_awaited(await, field_text(object, "name"));
		if (!vm)
			continue;
		vm->generation = field_int(object, "generation");
		vm->was_failed =
			strcmp(field_text(object, "state"), "failed") == 0;
	}
}

/* event is "" where only the state is known. down: the VM is stopped, and
 * its intent is to stay so. */
static enum await_verdict judge_vm(enum await_goal goal,
				   const struct await_vm *vm, const char *state,
				   const char *event, bool down,
				   json_int_t generation)
{
	bool newer = generation > vm->generation;
	bool failed = strcmp(state, "failed") == 0;

	/* it may be paused: it is as it was before */
	if (vm->defined_will_do || strcmp(event, "adopted") == 0)
		return AWAIT_DONE;
	/* it was started, and somebody paused it */
	if (goal == AWAIT_ALL_RUNNING && strcmp(state, "paused") == 0)
		return AWAIT_DONE;
	if (goal == AWAIT_RESET)
		return strcmp(event, "reset") == 0 || !failed ? AWAIT_DONE
							      : AWAIT_PENDING;
	if (strcmp(state, goals[goal].state) == 0 &&
	    (newer || !goals[goal].newer) && !(newer && goals[goal].same))
		return AWAIT_DONE;
	if (newer && goals[goal].same)
		return AWAIT_FAILED;
	if (failed && goals[goal].failed_will_do)
		return AWAIT_DONE;
	/* A VM that had failed before is about to be started by the command. */
	if (failed && (newer || !vm->was_failed || *event))
		return AWAIT_FAILED;
	if (goals[goal].up && newer && down)
		return AWAIT_FAILED;
	/* the VM died, and isn't restarted */
	if (goals[goal].same && down)
		return AWAIT_FAILED;
	return AWAIT_PENDING;
}

static void set_verdict(struct await *await, struct await_vm *vm,
			enum await_verdict verdict, const char *detail)
{
	if (vm->verdict == verdict ||
	    (vm->verdict != AWAIT_PENDING && await->goal != AWAIT_ALL_RUNNING))
		return;
	await->pending += verdict == AWAIT_PENDING;
	await->pending -= vm->verdict == AWAIT_PENDING;
	vm->verdict = verdict;
	snprintf(vm->detail, sizeof(vm->detail), "%s", detail);
	if (await->progress)
		await->progress(await);
}

void await_event(struct await *await, const json_t *event)
{
	struct await_vm *vm = find_awaited(await, field_text(event, "vm"));
	const char *detail = field_text(event, "detail");

	if (!vm)
		return;
	vm->adopted |= strcmp(field_text(event, "event"), "adopted") == 0;
	set_verdict(await, vm,
		    judge_vm(await->goal, vm, field_text(event, "state"),
			     field_text(event, "event"),
			     strcmp(field_text(event, "event"), "stopped") == 0,
			     field_int(event, "generation")),
		    *detail ? detail : field_text(event, "event"));
}

void await_status(struct await *await, const json_t *status)
{
	char detail[COLUMNS_CELL_SIZE];
	struct await_vm *vm;
	const char *state;
	json_t *object;
	bool down;
	size_t i;

	json_array_foreach(json_object_get(status, "vms"), i, object) {
		vm = find_awaited(await, field_text(object, "name"));
		if (!vm)
			continue;
		state = field_text(object, "state");
		down = strcmp(state, "stopped") == 0 &&
		       strcmp(field_text(object, "wanted"), "down") == 0;
		columns_exit(json_object_get(object, "last_exit"), detail,
			     sizeof(detail));
		set_verdict(await, vm,
			    judge_vm(await->goal, vm, state, "", down,
				     field_int(object, "generation")),
			    detail);
	}
}

/* Asks for the state of all VMs. A failure is not reported: the supervisor
 * may not serve clients yet. */
static void ask_status(struct await *await, const struct cli *cli)
{
	struct problem problem;
	struct conn conn;
	struct reply reply;

	if (conn_connect(&conn, cli->run_dir, &problem))
		return;
	if (conn_send(&conn, "Status", NULL, false) == 0 &&
	    conn_receive(&conn, CONN_TIMEOUT_MS, &reply) == 1) {
		await_status(await, reply.parameters);
		conn_reply_free(&reply);
	}
	conn_close(&conn);
}

/* Returns true if the supervisor had to drop events. */
static bool take_events(struct await *await, const json_t *parameters)
{
	bool lost = false;
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(parameters, "events"), i, event) {
		await_event(await, event);
		lost |= field_int(event, "lost") > 0;
	}
	return lost;
}

json_t *await_pending(const struct await *await)
{
	json_t *names = json_array();

	for (size_t i = 0; i < await->count; i++)
		if (await->vms[i].verdict == AWAIT_PENDING)
			json_array_append_new(names,
					      json_string(await->vms[i].name));
	return names;
}

/* Does what is due. How long to wait for the next event, in milliseconds. */
static int act_late(struct await *await, const struct cli *cli,
		    uint64_t begin_ns)
{
	uint64_t now_ms = (loop_now_ns() - begin_ns) / NSEC_PER_MSEC, left_ms;

	for (; await->lates > 0; await->late++, await->lates--) {
		if (await->late->after_ms > now_ms) {
			left_ms = await->late->after_ms - now_ms;
			return left_ms < ASK_AFTER_MS ? (int)left_ms
						      : ASK_AFTER_MS;
		}
		await->late->act(await, cli);
	}
	return ASK_AFTER_MS;
}

int await_follow(struct await *await, struct conn *events,
		 const struct cli *cli)
{
	uint64_t begin_ns = loop_now_ns();
	uint64_t ask_at = begin_ns + ASK_AFTER_MS * NSEC_PER_MSEC;
	struct reply reply;
	/* where there is nothing to wait for, the supervisor is heard of
	 * first */
	bool heard = await->count > 0;
	bool lost = false;
	int result;

	while (await->pending > 0 || !heard) {
		/* the signal may have come while Status was asked */
		if (interrupt_take())
			return -EINTR;
		if (lost || loop_now_ns() >= ask_at) {
			ask_status(await, cli);
			ask_at = loop_now_ns() + ASK_AFTER_MS * NSEC_PER_MSEC;
			lost = false;
			continue;
		}
		result = conn_receive(events, act_late(await, cli, begin_ns),
				      &reply);
		if (result == -EAGAIN)
			continue;
		if (result != 1)
			return result;
		heard = true;
		lost = take_events(await, reply.parameters);
		if (reply.error[0]) {
			conn_report("events", &reply);
			result = -ECANCELED;
		} else if (!reply.continues && await->pending > 0) {
			result = 0; /* the supervisor ends */
		}
		conn_reply_free(&reply);
		if (result != 1)
			return result;
	}
	return 1;
}

int await_report(const struct await *await)
{
	int status = CLI_OK;

	for (size_t i = 0; i < await->count; i++) {
		const struct await_vm *vm = &await->vms[i];

		if (vm->verdict != AWAIT_FAILED)
			continue;
		status = report_error(
			"%s: failed: %s (see 'vmsup logs %s', then 'vmsup "
			"reset %s')",
			vm->name, *vm->detail ? vm->detail : "no reason given",
			vm->name, vm->name);
	}
	return status;
}
