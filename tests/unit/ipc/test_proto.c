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

/* What is kept lies below what is used; no number is two descriptors'. */
static void version_3_keeps_low_and_uses_high(void **state)
{
	static const enum fd_role kept[] = {
		FD_ROLE_ADOPT,  FD_ROLE_UIDS,          FD_ROLE_KERNEL,
		FD_ROLE_INITRD, FD_ROLE_CONSOLE_ADOPT,
	};
	bool taken[PROTO_FDS] = { [PROTO_CHANNEL_FD] = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_in_range(proto_fd_number(3, kept[i], 0), 4,
				PROTO_PASSING_FD - 1);
	for (unsigned int role = 0; role < FD_ROLES; role++)
		for (unsigned int index = 0; index < PROTO_FDS; index++) {
			int number = proto_fd_number(3, role, index);

			if (number == 0)
				break;
			assert_in_range(number, 4, PROTO_FDS - 1);
			assert_false(taken[number]);
			taken[number] = true;
		}
	assert_int_equal(proto_fd_number(3, FD_ROLE_TAP, 63), 127);
	assert_int_equal(proto_fd_number(3, FD_ROLE_VHOST_NET, 63), 191);
	assert_int_equal(proto_fd_number(3, FD_ROLE_TAP, 64), 0);
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
		cmocka_unit_test(version_3_keeps_low_and_uses_high),
		cmocka_unit_test(an_unknown_version_has_no_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
