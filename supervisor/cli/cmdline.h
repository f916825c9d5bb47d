/* SPDX-License-Identifier: ISC */
/* What a kernel's command line asks for that this machine doesn't have. */
#ifndef VMSUP_SUPERVISOR_CLI_CMDLINE_H
#define VMSUP_SUPERVISOR_CLI_CMDLINE_H

/* Calls tell for each of such words, and for a console that is missing: hint is
 * what is asked for and what comes of it. A kernel that isn't Linux may do
 * without all of that: it is no error. */
void cmdline_hints(const char *cmdline,
		   void (*tell)(void *ctx, const char *hint), void *ctx);

#endif
