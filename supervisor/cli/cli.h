/* SPDX-License-Identifier: ISC */
/* The command line: finds the command in the table and runs it. */
#ifndef VMSUP_SUPERVISOR_CLI_H
#define VMSUP_SUPERVISOR_CLI_H

/* The whole program. Returns the exit status. */
int cli_main(int argc, char **argv);

#endif
