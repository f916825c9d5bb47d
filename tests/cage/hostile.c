/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place and breaks the rules of the channel.
 *
 * The VM's name says which rule. Each attack knows what it must cost: what
 * vmsup status shows as the VM's last exit. Any other name behaves well. Those
 * that begin with "kvm-" are for VMs of that guest.
 *
 *	hostile --attacks     the names of attacks[], each with that last exit
 */
#include <assert.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/cage/standin.h"

#define SCM_MAX_FDS 253 /* the kernel's SCM_MAX_FD */
#define GIANT_BYTES 100000

/* ---- what channel_send() wouldn't send */

static void send_raw(const struct standin *s, const void *data, size_t bytes,
		     int fd, unsigned int count)
{
	static union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SCM_MAX_FDS * sizeof(int))];
	} control;
	struct iovec part = { .iov_len = bytes };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	memcpy(&part.iov_base, &data, sizeof(data));
	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned int i = 0; i < count; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int),
			       &fd, sizeof(fd));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	sendmsg(s->channel.fd, &packet, MSG_NOSIGNAL);
}

/* A LOG as it should be, to be spoilt. */
static struct msg_log good_log(const struct standin *s)
{
	return (struct msg_log){
		.header = { .type = MSG_LOG,
			    .size = sizeof(struct msg_log),
			    .generation = s->channel.generation },
		.level = LOG_LEVEL_INFO,
		.length = 5,
		.text = "hello",
	};
}

static void send_log(const struct standin *s, const struct msg_log *log)
{
	send_raw(s, log, sizeof(*log), -1, 0);
}

/* ---- states */

static void stats(struct standin *s)
{
	standin_send(s, MSG_STATS, -1);
}

static void event(struct standin *s)
{
	standin_send(s, MSG_EVENT, -1);
}

static void event_unknown(struct standin *s)
{
	union msg message = { .event.event = 77 };

	channel_send(&s->channel, MSG_EVENT, &message, -1);
}

static void ping_result(struct standin *s)
{
	standin_send(s, MSG_PING_RESULT, -1);
}

static void ready_again(struct standin *s)
{
	standin_send(s, MSG_READY, s->epoll_fd);
}

static void stats_twice(struct standin *s)
{
	union msg message;
	int fd;

	while (standin_hear(s, &message, &fd) != MSG_STATS_REQUEST)
		;
	standin_stats(s, &message);
	standin_stats(s, &message);
}

static void stats_spoilt(struct standin *s, uint64_t id_change, uint32_t paused)
{
	union msg message, answer = { 0 };
	int fd;

	while (standin_hear(s, &message, &fd) != MSG_STATS_REQUEST)
		;
	answer.stats.id = message.stats_request.id + id_change;
	answer.stats.paused = paused;
	channel_send(&s->channel, MSG_STATS, &answer, -1);
}

/* To another request than the one under way. */
static void stats_id(struct standin *s)
{
	stats_spoilt(s, 1, 0);
}

static void stats_paused(struct standin *s)
{
	stats_spoilt(s, 0, 2);
}

/* ---- bodies */

static void log_length(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.length = MSG_LOG_TEXT;
	send_log(s, &log);
}

static void log_length_huge(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.length = UINT32_MAX;
	send_log(s, &log);
}

static void log_level(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.level = LOG_LEVELS;
	send_log(s, &log);
}

/* ---- headers and sizes */

static void type_none(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = MSG_NONE;
	send_log(s, &log);
}

static void type_unknown(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = MSG_TYPES;
	send_log(s, &log);
}

static void type_last(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = UINT16_MAX;
	send_log(s, &log);
}

static void direction(struct standin *s)
{
	struct msg_plain stop = {
		.header = { .type = MSG_STOP,
			    .size = sizeof(stop),
			    .generation = s->channel.generation },
	};

	send_raw(s, &stop, sizeof(stop), -1, 0);
}

static void reserved(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.reserved = 1;
	send_log(s, &log);
}

static void size_short(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log) - 1, -1, 0);
}

static void size_said(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.size--;
	send_log(s, &log);
}

static void size_other(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = MSG_STATS;
	send_log(s, &log);
}

static void size_long(struct standin *s)
{
	struct {
		struct msg_log log;
		uint64_t more;
	} message = { .log = good_log(s) };

	message.log.header.size = sizeof(message);
	send_raw(s, &message, sizeof(message), -1, 0);
}

static void tiny(struct standin *s)
{
	send_raw(s, "x", 1, -1, 0);
}

static void empty(struct standin *s)
{
	send_raw(s, "", 0, -1, 0);
}

static void empty_fd(struct standin *s)
{
	send_raw(s, "", 0, s->epoll_fd, 1);
}

static void giant(struct standin *s)
{
	static char data[GIANT_BYTES];
	struct msg_log log = good_log(s);

	memcpy(data, &log, sizeof(log));
	send_raw(s, data, sizeof(data), -1, 0);
}

static void giant_fds(struct standin *s)
{
	static char data[GIANT_BYTES];

	send_raw(s, data, sizeof(data), s->epoll_fd, SCM_MAX_FDS);
}

static void generation_zero(struct standin *s)
{
	s->channel.generation = 0;
	standin_say(s, "hello");
}

static void generation_next(struct standin *s)
{
	s->channel.generation++;
	standin_say(s, "hello");
}

/* ---- guest kvm: what its process may say besides */

static void machine(struct standin *s)
{
	struct msg_machine message = {
		.header = { .type = MSG_MACHINE,
			    .size = sizeof(message),
			    .generation = s->channel.generation },
		.vcpus = 254,
	};

	send_raw(s, &message, sizeof(message), -1, 0);
}

/* One counter, the last, to be spoilt. */
static struct msg_counters good_counters(const struct standin *s)
{
	return (struct msg_counters){
		.header = { .type = MSG_COUNTERS,
			    .size = sizeof(struct msg_counters),
			    .generation = s->channel.generation },
		.count = 1,
		.last = 1,
		.item = { { "exits.port", 1 } },
	};
}

static void send_counters(const struct standin *s,
			  const struct msg_counters *counters)
{
	send_raw(s, counters, sizeof(*counters), -1, 0);
}

/* Until it is asked for its counters; what else is asked it answers. */
static void wait_for_request(struct standin *s)
{
	union msg message;
	int fd;

	while (standin_hear(s, &message, &fd) != MSG_COUNTERS_REQUEST)
		standin_answer(s, &message);
}

static void counters_unasked(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	send_counters(s, &counters);
}

static void counters_twice(struct standin *s)
{
	wait_for_request(s);
	counters_unasked(s);
	counters_unasked(s);
}

/* More items than there is room for. */
static void counters_count(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	counters.count = COUNTERS_MAX + 1;
	wait_for_request(s);
	send_counters(s, &counters);
}

static void counters_count_huge(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	counters.count = UINT32_MAX;
	wait_for_request(s);
	send_counters(s, &counters);
}

static void counters_last(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	counters.last = 2;
	wait_for_request(s);
	send_counters(s, &counters);
}

/* Nothing, and not the last: it could go on for ever. */
static void counters_empty(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	counters.count = counters.last = 0;
	wait_for_request(s);
	send_counters(s, &counters);
}

static void counters_named(struct standin *s, const char *name, size_t bytes)
{
	struct msg_counters counters = good_counters(s);

	memset(counters.item[0].name, 0, COUNTER_NAME);
	memcpy(counters.item[0].name, name, bytes);
	wait_for_request(s);
	send_counters(s, &counters);
}

static void counters_nameless(struct standin *s)
{
	counters_named(s, "", 0);
}

static void counters_escape(struct standin *s)
{
	counters_named(s, "\x1b]0;owned\x07", 10);
}

static void counters_endless_name(struct standin *s)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz.01234";

	static_assert(sizeof(name) - 1 == COUNTER_NAME, "without its NUL");
	counters_named(s, name, COUNTER_NAME);
}

/* Never the last. */
static void counters_for_ever(struct standin *s, bool new_names)
{
	struct msg_counters counters = good_counters(s);
	unsigned int number = 0;

	counters.count = COUNTERS_MAX;
	counters.last = 0;
	wait_for_request(s);
	for (;;) {
		for (int i = 0; i < COUNTERS_MAX; i++)
			snprintf(counters.item[i].name, COUNTER_NAME, "name%u",
				 new_names ? number++ : 0);
		send_counters(s, &counters);
	}
}

static void counters_many(struct standin *s)
{
	counters_for_ever(s, true);
}

static void counters_same(struct standin *s)
{
	counters_for_ever(s, false);
}

static void counters_short(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	wait_for_request(s);
	send_raw(s, &counters, sizeof(counters) - 8, -1, 0);
}

static void counters_cut(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	/* as much as its items need, and saying so */
	counters.header.size = offsetof(struct msg_counters, item[1]);
	wait_for_request(s);
	send_raw(s, &counters, counters.header.size, -1, 0);
}

static void counters_fd(struct standin *s)
{
	struct msg_counters counters = good_counters(s);

	wait_for_request(s);
	send_raw(s, &counters, sizeof(counters), s->fds[FD_ROLE_TAP], 1);
}

static void tell_event(struct standin *s, enum guest_event guest_event)
{
	union msg message = { .event.event = guest_event };

	channel_send(&s->channel, MSG_EVENT, &message, -1);
}

static void deed(struct standin *s)
{
	tell_event(s, GUEST_POWERED_OFF);
}

/* One generation can do such a thing once. */
static void deed_twice(struct standin *s)
{
	tell_event(s, GUEST_PANICKED);
	tell_event(s, GUEST_REBOOTED);
}

static void deed_fd(struct standin *s)
{
	struct msg_event message = {
		.header = { .type = MSG_EVENT,
			    .size = sizeof(message),
			    .generation = s->channel.generation },
		.event = GUEST_POWERED_OFF,
	};

	send_raw(s, &message, sizeof(message), s->fds[FD_ROLE_KVM], 1);
}

/* /dev/kvm in the listener's place. */
static void ready_kvm(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->fds[FD_ROLE_KVM]);
}

static void *idle_main(void *argument)
{
	const struct standin *s = argument;
	struct epoll_event never;

	while (epoll_wait(s->epoll_fd, &never, 1, 1000) >= 0)
		;
	return NULL;
}

/* Its filter, but not for the thread that it has besides. */
static void ready_free_thread(struct standin *s)
{
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	struct sock_fprog program = { .filter = filter };
	ssize_t bytes =
		pread(s->fds[FD_ROLE_FILTER], filter, sizeof(filter), 0);
	pthread_t thread;

	program.len = (unsigned short)((size_t)bytes / sizeof(filter[0]));
	if (bytes <= 0 || pthread_create(&thread, NULL, idle_main, s) != 0)
		standin_bug(s, "thread", errno);
	s->listener_fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				      SECCOMP_FILTER_FLAG_NEW_LISTENER,
				      &program);
	standin_ready(s);
}

/* ---- descriptors */

static void fd_surplus(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log), s->epoll_fd, 1);
}

static void fds_eight(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log), s->epoll_fd, 8);
}

static void fds_all(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log), s->fds[FD_ROLE_TAP], SCM_MAX_FDS);
}

/* Its own end of the channel, so that it never closes. */
static void fd_cycle(struct standin *s)
{
	struct msg_log log = good_log(s);

	for (int i = 0; i < 16; i++)
		send_raw(s, &log, sizeof(log), s->channel.fd, 1);
}

static struct msg_plain good_ready(const struct standin *s)
{
	return (struct msg_plain){
		.header = { .type = MSG_READY,
			    .size = sizeof(struct msg_plain),
			    .generation = s->channel.generation },
	};
}

static void ready_without(struct standin *s)
{
	struct msg_plain ready = good_ready(s);

	standin_close_cage(s);
	send_raw(s, &ready, sizeof(ready), -1, 0);
}

static void ready_with_two(struct standin *s)
{
	struct msg_plain ready = good_ready(s);

	standin_close_cage(s);
	send_raw(s, &ready, sizeof(ready), s->listener_fd, 2);
}

/* Something else in the listener's place, the cage closed or open. */
static void ready_epoll(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->epoll_fd);
}

static void ready_tap(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->fds[FD_ROLE_TAP]);
}

static void ready_channel(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->channel.fd);
}

static void ready_memfd(struct standin *s)
{
	standin_send(s, MSG_READY, s->fds[FD_ROLE_FILTER]);
}

static void ready_open(struct standin *s)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		standin_bug(s, "socketpair", errno);
	standin_send(s, MSG_READY, ends[0]);
}

/* An epoll descriptor that is ready for ever. */
static void ready_loop(struct standin *s)
{
	struct epoll_event event_out = { .events = EPOLLIN | EPOLLOUT };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(fd, EPOLL_CTL_ADD, s->fds[FD_ROLE_TAP], &event_out);
	standin_send(s, MSG_READY, fd);
}

/* A socket that holds sockets that hold descriptors. */
static void ready_nested(struct standin *s)
{
	struct standin inner = *s;
	int fd = s->fds[FD_ROLE_TAP], ends[2];

	for (int depth = 0; depth < 3; depth++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			       ends) < 0)
			standin_bug(s, "socketpair", errno);
		inner.channel.fd = ends[0];
		send_raw(&inner, "x", 1, fd, 8);
		fd = ends[1];
	}
	/* and one that holds itself */
	inner.channel.fd = ends[1];
	send_raw(&inner, "x", 1, ends[0], 1);
	standin_send(s, MSG_READY, fd);
}

/* ---- floods */

static void flood(struct standin *s)
{
	for (;;)
		standin_say(s, "and another thing");
}

static void flood_blocking(struct standin *s)
{
	struct msg_log log = good_log(s);

	for (;;)
		send_log(s, &log);
}

/* ---- silence */

static void silence(struct standin *s)
{
	struct epoll_event never;
	int fd = s->epoll_fd;

	for (;;)
		epoll_wait(fd, &never, 1, 1000);
}

static void spin(struct standin *s)
{
	(void)s;
	for (volatile unsigned int i = 0;; i++)
		;
}

/* Deaf to every signal that can be ignored, from before its cage closed. */
static void deaf(struct standin *s)
{
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_IGN);
	standin_close_cage(s);
	standin_ready(s);
	silence(s);
}

static void hang_up(struct standin *s)
{
	close(s->channel.fd);
	spin(s);
}

static void shut_write(struct standin *s)
{
	shutdown(s->channel.fd, SHUT_WR);
	spin(s);
}

static void shut_read(struct standin *s)
{
	shutdown(s->channel.fd, SHUT_RD);
	standin_close_cage(s);
	standin_ready(s);
	spin(s);
}

/* ---- ends */

static void crash(struct standin *s)
{
	volatile uintptr_t nowhere = 8;

	(void)s;
	*(volatile int *)nowhere = 1;
}

static void end_abort(struct standin *s)
{
	(void)s;
	abort();
}

static void end_trap(struct standin *s)
{
	(void)s;
	__builtin_trap();
}

/* It leaves what it was told unread, which resets the channel. */
static void last_words(struct standin *s)
{
	s->channel.generation = 1;
	standin_say(s, "these are my last words");
	_exit(VMPROC_EXIT_OS);
}

/* At once: the supervisor finds a dead process where READY says a living. */
static void ready_and_die(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	_exit(VMPROC_EXIT_OS);
}

enum when {
	AT_ONCE, /* before it has heard anything */
	EARLY, /* between START and READY, the cage open */
	LATE, /* after READY */
};

static const struct attack {
	const char *name;
	enum when when;
	void (*act)(struct standin *s);
	const char *costs; /* regular expression: REASON: DETAIL */
} attacks[] = {
	{ "stats-early", EARLY, stats, "protocol: STATS while starting" },
	{ "stats-unasked", LATE, stats, "protocol: STATS without a request" },
	{ "stats-twice", LATE, stats_twice,
	  "protocol: STATS without a request" },
	{ "stats-id", LATE, stats_id, "protocol: STATS without a request" },
	{ "stats-paused", LATE, stats_paused,
	  "protocol: STATS without a request" },
	{ "event-early", EARLY, event, "protocol: EVENT while starting" },
	{ "event-unasked", LATE, event, "protocol: EVENT 0 unasked" },
	{ "event-unknown", LATE, event_unknown, "protocol: EVENT 77 unasked" },
	{ "result-early", EARLY, ping_result,
	  "protocol: PING-RESULT while starting" },
	{ "result-unasked", LATE, ping_result,
	  "protocol: PING-RESULT without a PING" },
	{ "ready-twice", LATE, ready_again, "protocol: READY while running" },
	{ "log-length", LATE, log_length,
	  "protocol: LOG of level 2, length 240" },
	{ "log-length-huge", EARLY, log_length_huge,
	  "protocol: LOG of level 2, length 4294967295" },
	{ "log-level", LATE, log_level, "protocol: LOG of level 4, length 5" },
	{ "type-none", LATE, type_none, "protocol: message type 0" },
	{ "type-unknown", LATE, type_unknown, "protocol: message type [0-9]+" },
	{ "type-last", EARLY, type_last, "protocol: message type 65535" },
	{ "direction", LATE, direction,
	  "protocol: STOP in the wrong direction" },
	{ "reserved", LATE, reserved, "protocol: LOG with reserved bits" },
	{ "size-short", LATE, size_short, "protocol: LOG of [0-9]+ bytes .*" },
	{ "size-said", LATE, size_said, "protocol: LOG of [0-9]+ bytes .*" },
	{ "size-other", LATE, size_other,
	  "protocol: STATS of [0-9]+ bytes .*" },
	{ "size-long", LATE, size_long, "protocol: LOG of [0-9]+ bytes .*" },
	{ "tiny", LATE, tiny, "protocol: message of 1 bytes" },
	{ "empty", LATE, empty, "protocol: closed its channel" },
	{ "empty-fd", LATE, empty_fd, "protocol: message of 0 bytes" },
	{ "giant", LATE, giant, "protocol: message too long" },
	{ "giant-fds", EARLY, giant_fds, "protocol: message too long" },
	{ "generation-zero", LATE, generation_zero,
	  "protocol: LOG of generation 0 \\(1 wanted\\)" },
	{ "generation-next", EARLY, generation_next,
	  "protocol: LOG of generation 2 \\(1 wanted\\)" },
	{ "fd-surplus", LATE, fd_surplus,
	  "protocol: LOG with 1 descriptors \\(0 wanted\\)" },
	{ "fds-eight", EARLY, fds_eight,
	  "protocol: LOG with 8 descriptors \\(0 wanted\\)" },
	{ "fds-all", LATE, fds_all, "protocol: too many descriptors" },
	{ "fd-cycle", LATE, fd_cycle,
	  "protocol: LOG with 1 descriptors \\(0 wanted\\)" },
	{ "ready-without", EARLY, ready_without,
	  "protocol: READY with 0 descriptors \\(1 wanted\\)" },
	{ "ready-with-two", EARLY, ready_with_two,
	  "protocol: READY with 2 descriptors \\(1 wanted\\)" },
	{ "ready-epoll", EARLY, ready_epoll,
	  "protocol: READY without a listener" },
	{ "ready-tap", EARLY, ready_tap, "protocol: READY without a listener" },
	{ "ready-channel", EARLY, ready_channel,
	  "protocol: READY without a listener" },
	{ "ready-memfd", EARLY, ready_memfd,
	  "protocol: READY without a listener" },
	{ "ready-open", EARLY, ready_open,
	  "protocol: READY without a listener" },
	{ "ready-loop", EARLY, ready_loop,
	  "protocol: READY without a listener" },
	{ "ready-nested", EARLY, ready_nested,
	  "protocol: READY without a listener" },
	{ "flood", LATE, flood, "protocol: flood of LOG messages" },
	{ "flood-early", EARLY, flood, "protocol: flood of LOG messages" },
	{ "flood-blocking", EARLY, flood_blocking,
	  "protocol: flood of LOG messages" },
	{ "silence-early", EARLY, silence,
	  "start-timeout: not READY within [0-9.]+ s" },
	{ "silence-at-once", AT_ONCE, silence,
	  "start-timeout: not READY within [0-9.]+ s" },
	{ "silence-late", LATE, silence,
	  "watchdog: no heartbeat for [0-9.]+ s" },
	{ "spin", LATE, spin, "watchdog: no heartbeat for [0-9.]+ s" },
	{ "deaf", EARLY, deaf, "watchdog: no heartbeat for [0-9.]+ s" },
	{ "hang-up-early", EARLY, hang_up, "protocol: closed its channel" },
	{ "hang-up-late", LATE, hang_up, "protocol: closed its channel" },
	/* shutdown() is refused by the inherited filter: it is only silent */
	{ "shut-write", EARLY, shut_write,
	  "start-timeout: not READY within 1.5 s" },
	{ "shut-read", EARLY, shut_read,
	  "watchdog: no heartbeat for [0-9.]+ s" },
	{ "crash", LATE, crash, "signal: SIGSEGV" },
	{ "abort", EARLY, end_abort, "signal: SIGABRT" },
	{ "trap", LATE, end_trap, "signal: SIG(ILL|TRAP)" },
	/* guest kvm's messages, from a process of another guest */
	{ "counters-unasked", LATE, counters_unasked,
	  "protocol: COUNTERS without a request" },
	{ "event-deed", LATE, deed, "protocol: EVENT 2 unasked" },
	/* from one of its own */
	{ "kvm-machine", LATE, machine,
	  "protocol: MACHINE in the wrong direction" },
	{ "kvm-machine-early", EARLY, machine,
	  "protocol: MACHINE in the wrong direction" },
	{ "kvm-counters-early", EARLY, counters_unasked,
	  "protocol: COUNTERS while starting" },
	{ "kvm-counters-unasked", LATE, counters_unasked,
	  "protocol: COUNTERS without a request" },
	{ "kvm-counters-twice", LATE, counters_twice,
	  "protocol: COUNTERS without a request" },
	{ "kvm-counters-count", LATE, counters_count,
	  "protocol: COUNTERS malformed" },
	{ "kvm-counters-count-huge", LATE, counters_count_huge,
	  "protocol: COUNTERS malformed" },
	{ "kvm-counters-last", LATE, counters_last,
	  "protocol: COUNTERS malformed" },
	{ "kvm-counters-empty", LATE, counters_empty,
	  "protocol: COUNTERS malformed" },
	{ "kvm-counters-nameless", LATE, counters_nameless,
	  "protocol: COUNTERS of a bad name" },
	{ "kvm-counters-escape", LATE, counters_escape,
	  "protocol: COUNTERS of a bad name" },
	{ "kvm-counters-endless-name", LATE, counters_endless_name,
	  "protocol: COUNTERS of a bad name" },
	{ "kvm-counters-many", LATE, counters_many,
	  "protocol: too many COUNTERS" },
	{ "kvm-counters-same", LATE, counters_same,
	  "protocol: too many COUNTERS" },
	{ "kvm-counters-short", LATE, counters_short,
	  "protocol: COUNTERS of [0-9]+ bytes .*" },
	{ "kvm-counters-cut", LATE, counters_cut,
	  "protocol: COUNTERS of [0-9]+ bytes .*" },
	{ "kvm-counters-fd", LATE, counters_fd,
	  "protocol: COUNTERS with 1 descriptors \\(0 wanted\\)" },
	{ "kvm-event-early", EARLY, deed, "protocol: EVENT while starting" },
	{ "kvm-event-unasked", LATE, event, "protocol: EVENT 0 unasked" },
	{ "kvm-event-unknown", LATE, event_unknown,
	  "protocol: EVENT 77 unasked" },
	{ "kvm-event-twice", LATE, deed_twice, "protocol: EVENT 3 unasked" },
	{ "kvm-event-fd", LATE, deed_fd,
	  "protocol: EVENT with 1 descriptors \\(0 wanted\\)" },
	{ "kvm-ready-kvm", EARLY, ready_kvm,
	  "protocol: READY without a listener" },
	{ "kvm-ready-free-thread", EARLY, ready_free_thread,
	  "protocol: cage not closed: no filter of its own" },
	{ "kvm-ready-and-die", EARLY, ready_and_die, "exit: exit 71: .*" },
	{ "kvm-hang-up", LATE, hang_up, "protocol: closed its channel" },
	{ "kvm-flood", LATE, flood, "protocol: flood of LOG messages" },
	{ "last-words", AT_ONCE, last_words, "exit: exit 71: .*" },
	{ "ready-and-die", EARLY, ready_and_die, "exit: exit 71: .*" },
};

/* ---- attacks that a test triggers or that live on: each with its own test */

static const struct attack *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++)
		if (strcmp(attacks[i].name, name) == 0)
			return &attacks[i];
	return NULL;
}

/* A new attack in each generation, descriptors in most of them. */
static _Noreturn void leak(struct standin *s)
{
	static const char *const turns[] = {
		"fds-all",    "fds-eight",  "ready-nested", "ready-channel",
		"fd-surplus", "giant-fds",  "fd-cycle",     "ready-twice",
		"ready-loop", "last-words", "empty-fd",     "flood-early",
	};
	const struct attack *attack =
		find(turns[s->channel.generation % ARRAY_SIZE(turns)]);

	if (attack->when == LATE) {
		standin_close_cage(s);
		standin_ready(s);
	}
	attack->act(s);
	silence(s);
	_exit(VMPROC_EXIT_OK);
}

/* Floods once, then never does anything wrong. */
static _Noreturn void reformed(struct standin *s)
{
	if (s->channel.generation == 1)
		flood(s);
	standin_close_cage(s);
	standin_ready(s);
	standin_say(s, "a new leaf");
	standin_serve(s);
}

/* A log line with all that a terminal would obey, and one that forges. */
static _Noreturn void escapes(struct standin *s)
{
	static const char evil[] = "\x1b]0;owned\x07\x1b[2J\x9b"
				   "31m\r\n"
				   "2026-01-01T00:00:00.000Z 1 forged\xe2\x80"
				   "\xae\x7f\xff\xfe%s%n";
	struct msg_log log = good_log(s);

	standin_close_cage(s);
	standin_ready(s);
	memcpy(log.text, evil, sizeof(evil));
	log.length = sizeof(evil) - 1;
	send_log(s, &log);
	log.length = MSG_LOG_TEXT - 1;
	memset(log.text, 'x', log.length);
	send_log(s, &log);
	log.length = 0;
	send_log(s, &log);
	standin_serve(s);
}

/* More lines than it may log, fewer than a flood. */
static _Noreturn void chatty(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	for (int i = 0; i < 200; i++)
		standin_say(s, "line %d", i);
	standin_serve(s);
}

/* Answers every request of one kind with a lie. */
static _Noreturn void liar(struct standin *s)
{
	union msg message, answer;
	int fd;

	standin_close_cage(s);
	standin_ready(s);
	for (;;) {
		memset(&answer, 0xff, sizeof(answer));
		switch (standin_hear(s, &message, &fd)) {
		case MSG_STATS_REQUEST:
			answer.stats.id = message.stats_request.id;
			answer.stats.paused = 0;
			channel_send(&s->channel, MSG_STATS, &answer, -1);
			break;
		case MSG_PING:
			answer.ping_result.id = message.ping.id;
			channel_send(&s->channel, MSG_PING_RESULT, &answer, -1);
			break;
		case MSG_PAUSE:
			answer.event.event = GUEST_RESUMED;
			channel_send(&s->channel, MSG_EVENT, &answer, -1);
			break;
		default:
			break; /* STOP too */
		}
	}
}

/* Serves, but doesn't stop when asked or by any signal that asks. */
static _Noreturn void stubborn(struct standin *s)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGABRT, SIG_IGN);
	liar(s);
}

/* Numbers that grow, jump back and lie, in both kinds of counters. */
static _Noreturn void backwards(struct standin *s)
{
	static const uint64_t lies[] = { 1000, 5, UINT64_MAX, 0, 1ULL << 63 };
	struct msg_counters counters = good_counters(s);
	union msg message, answer;
	unsigned int turn = 0;
	int fd;

	standin_close_cage(s);
	standin_ready(s);
	for (;;) {
		memset(&answer, 0, sizeof(answer));
		switch (standin_hear(s, &message, &fd)) {
		case MSG_STATS_REQUEST:
			turn = (turn + 1) % ARRAY_SIZE(lies);
			answer.stats.id = message.stats_request.id;
			for (int i = 0; i < STATS; i++)
				answer.stats.counters[i] = lies[turn];
			channel_send(&s->channel, MSG_STATS, &answer, -1);
			break;
		case MSG_COUNTERS_REQUEST:
			counters.item[0].value = lies[turn];
			send_counters(s, &counters);
			break;
		default:
			standin_answer(s, &message);
		}
	}
}

/* Tells that it lives, but never its counters; or the beginning of them. */
static _Noreturn void secretive(struct standin *s)
{
	struct msg_counters counters = good_counters(s);
	union msg message;
	int fd;

	counters.last = 0;
	standin_close_cage(s);
	standin_ready(s);
	for (;;)
		if (standin_hear(s, &message, &fd) != MSG_COUNTERS_REQUEST)
			standin_answer(s, &message);
		else if (strcmp(s->config.name, "kvm-partial") == 0)
			send_counters(s, &counters);
}

/* Says that the guest is off, and goes on. */
static _Noreturn void undead(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	deed(s);
	standin_serve(s);
}

/* ---- its console */

/* All of it: the socket may be full for a while. */
static void print(const struct standin *s, const char *text, size_t bytes)
{
	ssize_t sent;

	while (bytes > 0) {
		sent = write(s->fds[FD_ROLE_CONSOLE], text, bytes);
		if (sent < 0 && errno != EAGAIN)
			standin_bug(s, "console", errno);
		if (sent > 0) {
			text += sent;
			bytes -= (size_t)sent;
		}
	}
}

/* All that a terminal would obey, and a line that forges. */
static _Noreturn void console_escapes(struct standin *s)
{
	static const char evil[] = "\x1b]0;owned\x07\x1b[2J\x9b"
				   "31m\r\n"
				   "2026-01-01T00:00:00.000Z 1 forged\xe2\x80"
				   "\xae\x7f\xff\xfe%s%n\0hidden\n";

	standin_close_cage(s);
	standin_ready(s);
	print(s, evil, sizeof(evil) - 1);
	for (int i = 0; i < 5000; i++) /* a line that is too long */
		print(s, "x", 1);
	print(s, "\nend\n", 5);
	standin_serve(s);
}

/* Prints as fast as it can, text in parts of so many bytes. */
static _Noreturn void console_flood(struct standin *s)
{
	static const struct {
		const char *name, *text;
		size_t bytes;
	} kinds[] = {
		{ "kvm-flood-text", "all work and no play\n", 4095 },
		{ "kvm-flood-bytes", "x", 1 },
		{ "kvm-flood-lines", "\n", 4095 },
	};
	char part[4096];
	struct epoll_event event;
	union msg message;
	size_t bytes = 1, kind = 0;
	int fd;

	while (strcmp(kinds[kind].name, s->config.name) != 0)
		kind++;
	bytes = kinds[kind].bytes;
	for (size_t i = 0; i < sizeof(part); i++)
		part[i] = kinds[kind].text[i % strlen(kinds[kind].text)];
	standin_close_cage(s);
	standin_ready(s);
	for (;;) {
		for (int i = 0; i < 256; i++)
			(void)!write(s->fds[FD_ROLE_CONSOLE], part, bytes);
		if (epoll_wait(s->epoll_fd, &event, 1, 0) == 1) {
			standin_hear(s, &message, &fd);
			standin_answer(s, &message);
		}
	}
}

/* Descriptors come with what it prints: many, and one that holds itself. */
static _Noreturn void console_fds(struct standin *s)
{
	struct standin console = *s;
	int number = s->fds[FD_ROLE_CONSOLE];

	console.channel.fd = number;
	/* as many as may be under way at once, and READY's */
	for (int i = 0; i < 9; i++)
		send_raw(&console, "held\n", 5, s->fds[FD_ROLE_TAP], 100);
	send_raw(&console, "held\n", 5, number, 1);
	send_raw(&console, "held\n", 5, s->fds[FD_ROLE_CONSOLE_ADOPT], 1);
	standin_close_cage(s);
	standin_ready(s);
	print(s, "all sent\n", 9);
	standin_serve(s);
}

/* ---- how it ends */

/* "exit-78" ends with that status, without READY; "kvm-exit-81" too;
 * "kvm-late-81" after it, and after a word about something else. */
static void exit_by_name(struct standin *s)
{
	const char *name = s->config.name;

	if (strncmp(name, "kvm-", 4) == 0)
		name += 4;
	if (strncmp(name, "exit-", 5) == 0)
		_exit(atoi(name + 5));
	if (strncmp(name, "late-", 5) != 0)
		return;
	standin_close_cage(s);
	standin_ready(s);
	if (s->config.guest == GUEST_KVM)
		tell_event(s, GUEST_PANICKED);
	_exit(atoi(name + 5));
}

static const struct {
	const char *name;
	void (*live)(struct standin *s);
} lives[] = {
	{ "leak", leak },
	{ "reformed", reformed },
	{ "escapes", escapes },
	{ "chatty", chatty },
	{ "liar-stats", liar },
	{ "liar-ping", liar },
	{ "liar-pause", liar },
	{ "stubborn", stubborn },
	{ "kvm-backwards", backwards },
	{ "kvm-secretive", secretive },
	{ "kvm-partial", secretive },
	{ "kvm-undead", undead },
	{ "kvm-escapes", console_escapes },
	{ "kvm-flood-text", console_flood },
	{ "kvm-flood-bytes", console_flood },
	{ "kvm-flood-lines", console_flood },
	{ "kvm-fds", console_fds },
};

static void perform(struct standin *s, const struct attack *attack)
{
	if (attack->when == LATE) {
		standin_close_cage(s);
		standin_ready(s);
	}
	attack->act(s);
	if (attack->when == LATE)
		standin_serve(s);
	silence(s);
}

int main(int argc, char **argv)
{
	const struct attack *attack;
	struct standin s;

	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "--attacks") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(attacks); i++)
			printf("%s\t%s\n", attacks[i].name, attacks[i].costs);
		return 0;
	}
	attack = find(argv[1]);
	standin_init(&s);
	if (attack && attack->when == AT_ONCE)
		perform(&s, attack);
	standin_introduce(&s);
	standin_equip(&s);
	exit_by_name(&s);
	if (attack)
		perform(&s, attack);
	for (size_t i = 0; i < ARRAY_SIZE(lives); i++)
		if (strcmp(s.config.name, lives[i].name) == 0)
			lives[i].live(&s);
	standin_behave(&s);
}
