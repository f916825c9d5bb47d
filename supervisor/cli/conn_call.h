/* SPDX-License-Identifier: ISC */
/* Calls with one reply, and errors in words. */
#ifndef VMSUP_SUPERVISOR_CLI_CONN_CALL_H
#define VMSUP_SUPERVISOR_CLI_CONN_CALL_H

#include <jansson.h>

#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"

/* Makes a call, whose parameters it takes over, and waits for its reply. An
 * enum cli_exit, with errors printed. With CLI_OK, *out has the parameters of
 * the reply, which are the caller's; out may be NULL. */
int conn_call(struct conn *conn, const char *method, json_t *parameters,
	      int timeout_ms, json_t **out);

/* Prints the error of a reply. Returns the exit status for it. */
int conn_report(const char *method, const struct reply *reply);
/* Prints what a result of conn_receive() means, 0 or less. An enum cli_exit. */
int conn_report_loss(const struct conn *conn, int result);

/* The same on a connection of its own, within CONN_TIMEOUT_MS. */
int conn_ask(const struct cli *cli, const char *method, json_t *parameters,
	     json_t **out);

/* Asks for Status of those VMs (count 0: all), on a connection of its own. An
 * enum cli_exit; *out is the caller's. */
int conn_status(const struct cli *cli, char *const *names, int count,
		json_t **out);

/* Makes an array of those names. NULL: no memory. */
json_t *conn_names(char *const *names, int count);

#endif
