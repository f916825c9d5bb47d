/* SPDX-License-Identifier: ISC */
/* Commands that change the state of named VMs, and wait until they have it. */
#include "supervisor/cli/act.h"

#include <stdio.h>
#include <unistd.h>

#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/report.h"

int act_subscribe(struct conn *events, const struct cli *cli)
{
	int status = conn_open(events, cli);
	int error;

	if (status)
		return status;
	error = conn_send(events, "Events", NULL, true);
	return error ? conn_report_loss(events, error) : CLI_OK;
}

/* One line, if a person watches. */
static void say_done(const struct cli_args *args, const struct act *act)
{
	if (!isatty(STDOUT_FILENO))
		return;
	if (args->count == 1)
		printf("%s is %s\n", args->names[0], act->done);
	else
		printf("%d VMs are %s\n", args->count, act->done);
}

/* Asks for the state before the call, then makes the call. */
static int call_act(struct conn *conn, const struct cli_args *args,
		    const struct act *act, struct await *await)
{
	json_t *before;
	int status;

	/* The subscription was sent before: the answer
	 * shows that it is in force. */
	status = conn_call(conn, "Status",
			   json_pack("{s:o}", "names",
				     conn_names(args->names, args->count)),
			   CONN_TIMEOUT_MS, &before);
	if (status)
		return status;
	await_baseline(await, before);
	json_decref(before);
	return conn_call(conn, act->method,
			 json_pack("{s:o}", "names",
				   conn_names(args->names, args->count)),
			 CONN_TIMEOUT_MS, NULL);
}

/* Waits for the VMs. The ones that have the state by now are seen first. */
static int await_all(const struct cli *cli, const struct cli_args *args,
		     struct conn *events, struct await *await)
{
	json_t *now;
	int result = conn_status(cli, args->names, args->count, &now);

	if (result)
		return result;
	await_status(await, now);
	json_decref(now);
	result = await_follow(await, events, cli);
	if (result != 1)
		return conn_report_loss(events, result);
	return await_report(await);
}

void act_say_waiting(const struct await *await, const struct cli *cli)
{
	const char *first = NULL;

	(void)cli;
	for (size_t i = 0; i < await->count && !first; i++)
		if (await->vms[i].verdict == AWAIT_PENDING)
			first = await->vms[i].name;
	if (!first)
		return;
	if (await->pending == 1)
		report_warn("%s was asked to stop and hasn't yet: a guest has "
			    "its time for that ('vmsup stop --now %s' ends it)",
			    first, first);
	else
		report_warn("%zu VMs were asked to stop and haven't yet, the "
			    "first of them %s: guests have their time for that "
			    "('vmsup stop --now' ends them)",
			    await->pending, first);
}

int act_on(const struct cli *cli, const struct cli_args *args,
	   const struct act *act, bool wait)
{
	struct conn events = CONN_NONE, conn = CONN_NONE;
	struct await await;
	int status;

	if (await_init(&await, act->goal, (const char *const *)args->names,
		       (size_t)args->count))
		return report_error("out of memory");
	await.late = act->late;
	await.lates = act->lates;
	status = act_subscribe(&events, cli);
	if (!status)
		status = conn_open(&conn, cli);
	if (!status)
		status = call_act(&conn, args, act, &await);
	conn_close(&conn);
	if (!status && wait) {
		status = await_all(cli, args, &events, &await);
		if (!status)
			say_done(args, act);
	}
	conn_close(&events);
	await_uninit(&await);
	return status;
}

/* ---- the commands that do this alone */

enum {
	OPT_NO_WAIT
};

static const struct cli_option options[] = {
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, false,
			  "return when it is under way" },
	{ 0 },
};

static int run_restart(const struct cli *cli, const struct cli_args *args)
{
	static const struct await_late word = { ACT_WORD_MS, act_say_waiting };
	static const struct act act = { "Restart", AWAIT_RESTARTED, "running",
					&word, 1 };

	return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
}

static int run_reset(const struct cli *cli, const struct cli_args *args)
{
	static const struct act act = { "Reset", AWAIT_RESET, "reset", NULL,
					0 };

	return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
}

static int run_pause(const struct cli *cli, const struct cli_args *args)
{
	static const struct act act = { "Pause", AWAIT_PAUSED, "paused", NULL,
					0 };

	return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
}

static int run_resume(const struct cli *cli, const struct cli_args *args)
{
	static const struct act act = { "Resume", AWAIT_RESUMED, "running",
					NULL, 0 };

	return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
}

#define ACT_COMMAND                                                        \
	.usage = "[--no-wait] NAME...", .options = options, .min_args = 1, \
	.max_args = -1, .missing = "no VM named", .names_vms = true

const struct cli_command act_restart_command = {
	.name = "restart",
	.summary = "stop VMs and start their next generation",
	.run = run_restart,
	ACT_COMMAND,
};
const struct cli_command act_reset_command = {
	.name = "reset",
	.summary = "let failed VMs try again: their deaths are forgotten",
	.run = run_reset,
	ACT_COMMAND,
};
const struct cli_command act_pause_command = {
	.name = "pause",
	.summary = "stop the work of VMs, not their processes",
	.run = run_pause,
	ACT_COMMAND,
};
const struct cli_command act_resume_command = {
	.name = "resume",
	.summary = "let paused VMs go on",
	.run = run_resume,
	ACT_COMMAND,
};
