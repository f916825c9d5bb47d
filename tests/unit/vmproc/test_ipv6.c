/* SPDX-License-Identifier: ISC */
/* The builtin guest's IPv6 and ICMPv6 echo, as seen from its wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/vmproc/host.h"

static int setup(void **state)
{
	(void)state;
	host_start();
	return 0;
}

static void answers_any_payload_size(void **state)
{
	(void)state;
	for (size_t payload = 0; payload <= 1452; payload++) {
		make_ping6(128, payload);
		host_give_frame();
		assert_answered6(payload);
	}
	builtin_set_mtu(host.guest, 9000);
	make_ping6(128, 9000 - 48);
	host_give_frame();
	assert_answered6(9000 - 48);
}

static void answers_at_its_link_local_address(void **state)
{
	(void)state;
	make_ping6_to(guest_mac, PEER_LL, GUEST_LL, 128, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
	assert_memory_equal(host.sent_frame[0] + 22, ip6(GUEST_LL), 16);
	assert_memory_equal(host.sent_frame[0] + 38, ip6(PEER_LL), 16);
	assert_int_equal(host.sent_frame[0][54], 129);
}

static void padding_is_not_in_the_checksum(void **state)
{
	(void)state;
	make_ping6(128, 5);
	memset(put(100), 0xdd, 100);
	host_give_frame();
	assert_answered6(5);
}

static void header_fields_are_checked(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int counter;
	} cases[] = {
		{ 14, 0x40, STAT_RX_DROP_MALFORMED }, /* version */
		{ 14, 0x70, STAT_RX_DROP_MALFORMED },
		{ 19, 65, STAT_RX_DROP_MALFORMED }, /* payload over frame */
		{ 18, 0xff, STAT_RX_DROP_MALFORMED },
		{ 19, 63, STAT_RX_DROP_CHECKSUM }, /* one byte less */
		{ 19, 0, STAT_RX_DROP_SHORT },
		{ 20, 6, STAT_RX_DROP_PROTOCOL },
		{ 20, 17, STAT_RX_DROP_PROTOCOL },
		{ 20, 59, STAT_RX_DROP_PROTOCOL }, /* no next header */
		{ 20, 43, STAT_RX_DROP_PROTOCOL }, /* routing header */
		{ 20, 51, STAT_RX_DROP_PROTOCOL }, /* authentication */
		{ 20, 1, STAT_RX_DROP_PROTOCOL }, /* ICMP in IPv6 */
		{ 22, 0xff, STAT_RX_DROP_MALFORMED }, /* from a group */
		{ 37, 2, STAT_RX_DROP_MALFORMED }, /* from ourselves */
		{ 53, 3, STAT_RX_DROP_FOREIGN }, /* to another */
		{ 5, 9, STAT_RX_DROP_FOREIGN }, /* to another MAC */
		{ 0, 0x33, STAT_RX_DROP_FOREIGN }, /* to a group's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_ping6(128, 56);
		frame.at[cases[i].at] = cases[i].value;
		give_and_assert_dropped(cases[i].counter);
	}
	make_ping6_to(guest_mac, "::1", GUEST_IP6, 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping6_to(guest_mac, "::", GUEST_IP6, 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

static void every_flipped_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t at = 18; at < 54 + 8 + 33; at++)
		for (int bit = 0; bit < 8; bit++) {
			if (at == 21) /* the hop limit is in no checksum */
				continue;
			make_ping6(128, 33);
			frame.at[at] ^= (uint8_t)(1 << bit);
			host_give_frame();
			assert_int_equal(host.sent, 0);
			assert_int_equal(host_drops(), 1);
			host_forget();
		}
}

static void every_cut_is_counted(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < 118; bytes++) {
		make_ping6(128, 56);
		host_give(frame.at, bytes);
		assert_dropped(bytes < 54 ? STAT_RX_DROP_SHORT
					  : STAT_RX_DROP_MALFORMED);
	}
}

/* Checksum and all right, but too short for what its type says. */
static void short_messages_are_counted(void **state)
{
	static const uint8_t types[] = { 128, 129, 130, 135, 136 };
	uint8_t *icmp;

	(void)state;
	for (size_t bytes = 1; bytes < 24; bytes++)
		for (size_t i = 0; i < sizeof(types); i++) {
			if (bytes >= 8 && types[i] < 130)
				continue;
			put_eth(guest_mac, peer_mac, 0x86dd);
			put_ip6(PEER_IP6, GUEST_IP6, 58, 255, bytes);
			icmp = put(bytes);
			icmp[0] = types[i];
			if (bytes >= 4)
				fix_icmp6(icmp);
			give_and_assert_dropped(STAT_RX_DROP_SHORT);
		}
	/* and for options that it announces */
	put_eth(guest_mac, peer_mac, 0x86dd);
	put_ip6(PEER_IP6, GUEST_IP6, 0, 64, 1);
	put(1);
	give_and_assert_dropped(STAT_RX_DROP_SHORT);
}

static void only_echo_requests_are_answered(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		if (type == 128)
			continue;
		make_ping6(type, 56);
		host_give_frame();
		assert_int_equal(host_drops(), 1);
		assert_int_equal(host.sent, 0);
		host_forget();
	}
	/* router advertisement, others' listener reports: not of use */
	make_ping6_to(group_mac("ff02::1"), PEER_LL, "ff02::1", 134, 8);
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_ping6_to(group_mac("ff02::1:ff00:2"), PEER_LL, "ff02::1:ff00:2",
		      131, 16);
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_ping6_to(group_mac("ff02::16"), PEER_LL, "ff02::16", 143, 20);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void never_answers_a_group(void **state)
{
	(void)state;
	make_ping6_to(group_mac("ff02::1"), PEER_LL, "ff02::1", 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_ping6_to(guest_mac, PEER_LL, "ff02::1", 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_ping6_to(group_mac("ff02::1:ff00:2"), PEER_LL, "ff02::1:ff00:2",
		      128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_ping6_to(all_mac, PEER_IP6, GUEST_IP6, 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void never_answers_for_others(void **state)
{
	(void)state;
	make_ping6_to(guest_mac, PEER_IP6, OTHER_IP6, 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_ping6_to(other_mac, PEER_IP6, GUEST_IP6, 128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void tentative_addresses_are_silent(void **state)
{
	(void)state;
	host_start_fresh();
	make_ping6(128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	host_pass(2 * SECOND_NS);
	host_forget();
	make_ping6(128, 56);
	host_give_frame();
	assert_answered6(56);
}

/* An echo request behind extension headers, of which first is the first. */
static void make_ping6_behind(unsigned int first, const uint8_t *headers,
			      size_t bytes)
{
	uint8_t *icmp;

	put_eth(guest_mac, peer_mac, 0x86dd);
	put_ip6(PEER_IP6, GUEST_IP6, first, 61, bytes + 64);
	put_bytes(headers, bytes);
	icmp = put_echo(128, 0xbeef, 1, 56);
	fix_icmp6(icmp);
}

static void options_are_passed_over(void **state)
{
	static const uint8_t hop[8] = { 58, 0, 5, 2, 0, 0, 1, 0 };
	static const uint8_t both[24] = { 60, 0,  1, 4, 0, 0, 0,
					  0,  58, 1, 0, 0, 1, 10 };
	static const uint8_t unknown[8] = { 58, 0, 0x1e, 4, 1, 2, 3, 4 };

	(void)state;
	make_ping6_behind(0, hop, sizeof(hop));
	host_give_frame();
	assert_answered6(56);
	make_ping6_behind(0, both, sizeof(both));
	host_give_frame();
	assert_answered6(56);
	make_ping6_behind(60, unknown, sizeof(unknown));
	host_give_frame();
	assert_answered6(56);
}

static void bad_options_are_not(void **state)
{
	/* an option that asks to be refused when it isn't known */
	static const uint8_t refuse[8] = { 58, 0, 0x5e, 4 };
	static const uint8_t over[8] = { 58, 0, 1, 5 };
	static const uint8_t cut[8] = { 58, 0, 1, 3, 0, 0, 0, 1 };
	static const uint8_t huge[8] = { 58, 9, 1, 4 };
	/* hop-by-hop, but not first */
	static const uint8_t late[16] = { 0, 0, 1, 4, [8] = 58, [10] = 1, 4 };
	/* more headers than anybody means */
	uint8_t many[72];

	(void)state;
	make_ping6_behind(60, refuse, sizeof(refuse));
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_ping6_behind(60, over, sizeof(over));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping6_behind(0, cut, sizeof(cut));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping6_behind(0, huge, sizeof(huge));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping6_behind(60, late, sizeof(late));
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	for (size_t i = 0; i < sizeof(many); i += 8)
		memcpy(many + i, (const uint8_t[8]){ 60, 0, 1, 4 }, 8);
	many[64] = 58;
	make_ping6_behind(60, many, sizeof(many));
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
}

/* RFC 8200 §5: under 1280 bytes there is no IPv6; above it begins anew. */
static void small_mtu_has_no_ipv6(void **state)
{
	(void)state;
	builtin_set_mtu(host.guest, 1279);
	make_ping6(128, 56);
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_ping4(8, 56);
	host_give_frame();
	assert_answered4(56);
	host_ping(1, PEER_IP6, 56, 1000);
	assert_int_equal(host.results, 1);
	assert_int_equal(host.result[0].status, PING_UNREACHABLE);
	host_forget();

	builtin_set_mtu(host.guest, 1280);
	make_ping6(128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	host_pass(2 * SECOND_NS);
	host_forget();
	make_ping6(128, 56);
	host_give_frame();
	assert_answered6(56);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_any_payload_size, setup),
		cmocka_unit_test_setup(answers_at_its_link_local_address,
				       setup),
		cmocka_unit_test_setup(padding_is_not_in_the_checksum, setup),
		cmocka_unit_test_setup(header_fields_are_checked, setup),
		cmocka_unit_test_setup(every_flipped_bit_is_noticed, setup),
		cmocka_unit_test_setup(every_cut_is_counted, setup),
		cmocka_unit_test_setup(short_messages_are_counted, setup),
		cmocka_unit_test_setup(only_echo_requests_are_answered, setup),
		cmocka_unit_test_setup(never_answers_a_group, setup),
		cmocka_unit_test_setup(never_answers_for_others, setup),
		cmocka_unit_test_setup(tentative_addresses_are_silent, setup),
		cmocka_unit_test_setup(options_are_passed_over, setup),
		cmocka_unit_test_setup(bad_options_are_not, setup),
		cmocka_unit_test_setup(small_mtu_has_no_ipv6, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
