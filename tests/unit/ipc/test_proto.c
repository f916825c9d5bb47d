/* SPDX-License-Identifier: ISC */
/* Versions of the protocol, and where their VM processes have descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "ipc/proto.h"

static void the_present_version_and_the_last_one_are_known(void **state)
{
	(void)state;
	assert_false(proto_is_known(0));
	assert_false(proto_is_known(1));
	assert_true(proto_is_known(2));
	assert_true(proto_is_known(3));
	assert_false(proto_is_known(4));
	assert_false(proto_is_known(UINT32_MAX));
}

/* VM processes of version 2 may run when this is read: theirs never change. */
static void version_2_has_its_descriptors_where_it_always_had(void **state)
{
	static const struct {
		enum fd_role role;
		unsigned int index;
		int number;
	} places[] = {
		{ FD_ROLE_ADOPT, 0, 10 },     { FD_ROLE_UIDS, 0, 11 },
		{ FD_ROLE_TAP, 0, 12 },       { FD_ROLE_TAP, 7, 19 },
		{ FD_ROLE_DISK, 0, 20 },      { FD_ROLE_DISK, 7, 27 },
		{ FD_ROLE_VHOST_NET, 0, 28 }, { FD_ROLE_VHOST_NET, 7, 35 },
		{ FD_ROLE_CONSOLE, 0, 36 },   { FD_ROLE_KERNEL, 0, 37 },
		{ FD_ROLE_INITRD, 0, 38 },    { FD_ROLE_CONSOLE_ADOPT, 0, 39 },
		{ FD_ROLE_KVM, 0, 0 },        { FD_ROLE_FILTER, 0, 0 },
		{ FD_ROLE_DISK, 8, 0 },       { FD_ROLE_ADOPT, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		assert_int_equal(
			proto_fd_number(2, places[i].role, places[i].index),
			places[i].number);
}

static void an_unknown_version_has_no_places(void **state)
{
	(void)state;
	for (unsigned int role = 0; role < FD_ROLES; role++) {
		assert_int_equal(proto_fd_number(1, role, 0), 0);
		assert_int_equal(proto_fd_number(4, role, 0), 0);
	}
	assert_int_equal(proto_fd_number(PROTO_VERSION, FD_ROLES, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_present_version_and_the_last_one_are_known),
		cmocka_unit_test(
			version_2_has_its_descriptors_where_it_always_had),
		cmocka_unit_test(an_unknown_version_has_no_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
