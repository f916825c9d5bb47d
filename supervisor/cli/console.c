/* SPDX-License-Identifier: ISC */
/* vmsup console: a terminal on a kvm guest's console. */
#include "supervisor/cli/console.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/lib/base64.h"

/* Ctrl-], as in telnet(1). */
#define DETACH_KEY 0x1d
#define KEYS_BYTES 256

struct terminal {
	const char *name; /* of the VM */
	struct conn output, input;
	struct termios before;
	bool raw; /* the settings in before are to be restored */
};

static void restore_terminal(struct terminal *terminal)
{
	if (terminal->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
	terminal->raw = false;
}

/* Each key goes to the guest, which alone echoes it. */
static void make_raw(struct terminal *terminal)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
		return; /* no terminal: bytes go as they are */
	raw = terminal->before;
	cfmakeraw(&raw);
	terminal->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static int write_all(const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

static int show_output(const json_t *parameters)
{
	const char *text = field_text(parameters, "data");
	size_t size = strlen(text) / 4 * 3 + 1;
	cleanup_free uint8_t *bytes = malloc(size);
	int length = bytes ? base64_decode(bytes, size, text) : -ENOMEM;

	return length < 0 ? length : write_all(bytes, (size_t)length);
}

/* Prints what came from the guest. 1: go on; 0: the console ended; -errno. */
static int take_output(struct terminal *terminal)
{
	for (;;) {
		struct reply reply;
		int result = conn_receive(&terminal->output, 0, &reply);

		if (result == -EAGAIN)
			return 1;
		if (result == 0) { /* the supervisor hung up */
			restore_terminal(terminal);
			conn_report_loss(&terminal->output, result);
			return -ECANCELED;
		}
		if (result != 1)
			return result;
		if (reply.error[0]) {
			restore_terminal(terminal);
			conn_report("console", &reply);
			result = -ECANCELED;
		} else {
			result = show_output(reply.parameters);
			if (result == 0)
				result = reply.continues ? 1 : 0;
		}
		conn_reply_free(&reply);
		if (result != 1)
			return result;
	}
}

/* Sends keys. The ones that the guest didn't take are sent
 * again. An enum cli_exit. */
static int type_key(struct terminal *terminal, const uint8_t *keys,
		    size_t length)
{
	char text[BASE64_LENGTH(KEYS_BYTES)];

	while (length > 0) {
		json_t *reply;
		json_int_t taken;
		int status;

		base64_encode(text, keys, length);
		status = conn_call(&terminal->input, "Type",
				   json_pack("{s:s, s:s}", "name",
					     terminal->name, "data", text),
				   CONN_TIMEOUT_MS, &reply);
		if (status)
			return status;
		taken = field_int(reply, "taken");
		json_decref(reply);
		if (taken <= 0)
			return CLI_OK; /* lost: the guest doesn't read */
		keys += taken;
		length -= (size_t)taken;
	}
	return CLI_OK;
}

/* Reads keys and sends them. 1: go on; 0: the person detached; below 0:
 * an enum cli_exit, negated. */
static int take_keys(struct terminal *terminal)
{
	uint8_t keys[KEYS_BYTES];
	ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));
	ssize_t before = 0;
	int status;

	if (got < 0 && errno == EINTR)
		return 1;
	if (got <= 0) {
		return 0; /* the end of a pipe detaches, too */
	}
	while (before < got && keys[before] != DETACH_KEY)
		before++;
	status = type_key(terminal, keys, (size_t)before);
	if (status)
		return -status;
	return before < got ? 0 : 1;
}

/* Carries bytes both ways until the console ends. An enum cli_exit. */
static int serve_console(struct terminal *terminal)
{
	int result = take_output(terminal);

	while (result == 1) {
		struct pollfd polled[] = {
			{ .fd = terminal->output.fd, .events = POLLIN },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};

		if (poll(polled, ARRAY_SIZE(polled), -1) < 0 && errno != EINTR)
			return CLI_FAILED;
		if (polled[0].revents)
			result = take_output(terminal);
		if (result == 1 && polled[1].revents) {
			result = take_keys(terminal);
			if (result <= 0)
				return -result;
		}
	}
	restore_terminal(terminal);
	if (result == -ECANCELED)
		return CLI_FAILED;
	return result == 0 ? CLI_OK
			   : conn_report_loss(&terminal->output, result);
}

static int run_console(const struct cli *cli, const struct cli_args *args)
{
	struct terminal terminal = {
		.name = args->names[0],
		.output = CONN_NONE,
		.input = CONN_NONE,
	};
	int status = conn_open(&terminal.output, cli);
	int error;

	if (!status)
		status = conn_open(&terminal.input, cli);
	if (!status) {
		error = conn_send(&terminal.output, "Console",
				  json_pack("{s:s}", "name", terminal.name),
				  true);
		if (error)
			status = conn_report_loss(&terminal.output, error);
	}
	if (!status) {
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "console of %s; Ctrl-] detaches\n",
				terminal.name);
		make_raw(&terminal);
		status = serve_console(&terminal);
		restore_terminal(&terminal);
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\n");
	}
	conn_close(&terminal.input);
	conn_close(&terminal.output);
	return status;
}

const struct cli_command console_command = {
	.name = "console",
	.usage = "NAME",
	.summary = "attach to the console of a VM with guest kvm",
	.details =
		"What it printed before is shown first. Ctrl-] detaches; the "
		"VM goes on. Several\nmay be attached at a time.\n",
	.min_args = 1,
	.max_args = 1,
	.missing = "no VM named",
	.names_vms = true,
	.run = run_console,
};
