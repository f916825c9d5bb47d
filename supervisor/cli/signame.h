/* SPDX-License-Identifier: ISC */
/* Names of signals, as kill(1) takes them. */
#ifndef VMSUP_SUPERVISOR_CLI_SIGNAME_H
#define VMSUP_SUPERVISOR_CLI_SIGNAME_H

/* "SEGV", "sigsegv" and "11" are all "SEGV"; NULL: no such signal. */
const char *signame_parse(const char *text);
/* Prints every name, one a line. */
void signame_list(void);

#endif
