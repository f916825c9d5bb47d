/* SPDX-License-Identifier: ISC */
/* Calls that wait: answered together or alone, failed, hung up on. */
#include "control_fixture.h"

#include "supervisor/control/waiting.h"

static struct call_list list;
static unsigned int released;

struct numbered {
	struct waiting waiting;
	int number;
};

static void on_release(struct waiting *waiting)
{
	released += (unsigned int)((struct numbered *)waiting)->number;
}

static struct numbered *add(struct peer *peer, int number)
{
	struct call *call = kept_call(peer, "");
	struct numbered *numbered = waiting_add(&list, call, sizeof(*numbered));

	assert_non_null(numbered);
	assert_int_equal(numbered->number, 0);
	assert_null(numbered->waiting.release);
	assert_ptr_equal(numbered->waiting.call, call);
	assert_ptr_equal(call->ctx, numbered);
	numbered->number = number;
	numbered->waiting.release = on_release;
	return numbered;
}

static int set_up_list(void **state)
{
	LIST_INIT(&list);
	released = 0;
	return set_up(state);
}

#define LIST_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_list, tear_down)

static void all_are_answered(void **state)
{
	struct peer peers[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		peers[i] = peer_adopted(0);
		add(&peers[i], 1 << i);
	}
	waiting_reply(&list, json_pack("{s:i}", "n", 7));
	assert_true(LIST_EMPTY(&list));
	assert_int_equal(released, 7);
	for (int i = 0; i < 3; i++) {
		expect_number(&peers[i], 7, false);
		others_are_served();
		peer_close(&peers[i]);
	}
	wait_for_clients(0);
	assert_int_equal(released, 7);
}

static void all_fail(void **state)
{
	struct peer peers[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		peers[i] = peer_adopted(0);
		add(&peers[i], 1);
	}
	waiting_fail(&list, "it rained");
	assert_true(LIST_EMPTY(&list));
	for (int i = 0; i < 2; i++) {
		expect_error(&peers[i], "io.vmsup.Failed", "message",
			     "it rained");
		peer_close(&peers[i]);
	}
	waiting_fail(&list, "of nobody");
	waiting_reply(&list, NULL);
}

/* The first, one in the middle, the last. */
static void who_hangs_up_waits_no_more(void **state)
{
	static const int order[] = { 1, 0, 2 };
	struct peer peers[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		peers[i] = peer_adopted(0);
		add(&peers[i], 1 << i);
	}
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int before = released;

		peer_close(&peers[order[i]]);
		wait_for_clients(2 - i);
		assert_int_equal(released - before, 1 << order[i]);
	}
	assert_true(LIST_EMPTY(&list));
}

static void one_is_answered_and_the_others_wait(void **state)
{
	struct peer first = peer_adopted(0), second = peer_adopted(0);
	struct numbered *numbered = add(&first, 1);
	struct call *call;

	(void)state;
	add(&second, 2);
	call = waiting_end(&numbered->waiting);
	assert_null(call->gone);
	assert_int_equal(released, 1);
	call_reply(call, json_pack("{s:i}", "n", 1));
	expect_number(&first, 1, false);
	expect_silence(&second);
	/* ended: a hang-up finds nothing of it */
	waiting_end(LIST_FIRST(&list));
	peer_close(&second);
	peer_close(&first);
	wait_for_clients(0);
	assert_int_equal(released, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIST_TEST(all_are_answered),
		LIST_TEST(all_fail),
		LIST_TEST(who_hangs_up_waits_no_more),
		LIST_TEST(one_is_answered_and_the_others_wait),
	};

	return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
