/* SPDX-License-Identifier: ISC */
/* What "vmsup sandbox" reads out of /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/fd.h"
#include "supervisor/cli/proc.h"

static const char status[] = "Name:\tx\nUid:\t5\t6\t7\t8\nGroups:\t \n"
			     "Seccomp:\t2\nSeccomp_filters:\t1\n";
static const char limits[] =
	"Limit                     Soft Limit           Hard Limit\n"
	"Max core file size        0                    unlimited            "
	"bytes\n"
	"Max open files            64                   128                  "
	"files\n";

static void values(void **state)
{
	char value[32];

	(void)state;
	assert_true(proc_value(status, "Uid", value, sizeof(value)));
	assert_string_equal(value, "5 6 7 8");
	assert_true(proc_value(status, "Groups", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(proc_value(status, "Seccomp", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_false(proc_value(status, "Gid", value, sizeof(value)));
	assert_false(proc_value(status, "id", value, sizeof(value)));
	assert_false(proc_value("", "Uid", value, sizeof(value)));
	assert_true(proc_value(status, "Uid", value, 4));
	assert_string_equal(value, "5 6");
}

static void soft_and_hard(void **state)
{
	char value[32];

	(void)state;
	assert_true(proc_limit(limits, "Max open files", value, sizeof(value)));
	assert_string_equal(value, "64/128");
	assert_true(
		proc_limit(limits, "Max core file size", value, sizeof(value)));
	assert_string_equal(value, "0/unlimited");
	assert_false(proc_limit(limits, "Max processes", value, sizeof(value)));
}

static void own_process(void **state)
{
	cleanup_fd int fd = proc_open(getpid());
	char text[8192], value[32];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(proc_read(fd, "status", text, sizeof(text)), 0);
	assert_true(proc_value(text, "Pid", value, sizeof(value)));
	assert_int_equal(atoi(value), getpid());
	assert_int_not_equal(proc_inode(fd, "ns/net"), 0);
	assert_int_equal(proc_inode(fd, "ns/nothing"), 0);
	assert_int_equal(proc_read(fd, "nothing", text, sizeof(text)), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(soft_and_hard),
		cmocka_unit_test(own_process),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
