/* SPDX-License-Identifier: ISC */
/* A command as the table has it: parsing, help and
 * completion use these types. */
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
/* How often an option can be given that may be given several times. */
#define CLI_MAX_REPEATS 16

struct cli_option {
	/* the long name, without dashes; NULL ends the table */
	const char *name;
	char letter; /* the short name; 0: none */
	const char *arg; /* the argument's name in help; NULL: no argument */
	bool arg_optional; /* an argument is given as --name=ARG only */
	const char *help;
};

struct cli_args {
	/* By index in the command's options. NULL: not given; "": given without
	 * an argument. Of several, the last one counts. */
	const char *values[CLI_MAX_OPTIONS];
	const char *repeated[CLI_MAX_REPEATS];
	size_t repeated_count;
	char **names; /* the arguments that are no options; NULL at the end */
	int count;
};

/* What each command is given. */
struct cli {
	char run_dir[PATH_MAX]; /* absolute */
};

struct cli_command {
	const char *name;
	const char *usage; /* what follows the name */
	const char *summary;
	const char *details; /* more text for --help; may be NULL */
	/* prints text for --help that is computed; may be NULL */
	void (*more_help)(void);
	/* NULL: only those that each command has */
	const struct cli_option *options;
	/* index of the option whose values are in repeated; 0: none */
	int repeats;
	int min_args, max_args; /* -1: no limit */
	const char *missing; /* the message if there are fewer than min_args */
	bool names_vms; /* for completion: its arguments are VMs */
	bool hidden;
	int (*run)(const struct cli *cli, const struct cli_args *args);
};

#endif
