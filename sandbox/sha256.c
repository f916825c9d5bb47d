/* SPDX-License-Identifier: ISC */
/* SHA-256, as FIPS 180-4 describes it; sections and names are from there. */
#include "sandbox/sha256.h"

#include <string.h>

#include "ipc/fd.h"

#define BLOCK_BYTES 64
#define ROUNDS      64

/* §4.2.2: of the cube roots of the first 64 primes, 32 bits behind the
 * point. */
static const uint32_t constants[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* §5.3.3: of the square roots of the first eight primes. */
static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t rotr(uint32_t x, unsigned int by)
{
	return x >> by | x << (32 - by);
}

static uint32_t load(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

static void store(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* §6.2.2, step 1 */
static void schedule(const uint8_t *block, uint32_t w[ROUNDS])
{
	for (int t = 0; t < 16; t++)
		w[t] = load(block + 4 * t);
	for (int t = 16; t < ROUNDS; t++) {
		uint32_t early = w[t - 15], late = w[t - 2];

		w[t] = (rotr(late, 17) ^ rotr(late, 19) ^ late >> 10) +
		       w[t - 7] +
		       (rotr(early, 7) ^ rotr(early, 18) ^ early >> 3) +
		       w[t - 16];
	}
}

/* §6.2.2, steps 2 to 4; v is a to h. */
static void compress(uint32_t hash[8], const uint8_t *block)
{
	uint32_t w[ROUNDS], v[8];

	schedule(block, w);
	memcpy(v, hash, sizeof(v));
	for (int t = 0; t < ROUNDS; t++) {
		uint32_t sum1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
		uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t sum0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
		uint32_t major = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t t1 = v[7] + sum1 + choice + constants[t] + w[t];

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + sum0 + major;
	}
	for (int i = 0; i < 8; i++)
		hash[i] += v[i];
}

void sha256(const void *data, size_t bytes, uint8_t digest[SHA256_BYTES])
{
	const uint8_t *at = data;
	/* §5.1.1: what is left, a one bit, zeroes, the length in bits */
	uint8_t tail[2 * BLOCK_BYTES] = { 0 };
	size_t left = bytes % BLOCK_BYTES;
	size_t tail_bytes = left + 9 > BLOCK_BYTES ? sizeof(tail) : BLOCK_BYTES;
	uint64_t bits = (uint64_t)bytes * 8;
	uint32_t hash[8];

	memcpy(hash, initial, sizeof(hash));
	for (; bytes >= BLOCK_BYTES; bytes -= BLOCK_BYTES, at += BLOCK_BYTES)
		compress(hash, at);
	if (left)
		memcpy(tail, at, left);
	tail[left] = 0x80;
	store(tail + tail_bytes - 8, (uint32_t)(bits >> 32));
	store(tail + tail_bytes - 4, (uint32_t)bits);
	for (size_t i = 0; i < tail_bytes; i += BLOCK_BYTES)
		compress(hash, tail + i);
	for (size_t i = 0; i < ARRAY_SIZE(hash); i++)
		store(digest + 4 * i, hash[i]);
}
