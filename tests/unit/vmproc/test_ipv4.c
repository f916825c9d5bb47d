/* SPDX-License-Identifier: ISC */
/* The builtin guest's IPv4 and ICMP echo, as seen from its wire. */
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
	for (size_t payload = 0; payload <= 1472; payload++) {
		make_ping4(8, payload);
		host_give_frame();
		assert_answered4(payload);
	}
}

static void answers_jumbo(void **state)
{
	(void)state;
	builtin_set_mtu(host.guest, 9000);
	make_ping4(8, 9000 - 28);
	host_give_frame();
	assert_answered4(9000 - 28);
	builtin_set_mtu(host.guest, UINT32_MAX);
	make_ping4(8, BUILTIN_MTU_MAX - 28);
	host_give_frame();
	assert_answered4(BUILTIN_MTU_MAX - 28);
}

/* A reply that is all zero has the checksum 0xffff: 0 would not verify. */
static void answers_with_an_all_zero_payload(void **state)
{
	uint8_t *echo;

	(void)state;
	put_eth(guest_mac, peer_mac, 0x0800);
	put_ip4(PEER_IP, GUEST_IP, 1, 64);
	echo = put(64);
	echo[0] = 8;
	put16(echo + 2, (uint16_t)~sum16(0, echo, 64));
	host_give_frame();
	assert_int_equal(host.sent, 1);
	assert_int_equal(get16(host.sent_frame[0] + 36), 0xffff);
}

static void keeps_the_type_of_service(void **state)
{
	(void)state;
	make_ping4(8, 56);
	frame.at[15] = 0xb8;
	fix_ip4();
	host_give_frame();
	assert_int_equal(host.sent, 1);
	assert_int_equal(host.sent_frame[0][15], 0xb8);
	assert_answered4(56);
}

/* Small frames are padded to 60 bytes, and none of that is looked at. */
static void padding_is_not_in_the_checksum(void **state)
{
	(void)state;
	for (size_t payload = 0; payload < 18; payload++) {
		size_t padding = 60 - (14 + 20 + 8 + payload);

		make_ping4(8, payload);
		memset(put(padding), 0xdd, padding);
		host_give_frame();
		assert_answered4(payload);
	}
	/* however long */
	make_ping4(8, 3);
	memset(put(1000), 0xdd, 1000);
	host_give_frame();
	assert_answered4(3);
}

static void header_fields_are_checked(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int counter;
	} cases[] = {
		{ 14, 0x55, STAT_RX_DROP_MALFORMED }, /* version */
		{ 14, 0x65, STAT_RX_DROP_MALFORMED },
		{ 14, 0x44, STAT_RX_DROP_MALFORMED }, /* header length */
		{ 14, 0x40, STAT_RX_DROP_MALFORMED },
		{ 17, 19, STAT_RX_DROP_MALFORMED }, /* total under header */
		{ 17, 0, STAT_RX_DROP_MALFORMED },
		{ 17, 85, STAT_RX_DROP_MALFORMED }, /* total over frame */
		{ 16, 0xff, STAT_RX_DROP_MALFORMED },
		{ 23, 2, STAT_RX_DROP_PROTOCOL }, /* IGMP */
		{ 23, 6, STAT_RX_DROP_PROTOCOL },
		{ 23, 17, STAT_RX_DROP_PROTOCOL },
		{ 23, 58, STAT_RX_DROP_PROTOCOL }, /* ICMPv6 in IPv4 */
		{ 33, 3, STAT_RX_DROP_FOREIGN }, /* destination */
		{ 33, 255, STAT_RX_DROP_FOREIGN },
		{ 26, 0, STAT_RX_DROP_MALFORMED }, /* source */
		{ 26, 127, STAT_RX_DROP_MALFORMED },
		{ 26, 224, STAT_RX_DROP_MALFORMED },
		{ 26, 255, STAT_RX_DROP_MALFORMED },
		{ 29, 2, STAT_RX_DROP_MALFORMED }, /* from ourselves */
		{ 5, 9, STAT_RX_DROP_FOREIGN }, /* another MAC */
		{ 0, 3, STAT_RX_DROP_FOREIGN }, /* a group's MAC */
		{ 11, 1, STAT_RX_DROP_MALFORMED }, /* from our own MAC */
		{ 6, 3, STAT_RX_DROP_MALFORMED }, /* from a group's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_ping4(8, 56);
		frame.at[cases[i].at] = cases[i].value;
		fix_ip4();
		give_and_assert_dropped(cases[i].counter);
	}
	make_ping4(8, 56);
	memcpy(frame.at + 26, ip4("10.77.255.255"), 4);
	fix_ip4();
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping4(8, 56);
	memcpy(frame.at + 26, ip4("0.0.0.0"), 4);
	fix_ip4();
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

/* A flipped bit, wherever it is, is never answered. */
static void every_flipped_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t at = 14; at < 14 + 20 + 8 + 33; at++)
		for (int bit = 0; bit < 8; bit++) {
			make_ping4(8, 33);
			frame.at[at] ^= (uint8_t)(1 << bit);
			host_give_frame();
			assert_int_equal(host.sent, 0);
			assert_int_equal(host_drops(), 1);
			host_forget();
		}
}

static void checksums_are_counted(void **state)
{
	(void)state;
	make_ping4(8, 56);
	frame.at[24] ^= 1;
	give_and_assert_dropped(STAT_RX_DROP_CHECKSUM);
	make_ping4(8, 56);
	frame.at[36] ^= 1;
	give_and_assert_dropped(STAT_RX_DROP_CHECKSUM);
	make_ping4(8, 57);
	frame.at[frame.bytes - 1] ^= 0x80;
	give_and_assert_dropped(STAT_RX_DROP_CHECKSUM);
}

static void only_echo_requests_are_answered(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		if (type == 8)
			continue;
		make_ping4(type, 56);
		give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	}
	/* with a code, it is no echo request */
	make_ping4(8, 56);
	frame.at[35] = 1;
	put16(frame.at + 36, 0);
	put16(frame.at + 36, (uint16_t)~sum16(0, frame.at + 34, 64));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

static void never_answers_broadcast(void **state)
{
	static const char *const destinations[] = {
		"255.255.255.255", "10.77.255.255", "10.77.0.0",
		"224.0.0.1",       "0.0.0.0",       GUEST_IP,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(destinations) / sizeof(*destinations);
	     i++) {
		put_eth(all_mac, peer_mac, 0x0800);
		put_ip4(PEER_IP, destinations[i], 1, 64);
		put_echo(8, 1, 1, 56);
		give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
		if (memcmp(ip4(destinations[i]), ip4(GUEST_IP), 4) == 0)
			continue;
		memcpy(frame.at, guest_mac, 6);
		give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	}
}

static void never_answers_for_others(void **state)
{
	(void)state;
	put_eth(guest_mac, peer_mac, 0x0800);
	put_ip4(PEER_IP, OTHER_IP, 1, 64);
	put_echo(8, 1, 1, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	put_eth(other_mac, peer_mac, 0x0800);
	put_ip4(PEER_IP, GUEST_IP, 1, 64);
	put_echo(8, 1, 1, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

/* A query of the bridge, as IGMP has it. */
static void igmp_is_counted(void **state)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 };

	(void)state;
	put_eth(group, peer_mac, 0x0800);
	put_ip4(PEER_IP, "224.0.0.1", 2, 8);
	put16(put(8), 0x1164);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void every_cut_is_counted(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < 34; bytes++) {
		make_ping4(8, 56);
		host_give(frame.at, bytes);
		assert_dropped(STAT_RX_DROP_SHORT);
	}
	for (size_t bytes = 34; bytes < 98; bytes++) {
		make_ping4(8, 56);
		host_give(frame.at, bytes);
		assert_dropped(STAT_RX_DROP_MALFORMED);
	}
	/* no room for the eight bytes of ICMP */
	for (size_t icmp = 0; icmp < 8; icmp++) {
		put_eth(guest_mac, peer_mac, 0x0800);
		put_ip4(PEER_IP, GUEST_IP, 1, icmp);
		put(60);
		give_and_assert_dropped(STAT_RX_DROP_SHORT);
	}
}

/* An echo request behind options of a header of 20 + bytes. */
static void make_ping4_options(const uint8_t *options, size_t bytes)
{
	uint8_t *at;

	put_eth(guest_mac, peer_mac, 0x0800);
	at = put_ip4(PEER_IP, GUEST_IP, 1, bytes + 64);
	at[0] = (uint8_t)(0x45 + bytes / 4);
	put_bytes(options, bytes);
	fix_ip4();
	put_echo(8, 0xbeef, 1, 56);
}

static void options_are_passed_over(void **state)
{
	static const uint8_t record_route[12] = { 7, 11, 4 };
	static const uint8_t nops[40] = { 1, 1, 1, 148, 4, 0, 0, 1, 0, 9 };

	(void)state;
	make_ping4_options(record_route, sizeof(record_route));
	host_give_frame();
	assert_answered4(56);
	make_ping4_options(nops, sizeof(nops));
	host_give_frame();
	assert_answered4(56);
}

static void bad_options_are_not(void **state)
{
	static const uint8_t loose[8] = { 131, 7, 4, 10, 0, 0, 1 };
	static const uint8_t strict[8] = { 1, 137, 7, 4, 10, 0, 0, 1 };
	static const uint8_t none[4] = { 7, 0 }, one[4] = { 7, 1 };
	static const uint8_t over[4] = { 7, 5 }, cut[4] = { 1, 1, 1, 7 };

	(void)state;
	make_ping4_options(loose, sizeof(loose));
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_ping4_options(strict, sizeof(strict));
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_ping4_options(none, sizeof(none));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping4_options(one, sizeof(one));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping4_options(over, sizeof(over));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_ping4_options(cut, sizeof(cut));
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	/* a header that goes on past the frame */
	make_ping4(8, 0);
	frame.at[14] = 0x4f;
	put16(frame.at + 16, 60);
	give_and_assert_dropped(STAT_RX_DROP_SHORT);
}

/* The answer goes where the question came from, with no look at the cache. */
static void off_link_is_answered_to_the_sender(void **state)
{
	(void)state;
	put_eth(guest_mac, peer_mac, 0x0800);
	put_ip4(OFFLINK_IP, GUEST_IP, 1, 64);
	put_echo(8, 0xbeef, 1, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
	assert_memory_equal(host.sent_frame[0], peer_mac, 6);
	assert_memory_equal(host.sent_frame[0] + 30, ip4(OFFLINK_IP), 4);
}

/* With 31 or 32 bits of prefix, no address is a broadcast (RFC 3021). */
static void prefix_31_has_no_broadcast(void **state)
{
	struct builtin_config config = host_config();

	(void)state;
	config.ipv4_prefix = 31;
	assert_int_equal(host_start_with(&config), 0);
	put_eth(guest_mac, peer_mac, 0x0800);
	put_ip4(OTHER_IP, GUEST_IP, 1, 64);
	put_echo(8, 0xbeef, 1, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_any_payload_size, setup),
		cmocka_unit_test_setup(answers_jumbo, setup),
		cmocka_unit_test_setup(answers_with_an_all_zero_payload, setup),
		cmocka_unit_test_setup(keeps_the_type_of_service, setup),
		cmocka_unit_test_setup(padding_is_not_in_the_checksum, setup),
		cmocka_unit_test_setup(header_fields_are_checked, setup),
		cmocka_unit_test_setup(every_flipped_bit_is_noticed, setup),
		cmocka_unit_test_setup(checksums_are_counted, setup),
		cmocka_unit_test_setup(only_echo_requests_are_answered, setup),
		cmocka_unit_test_setup(never_answers_broadcast, setup),
		cmocka_unit_test_setup(never_answers_for_others, setup),
		cmocka_unit_test_setup(igmp_is_counted, setup),
		cmocka_unit_test_setup(every_cut_is_counted, setup),
		cmocka_unit_test_setup(options_are_passed_over, setup),
		cmocka_unit_test_setup(bad_options_are_not, setup),
		cmocka_unit_test_setup(off_link_is_answered_to_the_sender,
				       setup),
		cmocka_unit_test_setup(prefix_31_has_no_broadcast, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
