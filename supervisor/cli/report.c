/* SPDX-License-Identifier: ISC */
/* Errors of a command for the user, and the flush of its output. */
#include "supervisor/cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"
#include "supervisor/cli/command.h"

__attribute__((format(printf, 2, 0))) static void
print_line(const char *command, const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	log_clean(line);
	fflush(stdout);
	fprintf(stderr, "vmsup: %s%s%s", command ? command : "",
		command ? ": " : "", line);
}

int report_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(NULL, format, args);
	va_end(args);
	fputc('\n', stderr);
	return CLI_FAILED;
}

void report_warn(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	report_error("warning: %s", line);
}

int report_usage(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(command, format, args);
	va_end(args);
	if (command)
		fprintf(stderr, " (see 'vmsup %s --help')\n", command);
	else
		fprintf(stderr, " (see 'vmsup --help')\n");
	return CLI_USAGE;
}

int report_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLI_OK;
	return report_error("cannot write to standard output: %s "
			    "(the output is incomplete)",
			    errno ? strerror(errno) : "write error");
}
