/* SPDX-License-Identifier: ISC */
/* Calls with one reply, and errors in words. */
#include "supervisor/cli/conn_call.h"

#include <errno.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/report.h"

static int say_no_such_vm(const char *method, const json_t *parameters)
{
	(void)method;
	report_error("%s: no such VM (see 'vmsup status')",
		     field_text(parameters, "name"));
	return CLI_NO_VM;
}

static int say_wrong_state(const char *method, const json_t *parameters)
{
	const char *remedy = field_text(parameters, "remedy");

	(void)method;
	return report_error("%s is in state %s%s%s%s",
			    field_text(parameters, "name"),
			    field_text(parameters, "state"),
			    *remedy ? " (" : "", remedy, *remedy ? ")" : "");
}

static int say_no_such_signal(const char *method, const json_t *parameters)
{
	(void)method;
	return report_usage("kill", "unknown signal \"%s\"",
			    field_text(parameters, "signal"));
}

static int say_failed(const char *method, const json_t *parameters)
{
	const char *message = field_text(parameters, "message");

	(void)method;
	/* The message may be a whole line of the supervisor's. */
	if (strncmp(message, "vmsup: ", 7) == 0)
		message += 7;
	return report_error("%s", message);
}

static int say_permission(const char *method, const json_t *parameters)
{
	(void)parameters;
	return report_error("%s: permission denied (only root may; use sudo)",
			    method);
}

static int say_parameter(const char *method, const json_t *parameters)
{
	return report_error("%s: the supervisor refuses the %s given (see "
			    "'vmsup --help')",
			    method, field_text(parameters, "parameter"));
}

static int say_version(const char *method, const json_t *parameters)
{
	(void)parameters;
	return report_error(
		"%s: the supervisor doesn't know this call (it is of "
		"another version: restart it)",
		method);
}

static const struct {
	const char *error;
	int (*say)(const char *method, const json_t *parameters);
} errors[] = {
	{ "io.vmsup.NoSuchVm", say_no_such_vm },
	{ "io.vmsup.WrongState", say_wrong_state },
	{ "io.vmsup.NoSuchSignal", say_no_such_signal },
	{ "io.vmsup.Failed", say_failed },
	{ "org.varlink.service.PermissionDenied", say_permission },
	{ "org.varlink.service.InvalidParameter", say_parameter },
	{ "org.varlink.service.MethodNotFound", say_version },
	{ "org.varlink.service.MethodNotImplemented", say_version },
	{ "org.varlink.service.InterfaceNotFound", say_version },
};

int conn_report(const char *method, const struct reply *reply)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(reply->error, errors[i].error) == 0)
			return errors[i].say(method, reply->parameters);
	return report_error("%s: the supervisor says %s", method, reply->error);
}

int conn_report_loss(const struct conn *conn, int result)
{
	switch (result) {
	case 0:
		return report_error("the supervisor hung up (too many clients, "
				    "or it ended: see 'vmsup status')");
	case -EAGAIN:
		return report_error(
			"the supervisor, process %d, doesn't answer "
			"(it hangs, or is stopped)",
			conn->peer_pid);
	case -EINTR: /* the person pressed Ctrl-C, and knows */
	case -ECANCELED: /* the error of the reply was printed */
		return CLI_FAILED;
	case -EPROTO:
		return report_error("what answers is no supervisor: the reply "
				    "isn't varlink (check --run-dir)");
	default:
		return report_error("cannot talk to the supervisor: %s",
				    strerror(-result));
	}
}

int conn_call(struct conn *conn, const char *method, json_t *parameters,
	      int timeout_ms, json_t **out)
{
	struct reply reply;
	int result, status = CLI_OK;

	if (out)
		*out = NULL;
	result = conn_send(conn, method, parameters, false);
	/* The supervisor may have refused the connection, and hung up: after
	 * EPIPE, the refusal can still be read. */
	if (result && result != -EPIPE)
		return conn_report_loss(conn, result);
	result = conn_receive(conn, timeout_ms, &reply);
	if (result <= 0)
		return conn_report_loss(conn, result);
	if (reply.error[0])
		status = conn_report(method, &reply);
	else if (out)
		*out = json_incref(reply.parameters);
	conn_reply_free(&reply);
	return status;
}

int conn_ask(const struct cli *cli, const char *method, json_t *parameters,
	     json_t **out)
{
	struct conn conn;
	int status = conn_open(&conn, cli);

	if (!status) {
		status = conn_call(&conn, method, parameters, CONN_TIMEOUT_MS,
				   out);
		conn_close(&conn);
		return status;
	}
	json_decref(parameters);
	if (out)
		*out = NULL;
	return status;
}

json_t *conn_names(char *const *names, int count)
{
	json_t *array = json_array();

	for (int i = 0; i < count; i++) {
		/* A name that isn't UTF-8 is no VM's.
		 * The supervisor says so. */
		json_t *name = json_string(names[i]);

		if (json_array_append_new(array,
					  name ? name : json_string("?"))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

int conn_status(const struct cli *cli, char *const *names, int count,
		json_t **out)
{
	return conn_ask(
		cli, "Status",
		count ? json_pack("{s:o}", "names", conn_names(names, count))
		      : NULL,
		out);
}
