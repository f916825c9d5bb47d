/* SPDX-License-Identifier: ISC */
/* The command line: finds the command in the table and runs it. */
#include "supervisor/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/act.h"
#include "supervisor/cli/check.h"
#include "supervisor/cli/columns.h"
#include "supervisor/cli/command.h"
#include "supervisor/cli/console.h"
#include "supervisor/cli/deaths.h"
#include "supervisor/cli/events.h"
#include "supervisor/cli/kill.h"
#include "supervisor/cli/logs.h"
#include "supervisor/cli/options.h"
#include "supervisor/cli/ping.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/run.h"
#include "supervisor/cli/sandbox.h"
#include "supervisor/cli/signame.h"
#include "supervisor/cli/start.h"
#include "supervisor/cli/stats.h"
#include "supervisor/cli/status.h"
#include "supervisor/cli/stop.h"
#include "supervisor/cli/upgrade.h"
#include "supervisor/host/rundir.h"
#include "supervisor/supervisor.h"

/* The address of the socket ends in "/control.sock": the run directory
 * has the rest of its bytes. */
#define RUN_DIR_MAX RUNDIR_PATH_MAX

static const struct cli_command help_command, complete_command;

static const struct cli_command *const commands[] = {
	&start_command,       &stop_command,
	&act_restart_command, &run_command,
	&status_command,      &events_command,
	&logs_command,        &deaths_command,
	&ping_command,        &console_command,
	&stats_command,       &kill_command,
	&act_reset_command,   &act_pause_command,
	&act_resume_command,  &sandbox_command,
	&check_command,       &upgrade_command,
	&stop_detach_command, &help_command,
	&complete_command,    &upgrade_take_over_command,
};

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_help(void)
{
	printf("Usage: vmsup [--run-dir DIR] COMMAND [OPTION...] [NAME...]\n\n"
	       "Supervises virtual machines: one process each, caged, restarted"
	       " when it dies.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!commands[i]->hidden)
			printf("  %-9s %s\n", commands[i]->name,
			       commands[i]->summary);
	printf("\nOptions:\n"
	       "  --run-dir DIR  the instance (VMSUP_RUN_DIR; %s)\n"
	       "  -h, --help     this; 'vmsup COMMAND --help' tells more\n"
	       "  -V, --version  the version\n\n"
	       "Exit status: 0 done, 1 failed, 2 usage, 3 no supervisor there, "
	       "4 no such VM.\n",
	       SUPERVISOR_DEFAULT_RUN_DIR);
}

static int run_help(const struct cli *cli, const struct cli_args *args)
{
	const struct cli_command *command;

	(void)cli;
	if (args->count == 0) {
		print_help();
		return CLI_OK;
	}
	command = find_command(args->names[0]);
	if (!command)
		return report_usage(NULL, "unknown command \"%s\"",
				    args->names[0]);
	options_help(command);
	return CLI_OK;
}

static const struct cli_command help_command = {
	.name = "help",
	.usage = "[COMMAND]",
	.summary = "explain vmsup, or a command",
	.max_args = 1,
	.run = run_help,
};

/* Lists words for the completion of the shell. */
static int run_complete(const struct cli *cli, const struct cli_args *args)
{
	const struct cli_command *command;

	(void)cli;
	if (strcmp(args->names[0], "commands") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
			if (!commands[i]->hidden)
				printf("%s\n", commands[i]->name);
	} else if (strcmp(args->names[0], "signals") == 0) {
		signame_list();
	} else if (strcmp(args->names[0], "columns") == 0) {
		columns_list();
	} else {
		command = find_command(args->names[0]);
		if (!command)
			return CLI_USAGE;
		options_complete(command);
		if (command->names_vms)
			printf("NAME\n");
	}
	return CLI_OK;
}

static const struct cli_command complete_command = {
	.name = "__complete",
	.usage = "commands|signals|columns|COMMAND",
	.summary = "list words for the shell's completion",
	.min_args = 1,
	.max_args = 1,
	.missing = "nothing named",
	.hidden = true,
	.run = run_complete,
};

static int too_long(const char *run_dir)
{
	return report_usage(NULL,
			    "--run-dir %s: longer than the %d bytes that a "
			    "socket's address leaves",
			    run_dir, RUN_DIR_MAX);
}

/* Makes the run directory absolute, without slashes at the end. */
static int set_run_dir(struct cli *cli, const char *given)
{
	char cwd[RUN_DIR_MAX + 1] = "";
	size_t length;

	if (!given || !*given)
		given = getenv("VMSUP_RUN_DIR");
	if (!given || !*given)
		given = SUPERVISOR_DEFAULT_RUN_DIR;
	if (*given != '/' && !getcwd(cwd, sizeof(cwd))) {
		if (errno == ERANGE)
			return too_long(given);
		return report_error("--run-dir %s: cannot tell the working "
				    "directory: %s (give an absolute path)",
				    given, strerror(errno));
	}
	length = strlen(given);
	while (length > 1 && given[length - 1] == '/')
		length--;
	if (strlen(cwd) + (*cwd != 0) + length > RUN_DIR_MAX)
		return too_long(given);
	snprintf(cli->run_dir, sizeof(cli->run_dir), "%s%s%.*s", cwd,
		 *cwd ? "/" : "", (int)length, given);
	return CLI_OK;
}

static int run_command_line(const struct cli_command *command, int argc,
			    char **argv, const char *run_dir)
{
	struct cli cli = { 0 };
	struct cli_args args;
	int status;

	switch (options_parse(command, argc, argv, &args, &run_dir)) {
	case OPTIONS_BAD:
		return CLI_USAGE;
	case OPTIONS_HELP:
		options_help(command);
		return CLI_OK;
	case OPTIONS_VERSION:
	case OPTIONS_RUN:
		break;
	}
	status = set_run_dir(&cli, run_dir);
	return status ? status : command->run(&cli, &args);
}

static int run_global(int argc, char **argv)
{
	const struct cli_command *command;
	const char *run_dir = NULL;
	int next;

	switch (options_global(argc, argv, &next, &run_dir)) {
	case OPTIONS_BAD:
		return CLI_USAGE;
	case OPTIONS_HELP:
		print_help();
		return CLI_OK;
	case OPTIONS_VERSION:
		printf("vmsup %s\n", VMSUP_VERSION);
		return CLI_OK;
	case OPTIONS_RUN:
		break;
	}
	if (next >= argc)
		return report_usage(NULL, "no command given");
	command = find_command(argv[next]);
	if (!command)
		return report_usage(NULL, "unknown command \"%s\"", argv[next]);
	return run_command_line(command, argc - next, argv + next, run_dir);
}

/* Opens /dev/null in place of each standard descriptor that is closed, so that
 * none becomes a socket. It is open to read: a write still fails. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	fd_close(&fd);
}

int cli_main(int argc, char **argv)
{
	int status;

	fill_standard_descriptors();
	status = run_global(argc, argv);
	/* A command that failed has said why, this failure included. */
	return status ? status : report_flush();
}
