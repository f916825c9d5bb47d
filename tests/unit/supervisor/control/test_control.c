/* SPDX-License-Identifier: ISC */
/* The control socket as its clients see it: calls and their answers. */
#include "tests/unit/supervisor/control/control_fixture.h"

/* ---- org.varlink.service */

static void says_what_it_is(void **state)
{
	struct peer peer = peer_connect();
	json_t *message;

	(void)state;
	peer_call(&peer, "org.varlink.service.GetInfo", "");
	message = peer_next(&peer);
	assert_string_equal(json_string_value(get(message, "vendor")), "vmsup");
	assert_string_equal(json_string_value(get(message, "product")), "test");
	assert_string_equal(json_string_value(get(message, "version")), "1");
	assert_string_equal(json_string_value(get(message, "url")),
			    "https://example.org");
	assert_string_equal(json_string_value(json_array_get(
				    get(message, "interfaces"), 0)),
			    "org.varlink.service");
	assert_string_equal(json_string_value(json_array_get(
				    get(message, "interfaces"), 1)),
			    "io.vmsup");
	json_decref(message);
	peer_close(&peer);
}

static void describes_its_interfaces(void **state)
{
	static const char *const names[] = { "io.vmsup",
					     "org.varlink.service" };
	struct peer peer = peer_connect();
	char text[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *message;

		snprintf(text, sizeof(text),
			 ",\"parameters\":{\"interface\":\"%s\"}", names[i]);
		peer_call(&peer, "org.varlink.service.GetInterfaceDescription",
			  text);
		message = peer_next(&peer);
		snprintf(text, sizeof(text), "interface %s\n", names[i]);
		assert_non_null(strstr(
			json_string_value(get(message, "description")), text));
		json_decref(message);
	}
	peer_call(&peer, "org.varlink.service.GetInterfaceDescription",
		  ",\"parameters\":{\"interface\":\"a.b\"}");
	expect_error(&peer, "org.varlink.service.InterfaceNotFound",
		     "interface", "a.b");
	peer_call(&peer, "org.varlink.service.GetInterfaceDescription", "");
	expect_error(&peer, "org.varlink.service.InvalidParameter", "parameter",
		     "interface");
	peer_close(&peer);
}

static void answers_with_standard_errors(void **state)
{
	static const struct {
		const char *method, *rest, *error, *key, *text;
	} cases[] = {
		{ "io.other.Status", "", "InterfaceNotFound", "interface",
		  "io.other" },
		{ "io.vmsu.Echo", "", "InterfaceNotFound", "interface",
		  "io.vmsu" },
		{ "io.vmsup.more.Echo", "", "InterfaceNotFound", "interface",
		  "io.vmsup.more" },
		{ "io.vmsup.echo", "", "MethodNotFound", "method",
		  "io.vmsup.echo" },
		{ "org.varlink.service.Get", "", "MethodNotFound", "method",
		  "org.varlink.service.Get" },
		{ "io.vmsup.Hole", "", "MethodNotImplemented", "method",
		  "io.vmsup.Hole" },
		{ "io.vmsup.Echo", ",\"upgrade\":true", "MethodNotImplemented",
		  "method", "io.vmsup.Echo" },
		{ "io.vmsup.Big", ",\"parameters\":{\"bytes\":\"x\"}",
		  "InvalidParameter", "parameter", "bytes" },
		{ "io.vmsup.Stream", "", "ExpectedMore", NULL, NULL },
	};
	struct peer peer = peer_connect();
	char error[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		peer_call(&peer, cases[i].method, cases[i].rest);
		snprintf(error, sizeof(error), "org.varlink.service.%s",
			 cases[i].error);
		expect_error(&peer, error, cases[i].key, cases[i].text);
	}
	peer_call(&peer, "io.vmsup.Fail", "");
	expect_error(&peer, "io.vmsup.NoSuchVm", "name", "x");
	/* none of it cost the connection */
	expect_served(&peer, 1);
	peer_close(&peer);
}

/* ---- who calls */

static void knows_its_peer(void **state)
{
	struct peer peer = peer_connect();
	json_t *message;

	(void)state;
	peer_call(&peer, "io.vmsup.Who", "");
	message = peer_next(&peer);
	assert_int_equal(json_integer_value(get(message, "uid")), getuid());
	assert_int_equal(json_integer_value(get(message, "pid")), getpid());
	json_decref(message);
	peer_close(&peer);
}

static void only_root_may_change_things(void **state)
{
	struct peer root = peer_adopted(0), member = peer_adopted(1000);

	(void)state;
	peer_call(&root, "io.vmsup.Root", ",\"parameters\":{\"n\":5}");
	expect_number(&root, 5, false);
	peer_call(&member, "io.vmsup.Root", ",\"parameters\":{\"n\":5}");
	expect_error(&member, "org.varlink.service.PermissionDenied", NULL,
		     NULL);
	peer_call(&member, "io.vmsup.Root",
		  ",\"oneway\":true,\"parameters\":{\"n\":5}");
	expect_silence(&member);
	assert_int_equal(test.handled, 1);
	expect_served(&member, 6);
	peer_close(&root);
	peer_close(&member);
}

/* ---- kinds of calls */

static void streams_until_the_last_reply(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Several", ",\"more\":true");
	for (int i = 0; i < 4; i++)
		expect_number(&peer, i, true);
	expect_number(&peer, 4, false);
	/* who didn't ask for more gets the last only */
	peer_call(&peer, "io.vmsup.Several", "");
	expect_number(&peer, 4, false);
	expect_silence(&peer);
	peer_close(&peer);
}

static void oneway_calls_get_no_reply(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Echo", ",\"oneway\":true");
	peer_call(&peer, "io.vmsup.Fail", ",\"oneway\":true");
	peer_call(&peer, "io.vmsup.Several", ",\"oneway\":true");
	peer_call(&peer, "io.no.Such", ",\"oneway\":true");
	expect_silence(&peer);
	assert_int_equal(test.handled, 1);
	expect_served(&peer, 2);
	peer_close(&peer);
}

static void oneway_calls_run_though_the_client_left(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	for (int i = 0; i < 100; i++)
		peer_call(&peer, "io.vmsup.Echo", ",\"oneway\":true");
	peer_close(&peer);
	for (int i = 0; i < MAX_TURNS && test.handled < 100; i++)
		turn();
	assert_int_equal(test.handled, 100);
	wait_for_clients(0);
}

static void pipelined_calls_are_answered_in_order(void **state)
{
	struct peer peer = peer_connect();
	char rest[64];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(rest, sizeof(rest), ",\"parameters\":{\"n\":%d}", i);
		peer_call(&peer, "io.vmsup.Echo", rest);
	}
	for (int i = 0; i < 5000; i++)
		expect_number(&peer, i, false);
	assert_int_equal(test.max_depth, 1);
	assert_int_equal(counts().cut_off, 0);
	peer_close(&peer);
}

static void one_call_at_a_time(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", "");
	peer_call(&peer, "io.vmsup.Echo", ",\"parameters\":{\"n\":2}");
	peer_call(&peer, "io.vmsup.Keep", "");
	wait_for_kept(1);
	expect_silence(&peer);
	assert_int_equal(test.handled, 1);
	call_reply(test.kept[--test.kept_count], json_pack("{s:i}", "n", 1));
	/* not from within call_reply() */
	assert_int_equal(test.handled, 1);
	expect_number(&peer, 1, false);
	expect_number(&peer, 2, false);
	wait_for_kept(1);
	call_error(test.kept[--test.kept_count], "io.vmsup.Failed", NULL);
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	peer_close(&peer);
}

static void calls_that_wait_are_bounded(void **state)
{
	static char noise[4 * CONTROL_MAX_REQUEST_BYTES];
	struct peer peer = peer_connect();
	size_t sent = 0;

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", "");
	wait_for_kept(1);
	memset(noise, ' ', sizeof(noise));
	for (int i = 0; i < 100; i++) {
		ssize_t got = send(peer.fd, noise, sizeof(noise), MSG_NOSIGNAL);

		sent += got > 0 ? (size_t)got : 0;
		turn();
	}
	/* what the supervisor didn't take stayed in the kernel, which took no
	 * more than its own bound */
	assert_true(sent < 4 * sizeof(noise));
	assert_int_equal(counts().clients, 1);
	assert_true(TAILQ_FIRST(&test.control->clients)->in.capacity <=
		    2 * CONTROL_MAX_REQUEST_BYTES);
	call_reply(test.kept[--test.kept_count], json_pack("{s:i}", "n", 1));
	expect_number(&peer, 1, false);
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	expect_end(&peer);
	peer_close(&peer);
}

static void half_closed_clients_get_their_replies(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", "");
	peer_call(&peer, "io.vmsup.Echo", ",\"parameters\":{\"n\":2}");
	shutdown(peer.fd, SHUT_WR);
	wait_for_kept(1);
	turns();
	assert_int_equal(test.gone, 0);
	call_reply(test.kept[--test.kept_count], json_pack("{s:i}", "n", 1));
	expect_number(&peer, 1, false);
	expect_number(&peer, 2, false);
	expect_end(&peer);
	peer_close(&peer);
}

/* ---- clients that go away */

static void tells_methods_that_the_client_went(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Stream", ",\"more\":true");
	wait_for_kept(1);
	peer_close(&peer);
	/* the method doesn't know yet: it may still write, and nothing comes
	 * back at it from there */
	for (int i = 0; i < 100; i++)
		call_more(test.kept[0], blob(100000));
	assert_int_equal(test.gone, 0);
	wait_for_clients(0);
	assert_int_equal(test.gone, 1);
	assert_int_equal(test.kept_count, 0);
	others_are_served();
}

static void an_answer_to_nobody_is_no_harm(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Keep", "");
	wait_for_kept(1);
	peer_close(&peer);
	call_reply(test.kept[--test.kept_count], blob(300000));
	wait_for_clients(0);
	assert_int_equal(test.gone, 0);
	others_are_served();
}

static void the_end_says_what_fits(void **state)
{
	struct peer done = peer_connect(), waiting = peer_connect();

	(void)state;
	peer_call(&done, "io.vmsup.Keep", "");
	wait_for_kept(1);
	peer_call(&waiting, "io.vmsup.Keep", "");
	wait_for_kept(2);
	call_reply(test.kept[0], json_pack("{s:i}", "n", 1));
	test.kept[0] = test.kept[1];
	test.kept_count = 1;
	control_free(test.control);
	assert_int_equal(test.gone, 1);
	test.control = NULL;
	expect_number(&done, 1, false);
	expect_end(&done);
	expect_end(&waiting);
	peer_close(&done);
	peer_close(&waiting);
}

/* ---- the socket itself */

static void the_socket_has_its_mode(void **state)
{
	struct problem problem = { "" };
	struct stat info;
	int fd;

	(void)state;
	assert_int_equal(stat(test.path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	/* over a stale one, with a group */
	fd = control_listen(test.path, getgid(), &problem);
	assert_true(fd >= 0);
	assert_int_equal(stat(test.path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0660);
	assert_int_equal(info.st_gid, getgid());
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(&fd);
}

static void refuses_what_cannot_be_bound(void **state)
{
	struct problem problem = { "" };
	char path[200];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", test.dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	fd_close(&fd);
	assert_int_equal(control_listen(path, (gid_t)-1, &problem), -EEXIST);
	assert_non_null(strstr(problem.text, "no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/control.sock", test.dir);
	assert_int_equal(control_listen(path, (gid_t)-1, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, "No such file"));
	snprintf(path, sizeof(path), "%s/%0120d", test.dir, 1);
	assert_int_equal(control_listen(path, (gid_t)-1, &problem),
			 -ENAMETOOLONG);
	assert_non_null(strstr(problem.text, "107"));
}

static void serves_adopted_clients_before_it_listens(void **state)
{
	struct problem problem;
	struct peer peer;
	int fd;

	(void)state;
	control_free(test.control);
	test.control = control_new(&test.loop, -1, &config);
	assert_non_null(test.control);
	peer = peer_adopted(0);
	expect_served(&peer, 1);
	fd = control_listen(test.path, (gid_t)-1, &problem);
	assert_true(fd >= 0);
	assert_int_equal(control_serve(test.control, fd), 0);
	others_are_served();
	expect_served(&peer, 2);
	peer_close(&peer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(says_what_it_is),
		TEST(describes_its_interfaces),
		TEST(answers_with_standard_errors),
		TEST(knows_its_peer),
		TEST(only_root_may_change_things),
		TEST(streams_until_the_last_reply),
		TEST(oneway_calls_get_no_reply),
		TEST(oneway_calls_run_though_the_client_left),
		TEST(pipelined_calls_are_answered_in_order),
		TEST(one_call_at_a_time),
		TEST(calls_that_wait_are_bounded),
		TEST(half_closed_clients_get_their_replies),
		TEST(tells_methods_that_the_client_went),
		TEST(an_answer_to_nobody_is_no_harm),
		TEST(the_end_says_what_fits),
		TEST(the_socket_has_its_mode),
		TEST(refuses_what_cannot_be_bound),
		TEST(serves_adopted_clients_before_it_listens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
