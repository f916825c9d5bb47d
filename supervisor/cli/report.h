/* SPDX-License-Identifier: ISC */
/* Errors of a command for the user, and the flush of its output. */
#ifndef VMSUP_SUPERVISOR_CLI_REPORT_H
#define VMSUP_SUPERVISOR_CLI_REPORT_H

/* Flushes stdout, then prints "vmsup: ..." as one line to stderr, with control
 * characters replaced. Returns CLI_FAILED. */
int report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a warning: the command goes on. */
void report_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a usage error; adds which help to read. command may be
 * NULL. Returns CLI_USAGE. */
int report_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Flushes stdout. CLI_OK; or CLI_FAILED, with the reason printed. */
int report_flush(void);

#endif
