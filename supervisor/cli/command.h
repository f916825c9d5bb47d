/* SPDX-License-Identifier: ISC */
/* A command as the table has it: parsing, help and completion are made from
 * these. */
#ifndef VMSUP_SUPERVISOR_CLI_COMMAND_H
#define VMSUP_SUPERVISOR_CLI_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
	CLI_OK,
	CLI_FAILED,
	CLI_USAGE,
	CLI_NO_SUPERVISOR,
	CLI_NO_VM,
};

#define CLI_MAX_OPTIONS 16
/* Of the option that may be given several times. */
#define CLI_MAX_REPEATS 16

struct cli_option {
	const char *name; /* the long one, without dashes; NULL: table's end */
	char letter; /* 0: none */
	const char *arg; /* what it takes, for help; NULL: nothing */
	bool arg_optional; /* only as --name=ARG then */
	const char *help;
};

struct cli_args {
	/* By index in the command's options: NULL if not given; "" if given
	 * without an argument; the last one wins. */
	const char *values[CLI_MAX_OPTIONS];
	const char *repeated[CLI_MAX_REPEATS];
	size_t repeated_count;
	char **names; /* what is left, NULL at the end */
	int count;
};

/* What every command is told. */
struct cli {
	char run_dir[PATH_MAX]; /* absolute */
};

struct cli_command {
	const char *name;
	const char *usage; /* after the name */
	const char *summary;
	const char *details; /* more for its --help; may be NULL */
	void (*more_help)(void); /* prints what is computed; may be NULL */
	const struct cli_option *options; /* NULL: none of its own */
	int repeats; /* index of the one whose values are in repeated; 0: none */
	int min_args, max_args; /* -1: no limit */
	const char *missing; /* what to say if there are fewer than min_args */
	bool names_vms; /* its arguments are VMs, for completion */
	bool hidden;
	int (*run)(const struct cli *cli, const struct cli_args *args);
};

#endif
