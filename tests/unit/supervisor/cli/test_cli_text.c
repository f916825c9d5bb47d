/* SPDX-License-Identifier: ISC */
/* Numbers, times and signals as the command line reads and writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/fd.h"
#include "supervisor/cli/signame.h"
#include "supervisor/cli/text.h"

static void durations(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{ -1, "0.0s" },
		{ 0, "0.0s" },
		{ 0.44, "0.4s" },
		{ 9.94, "9.9s" },
		{ 9.96, "9s" },
		{ 10, "10s" },
		{ 59.9, "59s" },
		{ 60, "1m00s" },
		{ 192.3, "3m12s" },
		{ 3599.9, "59m59s" },
		{ 3600, "1h00m" },
		{ 86399, "23h59m" },
		{ 86400, "1d00h" },
		{ 90000, "1d01h" },
		{ 1e300, "11574074d01h" },
	};
	char text[TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_duration(cases[i].seconds, text),
				    cases[i].text);
}

static void bytes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 999, "999" },
		{ 1000, "1.0K" },
		{ 1024, "1.0K" },
		{ 10188, "9.9K" },
		{ 10189, "10K" },
		{ 123456, "121K" },
		{ 1023487, "999K" },
		{ 1023488, "1.0M" },
		{ 5368709120, "5.0G" },
		{ UINT64_MAX, "16E" },
	};
	char text[TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_bytes(cases[i].bytes, text),
				    cases[i].text);
}

static void milliseconds(void **state)
{
	char text[TEXT_SIZE];

	(void)state;
	assert_string_equal(text_ms(0.0312, text), "0.031");
	assert_string_equal(text_ms(4.123, text), "4.12");
	assert_string_equal(text_ms(31.52, text), "31.5");
	assert_string_equal(text_ms(250.4, text), "250");
}

static void numbers(void **state)
{
	static const char *const bad[] = {
		"",     "0",   "-1",  "+1",  " 1",     "abc",
		"10^9", "1e3", "0x1", "1.5", "100001", "99999999999999999999",
		"1 ",
	};
	long number;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(text_number(bad[i], 1, 100000, &number));
	assert_true(text_number("1", 1, 100000, &number));
	assert_int_equal(number, 1);
	assert_true(text_number("100000", 1, 100000, &number));
	assert_int_equal(number, 100000);
	assert_true(text_number("010", 1, 100000, &number));
	assert_int_equal(number, 10);
}

static void seconds(void **state)
{
	static const char *const bad[] = {
		"",    ".",
		"..1", "1.2.3",
		"-1",  "inf",
		"nan", "0x1",
		"1s",  "1e3",
		" 1",  "0.0001",
		"61",  "11111111111111111111111111111111111111111111",
	};
	long ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(text_seconds(bad[i], 1, 60000, &ms));
	assert_true(text_seconds("0.2", 1, 60000, &ms));
	assert_int_equal(ms, 200);
	assert_true(text_seconds(".5", 1, 60000, &ms));
	assert_int_equal(ms, 500);
	assert_true(text_seconds("60", 1, 60000, &ms));
	assert_int_equal(ms, 60000);
}

static void signals(void **state)
{
	static const char *const bad[] = { "",     "0",   "-9",
					   "9999", "SIG", "FOO",
					   "9x",   "32",  "SIGSIGKILL" };

	(void)state;
	assert_string_equal(signame_parse("SEGV"), "SEGV");
	assert_string_equal(signame_parse("SIGSEGV"), "SEGV");
	assert_string_equal(signame_parse("sigsegv"), "SEGV");
	assert_string_equal(signame_parse("11"), "SEGV");
	assert_string_equal(signame_parse("9"), "KILL");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(signame_parse(bad[i]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),    cmocka_unit_test(bytes),
		cmocka_unit_test(milliseconds), cmocka_unit_test(numbers),
		cmocka_unit_test(seconds),      cmocka_unit_test(signals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
