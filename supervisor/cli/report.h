/* SPDX-License-Identifier: ISC */
/* What a command says when it fails, and whether all it said was written. */
#ifndef VMSUP_SUPERVISOR_CLI_REPORT_H
#define VMSUP_SUPERVISOR_CLI_REPORT_H

/* Prints "vmsup: ..." as one line to stderr, control characters replaced, what
 * was written to stdout before it first. Returns CLI_FAILED. */
int report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what doesn't keep the command from going on. */
void report_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a mistake in what was typed: adds where to look it up. command
 * may be NULL. Returns CLI_USAGE. */
int report_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Flushes stdout. CLI_OK, or CLI_FAILED with the reason printed. */
int report_flush(void);

#endif
