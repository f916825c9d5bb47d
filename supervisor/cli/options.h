/* SPDX-License-Identifier: ISC */
/* Options of a command: parsed, explained and listed from its table. */
#ifndef VMSUP_SUPERVISOR_CLI_OPTIONS_H
#define VMSUP_SUPERVISOR_CLI_OPTIONS_H

#include "supervisor/cli/command.h"

enum options_result {
	OPTIONS_RUN, /* go on */
	OPTIONS_HELP, /* --help was asked for */
	OPTIONS_VERSION,
	OPTIONS_BAD, /* a usage error, already printed */
};

/*
 * Parses the global options in front of a command: *next is then the index of
 * the command in argv (argc: none), *run_dir what --run-dir said or unchanged.
 */
enum options_result options_global(int argc, char **argv, int *next,
				   const char **run_dir);

/* Parses what follows the command's name (argv[0]). argv is permuted: options
 * may come before or after names. */
enum options_result options_parse(const struct cli_command *command, int argc,
				  char **argv, struct cli_args *args,
				  const char **run_dir);

/* Prints what "vmsup COMMAND --help" says. */
void options_help(const struct cli_command *command);

/* Prints the command's options as completion wants them: one a line, with '='
 * at the end of those that take an argument. */
void options_complete(const struct cli_command *command);

#endif
