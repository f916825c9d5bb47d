/* SPDX-License-Identifier: ISC */
/*
 * The control socket's way through an upgrade: connections to JSON and back.
 *
 * Theory of operation: the sockets themselves are inherited over execve, with
 * what the kernel holds for them. What is saved is what the supervisor has read
 * and not yet run, what it has written and not yet sent, to the byte, and the
 * call under way: as it came in, for it goes through the same checks again. All
 * else (who hung up, which socket is full) a new look at the socket tells.
 *
 * The document comes from an image that may have been older or newer. So no
 * number in it is taken for a descriptor before the kernel said that it is a
 * socket like those that are served here, and what isn't understood costs that
 * one client its connection.
 */
#include "supervisor/control/control_save.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/control/client.h"
#include "supervisor/lib/sockets.h"

/* To be raised if an older image would misread the document. It ignores
 * keys that it doesn't know. */
#define FORMAT 1

/* ---- bytes as text */

/* In hexadecimal, because jansson refuses text that isn't UTF-8. */
static json_t *hex(const struct buffer *buffer)
{
	static const char digits[] = "0123456789abcdef";
	const char *head = buffer_head(buffer);
	size_t length = buffer_length(buffer);
	char *text = malloc(2 * length + 1);
	json_t *string;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[(unsigned char)head[i] >> 4];
		text[2 * i + 1] = digits[head[i] & 15];
	}
	string = json_stringn_nocheck(text, 2 * length);
	free(text);
	return string;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Adds the bytes of such a text to the end. 0,
 * -EBADMSG, -ENOBUFS or -ENOMEM. */
static int unhex(struct buffer *buffer, const json_t *text)
{
	const char *digits = json_string_value(text);
	size_t length = json_string_length(text) / 2;
	int error;

	if (!digits || json_string_length(text) % 2)
		return -EBADMSG;
	error = length ? buffer_reserve(buffer, length) : 0;
	if (error)
		return error;
	for (size_t i = 0; i < length; i++) {
		int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		buffer->data[buffer->end++] = (char)(high << 4 | low);
	}
	return 0;
}

/* ---- the old image */

/* Whether a connection goes on: not if the loop is about to end it. */
static bool goes_on(const struct control_client *client)
{
	return client->state != CLIENT_ENDING;
}

static json_t *save_client(const struct control_client *client)
{
	json_t *object, *message, *saved;

	object = json_pack("{s:i, s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "fd",
			   client->fd, "uid", (json_int_t)client->uid, "pid",
			   (json_int_t)client->pid, "active_ns",
			   (json_int_t)client->active_ns, "since_ns",
			   (json_int_t)client->since_ns, "draining",
			   client->state == CLIENT_DRAINING, "in",
			   hex(&client->in), "out", hex(&client->out));
	message = client_call(client, &saved);
	if (message && (json_object_set_new(object, "saved", saved) < 0 ||
			json_object_set(object, "call", message) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *control_save(const struct control *control)
{
	const struct control_client *client;
	json_t *clients = json_array();

	for (client = TAILQ_FIRST(&control->clients); client && clients;
	     client = TAILQ_NEXT(client, by_age)) {
		if (goes_on(client) &&
		    json_array_append_new(clients, save_client(client)) < 0) {
			json_decref(clients);
			clients = NULL;
		}
	}
	return json_pack("{s:i, s:i, s:I, s:I, s:o}", "format", FORMAT,
			 "listener", control->listen_fd, "refused",
			 (json_int_t)control->counts.refused, "cut_off",
			 (json_int_t)control->counts.cut_off, "clients",
			 clients);
}

int control_each_fd(const struct control *control,
		    int (*visit)(void *ctx, int fd), void *ctx)
{
	const struct control_client *client;
	int result = 0;

	if (control->listen_fd >= 0)
		result = visit(ctx, control->listen_fd);
	for (client = TAILQ_FIRST(&control->clients); client && !result;
	     client = TAILQ_NEXT(client, by_age))
		if (goes_on(client))
			result = visit(ctx, client->fd);
	return result;
}

void control_listen_again(const struct control *control)
{
	if (control->listen_fd >= 0)
		(void)listen(control->listen_fd, SOMAXCONN);
}

/* ---- the new image */

/* The integer of that name, if it is one from min to max; else otherwise. */
static json_int_t integer(const json_t *object, const char *name,
			  json_int_t min, json_int_t max, json_int_t otherwise)
{
	const json_t *value = json_object_get(object, name);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < min || number > max)
		return otherwise;
	return number;
}

int control_saved_listener(const json_t *saved)
{
	int fd = (int)integer(saved, "listener", 0, INT_MAX, -1);

	return sockets_is(fd, SOCK_STREAM, true) ? fd : -EBADMSG;
}

/* The descriptor of the connection that object describes. -1: it is
 * no connection of the control socket. Standard error may be a
 * similar socket, the journal's. */
static int find_connection(const struct control *control, const json_t *object)
{
	int fd = (int)integer(object, "fd", STDERR_FILENO + 1, INT_MAX, -1);
	const struct control_client *client;

	if (!sockets_is(fd, SOCK_STREAM, false))
		return -1;
	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age))
		if (client->fd == fd)
			return -1;
	return fd;
}

static uint64_t time_of(const json_t *object, const char *name, uint64_t now_ns)
{
	return (uint64_t)integer(object, name, 0, (json_int_t)now_ns,
				 (json_int_t)now_ns);
}

/* 0; or -errno with *why, which completes a sentence that begins with "its". */
static int restore_call(struct control_client *client, const json_t *object,
			const char **why)
{
	json_t *message = json_object_get(object, "call");
	json_t *saved = json_object_get(object, "saved");

	if (!message)
		return 0;
	*why = "call is not understood";
	if (!saved || client->state != CLIENT_SERVED)
		return -EBADMSG;
	return client_take_call(client, json_incref(message),
				json_incref(saved));
}

static int restore_state(struct control_client *client, const json_t *object,
			 const char **why)
{
	const json_t *draining = json_object_get(object, "draining");
	uint64_t now_ns = loop_now_ns();
	int error;

	*why = "state is not understood";
	if (!json_is_boolean(draining))
		return -EBADMSG;
	if (json_is_true(draining))
		client->state = CLIENT_DRAINING;
	/* nothing is sent before the loop finds room in the socket */
	client->blocked = true;
	/* the clock goes on: an upgrade gives no client more time */
	client->active_ns = time_of(object, "active_ns", now_ns);
	client->since_ns = time_of(object, "since_ns", now_ns);
	*why = "unread input or unsent output is not understood";
	error = unhex(&client->in, json_object_get(object, "in"));
	if (!error)
		error = unhex(&client->out, json_object_get(object, "out"));
	return error ? error : restore_call(client, object, why);
}

static void lose(struct control *control, const json_t *object, const char *why)
{
	char text[96];

	snprintf(text, sizeof(text), "its %s", why);
	control_note(control, CONTROL_NOTE_LOST,
		     (uid_t)integer(object, "uid", 0, UINT_MAX, UINT_MAX),
		     (pid_t)integer(object, "pid", 0, INT_MAX, 0), text);
}

/* Takes over fd. NULL: fd was closed, and *why completes a
 * sentence that begins with "its". */
static struct control_client *restore_client(struct control *control, int fd,
					     const json_t *object,
					     bool understood, const char **why)
{
	json_int_t uid = integer(object, "uid", 0, UINT_MAX, -1);
	json_int_t pid = integer(object, "pid", 0, INT_MAX, -1);
	struct control_client *client = NULL;
	int error = -EBADMSG;

	*why = "state is not understood";
	if (understood && uid >= 0 && pid >= 0) {
		*why = "place is not there any more";
		if (control->counts.clients < CONTROL_MAX_CLIENTS)
			client = client_new(control, fd, (uid_t)uid, (pid_t)pid,
					    &error);
	}
	if (!client) {
		fd_close(&fd);
		return NULL;
	}
	if (restore_state(client, object, why) == 0)
		return client;
	client_free(client);
	return NULL;
}

static void restore_one(struct control *control, const json_t *object,
			bool understood)
{
	int fd = find_connection(control, object);
	struct control_client *client;
	const char *why;

	if (fd < 0) {
		lose(control, object, "connection is not there");
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	client = restore_client(control, fd, object, understood, &why);
	control_allow_descriptors(fd, client && client->uid == 0);
	if (client)
		control_queue(control, client); /* to look at the socket */
	else
		lose(control, object, why);
}

/* To be called when all clients are there: a call
 * may answer calls of others. */
static void resume_all(struct control *control)
{
	struct control_client *client, *next;

	for (client = TAILQ_FIRST(&control->clients); client; client = next) {
		/* a client that is answered moves to the end of the list */
		next = TAILQ_NEXT(client, by_age);
		client_resume(client);
	}
}

int control_restore(struct control *control, const json_t *saved)
{
	const json_t *clients = json_object_get(saved, "clients");
	bool understood = integer(saved, "format", 0, INT_MAX, -1) == FORMAT;
	struct control_counts *counts = &control->counts;

	counts->refused +=
		(unsigned long long)integer(saved, "refused", 0, LLONG_MAX, 0);
	counts->cut_off +=
		(unsigned long long)integer(saved, "cut_off", 0, LLONG_MAX, 0);
	if (!json_is_array(clients)) {
		log_warn("control socket: what the supervisor before this one "
			 "left is not understood: its clients are lost (they "
			 "may connect again)");
		return -EBADMSG;
	}
	for (size_t i = 0; i < json_array_size(clients); i++)
		restore_one(control, json_array_get(clients, i), understood);
	resume_all(control);
	return 0;
}
