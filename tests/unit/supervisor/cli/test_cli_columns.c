/* SPDX-License-Identifier: ISC */
/* The columns of "vmsup status": choosing them, and what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/fd.h"
#include "supervisor/cli/columns.h"

static void chosen_in_order(void **state)
{
	struct columns columns = { 0 };

	(void)state;
	assert_null(columns_add(&columns, "state,NAME,Rx-Dropped"));
	assert_int_equal(columns.count, 3);
	assert_string_equal(columns_name(&columns, 0), "STATE");
	assert_string_equal(columns_name(&columns, 1), "NAME");
	assert_string_equal(columns_name(&columns, 2), "RX-DROPPED");
}

static void unknown_is_named(void **state)
{
	static const char *const lists[] = { "NAME,FOO", "NAME,", "NAME,,TAP",
					     "NAM", "NAMES" };
	static const char *const bad[] = { "FOO", "", ",TAP", "NAM", "NAMES" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct columns columns = { 0 };

		assert_string_equal(columns_add(&columns, lists[i]), bad[i]);
	}
}

static void too_many_are_refused(void **state)
{
	struct columns columns = { 0 };

	(void)state;
	for (int i = 0; i < COLUMNS_MAX; i++)
		assert_null(columns_add(&columns, "NAME"));
	assert_non_null(columns_add(&columns, "NAME"));
	assert_int_equal(columns.count, COLUMNS_MAX);
}

/* The usual columns, with commas between. */
static const char *usual(bool retry, bool machines)
{
	static char text[COLUMNS_KNOWN_SIZE];
	struct columns columns = { 0 };
	size_t length = 0;

	columns_default(&columns, retry, machines);
	for (size_t i = 0; i < columns.count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "%s%s", i ? "," : "",
					   columns_name(&columns, i));
	return text;
}

static void retry_shown_while_one_waits(void **state)
{
	(void)state;
	assert_null(strstr(usual(false, false), "NEXT-RETRY"));
	assert_non_null(strstr(usual(true, false), "NEXT-RETRY"));
	assert_non_null(strstr(usual(true, true), "NEXT-RETRY"));
}

static void machines_are_shown_where_there_are_some(void **state)
{
	(void)state;
	assert_string_equal(usual(false, false),
			    "NAME,STATE,PID,GEN,RESTARTS,UPTIME,LAST-EXIT,"
			    "IPV4,RX,TX");
	assert_string_equal(usual(false, true),
			    "NAME,STATE,GUEST,MEM,VCPUS,PID,GEN,RESTARTS,"
			    "UPTIME,LAST-EXIT,IPV4");
}

static void every_column_takes_an_empty_vm(void **state)
{
	struct columns columns = { 0 };
	char known[COLUMNS_KNOWN_SIZE], cell[COLUMNS_CELL_SIZE];
	json_t *vm = json_object();

	(void)state;
	columns_known(known);
	for (char *name = strtok(known, ", "); name; name = strtok(NULL, ", "))
		assert_null(columns_add(&columns, name));
	for (size_t i = 0; i < columns.count; i++)
		assert_non_null(columns_cell(&columns, i, vm, cell));
	json_decref(vm);
}

static void last_exits(void **state)
{
	static const struct {
		const char *reason, *detail, *text;
	} cases[] = {
		{ "signal", "SIGKILL", "SIGKILL" },
		{ "signal", "KILL", "SIGKILL" },
		{ "seccomp", "SIGSYS openat", "SIGSYS openat" },
		{ "seccomp", "openat", "SIGSYS openat" },
		{ "exit", "exit 78: bad configuration",
		  "exit 78: bad configuration" },
		{ "exit", "78: bad configuration",
		  "exit 78: bad configuration" },
		{ "start-timeout", "", "start-timeout" },
		{ "watchdog", "no answer for 10 s",
		  "watchdog: no answer for 10 s" },
		{ "poweroff", "poweroff", "poweroff" },
	};
	char text[COLUMNS_CELL_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *exit = json_pack("{s:s, s:s}", "reason",
					 cases[i].reason, "detail",
					 cases[i].detail);

		assert_string_equal(columns_exit(exit, text, sizeof(text)),
				    cases[i].text);
		json_decref(exit);
	}
	assert_string_equal(columns_exit(NULL, text, sizeof(text)), "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen_in_order),
		cmocka_unit_test(unknown_is_named),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(retry_shown_while_one_waits),
		cmocka_unit_test(machines_are_shown_where_there_are_some),
		cmocka_unit_test(every_column_takes_an_empty_vm),
		cmocka_unit_test(last_exits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
