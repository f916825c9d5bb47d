/* SPDX-License-Identifier: ISC */
/* Every error has the name that the C library gives it, where it does. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ipc/error.h"

static void names_are_libcs(void **state)
{
	int named = 0;

	(void)state;
	for (int error = 1; error < 4096; error++) {
		const char *name = strerrorname_np(error);

		assert_string_equal(error_name(error),
				    name ? name : "unknown error");
		named += name != NULL;
	}
	assert_true(named > 100);
}

static void others_have_none(void **state)
{
	(void)state;
	assert_string_equal(error_name(0), "unknown error");
	assert_string_equal(error_name(-ENOENT), "unknown error");
	assert_string_equal(error_name(INT_MAX), "unknown error");
	assert_string_equal(error_name(INT_MIN), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_libcs),
		cmocka_unit_test(others_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
