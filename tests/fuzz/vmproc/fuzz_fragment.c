/* SPDX-License-Identifier: ISC */
/*
 * Reassembly against a model that keeps a list of pieces: the input says which
 * pieces of one echo request come, in what order. The guest must answer
 * exactly when the model has all of it, and with exactly its payload.
 */
#include <stdio.h>

#include "tests/unit/vmproc/host.h"

#define PIECES_MAX 64
#define UNITS_MAX  512 /* of 8 bytes */

static uint8_t message[UNITS_MAX * 8 + 8];
static size_t message_bytes;

/* The model. */
static struct model {
	size_t pieces;
	struct {
		size_t from, to;
		bool last;
	} piece[PIECES_MAX];
	bool refused;
} model;

enum outcome {
	KEPT,
	WHOLE,
	DROPPED,
};

static bool fits(size_t from, size_t to, bool last)
{
	for (size_t i = 0; i < model.pieces; i++) {
		if (from < model.piece[i].to && model.piece[i].from < to)
			return false;
		/* nothing lies after the end */
		if (model.piece[i].last && (last || to > model.piece[i].to))
			return false;
		if (last && model.piece[i].to > to)
			return false;
	}
	return true;
}

static enum outcome expect(size_t from, size_t to, bool last)
{
	size_t covered = 0, end = 0;

	if (from == to || (!last && to % 8 != 0))
		return DROPPED;
	if (model.refused)
		return DROPPED;
	for (size_t i = 0; i < model.pieces; i++)
		if (model.piece[i].from == from && model.piece[i].to == to &&
		    model.piece[i].last == last)
			return DROPPED;
	if (!fits(from, to, last)) {
		model.refused = true;
		return DROPPED;
	}
	model.piece[model.pieces].from = from;
	model.piece[model.pieces].to = to;
	model.piece[model.pieces++].last = last;
	for (size_t i = 0; i < model.pieces; i++) {
		covered += model.piece[i].to - model.piece[i].from;
		if (model.piece[i].last)
			end = model.piece[i].to;
	}
	return covered == end ? WHOLE : KEPT;
}

static void give_piece(size_t from, size_t to, bool last, bool ipv4)
{
	uint8_t *at;

	put_eth(guest_mac, peer_mac, ipv4 ? 0x0800 : 0x86dd);
	if (ipv4) {
		at = put_ip4(PEER_IP, GUEST_IP, 1, to - from);
		put16(at + 6, (unsigned int)from / 8 | (last ? 0 : 0x2000));
		fix_ip4();
	} else {
		put_ip6(PEER_IP6, GUEST_IP6, 44, 61, 8 + to - from);
		at = put(8);
		at[0] = 58;
		put16(at + 2, (unsigned int)from | !last);
		put32(at + 4, 99);
	}
	put_bytes(message + from, to - from);
	host_give_frame();
}

/* True if the first bytes of the message are an echo request of their own:
 * what ends early has a wrong checksum, but for one in 65535. */
static bool checksum_right(size_t bytes, bool ipv4)
{
	uint8_t addresses[32];

	memcpy(addresses, ip6(PEER_IP6), 16);
	memcpy(addresses + 16, ip6(GUEST_IP6), 16);
	return 0xffff == (ipv4 ? sum16(0, message, bytes)
			       : icmp6_sum(addresses, message, bytes));
}

static void make_message(size_t payload_bytes, bool ipv4)
{
	if (ipv4) {
		make_ping4(8, payload_bytes);
		message_bytes = frame.bytes - 34;
		memcpy(message, frame.at + 34, message_bytes);
	} else {
		make_ping6(128, payload_bytes);
		message_bytes = frame.bytes - 54;
		memcpy(message, frame.at + 54, message_bytes);
	}
}

static void check_answer(size_t expected, bool ipv4)
{
	size_t bytes = 0;

	for (size_t i = 0; i < host.sent; i++) {
		size_t headers = ipv4 ? 34 : host.sent > 1 ? 62 : 54;
		const uint8_t *at = host.sent_frame[i] + headers;
		size_t piece = host.sent_bytes[i] - headers;

		for (size_t n = 0; n < piece; n++, bytes++)
			if (bytes >= 8 && at[n] != payload_byte(bytes - 8))
				abort();
	}
	if (bytes != expected)
		abort();
}

static void one_piece(const uint8_t *data, bool ipv4)
{
	size_t from = (size_t)(data[0] << 8 | data[1]) % UNITS_MAX * 8;
	size_t units = data[2] % 64 + 1;
	bool last = data[3] % 4 == 0, answered;
	size_t to = from + units * 8, end = 0;
	enum outcome outcome;

	if (from >= message_bytes)
		return;
	if (to >= message_bytes || data[3] % 16 == 4) {
		to = message_bytes;
		last = data[3] % 8 != 1;
	}
	/* an unfragmented packet needs no model */
	if (from == 0 && last)
		return;
	outcome = expect(from, to, last);
	host_forget();
	give_piece(from, to, last, ipv4);
	for (size_t i = 0; i < model.pieces; i++)
		if (model.piece[i].last)
			end = model.piece[i].to;
	answered = outcome == WHOLE && checksum_right(end, ipv4);
	if (answered != (host.sent > 0))
		abort();
	if (answered)
		check_answer(end, ipv4);
	if ((outcome == KEPT || answered) != (host_drops() == 0))
		abort();
	if (outcome == WHOLE)
		model = (struct model){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static bool started;
	bool ipv4;

	if (bytes < 3)
		return 0;
	if (!started)
		host_start();
	started = true;
	ipv4 = data[0] % 2;
	model = (struct model){ 0 };
	/* datagrams of the run before are over */
	host_pass(60 * SECOND_NS);
	host_forget();
	make_message((size_t)(data[1] << 8 | data[2]) % (UNITS_MAX * 8), ipv4);
	data += 3;
	bytes -= 3;
	for (; bytes >= 4 && model.pieces < PIECES_MAX; data += 4, bytes -= 4)
		one_piece(data, ipv4);
	host_forget();
	return 0;
}
