/* SPDX-License-Identifier: ISC */
/* Echo requests of our own, several at once. */
#ifndef VMSUP_VMPROC_PING_H
#define VMSUP_VMPROC_PING_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/builtin/address.h"
#include "vmproc/builtin/packet.h"

struct builtin;
struct neighbour_ops;

#define PINGS 16

enum ping_state {
	PING_STATE_FREE,
	PING_STATE_ADDRESS, /* waits until an address of ours is valid */
	PING_STATE_NEIGHBOUR, /* waits for the next hop's MAC */
	PING_STATE_SENT,
	PING_STATES
};

struct ping {
	struct address target;
	uint8_t source[16]; /* IPv6: sent from */
	uint8_t state; /* enum ping_state */
	uint16_t identifier; /* host byte order, like sequence */
	uint16_t sequence;
	uint16_t payload_bytes;
	uint32_t id;
	uint64_t pattern; /* the payload is made of it */
	uint64_t sent_ns;
	uint64_t deadline_ns;
};

/* Begins a ping. Its result comes through ops.ping_result, perhaps before the
 * return. */
void ping_begin(struct builtin *guest, const struct msg_ping *request,
		uint64_t now_ns);

/* Takes an echo reply whose checksum was right. RX_DONE if its identifier,
 * sequence, addresses and payload are those of a ping. */
enum counter ping_receive(struct builtin *guest, const struct packet *packet,
			  const struct address *source);

/* What pings do when the neighbour cache reports a next hop. */
extern const struct neighbour_ops ping_neighbour_ops;

/* Goes on with the pings that waited for an address of ours. */
void ping_addresses_changed(struct builtin *guest, uint64_t now_ns);

/* Ends the pings whose time is over. */
void ping_tick(struct builtin *guest, uint64_t now_ns);

#endif
