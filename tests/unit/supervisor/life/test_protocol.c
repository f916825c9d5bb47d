/* SPDX-License-Identifier: ISC */
/* The protocol: what a VM process may say, in which state, and what it
 * costs. */
#include "tests/unit/supervisor/life/protocol_fixture.h"

#include "supervisor/vm/vm_state.h"

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

/* Where the kernel lets a socket refuse them: Linux 6.16. */
static void expect_no_descriptors(void)
{
	socklen_t length = sizeof(int);
	int allowed;

	if (getsockopt(vm->process.channel.fd, SOL_SOCKET, SO_PASSRIGHTS,
		       &allowed, &length) < 0)
		assert_int_equal(errno, ENOPROTOOPT);
	else
		assert_int_equal(allowed, 0);
}

static void both_make_it_run(void **state)
{
	(void)state;
	into_starting();
	say_ready();
	expect_taken();
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm->process.proved);
	assert_true(vm->process.listener_fd >= 0);
	expect_no_descriptors(); /* that was the last one to come */
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
	expect_no_descriptors();
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
