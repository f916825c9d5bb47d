/* SPDX-License-Identifier: ISC */
/* The builtin guest's own pings, as seen from its wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ipc/log.h"
#include "tests/unit/vmproc/host.h"

#define SOLICITED 0x40000000

static void quiet(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

static int setup(void **state)
{
	(void)state;
	log_set(quiet, NULL, LOG_LEVEL_ERROR);
	host_start();
	return 0;
}

/* Exactly one result, this one. */
static void assert_result(uint32_t id, enum ping_status status)
{
	assert_int_equal(host.results, 1);
	assert_int_equal(host.result[0].id, id);
	assert_int_equal(host.result[0].status, status);
	host.results = 0;
}

static void assert_asked_who_has(size_t sent, const char *target)
{
	const uint8_t *at = host.sent_frame[sent];

	assert_true(host.sent > sent);
	assert_int_equal(host.sent_bytes[sent], 42);
	assert_memory_equal(at, all_mac, 6);
	assert_int_equal(get16(at + 12), 0x0806);
	assert_int_equal(get16(at + 20), 1);
	assert_memory_equal(at + 22, guest_mac, 6);
	assert_memory_equal(at + 28, ip4(GUEST_IP), 4);
	assert_memory_equal(at + 32, "\0\0\0\0\0\0", 6);
	assert_memory_equal(at + 38, ip4(target), 4);
}

static void give_advertisement(const char *target)
{
	make_nd(guest_mac, target, GUEST_IP6, 136, SOLICITED, target, 2);
	host_give_frame();
}

/* Puts the peer into the neighbour cache. */
static void meet_peer(void)
{
	host_ping(0, PEER_IP, 0, 1000);
	give_arp_reply(PEER_IP);
	host_ping(0, PEER_IP6, 0, 1000);
	give_advertisement(PEER_IP6);
	host_pass(2 * SECOND_NS);
	host_forget();
}

static void pings_a_neighbour(void **state)
{
	const uint8_t *at;

	(void)state;
	host_ping(77, PEER_IP, 56, 1000);
	assert_int_equal(host.sent, 1);
	assert_asked_who_has(0, PEER_IP);
	assert_int_equal(host.results, 0);
	host_pass(100 * MS_NS);
	give_arp_reply(PEER_IP);
	assert_int_equal(host.sent, 2);
	at = host.sent_frame[1];
	assert_int_equal(host.sent_bytes[1], 98);
	assert_memory_equal(at, peer_mac, 6);
	assert_memory_equal(at + 6, guest_mac, 6);
	assert_int_equal(at[22], 64);
	assert_memory_equal(at + 26, ip4(GUEST_IP), 4);
	assert_memory_equal(at + 30, ip4(PEER_IP), 4);
	assert_int_equal(sum16(0, at + 14, 20), 0xffff);
	assert_int_equal(sum16(0, at + 34, 64), 0xffff);
	assert_int_equal(at[34], 8);
	assert_int_equal(at[35], 0);
	assert_int_equal(get16(at + 40), 7);

	host_pass(3 * MS_NS);
	make_reply4(1);
	host_give_frame();
	assert_int_equal(host_drops(), 0);
	assert_true(host.result[0].rtt_ns == 3 * MS_NS);
	assert_int_equal(host.result[0].ttl, 64);
	assert_int_equal(host.result[0].payload_bytes, 56);
	assert_result(77, PING_REPLY);
	/* the same once more is nobody's */
	host_forget();
	host_give_frame();
	assert_int_equal(host.results, 0);
	assert_dropped(STAT_RX_DROP_PROTOCOL);
	host_pass(10 * SECOND_NS);
	assert_int_equal(host.results, 0);
}

static void pings_an_ipv6_neighbour(void **state)
{
	const uint8_t *at;

	(void)state;
	host_ping(78, PEER_IP6, 56, 1000);
	assert_int_equal(host.sent, 1);
	at = host.sent_frame[0];
	assert_memory_equal(at, group_mac("ff02::1:ff00:1"), 6);
	assert_memory_equal(at + 22, ip6(GUEST_IP6), 16);
	assert_memory_equal(at + 38, ip6("ff02::1:ff00:1"), 16);
	assert_int_equal(at[54], 135);
	assert_memory_equal(at + 62, ip6(PEER_IP6), 16);
	assert_int_equal(at[78], 1);
	assert_memory_equal(at + 80, guest_mac, 6);
	assert_int_equal(icmp6_sum(at + 22, at + 54, 32), 0xffff);
	give_advertisement(PEER_IP6);
	assert_int_equal(host.sent, 2);
	at = host.sent_frame[1];
	assert_int_equal(host.sent_bytes[1], 118);
	assert_memory_equal(at, peer_mac, 6);
	assert_int_equal(at[54], 128);
	assert_int_equal(icmp6_sum(at + 22, at + 54, 64), 0xffff);
	make_reply6(1);
	frame.at[21] = 63;
	host_pass(MS_NS);
	host_give_frame();
	assert_true(host.result[0].rtt_ns == MS_NS);
	assert_int_equal(host.result[0].ttl, 63);
	assert_result(78, PING_REPLY);
	assert_int_equal(host_drops(), 0);
}

/* The source address is one from which the target is on link. */
static void link_local_from_link_local(void **state)
{
	(void)state;
	host_ping(1, PEER_LL, 8, 1000);
	make_nd(guest_mac, PEER_LL, GUEST_LL, 136, SOLICITED, PEER_LL, 2);
	host_give_frame();
	assert_int_equal(host.sent, 2);
	assert_memory_equal(host.sent_frame[0] + 22, ip6(GUEST_LL), 16);
	assert_memory_equal(host.sent_frame[1] + 22, ip6(GUEST_LL), 16);
	make_reply6(1);
	host_give_frame();
	assert_result(1, PING_REPLY);
}

static void any_payload_size(void **state)
{
	(void)state;
	meet_peer();
	for (size_t payload = 0; payload <= 1472; payload++) {
		host_ping(1, PEER_IP, payload, 1000);
		make_reply4(0);
		host_give_frame();
		assert_int_equal(host.result[0].payload_bytes, payload);
		assert_result(1, PING_REPLY);
		host_forget();
	}
}

/* Gives what was sent, in fragments, back as a reply in fragments. */
static void echo_fragments4(void)
{
	static uint8_t message[65535];
	size_t bytes = 0, sent = host.sent;

	for (size_t i = 0; i < sent; i++) {
		assert_in_range(host.sent_bytes[i], 35, 1514);
		assert_int_equal(
			(size_t)(get16(host.sent_frame[i] + 20) & 0x1fff) * 8,
			bytes);
		memcpy(message + bytes, host.sent_frame[i] + 34,
		       host.sent_bytes[i] - 34);
		bytes += host.sent_bytes[i] - 34;
	}
	assert_int_equal(sum16(0, message, bytes), 0xffff);
	message[0] = 0;
	put16(message + 2, 0);
	put16(message + 2, (uint16_t)~sum16(0, message, bytes));
	for (size_t at = 0; at < bytes; at += 1480) {
		size_t rest = bytes - at;
		uint8_t *ip;

		put_eth(guest_mac, peer_mac, 0x0800);
		ip = put_ip4(PEER_IP, GUEST_IP, 1, rest < 1480 ? rest : 1480);
		put16(ip + 6,
		      (unsigned int)(at / 8) | (rest > 1480 ? 0x2000 : 0));
		fix_ip4();
		put_bytes(message + at, rest < 1480 ? rest : 1480);
		host_give_frame();
	}
}

static void larger_than_the_mtu(void **state)
{
	static const size_t payloads[] = { 1473, 3000, 20000, 65000 };

	(void)state;
	meet_peer();
	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		host_ping(9, PEER_IP, payloads[i], 1000);
		assert_int_equal(host.sent, (payloads[i] + 8 + 1479) / 1480);
		echo_fragments4();
		assert_int_equal(host.result[0].payload_bytes, payloads[i]);
		assert_result(9, PING_REPLY);
		assert_int_equal(host_drops(), 0);
		host_forget();
	}
	/* over the longest, there is no such ping */
	host_ping(9, PEER_IP, PING_PAYLOAD_MAX + 1, 1000);
	assert_result(9, PING_UNREACHABLE);
}

static void other_replies_are_not_taken(void **state)
{
	static const struct {
		size_t at;
		int counter;
	} cases[] = {
		{ 39, STAT_RX_DROP_PROTOCOL }, /* identifier */
		{ 41, STAT_RX_DROP_PROTOCOL }, /* sequence */
		{ 29, STAT_RX_DROP_PROTOCOL }, /* source */
		{ 42, STAT_RX_DROP_MALFORMED }, /* payload */
		{ 97, STAT_RX_DROP_MALFORMED },
	};

	(void)state;
	meet_peer();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		host_forget();
		host_ping(5, PEER_IP, 56, 1000);
		make_reply4(0);
		frame.at[cases[i].at] ^= 0x10;
		fix_ip4();
		put16(frame.at + 36, 0);
		put16(frame.at + 36, (uint16_t)~sum16(0, frame.at + 34, 64));
		host_give_frame();
		assert_int_equal(host.results, 0);
		assert_int_equal(host.counters[cases[i].counter], 1);
		assert_int_equal(host_drops(), 1);
		/* a byte less */
		make_reply4(0);
		put16(frame.at + 16, 83);
		frame.bytes--;
		fix_ip4();
		put16(frame.at + 36, 0);
		put16(frame.at + 36, (uint16_t)~sum16(0, frame.at + 34, 63));
		host_give_frame();
		assert_int_equal(host.results, 0);
		/* and the right one is */
		make_reply4(0);
		host_give_frame();
		assert_result(5, PING_REPLY);
	}
}

static void absent_target_is_unreachable(void **state)
{
	(void)state;
	host_ping(1, OTHER_IP, 56, 10000);
	host_pass(3 * SECOND_NS - 1);
	assert_int_equal(host.results, 0);
	assert_int_equal(host.sent, 3);
	for (size_t i = 0; i < 3; i++)
		assert_asked_who_has(i, OTHER_IP);
	host_pass(1);
	assert_result(1, PING_UNREACHABLE);
	assert_int_equal(host.counters[STAT_TX_DROP_UNRESOLVED], 1);
	host_pass(60 * SECOND_NS);
	assert_int_equal(host.sent, 3);
	assert_int_equal(host.results, 0);
	host_forget();

	host_ping(2, OTHER_IP6, 56, 10000);
	host_pass(3 * SECOND_NS);
	assert_int_equal(host.sent, 3);
	assert_result(2, PING_UNREACHABLE);
	assert_int_equal(host.counters[STAT_TX_DROP_UNRESOLVED], 1);
}

static void absent_target_with_less_time_times_out(void **state)
{
	(void)state;
	host_ping(1, OTHER_IP, 56, 1500);
	host_pass(1500 * MS_NS - 1);
	assert_int_equal(host.results, 0);
	host_pass(1);
	assert_result(1, PING_TIMEOUT);
	assert_int_equal(host.counters[STAT_TX_DROP_UNRESOLVED], 1);
	host_pass(60 * SECOND_NS);
	assert_int_equal(host.results, 0);
}

/* While nobody answers for one, all others are answered and reached. */
static void absent_target_blocks_nothing(void **state)
{
	(void)state;
	meet_peer();
	host_ping(1, OTHER_IP, 56, 10000);
	host_forget();
	for (int i = 0; i < 100; i++) {
		make_ping4(8, 56);
		host_give_frame();
		assert_answered4(56);
		host_ping(2, PEER_IP, 56, 100);
		make_reply4(0);
		host_give_frame();
		assert_result(2, PING_REPLY);
		host_forget();
		host_pass(MS_NS);
	}
	host_pass(10 * SECOND_NS);
	assert_result(1, PING_UNREACHABLE);
}

static void silence_times_out(void **state)
{
	(void)state;
	meet_peer();
	host_ping(3, PEER_IP, 56, 250);
	assert_int_equal(host.sent, 1);
	make_reply4(0);
	host_pass(250 * MS_NS - 1);
	assert_int_equal(host.results, 0);
	host_pass(1);
	assert_result(3, PING_TIMEOUT);
	assert_int_equal(host.counters[STAT_TX_DROP_UNRESOLVED], 0);
	/* too late */
	host_give_frame();
	assert_int_equal(host.results, 0);
	assert_int_equal(host.counters[STAT_RX_DROP_PROTOCOL], 1);
	/* no time at all */
	host_ping(4, PEER_IP, 56, 0);
	host_pass(0);
	assert_result(4, PING_TIMEOUT);
}

static void unreachable_at_once(void **state)
{
	static const char *const targets[] = {
		OFFLINK_IP,        "10.77.255.255", "10.77.0.0", "224.0.0.1",
		"255.255.255.255", "0.0.0.0",       "127.0.0.1", "fd00:99::1",
		"2001:db8::1",     "ff02::1",       "::",        "::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		host_ping(6, targets[i], 56, 1000);
		assert_result(6, PING_UNREACHABLE);
		assert_int_equal(host.sent, 0);
	}
}

static void own_address_answers(void **state)
{
	static const char *const targets[] = { GUEST_IP, GUEST_IP6, GUEST_LL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		host_ping(6, targets[i], 56, 1000);
		assert_int_equal(host.result[0].payload_bytes, 56);
		assert_int_equal(host.result[0].ttl, 64);
		assert_result(6, PING_REPLY);
		assert_int_equal(host.sent, 0);
	}
}

static void unknown_family(void **state)
{
	struct msg_ping request = { .id = 3, .family = 1, .timeout_ms = 1000 };

	(void)state;
	builtin_ping(host.guest, &request, host.now_ns);
	assert_result(3, PING_UNREACHABLE);
}

static void sixteen_at_once(void **state)
{
	bool seen[16] = { false };

	(void)state;
	for (uint32_t id = 0; id < 16; id++)
		host_ping(id, PEER_IP, 32 + id, 1000);
	assert_int_equal(host.results, 0);
	/* one question for all of them */
	assert_int_equal(host.sent, 1);
	host_ping(16, PEER_IP, 56, 1000);
	assert_result(16, PING_BUSY);
	give_arp_reply(PEER_IP);
	assert_int_equal(host.sent, 17);
	/* answered in another order */
	for (size_t i = 16; i >= 1; i--) {
		make_reply4(i);
		host_give_frame();
	}
	assert_int_equal(host.results, 16);
	for (size_t i = 0; i < 16; i++) {
		assert_int_equal(host.result[i].status, PING_REPLY);
		assert_int_equal(host.result[i].payload_bytes,
				 32 + host.result[i].id);
		assert_false(seen[host.result[i].id]);
		seen[host.result[i].id] = true;
	}
	/* there is room again */
	host_forget();
	host_ping(17, PEER_IP, 56, 1000);
	assert_int_equal(host.results, 0);
}

static void sixteen_absent_targets(void **state)
{
	char target[16];

	(void)state;
	for (uint32_t id = 0; id < 16; id++) {
		memcpy(target, "10.77.9.1", 10);
		target[8] = (char)('1' + id % 8);
		target[6] = (char)('1' + id / 8);
		host_ping(id, target, 56, 20000);
	}
	assert_int_equal(host.sent, 16);
	host_pass(3 * SECOND_NS);
	assert_int_equal(host.results, 16);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(host.result[i].status, PING_UNREACHABLE);
	assert_int_equal(host.counters[STAT_TX_DROP_UNRESOLVED], 16);
}

/* Targets without end and with no time: what nobody waits for any more makes
 * room for what somebody does. */
static void absent_targets_in_a_row(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		struct msg_ping request = { .family = AF_INET,
					    .timeout_ms = 1 };

		memcpy(&request.target.ipv4, ip4("10.77.100.0"), 4);
		put16((uint8_t *)&request.target.ipv4 + 2, 0x6401 + i);
		builtin_ping(host.guest, &request, host.now_ns);
		host_pass(MS_NS);
		assert_result(0, PING_TIMEOUT);
	}
	host_forget();
	host_ping(1, PEER_IP, 56, 1000);
	assert_asked_who_has(0, PEER_IP);
	give_arp_reply(PEER_IP);
	assert_int_equal(host.sent, 2);
}

static void waits_for_its_own_address(void **state)
{
	(void)state;
	host_start_fresh();
	host_ping(1, PEER_IP6, 56, 5000);
	host_ping(2, GUEST_IP6, 56, 5000);
	host_ping(3, PEER_IP6, 56, 10);
	host_pass(10 * MS_NS);
	assert_result(3, PING_TIMEOUT);
	assert_int_equal(host.results, 0);
	host_pass(2 * SECOND_NS - 10 * MS_NS);
	assert_result(2, PING_REPLY);
	host.results = 0;
	host_forget();
	host_pass(SECOND_NS);
	assert_true(host.sent > 0);
	give_advertisement(PEER_IP6);
	make_reply6(host.sent - 1);
	host_give_frame();
	assert_result(1, PING_REPLY);
}

static void does_not_wait_for_a_duplicate(void **state)
{
	(void)state;
	host_start_fresh();
	host_ping(1, PEER_IP6, 56, 5000);
	host_pass(SECOND_NS / 2);
	make_nd(group_mac("ff02::1"), PEER_IP6, "ff02::1", 136, 0, GUEST_IP6,
		2);
	host_give_frame();
	assert_result(1, PING_UNREACHABLE);
	host_ping(2, PEER_IP6, 56, 5000);
	assert_result(2, PING_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pings_a_neighbour, setup),
		cmocka_unit_test_setup(pings_an_ipv6_neighbour, setup),
		cmocka_unit_test_setup(link_local_from_link_local, setup),
		cmocka_unit_test_setup(any_payload_size, setup),
		cmocka_unit_test_setup(larger_than_the_mtu, setup),
		cmocka_unit_test_setup(other_replies_are_not_taken, setup),
		cmocka_unit_test_setup(absent_target_is_unreachable, setup),
		cmocka_unit_test_setup(absent_target_with_less_time_times_out,
				       setup),
		cmocka_unit_test_setup(absent_target_blocks_nothing, setup),
		cmocka_unit_test_setup(silence_times_out, setup),
		cmocka_unit_test_setup(unreachable_at_once, setup),
		cmocka_unit_test_setup(own_address_answers, setup),
		cmocka_unit_test_setup(unknown_family, setup),
		cmocka_unit_test_setup(sixteen_at_once, setup),
		cmocka_unit_test_setup(sixteen_absent_targets, setup),
		cmocka_unit_test_setup(absent_targets_in_a_row, setup),
		cmocka_unit_test_setup(waits_for_its_own_address, setup),
		cmocka_unit_test_setup(does_not_wait_for_a_duplicate, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
