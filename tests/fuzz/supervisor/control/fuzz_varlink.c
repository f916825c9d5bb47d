/* SPDX-License-Identifier: ISC */
/*
 * Any bytes on a connection of the control socket: parsed, routed and answered
 * as in the supervisor, with a few toy methods. The first byte chooses how many
 * bytes are sent at a time, and whether the peer reads, hangs up early, or only
 * closes its sending side.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PEER_READS = 0x80,
	PEER_HANGS_UP = 0x40,
	PEER_SHUTS = 0x20
};

static struct call *kept;

static void echo(void *ctx, struct call *call)
{
	(void)ctx;
	if (call->more)
		call_more(call, json_incref(call->parameters));
	call_reply(call, json_incref(call->parameters));
}

static void forget(struct call *call)
{
	assert(kept == call);
	kept = NULL;
}

static void keep(void *ctx, struct call *call)
{
	(void)ctx;
	assert(!kept);
	call->gone = forget;
	kept = call;
}

static void name(void *ctx, struct call *call)
{
	const char *text =
		json_string_value(json_object_get(call->parameters, "name"));

	(void)ctx;
	call_invalid_parameter(call, text ? text : "name");
}

static const struct control_method methods[] = {
	{ .name = "Echo", .handle = echo },
	{ .name = "Keep", .handle = keep },
	{ .name = "Name", .handle = name, .root_only = true },
	{ .name = "More", .handle = echo, .more_only = true },
	{ .name = "Hole" },
};

static const struct control_config config = {
	.interface = "io.vmsup",
	.description = "interface io.vmsup\n",
	.vendor = "vmsup",
	.product = "fuzz",
	.version = "1",
	.url = "",
	.methods = methods,
	.method_count = ARRAY_SIZE(methods),
	.group = (gid_t)-1,
};

static void ignore(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

/* Every reply is whole JSON and ends with a NUL. */
static void read_replies(int fd)
{
	static char bytes[1024 * 1024];
	ssize_t got = recv(fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);

	for (ssize_t at = 0; at < got;) {
		const char *nul = memchr(bytes + at, 0, (size_t)(got - at));
		json_t *reply;

		if (!nul)
			break; /* the socket was full: the rest comes later */
		reply = json_loads(bytes + at, 0, NULL);
		assert(reply);
		json_decref(reply);
		at = nul - bytes + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_counts counts;
	struct control *control;
	struct loop loop;
	int ends[2], error;
	size_t step, at = 1;
	uint8_t mode;

	if (size < 2)
		return 0;
	mode = data[0];
	step = 1 + (size_t)(mode & 0x1f) * 37;
	log_set(ignore, NULL, LOG_LEVEL_DEBUG);
	error = loop_init(&loop);
	assert(error == 0);
	control = control_new(&loop, -1, &config);
	assert(control);
	error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	assert(error == 0);
	error = control_adopt(control, ends[0], size & 1 ? 0 : 1000, 1);
	assert(error == 0);
	while (at < size) {
		size_t left = size - at;
		ssize_t sent = send(ends[1], data + at,
				    left < step ? left : step,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		loop_turn(&loop, 0);
		control_counts(control, &counts);
		if (counts.clients == 0)
			break;
		if (mode & PEER_READS)
			read_replies(ends[1]);
		else if (sent < 0)
			break; /* nobody reads, and everything is full */
		at += sent > 0 ? (size_t)sent : 0;
		if (sent < 0 && kept) {
			struct call *call = kept;

			kept = NULL;
			call_reply(call, NULL);
		}
	}
	if (mode & PEER_SHUTS)
		shutdown(ends[1], SHUT_WR);
	if (mode & PEER_HANGS_UP)
		fd_close(&ends[1]);
	for (int i = 0; i < 4; i++)
		loop_turn(&loop, 0);
	control_free(control);
	assert(!kept);
	loop_uninit(&loop);
	fd_close(&ends[1]);
	return 0;
}
