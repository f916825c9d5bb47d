/* SPDX-License-Identifier: ISC */
/* A configuration's defaults, additions, and values from the command line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/config/config.h"
#include "supervisor/lib/value.h"

static int setup(void **state)
{
	static struct config config;

	config_init(&config);
	*state = &config;
	return 0;
}

static int teardown(void **state)
{
	config_uninit(*state);
	return 0;
}

static void test_defaults(void **state)
{
	const struct config *config = *state;
	const struct restart_policy *restart = &config->defaults.restart;
	const struct vm_timeouts *timeouts = &config->defaults.timeouts;

	assert_string_equal(config->bridge, "vmsup0");
	assert_int_equal(ntohl(config->bridge_ipv4.s_addr), 0x0a4d0001);
	assert_int_equal(config->bridge_ipv4_prefix, 16);
	assert_false(config->has_bridge_ipv6);
	assert_int_equal(config->mtu, 1500);
	assert_string_equal(config->tap_prefix, "vmtap");
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->vm_count, 0);
	assert_true(config->defaults.autostart);
	assert_true(restart->enabled);
	assert_int_equal(restart->steady_ms, 1000);
	assert_int_equal(restart->delay_min_ms, 100);
	assert_int_equal(restart->delay_max_ms, 30000);
	assert_int_equal(restart->jitter_percent, 20);
	assert_int_equal(restart->forget_ms, 60000);
	assert_int_equal(restart->crash_deaths, 5);
	assert_int_equal(restart->crash_window_ms, 60000);
	assert_int_equal(timeouts->start_ms, 10000);
	assert_int_equal(timeouts->heartbeat_ms, 1000);
	assert_int_equal(timeouts->watchdog_ms, 10000);
	assert_int_equal(timeouts->abort_ms, 2000);
	assert_int_equal(timeouts->stop_guest_ms, 30000);
	assert_int_equal(timeouts->stop_process_ms, 5000);
}

static void test_add_vms_takes_lowest_free_names(void **state)
{
	static const char *const names[] = { "vm1", "vm007", "vm9999999999999",
					     "vm",  "vm0x",  "vm2",
					     "web", "vm0",   "vm3",
					     "vm4", "vm5" };
	struct config *config = *state;
	struct problem problem;

	for (size_t i = 0; i < 7; i++)
		assert_non_null(config_add_vm(config, names[i], &problem));
	assert_int_equal(config_add_vms(config, 4, &problem), 0);
	assert_int_equal(config->vm_count, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(config->vms[i].name, names[i]);
	assert_int_equal(config->vms[7].timeouts.start_ms, 10000);
}

static void test_add_up_to_the_ports_of_a_bridge(void **state)
{
	struct config *config = *state;
	struct problem problem;

	assert_int_equal(config_add_vms(config, CONFIG_MAX_VMS + 1, &problem),
			 -E2BIG);
	assert_non_null(strstr(problem.text, "1,023 ports"));
	assert_int_equal(config_add_vms(config, SIZE_MAX, &problem), -E2BIG);
	assert_int_equal(config->vm_count, 0);
	assert_int_equal(config_add_vms(config, 0, &problem), 0);
	assert_int_equal(config_add_vms(config, CONFIG_MAX_VMS, &problem), 0);
	assert_string_equal(config->vms[CONFIG_MAX_VMS - 1].name, "vm1022");
	assert_int_equal(config_add_vms(config, 1, &problem), -E2BIG);
	assert_null(config_add_vm(config, "web", &problem));
	assert_non_null(strstr(problem.text, "1,023 ports"));
}

static void test_add_vm_refuses_names(void **state)
{
	static const char *const bad[] = { "",
					   "-a",
					   "Web",
					   "a b",
					   "a/b",
					   "a_b",
					   "a2345678901234567890123456789012" };
	struct config *config = *state;
	struct problem problem;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(config_add_vm(config, bad[i], &problem));
		assert_non_null(strstr(problem.text, "can't name a VM"));
	}
	assert_non_null(config_add_vm(config, "a234567890123456789012345678901",
				      &problem));
	assert_non_null(config_add_vm(config, "web", &problem));
	assert_null(config_add_vm(config, "web", &problem));
	assert_non_null(strstr(problem.text, "named web already"));
}

static void test_set_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:0",
		"02:00:00:00:00:01:02",
		"02-00-00-00-00-01",
		"02:00:00:00:00:0g",
		"2:0:0:0:0:1",
		" 02:00:00:00:00:01",
		"01:00:5e:00:00:01",
		"ff:ff:ff:ff:ff:ff",
		"00:00:00:00:00:00",
	};
	struct config *config = *state;
	struct vm_config *vm = &config->defaults;
	struct problem problem;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(config_set_mac(vm, bad[i], &problem), -EINVAL);
		assert_false(vm->has_mac);
	}
	assert_int_equal(config_set_mac(vm, "02:aB:00:FF:00:01", &problem), 0);
	assert_true(vm->has_mac);
	assert_memory_equal(vm->mac, "\x02\xab\x00\xff\x00\x01", 6);
}

static void test_set_ipv4(void **state)
{
	static const char *const bad[] = {
		"",           "10.77.0.9/16", "10.77.0.256",   "10.77.9",
		"10.78.0.1",  "10.77.0.0",    "10.77.255.255", "10.77.0.1",
		"010.77.0.9", "web",          "10.77.0.9 ",
	};
	struct config *config = *state;
	struct vm_config *vm = &config->defaults;
	struct problem problem;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(config_set_ipv4(config, vm, bad[i], &problem),
				 -EINVAL);
		assert_false(vm->has_ipv4);
	}
	config_set_ipv4(config, vm, "10.78.0.1", &problem);
	assert_string_equal(problem.text,
			    "10.78.0.1 is outside the bridge's subnet (choose "
			    "one from 10.77.0.1 to 10.77.255.254)");
	assert_int_equal(config_set_ipv4(config, vm, "10.77.1.0", &problem), 0);
	assert_true(vm->has_ipv4);
	assert_int_equal(ntohl(vm->ipv4.s_addr), 0x0a4d0100);
}

static void test_set_ipv6(void **state)
{
	static const char *const bad[] = {
		"",
		"fd77::9",
		"fd77::9/",
		"fd77::9/129",
		"fd77::9/0",
		"fd77::9/128",
		"fd77::/64",
		"ff02::1/64",
		"fe80::1/64",
		"::1/64",
		"::/64",
		"fd77::9/64x",
		"10.77.0.1/64",
		"::ffff:10.77.0.1/64",
		"fd77:1111:2222:3333:4444:5555:6666:7777:8888:9999/64",
	};
	struct config *config = *state;
	struct vm_config *vm = &config->defaults;
	struct problem problem;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(config_set_ipv6(vm, bad[i], &problem),
				 -EINVAL);
		assert_false(vm->has_ipv6);
	}
	assert_int_equal(config_set_ipv6(vm, "fd77::9/64", &problem), 0);
	assert_true(vm->has_ipv6);
	assert_int_equal(vm->ipv6_prefix, 64);
	assert_int_equal(vm->ipv6.s6_addr[15], 9);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint32_t ms;
	} cases[] = {
		{ "100ms", 0, 100 },
		{ "30s", 0, 30000 },
		{ "2m", 0, 120000 },
		{ "1h", 0, 3600000 },
		{ "1.5s", 0, 1500 },
		{ "0.25m", 0, 15000 },
		{ "0.0004s", 0, 0 },
		{ "0.0005s", 0, 1 },
		{ "0.00000000000000000001h", 0, 0 },
		{ "0s", 0, 0 },
		{ "4294967295ms", 0, UINT32_MAX },
		{ "4294967296ms", -ERANGE, 0 },
		{ "99999999999999999999s", -ERANGE, 0 },
		{ "18446744073709551615h", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "30", -EINVAL, 0 },
		{ "30 s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "1,5s", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1ss", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t ms = 0;

		assert_int_equal(value_duration(cases[i].text, &ms),
				 cases[i].error);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_sizes(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_int_equal(value_size("64M", &bytes), 0);
	assert_int_equal(bytes, 64 << 20);
	assert_int_equal(value_size("2G", &bytes), 0);
	assert_int_equal(bytes, UINT64_C(2) << 30);
	assert_int_equal(value_size("512K", &bytes), 0);
	assert_int_equal(bytes, 512 << 10);
	assert_int_equal(value_size("16777216T", &bytes), -ERANGE);
	assert_int_equal(value_size("64", &bytes), -EINVAL);
	assert_int_equal(value_size("64MB", &bytes), -EINVAL);
	assert_int_equal(value_size("1.5G", &bytes), -EINVAL);
	assert_int_equal(value_size("M", &bytes), -EINVAL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_defaults),
		CASE(test_add_vms_takes_lowest_free_names),
		CASE(test_add_up_to_the_ports_of_a_bridge),
		CASE(test_add_vm_refuses_names),
		CASE(test_set_mac),
		CASE(test_set_ipv4),
		CASE(test_set_ipv6),
		CASE(test_durations),
		CASE(test_sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
