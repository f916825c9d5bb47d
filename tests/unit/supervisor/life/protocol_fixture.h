/* SPDX-License-Identifier: ISC */
/* For tests of the protocol: the VM process of vm_fixture.h talks. */
#ifndef VMSUP_TESTS_PROTOCOL_FIXTURE_H
#define VMSUP_TESTS_PROTOCOL_FIXTURE_H

#include "tests/unit/supervisor/life/vm_fixture.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/wait.h>

#include "supervisor/lib/sockets.h"
#include "supervisor/life/protocol.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/pings.h"
#include "supervisor/vm/vm_state.h"

/* ---- the process talks */

static inline void send_one(enum msg_type type, union msg *message, int fd)
{
	assert_int_equal(channel_send(&test.process, type, message, fd), 0);
}

static inline void say(enum msg_type type)
{
	union msg message = { 0 };

	send_one(type, &message, -1);
}

static inline void say_event(uint32_t event)
{
	union msg message = { .event.event = event };

	send_one(MSG_EVENT, &message, -1);
}

static inline void say_stats_of(uint64_t id, uint32_t paused, uint64_t frames)
{
	union msg message = { .stats = { .id = id, .paused = paused } };

	for (uint64_t i = 0; i < STATS; i++)
		message.stats.counters[i] = 100 + i;
	message.stats.counters[STAT_TX_FRAMES] += frames;
	send_one(MSG_STATS, &message, -1);
}

static inline void say_stats(uint64_t id, uint32_t paused)
{
	say_stats_of(id, paused, 0);
}

static inline void say_log(const char *text)
{
	union msg message = {
		.log = { .level = LOG_LEVEL_INFO,
			 .length = (uint32_t)strlen(text) },
	};

	memcpy(message.log.text, text, strlen(text));
	send_one(MSG_LOG, &message, -1);
}

static inline void say_counters(const char *name, uint32_t last)
{
	union msg message = { .counters = { .count = 1, .last = last } };

	snprintf(message.counters.item[0].name, COUNTER_NAME, "%s", name);
	send_one(MSG_COUNTERS, &message, -1);
}

/* The next message to the process is STATS?: its id. */
static inline uint64_t heard_stats_request(void)
{
	union msg message;

	assert_int_equal(heard_message(&message), MSG_STATS_REQUEST);
	return message.stats_request.id;
}

/* So many lines of its log are that one. */
static inline unsigned int kept_lines(const char *text)
{
	unsigned int count = 0;

	for (size_t i = 0; i < VMLOG_LINES; i++) {
		const struct vmlog_line *line =
			vmlog_at(&vm->log.kept.current, i);

		count += line && strcmp(line->text, text) == 0;
	}
	return count;
}

static inline void expect_taken(void)
{
	turn();
	assert_string_equal(vm->process.exit.detail, "");
	assert_true(vm->process.pid_fd >= 0);
}

static inline void expect_violation(const char *detail)
{
	turn();
	await_end();
	expect_death(DEATH_PROTOCOL, detail);
}

/* ---- READY: with the listener of a real filter, that a helper loads */

static pid_t helper;
static int helper_fd = -1; /* closed: the helper makes a refused call */

static inline _Noreturn void be_helper(int told_fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };
	union msg message = { 0 };
	int listener_fd;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener_fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				   SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	channel_send(&test.process, MSG_READY, &message, listener_fd);
	close(listener_fd);
	if (read(told_fd, &byte, 1) == 0)
		(void)getppid();
	_exit(0);
}

static inline void end_helper(void)
{
	if (helper <= 0)
		return;
	kill(helper, SIGKILL);
	waitpid(helper, NULL, 0);
	fd_close(&helper_fd);
	helper = 0;
}

/* Kernels before 6.16 can't refuse descriptors: as on these. */
static inline void allow_descriptors(void)
{
	sockets_allow_descriptors(vm->process.channel.fd, true);
}

/* Returns once READY is in the channel. */
static inline void say_ready(void)
{
	struct pollfd readable = { .fd = vm->process.channel.fd,
				   .events = POLLIN };
	int ends[2];

	end_helper();
	allow_descriptors();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	helper = fork();
	assert_true(helper >= 0);
	if (helper == 0) {
		close(ends[1]);
		be_helper(ends[0]);
	}
	close(ends[0]);
	helper_fd = ends[1];
	assert_int_equal(poll(&readable, 1, -1), 1);
}

static inline void say_ready_and_loaded(void)
{
	say_ready();
	say(MSG_LOADED);
	turn();
	assert_int_equal(vm->state, VM_RUNNING);
}

static inline int tear_down_helper(void **state)
{
	end_helper();
	return tear_down(state);
}
#define TALK_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down_helper)

static inline void into(enum vm_state state)
{
	into_starting();
	if (state == VM_STARTING)
		return;
	say_ready_and_loaded();
	if (state == VM_PAUSED)
		vm_raise(vm, VM_WAS_PAUSED);
	else if (state == VM_STOPPING)
		vm_raise(vm, VM_STOP);
	assert_int_equal(vm->state, state);
}

#endif
