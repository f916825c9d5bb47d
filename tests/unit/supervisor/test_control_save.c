/* SPDX-License-Identifier: ISC */
/* The control socket over an upgrade in place: no client notices. */
#include "tests/unit/supervisor/control_fixture.h"

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
	TAILQ_FIRST(&test.control->clients)->state = CLIENT_DOOMED;
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

/* ---- images that don't understand each other */

static json_t *client_of(const json_t *saved, size_t index)
{
	return json_array_get(json_object_get(saved, "clients"), index);
}

/* Each key of a client's, without it and with something else there. */
static void what_is_broken_costs_one_client(void **state)
{
	static const char *const broken[] = {
		"{\"fd\":null}",
		"{\"uid\":-1}",
		"{\"uid\":4294967296}",
		"{\"uid\":\"0\"}",
		"{\"pid\":-1}",
		"{\"pid\":4294967296}",
		"{\"draining\":0}",
		"{\"draining\":null}",
		"{\"draining\":true}", /* with a call under way */
		"{\"in\":\"0\"}",
		"{\"in\":\"0g\"}",
		"{\"in\":\"7B\"}",
		"{\"in\":[]}",
		"{\"out\":\"\\u00e4\"}",
		"{\"out\":1}",
		"{\"saved\":null,\"call\":null}",
		"{\"call\":[]}",
		"{\"call\":\"io.vmsup.Count\"}",
		"{\"call\":{}}",
		"{\"call\":{\"method\":\"nodot\"}}",
		"{\"call\":{\"method\":\"io.vmsup.Count\",\"more\":1}}",
		"{\"call\":{\"method\":\"io.vmsup.Keep\",\"x\":1}}",
		"{\"call\":{\"method\":\"io.vmsup.Keep\",\"upgrade\":true}}",
		"{\"call\":{\"method\":\"io.vmsup.Keep\",\"parameters\":1}}",
	};
	struct peer other = peer_connect();

	(void)state;
	expect_served(&other, 0);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct peer peer = peer_connect();
		json_t *saved, *object, *patch;
		bool has_fd = i > 0;
		int fd;

		peer_call(&peer, "io.vmsup.Count", ",\"more\":true");
		expect_number(&peer, 0, true);
		saved = end_image();
		object = client_of(saved, 1);
		fd = (int)json_integer_value(json_object_get(object, "fd"));
		patch = json_loads(broken[i], JSON_ALLOW_NUL, NULL);
		assert_non_null(patch);
		assert_int_equal(json_object_update(object, patch), 0);
		json_decref(patch);
		restore(saved);
		assert_int_equal(counts().cut_off, i + 1);
		assert_int_equal(counts().clients, 1);
		assert_int_equal(test.kept_count, 0);
		if (has_fd)
			expect_end(&peer);
		else
			close(fd); /* nobody could know whose it was */
		peer_close(&peer);
		expect_served(&other, (int)i);
	}
	peer_close(&other);
}

static void what_is_missing_costs_one_client(void **state)
{
	static const char *const needed[] = { "uid", "pid", "draining",
					      "in",  "out", "saved" };
	static const char *const optional[] = { "active_ns", "since_ns" };
	struct peer peer;
	json_t *saved;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		peer = peer_connect();
		peer_call(&peer, "io.vmsup.Keep", "");
		wait_for_kept(1);
		saved = end_image();
		assert_int_equal(
			json_object_del(client_of(saved, 0), needed[i]), 0);
		restore(saved);
		assert_int_equal(counts().clients, 0);
		expect_end(&peer);
		peer_close(&peer);
	}
	assert_int_equal(counts().cut_off, ARRAY_SIZE(needed));
	peer = peer_connect();
	expect_served(&peer, 1);
	saved = end_image();
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		json_object_del(client_of(saved, 0), optional[i]);
	restore(saved);
	expect_served(&peer, 2);
	peer_close(&peer);
}

static void times_to_come_are_now(void **state)
{
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	expect_served(&peer, 1);
	saved = end_image();
	json_object_set_new(client_of(saved, 0), "active_ns",
			    json_integer(INT64_MAX));
	restore(saved);
	skip_ms(CONTROL_IDLE_MS + 1);
	expect_end(&peer);
	peer_close(&peer);
}

static void too_much_costs_the_client(void **state)
{
	static const struct {
		const char *key;
		size_t bytes;
	} cases[] = {
		{ "in", CONTROL_MAX_REQUEST_BYTES + 1 },
		{ "out", CONTROL_MAX_OUTPUT_BYTES + 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peer peer = peer_connect();
		char *text = malloc(2 * cases[i].bytes);
		json_t *saved;

		assert_non_null(text);
		memset(text, '7', 2 * cases[i].bytes);
		expect_served(&peer, 1);
		saved = end_image();
		json_object_set_new(client_of(saved, 0), cases[i].key,
				    json_stringn(text, 2 * cases[i].bytes));
		free(text);
		restore(saved);
		expect_end(&peer);
		assert_int_equal(counts().cut_off, i + 1);
		peer_close(&peer);
	}
}

static void another_format_costs_all_clients(void **state)
{
	struct peer peers[3];
	json_t *saved;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		peers[i] = peer_connect();
		expect_served(&peers[i], (int)i);
	}
	saved = end_image();
	json_object_set_new(saved, "format", json_integer(2));
	restore(saved);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		expect_end(&peers[i]);
		peer_close(&peers[i]);
	}
	assert_int_equal(counts().cut_off, ARRAY_SIZE(peers));
	others_are_served();
}

static void an_unknown_key_is_ignored(void **state)
{
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	expect_served(&peer, 1);
	saved = end_image();
	json_object_set_new(saved, "news", json_true());
	json_object_set_new(client_of(saved, 0), "news", json_true());
	restore(saved);
	expect_served(&peer, 2);
	peer_close(&peer);
}

static void nonsense_is_survived(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"format\":1}",
		"{\"format\":1,\"clients\":{}}",
		"{\"format\":1,\"clients\":null,\"refused\":-1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *saved = json_loads(texts[i], 0, NULL);

		assert_non_null(saved);
		assert_int_equal(control_saved_listener(saved), -EBADMSG);
		assert_int_equal(control_restore(test.control, saved),
				 -EBADMSG);
		json_decref(saved);
	}
	assert_int_equal(control_restore(test.control, NULL), -EBADMSG);
	assert_int_equal(counts().refused, 0);
	assert_int_equal(test.log_lines, ARRAY_SIZE(texts) + 1);
	others_are_served();
}

static void nonsense_for_clients_is_counted(void **state)
{
	json_t *saved = json_loads("{\"format\":1,\"clients\":[null,[],1,"
				   "\"x\",{},{\"fd\":-1},{\"fd\":99999},"
				   "{\"fd\":1e9},{\"fd\":4294967299}]}",
				   0, NULL);

	(void)state;
	assert_non_null(saved);
	assert_int_equal(control_restore(test.control, saved), 0);
	json_decref(saved);
	assert_int_equal(counts().cut_off, 9);
	assert_int_equal(test.log_lines, 1); /* and one line tells of it */
	others_are_served();
}

static void restore_fd(int fd)
{
	json_t *saved;

	saved = json_pack("{s:i, s:[{s:i, s:i, s:i, s:b, s:s, s:s}]}", "format",
			  1, "clients", "fd", fd, "uid", 0, "pid", 1,
			  "draining", 0, "in", "", "out", "");
	assert_non_null(saved);
	assert_int_equal(control_restore(test.control, saved), 0);
	json_decref(saved);
}

/* No number in the document gets at a descriptor of somebody else's. */
static void other_descriptors_are_left_alone(void **state)
{
	int pipe_fd[2], datagram[2], packet[2];
	struct peer peer = peer_connect();
	int others[7];

	(void)state;
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packet), 0);
	expect_served(&peer, 1);
	others[0] = STDERR_FILENO;
	others[1] = pipe_fd[0];
	others[2] = datagram[0];
	others[3] = packet[0];
	others[4] = test.control->listen_fd;
	others[5] = test.loop.epoll_fd;
	others[6] = TAILQ_FIRST(&test.control->clients)->fd; /* served */
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		restore_fd(others[i]);
		assert_true(fcntl(others[i], F_GETFD) >= 0);
	}
	assert_int_equal(counts().cut_off, ARRAY_SIZE(others));
	assert_int_equal(counts().clients, 1);
	expect_served(&peer, 2);
	for (int i = 0; i < 2; i++) {
		close(pipe_fd[i]);
		close(datagram[i]);
		close(packet[i]);
	}
	peer_close(&peer);
}

/* An image that has fewer places than the one before. */
static void the_last_ones_find_no_place(void **state)
{
	struct peer peers[CONTROL_MAX_CLIENTS];
	int ends[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		peers[i] = peer_adopted(0);
	upgrade();
	assert_int_equal(counts().clients, CONTROL_MAX_CLIENTS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	restore_fd(ends[1]);
	assert_int_equal(fcntl(ends[1], F_GETFD), -1);
	assert_int_equal(counts().clients, CONTROL_MAX_CLIENTS);
	assert_int_equal(counts().cut_off, 1);
	close(ends[0]);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		expect_served(&peers[i], (int)i);
		peer_close(&peers[i]);
	}
}

static void a_method_that_went_away_is_an_error(void **state)
{
	static const struct control_method new_methods[] = {
		{ .name = "Echo", .handle = echo },
	};
	struct control_config new_config = config;
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	new_config.methods = new_methods;
	new_config.method_count = ARRAY_SIZE(new_methods);
	peer_call(&peer, "io.vmsup.Keep", "");
	wait_for_kept(1);
	saved = end_image();
	begin_image(saved, &new_config);
	assert_int_equal(control_restore(test.control, saved), 0);
	json_decref(saved);
	expect_error(&peer, "org.varlink.service.MethodNotFound", "method",
		     "io.vmsup.Keep");
	expect_served(&peer, 1);
	peer_close(&peer);
	wait_for_clients(0);
}

/* The rights are those of the new image. */
static void a_right_that_went_away_is_an_error(void **state)
{
	static const struct control_method new_methods[] = {
		{ .name = "Count",
		  .handle = count_up,
		  .resume = count_on,
		  .root_only = true },
	};
	struct control_config new_config = config;
	struct peer peer = peer_adopted(1234);
	json_t *saved;

	(void)state;
	new_config.methods = new_methods;
	new_config.method_count = ARRAY_SIZE(new_methods);
	peer_call(&peer, "io.vmsup.Count", ",\"more\":true");
	expect_number(&peer, 0, true);
	saved = end_image();
	begin_image(saved, &new_config);
	assert_int_equal(control_restore(test.control, saved), 0);
	json_decref(saved);
	expect_error(&peer, "org.varlink.service.PermissionDenied", NULL, NULL);
	peer_close(&peer);
	wait_for_clients(0);
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
		TEST(what_is_broken_costs_one_client),
		TEST(what_is_missing_costs_one_client),
		TEST(times_to_come_are_now),
		TEST(too_much_costs_the_client),
		TEST(another_format_costs_all_clients),
		TEST(an_unknown_key_is_ignored),
		TEST(nonsense_is_survived),
		TEST(nonsense_for_clients_is_counted),
		TEST(other_descriptors_are_left_alone),
		TEST(the_last_ones_find_no_place),
		TEST(a_method_that_went_away_is_an_error),
		TEST(a_right_that_went_away_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
