/* SPDX-License-Identifier: ISC */
/* What the bench's tools share: frames that carry echo messages, the clock. */
#ifndef VMSUP_TESTS_BENCH_ECHO_H
#define VMSUP_TESTS_BENCH_ECHO_H

#include <err.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* after libc's, which they would clash with */
#include <linux/icmp.h>
#include <linux/ip.h>

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

struct echo_frame {
	struct ether_header ethernet;
	struct iphdr ip;
	struct icmphdr icmp;
} __attribute__((packed));

static inline uint64_t echo_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* The internet checksum (RFC 1071) of data, as it goes into a header. */
static inline uint16_t echo_checksum(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (; bytes > 1; bytes -= 2, at += 2) {
		uint16_t word;

		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	if (bytes)
		sum += *at;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A whole number from low to high, or the end of the program. */
static inline unsigned long echo_number(const char *text, const char *what,
					unsigned long low, unsigned long high)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < low || value > high)
		errx(2, "%s: \"%s\" is not a number from %lu to %lu", what,
		     text, low, high);
	return value;
}

#endif
