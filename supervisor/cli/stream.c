/* SPDX-License-Identifier: ISC */
/* Calls with several replies: events and log lines, printed one a line. */
#include "supervisor/cli/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"

/* Prints text that a VM may have written: control characters
 * don't reach the terminal. */
static void print_clean(const char *text, const char *end)
{
	char clean[1024];

	snprintf(clean, sizeof(clean), "%s", text);
	log_clean(clean);
	printf("%s%s", clean, end);
}

void stream_event(const json_t *event, bool json)
{
	const char *detail = field_text(event, "detail");

	if (json) {
		json_dumpf(event, stdout,
			   JSON_COMPACT | JSON_ENSURE_ASCII |
				   JSON_REAL_PRECISION(12));
		putchar('\n');
		return;
	}
	if (field_int(event, "lost") > 0)
		report_error("%" JSON_INTEGER_FORMAT " events were lost before "
			     "the next one (read faster)",
			     field_int(event, "lost"));
	printf("%s  %-8s  %s%s", field_text(event, "time"),
	       field_text(event, "vm"), field_text(event, "event"),
	       *detail ? ": " : "");
	print_clean(detail, "\n");
}

/* What the guest says on its console, and what the process says, can't be taken
 * for the supervisor's words. */
void stream_log_line(const json_t *line)
{
	const char *source = field_text(line, "source");
	bool console = strcmp(source, "console") == 0;

	printf("%s  %" JSON_INTEGER_FORMAT "  %-7s  %s",
	       field_text(line, "time"), field_int(line, "generation"),
	       console ? source : field_text(line, "level"),
	       strcmp(source, "process") == 0 ? "process: " : "");
	print_clean(field_text(line, "text"), "\n");
}

/* The exit status for the end of a stream. result: of conn_receive(), not 1. */
static int end_of_stream(const struct conn *conn, int result)
{
	if (result == -EINTR)
		return CLI_OK;
	if (result != 0)
		return conn_report_loss(conn, result);
	report_error("supervisor ended");
	return CLI_OK;
}

static int take_replies(struct conn *conn, const struct stream *stream)
{
	struct reply reply;
	bool continues = true;
	int result, status = CLI_OK;

	interrupt_catch();
	while (continues && !status && !interrupt_take()) {
		result = conn_receive(conn, CONN_FOREVER, &reply);
		if (result != 1)
			return end_of_stream(conn, result);
		continues = reply.continues;
		if (reply.error[0])
			status = conn_report(stream->command, &reply);
		else
			stream->take(stream->ctx, reply.parameters);
		conn_reply_free(&reply);
		if (!status)
			status = report_flush();
	}
	if (stream->endless && !continues && !status)
		return end_of_stream(conn, 0);
	return status;
}

int stream_follow(const struct cli *cli, const struct stream *stream,
		  json_t *parameters)
{
	struct conn conn;
	int status = conn_open(&conn, cli), error;

	if (status) {
		json_decref(parameters);
		return status;
	}
	error = conn_send(&conn, stream->method, parameters, stream->endless);
	status = error ? conn_report_loss(&conn, error)
		       : take_replies(&conn, stream);
	conn_close(&conn);
	return status;
}
