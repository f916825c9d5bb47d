/* SPDX-License-Identifier: ISC */
/* Replies that keep coming: events and log lines, printed one a line. */
#ifndef VMSUP_SUPERVISOR_CLI_STREAM_H
#define VMSUP_SUPERVISOR_CLI_STREAM_H

#include <jansson.h>
#include <stdbool.h>

#include "supervisor/cli/command.h"

/* Prints an Event; as an object on one line if json. */
void stream_event(const json_t *event, bool json);
/* Prints a LogLine. */
void stream_log_line(const json_t *line);

struct stream {
	const char *method; /* of which a call has several replies */
	const char *command; /* for messages */
	/* The last reply comes only when the supervisor ends, which is then
	 * said. */
	bool endless;
	/* Is handed each reply. */
	void (*take)(void *ctx, const json_t *parameters);
	void *ctx;
};

/*
 * Calls the method, whose parameters are taken over, on a connection of its
 * own. Hands over each reply, and flushes stdout, until the last one, the end of
 * the connection, or Ctrl-C (interrupt_catch() is called here). An enum
 * cli_exit, errors printed.
 */
int stream_follow(const struct cli *cli, const struct stream *stream,
		  json_t *parameters);

#endif
