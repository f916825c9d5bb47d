/* SPDX-License-Identifier: ISC */
/*
 * The console of a kvm guest.
 *
 * Theory of operation: the guest may print as fast as it likes, in pieces as
 * large or small as it likes. The supervisor reads a bounded amount at a time,
 * and pauses between. The rest waits in the socket. What the UART in the VM
 * process then has no place for is lost there, and counted. So a guest that
 * prints without end costs the supervisor a share of its time, and no more.
 * Clients that attach get the guest's bytes as they are, because it is their
 * terminal. The log gets them cleaned.
 *
 * The process also holds the supervisor's end, for the next supervisor: see
 * takeover/adopt.c.
 */
#include "supervisor/vm/console.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/control/control_save.h"
#include "supervisor/control/waiting.h"
#include "supervisor/lib/base64.h"
#include "supervisor/lib/sockets.h"
#include "supervisor/vm/events.h"
#include "supervisor/vm/host.h"

/*
 * A turn ends after the read with which it has taken this many bytes or this
 * much time. A guest may send its bytes one by one, which costs more time each.
 */
#define TURN_BYTES 4096
#define TURN_NS    (NSEC_PER_MSEC / 4)
/* Pause PACE_TURNS x the last turn's length, at least PACE_MS, at most
 * PACE_MS_MAX. */
#define PACE_MS     5
#define PACE_TURNS  10
#define PACE_MS_MAX 200
/* Lines of one read that are logged. Text has no more lines in one read. */
#define PART_LINES 256
/* Bytes that are read after the process has ended: more than a socket holds. */
#define LAST_BYTES (1 << 20)
/* Bytes of one call of Type. */
#define TYPE_BYTES 1024

struct console {
	int fd, guest_fd; /* owned */
	struct source source;
	struct timer pace;
	uint64_t heard_ns; /* when output last came */
	uint64_t turn_ns; /* work since the last pause */
	struct call_list watchers; /* calls of Console, with more */
	char line[LOG_LINE_BYTES]; /* the line that hasn't ended yet */
	size_t line_bytes;
	unsigned int part_lines; /* logged of this read */
	uint64_t written; /* bytes of output ever */
	char ring[CONSOLE_KEPT_BYTES];
};

static struct console *console_of(struct vm *vm)
{
	struct console *console = vm->console;

	if (console)
		return console;
	console = calloc(1, sizeof(*console));
	if (!console)
		return NULL;
	console->fd = console->guest_fd = console->source.fd = -1;
	vm->console = console;
	return console;
}

/* ---- output */

static void end_line(struct vm *vm)
{
	struct console *console = vm->console;

	console->line[console->line_bytes] = '\0';
	console->line_bytes = 0;
	if (console->part_lines++ >= PART_LINES)
		return;
	log_clean(console->line);
	vm_keep_line(vm, VMLOG_CONSOLE, LOG_LEVEL_INFO, console->line);
}

/* Logs, after a read, how many lines of it weren't logged. */
static void end_lines(struct vm *vm)
{
	struct console *console = vm->console;
	char text[48];

	if (console->part_lines > PART_LINES) {
		snprintf(text, sizeof(text), "%u lines dropped",
			 console->part_lines - PART_LINES);
		vm_keep_line(vm, VMLOG_CONSOLE, LOG_LEVEL_WARN, text);
	}
	console->part_lines = 0;
}

static void add_to_lines(struct vm *vm, const char *bytes, size_t length)
{
	struct console *console = vm->console;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			end_line(vm);
		else if (bytes[i] != '\r' &&
			 console->line_bytes < sizeof(console->line) - 1)
			console->line[console->line_bytes++] = bytes[i];
	}
}

/* The bytes in base64. NULL without memory. */
static json_t *bytes_json(const char *bytes, size_t length)
{
	cleanup_free char *text = malloc(BASE64_LENGTH(length));

	if (!text)
		return NULL;
	base64_encode(text, bytes, length);
	return json_string(text);
}

static json_t *data_json(const char *bytes, size_t length)
{
	/* json_pack() returns NULL if a value is NULL */
	return json_pack("{s:o}", "data", bytes_json(bytes, length));
}

static void take_output(struct vm *vm, const char *bytes, size_t length)
{
	struct console *console = vm->console;
	struct waiting *watcher;

	for (size_t i = 0; i < length; i++)
		console->ring[console->written++ % CONSOLE_KEPT_BYTES] =
			bytes[i];
	for (watcher = LIST_FIRST(&console->watchers); watcher;
	     watcher = LIST_NEXT(watcher, entry))
		if (call_has_space(watcher->call))
			call_more(watcher->call, data_json(bytes, length));
	add_to_lines(vm, bytes, length);
	end_lines(vm);
}

/* Takes in what one read returns. False if there is no more now. */
static bool take_part(struct vm *vm)
{
	struct console *console = vm->console;
	char bytes[TURN_BYTES];
	ssize_t got = recv(console->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got > 0)
		take_output(vm, bytes, (size_t)got);
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		loop_remove(&vm->host->loop, &console->source);
	return got == (ssize_t)sizeof(bytes);
}

/* Reads on after the pause. */
static void end_turn(struct vm *vm)
{
	struct console *console = vm->console;
	uint64_t pause_ms = PACE_TURNS * console->turn_ns / NSEC_PER_MSEC;

	console->turn_ns = 0;
	if (pause_ms < PACE_MS)
		pause_ms = PACE_MS;
	if (pause_ms > PACE_MS_MAX)
		pause_ms = PACE_MS_MAX;
	loop_modify(&vm->host->loop, &console->source, 0);
	loop_timer_in(&vm->host->loop, &console->pace, pause_ms);
}

static void on_ready(struct source *source, uint32_t events)
{
	struct vm *vm = source->ctx;
	struct console *console = vm->console;
	uint64_t start_ns = loop_now_ns();
	bool full;

	(void)events;
	if (start_ns - console->heard_ns >= PACE_MS * NSEC_PER_MSEC)
		console->turn_ns = 0;
	full = take_part(vm);
	console->heard_ns = loop_now_ns();
	console->turn_ns += console->heard_ns - start_ns;
	if ((full || console->turn_ns >= TURN_NS) && console->source.fd >= 0)
		end_turn(vm);
}

static void listen_again(struct timer *timer)
{
	struct vm *vm = timer->ctx;

	if (vm->console->source.fd >= 0)
		loop_modify(&vm->host->loop, &vm->console->source, EPOLLIN);
}

/* ---- its ends */

int console_resume(struct vm *vm)
{
	struct console *console = vm->console;

	if (!console || console->fd < 0)
		return 0;
	console->pace.fire = listen_again;
	console->pace.ctx = vm;
	return loop_add(&vm->host->loop, &console->source, console->fd, EPOLLIN,
			on_ready, vm);
}

int console_restore(struct vm *vm)
{
	struct console *console = vm->console;

	if (!console || console->fd < 0)
		return 0;
	/* no descriptor ever goes over the console */
	sockets_allow_descriptors(console->fd, false);
	return sockets_restore(console->fd, O_NONBLOCK);
}

int console_open(struct vm *vm, struct problem *problem)
{
	struct console *console = console_of(vm);
	char mark[64];
	int ends[2];

	if (!console)
		return problem_set(problem, -ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       ends) < 0)
		return problem_set(problem, -errno,
				   "cannot make a console for %s: %s",
				   vm->config.name, strerror(errno));
	console_close(vm);
	console->fd = ends[0];
	console->guest_fd = ends[1];
	sockets_allow_descriptors(console->fd, false);
	if (console->written) {
		snprintf(mark, sizeof(mark), "\r\n[generation %llu]\r\n",
			 (unsigned long long)vm->generation);
		take_output(vm, mark, strlen(mark));
	}
	return 0;
}

int console_fd(const struct vm *vm)
{
	return vm->console ? vm->console->fd : -1;
}

int console_guest_fd(const struct vm *vm)
{
	return vm->console ? vm->console->guest_fd : -1;
}

int console_handed_over(struct vm *vm)
{
	fd_close(&vm->console->guest_fd);
	return console_resume(vm);
}

void console_close(struct vm *vm)
{
	struct console *console = vm->console;

	if (!console)
		return;
	for (int i = 0; i < LAST_BYTES / TURN_BYTES && console->fd >= 0; i++)
		if (!take_part(vm))
			break;
	if (console->line_bytes)
		end_line(vm);
	loop_remove(&vm->host->loop, &console->source);
	loop_timer_cancel(&vm->host->loop, &console->pace);
	fd_close(&console->fd);
	fd_close(&console->guest_fd);
}

void console_uninit(struct vm *vm)
{
	struct console *console = vm->console;

	if (!console)
		return;
	loop_remove(&vm->host->loop, &console->source);
	loop_timer_cancel(&vm->host->loop, &console->pace);
	fd_close(&console->fd);
	fd_close(&console->guest_fd);
	waiting_reply(&console->watchers, json_pack("{s:s}", "data", ""));
	free(console);
	vm->console = NULL;
}

bool console_adopt(struct vm *vm, int (*take)(const struct vm *vm, int number))
{
	struct console *console = console_of(vm);
	int fd;

	if (!console)
		return false;
	fd = take(vm, proto_fd_number(vm->process.protocol,
				      FD_ROLE_CONSOLE_ADOPT, 0));
	if (fd >= 0 && !sockets_is(fd, SOCK_STREAM, false))
		fd_close(&fd);
	console->fd = fd;
	return fd >= 0;
}

/* ---- who attaches */

void console_call_resume(struct vm *vm, struct call *call)
{
	struct console *console = console_of(vm);

	if (!console ||
	    !waiting_add(&console->watchers, call, sizeof(struct waiting)))
		call_failed(call, "out of memory");
}

json_t *console_call_save(const struct call *call)
{
	(void)call;
	return json_null();
}

/* The last output, oldest first, in base64. NULL without memory. */
static json_t *kept_json(const struct console *console)
{
	size_t kept = console->written < CONSOLE_KEPT_BYTES
			      ? (size_t)console->written
			      : CONSOLE_KEPT_BYTES;
	cleanup_free char *bytes = malloc(kept + 1);

	if (!bytes)
		return NULL;
	for (size_t i = 0; i < kept; i++)
		bytes[i] = console->ring[(console->written - kept + i) %
					 CONSOLE_KEPT_BYTES];
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	return data_json(bytes, kept);
}

void console_attach(struct vm *vm, struct call *call)
{
	struct console *console = console_of(vm);

	if (!console) {
		call_failed(call, "out of memory");
	} else if (call->more) {
		call_more(call, kept_json(console));
		console_call_resume(vm, call);
	} else {
		call_reply(call, kept_json(console));
	}
}

void console_type(struct vm *vm, struct call *call)
{
	const char *text =
		json_string_value(json_object_get(call->parameters, "data"));
	uint8_t bytes[TYPE_BYTES];
	int length = text ? base64_decode(bytes, sizeof(bytes), text) : -1;
	ssize_t sent;

	if (length < 0) {
		call_invalid_parameter(call, "data");
		return;
	}
	sent = send(console_fd(vm), bytes, (size_t)length,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		call_failed(call, "the VM has no console now");
	else
		call_reply(call, json_pack("{s:i}", "taken",
					   sent < 0 ? 0 : (int)sent));
}

/* ---- over an upgrade */

json_t *console_save(const struct vm *vm)
{
	const struct console *console = vm->console;
	json_t *object, *line;

	if (!console)
		return json_null();
	object = kept_json(console);
	line = bytes_json(console->line, console->line_bytes);
	if (json_object_set_new(object, "line", line) < 0 ||
	    json_object_set_new(object, "fd", json_integer(console->fd)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int console_load(struct vm *vm, const json_t *saved)
{
	const char *text = json_string_value(json_object_get(saved, "data"));
	const char *line = json_string_value(json_object_get(saved, "line"));
	json_t *fd = json_object_get(saved, "fd");
	struct console *console;
	int length;

	if (!text || !json_is_integer(fd))
		return 0;
	console = console_of(vm);
	if (!console)
		return -ENOMEM;
	length = base64_decode(console->ring, sizeof(console->ring), text);
	console->written = length < 0 ? 0 : (uint64_t)length;
	/* earlier versions didn't save it */
	length = line ? base64_decode(console->line, sizeof(console->line) - 1,
				      line)
		      : 0;
	console->line_bytes = length < 0 ? 0 : (size_t)length;
	console->fd = (int)json_integer_value(fd);
	return 0;
}
