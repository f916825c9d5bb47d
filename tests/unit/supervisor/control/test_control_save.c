/* SPDX-License-Identifier: ISC */
/* The control socket over an upgrade in place: no client notices. */
#include "supervisor/control/control_save.h"
#include "tests/unit/supervisor/control/control_fixture.h"

#define BIG_BYTES (3UL * 1024 * 1024)

/* Lets the supervisor read what was sent. */
static void settle_down(void)
{
	turns();
}

static void call_kept(unsigned int index, int number)
{
	struct call *call = test.kept[index];

	forget(call);
	call->gone = NULL;
	call_reply(call, json_pack("{s:i}", "n", number));
}

/* ---- what goes on */

static void idle_client_stays(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	expect_served(&peer, 1);
	upgrade();
	assert_int_equal(counts().clients, 1);
	expect_silence(&peer);
	expect_served(&peer, 2);
	upgrade();
	upgrade();
	expect_served(&peer, 3);
	peer_close(&peer);
	wait_for_clients(0);
	assert_int_equal(counts().cut_off, 0);
}

static void half_message_is_finished(void **state)
{
	static const char message[] =
		"{\"method\":\"io.vmsup.Echo\",\"parameters\":{\"n\":7}}";
	struct peer peer = peer_connect();

	(void)state;
	for (size_t split = 1; split < sizeof(message); split += 5) {
		peer_send_bytes(&peer, message, split);
		settle_down();
		upgrade();
		expect_silence(&peer);
		peer_send_bytes(&peer, message + split,
				sizeof(message) - split);
		expect_number(&peer, 7, false);
	}
	peer_close(&peer);
}

/* Bytes that are no text reach the same error that they would have. */
static void input_is_kept_to_the_byte(void **state)
{
	unsigned char bytes[256];
	struct peer peer = peer_connect();

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i + 1); /* the NUL comes last */
	peer_send_bytes(&peer, bytes, sizeof(bytes) - 1);
	settle_down();
	upgrade();
	assert_int_equal(
		buffer_length(&TAILQ_FIRST(&test.control->clients)->in),
		sizeof(bytes) - 1);
	assert_memory_equal(
		buffer_head(&TAILQ_FIRST(&test.control->clients)->in), bytes,
		sizeof(bytes) - 1);
	peer_send_bytes(&peer, "", 1);
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	expect_end(&peer);
	peer_close(&peer);
}

static void call_under_way_is_answered_once(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", ",\"parameters\":{\"x\":[1,0.1]}");
	wait_for_kept(1);
	upgrade();
	assert_int_equal(test.gone, 1); /* the old image's */
	wait_for_kept(1);
	assert_int_equal(test.handled, 2);
	assert_string_equal(test.kept[0]->method, "io.vmsup.Keep");
	assert_false(test.kept[0]->more);
	assert_true(json_real_value(json_array_get(
			    json_object_get(test.kept[0]->parameters, "x"),
			    1)) == 0.1);
	expect_silence(&peer);
	call_kept(0, 5);
	expect_number(&peer, 5, false);
	expect_served(&peer, 6);
	peer_close(&peer);
}

static void pipelined_calls_keep_their_turn(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", "");
	peer_call(&peer, "io.vmsup.Echo", ",\"parameters\":{\"n\":2}");
	peer_call(&peer, "io.vmsup.Echo", ",\"parameters\":{\"n\":3}");
	peer_send_bytes(&peer, "{\"method\"", 9);
	wait_for_kept(1);
	settle_down();
	upgrade();
	wait_for_kept(1);
	expect_silence(&peer);
	call_kept(0, 1);
	expect_number(&peer, 1, false);
	expect_number(&peer, 2, false);
	expect_number(&peer, 3, false);
	peer_send(&peer, ":\"io.vmsup.Echo\",\"parameters\":{\"n\":4}}");
	expect_number(&peer, 4, false);
	peer_close(&peer);
}

/* More calls than one turn runs, so some are still unread in the buffer. */
static void waiting_calls_run_without_a_push(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	settle_down();
	for (int i = 0; i < 30; i++) {
		char rest[64];

		snprintf(rest, sizeof(rest), ",\"parameters\":{\"n\":%d}", i);
		peer_call(&peer, "io.vmsup.Echo", rest);
	}
	turn();
	assert_true(test.handled < 30);
	upgrade();
	for (int i = 0; i < 30; i++)
		expect_number(&peer, i, false);
	expect_silence(&peer);
	assert_int_equal(test.handled, 30);
	peer_close(&peer);
}

static void stream_goes_on(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Count", ",\"more\":true");
	expect_number(&peer, 0, true);
	count_next(test.kept[0]);
	expect_number(&peer, 1, true);
	for (int i = 2; i < 5; i++) {
		upgrade();
		assert_int_equal(test.kept_count, 1);
		assert_true(test.kept[0]->more);
		expect_silence(&peer);
		count_next(test.kept[0]);
		expect_number(&peer, i, true);
	}
	call_kept(0, 99);
	expect_number(&peer, 99, false);
	expect_served(&peer, 6);
	peer_close(&peer);
}

/* What the method had said and the socket had not taken comes first. */
static void unread_stream_keeps_its_order(void **state)
{
	struct peer peer = peer_connect();
	struct call *call;

	(void)state;
	peer_call(&peer, "io.vmsup.Count", ",\"more\":true");
	wait_for_kept(1);
	call = test.kept[0];
	for (int i = 0; i < 20000; i++)
		count_next(call);
	upgrade();
	count_next(test.kept[0]);
	upgrade();
	for (int i = 0; i < 20002; i++)
		expect_number(&peer, i, true);
	expect_silence(&peer);
	peer_close(&peer);
	wait_for_kept(0);
}

static void unsent_output_arrives_once(void **state)
{
	struct peer peer = peer_connect();
	size_t unsent;
	json_t *message;
	char rest[64];

	(void)state;
	snprintf(rest, sizeof(rest), ",\"parameters\":{\"bytes\":%lu}",
		 BIG_BYTES);
	peer_call(&peer, "io.vmsup.Big", rest);
	settle_down();
	assert_true(peer_read(&peer)); /* the message is cut in the middle */
	settle_down();
	unsent = buffer_length(&TAILQ_FIRST(&test.control->clients)->out);
	assert_true(unsent > 0 && unsent < BIG_BYTES);
	upgrade();
	upgrade();
	message = peer_next(&peer);
	assert_int_equal(json_string_length(get(message, "blob")), BIG_BYTES);
	json_decref(message);
	expect_silence(&peer);
	assert_int_equal(test.handled, 1);
	expect_served(&peer, 2);
	peer_close(&peer);
}

/* Whoever watches over the upgrade may still undo it: what is sent before the
 * loop runs would be sent again. */
static void nothing_is_sent_before_the_loop_runs(void **state)
{
	struct peer peer = peer_connect();
	json_t *message;
	char rest[64];

	(void)state;
	peer_call(&peer, "io.vmsup.Count", ",\"more\":true");
	wait_for_kept(1);
	call_more(test.kept[0], blob(BIG_BYTES));
	settle_down();
	snprintf(rest, sizeof(rest), ",\"parameters\":{\"n\":%d}", 3);
	peer_call(&peer, "io.vmsup.Echo", rest);
	settle_down();
	expect_number(&peer, 0, true);
	restore(end_image());
	while (peer_read(&peer)) /* what the kernel had */
		;
	assert_true(peer.length < BIG_BYTES);
	count_next(test.kept[0]);
	call_kept(0, 2);
	assert_false(peer_read(&peer));
	message = peer_next(&peer);
	assert_int_equal(json_string_length(get(message, "blob")), BIG_BYTES);
	json_decref(message);
	expect_number(&peer, 1, true);
	expect_number(&peer, 2, false);
	expect_number(&peer, 3, false);
	peer_close(&peer);
}

/* A stop that was asked for just before: its answer is the last thing sent. */
static void the_last_reply_is_sent(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", "");
	wait_for_kept(1);
	upgrade();
	settle_down();
	call_kept(0, 5);
	control_free(test.control);
	test.control = NULL;
	expect_number(&peer, 5, false);
	expect_end(&peer);
	peer_close(&peer);
}

static void identities_stay(void **state)
{
	struct peer peer = peer_adopted(1234);
	struct peer nobody = peer_adopted((uid_t)-2);
	json_t *message;

	(void)state;
	upgrade();
	peer_call(&peer, "io.vmsup.Who", "");
	message = peer_next(&peer);
	assert_int_equal(json_integer_value(get(message, "uid")), 1234);
	assert_int_equal(json_integer_value(get(message, "pid")), 1);
	json_decref(message);
	peer_call(&peer, "io.vmsup.Root", "");
	expect_error(&peer, "org.varlink.service.PermissionDenied", NULL, NULL);
	peer_call(&nobody, "io.vmsup.Who", "");
	message = peer_next(&nobody);
	assert_int_equal(json_integer_value(get(message, "uid")), (uid_t)-2);
	json_decref(message);
	peer_close(&peer);
	peer_close(&nobody);
}

static void newcomers_are_served(void **state)
{
	struct peer early = { .fd = -1 }, peer;
	json_t *saved;

	(void)state;
	saved = end_image();
	/* in the moment in which nobody accepts */
	early = peer_connect();
	restore(saved);
	expect_served(&early, 1);
	peer = peer_connect();
	expect_served(&peer, 2);
	assert_int_equal(counts().clients, 2);
	peer_close(&early);
	peer_close(&peer);
}

static void descriptors_are_close_on_exec_again(void **state)
{
	struct peer peer = peer_connect();
	const struct control_client *client;
	json_t *saved;

	(void)state;
	expect_served(&peer, 1);
	saved = end_image();
	for (unsigned int i = 0; i < inherited.count; i++)
		assert_int_equal(fcntl(inherited.number[i], F_GETFD), 0);
	restore(saved);
	client = TAILQ_FIRST(&test.control->clients);
	assert_int_equal(fcntl(client->fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(test.control->listen_fd, F_GETFD), FD_CLOEXEC);
	assert_true(test.control->reserve_fd >= 0);
	peer_close(&peer);
}

static void who_hung_up_is_noticed(void **state)
{
	struct peer gone = peer_connect(), talks = peer_connect();

	(void)state;
	peer_call(&gone, "io.vmsup.Count", ",\"more\":true");
	expect_number(&gone, 0, true);
	expect_served(&talks, 1);
	/* one before, one after the look that the old image has last */
	shutdown(talks.fd, SHUT_WR);
	settle_down();
	peer_close(&gone);
	upgrade();
	assert_int_equal(test.kept_count, 1);
	wait_for_kept(0);
	expect_end(&talks);
	wait_for_clients(0);
	assert_int_equal(counts().cut_off, 0);
	peer_close(&talks);
}

/* ---- limits and counts */

static void counts_go_on(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_send(&peer, "nonsense");
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	expect_end(&peer);
	peer_close(&peer);
	wait_for_clients(0);
	assert_int_equal(counts().cut_off, 1);
	test.control->counts.refused = 5;
	upgrade();
	assert_int_equal(counts().cut_off, 1);
	assert_int_equal(counts().refused, 5);
	assert_int_equal(counts().clients, 0);
}

static void silence_goes_on(void **state)
{
	struct peer idle = peer_connect(), half = peer_connect();

	(void)state;
	expect_served(&idle, 1);
	peer_send_bytes(&half, "{", 1);
	settle_down();
	skip_ms(CONTROL_HALF_MS - 1000);
	upgrade();
	expect_silence(&half);
	skip_ms(1001);
	expect_end(&half);
	assert_int_equal(counts().cut_off, 1);
	upgrade();
	skip_ms(CONTROL_IDLE_MS - CONTROL_HALF_MS - 1000);
	expect_silence(&idle);
	upgrade();
	skip_ms(1001);
	expect_end(&idle);
	peer_close(&idle);
	peer_close(&half);
}

/* Cut off with its reason still unread: it still gets that, and no more. */
static void who_is_cut_off_still_reads_why(void **state)
{
	struct peer peer = peer_connect();
	json_t *message;
	char rest[64];

	(void)state;
	snprintf(rest, sizeof(rest), ",\"parameters\":{\"bytes\":%lu}",
		 BIG_BYTES);
	peer_call(&peer, "io.vmsup.Big", rest);
	settle_down();
	/* little enough unsent that the next message is looked at */
	for (int i = 0;
	     i < MAX_TURNS &&
	     TAILQ_FIRST(&test.control->clients)->state != CLIENT_DRAINING;
	     i++) {
		if (i == 0)
			peer_send(&peer, "nonsense");
		if (buffer_length(&TAILQ_FIRST(&test.control->clients)->out) >
		    60000)
			peer_read(&peer);
		turn();
	}
	assert_int_equal(TAILQ_FIRST(&test.control->clients)->state,
			 CLIENT_DRAINING);
	upgrade();
	assert_int_equal(TAILQ_FIRST(&test.control->clients)->state,
			 CLIENT_DRAINING);
	message = peer_next(&peer);
	assert_int_equal(json_string_length(get(message, "blob")), BIG_BYTES);
	json_decref(message);
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	expect_end(&peer);
	wait_for_clients(0);
	assert_int_equal(counts().cut_off, 1);
	peer_close(&peer);
}

static void who_is_over_is_left_behind(void **state)
{
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	expect_served(&peer, 1);
	TAILQ_FIRST(&test.control->clients)->state = CLIENT_ENDING;
	saved = end_image();
	assert_int_equal(inherited.count, 1); /* the listening socket */
	assert_int_equal(json_array_size(json_object_get(saved, "clients")), 0);
	restore(saved);
	expect_end(&peer);
	peer_close(&peer);
}

static int count_to_two(void *ctx, int fd)
{
	unsigned int *visits = ctx;

	assert_true(fd >= 0);
	return ++*visits == 2 ? -EBADF : 0;
}

static void first_error_ends_the_visits(void **state)
{
	struct peer peers[3];
	unsigned int visits = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		peers[i] = peer_adopted(0);
	assert_int_equal(control_each_fd(test.control, count_to_two, &visits),
			 -EBADF);
	assert_int_equal(visits, 2);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		peer_close(&peers[i]);
}

/* The execve failed: nothing has happened. */
static void saving_changes_nothing(void **state)
{
	struct peer peer = peer_connect(), stream = peer_connect();

	(void)state;
	peer_call(&stream, "io.vmsup.Count", ",\"more\":true");
	expect_number(&stream, 0, true);
	peer_send_bytes(&peer, "{\"method\":", 10);
	settle_down();
	for (int i = 0; i < 3; i++) {
		json_t *saved = control_save(test.control);

		assert_non_null(saved);
		json_decref(saved);
	}
	peer_send(&peer, "\"io.vmsup.Echo\",\"parameters\":{\"n\":4}}");
	expect_number(&peer, 4, false);
	count_next(test.kept[0]);
	expect_number(&stream, 1, true);
	peer_close(&peer);
	peer_close(&stream);
	wait_for_kept(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(idle_client_stays),
		TEST(half_message_is_finished),
		TEST(input_is_kept_to_the_byte),
		TEST(call_under_way_is_answered_once),
		TEST(pipelined_calls_keep_their_turn),
		TEST(waiting_calls_run_without_a_push),
		TEST(stream_goes_on),
		TEST(unread_stream_keeps_its_order),
		TEST(unsent_output_arrives_once),
		TEST(nothing_is_sent_before_the_loop_runs),
		TEST(the_last_reply_is_sent),
		TEST(identities_stay),
		TEST(newcomers_are_served),
		TEST(descriptors_are_close_on_exec_again),
		TEST(who_hung_up_is_noticed),
		TEST(counts_go_on),
		TEST(silence_goes_on),
		TEST(who_is_cut_off_still_reads_why),
		TEST(who_is_over_is_left_behind),
		TEST(first_error_ends_the_visits),
		TEST(saving_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
