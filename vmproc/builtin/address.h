/* SPDX-License-Identifier: ISC */
/* One kind of address for IPv4 and IPv6, for what is shared by both. */
#ifndef VMSUP_VMPROC_ADDRESS_H
#define VMSUP_VMPROC_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct address {
	uint32_t family; /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* IPv4: the first four, the rest zero */
};

/* An IPv4 address, given in network byte order. */
static inline struct address address_ipv4(uint32_t ipv4)
{
	struct address address = { .family = AF_INET };

	memcpy(address.bytes, &ipv4, sizeof(ipv4));
	return address;
}

/* The IPv4 address, in network byte order, of an address of that family. */
static inline uint32_t address_to_ipv4(const struct address *address)
{
	uint32_t ipv4;

	memcpy(&ipv4, address->bytes, sizeof(ipv4));
	return ipv4;
}

/* An IPv6 address: 16 bytes. */
static inline struct address address_ipv6(const uint8_t *ipv6)
{
	struct address address = { .family = AF_INET6 };

	memcpy(address.bytes, ipv6, sizeof(address.bytes));
	return address;
}

static inline bool address_equal(const struct address *a,
				 const struct address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
