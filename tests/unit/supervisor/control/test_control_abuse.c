/* SPDX-License-Identifier: ISC */
/* The control socket against peers that are rude, slow, silent or many. */
#include "tests/unit/supervisor/control/control_fixture.h"

/* ---- sizes */

static void large_replies_arrive_whole(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Big", ",\"parameters\":{\"bytes\":2000000}");
	for (int i = 0; i < 2; i++) {
		json_t *message = peer_next(&peer);

		assert_non_null(message);
		assert_int_equal(json_string_length(get(message, "blob")),
				 2000000);
		json_decref(message);
		if (i == 0)
			peer_call(&peer, "io.vmsup.Big",
				  ",\"parameters\":{\"bytes\":2000000}");
	}
	/* and nothing of them is kept */
	assert_null(TAILQ_FIRST(&test.control->clients)->out.data);
	assert_null(TAILQ_FIRST(&test.control->clients)->in.data);
	peer_close(&peer);
}

static void requests_have_a_largest_size(void **state)
{
	static const char head[] = "{\"method\":\"io.vmsup.Echo\"";
	static char text[CONTROL_MAX_REQUEST_BYTES + 1];

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct peer peer = peer_connect();
		size_t length = CONTROL_MAX_REQUEST_BYTES - 1 + over;

		memset(text, ' ', length);
		memcpy(text, head, strlen(head));
		text[length - 1] = '}';
		text[length] = '\0';
		peer_send(&peer, text);
		if (over) {
			expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
			expect_end(&peer);
			assert_int_equal(counts().cut_off, 1);
		} else {
			expect_number(&peer, 0, false);
		}
		peer_close(&peer);
	}
	others_are_served();
}

static void a_slow_reader_is_cut_off(void **state)
{
	struct peer peer = peer_connect();
	unsigned int sent = 0;

	(void)state;
	peer_call(&peer, "io.vmsup.Stream", ",\"more\":true");
	wait_for_kept(1);
	while (call_has_space(test.kept[0])) {
		call_more(test.kept[0], blob(100000));
		turn();
		sent++;
	}
	assert_true(sent * 100000 >= CONTROL_MAX_OUTPUT_BYTES / 2);
	assert_true(sent * 100000 <= CONTROL_MAX_OUTPUT_BYTES);
	/* so far it is only slow */
	skip_ms(10ULL * CONTROL_IDLE_MS);
	assert_int_equal(counts().clients, 1);
	for (int i = 0; i < 100; i++)
		call_more(test.kept[0], blob(100000));
	assert_false(call_has_space(test.kept[0]));
	assert_int_equal(counts().cut_off, 1);
	assert_int_equal(test.gone, 0);
	/* its memory is given back at once, its call from the loop */
	assert_null(TAILQ_FIRST(&test.control->clients)->out.data);
	wait_for_clients(0);
	assert_int_equal(test.gone, 1);
	peer_close(&peer);
	others_are_served();
}

static void a_slow_reader_may_catch_up(void **state)
{
	struct peer peer = peer_connect();
	unsigned int sent = 0;

	(void)state;
	peer_call(&peer, "io.vmsup.Stream", ",\"more\":true");
	wait_for_kept(1);
	while (call_has_space(test.kept[0])) {
		call_more(test.kept[0], blob(100000));
		sent++;
	}
	while (sent-- > 0)
		json_decref(peer_next(&peer));
	assert_true(call_has_space(test.kept[0]));
	call_reply(test.kept[--test.kept_count], json_pack("{s:i}", "n", 1));
	expect_number(&peer, 1, false);
	assert_int_equal(counts().cut_off, 0);
	peer_close(&peer);
}

static void pipelining_without_reading_only_waits(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	for (int i = 0; i < 100; i++)
		peer_call(&peer, "io.vmsup.Big",
			  ",\"parameters\":{\"bytes\":1000000}");
	turns();
	/* 100 MB were asked for; a reply or two are made */
	assert_in_range(test.handled, 1, 2);
	assert_int_equal(counts().cut_off, 0);
	for (int i = 0; i < 100; i++) {
		json_t *message = peer_next(&peer);

		assert_non_null(message);
		json_decref(message);
	}
	/* but one that never reads is silent */
	peer_call(&peer, "io.vmsup.Big", ",\"parameters\":{\"bytes\":1000000}");
	turns();
	skip_ms(CONTROL_IDLE_MS + 1);
	wait_for_clients(0);
	assert_int_equal(counts().cut_off, 1);
	peer_close(&peer);
}

static void a_reply_too_large_costs_the_connection(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Big", ",\"parameters\":{\"bytes\":9000000}");
	expect_end(&peer);
	assert_int_equal(counts().cut_off, 1);
	peer_close(&peer);
	others_are_served();
}

/* ---- garbage */

static void garbage_is_answered_and_cut_off(void **state)
{
	static const char *const texts[] = {
		"",
		"x",
		"GET / HTTP/1.1\r\n\r\n",
		"{\"method\":7}",
		"[]",
		"{\"method\":\"io.vmsup.Echo\"}{",
		"{\"method\":\"io.vmsup.Echo\",\"more\":\"yes\"}",
		"{\"method\":\"io.vmsup.Echo\",\"surplus\":1}",
		"\xff\xfe\xfd",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct peer peer = peer_connect();

		peer_send(&peer, texts[i]);
		/* never run: comes after garbage */
		peer_call(&peer, "io.vmsup.Echo", "");
		expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
		expect_end(&peer);
		peer_close(&peer);
		assert_int_equal(counts().cut_off, i + 1);
	}
	assert_int_equal(test.handled, 0);
	assert_int_equal(test.log_lines, 1);
	assert_non_null(strstr(test.last_line, "is no valid JSON"));
	others_are_served();
}

static void floods_of_one_byte_are_cut_off(void **state)
{
	static char bytes[1024 * 1024];
	static const char fill[] = { '\0', '[', '{', '"', '\\', ' ', '\xff' };

	(void)state;
	for (size_t i = 0; i < sizeof(fill); i++) {
		struct peer peer = peer_connect();

		memset(bytes, fill[i], sizeof(bytes));
		peer_send_bytes(&peer, bytes, sizeof(bytes));
		expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
		expect_end(&peer);
		peer_close(&peer);
	}
	wait_for_clients(0);
	assert_int_equal(counts().cut_off, sizeof(fill));
	others_are_served();
}

/* Any bytes at all, the same ones each time. */
static void noise_is_survived(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct peer peer = peer_connect();
		char bytes[512];

		for (size_t at = 0; at < sizeof(bytes); at++) {
			seed = seed * 1103515245 + 12345;
			bytes[at] = (char)(seed >> 16);
		}
		peer_send_bytes(&peer, bytes, sizeof(bytes));
		turn();
		peer_close(&peer);
	}
	wait_for_clients(0);
	others_are_served();
}

static void errors_echo_little(void **state)
{
	static char rest[40000];
	struct peer peer = peer_connect();
	int at = 0;

	(void)state;
	at += snprintf(rest, sizeof(rest), ",\"parameters\":{\"interface\":\"");
	memset(rest + at, 'x', sizeof(rest) - 10 - (size_t)at);
	memcpy(rest + sizeof(rest) - 10, "\"}", 3);
	peer_call(&peer, "org.varlink.service.GetInterfaceDescription", rest);
	while (peer.length == 0 || peer.data[peer.length - 1] != '\0')
		if (!peer_read(&peer))
			turn();
	assert_true(peer.length < 512);
	peer_close(&peer);
}

/* ---- descriptors sent along */

static int send_with_fd(int socket_fd, const char *text, int fd)
{
	struct iovec part = { strdup(text), strlen(text) + 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} space = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &space,
				  .msg_controllen = sizeof(space) };
	int error = 0;

	memcpy(CMSG_DATA(&space.header), &fd, sizeof(fd));
	if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0)
		error = -errno;
	free(part.iov_base);
	return error;
}

/* How it is on kernels that can't refuse them: received, and gone. */
static void descriptors_sent_along_are_closed(void **state)
{
	static const int on = 1;
	struct peer peer = peer_connect();
	int ends[2], before;
	char byte;

	(void)state;
	wait_for_clients(1);
	/* SO_PASSRIGHTS; older kernels don't know it, and need no undoing */
	setsockopt(TAILQ_FIRST(&test.control->clients)->fd, SOL_SOCKET, 83, &on,
		   sizeof(on));
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	before = count_fds();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send_with_fd(peer.fd,
					      "{\"method\":\"io.vmsup.Echo\"}",
					      ends[1]),
				 0);
		expect_number(&peer, 0, false);
	}
	assert_int_equal(count_fds(), before);
	fd_close(&ends[1]);
	/* the end of file says that no copy is left anywhere */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	fd_close(&ends[0]);
	peer_close(&peer);
}

static void descriptors_are_refused_where_possible(void **state)
{
	struct peer peers[2] = { peer_connect(), peer_adopted(65534) };
	int off, error;
	socklen_t length = sizeof(off);

	(void)state;
	if (getsockopt(peers[0].fd, SOL_SOCKET, 83, &off, &length) < 0) {
		peer_close(&peers[0]);
		peer_close(&peers[1]);
		turns();
		cannot_run("needs SO_PASSRIGHTS (Linux 6.16)");
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		/* the first isn't even accepted yet */
		error = send_with_fd(peers[i].fd,
				     "{\"method\":\"io.vmsup.Echo\"}", 0);
		assert_int_equal(error, -EPERM);
		expect_served(&peers[i], 3);
		peer_close(&peers[i]);
	}
}

/* ---- silence */

static void half_a_message_is_cut_off(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_send_bytes(&peer, "{", 1);
	wait_for_clients(1);
	turns();
	/* a byte now and then doesn't prolong it */
	for (int i = 0; i < 4; i++) {
		skip_ms(CONTROL_HALF_MS / 5);
		peer_send_bytes(&peer, " ", 1);
		expect_silence(&peer);
	}
	skip_ms(CONTROL_HALF_MS / 5 + 1);
	expect_end(&peer);
	assert_int_equal(counts().cut_off, 1);
	peer_close(&peer);
}

static void a_slow_but_whole_message_is_served(void **state)
{
	static const char text[] = "{\"method\":\"io.vmsup.Echo\"}";
	struct peer peer = peer_connect();

	(void)state;
	for (int message = 0; message < 3; message++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			peer_send_bytes(&peer, text + i, 1);
			turns();
			skip_ms(CONTROL_HALF_MS / 2 / sizeof(text));
		}
		expect_number(&peer, 0, false);
	}
	assert_int_equal(counts().cut_off, 0);
	peer_close(&peer);
}

static void silent_clients_are_cut_off(void **state)
{
	struct peer silent = peer_connect(), waiting = peer_connect(),
		    talking = peer_connect();

	(void)state;
	peer_call(&waiting, "io.vmsup.Stream", ",\"more\":true");
	wait_for_kept(1);
	wait_for_clients(3);
	for (int i = 0; i < 3; i++) {
		skip_ms(CONTROL_IDLE_MS / 2 - 10);
		expect_served(&talking, i);
	}
	expect_end(&silent);
	expect_silence(&waiting);
	assert_int_equal(counts().cut_off, 1);
	/* once its call is over, its time runs too */
	skip_ms(100ULL * CONTROL_IDLE_MS);
	call_reply(test.kept[--test.kept_count], json_pack("{s:i}", "n", 1));
	expect_number(&waiting, 1, false);
	skip_ms(CONTROL_IDLE_MS - 1000);
	expect_silence(&waiting);
	skip_ms(1001);
	expect_end(&waiting);
	peer_close(&silent);
	peer_close(&waiting);
	peer_close(&talking);
}

/* ---- crowds */

static struct peer crowd[CONTROL_MAX_CLIENTS];

/* What there is room for, of those who connect as we are. */
static unsigned int crowd_size(void)
{
	return getuid() ? CONTROL_USER_CLIENTS : CONTROL_MAX_CLIENTS;
}

static void gather(const char *bytes, size_t length)
{
	for (size_t i = 0; i < crowd_size(); i++) {
		crowd[i] = peer_connect();
		peer_send_bytes(&crowd[i], bytes, length);
		/* one by one, so that their ages are known */
		wait_for_clients((unsigned int)i + 1);
		turns();
	}
}

static void disperse(void)
{
	for (size_t i = 0; i < crowd_size(); i++)
		peer_close(&crowd[i]);
	wait_for_clients(0);
}

static void the_longest_idle_makes_room(void **state)
{
	struct peer newcomer;

	(void)state;
	gather("", 0);
	peer_call(&crowd[0], "io.vmsup.Stream", ",\"more\":true");
	wait_for_kept(1);
	expect_served(&crowd[1], 1);
	/* sent but not read yet: isn't idle */
	peer_call(&crowd[2], "io.vmsup.Echo", ",\"parameters\":{\"n\":9}");
	newcomer = peer_connect();
	expect_served(&newcomer, 2);
	expect_number(&crowd[2], 9, false);
	expect_end(&crowd[3]);
	expect_silence(&crowd[0]);
	expect_silence(&crowd[1]);
	expect_silence(&crowd[4]);
	assert_int_equal(counts().clients, crowd_size());
	assert_int_equal(counts().cut_off, 1);
	assert_int_equal(counts().refused, 0);
	peer_close(&newcomer);
	disperse();
}

static void the_busy_are_not_disturbed(void **state)
{
	static const char text[] =
		"{\"method\":\"io.vmsup.Stream\",\"more\":true}";
	struct peer newcomer;
	int ends[2];

	(void)state;
	gather(text, sizeof(text));
	wait_for_kept(crowd_size());
	skip_ms(10ULL * CONTROL_IDLE_MS);
	newcomer = peer_connect();
	expect_error(&newcomer, "io.vmsup.Failed", NULL, NULL);
	expect_end(&newcomer);
	peer_close(&newcomer);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(control_adopt(test.control, ends[0], getuid(), 1),
			 -EBUSY);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	assert_int_equal(counts().refused, 2);
	assert_int_equal(counts().cut_off, 0);
	/* as soon as one is idle, there is room */
	call_reply(test.kept[--test.kept_count], NULL);
	turns();
	others_are_served();
	disperse();
	assert_int_equal(test.gone, crowd_size() - 1);
}

static void half_messages_make_room_soon(void **state)
{
	struct peer newcomer;

	(void)state;
	gather("{", 1);
	newcomer = peer_connect();
	expect_error(&newcomer, "io.vmsup.Failed", NULL, NULL);
	peer_close(&newcomer);
	skip_ms(1000);
	others_are_served();
	assert_int_equal(counts().cut_off, 1);
	disperse();
}

/* Members of the group, as many of each as one may have. */
static uid_t member(unsigned int i)
{
	return 1000 + i / CONTROL_USER_CLIENTS;
}

static void some_places_are_for_root(void **state)
{
	unsigned int members = CONTROL_MAX_CLIENTS - CONTROL_ROOT_RESERVE;
	struct peer root;
	int ends[2];

	(void)state;
	for (unsigned int i = 0; i < members; i++) {
		crowd[i] = peer_adopted(member(i));
		peer_call(&crowd[i], "io.vmsup.Stream", ",\"more\":true");
	}
	wait_for_kept(members);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(control_adopt(test.control, ends[0], 1000, 1), -EBUSY);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	root = peer_adopted(0);
	expect_served(&root, 1);
	peer_close(&root);
	for (unsigned int i = 0; i < members; i++)
		peer_close(&crowd[i]);
	wait_for_clients(0);
}

/* Idle as it is, a connection of root's is no room for members: each that took
 * its place would be one more of theirs, until they had all. */
static void members_never_take_roots_places(void **state)
{
	unsigned int members = CONTROL_MAX_CLIENTS - CONTROL_ROOT_RESERVE;
	struct peer root = peer_adopted(0);
	int ends[2];

	(void)state;
	expect_served(&root, 1);
	for (unsigned int i = 0; i < members - 1; i++) {
		crowd[i] = peer_adopted(member(i));
		peer_call(&crowd[i], "io.vmsup.Stream", ",\"more\":true");
	}
	wait_for_kept(members - 1);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(control_adopt(test.control, ends[0], 1000, 1), -EBUSY);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	expect_served(&root, 2);
	peer_close(&root);
	for (unsigned int i = 0; i < members - 1; i++)
		peer_close(&crowd[i]);
	wait_for_clients(0);
}

/* As many as the limits of this process allow at the same time, 10,000 in all;
 * somebody else wants to be served all the while. */
static void ten_thousand(const char *bytes, size_t length)
{
	enum {
		TOTAL = 10000
	};
	static int fds[TOTAL];
	struct rlimit limit;
	unsigned int together;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	together = limit.rlim_cur > TOTAL + 400
			   ? TOTAL
			   : (unsigned int)limit.rlim_cur - 400;
	for (unsigned int i = 0; i < TOTAL; i++) {
		if (i >= together)
			fd_close(&fds[i - together]);
		fds[i] = try_connect();
		if (length > 0)
			(void)!send(fds[i], bytes, length, MSG_NOSIGNAL);
		if (i % 2000 == 1999) {
			/* those that still queue up go first */
			for (int j = 0; j < 50; j++)
				turns();
			skip_ms(600);
			others_are_served();
		}
	}
	for (int i = 0; i < 100; i++)
		turns();
	assert_true(counts().clients <= CONTROL_MAX_CLIENTS);
	/* those that we closed ourselves went on their own */
	assert_true(counts().refused + counts().cut_off >=
		    together - CONTROL_MAX_CLIENTS);
	assert_true(test.log_lines <= 3);
	for (unsigned int i = TOTAL - together; i < TOTAL; i++)
		fd_close(&fds[i]);
	wait_for_clients(0);
	others_are_served();
}

static void ten_thousand_silent_connections(void **state)
{
	(void)state;
	ten_thousand("", 0);
}

static void ten_thousand_half_messages(void **state)
{
	(void)state;
	ten_thousand("{\"method\":", 10);
}

static void ten_thousand_garbage_messages(void **state)
{
	(void)state;
	ten_thousand("\0\0\0\0", 4);
}

static void one_flooder_leaves_time_for_others(void **state)
{
	static const char text[] = "{\"method\":\"io.vmsup.Echo\"}";
	struct peer flooder = peer_connect(), other = peer_connect();
	unsigned int before;

	(void)state;
	expect_served(&other, 1);
	for (int i = 0; i < 1000; i++)
		peer_send_bytes(&flooder, text, sizeof(text));
	before = test.handled;
	expect_served(&other, 2);
	/* it didn't have to wait for the thousand */
	assert_true(test.handled - before < 100);
	peer_close(&flooder);
	peer_close(&other);
}

/* ---- out of descriptors */

static rlim_t forbid_new_fds(void)
{
	struct rlimit limit;
	rlim_t before;
	int next = dup(0);

	assert_true(next >= 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &limit);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void allow_fds(rlim_t before)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = before;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void without_descriptors_newcomers_are_told(void **state)
{
	struct peer early = peer_connect(), late[40];
	rlim_t before;

	(void)state;
	expect_served(&early, 1);
	for (size_t i = 0; i < ARRAY_SIZE(late); i++)
		late[i] = peer_connect();
	before = forbid_new_fds();
	for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
		expect_error(&late[i], "io.vmsup.Failed", NULL, NULL);
		expect_end(&late[i]);
	}
	expect_served(&early, 2);
	allow_fds(before);
	assert_int_equal(counts().refused, ARRAY_SIZE(late));
	assert_int_equal(test.log_lines, 1);
	others_are_served();
	for (size_t i = 0; i < ARRAY_SIZE(late); i++)
		peer_close(&late[i]);
	peer_close(&early);
}

static void without_a_reserve_accepting_pauses(void **state)
{
	struct peer early = peer_connect(), late = peer_connect();
	int extra;
	rlim_t before;

	(void)state;
	expect_served(&early, 1);
	expect_served(&late, 1);
	peer_close(&late);
	wait_for_clients(1);
	late = peer_connect();
	fd_close(&test.control->reserve_fd);
	extra = dup(0);
	before = forbid_new_fds();
	turns();
	/* it is paused, not spinning: no event comes of the connection that
	 * waits */
	assert_int_equal(epoll_wait(test.loop.epoll_fd, test.loop.batch, 1, 0),
			 0);
	expect_served(&early, 2);
	skip_ms(1000);
	skip_ms(1000);
	assert_int_equal(test.log_lines, 1);
	allow_fds(before);
	skip_ms(1000);
	expect_served(&late, 3);
	assert_int_equal(counts().refused, 0);
	fd_close(&extra);
	peer_close(&late);
	peer_close(&early);
}

static void a_lost_reserve_is_made_good(void **state)
{
	(void)state;
	fd_close(&test.control->reserve_fd);
	others_are_served();
	assert_true(test.control->reserve_fd >= 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(large_replies_arrive_whole),
		TEST(requests_have_a_largest_size),
		TEST(a_slow_reader_is_cut_off),
		TEST(a_slow_reader_may_catch_up),
		TEST(pipelining_without_reading_only_waits),
		TEST(a_reply_too_large_costs_the_connection),
		TEST(garbage_is_answered_and_cut_off),
		TEST(floods_of_one_byte_are_cut_off),
		TEST(noise_is_survived),
		TEST(errors_echo_little),
		TEST(descriptors_sent_along_are_closed),
		TEST(descriptors_are_refused_where_possible),
		TEST(half_a_message_is_cut_off),
		TEST(a_slow_but_whole_message_is_served),
		TEST(silent_clients_are_cut_off),
		TEST(the_longest_idle_makes_room),
		TEST(the_busy_are_not_disturbed),
		TEST(half_messages_make_room_soon),
		TEST(some_places_are_for_root),
		TEST(members_never_take_roots_places),
		TEST(ten_thousand_silent_connections),
		TEST(ten_thousand_half_messages),
		TEST(ten_thousand_garbage_messages),
		TEST(one_flooder_leaves_time_for_others),
		TEST(without_descriptors_newcomers_are_told),
		TEST(without_a_reserve_accepting_pauses),
		TEST(a_lost_reserve_is_made_good),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
