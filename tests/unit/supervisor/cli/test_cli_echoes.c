/* SPDX-License-Identifier: ISC */
/* The statistics that "vmsup ping" ends with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/cli/echoes.h"

static void no_reply(void **state)
{
	struct echoes echoes = { .sent = 3 };
	char text[256];

	(void)state;
	assert_string_equal(echoes_summary(&echoes, 2003.2, text, sizeof(text)),
			    "3 packets transmitted, 0 received, 100% packet "
			    "loss, time 2003ms\n");
}

static void nothing_sent(void **state)
{
	struct echoes echoes = { 0 };
	char text[256];

	(void)state;
	assert_string_equal(echoes_summary(&echoes, 0, text, sizeof(text)),
			    "0 packets transmitted, 0 received, 0% packet "
			    "loss, time 0ms\n");
}

static void some_replies(void **state)
{
	static const double rtts[] = { 2, 4, 4, 4, 5, 5, 7, 9 };
	struct echoes echoes = { .sent = 12, .errors = 1 };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rtts) / sizeof(rtts[0]); i++)
		echoes_reply(&echoes, rtts[i]);
	assert_string_equal(echoes_summary(&echoes, 11010, text, sizeof(text)),
			    "12 packets transmitted, 8 received, +1 errors, "
			    "33.3333% packet loss, time 11010ms\n"
			    "rtt min/avg/max/mdev = 2.000/5.000/9.000/2.000 "
			    "ms\n");
}

/* Differences in the sixth digit, which a sum of squares would lose. */
static void mdev_keeps_its_digits(void **state)
{
	struct echoes echoes = { 0 };

	(void)state;
	for (int i = 0; i < 1000000; i++)
		echoes_reply(&echoes, i % 2 ? 1000.001 : 1000.003);
	assert_float_equal(echoes_mdev_ms(&echoes), 0.001, 0.0001);
	assert_float_equal(echoes.mean_ms, 1000.002, 0.0001);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_reply),
		cmocka_unit_test(nothing_sent),
		cmocka_unit_test(some_replies),
		cmocka_unit_test(mdev_keeps_its_digits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
