/* SPDX-License-Identifier: ISC */
/* SipHash-2-4: a keyed 64-bit hash of a few bytes. */
#ifndef VMSUP_SUPERVISOR_SIPHASH_H
#define VMSUP_SUPERVISOR_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* The SipHash-2-4 of bytes under key (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012), the same on every machine. */
uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length);

#endif
