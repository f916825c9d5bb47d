/* SPDX-License-Identifier: ISC */
/* The builtin guest's neighbour cache, as seen from its wire: a ping to one it
 * holds goes out at once, one to another begins with a question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/vmproc/host.h"

#define SOLICITED 0x40000000
#define OVERRIDE  0x20000000

static int setup(void **state)
{
	(void)state;
	host_start();
	return 0;
}

/* An ARP packet, sender MAC and Ethernet source alike. */
static void give_arp(const uint8_t *to, const uint8_t *from,
		     unsigned int operation, const char *sender,
		     const char *target)
{
	put_eth(to, from, 0x0806);
	put_arp(operation, from, sender, target);
	host_give_frame();
}

/* Where a ping to an address goes first: to this MAC, or NULL: nowhere, the
 * cache doesn't know. The ping ends without an answer. */
static const uint8_t *first_hop(const char *target)
{
	static uint8_t mac[6];
	size_t echo = strchr(target, ':') ? 54 : 34;
	const uint8_t *at;

	host_forget();
	host_ping(1, target, 8, 1);
	assert_int_equal(host.sent, 1);
	at = host.sent_frame[0];
	memcpy(mac, at, 6);
	host_pass(MS_NS);
	if (get16(at + 12) == 0x0806 || at[echo] == 135)
		return NULL;
	return mac;
}

static void assert_known(const char *target, const uint8_t *mac)
{
	const uint8_t *hop = first_hop(target);

	assert_non_null(hop);
	assert_memory_equal(hop, mac, 6);
}

static void assert_unknown(const char *target)
{
	assert_null(first_hop(target));
	/* let the question end */
	host_pass(4 * SECOND_NS);
	host_forget();
}

static void resolve(const char *target, const uint8_t *mac)
{
	assert_null(first_hop(target));
	give_arp(guest_mac, mac, 2, target, GUEST_IP);
	host_forget();
}

static void unasked_replies_make_no_entry(void **state)
{
	(void)state;
	give_arp(guest_mac, peer_mac, 2, PEER_IP, GUEST_IP);
	give_arp(all_mac, peer_mac, 2, PEER_IP, PEER_IP);
	give_arp(all_mac, peer_mac, 1, PEER_IP, PEER_IP);
	assert_unknown(PEER_IP);
	make_nd(guest_mac, PEER_IP6, GUEST_IP6, 136, SOLICITED | OVERRIDE,
		PEER_IP6, 2);
	host_give_frame();
	make_nd(group_mac("ff02::1"), PEER_IP6, "ff02::1", 136, OVERRIDE,
		PEER_IP6, 2);
	host_give_frame();
	assert_unknown(PEER_IP6);
}

static void requests_to_us_make_one(void **state)
{
	(void)state;
	give_arp(all_mac, peer_mac, 1, PEER_IP, GUEST_IP);
	assert_known(PEER_IP, peer_mac);
	make_nd(guest_mac, PEER_IP6, GUEST_IP6, 135, 0, GUEST_IP6, 1);
	host_give_frame();
	assert_known(PEER_IP6, peer_mac);
}

static void requests_to_others_make_none(void **state)
{
	(void)state;
	give_arp(all_mac, peer_mac, 1, PEER_IP, OTHER_IP);
	assert_unknown(PEER_IP);
}

static void probes_make_none(void **state)
{
	(void)state;
	give_arp(all_mac, peer_mac, 1, "0.0.0.0", GUEST_IP);
	assert_int_equal(host.sent, 1);
	host_ping(1, "0.0.0.0", 8, 1000);
	assert_int_equal(host.result[0].status, PING_UNREACHABLE);
}

/* Nobody's word is taken for another MAC: the next ping asks. */
static void claims_are_not_believed(void **state)
{
	(void)state;
	resolve(PEER_IP, peer_mac);
	assert_known(PEER_IP, peer_mac);
	/* the same again changes nothing */
	give_arp(all_mac, peer_mac, 2, PEER_IP, PEER_IP);
	assert_known(PEER_IP, peer_mac);
	give_arp(guest_mac, other_mac, 2, PEER_IP, GUEST_IP);
	resolve(PEER_IP, peer_mac);
	assert_known(PEER_IP, peer_mac);
	give_arp(all_mac, other_mac, 1, PEER_IP, PEER_IP);
	resolve(PEER_IP, peer_mac);
	give_arp(all_mac, other_mac, 1, PEER_IP, GUEST_IP);
	resolve(PEER_IP, peer_mac);
	assert_known(PEER_IP, peer_mac);
}

/* Only an answer to us ends a question. */
static void gratuitous_answers_no_question(void **state)
{
	(void)state;
	assert_null(first_hop(PEER_IP));
	give_arp(all_mac, other_mac, 2, PEER_IP, PEER_IP);
	give_arp(all_mac, other_mac, 1, PEER_IP, PEER_IP);
	give_arp(all_mac, other_mac, 2, PEER_IP, GUEST_IP);
	assert_null(first_hop(OTHER_IP));
	host_forget();
	give_arp(guest_mac, peer_mac, 2, PEER_IP, GUEST_IP);
	assert_int_equal(host_drops(), 0);
	assert_known(PEER_IP, peer_mac);
}

static void flood_of_replies(void **state)
{
	uint8_t mac[6] = { 2, 9, 9, 9, 0, 0 };

	(void)state;
	resolve(PEER_IP, peer_mac);
	for (unsigned int i = 0; i < 20000; i++) {
		put16(mac + 4, i);
		put_eth(guest_mac, mac, 0x0806);
		put_arp(2, mac, "10.77.0.0", GUEST_IP);
		put16(frame.at + 30, 0x0100 + i % 60000);
		host_give_frame();
	}
	assert_int_equal(host.counters[STAT_RX_DROP_PROTOCOL], 20000);
	assert_int_equal(host.sent, 0);
	assert_true(builtin_deadline_ns(host.guest) > host.now_ns);
	assert_known(PEER_IP, peer_mac);
	assert_unknown("10.77.1.0");
}

/* Each is answered; the ones we use ourselves stay. */
static void flood_of_requests(void **state)
{
	uint8_t mac[6] = { 2, 9, 9, 9, 0, 0 };

	(void)state;
	resolve(PEER_IP, peer_mac);
	for (unsigned int i = 0; i < 20000; i++) {
		host.now_ns++;
		put16(mac + 4, i);
		put_eth(all_mac, mac, 0x0806);
		put_arp(1, mac, "10.77.0.0", GUEST_IP);
		put16(frame.at + 30, 0x0100 + i);
		host_give_frame();
	}
	assert_int_equal(host.sent_ever >= 20000, 1);
	assert_int_equal(host_drops(), 0);
	assert_known(PEER_IP, peer_mac);
	/* the last ones are there, the first ones gave way */
	put16(mac + 4, 19999);
	assert_known("10.77.79.31", mac);
	assert_unknown("10.77.1.0");
	/* and there is room for those we ask for */
	resolve(OTHER_IP, other_mac);
	assert_known(OTHER_IP, other_mac);
	assert_known(PEER_IP, peer_mac);
}

static void flood_of_solicitations(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t *icmp = make_nd(guest_mac, PEER_IP6, GUEST_IP6, 135, 0,
					GUEST_IP6, 1);

		put16(frame.at + 36, 0x0100 + i);
		fix_icmp6(icmp);
		host_give_frame();
	}
	assert_int_equal(host_drops(), 0);
	host_forget();
	make_ping6(128, 56);
	host_give_frame();
	assert_answered6(56);
	assert_unknown(OTHER_IP6);
}

/* RFC 4861 §7.3: known for 15 to 45 s; then used once more, and verified. */
static void entries_age(void **state)
{
	const uint8_t *at;

	(void)state;
	resolve(PEER_IP, peer_mac);
	host_pass(15 * SECOND_NS - MS_NS);
	assert_known(PEER_IP, peer_mac);
	assert_true(builtin_deadline_ns(host.guest) > host.now_ns + SECOND_NS);
	host_pass(10 * SECOND_NS);
	host_pass(25 * SECOND_NS);
	assert_known(PEER_IP, peer_mac);
	host_forget();
	/* five seconds for the ping to be answered, then three questions */
	host_pass(5 * SECOND_NS - 2 * MS_NS);
	assert_int_equal(host.sent, 0);
	host_pass(3 * SECOND_NS);
	assert_int_equal(host.sent, 3);
	for (size_t i = 0; i < 3; i++) {
		at = host.sent_frame[i];
		assert_memory_equal(at, peer_mac, 6);
		assert_int_equal(get16(at + 12), 0x0806);
		assert_memory_equal(at + 38, ip4(PEER_IP), 4);
	}
	host_pass(SECOND_NS);
	assert_unknown(PEER_IP);
}

static void ipv6_entries_age(void **state)
{
	(void)state;
	assert_null(first_hop(PEER_IP6));
	make_nd(guest_mac, PEER_IP6, GUEST_IP6, 136, SOLICITED, PEER_IP6, 2);
	host_give_frame();
	host_pass(50 * SECOND_NS);
	assert_known(PEER_IP6, peer_mac);
	host_forget();
	host_pass(5 * SECOND_NS);
	assert_int_equal(host.sent, 1);
	assert_memory_equal(host.sent_frame[0], peer_mac, 6);
	assert_memory_equal(host.sent_frame[0] + 38, ip6(PEER_IP6), 16);
	assert_int_equal(host.sent_frame[0][54], 135);
	make_nd(guest_mac, PEER_IP6, GUEST_IP6, 136, SOLICITED, PEER_IP6, 2);
	host_give_frame();
	assert_int_equal(host_drops(), 0);
	host_pass(10 * SECOND_NS);
	assert_int_equal(host.sent, 1);
	assert_known(PEER_IP6, peer_mac);
}

static void verified_entries_stay(void **state)
{
	(void)state;
	resolve(PEER_IP, peer_mac);
	host_pass(50 * SECOND_NS);
	assert_known(PEER_IP, peer_mac);
	host_pass(5 * SECOND_NS);
	host_forget();
	give_arp(guest_mac, peer_mac, 2, PEER_IP, GUEST_IP);
	assert_int_equal(host_drops(), 0);
	host_pass(10 * SECOND_NS);
	assert_int_equal(host.sent, 0);
	assert_known(PEER_IP, peer_mac);
}

/* A reply to a ping says as much as one to a question (RFC 4861 §7.3.1). */
static void pings_verify_entries(void **state)
{
	(void)state;
	resolve(PEER_IP, peer_mac);
	host_pass(50 * SECOND_NS);
	host_forget();
	host_ping(1, PEER_IP, 8, 1000);
	make_reply4(0);
	host_give_frame();
	assert_int_equal(host.results, 1);
	host_forget();
	host_pass(14 * SECOND_NS);
	assert_int_equal(host.sent, 0);
	assert_known(PEER_IP, peer_mac);
}

static void old_entries_go(void **state)
{
	(void)state;
	give_arp(all_mac, peer_mac, 1, PEER_IP, GUEST_IP);
	host_forget();
	host_pass(600 * SECOND_NS);
	assert_unknown(PEER_IP);
}

/* The one we wait for asks us: that is an answer too (RFC 826). */
static void request_ends_a_question(void **state)
{
	(void)state;
	host_ping(1, PEER_IP, 8, 1000);
	host_forget();
	give_arp(all_mac, peer_mac, 1, PEER_IP, GUEST_IP);
	assert_int_equal(host.sent, 2);
	assert_memory_equal(host.sent_frame[0], peer_mac, 6);
	assert_int_equal(get16(host.sent_frame[0] + 12), 0x0800);
}

/* Asks for count neighbours that aren't there, and gives up on each after
 * 100 ms: before the last question, while the cache still holds it. */
static void give_up_on(unsigned int count)
{
	char target[INET_ADDRSTRLEN];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(target, sizeof(target), "10.77.3.%u", i);
		host_ping(100 + i, target, 8, 100);
		if (i % 8 == 7)
			host_pass(101 * MS_NS);
	}
	host_forget();
}

static void questions_given_up_make_room(void **state)
{
	(void)state;
	give_up_on(64);
	resolve(PEER_IP, peer_mac);
	assert_known(PEER_IP, peer_mac);
}

/* Of two pings that wait for it, one gives up. */
static void questions_still_waited_for_stay(void **state)
{
	(void)state;
	host_ping(1, PEER_IP, 8, 100);
	host_ping(2, PEER_IP, 8, 5000);
	give_up_on(128);
	give_arp(guest_mac, peer_mac, 2, PEER_IP, GUEST_IP);
	assert_int_equal(host_drops(), 0);
	assert_int_equal(host.sent, 1);
	assert_memory_equal(host.sent_frame[0], peer_mac, 6);
	assert_int_equal(get16(host.sent_frame[0] + 12), 0x0800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unasked_replies_make_no_entry, setup),
		cmocka_unit_test_setup(requests_to_us_make_one, setup),
		cmocka_unit_test_setup(requests_to_others_make_none, setup),
		cmocka_unit_test_setup(probes_make_none, setup),
		cmocka_unit_test_setup(claims_are_not_believed, setup),
		cmocka_unit_test_setup(gratuitous_answers_no_question, setup),
		cmocka_unit_test_setup(questions_given_up_make_room, setup),
		cmocka_unit_test_setup(questions_still_waited_for_stay, setup),
		cmocka_unit_test_setup(flood_of_replies, setup),
		cmocka_unit_test_setup(flood_of_requests, setup),
		cmocka_unit_test_setup(flood_of_solicitations, setup),
		cmocka_unit_test_setup(entries_age, setup),
		cmocka_unit_test_setup(ipv6_entries_age, setup),
		cmocka_unit_test_setup(verified_entries_stay, setup),
		cmocka_unit_test_setup(pings_verify_entries, setup),
		cmocka_unit_test_setup(old_entries_go, setup),
		cmocka_unit_test_setup(request_ends_a_question, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
