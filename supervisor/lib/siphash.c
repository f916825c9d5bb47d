/* SPDX-License-Identifier: ISC */
/* SipHash-2-4, as its paper describes it in section 2. */
#include "supervisor/lib/siphash.h"

#include <endian.h>
#include <string.h>

#define COMPRESSION_ROUNDS  2
#define FINALIZATION_ROUNDS 4

static uint64_t load_le64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

static uint64_t rotate_left(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

/* One half of a SipRound: adds b into a, d into c, and mixes them. */
static void half_round(uint64_t v[4], int a, int b, int c, int d,
		       unsigned int turn_b, unsigned int turn_d)
{
	v[a] += v[b];
	v[c] += v[d];
	v[b] = rotate_left(v[b], turn_b) ^ v[a];
	v[d] = rotate_left(v[d], turn_d) ^ v[c];
	v[a] = rotate_left(v[a], 32);
}

static void sip_rounds(uint64_t v[4], int count)
{
	while (count-- > 0) {
		half_round(v, 0, 1, 2, 3, 13, 16);
		half_round(v, 2, 1, 0, 3, 17, 21);
	}
}

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length)
{
	const uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	const uint8_t *next = bytes;
	uint8_t last[8] = { 0 };
	uint64_t word;
	/* "somepseudorandomlygeneratedbytes", section 2.1 of the paper. */
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575,
		k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573,
	};

	for (size_t left = length / 8; left > 0; left--, next += 8) {
		word = load_le64(next);
		v[3] ^= word;
		sip_rounds(v, COMPRESSION_ROUNDS);
		v[0] ^= word;
	}
	if (length % 8)
		memcpy(last, next, length % 8);
	last[7] = (uint8_t)length;
	word = load_le64(last);
	v[3] ^= word;
	sip_rounds(v, COMPRESSION_ROUNDS);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_rounds(v, FINALIZATION_ROUNDS);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
