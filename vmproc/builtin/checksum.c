/* SPDX-License-Identifier: ISC */
/*
 * The internet checksum (RFC 1071), 64 bits at a time: 2^16 is 1 modulo
 * 2^16 - 1, so words of any multiple of 16 bits give the same sum once folded,
 * and byte order does not matter until then (§2 (B)).
 */
#include "vmproc/builtin/checksum.h"

#include <string.h>

static inline uint64_t load(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Reads fewer than eight bytes, as if zeros followed. */
static inline uint64_t load_tail(const uint8_t *at, size_t bytes)
{
	uint64_t word = 0;
	uint32_t four;
	uint16_t two;

	if (bytes & 4) {
		memcpy(&four, at, sizeof(four));
		word += four;
		at += sizeof(four);
	}
	if (bytes & 2) {
		memcpy(&two, at, sizeof(two));
		word += two;
		at += sizeof(two);
	}
	if (bytes & 1) {
		two = 0;
		memcpy(&two, at, 1);
		word += two;
	}
	return word;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	if (bytes >= 64) {
		/* Four sums, so that no addition waits for the one before. */
		uint64_t b = 0, c = 0, d = 0;

		for (; bytes >= 32; bytes -= 32, at += 32) {
			sum = checksum_carry(sum, load(at));
			b = checksum_carry(b, load(at + 8));
			c = checksum_carry(c, load(at + 16));
			d = checksum_carry(d, load(at + 24));
		}
		sum = checksum_carry(checksum_carry(sum, b),
				     checksum_carry(c, d));
	}
	for (; bytes >= 8; bytes -= 8, at += 8)
		sum = checksum_carry(sum, load(at));
	if (bytes > 0)
		sum = checksum_carry(sum, load_tail(at, bytes));
	return sum;
}
