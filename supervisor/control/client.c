/* SPDX-License-Identifier: ISC */
/*
 * One connection of the control socket: bytes in, calls run, bytes out.
 *
 * Theory of operation: the peer may send anything, at any pace, and may read
 * nothing. So all it can make grow is two buffers with limits and one parsed
 * call; it gets a bounded share of each turn of the loop; and a deadline runs
 * whenever it owes something. Whatever goes wrong ends this connection and
 * nothing else.
 *
 * Methods answer their calls (call.c) while this file may be on the stack below
 * them. Therefore call_reply() and its like only ever write into the buffer and
 * mark the client: what follows from it is done by client_work(), later, from
 * the loop. That also keeps a thousand pipelined calls from becoming a thousand
 * nested ones.
 *
 * Descriptors beside a message are taken from root alone; the sockets of all
 * others refuse them (control.c), and recv() offers them no room. They go to
 * the message that is complete next.
 */
#include "supervisor/control/client.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/ancillary.h"
#include "ipc/fd.h"
#include "supervisor/control/service.h"
#include "supervisor/control/varlink.h"

/* The calls of one client in one turn of the loop. */
#define CALLS_PER_TURN 8
#define READ_BYTES     4096
/* With more output than this unsent, the next call waits. So a client that
 * pipelines calls is slowed down, not cut off. */
#define AHEAD_BYTES (64UL * 1024)
/* A client that was stuck for this long may be evicted for a newcomer. */
#define STUCK_MS 500

struct pending_call {
	struct call call;
	struct varlink_call message;
	/* owned; not NULL: the call is still to be resumed with it */
	json_t *saved;
};

static void close_fds(int *fds, size_t *count)
{
	while (*count > 0)
		fd_close(&fds[--*count]);
}

/* ---- the end of a connection */

/* While a method of the client runs, client_work() is on the stack:
 * it does the work itself. */
static void queue_client(struct control_client *client)
{
	if (!client->running)
		control_queue(client->control, client);
}

/* Ends the connection at once: nothing more is read, and nothing is sent. */
static void end_client(struct control_client *client)
{
	client->state = CLIENT_ENDING;
	buffer_clear(&client->in);
	buffer_clear(&client->out);
	queue_client(client);
}

static void cut_off(struct control_client *client, const char *why)
{
	if (client->state == CLIENT_ENDING)
		return;
	/* a client that drains was counted when it began to drain */
	if (client->state != CLIENT_DRAINING)
		control_note(client->control, CONTROL_NOTE_MISBEHAVED,
			     client->uid, client->pid, why);
	end_client(client);
}

int client_put_failure(const struct control_config *config, struct buffer *out,
		       const char *what, const char *why)
{
	char error[VARLINK_MAX_NAME + 1], message[160];

	snprintf(error, sizeof(error), "%s.Failed", config->interface);
	snprintf(message, sizeof(message), "%s: %s", what, why);
	return varlink_put_error(out, error,
				 json_pack("{s:s}", "message", message));
}

/* Ends the connection after an error that says why. */
static void fail_client(struct control_client *client, const char *why)
{
	char what[128];

	snprintf(what, sizeof(what), "its message %s", why);
	control_note(client->control, CONTROL_NOTE_MISBEHAVED, client->uid,
		     client->pid, what);
	client->state = CLIENT_DRAINING;
	client->since_ns = loop_now_ns();
	buffer_clear(&client->in);
	if (client_put_failure(client->control->config, &client->out,
			       "the connection is closed, because a message",
			       why) < 0)
		end_client(client);
}

/* ---- output */

static void touch(struct control_client *client)
{
	struct client_list *clients = &client->control->clients;

	client->active_ns = loop_now_ns();
	TAILQ_REMOVE(clients, client, by_age);
	TAILQ_INSERT_TAIL(clients, client, by_age);
}

/* For a client that reads nothing more: drops the output, but not the
 * calls that it sent before. */
static void grow_deaf(struct control_client *client)
{
	client->deaf = true;
	buffer_clear(&client->out);
}

void client_flush(struct control_client *client)
{
	size_t length = buffer_length(&client->out);
	ssize_t sent;

	if (length == 0 || client->blocked)
		return;
	sent = send(client->fd, buffer_head(&client->out), length,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		grow_deaf(client);
		return;
	}
	client->blocked = sent < (ssize_t)length;
	if (sent > 0) {
		buffer_consume(&client->out, (size_t)sent);
		touch(client);
	}
}

bool client_hears(const struct control_client *client)
{
	return client->state == CLIENT_SERVED && !client->deaf;
}

/* Counts the unread output of each user. Returns that of all. */
static size_t count_unread(const struct control *control)
{
	const struct control_client *client;
	size_t unread = 0;

	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age))
		client->user->unread = 0;
	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age)) {
		client->user->unread += buffer_length(&client->out);
		unread += buffer_length(&client->out);
	}
	return unread;
}

/* The client with the most unread output: of that user, or (NULL)
 * of the user with the most. */
static struct control_client *find_worst(const struct control *control,
					 const struct control_user *user)
{
	struct control_client *client, *worst = NULL;

	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age)) {
		if (user && client->user != user)
			continue;
		if (!worst || client->user->unread > worst->user->unread ||
		    (client->user == worst->user &&
		     buffer_length(&client->out) > buffer_length(&worst->out)))
			worst = client;
	}
	return worst;
}

/* Bounds the unread output of all clients of one user, and of all clients. */
static void share_memory(const struct control_client *client)
{
	const struct control *control = client->control;
	size_t unread = count_unread(control);

	if (client->uid != 0 &&
	    client->user->unread > CONTROL_USER_UNREAD_BYTES) {
		cut_off(find_worst(control, client->user),
			"too much is unread by its user, and most of it by it");
		unread = count_unread(control);
	}
	if (unread > CONTROL_MAX_UNREAD_BYTES)
		cut_off(find_worst(control, NULL),
			"too much is unread, and most of it by its user");
}

/* error: why a message couldn't be added to the output; 0: it was. */
void client_put(struct control_client *client, int error)
{
	share_memory(client);
	if (error == -ENOBUFS)
		cut_off(client, "it doesn't read what is sent to it");
	else if (error)
		cut_off(client, "a reply can't be written");
	else if (buffer_length(&client->out) > AHEAD_BYTES)
		client_flush(client);
	queue_client(client);
}

/* ---- the call under way */

static void pending_free(struct pending_call *pending)
{
	close_fds(pending->call.fds, &pending->call.fd_count);
	varlink_call_uninit(&pending->message);
	json_decref(pending->saved);
	free(pending);
}

void client_end_call(struct control_client *client)
{
	struct pending_call *pending = client->pending;

	client->pending = NULL;
	pending_free(pending);
	touch(client);
	queue_client(client);
}

/* ---- input */

/* True: the input begins with a whole message of *length bytes. */
static bool whole_message(struct control_client *client, size_t *length)
{
	const char *head = buffer_head(&client->in);
	size_t held = buffer_length(&client->in);
	const char *nul = NULL;

	if (held > client->scanned)
		nul = memchr(head + client->scanned, '\0',
			     held - client->scanned);
	client->scanned = nul ? (size_t)(nul - head) : held;
	*length = client->scanned;
	return nul;
}

static bool wants_input(const struct control_client *client)
{
	return client->state == CLIENT_SERVED && !client->ended &&
	       !client->user->over &&
	       buffer_length(&client->in) < CONTROL_MAX_REQUEST_BYTES;
}

/* Takes the descriptors that came beside bytes. False: there are too many, or
 * there is other ancillary data, which no client can send. */
static bool take_fds(struct control_client *client, struct msghdr *message)
{
	struct ancillary ancillary =
		ancillary_take(message, client->fds + client->fd_count,
			       CONTROL_MAX_FDS - client->fd_count);

	client->fd_count += ancillary.count;
	return !(message->msg_flags & MSG_CTRUNC) && !ancillary.surplus &&
	       !ancillary.unasked;
}

/* Like recv(2); from root's clients, with descriptors. */
static ssize_t receive_some(struct control_client *client, void *bytes,
			    size_t room)
{
	struct iovec part = { bytes, room };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	if (client->uid != 0)
		return recv(client->fd, bytes, room, MSG_DONTWAIT);
	got = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got >= 0 && !take_fds(client, &message)) {
		errno = EMSGSIZE;
		return -1;
	}
	return got;
}

static void receive(struct control_client *client)
{
	struct buffer *in = &client->in;
	size_t room = CONTROL_MAX_REQUEST_BYTES - buffer_length(in);
	ssize_t got;

	if (buffer_reserve(in, room < READ_BYTES ? room : READ_BYTES) < 0) {
		cut_off(client, "no memory is left for its message");
		return;
	}
	if (room > in->capacity - in->end)
		room = in->capacity - in->end;
	got = receive_some(client, in->data + in->end, room);
	if (got > 0) {
		in->end += (size_t)got;
		touch(client);
		return;
	}
	if (got < 0 && errno == EMSGSIZE) {
		cut_off(client,
			"it sends too many descriptors, or control messages");
		return;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		client->ended = true;
	if (buffer_length(in) == 0)
		buffer_clear(in);
}

/* ---- the start of calls */

static void set_call(struct control_client *client,
		     struct pending_call *pending)
{
	pending->call = (struct call){
		.client = client,
		.method = pending->message.method,
		.parameters = pending->message.parameters,
		.more = pending->message.more,
		.oneway = pending->message.oneway,
		.peer_uid = client->uid,
		.peer_pid = client->pid,
	};
	client->pending = pending;
}

static void start_call(struct control_client *client,
		       struct pending_call *pending)
{
	set_call(client, pending);
	memcpy(pending->call.fds, client->fds,
	       client->fd_count * sizeof(client->fds[0]));
	pending->call.fd_count = client->fd_count;
	client->fd_count = 0;
	if (pending->message.upgrade)
		service_not_implemented(&pending->call);
	else
		service_route(client->control->config, &pending->call, NULL);
}

/* Runs the message in the first length bytes of the input. */
static void run_message(struct control_client *client, size_t length)
{
	struct pending_call *pending = calloc(1, sizeof(*pending));
	const char *why = "doesn't fit into memory";
	int error = -ENOMEM;

	if (pending)
		error = varlink_parse(buffer_head(&client->in), length,
				      &pending->message, &why);
	buffer_consume(&client->in, length + 1);
	client->scanned = 0;
	client->since_ns = 0;
	if (error) {
		free(pending);
		fail_client(client, why);
	} else {
		start_call(client, pending);
	}
}

static bool may_run(const struct control_client *client)
{
	return client->state == CLIENT_SERVED && !client->pending &&
	       !client->user->over &&
	       buffer_length(&client->out) <= AHEAD_BYTES;
}

static void run_messages(struct control_client *client)
{
	size_t length;

	client->running = true;
	for (int i = 0; i < CALLS_PER_TURN && may_run(client) &&
			whole_message(client, &length);
	     i++) {
		run_message(client, length);
		/* charge the user now: it may have no time
		 * left for the next call */
		user_meter_lap(client->control);
	}
	client->running = false;
	if (may_run(client) && !whole_message(client, &length) &&
	    length >= CONTROL_MAX_REQUEST_BYTES)
		fail_client(client, "is too long");
}

/* ---- turns */

static bool is_over(struct control_client *client)
{
	size_t length;

	if (client->state == CLIENT_ENDING)
		return true;
	/* nobody would read the answers to more calls */
	if (client->deaf && (client->pending || client->user->over ||
			     client->state == CLIENT_DRAINING))
		return true;
	if (client->pending || buffer_length(&client->out) > 0)
		return false;
	if (client->state == CLIENT_DRAINING)
		return true;
	return client->ended && !whole_message(client, &length);
}

/* When the client will have been silent for too long. 0: never. */
static uint64_t deadline_ns(const struct control_client *client)
{
	if (client->pending || client->waits)
		return 0;
	if (client->since_ns)
		return client->since_ns + CONTROL_HALF_MS * NSEC_PER_MSEC;
	return client->active_ns + CONTROL_IDLE_MS * NSEC_PER_MSEC;
}

/* Sets the events and the deadline to wait for, by the client's state. */
static void settle(struct control_client *client)
{
	struct loop *loop = client->control->loop;
	uint32_t events = (wants_input(client) ? EPOLLIN : 0) |
			  (buffer_length(&client->out) > 0 ? EPOLLOUT : 0);
	uint64_t due_ns;
	size_t length;

	client->waits = client->state == CLIENT_SERVED && client->user->over;
	/* no deadline for a message that isn't read */
	if (client->waits)
		client->since_ns = 0;
	if (events != client->events) {
		if (loop_modify(loop, &client->source, events) < 0) {
			cut_off(client, "it can't be watched");
			return;
		}
		client->events = events;
	}
	if (may_run(client)) {
		if (whole_message(client, &length)) {
			client->since_ns = 0;
			control_queue(client->control, client);
		} else if (length == 0) {
			client->since_ns = 0;
		} else if (client->since_ns == 0) {
			client->since_ns = loop_now_ns();
		}
	}
	/* A timer that fires early is set again: that is cheaper
	 * than to set it each time. */
	due_ns = deadline_ns(client);
	if (due_ns && (!client->timer.armed || client->timer.due_ns > due_ns))
		loop_timer_at(loop, &client->timer, due_ns);
}

static void work(struct control_client *client)
{
	run_messages(client);
	client_flush(client);
	if (is_over(client))
		client_free(client);
	else
		settle(client);
}

void client_work(struct control_client *client)
{
	struct user_meter meter;

	user_meter_start(&meter, client->control, client->user);
	/* read the input of a client that waited: else clients of the same user
	 * whose next message was read already would always be first */
	if (client->waits && wants_input(client))
		receive(client);
	work(client);
	user_meter_stop(&meter);
}

static void client_ready(struct source *source, uint32_t events)
{
	struct control_client *client = source->ctx;
	struct user_meter meter;

	user_meter_start(&meter, client->control, client->user);
	if (events & (EPOLLHUP | EPOLLERR))
		grow_deaf(client);
	if (events & EPOLLOUT)
		client->blocked = false;
	if (wants_input(client) && (events & ~(uint32_t)EPOLLOUT))
		receive(client);
	work(client);
	user_meter_stop(&meter);
}

static void client_timer(struct timer *timer)
{
	struct control_client *client = timer->ctx;
	uint64_t due_ns = deadline_ns(client);

	if (client->user->over)
		settle(client);
	if (due_ns == 0 || client->waits)
		return;
	if (due_ns > loop_now_ns()) {
		loop_timer_at(client->control->loop, timer, due_ns);
		return;
	}
	if (client->state == CLIENT_SERVED && client->since_ns)
		cut_off(client, "it left a message unfinished");
	else if (client->state == CLIENT_SERVED)
		control_note(client->control, CONTROL_NOTE_IDLE, client->uid,
			     client->pid, "it was silent");
	client_free(client);
}

/* ---- for control.c */

bool client_is_idle(const struct control_client *client)
{
	char byte;

	return !client->running && !client->pending &&
	       client->state == CLIENT_SERVED &&
	       buffer_length(&client->in) == 0 &&
	       buffer_length(&client->out) == 0 &&
	       recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

bool client_is_stuck(const struct control_client *client, uint64_t now_ns)
{
	uint64_t since_ns = client->since_ns;

	if (client->running || client->pending)
		return false;
	if (since_ns == 0 && buffer_length(&client->out) > 0)
		since_ns = client->active_ns;
	return since_ns && now_ns - since_ns >= STUCK_MS * NSEC_PER_MSEC;
}

int client_take_call(struct control_client *client, json_t *message,
		     json_t *saved)
{
	struct pending_call *pending = calloc(1, sizeof(*pending));
	const char *why;
	int error;

	if (!pending) {
		json_decref(message);
		json_decref(saved);
		return -ENOMEM;
	}
	pending->saved = saved;
	error = varlink_take(message, &pending->message, &why);
	/* such a call is refused at once, so it is never under way */
	if (!error && pending->message.upgrade)
		error = -EBADMSG;
	if (error)
		pending_free(pending);
	else
		set_call(client, pending);
	return error;
}

void client_resume(struct control_client *client)
{
	struct pending_call *pending = client->pending;
	json_t *saved = pending ? pending->saved : NULL;

	/* a client that was cut off meanwhile gets no answer */
	if (!saved || client->state != CLIENT_SERVED)
		return;
	pending->saved = NULL;
	service_route(client->control->config, &pending->call, saved);
	json_decref(saved);
}

json_t *client_call(const struct control_client *client, json_t **saved)
{
	const struct pending_call *pending = client->pending;

	if (!pending)
		return NULL;
	*saved = service_save(client->control->config, &pending->call);
	return pending->message.message;
}

struct control_client *client_new(struct control *control, int fd, uid_t uid,
				  pid_t pid, int *error)
{
	struct control_client *client = calloc(1, sizeof(*client));
	struct control_user *user = user_of(control, uid);

	if (!client || !user) {
		free(client);
		*error = -ENOMEM;
		return NULL;
	}
	*client = (struct control_client){
		.control = control,
		.timer = { .fire = client_timer, .ctx = client },
		.fd = fd,
		.uid = uid,
		.pid = pid,
		.user = user,
		.in.limit = CONTROL_MAX_REQUEST_BYTES,
		.out.limit = CONTROL_MAX_OUTPUT_BYTES,
		.events = EPOLLIN,
		.active_ns = loop_now_ns(),
	};
	*error = loop_add(control->loop, &client->source, fd, client->events,
			  client_ready, client);
	if (*error) {
		free(client);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&control->clients, client, by_age);
	control->counts.clients++;
	user->clients++;
	settle(client);
	return client;
}

void client_free(struct control_client *client)
{
	struct control *control = client->control;
	struct pending_call *pending = client->pending;

	if (pending && pending->call.gone)
		pending->call.gone(&pending->call);
	if (pending)
		pending_free(pending);
	close_fds(client->fds, &client->fd_count);
	control_unqueue(control, client);
	TAILQ_REMOVE(&control->clients, client, by_age);
	control->counts.clients--;
	client->user->clients--;
	loop_timer_cancel(control->loop, &client->timer);
	loop_remove(control->loop, &client->source);
	fd_close(&client->fd);
	buffer_clear(&client->in);
	buffer_clear(&client->out);
	free(client);
}
