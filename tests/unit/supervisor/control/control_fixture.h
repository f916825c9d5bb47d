/* SPDX-License-Identifier: ISC */
/*
 * For tests of the control socket: a service with toy methods on the real loop,
 * and peers that talk to it over real sockets. Time is skipped, not waited for:
 * whoever includes this gets a loop_now_ns() of its own.
 */
#ifndef VMSUP_TESTS_CONTROL_FIXTURE_H
#define VMSUP_TESTS_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/control/client.h"
#include "supervisor/control/control.h"
#include "supervisor/control/control_save.h"

/* More turns than any condition here takes; each waits a millisecond at
 * most. */
#define MAX_TURNS 20000
#define MAX_KEPT  256

/* ---- time */

static uint64_t skipped_ns;
static uint64_t stopped_ns; /* the clock stands there; 0: it goes */

uint64_t loop_now_ns(void)
{
	struct timespec now;

	if (stopped_ns)
		return stopped_ns + skipped_ns;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec +
	       skipped_ns;
}

/* From here on, time is what is skipped: however busy the host is. */
static inline void stop_clock(void)
{
	stopped_ns = loop_now_ns() - skipped_ns;
}

/* ---- the service */

static struct {
	struct loop loop;
	struct control *control;
	char dir[64], path[96];
	struct call *kept[MAX_KEPT]; /* under way, in order of arrival */
	unsigned int kept_count;
	unsigned int gone, handled, log_lines;
	unsigned int depth, max_depth; /* methods within methods */
	char last_line[LOG_LINE_BYTES];
	int fds_before;
} test;

static inline void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	test.log_lines++;
	snprintf(test.last_line, sizeof(test.last_line), "%s", line);
}

static inline void echo(void *ctx, struct call *call)
{
	assert_ptr_equal(ctx, &test);
	test.handled++;
	if (++test.depth > test.max_depth)
		test.max_depth = test.depth;
	call_reply(call, json_incref(call->parameters));
	test.depth--;
}

static inline void who(void *ctx, struct call *call)
{
	(void)ctx;
	call_reply(call,
		   json_pack("{s:I, s:I}", "uid", (json_int_t)call->peer_uid,
			     "pid", (json_int_t)call->peer_pid));
}

static inline void forget(struct call *call)
{
	test.gone++;
	for (unsigned int i = 0; i < test.kept_count; i++)
		if (test.kept[i] == call)
			test.kept[i] = test.kept[--test.kept_count];
}

static inline void keep(void *ctx, struct call *call)
{
	(void)ctx;
	test.handled++;
	assert_true(test.kept_count < MAX_KEPT);
	call->gone = forget;
	test.kept[test.kept_count++] = call;
}

static inline json_t *blob(size_t bytes)
{
	cleanup_free char *text = malloc(bytes);

	assert_non_null(text);
	memset(text, 'x', bytes);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	return json_pack("{s:o}", "blob", json_stringn(text, bytes));
}

/* Big(bytes): a reply of that size. */
static inline void big(void *ctx, struct call *call)
{
	const json_t *bytes = json_object_get(call->parameters, "bytes");

	(void)ctx;
	test.handled++;
	if (json_is_integer(bytes))
		call_reply(call, blob((size_t)json_integer_value(bytes)));
	else
		call_invalid_parameter(call, "bytes");
}

/* Four replies and the last. */
static inline void several(void *ctx, struct call *call)
{
	(void)ctx;
	for (int i = 0; i < 4; i++)
		call_more(call, json_pack("{s:i}", "n", i));
	call_reply(call, json_pack("{s:i}", "n", 4));
}

/* Count: numbers from 0 on, each time that count_next() is called. */
static inline void count_next(struct call *call)
{
	call_more(call, json_pack("{s:i}", "n", (int)(intptr_t)call->ctx));
	call->ctx = (void *)((intptr_t)call->ctx + 1);
}

static inline void count_up(void *ctx, struct call *call)
{
	keep(ctx, call);
	count_next(call);
}

static inline json_t *count_save(const struct call *call)
{
	return json_pack("{s:i}", "next", (int)(intptr_t)call->ctx);
}

static inline void count_on(void *ctx, struct call *call, const json_t *saved)
{
	json_int_t next = json_integer_value(json_object_get(saved, "next"));

	keep(ctx, call);
	call->ctx = (void *)(intptr_t)next;
}

static inline void no_such_vm(void *ctx, struct call *call)
{
	(void)ctx;
	call_error(call, "io.vmsup.NoSuchVm", json_pack("{s:s}", "name", "x"));
}

/* Fds: how many came beside the call. */
static inline void number_of_fds(void *ctx, struct call *call)
{
	(void)ctx;
	test.handled++;
	call_reply(call, json_pack("{s:i}", "n", (int)call->fd_count));
}

/* Burn: 100 ms of the processor's time. */
static inline void burn(void *ctx, struct call *call)
{
	struct timespec now;
	uint64_t end_ns = 0, ns;

	(void)ctx;
	test.handled++;
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		ns = (uint64_t)now.tv_sec * NSEC_PER_SEC +
		     (uint64_t)now.tv_nsec;
		if (end_ns == 0)
			end_ns = ns + 100 * NSEC_PER_MSEC;
	} while (ns < end_ns);
	call_reply(call, NULL);
}

static const struct control_method toy_methods[] = {
	{ .name = "Burn", .handle = burn },
	{ .name = "Fds", .handle = number_of_fds },
	{ .name = "Echo", .handle = echo },
	{ .name = "Who", .handle = who },
	{ .name = "Keep", .handle = keep },
	{ .name = "Big", .handle = big },
	{ .name = "Several", .handle = several },
	{ .name = "Fail", .handle = no_such_vm },
	{ .name = "Root", .handle = echo, .root_only = true },
	{ .name = "Stream", .handle = keep, .more_only = true },
	{ .name = "Count",
	  .handle = count_up,
	  .save = count_save,
	  .resume = count_on,
	  .more_only = true },
	{ .name = "Hole" },
};

static const struct control_config config = {
	.interface = "io.vmsup",
	.description = "interface io.vmsup\n",
	.vendor = "vmsup",
	.product = "test",
	.version = "1",
	.url = "https://example.org",
	.methods = toy_methods,
	.method_count = ARRAY_SIZE(toy_methods),
	.ctx = &test,
	.group = (gid_t)-1,
};

/* ---- peers */

struct peer {
	int fd;
	char *data;
	size_t length;
	bool ended;
};

static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static inline void turn(void)
{
	assert_int_equal(loop_turn(&test.loop, 1), 0);
}

/* Until nothing is left to do at once. */
static inline void turns(void)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(loop_turn(&test.loop, 0), 0);
}

static inline void skip_ms(uint64_t ms)
{
	skipped_ns += ms * NSEC_PER_MSEC;
	turns();
}

static inline struct control_counts counts(void)
{
	struct control_counts now;

	control_counts(test.control, &now);
	return now;
}

static inline int try_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", test.path);
	while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) <
	       0) {
		assert_int_equal(errno, EAGAIN);
		turn();
	}
	return fd;
}

static inline struct peer peer_connect(void)
{
	return (struct peer){ .fd = try_connect() };
}

static inline struct peer peer_adopted(uid_t uid)
{
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(control_adopt(test.control, ends[1], uid, 1), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	return (struct peer){ .fd = ends[0] };
}

static inline void peer_close(struct peer *peer)
{
	fd_close(&peer->fd);
	free(peer->data);
	*peer = (struct peer){ .fd = -1 };
}

/* Sends all of it, turning the loop whenever the socket is full; stops without
 * complaint when cut off. */
static inline void peer_send_bytes(const struct peer *peer, const void *bytes,
				   size_t length)
{
	const char *at = bytes;
	int turns_left = MAX_TURNS;

	while (length > 0) {
		ssize_t sent = send(peer->fd, at, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return;
		if (sent < 0) {
			assert_true(turns_left-- > 0);
			turn();
			continue;
		}
		at += sent;
		length -= (size_t)sent;
	}
}

/* Sends text with its NUL. */
static inline void peer_send(const struct peer *peer, const char *text)
{
	peer_send_bytes(peer, text, strlen(text) + 1);
}

static inline void peer_call(const struct peer *peer, const char *method,
			     const char *rest)
{
	cleanup_free char *text = NULL;

	assert_true(asprintf(&text, "{\"method\":\"%s\"%s}", method, rest) > 0);
	peer_send(peer, text);
}

/* Reads what is there; true if there was something. */
static inline bool peer_read(struct peer *peer)
{
	char bytes[65536];
	ssize_t got = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0) {
		peer->ended = true;
		return false;
	}
	peer->data = realloc(peer->data, peer->length + (size_t)got);
	assert_non_null(peer->data);
	memcpy(peer->data + peer->length, bytes, (size_t)got);
	peer->length += (size_t)got;
	return true;
}

/* The next whole message; NULL if the connection ended before. */
static inline json_t *peer_next(struct peer *peer)
{
	char *nul = NULL;
	json_t *message;
	size_t taken, scanned = 0;

	for (int i = 0; i < MAX_TURNS; i++) {
		if (peer->length > scanned)
			nul = memchr(peer->data + scanned, '\0',
				     peer->length - scanned);
		scanned = peer->length;
		if (nul || peer->ended)
			break;
		if (!peer_read(peer))
			turn();
	}
	if (!nul) {
		assert_true(peer->ended);
		return NULL;
	}
	message = json_loads(peer->data, 0, NULL);
	assert_non_null(message);
	taken = (size_t)(nul - peer->data) + 1;
	memmove(peer->data, nul + 1, peer->length - taken);
	peer->length -= taken;
	return message;
}

static inline const json_t *get(const json_t *message, const char *key)
{
	return json_object_get(json_object_get(message, "parameters"), key);
}

/* The next message is that error, with that text under key (NULL: don't look).
 */
static inline void expect_error(struct peer *peer, const char *error,
				const char *key, const char *text)
{
	json_t *message = peer_next(peer);

	assert_non_null(message);
	assert_string_equal(
		json_string_value(json_object_get(message, "error")), error);
	if (key)
		assert_string_equal(json_string_value(get(message, key)), text);
	json_decref(message);
}

static inline void expect_number(struct peer *peer, int number, bool continues)
{
	json_t *message = peer_next(peer);

	assert_non_null(message);
	assert_null(json_object_get(message, "error"));
	assert_int_equal(json_integer_value(get(message, "n")), number);
	assert_int_equal(json_is_true(json_object_get(message, "continues")),
			 continues);
	json_decref(message);
}

static inline void expect_end(struct peer *peer)
{
	for (int i = 0; i < MAX_TURNS && !peer->ended; i++)
		if (!peer_read(peer) && !peer->ended)
			turn();
	assert_true(peer->ended);
	assert_int_equal(peer->length, 0);
}

/* Nothing came, and the connection stands. */
static inline void expect_silence(struct peer *peer)
{
	turns();
	peer_read(peer);
	assert_int_equal(peer->length, 0);
	assert_false(peer->ended);
}

static inline void expect_served(struct peer *peer, int number)
{
	char rest[64];

	snprintf(rest, sizeof(rest), ",\"parameters\":{\"n\":%d}", number);
	peer_call(peer, "io.vmsup.Echo", rest);
	expect_number(peer, number, false);
}

static inline void others_are_served(void)
{
	struct peer peer = peer_connect();

	expect_served(&peer, 4711);
	peer_close(&peer);
	turns();
}

static inline void wait_for_kept(unsigned int wanted)
{
	for (int i = 0; i < MAX_TURNS && test.kept_count != wanted; i++)
		turn();
	assert_int_equal(test.kept_count, wanted);
}

/* A call of that client, which nobody has answered yet; rest: as of
 * peer_call(). */
static inline struct call *kept_call(struct peer *peer, const char *rest)
{
	struct call *call;

	peer_call(peer, "io.vmsup.Keep", rest);
	wait_for_kept(1);
	call = test.kept[--test.kept_count];
	call->gone = NULL;
	return call;
}

static inline void wait_for_clients(unsigned int wanted)
{
	for (int i = 0; i < MAX_TURNS && counts().clients != wanted; i++)
		turn();
	assert_int_equal(counts().clients, wanted);
}

static inline void cannot_run(const char *why)
{
	if (getenv("MUST_RUN"))
		fail_msg("%s", why);
	print_message("# skipped: %s\n", why);
	skip();
}

/* ---- upgrade in place: what execve would do to the control socket */

static struct {
	int number[CONTROL_MAX_CLIENTS + 1], copy[CONTROL_MAX_CLIENTS + 1];
	unsigned int count;
} inherited;

static inline int inherit(void *ctx, int fd)
{
	unsigned int i = inherited.count++;

	(void)ctx;
	assert_true(i < ARRAY_SIZE(inherited.number));
	inherited.number[i] = fd;
	inherited.copy[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	assert_true(inherited.copy[i] >= 0);
	return 0;
}

/* Ends the old image without a word to anybody. What is returned is what the
 * new one reads, and under their old numbers the sockets are there. */
static inline json_t *end_image(void)
{
	struct control_client *client;
	json_t *saved = control_save(test.control);
	cleanup_free char *text = NULL;

	assert_non_null(saved);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	text = json_dumps(saved, 0);
	assert_non_null(text);
	json_decref(saved);
	inherited.count = 0;
	control_each_fd(test.control, inherit, NULL);
	for (client = TAILQ_FIRST(&test.control->clients); client;
	     client = TAILQ_NEXT(client, by_age))
		buffer_clear(&client->out);
	control_free(test.control);
	test.control = NULL;
	for (unsigned int i = 0; i < inherited.count; i++) {
		assert_true(dup2(inherited.copy[i], inherited.number[i]) >= 0);
		close(inherited.copy[i]);
	}
	saved = json_loads(text, 0, NULL);
	assert_non_null(saved);
	return saved;
}

/* In the new image, up to control_restore(). */
static inline void begin_image(const json_t *saved,
			       const struct control_config *new_config)
{
	int fd = control_saved_listener(saved);

	assert_true(fd >= 0);
	test.control = control_new(&test.loop, fd, new_config);
	assert_non_null(test.control);
}

/* Takes over saved. */
static inline void restore(json_t *saved)
{
	begin_image(saved, &config);
	assert_int_equal(control_restore(test.control, saved), 0);
	json_decref(saved);
}

static inline void upgrade(void)
{
	restore(end_image());
}

/* ---- around each test */

static inline int set_up(void **state)
{
	struct problem problem = { "" };
	int fd;

	(void)state;
	stopped_ns = 0;
	memset(&test, 0, sizeof(test));
	log_set(count_line, NULL, LOG_LEVEL_DEBUG);
	test.fds_before = count_fds();
	snprintf(test.dir, sizeof(test.dir), "/tmp/vmsup-control-XXXXXX");
	if (!mkdtemp(test.dir))
		return -1;
	snprintf(test.path, sizeof(test.path), "%s/control.sock", test.dir);
	assert_int_equal(loop_init(&test.loop), 0);
	fd = control_listen(test.path, (gid_t)-1, &problem);
	assert_string_equal(problem.text, "");
	assert_true(fd >= 0);
	test.control = control_new(&test.loop, fd, &config);
	return test.control ? 0 : -1;
}

static inline int tear_down(void **state)
{
	(void)state;
	control_free(test.control);
	loop_uninit(&test.loop);
	unlink(test.path);
	rmdir(test.dir);
	/* whatever happened, no descriptor and no call is left */
	assert_int_equal(count_fds(), test.fds_before);
	assert_int_equal(test.kept_count, 0);
	log_set(NULL, NULL, LOG_LEVEL_INFO);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
