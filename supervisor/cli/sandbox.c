/* SPDX-License-Identifier: ISC */
/* vmsup sandbox: the proof of a VM's cage, read from outside. */
#include "supervisor/cli/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/proc.h"
#include "supervisor/cli/proof.h"
#include "supervisor/cli/proof_bounds.h"
#include "supervisor/cli/proof_fds.h"
#include "supervisor/cli/proof_filters.h"
#include "supervisor/cli/report.h"

/* A VM may be restarted while its process is
 * checked: so many tries are made. */
#define TRIES 5

enum {
	OPT_JSON,
	OPT_SYSCALLS,
};

static const struct cli_option options[] = {
	[OPT_JSON] = { "json", 'J', NULL, false, "all of it as JSON" },
	[OPT_SYSCALLS] = { "syscalls", 's', NULL, false,
			   "list the system calls that are allowed as well" },
	{ 0 },
};

/* Asks the supervisor what the cage should be. *cage is the
 * caller's. An enum cli_exit. */
static int ask_cage(const struct cli *cli, const char *name, json_t **cage)
{
	json_t *reply;
	int status = conn_ask(cli, "Sandbox", json_pack("{s:s}", "name", name),
			      &reply);

	*cage = NULL;
	if (status)
		return status;
	*cage = json_incref(json_object_get(reply, "cage"));
	json_decref(reply);
	if (field_int(*cage, "pid") > 0)
		return CLI_OK;
	json_decref(*cage);
	*cage = NULL;
	return report_error("%s: has no process now (see 'vmsup status %s')",
			    name, name);
}

static bool same_process(const json_t *one, const json_t *other)
{
	return field_int(one, "pid") == field_int(other, "pid") &&
	       field_int(one, "generation") == field_int(other, "generation");
}

static void look_at_process(struct proof *proof, const json_t *cage, int dir_fd)
{
	proof_identity(proof, cage, dir_fd);
	proof_filters(proof, cage, dir_fd);
	proof_room(proof, cage, dir_fd);
	proof_limits(proof, cage, dir_fd);
	proof_bounds(proof, cage, dir_fd);
	proof_fds(proof, cage, dir_fd);
}

/*
 * Checks one process from beginning to end. The descriptor of its directory in
 * /proc stays that of one process. If the VM has the same generation at the
 * end, the process was the VM's all the time. 0: it was, and *cage is the
 * caller's; 1: it wasn't, try again; below 0: an enum cli_exit, negated.
 */
static int try_once(const struct cli *cli, const char *name,
		    struct proof *proof, json_t **cage)
{
	cleanup_fd int dir_fd = -1;
	json_t *after;
	bool same;
	int status;

	status = ask_cage(cli, name, cage);
	if (status)
		return -status;
	dir_fd = proc_open((pid_t)field_int(*cage, "pid"));
	if (dir_fd >= 0)
		look_at_process(proof, *cage, dir_fd);
	status = ask_cage(cli, name, &after);
	same = !status && dir_fd >= 0 && same_process(*cage, after);
	json_decref(after);
	if (same)
		return 0;
	json_decref(*cage);
	*cage = NULL;
	return status ? -status : 1;
}

static void print_syscalls(const json_t *cage)
{
	const json_t *names = json_object_get(cage, "syscalls");
	size_t i, column = 0;
	json_t *name;

	printf("\n%zu system calls are allowed:\n", json_array_size(names));
	json_array_foreach(names, i, name) {
		const char *text = json_string_value(name);

		text = text ? text : "?";
		if (column > 0 && column + 1 + strlen(text) > 79) {
			putchar('\n');
			column = 0;
		}
		printf("%s%s", column ? " " : "  ", text);
		column += strlen(text) + (column ? 1 : 2);
	}
	putchar('\n');
}

/* The first-hop guard isn't in /proc: prints what the supervisor says. */
static void print_guard(const json_t *cage)
{
	const json_t *guarded = json_object_get(cage, "guarded"), *name;
	size_t i;

	if (!json_is_boolean(guarded))
		return;
	printf("First-hop guard: %s",
	       json_is_true(guarded) ? "in force"
				     : "none (vmsup status --json says why)");
	json_array_foreach(json_object_get(cage, "allow"), i, name)
		printf("%s%s", i ? ", " : "; allowed: ",
		       json_string_value(name) ? json_string_value(name) : "?");
	putchar('\n');
}

/* null: no check failed, but some have no outcome. */
static json_t *outcome_json(const struct proof *proof)
{
	if (proof->holds && !proof->whole)
		return json_null();
	return json_boolean(proof->holds);
}

static int print_proof(const struct cli_args *args, const json_t *cage,
		       const struct proof *proof)
{
	int status;

	if (args->values[OPT_JSON]) {
		json_t *all = json_pack("{s:o, s:O, s:O, s:I}", "ok",
					outcome_json(proof), "cage", cage,
					"checks", proof->checks, "held_us",
					(json_int_t)(proof->held_ns / 1000));

		if (json_dumpf(all, stdout,
			       JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0)
			putchar('\n');
		json_decref(all);
		return report_flush();
	}
	printf("%s, generation %" JSON_INTEGER_FORMAT
	       ", process %" JSON_INTEGER_FORMAT "\n\n",
	       field_text(cage, "name"), field_int(cage, "generation"),
	       field_int(cage, "pid"));
	status = proof_print(proof);
	if (status)
		return status;
	if (!proof->whole)
		printf("\n?: it can't be told here; the reason is in the row\n");
	putchar('\n');
	print_guard(cage);
	if (args->values[OPT_SYSCALLS])
		print_syscalls(cage);
	else
		printf("System calls allowed: %zu (--syscalls lists them)\n",
		       json_array_size(json_object_get(cage, "syscalls")));
	return report_flush();
}

static int run_sandbox(const struct cli *cli, const struct cli_args *args)
{
	const char *name = args->names[0];
	struct proof proof;
	json_t *cage = NULL;
	int result = 1, status;

	if (geteuid() != 0)
		return report_error(
			"sandbox: permission denied: it reads /proc "
			"of another user's process (use sudo)");
	for (int i = 0; i < TRIES && result == 1; i++) {
		if (i > 0)
			proof_uninit(&proof);
		proof_init(&proof);
		result = try_once(cli, name, &proof, &cage);
	}
	if (result == 1)
		status = report_error(
			"%s: is restarted all the time, there is no "
			"time to look (see 'vmsup status %s')",
			name, name);
	else if (result < 0)
		status = -result;
	else
		status = print_proof(args, cage, &proof);
	if (!status && !proof.holds)
		status = report_error("%s: the cage is not what it should be",
				      name);
	json_decref(cage);
	proof_uninit(&proof);
	return status;
}

const struct cli_command sandbox_command = {
	.name = "sandbox",
	.usage = "[--json] [--syscalls] NAME",
	.summary = "prove a VM's cage, from outside",
	.details =
		"Compares what /proc says of the VM's process with what its "
		"cage should be: user,\ncapabilities, filters, namespaces, "
		"root directory, limits, every descriptor. The\nexit status is "
		"1 if anything doesn't hold.\n",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.missing = "no VM named",
	.names_vms = true,
	.run = run_sandbox,
};
