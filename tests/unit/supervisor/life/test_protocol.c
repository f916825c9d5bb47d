/* SPDX-License-Identifier: ISC */
/* The protocol: what a VM process may say, in which state, and what it costs. */
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

static void send_one(enum msg_type type, union msg *message, int fd)
{
	assert_int_equal(channel_send(&test.process, type, message, fd), 0);
}

static void say(enum msg_type type)
{
	union msg message = { 0 };

	send_one(type, &message, -1);
}

static void say_event(uint32_t event)
{
	union msg message = { .event.event = event };

	send_one(MSG_EVENT, &message, -1);
}

static void say_stats(uint64_t id, uint32_t paused)
{
	union msg message = { .stats = { .id = id, .paused = paused } };

	for (uint64_t i = 0; i < STATS; i++)
		message.stats.counters[i] = 100 + i;
	send_one(MSG_STATS, &message, -1);
}

static void say_log(const char *text)
{
	union msg message = {
		.log = { .level = LOG_LEVEL_INFO,
			 .length = (uint32_t)strlen(text) },
	};

	memcpy(message.log.text, text, strlen(text));
	send_one(MSG_LOG, &message, -1);
}

/* The next message to the process is STATS?: its id. */
static uint64_t heard_stats_request(void)
{
	union msg message;

	assert_int_equal(heard_message(&message), MSG_STATS_REQUEST);
	return message.stats_request.id;
}

static void expect_taken(void)
{
	turn();
	assert_string_equal(vm->process.exit.detail, "");
	assert_true(vm->process.pid_fd >= 0);
}

static void expect_violation(const char *detail)
{
	turn();
	await_end();
	expect_death(DEATH_PROTOCOL, detail);
}

/* ---- READY: with the listener of a real filter, that a helper loads */

static pid_t helper;
static int helper_fd = -1; /* closed: the helper makes a refused call */

static _Noreturn void be_helper(int told_fd)
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

static void end_helper(void)
{
	if (helper <= 0)
		return;
	kill(helper, SIGKILL);
	waitpid(helper, NULL, 0);
	fd_close(&helper_fd);
	helper = 0;
}

/* Kernels before 6.16 can't refuse descriptors: as on these. */
static void allow_descriptors(void)
{
	sockets_allow_descriptors(vm->process.channel.fd, true);
}

/* Returns once READY is in the channel. */
static void say_ready(void)
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

static void say_ready_and_loaded(void)
{
	say_ready();
	say(MSG_LOADED);
	turn();
	assert_int_equal(vm->state, VM_RUNNING);
}

static int tear_down_helper(void **state)
{
	end_helper();
	return tear_down(state);
}
#define TALK_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down_helper)

static void into(enum vm_state state)
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

/* ---- every message in every state, when nobody has asked for it */

/* As why the process is ended; NULL: the message is taken. */
static const char *const verdicts[MSG_TYPES][VM_STATES] = {
	[MSG_READY] = {
		[VM_STARTING] = NULL,
		[VM_RUNNING] = "READY while running",
		[VM_PAUSED] = "READY while paused",
		[VM_STOPPING] = "READY twice",
	},
	[MSG_LOADED] = {
		[VM_STARTING] = "LOADED before READY",
		[VM_RUNNING] = "LOADED while running",
		[VM_PAUSED] = "LOADED while paused",
		[VM_STOPPING] = "LOADED twice",
	},
	[MSG_STATS] = {
		[VM_STARTING] = "STATS while starting",
		[VM_RUNNING] = "STATS without a request",
		[VM_PAUSED] = "STATS without a request",
		[VM_STOPPING] = "STATS without a request",
	},
	[MSG_PING_RESULT] = {
		[VM_STARTING] = "PING-RESULT while starting",
		[VM_RUNNING] = "PING-RESULT without a PING",
		[VM_PAUSED] = "PING-RESULT without a PING",
		[VM_STOPPING] = "PING-RESULT without a PING",
	},
	[MSG_EVENT] = {
		[VM_STARTING] = "EVENT while starting",
		[VM_RUNNING] = "EVENT 0 unasked",
		[VM_PAUSED] = "EVENT 0 unasked",
		[VM_STOPPING] = "EVENT 0 unasked",
	},
	[MSG_LOG] = { NULL },
	[MSG_COUNTERS] = {
		[VM_STARTING] = "COUNTERS while starting",
		[VM_RUNNING] = "COUNTERS without a request",
		[VM_PAUSED] = "COUNTERS without a request",
		[VM_STOPPING] = "COUNTERS without a request",
	},
};

/* What the supervisor alone may say, and types that are none, in any state. */
static void say_forbidden(unsigned int type)
{
	bool known = type < MSG_TYPES && msg_specs[type].size;
	union msg message = { .header = {
				      .type = (uint16_t)type,
				      .size = known ? msg_specs[type].size
						    : sizeof(struct msg_plain),
				      .generation = 1,
			      } };
	char detail[80];

	assert_true(send(test.process.fd, &message, message.header.size, 0) >
		    0);
	if (known)
		snprintf(detail, sizeof(detail), "%s in the wrong direction",
			 msg_specs[type].name);
	else
		snprintf(detail, sizeof(detail), "message type %u", type);
	expect_violation(detail);
}

static void try_message(unsigned int type, enum vm_state state)
{
	if (set_up(NULL) < 0)
		fail();
	into(state);
	if (type >= MSG_TYPES || msg_specs[type].size == 0 ||
	    msg_specs[type].to_vmproc) {
		say_forbidden(type);
	} else {
		if (type == MSG_READY)
			say_ready();
		else
			say(type);
		if (verdicts[type][state])
			expect_violation(verdicts[type][state]);
		else
			expect_taken();
	}
	tear_down_helper(NULL);
}

static void every_message_in_every_state(void **state)
{
	static const enum vm_state states[] = { VM_STARTING, VM_RUNNING,
						VM_PAUSED, VM_STOPPING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		for (unsigned int type = 0; type <= MSG_TYPES; type++)
			try_message(type, states[i]);
}

/* ---- the packet itself */

static void a_packet_of_another_form_is_a_violation(void **state)
{
	union msg message = { .header = { .type = MSG_LOG,
					  .size = sizeof(struct msg_log),
					  .generation = 1 } };

	(void)state;
	into(VM_RUNNING);
	send(test.process.fd, &message, sizeof(struct msg_log) - 1, 0);
	expect_violation("LOG of 263 bytes (264 said, 264 wanted)");
}

static void the_word_of_another_generation_is_a_violation(void **state)
{
	(void)state;
	into(VM_RUNNING);
	test.process.generation = 2;
	say_log("late");
	expect_violation("LOG of generation 2 (1 wanted)");
}

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Sends that message with so many descriptors beside it. */
static void say_with_descriptors(enum msg_type type, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct cmsghdr *header = (void *)control;
	union msg message = { .header = { .type = type,
					  .size = msg_specs[type].size,
					  .generation = 1 } };
	struct iovec part = { &message, message.header.size };
	struct msghdr packet = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen =
					 CMSG_LEN(count * sizeof(int)) };

	*header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
				    .cmsg_type = SCM_RIGHTS,
				    .cmsg_len = packet.msg_controllen };
	/* each is this process's standard input: 0 */
	memset(CMSG_DATA(header), STDIN_FILENO, count * sizeof(int));
	allow_descriptors();
	assert_true(sendmsg(test.process.fd, &packet, 0) > 0);
}

static void surplus_descriptors_are_a_violation_and_closed(void **state)
{
	unsigned int before;

	(void)state;
	into(VM_RUNNING);
	before = open_descriptors();
	say_with_descriptors(MSG_LOG, 3);
	turn();
	assert_int_equal(open_descriptors(), before);
	expect_violation("LOG with 3 descriptors (0 wanted)");
}

static void ready_has_one_descriptor(void **state)
{
	(void)state;
	into(VM_STARTING);
	say_with_descriptors(MSG_READY, 2);
	expect_violation("READY with 2 descriptors (1 wanted)");
}

static void which_is_a_listener(void **state)
{
	unsigned int before;

	(void)state;
	into(VM_STARTING);
	before = open_descriptors();
	say_with_descriptors(MSG_READY, 1);
	turn();
	assert_int_equal(open_descriptors(), before);
	expect_violation("READY without a listener");
}

/* ---- READY and LOADED */

static void both_make_it_run(void **state)
{
	(void)state;
	into_starting();
	say_ready();
	expect_taken();
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm->process.proved);
	assert_true(vm->process.listener_fd >= 0);
	assert_int_equal(vm->process.uids_fd, -1); /* given up to the process */
	say(MSG_LOADED);
	expect_taken();
	assert_int_equal(vm->state, VM_RUNNING);
}

static void each_is_said_once(void **state)
{
	(void)state;
	into_starting();
	say_ready();
	expect_taken();
	say_ready();
	expect_violation("READY twice");
}

static void ready_was_all_in_the_protocol_before(void **state)
{
	(void)state;
	into_starting();
	vm->process.protocol = PROTO_LOADED - 1;
	say_ready();
	expect_taken();
	assert_int_equal(vm->state, VM_RUNNING);
}

/* A line of /proc/PID/status that says otherwise. */
static void an_open_sandbox_is_a_violation(void **state)
{
	static const struct {
		const char *line, *instead, *detail;
	} cases[] = {
		{ "Seccomp:\t2", "Seccomp:\t0", "Seccomp isn't 2" },
		{ "NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs isn't 1" },
		{ "CapInh:\t0", "CapInh:\t1", "CapInh isn't 0000000000000000" },
		{ "CapPrm:\t0", "CapPrm:\t1", "CapPrm isn't 0000000000000000" },
		{ "CapEff:\t0", "CapEff:\t1", "CapEff isn't 0000000000000000" },
		{ "CapBnd:\t0", "CapBnd:\t1", "CapBnd isn't 0000000000000000" },
		{ "CapAmb:\t0", "CapAmb:\t1", "CapAmb isn't 0000000000000000" },
		{ "Uid:\t4711\t4711", "Uid:\t4711\t0",
		  "Uid isn't 4711\t4711\t4711\t4711" },
		{ "Gid:\t4711", "Gid:\t0", "Gid isn't 4711\t4711\t4711\t4711" },
		{ "filters:\t2", "filters:\t1", "1 filters, not 2" },
		{ "filters:\t2", "filters:\t3", "3 filters, not 2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *detail;

		if (i > 0) {
			end_helper();
			vm_raise(vm, VM_RESET);
		}
		if (i == 0)
			into_starting();
		else
			hear_start();
		show_changed(cases[i].line, cases[i].instead);
		say_ready();
		turn();
		await_end();
		detail = deaths_last(&vm->deaths)->detail;
		assert_non_null(strstr(detail, " not closed: "));
		assert_string_equal(strstr(detail, ": ") + 2, cases[i].detail);
	}
}

static void another_root_is_a_violation(void **state)
{
	char path[64];

	(void)state;
	into_starting();
	snprintf(path, sizeof(path), "proc/%d/mountinfo", vm->process.pid);
	write_file(path, ROOM_MOUNT ROOM_MOUNT);
	say_ready();
	turn();
	await_end();
	assert_non_null(strstr(deaths_last(&vm->deaths)->detail,
			       "its root isn't the empty"));
}

/* It ended after READY: nothing proves it, and its end is heard of. */
static void what_has_ended_is_no_violation(void **state)
{
	(void)state;
	into_starting();
	show_changed("State:\tS (sleeping)", "State:\tZ (zombie)");
	say_ready();
	say(MSG_LOADED);
	expect_taken();
	assert_false(vm->process.proved);
	assert_int_equal(vm->state, VM_STARTING);
	end_by(SIGHUP);
	expect_death(DEATH_SIGNAL, "SIGHUP");
}

/* ---- STATS, which is the heartbeat */

static uint64_t await_heartbeat(void)
{
	pass(vm->config.timeouts.heartbeat_ms + 50);
	return heard_stats_request();
}

static void an_answer_is_taken_once(void **state)
{
	uint64_t id;

	(void)state;
	into(VM_RUNNING);
	id = await_heartbeat();
	say_stats(id, 0);
	expect_taken();
	assert_int_equal(test.stats_arrived, 1);
	assert_int_equal(vm->stats[STAT_TX_FRAMES], 100 + STAT_TX_FRAMES);
	assert_int_equal(vm->heartbeat.unanswered_ns, 0);
	say_stats(id, 0);
	expect_violation("STATS without a request");
}

static void an_answer_has_the_id_of_the_request(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_stats(await_heartbeat() + 1, 0);
	expect_violation("STATS without a request");
}

static void an_answer_is_paused_or_not(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_stats(await_heartbeat(), 2);
	expect_violation("STATS without a request");
}

/* What is asked for by a client and by the heartbeat is asked for once. */
static void nothing_piles_up_before_a_deaf_process(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_true(vm_ask_stats(vm));
	assert_true(vm_ask_stats(vm));
	pass(vm->config.timeouts.heartbeat_ms * 3);
	heard_stats_request();
	assert_int_equal(heard(), MSG_NONE);
}

static void nobody_asks_a_vm_that_isnt_up(void **state)
{
	(void)state;
	assert_false(vm_ask_stats(vm));
	into(VM_STARTING);
	assert_false(vm_ask_stats(vm));
	say_ready_and_loaded();
	assert_true(vm_ask_stats(vm));
}

static void silence_is_ended_by_sigabrt(void **state)
{
	(void)state;
	into(VM_RUNNING);
	await_heartbeat();
	pass(vm->config.timeouts.watchdog_ms - 100);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
	pass(1200);
	await_end();
	expect_death(DEATH_WATCHDOG, "no heartbeat for 10.0 s");
	assert_true(vm->wanted);
}

/* SIGABRT is not taken: SIGKILL follows. */
static void and_then_by_sigkill(void **state)
{
	(void)state;
	test.stubborn = true;
	into(VM_RUNNING);
	pass(vm->config.timeouts.watchdog_ms +
	     vm->config.timeouts.heartbeat_ms * 3);
	assert_true(vm->heartbeat.aborting);
	assert_true(vm->process.pid_fd >= 0);
	pass(vm->config.timeouts.abort_ms);
	await_end();
	expect_death(DEATH_WATCHDOG, "no heartbeat for 10.0 s");
}

/* What came while the supervisor itself was held up counts. */
static void an_answer_in_the_channel_is_no_silence(void **state)
{
	uint64_t id;

	(void)state;
	into(VM_RUNNING);
	id = await_heartbeat();
	say_stats(id, 0);
	test.now_ns += 60 * NSEC_PER_SEC;
	turn();
	pass(100);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
}

static void a_closed_channel_has_a_moment_to_be_an_end(void **state)
{
	(void)state;
	into(VM_RUNNING);
	fd_close(&test.process.fd);
	end_helper(); /* it holds that end as well */
	while (!vm->process.channel_ended)
		assert_int_equal(loop_turn(&host.loop, -1), 0);
	pass(400);
	assert_int_equal(vm->process.exit.reason, DEATH_NONE);
	pass(200);
	await_end();
	expect_death(DEATH_PROTOCOL, "closed its channel");
}

/* ---- EVENT */

static void a_pause_is_answered_once(void **state)
{
	(void)state;
	into(VM_RUNNING);
	vm_raise(vm, VM_PAUSE);
	say_event(GUEST_PAUSED);
	expect_taken();
	assert_int_equal(vm->state, VM_PAUSED);
	vm_raise(vm, VM_RESUME);
	say_event(GUEST_RESUMED);
	expect_taken();
	assert_int_equal(vm->state, VM_RUNNING);
	say_event(GUEST_RESUMED);
	expect_violation("EVENT 1 unasked");
}

static void an_answer_may_cross_the_stop(void **state)
{
	(void)state;
	into(VM_RUNNING);
	vm_raise(vm, VM_PAUSE);
	vm_raise(vm, VM_STOP);
	say_event(GUEST_PAUSED);
	expect_taken();
	assert_int_equal(vm->state, VM_STOPPING);
}

static void an_unknown_event_is_a_violation(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_event(GUEST_EVENTS);
	expect_violation("EVENT 6 unasked");
}

static void a_builtin_guest_has_no_events_of_its_own(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_event(GUEST_POWERED_OFF);
	expect_violation("EVENT 2 unasked");
}

static void a_machine_tells_one(void **state)
{
	struct machine_config machine = { .kernel_fd = -1, .initrd_fd = -1 };

	(void)state;
	into(VM_RUNNING);
	vm->config.machine = &machine;
	nothing_told();
	say_event(GUEST_PANICKED);
	expect_taken();
	expect_told("guest-panic", "");
	say_event(GUEST_PANICKED);
	turn();
	vm->config.machine = NULL;
	expect_violation("EVENT 4 unasked");
}

/* ---- PING-RESULT and COUNTERS */

static void a_ping_is_reported_once(void **state)
{
	union msg message = { .ping_result = { .id = 7 } };
	json_t *ids = json_pack("[i]", 7);

	(void)state;
	into(VM_RUNNING);
	assert_int_equal(pings_restore(vm, ids), 0);
	json_decref(ids);
	send_one(MSG_PING_RESULT, &message, -1);
	expect_taken();
	send_one(MSG_PING_RESULT, &message, -1);
	expect_violation("PING-RESULT without a PING");
}

static void with_a_status_that_there_is(void **state)
{
	union msg message = { .ping_result = { .id = 7,
					       .status = PING_STATUSES } };
	json_t *ids = json_pack("[i]", 7);

	(void)state;
	into(VM_RUNNING);
	assert_int_equal(pings_restore(vm, ids), 0);
	json_decref(ids);
	send_one(MSG_PING_RESULT, &message, -1);
	expect_violation("PING-RESULT without a PING");
}

static void say_counters(const char *name, uint32_t last)
{
	union msg message = { .counters = { .count = 1, .last = last } };

	snprintf(message.counters.item[0].name, COUNTER_NAME, "%s", name);
	send_one(MSG_COUNTERS, &message, -1);
}

static void counters_are_told_when_asked_for(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_int_equal(counters_ask(vm), 0);
	say_counters("exits.hlt", 0);
	say_counters("exits.io", 1);
	expect_taken();
	say_counters("exits.io", 1);
	expect_violation("COUNTERS without a request");
}

static void a_bad_name_is_a_violation(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_int_equal(counters_ask(vm), 0);
	say_counters("exits\n", 1);
	expect_violation("COUNTERS of a bad name");
}

/* They were asked for before STATS: with its answer they must be there. */
static void counters_come_before_the_stats(void **state)
{
	(void)state;
	into(VM_RUNNING);
	assert_int_equal(counters_ask(vm), 0);
	assert_int_equal(heard(), MSG_COUNTERS_REQUEST);
	say_stats(await_heartbeat(), 0);
	expect_taken();
	say_counters("exits.io", 1);
	expect_violation("COUNTERS without a request");
}

/* ---- LOG, and its token buckets */

static void a_line_is_logged_and_cleaned(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_log("\x1b[31mred\n");
	expect_taken();
	assert_string_equal(test.last_line, "vm0: ?[31mred?");
}

static void a_level_and_a_length_have_bounds(void **state)
{
	union msg message = { .log = { .level = LOG_LEVELS } };

	(void)state;
	into(VM_RUNNING);
	send_one(MSG_LOG, &message, -1);
	expect_violation("LOG of level 4, length 0");
}

static void a_line_is_shorter_than_its_field(void **state)
{
	union msg message = { .log = { .length = MSG_LOG_TEXT } };

	(void)state;
	into(VM_RUNNING);
	send_one(MSG_LOG, &message, -1);
	expect_violation("LOG of level 0, length 240");
}

static unsigned int kept_lines(const char *text)
{
	unsigned int count = 0;

	for (size_t i = 0; i < VMLOG_LINES; i++) {
		const struct vmlog_line *line =
			vmlog_at(&vm->log.kept.current, i);

		count += line && strcmp(line->text, text) == 0;
	}
	return count;
}

static void say_lines(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		say_log("line");
		turn();
	}
}

static void fifty_lines_pass_and_then_ten_a_second(void **state)
{
	(void)state;
	into(VM_RUNNING);
	pass(1);
	say_lines(60);
	assert_int_equal(kept_lines("line"), 50);
	assert_int_equal(vm->log.dropped, 10);
	pass(99);
	say_lines(1);
	assert_int_equal(kept_lines("line"), 50);
	pass(1);
	say_lines(2);
	assert_int_equal(kept_lines("line"), 51);
	assert_int_equal(kept_lines("11 lines dropped"), 1);
	pass(500);
	say_lines(10);
	assert_int_equal(kept_lines("line"), 56);
	assert_int_equal(kept_lines("1 lines dropped"), 1);
	assert_int_equal(vm->log.dropped, 5);
}

static void a_bucket_holds_no_more_than_a_burst(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(1);
	test.now_ns += 3600 * NSEC_PER_SEC;
	say_lines(60);
	assert_int_equal(kept_lines("line"), 51);
	assert_int_equal(vm->log.dropped, 10);
}

static void a_thousand_lines_at_once_are_no_flood(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(1000);
	expect_taken();
	say_log("one more");
	expect_violation("flood of LOG messages");
}

static void the_next_generation_has_full_buckets(void **state)
{
	(void)state;
	into(VM_RUNNING);
	say_lines(900);
	pass(1);
	end_by(SIGHUP);
	assert_int_equal(vm->state, VM_BACKOFF);
	vm_raise(vm, VM_START);
	hear_start();
	assert_int_equal(vm->log.dropped, 0);
	say_lines(900);
	expect_taken();
	assert_int_equal(vm->log.dropped, 850);
}

/* 32 of one VM, then others get their turn. */
static void a_turn_serves_so_many_messages(void **state)
{
	(void)state;
	into(VM_RUNNING);
	for (int i = 0; i < 40; i++)
		say_log("line");
	turn();
	assert_int_equal(kept_lines("line"), 32);
	turn();
	assert_int_equal(kept_lines("line"), 40);
}

/* Its last words, which nobody has read yet when it is reaped. */
static void a_dead_process_is_heard_to_the_end(void **state)
{
	(void)state;
	into(VM_RUNNING);
	for (int i = 0; i < 40; i++)
		say_log("line");
	vm_signal(vm, SIGHUP);
	while (waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, &(siginfo_t){ 0 },
		      WEXITED | WNOWAIT) < 0)
		;
	await_end();
	assert_int_equal(kept_lines("line"), 40);
	expect_death(DEATH_SIGNAL, "SIGHUP");
}

/* ---- a refused system call */

static void it_is_named_and_ends_the_process(void **state)
{
	(void)state;
	into(VM_RUNNING);
	fd_close(&helper_fd);
	await_end();
	expect_death(DEATH_SECCOMP, "SIGSYS getppid");
}

/* A process whose set-up had no filter could make the supervisor wait. */
static void it_isnt_read_of_a_process_that_has_the_listener(void **state)
{
	(void)state;
	into(VM_RUNNING);
	vm->process.protocol = PROTO_SETUP_FILTER - 1;
	fd_close(&helper_fd);
	await_end();
	expect_death(DEATH_SECCOMP, "SIGSYS: a refused call");
}

/* ---- a process that was taken over */

static uint64_t take_over(void)
{
	into_starting();
	vm->process.adopting = true;
	assert_int_equal(vm_ask_sign_of_life(vm), 0);
	return heard_stats_request();
}

static void what_it_said_before_counts_for_nothing(void **state)
{
	uint64_t id = take_over();

	(void)state;
	say_event(GUEST_PAUSED);
	say_stats(id - 1, 0);
	say(MSG_LOADED);
	say(MSG_PING_RESULT);
	say_counters("exits.io", 1);
	say_log("hello");
	expect_taken();
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(kept_lines("hello"), 1);
	say_stats(id, 0);
	expect_taken();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_true(vm->process.proved);
	assert_false(vm->process.adopting);
	say_event(GUEST_PAUSED);
	expect_violation("EVENT 0 unasked");
}

static void what_is_paused_stays_paused(void **state)
{
	uint64_t id = take_over();

	(void)state;
	say_stats(id, 1);
	expect_taken();
	assert_int_equal(vm->state, VM_PAUSED);
}

static void its_listener_is_taken_once(void **state)
{
	int listener_fd;

	(void)state;
	take_over();
	say_ready();
	expect_taken();
	listener_fd = vm->process.listener_fd;
	assert_true(listener_fd >= 0);
	say_ready();
	expect_taken();
	assert_int_equal(vm->process.listener_fd, listener_fd);
}

/* A full channel would keep the answer out: it is read before the question. */
static void a_full_channel_is_emptied_before_it_is_asked(void **state)
{
	union msg message = { .event.event = GUEST_PAUSED };

	(void)state;
	into_starting();
	vm->process.adopting = true;
	while (channel_send(&test.process, MSG_EVENT, &message, -1) == 0)
		;
	assert_int_equal(vm_ask_sign_of_life(vm), 0);
	say_stats(heard_stats_request(), 0);
	expect_taken();
	assert_int_equal(vm->state, VM_RUNNING);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_in_every_state),
		TALK_TEST(a_packet_of_another_form_is_a_violation),
		TALK_TEST(the_word_of_another_generation_is_a_violation),
		TALK_TEST(surplus_descriptors_are_a_violation_and_closed),
		TALK_TEST(ready_has_one_descriptor),
		TALK_TEST(which_is_a_listener),
		TALK_TEST(both_make_it_run),
		TALK_TEST(each_is_said_once),
		TALK_TEST(ready_was_all_in_the_protocol_before),
		TALK_TEST(an_open_sandbox_is_a_violation),
		TALK_TEST(another_root_is_a_violation),
		TALK_TEST(what_has_ended_is_no_violation),
		TALK_TEST(an_answer_is_taken_once),
		TALK_TEST(an_answer_has_the_id_of_the_request),
		TALK_TEST(an_answer_is_paused_or_not),
		TALK_TEST(nothing_piles_up_before_a_deaf_process),
		TALK_TEST(nobody_asks_a_vm_that_isnt_up),
		TALK_TEST(silence_is_ended_by_sigabrt),
		TALK_TEST(and_then_by_sigkill),
		TALK_TEST(an_answer_in_the_channel_is_no_silence),
		TALK_TEST(a_closed_channel_has_a_moment_to_be_an_end),
		TALK_TEST(a_pause_is_answered_once),
		TALK_TEST(an_answer_may_cross_the_stop),
		TALK_TEST(an_unknown_event_is_a_violation),
		TALK_TEST(a_builtin_guest_has_no_events_of_its_own),
		TALK_TEST(a_machine_tells_one),
		TALK_TEST(a_ping_is_reported_once),
		TALK_TEST(with_a_status_that_there_is),
		TALK_TEST(counters_are_told_when_asked_for),
		TALK_TEST(a_bad_name_is_a_violation),
		TALK_TEST(counters_come_before_the_stats),
		TALK_TEST(a_line_is_logged_and_cleaned),
		TALK_TEST(a_level_and_a_length_have_bounds),
		TALK_TEST(a_line_is_shorter_than_its_field),
		TALK_TEST(fifty_lines_pass_and_then_ten_a_second),
		TALK_TEST(a_bucket_holds_no_more_than_a_burst),
		TALK_TEST(a_thousand_lines_at_once_are_no_flood),
		TALK_TEST(the_next_generation_has_full_buckets),
		TALK_TEST(a_turn_serves_so_many_messages),
		TALK_TEST(a_dead_process_is_heard_to_the_end),
		TALK_TEST(it_is_named_and_ends_the_process),
		TALK_TEST(it_isnt_read_of_a_process_that_has_the_listener),
		TALK_TEST(what_it_said_before_counts_for_nothing),
		TALK_TEST(what_is_paused_stays_paused),
		TALK_TEST(its_listener_is_taken_once),
		TALK_TEST(a_full_channel_is_emptied_before_it_is_asked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
