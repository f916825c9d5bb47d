/* SPDX-License-Identifier: ISC */
/* The builtin guest's ARP, as seen from its wire. */
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

static void make_request(const char *sender, const char *target)
{
	put_eth(all_mac, peer_mac, 0x0806);
	put_arp(1, peer_mac, sender, target);
}

static void assert_replied(const char *to)
{
	const uint8_t *at = host.sent_frame[0];

	assert_int_equal(host_drops(), 0);
	assert_int_equal(host.sent, 1);
	assert_int_equal(host.sent_bytes[0], 42);
	assert_memory_equal(at, peer_mac, 6);
	assert_memory_equal(at + 6, guest_mac, 6);
	assert_int_equal(get16(at + 12), 0x0806);
	assert_int_equal(get16(at + 14), 1);
	assert_int_equal(get16(at + 16), 0x0800);
	assert_int_equal(get16(at + 18), 0x0604);
	assert_int_equal(get16(at + 20), 2);
	assert_memory_equal(at + 22, guest_mac, 6);
	assert_memory_equal(at + 28, ip4(GUEST_IP), 4);
	assert_memory_equal(at + 32, peer_mac, 6);
	assert_memory_equal(at + 38, ip4(to), 4);
	host_forget();
}

static void answers_for_its_own_address(void **state)
{
	(void)state;
	make_request(PEER_IP, GUEST_IP);
	host_give_frame();
	assert_replied(PEER_IP);
	/* unicast, as a neighbour that verifies its cache asks */
	memcpy(frame.at, guest_mac, 6);
	host_give_frame();
	assert_replied(PEER_IP);
}

/* Ethernet pads ARP to 60 bytes: the padding is no part of it. */
static void padded_is_the_same(void **state)
{
	(void)state;
	make_request(PEER_IP, GUEST_IP);
	memset(put(18), 0xee, 18);
	assert_int_equal(frame.bytes, 60);
	host_give_frame();
	assert_replied(PEER_IP);
}

static void answers_a_probe(void **state)
{
	(void)state;
	make_request("0.0.0.0", GUEST_IP);
	host_give_frame();
	assert_replied("0.0.0.0");
	make_request("0.0.0.0", OTHER_IP);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void silent_for_other_addresses(void **state)
{
	(void)state;
	make_request(PEER_IP, OTHER_IP);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_request(PEER_IP, "10.77.255.255");
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_request(PEER_IP, "0.0.0.0");
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void silent_on_gratuitous(void **state)
{
	(void)state;
	make_request(PEER_IP, PEER_IP);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	/* as a reply to all */
	put_eth(all_mac, peer_mac, 0x0806);
	put_arp(2, peer_mac, PEER_IP, PEER_IP);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	/* somebody claims our own */
	make_request(GUEST_IP, GUEST_IP);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

static void silent_on_replies(void **state)
{
	(void)state;
	put_eth(guest_mac, peer_mac, 0x0806);
	put_arp(2, peer_mac, PEER_IP, GUEST_IP);
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	put_eth(guest_mac, peer_mac, 0x0806);
	put_arp(2, peer_mac, "0.0.0.0", GUEST_IP);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

static void fields_are_checked(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int counter;
	} cases[] = {
		{ 14 + 1, 6, STAT_RX_DROP_MALFORMED }, /* hardware */
		{ 14 + 2, 0x86, STAT_RX_DROP_MALFORMED }, /* protocol */
		{ 14 + 4, 8, STAT_RX_DROP_MALFORMED }, /* MAC length */
		{ 14 + 5, 16, STAT_RX_DROP_MALFORMED }, /* address length */
		{ 14 + 7, 0, STAT_RX_DROP_PROTOCOL }, /* operation */
		{ 14 + 7, 3, STAT_RX_DROP_PROTOCOL }, /* RARP */
		{ 14 + 8, 1, STAT_RX_DROP_MALFORMED }, /* sender a group */
		{ 14 + 14, 127, STAT_RX_DROP_MALFORMED }, /* loopback */
		{ 14 + 14, 224, STAT_RX_DROP_MALFORMED }, /* multicast */
		{ 0, 2, STAT_RX_DROP_FOREIGN }, /* 02:ff:ff:ff:ff:ff */
		{ 0, 1, STAT_RX_DROP_FOREIGN }, /* a group we're not in */
		{ 6, 1, STAT_RX_DROP_MALFORMED }, /* from a group */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_request(PEER_IP, GUEST_IP);
		frame.at[cases[i].at] = cases[i].value;
		give_and_assert_dropped(cases[i].counter);
	}
	/* from our own MAC, and from the subnet's broadcast address */
	put_eth(all_mac, peer_mac, 0x0806);
	put_arp(1, guest_mac, PEER_IP, GUEST_IP);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	put_eth(all_mac, guest_mac, 0x0806);
	put_arp(1, peer_mac, PEER_IP, GUEST_IP);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_request("10.77.255.255", GUEST_IP);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

static void every_cut_is_short(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < 42; bytes++) {
		make_request(PEER_IP, GUEST_IP);
		host_give(frame.at, bytes);
		assert_dropped(STAT_RX_DROP_SHORT);
	}
}

static void vlan_and_unknown_types_are_counted(void **state)
{
	static const unsigned int types[] = { 0,      38,     0x0600, 0x8100,
					      0x88a8, 0x88cc, 0x8035, 0xffff };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		put_eth(i % 2 ? all_mac : guest_mac, peer_mac, types[i]);
		put_arp(1, peer_mac, PEER_IP, GUEST_IP);
		give_and_assert_dropped(STAT_RX_DROP_ETHERTYPE);
		/* and the next frame is understood as ever */
		make_request(PEER_IP, GUEST_IP);
		host_give_frame();
		assert_replied(PEER_IP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_for_its_own_address, setup),
		cmocka_unit_test_setup(padded_is_the_same, setup),
		cmocka_unit_test_setup(answers_a_probe, setup),
		cmocka_unit_test_setup(silent_for_other_addresses, setup),
		cmocka_unit_test_setup(silent_on_gratuitous, setup),
		cmocka_unit_test_setup(silent_on_replies, setup),
		cmocka_unit_test_setup(fields_are_checked, setup),
		cmocka_unit_test_setup(every_cut_is_short, setup),
		cmocka_unit_test_setup(vlan_and_unknown_types_are_counted,
				       setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
