/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place when its supervisor dies, and makes it hard
 * for the next one.
 *
 * The VM's name says how: what the first generation does to the descriptors
 * that it keeps for a successor, while it is alone, or when the successor asks.
 * Any other name, and any later generation, behaves well; "slow" takes a stop
 * as a guest does that has much to do: the first is a wish, the next one final.
 *
 * Those called "loads-..." have a guest that takes its time: their supervisor
 * dies, or is upgraded, between READY and LOADED.
 *
 *	orphan --lies      the names, each with what the successor must show as
 *	                   the last exit; "adopted": nothing, it is taken over
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "ipc/error.h"
#include "tests/cage/standin.h"

/* Without a heartbeat for this long, it is alone. */
#define ALONE_MS 1000

#define HIDDEN_FD 20

#define NO_CHANNEL \
	"protocol: not adopted: it doesn't hold the channel that it was given"
#define NO_LOCK "protocol: not adopted: it doesn't hold the lock of its uid .*"
#define NO_TAP \
	"protocol: not adopted: it doesn't hold the TAP that it was given"
#define SILENT "protocol: not adopted: silent for [0-9.]+ s after it was asked"

/* ---- before the cage closes: what it keeps */

static void put(const struct standin *s, int fd, int number)
{
	if (fd < 0 || dup3(fd, number, O_CLOEXEC) < 0)
		standin_bug(s, "dup3", errno);
}

static int a_socket(const struct standin *s)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		standin_bug(s, "socketpair", errno);
	return ends[0];
}

/* Somewhere else, so that it doesn't end with the supervisor. */
static void hide_channel(const struct standin *s)
{
	put(s, PROTO_ADOPT_FD, HIDDEN_FD);
}

static void drop_channel(struct standin *s)
{
	hide_channel(s);
	close(PROTO_ADOPT_FD);
}

static void swap_channel(struct standin *s)
{
	hide_channel(s);
	put(s, a_socket(s), PROTO_ADOPT_FD);
}

/* Its own end where the supervisor's should be. */
static void own_end(struct standin *s)
{
	hide_channel(s);
	put(s, s->channel.fd, PROTO_ADOPT_FD);
}

static void tap_as_channel(struct standin *s)
{
	hide_channel(s);
	put(s, s->fds[FD_ROLE_TAP], PROTO_ADOPT_FD);
}

static void drop_tap(struct standin *s)
{
	(void)s;
	close(PROTO_TAP_FD);
}

static void swap_tap(struct standin *s)
{
	put(s, a_socket(s), PROTO_TAP_FD);
}

/* What keeps its uid its own. */
static void drop_uids(struct standin *s)
{
	(void)s;
	close(PROTO_UIDS_FD);
}

static void swap_uids(struct standin *s)
{
	put(s, a_socket(s), PROTO_UIDS_FD);
}

/* ---- alone */

/* As many lines as the channel takes: nobody reads. */
static void talk(struct standin *s)
{
	for (int i = 0; i < 10000; i++)
		standin_say(s, "alone, line %d", i);
}

static void blocked_call(struct standin *s)
{
	long result = syscall(SYS_getpid);

	standin_say(s, "a blocked call: %s",
		    result < 0 ? error_name(errno) : "EXECUTED");
}

/* ---- asked by the successor */

static void stay_silent(struct standin *s, const union msg *request)
{
	(void)s;
	(void)request;
}

static void wrong_id(struct standin *s, const union msg *request)
{
	union msg message = *request;

	message.stats_request.id ^= 1ULL << 63;
	standin_stats(s, &message);
}

static void wrong_paused(struct standin *s, const union msg *request)
{
	union msg answer = { 0 };

	answer.stats.id = request->stats_request.id;
	answer.stats.paused = 7;
	channel_send(&s->channel, MSG_STATS, &answer, -1);
}

static void wrong_generation(struct standin *s, const union msg *request)
{
	s->channel.generation++;
	standin_stats(s, request);
}

static void garbage(struct standin *s, const union msg *request)
{
	struct iovec part = { .iov_base = s->config.name, .iov_len = 1 };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	(void)request;
	sendmsg(s->channel.fd, &packet, MSG_NOSIGNAL);
}

static void false_listener(struct standin *s, const union msg *request)
{
	standin_send(s, MSG_READY, s->epoll_fd);
	standin_stats(s, request);
}

static void flood(struct standin *s, const union msg *request)
{
	(void)request;
	for (;;)
		standin_say(s, "and another thing");
}

/* An answer, and the same one again. */
static void answer_twice(struct standin *s, const union msg *request)
{
	standin_stats(s, request);
	standin_stats(s, request);
}

/* What was under way when the supervisor died comes late. */
static void late_news(struct standin *s, const union msg *request)
{
	union msg result = { .ping_result.id = 77 };
	static bool told;

	if (!told) {
		standin_send(s, MSG_EVENT, -1);
		channel_send(&s->channel, MSG_PING_RESULT, &result, -1);
	}
	told = true;
	standin_stats(s, request);
}

static void end_instead(struct standin *s, const union msg *request)
{
	(void)s;
	(void)request;
	_exit(VMPROC_EXIT_OS);
}

/* ---- LOADED, and when */

/* Until it was stopped by a signal, and goes on. */
static void when_continued(struct standin *s)
{
	struct epoll_event event;

	while (standin_wait(s->epoll_fd, &event, 1, -1) >= 0)
		;
	standin_send(s, MSG_LOADED, -1);
}

/* As the real one, whatever it is asked: it hears nothing before. */
static void when_asked(struct standin *s)
{
	struct epoll_event event;

	standin_wait(s->epoll_fd, &event, 1, -1);
	standin_send(s, MSG_LOADED, -1);
}

/* An answer says that the guest is there. */
static void after_answer(struct standin *s)
{
	union msg message;
	int fd;

	standin_hear(s, &message, &fd);
	standin_answer(s, &message);
	standin_send(s, MSG_LOADED, -1);
}

/* ---- asked to stop */

static void take_time(struct standin *s)
{
	static bool asked;

	standin_say(s, asked ? "asked to stop again" : "asked to stop");
	if (asked)
		_exit(VMPROC_EXIT_OK);
	asked = true;
}

static const struct lie {
	const char *name;
	void (*prepare)(struct standin *s);
	/* after READY: says LOADED; NULL: at once */
	void (*load)(struct standin *s);
	void (*alone)(struct standin *s);
	/* instead of the answer to the first request of a successor */
	void (*asked)(struct standin *s, const union msg *request);
	void (*stop)(struct standin *s); /* NULL: ends */
	const char *costs; /* regular expression: REASON: DETAIL */
} lies[] = {
	{ "drop-channel", .prepare = drop_channel, .costs = NO_CHANNEL },
	{ "swap-channel", .prepare = swap_channel, .costs = NO_CHANNEL },
	{ "own-end", .prepare = own_end, .costs = NO_CHANNEL },
	{ "tap-as-channel", .prepare = tap_as_channel, .costs = NO_CHANNEL },
	{ "drop-tap", .prepare = drop_tap, .costs = NO_TAP },
	{ "swap-tap", .prepare = swap_tap, .costs = NO_TAP },
	{ "drop-uids", .prepare = drop_uids, .costs = NO_LOCK },
	{ "swap-uids", .prepare = swap_uids, .costs = NO_LOCK },
	{ "talk", .alone = talk, .costs = "adopted" },
	{ "blocked-call", .alone = blocked_call, .costs = "adopted" },
	{ "silent", .asked = stay_silent, .costs = SILENT },
	{ "wrong-id", .asked = wrong_id, .costs = SILENT },
	{ "wrong-paused", .asked = wrong_paused,
	  .costs = "protocol: STATS .*" },
	{ "wrong-generation", .asked = wrong_generation,
	  .costs = "protocol: STATS of generation 2 \\(1 wanted\\)" },
	{ "garbage", .asked = garbage,
	  .costs = "protocol: message of 1 bytes" },
	/* from Linux 6.16 on, nothing comes of it: no descriptor can be sent */
	{ "false-listener", .asked = false_listener,
	  .costs = "protocol: READY without a listener|adopted" },
	{ "flood", .alone = talk, .asked = flood,
	  .costs = "protocol: flood of LOG messages" },
	{ "answer-twice", .asked = answer_twice,
	  .costs = "protocol: STATS without a request" },
	{ "late-news", .asked = late_news, .costs = "adopted" },
	{ "end-instead", .asked = end_instead,
	  .costs = "lost: exit status lost" },
};

static const struct lie truth = { .name = "truth" };
static const struct lie slow = { .name = "slow", .stop = take_time };
static const struct lie loads[] = {
	{ "loads-alone", .load = when_continued },
	{ "loads-asked", .load = when_asked },
	{ "loads-late", .load = after_answer },
};

static const struct lie *find(const char *name)
{
	if (strcmp(name, slow.name) == 0)
		return &slow;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		if (strcmp(lies[i].name, name) == 0)
			return &lies[i];
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		if (strcmp(loads[i].name, name) == 0)
			return &loads[i];
	return &truth;
}

/* A supervisor counts its requests; its successor counts from elsewhere. */
static _Noreturn void serve(struct standin *s, const struct lie *lie)
{
	bool told = false, succeeded = false;
	struct epoll_event event;
	uint64_t last_id = 0;
	union msg message;
	int fd;

	for (;;) {
		if (standin_wait(s->epoll_fd, &event, 1, ALONE_MS) == 0) {
			if (lie->alone && !told)
				lie->alone(s);
			told = true;
			continue;
		}
		standin_hear(s, &message, &fd);
		if (message.header.type == MSG_STOP && lie->stop) {
			lie->stop(s);
			continue;
		}
		if (message.header.type == MSG_STATS_REQUEST) {
			uint64_t id = message.stats_request.id;

			succeeded |= last_id && id != last_id + 1;
			last_id = id;
			if (succeeded && lie->asked) {
				lie->asked(s, &message);
				continue;
			}
		}
		standin_answer(s, &message);
	}
}

int main(int argc, char **argv)
{
	const struct lie *lie;
	struct standin s;

	if (argc > 1 && strcmp(argv[1], "--lies") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
			printf("%s\t%s\n", lies[i].name, lies[i].costs);
		return 0;
	}
	standin_init(&s);
	standin_introduce(&s);
	standin_equip(&s);
	/* the one that is started anew is no liar */
	lie = find(s.config.name);
	if (lie != &slow && s.channel.generation > 1)
		lie = &truth;
	if (lie->prepare)
		lie->prepare(&s);
	standin_close_cage(&s);
	if (lie->load) {
		standin_prove(&s);
		standin_say(&s, "loading");
		lie->load(&s);
	} else {
		standin_ready(&s);
	}
	serve(&s, lie);
}
