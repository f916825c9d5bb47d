/* SPDX-License-Identifier: ISC */
/*
 * What only a process of guest kvm may say or has: counters, and what its guest
 * did, out of turn, malformed, without end, or from a process of another guest;
 * READY with /dev/kvm, or with a thread outside the cage.
 */
#include <assert.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "tests/cage/hostile/hostile.h"
#include "vmproc/thread.h"

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

static void guest_event(struct standin *s)
{
	send_event(s, GUEST_POWERED_OFF);
}

/* One generation can do such a thing once. */
static void guest_event_twice(struct standin *s)
{
	send_event(s, GUEST_PANICKED);
	send_event(s, GUEST_REBOOTED);
}

static void guest_event_fd(struct standin *s)
{
	struct msg_event message = {
		.header = { .type = MSG_EVENT,
			    .size = sizeof(message),
			    .generation = s->channel.generation },
		.event = GUEST_POWERED_OFF,
	};

	send_raw(s, &message, sizeof(message), s->fds[FD_ROLE_KVM], 1);
}

/* It says that its guest has done something, and there is none yet. */
static void unloaded_guest_event(struct standin *s)
{
	standin_close_cage(s);
	standin_prove(s);
	guest_event(s);
}

/* The same by its exit status. */
static void unloaded_reboot(struct standin *s)
{
	standin_close_cage(s);
	standin_prove(s);
	_exit(VMPROC_EXIT_REBOOT);
}

/* /dev/kvm in the listener's place. */
static void ready_kvm(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->fds[FD_ROLE_KVM]);
}

static void idle_main(void *argument)
{
	const struct standin *s = argument;
	struct epoll_event never;

	while (standin_wait(s->epoll_fd, &never, 1, 1000) >= 0)
		;
}

/* Its filter, but not for the thread that it has besides. */
static void ready_free_thread(struct standin *s)
{
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	struct sock_fprog program = { .filter = filter };
	ssize_t bytes =
		pread(s->fds[FD_ROLE_FILTER], filter, sizeof(filter), 0);
	static struct thread thread;

	program.len = (unsigned short)((size_t)bytes / sizeof(filter[0]));
	if (bytes <= 0 || thread_start(&thread, idle_main, s) < 0)
		standin_bug(s, "thread", errno);
	s->listener_fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				      SECCOMP_FILTER_FLAG_NEW_LISTENER,
				      &program);
	standin_ready(s);
}

static const struct attack attacks[] = {
	/* guest kvm's messages, from a process of another guest */
	{ "counters-unasked", LATE, counters_unasked,
	  "protocol: COUNTERS without a request" },
	{ "event-of-no-guest", LATE, guest_event, "protocol: EVENT 2 unasked" },
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
	  COSTS_FD("protocol: COUNTERS with 1 descriptors \\(0 wanted\\)") },
	{ "kvm-event-early", EARLY, guest_event,
	  "protocol: EVENT while starting" },
	{ "kvm-event-unasked", LATE, messages_event,
	  "protocol: EVENT 0 unasked" },
	{ "kvm-event-unknown", LATE, messages_event_unknown,
	  "protocol: EVENT 77 unasked" },
	{ "kvm-event-twice", LATE, guest_event_twice,
	  "protocol: EVENT 3 unasked" },
	{ "kvm-event-fd", LATE, guest_event_fd,
	  COSTS_FD("protocol: EVENT with 1 descriptors \\(0 wanted\\)") },
	{ "kvm-unloaded-event", EARLY, unloaded_guest_event,
	  "protocol: EVENT while starting" },
	{ "kvm-unloaded-reboot", EARLY, unloaded_reboot, "exit: exit 81: .*" },
	{ "kvm-ready-kvm", EARLY, ready_kvm,
	  "protocol: READY without a listener" },
	{ "kvm-ready-free-thread", EARLY, ready_free_thread,
	  "protocol: cage not closed: [0-9]+ filters, not [0-9]+" },
	{ "kvm-ready-and-die", EARLY, exits_ready_and_die,
	  "exit: exit 71: .*" },
	{ "kvm-hang-up", LATE, conduct_hang_up,
	  "protocol: closed its channel" },
	{ "kvm-flood", LATE, conduct_flood, "protocol: flood of LOG messages" },
};

const struct attack_list kvm_attacks = { attacks, ARRAY_SIZE(attacks) };
