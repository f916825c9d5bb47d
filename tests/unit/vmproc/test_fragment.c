/* SPDX-License-Identifier: ISC */
/* Reassembly and refragmentation, as seen from the builtin guest's wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/vmproc/host.h"

#define MESSAGE_MAX 65535

static uint8_t message[MESSAGE_MAX + 2048]; /* an ICMP echo, in one piece */
static size_t message_bytes;
static uint8_t answer[MESSAGE_MAX]; /* and what came back, put together */
static size_t answer_bytes;

static int setup(void **state)
{
	(void)state;
	host_start();
	return 0;
}

static void make_message(bool ipv4, size_t payload_bytes)
{
	frame.bytes = 0;
	if (ipv4) {
		make_ping4(8, 0);
		frame.bytes = 34;
		put_echo(8, 0xbeef, 1, payload_bytes);
		message_bytes = frame.bytes - 34;
		memcpy(message, frame.at + 34, message_bytes);
	} else {
		make_ping6(128, payload_bytes);
		message_bytes = frame.bytes - 54;
		memcpy(message, frame.at + 54, message_bytes);
	}
}

/* A piece of the message; more is the flag, not what is true. */
static void make_piece4(unsigned int id, size_t offset, size_t bytes, bool more)
{
	uint8_t *ip;

	put_eth(guest_mac, peer_mac, 0x0800);
	ip = put_ip4(PEER_IP, GUEST_IP, 1, bytes);
	put16(ip + 4, id);
	put16(ip + 6, (unsigned int)(offset / 8) | (more ? 0x2000 : 0));
	fix_ip4();
	put_bytes(message + offset, bytes);
}

static void make_piece6(uint32_t id, size_t offset, size_t bytes, bool more)
{
	uint8_t *header;

	put_eth(guest_mac, peer_mac, 0x86dd);
	put_ip6(PEER_IP6, GUEST_IP6, 44, 61, 8 + bytes);
	header = put(8);
	header[0] = 58;
	put16(header + 2, (unsigned int)offset | (more ? 1 : 0));
	put32(header + 4, id);
	put_bytes(message + offset, bytes);
}

static void give_piece(bool ipv4, unsigned int id, size_t offset, size_t bytes,
		       bool more)
{
	if (ipv4)
		make_piece4(id, offset, bytes, more);
	else
		make_piece6(id, offset, bytes, more);
	host_give_frame();
}

/* Gives all of the message in pieces of this size, in order or backwards. */
static void give_all(bool ipv4, unsigned int id, size_t size, bool backwards)
{
	size_t pieces = (message_bytes + size - 1) / size;

	for (size_t i = 0; i < pieces; i++) {
		size_t offset = (backwards ? pieces - 1 - i : i) * size;
		size_t rest = message_bytes - offset;

		give_piece(ipv4, id, offset, rest < size ? rest : size,
			   rest > size);
	}
}

/* Puts together what was sent; each frame must be right and within the MTU. */
static void collect(bool ipv4, size_t mtu)
{
	size_t headers = ipv4 ? 34 : host.sent > 1 ? 62 : 54;

	answer_bytes = 0;
	for (size_t i = 0; i < host.sent; i++) {
		const uint8_t *at = host.sent_frame[i];
		size_t bytes = host.sent_bytes[i] - headers;
		bool last = i + 1 == host.sent;
		size_t offset;

		assert_in_range(host.sent_bytes[i], headers + 1, 14 + mtu);
		assert_memory_equal(at, peer_mac, 6);
		if (ipv4) {
			assert_int_equal(sum16(0, at + 14, 20), 0xffff);
			assert_int_equal(get16(at + 16), 20 + bytes);
			assert_int_equal(!(get16(at + 20) & 0x2000), last);
			assert_int_equal(get16(at + 18),
					 get16(host.sent_frame[0] + 18));
			offset = (size_t)(get16(at + 20) & 0x1fff) * 8;
		} else {
			assert_int_equal(get16(at + 18), headers - 54 + bytes);
			offset = 0;
			if (headers == 62) {
				assert_int_equal(at[20], 44);
				assert_int_equal(at[54], 58);
				assert_int_equal(!(get16(at + 56) & 1), last);
				assert_memory_equal(at + 58,
						    host.sent_frame[0] + 58, 4);
				offset = get16(at + 56) & 0xfff8;
			}
		}
		assert_int_equal(offset, answer_bytes);
		memcpy(answer + offset, at + headers, bytes);
		answer_bytes += bytes;
	}
}

static void assert_answer(bool ipv4, size_t mtu)
{
	uint8_t addresses[32];

	assert_int_equal(host_drops(), 0);
	assert_true(host.sent > 0);
	collect(ipv4, mtu);
	assert_int_equal(answer_bytes, message_bytes);
	assert_int_equal(check_echo(answer, ipv4 ? 0 : 129, message_bytes - 8),
			 0);
	memcpy(addresses, ip6(GUEST_IP6), 16);
	memcpy(addresses + 16, ip6(PEER_IP6), 16);
	assert_int_equal(ipv4 ? sum16(0, answer, answer_bytes)
			      : icmp6_sum(addresses, answer, answer_bytes),
			 0xffff);
	host_forget();
}

static void answers_in_fragments(bool ipv4)
{
	static const size_t payloads[] = { 1500, 1473,  2952, 2953,
					   9000, 20000, 65000 };

	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++)
		for (unsigned int backwards = 0; backwards < 2; backwards++) {
			make_message(ipv4, payloads[i]);
			give_all(ipv4, (unsigned int)i, 1448, backwards);
			assert_answer(ipv4, 1500);
		}
}

static void answers_in_fragments4(void **state)
{
	(void)state;
	answers_in_fragments(true);
}

static void answers_in_fragments6(void **state)
{
	(void)state;
	answers_in_fragments(false);
}

/* The peer may have another MTU than ours. */
static void answers_by_its_own_mtu(void **state)
{
	static const size_t mtus[] = { 68, 69, 576, 1280, 1499, 9000 };

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(*mtus); i++) {
		builtin_set_mtu(host.guest, (uint32_t)mtus[i]);
		make_message(true, 2500);
		make_piece4(1, 0, message_bytes, false);
		host_give_frame();
		assert_answer(true, mtus[i]);
		give_all(true, 5, 800, false);
		assert_answer(true, mtus[i]);
	}
	for (size_t i = 3; i < sizeof(mtus) / sizeof(*mtus); i++) {
		builtin_set_mtu(host.guest, (uint32_t)mtus[i]);
		host_pass(3 * SECOND_NS);
		host_forget();
		make_ping6(128, 2500);
		message_bytes = 2508;
		memcpy(message, frame.at + 54, message_bytes);
		host_give_frame();
		assert_answer(false, mtus[i]);
		give_all(false, 5, 800, false);
		assert_answer(false, mtus[i]);
	}
}

/* The longest there can be: 65535 bytes with the header. */
static void answers_the_longest(void **state)
{
	(void)state;
	builtin_set_mtu(host.guest, 9000);
	make_message(true, 65535 - 28);
	give_all(true, 1, 8976, true);
	assert_answer(true, 9000);
	make_message(false, 65535 - 8);
	give_all(false, 1, 8944, true);
	assert_answer(false, 9000);
}

/* RFC 6946: a datagram in one fragment. */
static void answers_an_atomic_fragment(void **state)
{
	(void)state;
	make_message(false, 56);
	give_piece(false, 1, 0, message_bytes, false);
	assert_answer(false, 1500);
}

static void interleaved_datagrams(bool ipv4)
{
	make_message(ipv4, 1992);
	for (unsigned int id = 0; id < 4; id++)
		give_piece(ipv4, id, 0, 1000, true);
	for (unsigned int id = 0; id < 4; id++) {
		give_piece(ipv4, id, 1000, 1000, false);
		assert_answer(ipv4, 1500);
	}
}

static void interleaved(void **state)
{
	(void)state;
	interleaved_datagrams(true);
	interleaved_datagrams(false);
}

static void exact_duplicates_are_dropped_alone(void **state)
{
	(void)state;
	for (unsigned int ipv4 = 0; ipv4 < 2; ipv4++) {
		make_message(ipv4, 2992);
		give_piece(ipv4, 1, 0, 1000, true);
		give_piece(ipv4, 1, 0, 1000, true);
		assert_dropped(STAT_RX_DROP_FRAGMENT);
		give_piece(ipv4, 1, 2000, 1000, false);
		give_piece(ipv4, 1, 2000, 1000, false);
		assert_dropped(STAT_RX_DROP_FRAGMENT);
		give_piece(ipv4, 1, 1000, 1000, true);
		assert_answer(ipv4, 1500);
	}
}

/* RFC 5722: an overlap ends the datagram, with all that comes of it. */
static void overlaps(bool ipv4)
{
	static const struct {
		size_t offset, bytes;
		bool more;
	} cases[] = {
		{ 992, 1000, true }, /* into the end of the first */
		{ 8, 16, true }, /* within it */
		{ 0, 1008, true }, /* around it */
		{ 0, 8, true }, /* its beginning */
		{ 992, 8, true }, /* its end */
		{ 800, 8, false }, /* the end before what was there */
	};
	unsigned int id = 100;

	make_message(ipv4, 2992);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		id++;
		give_piece(ipv4, id, 0, 1000, true);
		assert_int_equal(host_drops(), 0);
		give_piece(ipv4, id, cases[i].offset, cases[i].bytes,
			   cases[i].more);
		assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
		assert_int_equal(host_drops(), 2);
		host_forget();
		give_piece(ipv4, id, 0, 1000, true);
		assert_dropped(STAT_RX_DROP_FRAGMENT);
		give_piece(ipv4, id, 1000, 1000, true);
		give_piece(ipv4, id, 2000, 1000, false);
		assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
		assert_int_equal(host.sent, 0);
		host_forget();
		/* not so with another identification */
		give_all(ipv4, 5000 + id, 1000, false);
		assert_answer(ipv4, 1500);
	}
}

static void overlaps_are_refused(void **state)
{
	(void)state;
	overlaps(true);
	overlaps(false);
}

/* The same place, other bytes. */
static void altered_duplicates_are_refused(void **state)
{
	(void)state;
	make_message(true, 1992);
	give_piece(true, 1, 0, 1000, true);
	message[500] ^= 1;
	give_piece(true, 1, 0, 1000, true);
	give_piece(true, 1, 1000, 1000, false);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 3);
	assert_int_equal(host.sent, 0);
	host_forget();
	/* the same bytes, but all at once the last ones */
	give_piece(true, 2, 1000, 1000, true);
	give_piece(true, 2, 1000, 1000, false);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
}

static void ends_that_disagree_are_refused(void **state)
{
	(void)state;
	make_message(true, 2992);
	give_piece(true, 1, 2000, 1000, false);
	give_piece(true, 1, 2000, 504, false);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
	host_forget();
	give_piece(true, 2, 1000, 1000, false);
	give_piece(true, 2, 2000, 1000, true);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
	host_forget();
	/* nothing may end where the datagram does and promise more */
	give_piece(true, 3, 1000, 1000, false);
	give_piece(true, 3, 0, 2000, true);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
}

static void malformed_pieces_are_refused(void **state)
{
	(void)state;
	make_message(true, 60000);
	give_piece(true, 1, 0, 1001, true); /* not a multiple of 8 */
	assert_dropped(STAT_RX_DROP_MALFORMED);
	give_piece(true, 1, 8, 0, true);
	assert_dropped(STAT_RX_DROP_MALFORMED);
	/* past 65535: the ping of death */
	give_piece(true, 1, 65528 - 8, 1400, false);
	assert_dropped(STAT_RX_DROP_MALFORMED);
	make_piece4(1, 0, 1400, false);
	put16(frame.at + 20, 0x1fff);
	fix_ip4();
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_piece6(1, 0, 1400, false);
	put16(frame.at + 56, 0xfff8);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	give_piece(false, 1, 0, 1001, true);
	assert_dropped(STAT_RX_DROP_MALFORMED);
	make_piece6(1, 0, 0, true);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	/* of another protocol: never kept */
	make_piece4(1, 0, 1000, true);
	frame.at[23] = 17;
	fix_ip4();
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	make_piece6(1, 0, 1000, true);
	frame.at[54] = 17;
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL);
	/* cut within the fragment header */
	put_eth(guest_mac, peer_mac, 0x86dd);
	put_ip6(PEER_IP6, GUEST_IP6, 44, 61, 7);
	put(7);
	give_and_assert_dropped(STAT_RX_DROP_SHORT);
}

/* A fragment header within a datagram that was fragmented. */
static void nested_fragments_are_refused(void **state)
{
	(void)state;
	make_message(false, 56);
	memcpy(message, "\x2c\0\x01\x04\0\0\0\0", 8);
	make_piece6(1, 0, 64, false);
	frame.at[54] = 60;
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

/* A wrong checksum is only seen when all is there: then all frames count. */
static void checksum_is_counted_per_frame(void **state)
{
	(void)state;
	make_message(true, 2992);
	message[700] ^= 1;
	give_all(true, 1, 1000, false);
	assert_int_equal(host.counters[STAT_RX_DROP_CHECKSUM], 3);
	assert_int_equal(host_drops(), 3);
	assert_int_equal(host.sent, 0);
}

static void time_runs_out(bool ipv4, uint64_t seconds)
{
	make_message(ipv4, 2992);
	give_piece(ipv4, 1, 0, 1000, true);
	give_piece(ipv4, 1, 1000, 1000, true);
	host_pass(seconds * SECOND_NS - 1);
	assert_int_equal(host_drops(), 0);
	host_pass(1);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 2);
	assert_int_equal(host_drops(), 2);
	host_forget();
	give_piece(ipv4, 1, 2000, 1000, false);
	assert_int_equal(host.sent, 0);
	host_pass(seconds * SECOND_NS);
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 1);
	host_forget();
}

static void incomplete_datagrams_time_out(void **state)
{
	(void)state;
	/* one after the other */
	make_message(true, 2992);
	give_piece(true, 1, 0, 1000, true);
	host_pass(SECOND_NS);
	give_piece(true, 2, 0, 1000, true);
	host_pass(29 * SECOND_NS);
	assert_dropped(STAT_RX_DROP_FRAGMENT);
	host_pass(SECOND_NS);
	assert_dropped(STAT_RX_DROP_FRAGMENT);
	time_runs_out(true, 30);
	time_runs_out(false, 60);
}

/* However many never end, the next one finds room. */
static void flood_of_beginnings(void **state)
{
	(void)state;
	make_message(true, 1992);
	for (unsigned int id = 0; id < 1000; id++) {
		host.now_ns++;
		make_piece4(id, 0, 1000, true);
		memcpy(frame.at + 26, ip4(OTHER_IP), 4);
		fix_ip4();
		host_give_frame();
	}
	/* four are kept of one source: the others were dropped */
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 996);
	host_forget();
	for (unsigned int id = 0; id < 4; id++)
		give_piece(true, id, 0, 1000, true);
	for (unsigned int id = 0; id < 4; id++) {
		give_piece(true, id, 1000, 1000, false);
		assert_answer(true, 1500);
	}
}

/* And if each comes from another source, the oldest goes. */
static void flood_from_everywhere(void **state)
{
	(void)state;
	make_message(true, 1992);
	for (unsigned int i = 0; i < 1000; i++) {
		host.now_ns++;
		make_piece4(1, 0, 1000, true);
		put16(frame.at + 28, 0x0100 + i);
		fix_ip4();
		host_give_frame();
	}
	assert_int_equal(host.counters[STAT_RX_DROP_FRAGMENT], 1000 - 8);
	host_forget();
	give_piece(true, 1, 0, 1000, true);
	host_forget();
	give_piece(true, 1, 1000, 1000, false);
	assert_answer(true, 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_in_fragments4, setup),
		cmocka_unit_test_setup(answers_in_fragments6, setup),
		cmocka_unit_test_setup(answers_by_its_own_mtu, setup),
		cmocka_unit_test_setup(answers_the_longest, setup),
		cmocka_unit_test_setup(answers_an_atomic_fragment, setup),
		cmocka_unit_test_setup(interleaved, setup),
		cmocka_unit_test_setup(exact_duplicates_are_dropped_alone,
				       setup),
		cmocka_unit_test_setup(overlaps_are_refused, setup),
		cmocka_unit_test_setup(altered_duplicates_are_refused, setup),
		cmocka_unit_test_setup(ends_that_disagree_are_refused, setup),
		cmocka_unit_test_setup(malformed_pieces_are_refused, setup),
		cmocka_unit_test_setup(nested_fragments_are_refused, setup),
		cmocka_unit_test_setup(checksum_is_counted_per_frame, setup),
		cmocka_unit_test_setup(incomplete_datagrams_time_out, setup),
		cmocka_unit_test_setup(flood_of_beginnings, setup),
		cmocka_unit_test_setup(flood_from_everywhere, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
