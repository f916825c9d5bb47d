/* SPDX-License-Identifier: ISC */
/* Replies that keep coming: events and log lines, printed one a line. */
#ifndef VMSUP_SUPERVISOR_CLI_STREAM_H
#define VMSUP_SUPERVISOR_CLI_STREAM_H

#include <jansson.h>
#include <stdbool.h>

#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"

/* Prints an Event; as an object on one line if json. */
void stream_event(const json_t *event, bool json);
/* Prints a LogLine. */
void stream_log_line(const json_t *line);

/*
 * Hands each reply to take(), and flushes stdout, until the last one, the end
 * of the connection, or Ctrl-C (interrupt_catch() is called here). endless: the
 * last one comes only when the supervisor ends, which is then said. An enum
 * cli_exit; method is for messages.
 */
int stream_follow(struct conn *conn, const char *method, bool endless,
		  void (*take)(void *ctx, const json_t *parameters), void *ctx);

#endif
