/* SPDX-License-Identifier: ISC */
/* What one user's connections may take of the control socket: places, unread
 * output, the supervisor's time. */
#include "tests/unit/supervisor/control/control_fixture.h"

#define ALICE 1000
#define BOB   1001

static const char stream[] = ",\"more\":true";

static struct peer crowd[CONTROL_MAX_CLIENTS];
static unsigned int crowd_count;

/* One more of the crowd, with a call under way if it is busy. */
static struct peer *join(uid_t uid, bool busy)
{
	struct peer *peer = &crowd[crowd_count++];
	unsigned int kept = test.kept_count;

	*peer = peer_adopted(uid);
	if (busy) {
		peer_call(peer, "io.vmsup.Stream", stream);
		wait_for_kept(kept + 1);
	}
	return peer;
}

static void disperse(void)
{
	while (crowd_count > 0)
		peer_close(&crowd[--crowd_count]);
	wait_for_clients(0);
}

static void has_no_place(uid_t uid, const char *why)
{
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(control_adopt(test.control, ends[1], uid, 1), -EBUSY);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	if (why && !strstr(test.last_line, why))
		fail_msg("not \"%s\": %s", why, test.last_line);
}

static void is_served(uid_t uid)
{
	struct peer peer = peer_adopted(uid);

	expect_served(&peer, (int)uid);
	peer_close(&peer);
	turns();
}

/* Whose connection it is. */
static struct control_user *user(uid_t uid)
{
	struct control_user *found = user_of(test.control, uid);

	assert_non_null(found);
	return found;
}

/* What the user has used, and nothing of what was measured. */
static void has_used_ms(uid_t uid, uint64_t ms)
{
	user(uid)->paid_ns = 0;
	user_charge(test.control, user(uid), ms * NSEC_PER_MSEC);
}

/* ---- places */

static void one_user_has_some_of_the_places(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CONTROL_USER_CLIENTS; i++)
		join(ALICE, true);
	has_no_place(ALICE, "too many of its user's");
	is_served(BOB);
	is_served(0);
	assert_int_equal(counts().cut_off, 0);
	disperse();
}

static void root_has_all_of_them(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CONTROL_MAX_CLIENTS; i++)
		join(0, true);
	has_no_place(ALICE, "too many are connected");
	has_no_place(0, NULL);
	disperse();
}

static void who_has_all_of_his_gives_up_his_own(void **state)
{
	struct peer *other = join(BOB, false), *first = join(ALICE, false);

	(void)state;
	for (unsigned int i = 1; i < CONTROL_USER_CLIENTS; i++)
		join(ALICE, false);
	is_served(ALICE);
	expect_end(first);
	expect_silence(other);
	disperse();
}

/* Whatever few do, somebody else gets in. */
static void the_user_with_the_most_makes_room(void **state)
{
	unsigned int members = CONTROL_MAX_CLIENTS - CONTROL_ROOT_RESERVE;
	struct peer newcomers[2];

	(void)state;
	/* Alice has 29, four others have all that is left: one has 22 */
	for (unsigned int i = 0; i < members; i++)
		join(i < 29 ? ALICE : BOB + i % 4, true);
	newcomers[0] = peer_adopted(2000);
	expect_served(&newcomers[0], 1);
	peer_call(&newcomers[0], "io.vmsup.Stream", stream);
	wait_for_kept(members);
	/* her longest silent one */
	expect_end(&crowd[0]);
	assert_int_equal(counts().clients, members);
	assert_int_equal(counts().cut_off, 1);
	/* nobody may have a place who would have more then */
	has_no_place(ALICE, "too many are connected");
	assert_int_equal(user(ALICE)->clients, 28);
	/* until all have the same */
	newcomers[1] = peer_adopted(2000);
	expect_served(&newcomers[1], 1);
	assert_int_equal(user(ALICE)->clients, 27);
	peer_close(&newcomers[0]);
	peer_close(&newcomers[1]);
	disperse();
}

static void root_gets_in_between_members(void **state)
{
	unsigned int members = CONTROL_MAX_CLIENTS - CONTROL_ROOT_RESERVE;

	(void)state;
	for (unsigned int i = 0; i < members; i++)
		join(ALICE + i, true);
	for (unsigned int i = 0; i < CONTROL_ROOT_RESERVE; i++)
		join(0, true);
	is_served(0);
	assert_int_equal(counts().cut_off, 1);
	/* and the place that is free now is one of root's */
	has_no_place(3000, "too many are connected");
	disperse();
}

/* ---- unread output */

static void leave_unread(struct peer *peer, unsigned int times)
{
	peer_call(peer, "io.vmsup.Stream", stream);
	wait_for_kept(test.kept_count + 1);
	while (times-- > 0)
		call_more(test.kept[test.kept_count - 1], blob(1000000));
	turns();
}

static void unread_output_is_bounded_by_user(void **state)
{
	struct peer *root = join(0, false), *root_too = join(0, false);
	struct peer *other = join(BOB, false), *little = join(ALICE, false);
	struct peer *much = join(ALICE, false);

	(void)state;
	leave_unread(root, 7);
	leave_unread(root_too, 7);
	leave_unread(other, 7);
	leave_unread(little, 3);
	assert_int_equal(counts().cut_off, 0);
	leave_unread(much, 6);
	assert_int_equal(counts().cut_off, 1);
	assert_non_null(strstr(test.last_line, "unread by its user"));
	wait_for_clients(4);
	/* who has the most of it, and nobody else */
	assert_int_equal(user(ALICE)->clients, 1);
	assert_int_equal(user(BOB)->clients, 1);
	assert_int_equal(user(0)->clients, 2);
	disperse();
}

static void over_the_bound_of_all_it_is_the_user_with_the_most(void **state)
{
	(void)state;
	/* a single client has more than any of Alice's, but she has more */
	leave_unread(join(BOB, false), 5);
	for (int i = 0; i < 8; i++)
		leave_unread(join(2000 + (uid_t)i, false), 3);
	leave_unread(join(ALICE, false), 4);
	assert_int_equal(counts().cut_off, 0);
	leave_unread(join(ALICE, false), 4);
	assert_int_equal(counts().cut_off, 1);
	wait_for_clients(10);
	assert_int_equal(user(ALICE)->clients, 1);
	disperse();
}

/* ---- time */

static void who_is_over_his_share_waits(void **state)
{
	struct peer alice = peer_adopted(ALICE), bob = peer_adopted(BOB);
	struct peer root = peer_adopted(0);

	(void)state;
	expect_served(&alice, 1);
	/* 50 ms more than may be saved up: paid off in a second */
	has_used_ms(ALICE, CONTROL_USER_BURST_MS + 50);
	has_used_ms(0, 100000);
	peer_call(&alice, "io.vmsup.Echo", ",\"parameters\":{\"n\":2}");
	expect_silence(&alice);
	expect_served(&bob, 3);
	expect_served(&root, 4);
	skip_ms(900);
	expect_silence(&alice);
	skip_ms(200);
	expect_number(&alice, 2, false);
	expect_served(&alice, 5);
	assert_int_equal(counts().cut_off + counts().refused, 0);
	peer_close(&alice);
	peer_close(&bob);
	peer_close(&root);
}

static void what_a_call_uses_is_counted(void **state)
{
	struct peer alice = peer_adopted(ALICE);
	unsigned int first, seconds;
	uint64_t begin_ns;

	(void)state;
	stop_clock();
	for (int i = 0; i < 40; i++)
		peer_call(&alice, "io.vmsup.Burn", "");
	begin_ns = loop_now_ns();
	turns();
	first = test.handled;
	/* what was saved up is 250 ms; the last call may begin before */
	assert_in_range(first, 2, 3);
	/* a twentieth of the time: one in two seconds */
	for (int i = 0; i < 100; i++)
		skip_ms(100);
	seconds = (unsigned int)((loop_now_ns() - begin_ns) / NSEC_PER_SEC);
	assert_in_range(test.handled - first, seconds / 2 - 2, seconds / 2 + 1);
	peer_close(&alice);
}

/* Also what is done for it while others are served. */
static void what_is_done_for_a_listener_is_counted(void **state)
{
	struct peer alice = peer_adopted(ALICE);
	struct call *call;
	uint64_t before;

	(void)state;
	peer_call(&alice, "io.vmsup.Count", stream);
	wait_for_kept(1);
	call = test.kept[0];
	before = user(ALICE)->paid_ns;
	for (int i = 0; i < 100; i++)
		count_next(call);
	assert_true(user(ALICE)->paid_ns > before);
	/* over the share, events are left out, and counted by who sends them */
	assert_true(call_has_space(call));
	call_charge(call, 2 * CONTROL_USER_BURST_MS * NSEC_PER_MSEC);
	assert_false(call_has_space(call));
	skip_ms(10000);
	assert_true(call_has_space(call));
	peer_close(&alice);
	turns();
}

static void all_of_a_user_get_their_turn(void **state)
{
	struct peer peers[3];
	bool answered[3] = { false };

	(void)state;
	for (int i = 0; i < 3; i++)
		peers[i] = peer_adopted(ALICE);
	has_used_ms(ALICE, CONTROL_USER_BURST_MS + 50);
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 20; k++)
			peer_call(&peers[i], "io.vmsup.Burn", "");
	for (int i = 0; i < 100; i++)
		skip_ms(100);
	for (int i = 0; i < 3; i++)
		answered[i] = peer_read(&peers[i]);
	assert_true(answered[0] && answered[1] && answered[2]);
	for (int i = 0; i < 3; i++)
		peer_close(&peers[i]);
}

/* Who waits isn't late: nothing of his is read. */
static void waiting_is_no_silence(void **state)
{
	struct peer half = peer_adopted(ALICE), idle = peer_adopted(ALICE);
	static const char text[] = "{\"method\":\"io.vmsup.Echo\"}";

	(void)state;
	peer_send_bytes(&half, text, 5);
	turns();
	for (int i = 0; i < 10; i++) {
		has_used_ms(ALICE, CONTROL_USER_BURST_MS + 300);
		turns();
		if (i == 0)
			peer_call(&idle, "io.vmsup.Echo", "");
		skip_ms(CONTROL_IDLE_MS / 6);
		if (i == 0)
			peer_send_bytes(&half, text + 5, sizeof(text) - 5);
	}
	skip_ms(10000);
	expect_number(&half, 0, false);
	expect_number(&idle, 0, false);
	assert_int_equal(counts().cut_off, 0);
	peer_close(&half);
	peer_close(&idle);
}

static void hanging_up_while_waiting_is_noticed(void **state)
{
	struct peer alice = peer_adopted(ALICE);

	(void)state;
	has_used_ms(ALICE, CONTROL_USER_BURST_MS + 100);
	for (int i = 0; i < 5; i++)
		peer_call(&alice, "io.vmsup.Echo", "");
	turns();
	peer_close(&alice);
	turns();
	/* at once, or its end would wake the loop again and again */
	assert_int_equal(counts().clients, 0);
	assert_int_equal(test.handled, 0);
	/* one that waits, and says no more, doesn't either */
	alice = peer_adopted(ALICE);
	peer_call(&alice, "io.vmsup.Echo", "");
	turns();
	assert_int_equal(epoll_wait(test.loop.epoll_fd, test.loop.batch, 1, 0),
			 0);
	peer_close(&alice);
}

static void hanging_up_is_no_way_to_forget(void **state)
{
	struct peer alice = peer_adopted(ALICE);

	(void)state;
	has_used_ms(ALICE, CONTROL_USER_BURST_MS + 50);
	peer_close(&alice);
	wait_for_clients(0);
	/* nor is a crowd of others that come and go */
	for (uid_t uid = 2000; uid < 2600; uid++) {
		struct peer peer = peer_adopted(uid);

		expect_served(&peer, 1);
		peer_close(&peer);
		turns();
	}
	assert_true(test.control->users.count <= 2 * CONTROL_MAX_CLIENTS);
	alice = peer_adopted(ALICE);
	peer_call(&alice, "io.vmsup.Echo", ",\"parameters\":{\"n\":1}");
	expect_silence(&alice);
	skip_ms(1100);
	expect_number(&alice, 1, false);
	peer_close(&alice);
	/* but what is saved up again is forgotten */
	skip_ms(CONTROL_USER_BURST_MS * CONTROL_USER_SHARE);
	is_served(BOB);
	assert_true(test.control->users.count <= 2);
}

static void who_is_far_over_is_told(void **state)
{
	struct peer alice = peer_adopted(ALICE);

	(void)state;
	has_used_ms(ALICE, 10ULL * CONTROL_USER_BURST_MS);
	has_no_place(ALICE, "asks for too much");
	is_served(BOB);
	/* no debt lasts */
	skip_ms(5500);
	is_served(BOB);
	peer_close(&alice);
	alice = peer_adopted(ALICE);
	skip_ms(5500);
	expect_served(&alice, 1);
	peer_close(&alice);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_user_has_some_of_the_places),
		TEST(root_has_all_of_them),
		TEST(who_has_all_of_his_gives_up_his_own),
		TEST(the_user_with_the_most_makes_room),
		TEST(root_gets_in_between_members),
		TEST(unread_output_is_bounded_by_user),
		TEST(over_the_bound_of_all_it_is_the_user_with_the_most),
		TEST(who_is_over_his_share_waits),
		TEST(what_a_call_uses_is_counted),
		TEST(what_is_done_for_a_listener_is_counted),
		TEST(all_of_a_user_get_their_turn),
		TEST(waiting_is_no_silence),
		TEST(hanging_up_while_waiting_is_noticed),
		TEST(hanging_up_is_no_way_to_forget),
		TEST(who_is_far_over_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control_users", tests, NULL, NULL);
}
