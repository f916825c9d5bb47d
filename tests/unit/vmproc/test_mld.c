/* SPDX-License-Identifier: ISC */
/* The builtin guest's listener reports, and its answers to queries, as seen
 * from its wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ipc/log.h"
#include "tests/unit/vmproc/host.h"

#define GROUP     "ff02::1:ff00:2" /* of GUEST_IP6 */
#define LL_GROUP  "ff02::1:ff00:1" /* of GUEST_LL */
#define MINUTE_NS (60 * SECOND_NS)
/* Within this, the addresses of a fresh guest are in use. */
#define START_NS (3 * SECOND_NS)

static void quiet(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

/* A guest that has sent no report for a while. */
static int setup(void **state)
{
	(void)state;
	log_set(quiet, NULL, LOG_LEVEL_ERROR);
	host_start();
	host_pass(MINUTE_NS);
	return 0;
}

static void assert_reported(const char *source)
{
	assert_int_equal(host_drops(), 0);
	assert_int_equal(host.sent, 2);
	assert_int_equal(check_report(0, source, LL_GROUP), 0);
	assert_int_equal(check_report(1, source, GROUP), 0);
	host_forget();
}

static void assert_quiet_for(uint64_t time_ns)
{
	host_pass(time_ns);
	assert_int_equal(host_drops(), 0);
	assert_int_equal(host.sent, 0);
	assert_true(builtin_deadline_ns(host.guest) == UINT64_MAX);
}

static void give_query(unsigned int delay_ms)
{
	make_query(PEER_LL, delay_ms);
	host_give_frame();
}

/* Reports come from :: until the link-local address is in use (RFC 3590 §4);
 * what else is sent meanwhile is test_ndp's. */
static void joins_a_group_per_address(void **state)
{
	unsigned int from_nowhere = 0, from_link_local = 0;

	(void)state;
	host_start_fresh();
	host_pass(START_NS);
	for (size_t i = 0; i < host.sent; i++) {
		const char *group;

		if (host.sent_frame[i][20] == 58) /* it asks for duplicates */
			continue;
		group = host.sent_frame[i][53] == 1 ? LL_GROUP : GROUP;
		if (check_report(i, "::", group) == 0) {
			assert_int_equal(from_link_local, 0);
			from_nowhere++;
		} else {
			assert_int_equal(check_report(i, GUEST_LL, group), 0);
			from_link_local++;
		}
	}
	/* both, before each of two questions, and once again */
	assert_int_equal(from_nowhere, 4);
	assert_int_equal(from_link_local, 2);
}

static void answers_a_general_query(void **state)
{
	(void)state;
	give_query(0);
	assert_int_equal(host.sent, 0); /* only when it ticks */
	host_pass(0);
	assert_reported(GUEST_LL);
	assert_quiet_for(10 * MINUTE_NS);
}

/* To the group that it asks for (RFC 2710 §3.6). */
static void answers_a_query_for_its_group(void **state)
{
	uint8_t *icmp;

	(void)state;
	icmp = make_query(PEER_LL, 0);
	memcpy(frame.at, group_mac(GROUP), 6);
	memcpy(frame.at + 38, ip6(GROUP), 16);
	memcpy(icmp + 8, ip6(GROUP), 16);
	fix_icmp6(icmp);
	host_give_frame();
	host_pass(0);
	assert_reported(GUEST_LL);
	/* another's */
	host_pass(MINUTE_NS);
	memcpy(frame.at, group_mac("ff02::1:ff00:3"), 6);
	memcpy(frame.at + 38, ip6("ff02::1:ff00:3"), 16);
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	assert_quiet_for(MINUTE_NS);
}

/* RFC 3810 §8.2.1: a longer query means the same to one of version 1. */
static void answers_a_query_of_version_2(void **state)
{
	uint8_t *icmp;

	(void)state;
	icmp = make_query(PEER_LL, 1000);
	put(4);
	put16(frame.at + 18, 8 + 28);
	fix_icmp6(icmp);
	host_give_frame();
	host_pass(SECOND_NS);
	assert_reported(GUEST_LL);
}

/* At a random moment, but within the delay that the query allows. */
static void answers_within_the_delay(void **state)
{
	static const unsigned int delays_ms[] = { 1, 10, 1000, 10000, 65535 };
	unsigned int late = 0;

	(void)state;
	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < sizeof(delays_ms) / sizeof(*delays_ms);
		     i++) {
			uint64_t delay_ns = delays_ms[i] * MS_NS;

			give_query(delays_ms[i]);
			assert_true(builtin_deadline_ns(host.guest) <=
				    host.now_ns + delay_ns);
			host_pass(delay_ns / 2);
			late += host.sent == 0;
			host_pass(delay_ns - delay_ns / 2);
			assert_reported(GUEST_LL);
			host_pass(MINUTE_NS);
		}
	/* half of 250: the odds against this are many billions to one */
	assert_in_range(late, 70, 180);
}

static void the_shortest_delay_counts(void **state)
{
	(void)state;
	give_query(65535);
	give_query(10);
	give_query(65535);
	host_pass(10 * MS_NS);
	assert_reported(GUEST_LL);
	assert_quiet_for(MINUTE_NS + 66 * SECOND_NS);
}

static void answers_once_a_minute_at_most(void **state)
{
	(void)state;
	give_query(0);
	host_pass(0);
	assert_reported(GUEST_LL);
	for (int i = 0; i < 1000; i++) {
		give_query(0);
		assert_quiet_for(MINUTE_NS / 1000 - 1);
	}
	host_pass(1000);
	give_query(0);
	host_pass(0);
	assert_reported(GUEST_LL);
	/* what it said at its start counts as well */
	host_start();
	give_query(0);
	assert_quiet_for(MINUTE_NS);
}

/* Reports that it sends unasked answer what was asked before. */
static void unasked_reports_are_an_answer(void **state)
{
	struct builtin_config config = host_config();
	size_t reports = 0;

	(void)state;
	assert_int_equal(host_start_with(&config), 0);
	give_query(65535);
	host_pass(START_NS);
	for (size_t i = 0; i < host.sent; i++)
		reports += host.sent_frame[i][20] == 0;
	assert_int_equal(reports, 6);
	host_forget();
	assert_quiet_for(2 * MINUTE_NS);
}

static void queries_are_checked(void **state)
{
	uint8_t *icmp;

	(void)state;
	for (unsigned int hop_limit = 0; hop_limit < 256; hop_limit++) {
		if (hop_limit == 1)
			continue;
		make_query(PEER_LL, 0);
		frame.at[21] = (uint8_t)hop_limit;
		give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	}
	make_query(PEER_IP6, 0);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_query("::", 0);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_query("fec0::1", 0);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_query(GUEST_LL, 0);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	icmp = make_query(PEER_LL, 0);
	icmp[1] = 1; /* code */
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	icmp = make_query(PEER_LL, 0);
	icmp[8] ^= 1;
	give_and_assert_dropped(STAT_RX_DROP_CHECKSUM);
	for (unsigned int bytes = 4; bytes < 24; bytes++) {
		icmp = make_query(PEER_LL, 0);
		frame.bytes -= 24 - bytes;
		put16(frame.at + 18, 8 + bytes);
		fix_icmp6(icmp);
		give_and_assert_dropped(STAT_RX_DROP_SHORT);
	}
	assert_quiet_for(MINUTE_NS);
	/* from the last of fe80::/10 */
	make_query("febf::1", 0);
	host_give_frame();
	host_pass(0);
	assert_reported(GUEST_LL);
}

static void fragmented_queries_are_refused(void **state)
{
	uint8_t *icmp;

	(void)state;
	put_eth(group_mac("ff02::1"), peer_mac, 0x86dd);
	put_ip6(PEER_LL, "ff02::1", 44, 1, 8 + 24);
	put(8)[0] = 58; /* an atomic fragment */
	icmp = put(24);
	icmp[0] = 130;
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	assert_quiet_for(MINUTE_NS);
}

/* RFC 8200 §5 */
static void silent_below_1280(void **state)
{
	(void)state;
	builtin_set_mtu(host.guest, 1279);
	make_query(PEER_LL, 0);
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	assert_quiet_for(MINUTE_NS);
	/* one that was asked for before is forgotten */
	builtin_set_mtu(host.guest, 1280);
	host_pass(START_NS + MINUTE_NS);
	host_forget();
	give_query(1000);
	builtin_set_mtu(host.guest, 1279);
	assert_quiet_for(MINUTE_NS);
	/* and back, each address begins anew, from :: */
	builtin_set_mtu(host.guest, 1500);
	host_pass(0);
	assert_int_equal(host.sent, 0);
	host_pass(SECOND_NS);
	assert_int_equal(host.sent, 6);
	assert_int_equal(check_report(0, "::", LL_GROUP), 0);
}

static void silent_for_duplicates(void **state)
{
	(void)state;
	host_start_fresh();
	make_nd(group_mac("ff02::1"), GUEST_IP6, "ff02::1", 136, 0, GUEST_IP6,
		2);
	host_give_frame();
	host_pass(START_NS + MINUTE_NS);
	host_forget();
	give_query(0);
	host_pass(0);
	assert_int_equal(host.sent, 1);
	assert_int_equal(check_report(0, GUEST_LL, LL_GROUP), 0);
	/* the link-local one: then there is none to report from */
	host_start_fresh();
	make_nd(group_mac("ff02::1"), GUEST_LL, "ff02::1", 136, 0, GUEST_LL, 2);
	host_give_frame();
	host_pass(START_NS + MINUTE_NS);
	host_forget();
	give_query(0);
	host_pass(0);
	assert_int_equal(host.sent, 1);
	assert_int_equal(check_report(0, "::", GROUP), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(joins_a_group_per_address, setup),
		cmocka_unit_test_setup(answers_a_general_query, setup),
		cmocka_unit_test_setup(answers_a_query_for_its_group, setup),
		cmocka_unit_test_setup(answers_a_query_of_version_2, setup),
		cmocka_unit_test_setup(answers_within_the_delay, setup),
		cmocka_unit_test_setup(the_shortest_delay_counts, setup),
		cmocka_unit_test_setup(answers_once_a_minute_at_most, setup),
		cmocka_unit_test_setup(unasked_reports_are_an_answer, setup),
		cmocka_unit_test_setup(queries_are_checked, setup),
		cmocka_unit_test_setup(fragmented_queries_are_refused, setup),
		cmocka_unit_test_setup(silent_below_1280, setup),
		cmocka_unit_test_setup(silent_for_duplicates, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	host_forget();
	return failed;
}
