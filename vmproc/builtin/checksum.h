/* SPDX-License-Identifier: ISC */
/* The internet checksum (RFC 1071), 64 bits at a time. */
#ifndef VMSUP_VMPROC_CHECKSUM_H
#define VMSUP_VMPROC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The sum of a correct packet, its checksum field included. */
#define CHECKSUM_CORRECT 0xffff

/* Adds one 64-bit word to a running sum, and the carry at the bottom (RFC 1071
 * §2 (A)). */
static inline uint64_t checksum_carry(uint64_t sum, uint64_t word)
{
	uint64_t added = sum + word;

	return added + (added < word);
}

/* Adds bytes of data, as they lie in memory, to a running sum. Any alignment
 * will do. Only the last piece of a packet may have an odd length. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t bytes);

/* Folds a running sum to 16 bits, in memory order and not inverted:
 * CHECKSUM_CORRECT for a correct packet; for a checksum field, its inverse is
 * needed. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * The new checksum field of a packet in which one 16-bit word grew by
 * difference (RFC 1624). Both are in memory order. If the word became smaller,
 * difference is the inverse. Ones' complement has two zeros; a sum of zero
 * gives 0xffff, which is right for an all-zero packet, too.
 */
static inline uint16_t checksum_adjust(uint16_t checksum, uint16_t inverse)
{
	uint32_t sum = (uint32_t)checksum + inverse;

	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
