/* SPDX-License-Identifier: ISC */
/* vmsup start: a supervisor with its VMs, or VMs of the one that runs. */
#include "supervisor/cli/start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/cli/act.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/files.h"
#include "supervisor/cli/launch.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/text.h"
#include "supervisor/config/config.h"
#include "supervisor/config/config_file.h"
#include "supervisor/lib/problem.h"

/* More ports than any bridge has. The configuration may allow fewer. */
#define VMS_MAX 100000

enum {
	OPT_VMS,
	OPT_CONFIG,
	OPT_FOREGROUND,
	OPT_NO_WAIT,
};

static const struct cli_option options[] = {
	[OPT_VMS] = { "vms", 'n', "N", false,
		      "N VMs more than the configuration has: vm0, vm1, ..." },
	[OPT_CONFIG] = { "config", 'c', "FILE", false,
			 "the configuration (" CONFIG_DEFAULT_FILE
			 ", if there)" },
	[OPT_FOREGROUND] = { "foreground", 0, NULL, false,
			     "stay, log to stderr, end on Ctrl-C" },
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, false,
			  "with NAMEs: return when it is under way" },
	{ 0 },
};

/* Refuses a start if a supervisor serves this run directory already. */
static int refuse_second(const struct cli *cli)
{
	struct problem problem;
	struct conn conn;
	int error = conn_connect(&conn, cli->run_dir, &problem);
	int status = CLI_OK, life;

	if (error && problem.text[0])
		return report_error("%s", problem.text);
	if (error == -EAGAIN)
		return report_error(
			"%s: a supervisor runs there already, but "
			"doesn't take connections (it hangs, or has "
			"too many clients)",
			cli->run_dir);
	if (error)
		return CLI_OK;
	/* a connection may also be that of a supervisor that was just killed */
	life = conn_settle(&conn);
	if (life == 0)
		status = report_error("%s: a supervisor runs there already, "
				      "process %d ('vmsup stop' ends it; "
				      "--run-dir is for another one)",
				      cli->run_dir, conn.peer_pid);
	else if (life == -EAGAIN)
		status = report_error(
			"%s: a supervisor runs there already, "
			"process %d, but doesn't answer (it hangs)",
			cli->run_dir, conn.peer_pid);
	else if (life == -EINTR)
		status = report_error("interrupted");
	conn_close(&conn);
	return status;
}

/* Reads the configuration. Errors go to stderr as FILE:LINE: what (remedy).
 * Whether there is a file is in *found. */
static int read_config(struct config *config, const char *name, bool must_exist,
		       bool *found)
{
	FILE *file = fopen(name, "re");
	int error;

	*found = file;
	if (!file && errno == ENOENT && !must_exist)
		return CLI_OK;
	if (!file)
		return report_error("%s: cannot read the configuration: %s",
				    name, strerror(errno));
	error = config_read(config, file, name, stderr);
	fclose(file);
	/* another try won't help: systemd is told not to (docs/systemd.md) */
	return error ? CLI_USAGE : CLI_OK;
}

/* What a start is asked for. A file counts as such, also without a VM: more may
 * be defined later. */
struct request {
	struct config config;
	bool made; /* by a file or an option */
};

static int make_config(struct request *request, const char *file, long vms)
{
	struct config *config = &request->config;
	struct problem problem = { 0 };
	int status;

	status = read_config(config, file ? file : CONFIG_DEFAULT_FILE, file,
			     &request->made);
	if (!status && vms > 0) {
		request->made = true;
		if (config_add_vms(config, (size_t)vms, &problem))
			status = report_error("%s", problem.text);
	}
	return status;
}

static int enter_place(const struct cli *cli, struct rundir *rundir,
		       struct stored *stored)
{
	struct problem problem = { 0 };

	if (rundir_init(rundir, cli->run_dir, &problem))
		return report_error("%s", problem.text);
	if (store_read(stored, rundir, &problem) == 0)
		return CLI_OK;
	rundir_release(rundir);
	return report_error("%s", problem.text);
}

/* Locks the run directory, and reads what an earlier supervisor left there. If
 * that supervisor died in its shutdown, finishes the shutdown first. */
static int take_place(const struct cli *cli, struct rundir *rundir,
		      struct stored *stored)
{
	const struct launch_place place = { rundir, stored };
	int status = enter_place(cli, rundir, stored);

	if (status || !store_was_ending(stored))
		return status;
	printf("finishing the stop that was cut off\n");
	fflush(stdout);
	status = launch_finish(&place);
	store_uninit(stored);
	rundir_release(rundir);
	return status ? status : enter_place(cli, rundir, stored);
}

/* Opens the files of all machines. The first stored VMs are an earlier
 * supervisor's: their processes may have the files open. A VM that lacks a file
 * fails later, by itself: the others run. */
static void open_files(struct config *config, size_t stored)
{
	for (size_t i = 0; i < config->vm_count; i++) {
		struct vm_config *vm = &config->vms[i];

		if (!vm->machine)
			continue;
		if (i < stored)
			files_open_kept(vm->machine, vm->name);
		else
			files_open_or_not(vm->machine, vm->name);
	}
}

static int launch_supervisor(const struct cli *cli, const struct cli_args *args,
			     struct request *request, struct rundir *rundir,
			     const struct stored *stored)
{
	const struct launch_place place = { rundir, stored };
	struct config *config = &request->config;
	struct problem problem = { 0 };

	if ((stored->count || (stored->instance && !request->made)) &&
	    store_merge(stored, config, &problem))
		return report_error("%s", problem.text);
	open_files(config, stored->count);
	if (!request->made && !stored->instance) {
		rundir_uninit(rundir);
		return report_usage(
			"start", "no VM to start: give --vms N or -c FILE, or "
				 "put VMs into " CONFIG_DEFAULT_FILE);
	}
	return args->values[OPT_FOREGROUND]
		       ? launch_foreground(config, &place)
		       : launch_background(cli, config, &place);
}

static int start_supervisor(const struct cli *cli, const struct cli_args *args,
			    long vms)
{
	struct rundir rundir = { 0 };
	struct stored stored = { 0 };
	struct request request = { 0 };
	int status;

	/* the socket of systemd takes connections though nobody serves it */
	status = getenv("LISTEN_FDS") ? CLI_OK : refuse_second(cli);
	if (status)
		return status;
	config_init(&request.config);
	status = make_config(&request, args->values[OPT_CONFIG], vms);
	if (!status && geteuid() != 0)
		status = report_error("cannot start a supervisor: it makes "
				      "network devices and users of its own, "
				      "which only root may (use sudo)");
	if (!status)
		status = take_place(cli, &rundir, &stored);
	if (!status) {
		status = launch_supervisor(cli, args, &request, &rundir,
					   &stored);
		store_uninit(&stored);
		rundir_release(&rundir);
	}
	config_uninit(&request.config);
	return status;
}

static int run_start(const struct cli *cli, const struct cli_args *args)
{
	static const struct act act = { "Start", AWAIT_RUNNING, "running", NULL,
					0 };
	const char *count = args->values[OPT_VMS];
	long vms = 0;

	if (count && !text_number(count, 1, VMS_MAX, &vms))
		return report_usage("start",
				    "--vms: \"%s\" is not a number from 1 "
				    "to %d",
				    count, VMS_MAX);
	if (args->count == 0) {
		if (args->values[OPT_NO_WAIT])
			return report_usage("start",
					    "--no-wait goes with names of VMs");
		return start_supervisor(cli, args, vms);
	}
	for (int i = OPT_VMS; i <= OPT_FOREGROUND; i++)
		if (args->values[i])
			return report_usage(
				"start",
				"--%s starts a supervisor, it doesn't "
				"go with names of VMs",
				options[i].name);
	return act_on(cli, args, &act, !args->values[OPT_NO_WAIT]);
}

const struct cli_command start_command = {
	.name = "start",
	.usage = "[--vms N] [-c FILE] [--foreground] | [--no-wait] NAME...",
	.summary = "start a supervisor with its VMs; with NAMEs, those VMs",
	.details =
		"Returns when every VM runs. Interrupted before, it undoes the "
		"start. A VM that\nfails to start leaves the supervisor "
		"running, and the exit status is 1.\n",
	.options = options,
	.max_args = -1,
	.names_vms = true,
	.run = run_start,
};
