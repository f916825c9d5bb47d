/* SPDX-License-Identifier: ISC */
/* The internet checksum (RFC 1071), 64 bits at a time. */
#ifndef VMSUP_VMPROC_CHECKSUM_H
#define VMSUP_VMPROC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* What a correct packet, its checksum field included, adds up to. */
#define CHECKSUM_CORRECT 0xffff

/* Adds one 64-bit word to a running sum, the carry brought back in at the
 * bottom (RFC 1071 §2 (A)). */
static inline uint64_t checksum_carry(uint64_t sum, uint64_t word)
{
	uint64_t added = sum + word;

	return added + (added < word);
}

/* Adds bytes of data, as they lie in memory, to a running sum. Only the last
 * piece of a packet may have an odd length. Any alignment. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t bytes);

/* A running sum brought down to 16 bits, in memory order and not inverted:
 * CHECKSUM_CORRECT for a correct packet, ~ of it for a checksum field. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * The checksum field of a packet in which one 16-bit word grew by difference
 * (RFC 1624): both in memory order; to make a word smaller, add the inverse of
 * the difference. Where the sum is a zero, of which ones' complement has two,
 * the result is 0xffff, which is right for an all-zero packet too.
 */
static inline uint16_t checksum_adjust(uint16_t checksum, uint16_t inverse)
{
	uint32_t sum = (uint32_t)checksum + inverse;

	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
