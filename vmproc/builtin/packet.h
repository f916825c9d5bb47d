/* SPDX-License-Identifier: ISC */
/* A packet on its way up, and what became of it. */
#ifndef VMSUP_VMPROC_PACKET_H
#define VMSUP_VMPROC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/proto.h"
#include "vmproc/builtin/wire.h"

/*
 * Every handler of a packet returns an enum counter: the one reason for which
 * the packet's frames are dropped, or RX_DONE if they were answered or put to
 * use. Only builtin_receive() counts it, so that each frame counts once. IPv4
 * and IPv6 alone return RX_DELIVER: packet->data is a whole ICMP or ICMPv6
 * message for us, which builtin_receive() hands on.
 */
#define RX_DONE    STATS
#define RX_DELIVER (STATS + 1)

struct fragment_slot;

struct packet {
	uint8_t *data; /* the header to look at next, and all after it */
	size_t bytes; /* of data */
	size_t headroom; /* bytes before data, ours to write in */
	uint32_t frames; /* Ethernet frames that it came in */
	bool to_us; /* the destination MAC is ours, not a group's */
	bool fragmented; /* it came with a fragment header */
	/* The slot whose buffer holds data, if the packet came in fragments; or
	 * NULL. */
	struct fragment_slot *whole;
	uint8_t ttl; /* or hop limit */
	uint8_t service; /* type of service, or traffic class */
	uint8_t source_mac[MAC_BYTES];
	uint32_t ipv4_source; /* network byte order */
	/* Both in one piece, as in the pseudo-header. */
	struct {
		uint8_t source[16];
		uint8_t destination[16];
	} ipv6;
};

/* Skips a header whose length was checked. */
static inline void packet_pull(struct packet *packet, size_t bytes)
{
	packet->data += bytes;
	packet->bytes -= bytes;
	packet->headroom += bytes;
}

#endif
