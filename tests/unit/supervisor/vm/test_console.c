/* SPDX-License-Identifier: ISC */
/* A guest's console: what is kept, what is logged, and a fair share of it. */
#include "ipc/fd.h"
#include "tests/unit/supervisor/control/control_fixture.h"

#include <sys/ioctl.h>

#include "supervisor/lib/base64.h"
#include "supervisor/vm/console.h"
#include "supervisor/core.h"

static struct supervisor supervisor;
static struct vm vm;
static int guest_fd;

/* A console whose guest's end is ours. */
static void open_console(void)
{
	struct problem problem;

	assert_int_equal(console_open(&vm, &problem), 0);
	fd_close(&guest_fd);
	guest_fd = fcntl(console_guest_fd(&vm), F_DUPFD_CLOEXEC, 3);
	assert_int_equal(console_handed_over(&vm), 0);
}

static int set_up_vm(void **state)
{
	int error = set_up(state);

	memset(&vm, 0, sizeof(vm));
	memset(&supervisor, 0, sizeof(supervisor));
	guest_fd = -1;
	if (error || loop_init(&supervisor.host.loop) < 0)
		return -1;
	vm.host = &supervisor.host;
	strcpy(vm.config.name, "web");
	vm.generation = 1;
	open_console();
	return 0;
}

static int tear_down_vm(void **state)
{
	console_uninit(&vm);
	vmlog_uninit(&vm.log.kept);
	loop_uninit(&supervisor.host.loop);
	fd_close(&guest_fd);
	return tear_down(state);
}

#define VM_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_vm, tear_down_vm)

static void print(const char *text)
{
	int left = 0;

	assert_int_equal(send(guest_fd, text, strlen(text), 0), strlen(text));
	do /* not at once, if there was much of late */
		assert_int_equal(loop_turn(&supervisor.host.loop, 1000), 0);
	while (ioctl(console_fd(&vm), FIONREAD, &left) == 0 && left > 0);
}

/* All that is kept; length of it. */
static size_t kept(char bytes[CONSOLE_KEPT_BYTES + 1])
{
	json_t *saved = console_save(&vm);
	int length = base64_decode(
		bytes, CONSOLE_KEPT_BYTES,
		json_string_value(json_object_get(saved, "data")));

	json_decref(saved);
	assert_true(length >= 0);
	bytes[length] = '\0';
	return (size_t)length;
}

static char kept_bytes[CONSOLE_KEPT_BYTES + 1];

static const char *log_text(size_t i)
{
	const struct vmlog_line *line =
		vmlog_at(&vm.log.kept.current,
			 VMLOG_LINES - vm.log.kept.current.count + i);

	return line ? line->text : "";
}

static void lines_go_to_the_log_cleaned(void **state)
{
	(void)state;
	print("one\r\ntw");
	assert_int_equal(vm.log.kept.current.count, 1);
	print("o\n\x1b[31mred\n");
	assert_int_equal(vm.log.kept.current.count, 3);
	assert_string_equal(log_text(0), "one");
	assert_string_equal(log_text(1), "two");
	assert_null(strchr(log_text(2), '\x1b'));
	/* who attaches gets it as it is */
	kept(kept_bytes);
	assert_string_equal(kept_bytes, "one\r\ntwo\n\x1b[31mred\n");
}

static void a_line_without_end_is_cut(void **state)
{
	char text[1001];

	(void)state;
	memset(text, 'x', 1000);
	text[1000] = '\0';
	for (int i = 0; i < 20; i++)
		print(text);
	print("\nnext\n");
	assert_int_equal(vm.log.kept.current.count, 2);
	assert_true(strlen(log_text(0)) < LOG_LINE_BYTES);
	assert_string_equal(log_text(1), "next");
}

static void the_last_of_it_is_kept(void **state)
{
	char text[16];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "%09d\n", i);
		print(text);
	}
	assert_int_equal(kept(kept_bytes), CONSOLE_KEPT_BYTES);
	assert_string_equal(kept_bytes + CONSOLE_KEPT_BYTES - 10,
			    "000009999\n");
}

/* However much waits, a turn takes 4 KiB, and then others have a while. */
static void a_flood_is_bounded_per_turn(void **state)
{
	static char flood[1 << 20];
	ssize_t sent;

	(void)state;
	memset(flood, 'f', sizeof(flood));
	sent = send(guest_fd, flood, sizeof(flood), MSG_DONTWAIT);
	assert_true(sent > 3 * 4096);
	assert_int_equal(loop_turn(&supervisor.host.loop, 0), 0);
	assert_int_equal(kept(kept_bytes), 4096);
	for (int i = 0; i < 100; i++)
		assert_int_equal(loop_turn(&supervisor.host.loop, 0), 0);
	assert_true(kept(kept_bytes) <= 3 * 4096UL);
	/* it is heard again, to its end, and the guest's end of it too */
	while (kept(kept_bytes) < (size_t)sent &&
	       kept(kept_bytes) < CONSOLE_KEPT_BYTES)
		assert_int_equal(loop_turn(&supervisor.host.loop, 100), 0);
}

static void the_last_words_are_taken(void **state)
{
	(void)state;
	assert_int_equal(send(guest_fd, "Kernel panic", 12, 0), 12);
	fd_close(&guest_fd);
	console_close(&vm);
	assert_int_equal(vm.log.kept.current.count, 1);
	assert_string_equal(log_text(0), "Kernel panic");
	assert_int_equal(console_fd(&vm), -1);
	console_close(&vm);
	vm.generation = 2;
	open_console();
	print("again\n");
	kept(kept_bytes);
	assert_string_equal(kept_bytes,
			    "Kernel panic\r\n[generation 2]\r\nagain\n");
}

static void expect_data(struct peer *peer, const char *text)
{
	json_t *message = peer_next(peer);
	const char *data = json_string_value(json_object_get(
		json_object_get(message, "parameters"), "data"));
	char bytes[256];
	int length;

	assert_non_null(data);
	length = base64_decode(bytes, sizeof(bytes) - 1, data);
	assert_true(length >= 0);
	bytes[length] = '\0';
	assert_string_equal(bytes, text);
	json_decref(message);
}

static void watchers_see_what_was_and_what_comes(void **state)
{
	struct peer peers[3] = { peer_adopted(0), peer_adopted(0),
				 peer_adopted(0) };

	(void)state;
	print("before\n");
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		console_attach(&vm, kept_call(&peers[i], ",\"more\":true"));
		expect_data(&peers[i], "before\n");
	}
	peer_close(&peers[1]);
	wait_for_clients(2);
	print("after\xff\n");
	expect_data(&peers[0], "after\xff\n");
	expect_data(&peers[2], "after\xff\n");
	console_uninit(&vm);
	expect_data(&peers[0], ""); /* the last reply */
	peer_close(&peers[0]);
	peer_close(&peers[2]);
}

static void one_look_without_more(void **state)
{
	struct peer peer = peer_adopted(0);

	(void)state;
	print("x");
	console_attach(&vm, kept_call(&peer, ""));
	expect_data(&peer, "x");
	peer_close(&peer);
}

static void what_is_typed_arrives(void **state)
{
	struct peer peer = peer_adopted(0);
	char bytes[16] = "";

	(void)state;
	console_type(&vm,
		     kept_call(&peer, ",\"parameters\":{\"data\":\"bHMK\"}"));
	json_decref(peer_next(&peer));
	assert_int_equal(recv(guest_fd, bytes, sizeof(bytes), 0), 3);
	assert_string_equal(bytes, "ls\n");
	console_type(&vm, kept_call(&peer, ",\"parameters\":{\"data\":\"!\"}"));
	expect_error(&peer, "org.varlink.service.InvalidParameter", "parameter",
		     "data");
	console_type(&vm, kept_call(&peer, ""));
	expect_error(&peer, "org.varlink.service.InvalidParameter", "parameter",
		     "data");
	fd_close(&guest_fd);
	console_close(&vm);
	console_type(&vm,
		     kept_call(&peer, ",\"parameters\":{\"data\":\"bHMK\"}"));
	expect_error(&peer, "io.vmsup.Failed", NULL, NULL);
	peer_close(&peer);
}

static void over_an_upgrade(void **state)
{
	json_t *saved;
	int fd;

	(void)state;
	print("before\nin the mid");
	saved = console_save(&vm);
	fd = fcntl(console_fd(&vm), F_DUPFD_CLOEXEC, 3);
	json_object_set_new(saved, "fd", json_integer(fd));
	console_uninit(&vm);
	assert_int_equal(console_load(&vm, saved), 0);
	json_decref(saved);
	assert_int_equal(console_fd(&vm), fd);
	assert_int_equal(console_resume(&vm), 0);
	print("st\nafter\n");
	kept(kept_bytes);
	assert_string_equal(kept_bytes, "before\nin the midst\nafter\n");
	assert_string_equal(log_text(0), "before");
	assert_string_equal(log_text(1), "in the midst");
	assert_string_equal(log_text(2), "after");
	/* of none */
	console_uninit(&vm);
	saved = console_save(&vm);
	assert_true(json_is_null(saved));
	assert_int_equal(console_load(&vm, saved), 0);
	assert_null(vm.console);
	json_decref(saved);
}

/* What another program saved is no line of ours. */
static void a_bad_line_is_none(void **state)
{
	char line[BASE64_LENGTH(LOG_LINE_BYTES)];
	char bytes[LOG_LINE_BYTES] = "";

	(void)state;
	base64_encode(line, bytes, sizeof(bytes));
	for (int i = 0; i < 3; i++) {
		json_t *saved = console_save(&vm);
		int fd = fcntl(console_fd(&vm), F_DUPFD_CLOEXEC, 3);

		json_object_set_new(saved, "fd", json_integer(fd));
		if (i == 0)
			json_object_set_new(saved, "line", json_string(line));
		else if (i == 1)
			json_object_set_new(saved, "line", json_string("!"));
		else
			json_object_del(saved, "line");
		console_uninit(&vm);
		assert_int_equal(console_load(&vm, saved), 0);
		json_decref(saved);
		assert_int_equal(console_resume(&vm), 0);
		print("whole\n");
		assert_string_equal(log_text((size_t)i), "whole");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		VM_TEST(lines_go_to_the_log_cleaned),
		VM_TEST(a_line_without_end_is_cut),
		VM_TEST(the_last_of_it_is_kept),
		VM_TEST(a_flood_is_bounded_per_turn),
		VM_TEST(the_last_words_are_taken),
		VM_TEST(watchers_see_what_was_and_what_comes),
		VM_TEST(one_look_without_more),
		VM_TEST(what_is_typed_arrives),
		VM_TEST(over_an_upgrade),
		VM_TEST(a_bad_line_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
