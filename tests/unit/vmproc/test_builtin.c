/* SPDX-License-Identifier: ISC */
/* The builtin guest as a whole: configuration, time, memory, noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "ipc/log.h"
#include "tests/unit/vmproc/host.h"

static unsigned int lines_logged;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)line;
	assert_int_equal(level, LOG_LEVEL_ERROR);
	lines_logged++;
}

static int setup(void **state)
{
	(void)state;
	log_set(count_line, NULL, LOG_LEVEL_DEBUG);
	lines_logged = 0;
	host_start();
	return 0;
}

static void refused(const struct builtin_config *config)
{
	lines_logged = 0;
	assert_int_equal(host_start_with(config), -EINVAL);
	assert_int_equal(lines_logged, 1);
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad4[] = { "0.0.0.0",       "127.0.0.1",
					    "224.0.0.1",     "255.255.255.255",
					    "10.77.255.255", "10.77.0.0" };
	static const char *const bad6[] = { "ff02::1", "::1" };
	struct builtin_config config;

	(void)state;
	for (size_t i = 0; i < sizeof(bad4) / sizeof(*bad4); i++) {
		config = host_config();
		memcpy(&config.ipv4, ip4(bad4[i]), 4);
		refused(&config);
	}
	for (size_t i = 0; i < sizeof(bad6) / sizeof(*bad6); i++) {
		config = host_config();
		memcpy(&config.ipv6, ip6(bad6[i]), 16);
		refused(&config);
	}
	config = host_config();
	config.mac[0] |= 1;
	refused(&config);
	memset(config.mac, 0, 6);
	refused(&config);
}

static void bad_numbers_are_refused(void **state)
{
	struct builtin_config config = host_config();

	(void)state;
	config.mtu = BUILTIN_MTU_MIN - 1;
	refused(&config);
	config.mtu = BUILTIN_MTU_MAX + 1;
	refused(&config);
	config = host_config();
	config.ipv4_prefix = 33;
	refused(&config);
	config = host_config();
	config.ipv6_prefix = 129;
	refused(&config);
	config.ipv6_prefix = UINT32_MAX;
	refused(&config);
}

static void any_prefix_works(void **state)
{
	struct builtin_config config = host_config();

	(void)state;
	for (unsigned int prefix = 0; prefix <= 32; prefix++) {
		config.ipv4_prefix = prefix;
		config.ipv6_prefix = 4 * prefix;
		/* 10.77.0.2 is a network's own address */
		if (prefix == 31 || prefix == 32 || prefix < 30) {
			assert_int_equal(host_start_with(&config), 0);
			host_pass(3 * SECOND_NS);
			host_forget();
			make_ping4(8, 56);
			host_give_frame();
			assert_answered4(56);
			make_ping6(128, 56);
			host_give_frame();
			assert_answered6(56);
		}
	}
	/* everything is on link, or nothing is */
	config.ipv4_prefix = 0;
	assert_int_equal(host_start_with(&config), 0);
	host_ping(1, OFFLINK_IP, 56, 1000);
	assert_int_equal(host.results, 0);
	config.ipv4_prefix = 32;
	assert_int_equal(host_start_with(&config), 0);
	host_ping(1, PEER_IP, 56, 1000);
	assert_int_equal(host.result[0].status, PING_UNREACHABLE);
}

/* The given address may be the link-local one. */
static void given_link_local(void **state)
{
	struct builtin_config config = host_config();

	(void)state;
	memcpy(&config.ipv6, ip6(GUEST_LL), 16);
	assert_int_equal(host_start_with(&config), 0);
	host_pass(SECOND_NS);
	assert_int_equal(host.sent, 2);
	host_pass(SECOND_NS);
	host_forget();
	make_ping6_to(guest_mac, PEER_LL, GUEST_LL, 128, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
}

static void starts_anew(void **state)
{
	(void)state;
	host_ping(1, PEER_IP, 56, 1000);
	host_start_fresh();
	host_pass(10 * SECOND_NS);
	assert_int_equal(host.results, 0);
	host_forget();
	make_ping4(8, 56);
	host_give_frame();
	assert_answered4(56);
}

/* Out of range is brought into it. */
static void mtu_is_kept_in_range(void **state)
{
	(void)state;
	builtin_set_mtu(host.guest, 0);
	make_ping4(8, 56);
	host_give_frame();
	assert_int_equal(host_drops(), 0);
	/* 48 + 16 bytes of ICMP */
	assert_int_equal(host.sent, 2);
	assert_int_equal(host.sent_bytes[0], 14 + 68);
	assert_int_equal(host.sent_bytes[1], 14 + 20 + 16);
	host_forget();
	builtin_set_mtu(host.guest, UINT32_MAX);
	make_ping4(8, BUILTIN_MTU_MAX + 1 - 28);
	host_give_frame();
	assert_int_equal(host.sent, 2);
	assert_int_equal(host.sent_bytes[0], 14 + 20 + 65496);
}

/* Two seeds: other delays, other identifiers. */
static void seed_makes_a_difference(void **state)
{
	struct builtin_config config = host_config();
	uint64_t first_ns;

	(void)state;
	assert_int_equal(host_start_with(&config), 0);
	first_ns = builtin_deadline_ns(host.guest);
	assert_in_range(first_ns - host.now_ns, 0, SECOND_NS);
	config.seed++;
	assert_int_equal(host_start_with(&config), 0);
	assert_true(builtin_deadline_ns(host.guest) != first_ns);
}

/* Ticks that come early, late or not at all do no harm. */
static void time_may_jump(void **state)
{
	(void)state;
	host_ping(1, PEER_IP, 56, UINT32_MAX);
	builtin_tick(host.guest, 0);
	assert_int_equal(host.results, 0);
	host.now_ns = 0;
	make_ping4(8, 56);
	builtin_receive(host.guest, frame.at, frame.bytes);
	builtin_tick(host.guest, UINT64_MAX);
	builtin_tick(host.guest, UINT64_MAX);
	builtin_tick(host.guest, UINT64_MAX);
	builtin_tick(host.guest, UINT64_MAX);
	assert_int_equal(host.results, 1);
}

/* Frames of noise, each counted once or of use; never more. */
static void noise_is_counted(void **state)
{
	uint32_t seed = 1;
	uint64_t drops;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		if (i % 2)
			make_ping4(8, i % 200);
		else
			make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0,
				GUEST_IP6, 1);
		for (unsigned int n = i % 7; n > 0; n--) {
			seed = seed * 1664525 + 1013904223;
			frame.at[(seed >> 8) % frame.bytes] =
				(uint8_t)(seed >> 24);
		}
		drops = host_drops();
		host_give(frame.at,
			  seed % 3 ? frame.bytes : seed / 4 % frame.bytes);
		assert_in_range(host_drops(), drops, drops + 1);
	}
	assert_int_equal(host.counters[STAT_RX_FRAMES], 20000);
	assert_int_equal(lines_logged, 0);
	host_forget();
	make_ping4(8, 56);
	host_give_frame();
	assert_answered4(56);
}

/* Frames of every length, with nothing in them. */
static void every_length(void **state)
{
	static const uint8_t zeros[BUILTIN_FRAME_BYTES];

	(void)state;
	for (size_t bytes = 0; bytes <= 2000; bytes++)
		host_give(zeros, bytes);
	host_give(zeros, sizeof(zeros));
	assert_int_equal(host_drops(), 2002);
	assert_int_equal(host.sent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bad_addresses_are_refused, setup),
		cmocka_unit_test_setup(bad_numbers_are_refused, setup),
		cmocka_unit_test_setup(any_prefix_works, setup),
		cmocka_unit_test_setup(given_link_local, setup),
		cmocka_unit_test_setup(starts_anew, setup),
		cmocka_unit_test_setup(mtu_is_kept_in_range, setup),
		cmocka_unit_test_setup(seed_makes_a_difference, setup),
		cmocka_unit_test_setup(time_may_jump, setup),
		cmocka_unit_test_setup(noise_is_counted, setup),
		cmocka_unit_test_setup(every_length, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
