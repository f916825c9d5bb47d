/* SPDX-License-Identifier: ISC */
/* Whole calls: one request, one reply, and what errors mean to a person. */
#ifndef VMSUP_SUPERVISOR_CLI_CONN_CALL_H
#define VMSUP_SUPERVISOR_CLI_CONN_CALL_H

#include <jansson.h>

#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"

/* One call, one reply. An enum cli_exit; errors are printed. With CLI_OK *out
 * is the reply's parameters, the caller's (out may be NULL). */
int conn_call(struct conn *conn, const char *method, json_t *parameters,
	      int timeout_ms, json_t **out);

/* Prints what the error reply says. Returns the exit status for it. */
int conn_report(const char *method, const struct reply *reply);
/* Prints why conn_receive() gave result (0 or less). An enum cli_exit. */
int conn_report_loss(const struct conn *conn, int result);

/* The same on a connection of its own, which may take CONN_TIMEOUT_MS. */
int conn_ask(const struct cli *cli, const char *method, json_t *parameters,
	     json_t **out);

/* Status of those VMs (count 0: all), on a connection of its own. An enum
 * cli_exit; *out is the caller's. */
int conn_status(const struct cli *cli, char *const *names, int count,
		json_t **out);

/* An array of those names; NULL: no memory. */
json_t *conn_names(char *const *names, int count);

#endif
