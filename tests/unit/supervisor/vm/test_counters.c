/* SPDX-License-Identifier: ISC */
/* Counters that a kvm guest's process tells: taken whole, checked, bounded. */
#include "ipc/fd.h"
#include "tests/unit/supervisor/control/control_fixture.h"

#include "supervisor/core.h"
#include "supervisor/vm/counters.h"

static struct supervisor supervisor;
static struct vm vm;
static int process_fd;

static int set_up_vm(void **state)
{
	int ends[2], error = set_up(state);

	memset(&vm, 0, sizeof(vm));
	vm.host = &supervisor.host;
	if (error ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	vm.process.channel.side = CHANNEL_SUPERVISOR;
	vm.process.channel.fd = ends[0];
	process_fd = ends[1];
	return 0;
}

static int tear_down_vm(void **state)
{
	counters_uninit(&vm);
	fd_close(&vm.process.channel.fd);
	fd_close(&process_fd);
	return tear_down(state);
}

/* As long as the field: it has no end. */
#define TOO_LONG "01234567890123456789012345678901"

#define VM_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_vm, tear_down_vm)

static bool was_asked(void)
{
	union msg message;

	return recv(process_fd, &message, sizeof(message), 0) > 0;
}

/* One item, the last. */
static struct msg_counters one(const char *name, uint64_t value)
{
	struct msg_counters message = { .count = 1, .last = 1 };

	memcpy(message.item[0].name, name, strnlen(name, COUNTER_NAME));
	message.item[0].value = value;
	return message;
}

static const char *take_one(const char *name, uint64_t value)
{
	const struct msg_counters message = one(name, value);

	return counters_take(&vm, &message);
}

static json_int_t shown(const char *name)
{
	json_t *json = counters_json(&vm);
	json_t *value = json_object_get(json, name);
	json_int_t number = value ? json_integer_value(value) : -1;

	json_decref(json);
	return number;
}

static void unasked_is_a_violation(void **state)
{
	(void)state;
	assert_non_null(strstr(take_one("a", 1), "without a request"));
	assert_int_equal(counters_ask(&vm), 0);
	assert_true(was_asked());
	assert_null(take_one("a", 1));
	/* answered once is enough */
	assert_non_null(take_one("a", 2));
	assert_int_equal(shown("a"), 1);
}

static void asked_once_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(counters_ask(&vm), 0);
	assert_int_equal(counters_ask(&vm), 0);
	assert_true(was_asked());
	assert_false(was_asked());
}

static void shown_when_whole(void **state)
{
	struct msg_counters part = one("net0.tx", 5);

	(void)state;
	part.last = 0;
	assert_int_equal(counters_ask(&vm), 0);
	assert_null(counters_take(&vm, &part));
	assert_int_equal(shown("net0.tx"), -1);
	assert_null(take_one("blk1.flush_0", UINT64_MAX));
	assert_int_equal(shown("net0.tx"), 5);
	assert_true(shown("blk1.flush_0") == INT64_MAX);
	/* the next set replaces it */
	assert_int_equal(counters_ask(&vm), 0);
	assert_int_equal(shown("net0.tx"), 5);
	assert_null(take_one("c", 7));
	assert_int_equal(shown("net0.tx"), -1);
	assert_int_equal(shown("c"), 7);
	counters_abandon(&vm);
	assert_int_equal(shown("c"), -1);
}

static void names_are_checked(void **state)
{
	static const char *const names[] = {
		"",    "A",      "a b", "a\n",   "a/b",    "\xc3\xa4",
		"a-b", "{\"x\"", "a:",  "a\x1b", TOO_LONG,
	};

	(void)state;
	assert_int_equal(counters_ask(&vm), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *wrong = take_one(names[i], 1);

		assert_non_null(wrong);
		assert_non_null(strstr(wrong, "bad name"));
	}
	/* the longest that ends */
	assert_null(take_one("0123456789012345678901234567890", 1));
}

static void malformed_is_a_violation(void **state)
{
	static const uint32_t cases[][2] = {
		{ COUNTERS_MAX + 1, 1 }, { UINT32_MAX, 0 }, { 0, 0 }, { 1, 2 },
		{ 1, UINT32_MAX },
	};

	(void)state;
	assert_int_equal(counters_ask(&vm), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct msg_counters message = one("a", 1);
		const char *wrong;

		message.count = cases[i][0];
		message.last = cases[i][1];
		wrong = counters_take(&vm, &message);
		assert_non_null(wrong);
		assert_non_null(strstr(wrong, "malformed"));
	}
}

/* Fills messages with new names for ever. */
static void too_many_are_a_violation(void **state)
{
	const char *wrong = NULL;
	unsigned int taken = 0;

	(void)state;
	assert_int_equal(counters_ask(&vm), 0);
	while (!wrong && taken <= COUNTERS_NAMES) {
		struct msg_counters message = { .count = COUNTERS_MAX };

		for (unsigned int i = 0; i < COUNTERS_MAX; i++)
			snprintf(message.item[i].name, COUNTER_NAME, "n%u",
				 taken + i);
		wrong = counters_take(&vm, &message);
		if (!wrong)
			taken += COUNTERS_MAX;
	}
	assert_int_equal(taken, COUNTERS_NAMES);
	assert_non_null(strstr(wrong, "too many"));
}

static void who_waits_is_answered(void **state)
{
	struct peer peers[3] = { peer_adopted(0), peer_adopted(0),
				 peer_adopted(0) };
	json_t *message;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		counters_call(&vm, kept_call(&peers[i], ""));
	assert_true(was_asked());
	assert_false(was_asked());
	peer_close(&peers[1]); /* in the middle of the list */
	wait_for_clients(2);
	assert_null(take_one("a", 1));
	for (size_t i = 0; i < ARRAY_SIZE(peers); i += 2) {
		message = peer_next(&peers[i]);
		assert_non_null(json_object_get(
			json_object_get(json_object_get(message, "parameters"),
					"counters"),
			"a"));
		json_decref(message);
	}
	counters_call(&vm, kept_call(&peers[0], ""));
	counters_abandon(&vm);
	expect_error(&peers[0], "io.vmsup.Failed", NULL, NULL);
	peer_close(&peers[0]);
	peer_close(&peers[2]);
}

/* What is on its way during an upgrade is not a violation after it. */
static void over_an_upgrade(void **state)
{
	json_t *saved;

	(void)state;
	saved = counters_save(&vm);
	assert_int_equal(counters_load(&vm, saved), 0);
	assert_non_null(take_one("a", 1));
	json_decref(saved);
	assert_int_equal(counters_ask(&vm), 0);
	saved = counters_save(&vm);
	counters_uninit(&vm);
	assert_int_equal(counters_load(&vm, saved), 0);
	json_decref(saved);
	assert_null(take_one("a", 1));
	assert_int_equal(counters_load(&vm, NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		VM_TEST(unasked_is_a_violation),
		VM_TEST(asked_once_at_a_time),
		VM_TEST(shown_when_whole),
		VM_TEST(names_are_checked),
		VM_TEST(malformed_is_a_violation),
		VM_TEST(too_many_are_a_violation),
		VM_TEST(who_waits_is_answered),
		VM_TEST(over_an_upgrade),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
