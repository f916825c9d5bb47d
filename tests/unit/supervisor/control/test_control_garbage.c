/* SPDX-License-Identifier: ISC */
/* The control socket over an upgrade in place: what was saved is no good. */
#include "supervisor/control/control_save.h"
#include "tests/unit/supervisor/control/control_fixture.h"

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
