/* SPDX-License-Identifier: ISC */
/* Parses the options of a command, and lists them for help and completion. */
#ifndef VMSUP_SUPERVISOR_CLI_OPTIONS_H
#define VMSUP_SUPERVISOR_CLI_OPTIONS_H

#include "supervisor/cli/command.h"

enum options_result {
	OPTIONS_RUN, /* the command is to be run */
	OPTIONS_HELP, /* --help was asked for */
	OPTIONS_VERSION,
	OPTIONS_BAD, /* a usage error, already printed */
};

/*
 * Parses the global options, which stand before the command. *next becomes the
 * index of the command in argv, argc if there is none. *run_dir becomes the
 * argument of --run-dir, or stays.
 */
enum options_result options_global(int argc, char **argv, int *next,
				   const char **run_dir);

/* Parses the arguments that follow the command's name (argv[0]). Options may
 * stand before or after names: argv is permuted. */
enum options_result options_parse(const struct cli_command *command, int argc,
				  char **argv, struct cli_args *args,
				  const char **run_dir);

/* Prints what "vmsup COMMAND --help" says. */
void options_help(const struct cli_command *command);

/* Prints the command's options for completion: one a line, with '=' after
 * each that takes an argument. */
void options_complete(const struct cli_command *command);

#endif
