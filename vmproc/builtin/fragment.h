/* SPDX-License-Identifier: ISC */
/* Reassembly of IPv4 and IPv6 datagrams. */
#ifndef VMSUP_VMPROC_FRAGMENT_H
#define VMSUP_VMPROC_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmproc/builtin/address.h"
#include "vmproc/builtin/packet.h"

struct builtin;

/* The most datagrams under way at once, and of those, the most from one
 * source. */
#define FRAGMENT_SLOTS        8
#define FRAGMENT_SLOTS_SOURCE 4
/* Offsets count in units of 8 bytes. */
#define FRAGMENT_UNITS 8192
#define FRAGMENT_WORDS (FRAGMENT_UNITS / 64)

/* A fragment's header. The fragment's bytes are its packet's. */
struct fragment {
	struct address source;
	struct address destination;
	uint32_t id;
	uint8_t next; /* protocol, or next header after the fragment header */
	size_t offset;
	bool more;
	size_t header_bytes; /* of IP, before the part that is fragmented */
};

struct fragment_slot {
	bool used;
	bool refused; /* fragments overlapped: the others are refused, too */
	uint8_t next; /* of the first fragment */
	uint8_t service; /* of the first fragment */
	uint32_t frames;
	struct address source;
	struct address destination;
	uint32_t id;
	uint32_t total_bytes; /* 0: not known yet */
	uint32_t end_bytes; /* the furthest end so far */
	uint32_t received_bytes;
	uint64_t began_ns;
	uint64_t deadline_ns;
};

struct fragment_buffer {
	uint64_t filled[FRAGMENT_WORDS];
	uint64_t starts[FRAGMENT_WORDS];
	uint8_t headroom[64]; /* GUEST_HEADROOM */
	uint8_t bytes[FRAGMENT_UNITS * 8];
};

/*
 * Takes a fragment (RFC 791 §3.2, RFC 8200 §4.5). The counter returned is for
 * this frame. If the fragment was the last one missing, RX_DELIVER: packet is
 * then the whole datagram, in the buffer of the slot packet->whole, until
 * builtin_receive() has handled it and calls fragment_release().
 */
enum counter fragment_add(struct builtin *guest, const struct fragment *piece,
			  struct packet *packet);

/* Frees the slot of a datagram that was whole. */
void fragment_release(struct fragment_slot *slot);

/* Drops the datagrams whose time is over. */
void fragment_tick(struct builtin *guest, uint64_t now_ns);

#endif
