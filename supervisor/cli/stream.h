/* SPDX-License-Identifier: ISC */
/* Calls with several replies: events and log lines, printed one a line. */
#ifndef VMSUP_SUPERVISOR_CLI_STREAM_H
#define VMSUP_SUPERVISOR_CLI_STREAM_H

#include <jansson.h>
#include <stdbool.h>

#include "supervisor/cli/command.h"

/* Prints an Event; with json, as an object on one line. */
void stream_event(const json_t *event, bool json);
/* Prints a LogLine. */
void stream_log_line(const json_t *line);

struct stream {
	const char *method; /* the method, whose calls have several replies */
	const char *command; /* the command, for messages */
	/* The last reply comes when the supervisor
	 * ends. The user is told then. */
	bool endless;
	/* Takes each reply. */
	void (*take)(void *ctx, const json_t *parameters);
	void *ctx;
};

/*
 * Calls the method on a connection of its own; takes over parameters.
 * Passes each reply to take() and flushes stdout, until the last reply, the
 * end of the connection, or Ctrl-C. Calls interrupt_catch(). An enum
 * cli_exit, with errors printed.
 */
int stream_follow(const struct cli *cli, const struct stream *stream,
		  json_t *parameters);

#endif
