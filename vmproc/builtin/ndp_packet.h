/* SPDX-License-Identifier: ISC */
/* Frames of neighbour discovery, as they are sent. */
#ifndef VMSUP_VMPROC_NDP_PACKET_H
#define VMSUP_VMPROC_NDP_PACKET_H

#include <stddef.h>

#include "vmproc/builtin/wire.h"

struct builtin;

/* Solicitation or advertisement, with or without the one option. */
struct ndp_packet {
	struct eth_header eth;
	struct ipv6_header ip;
	struct ndp_message ndp;
	struct ndp_link_address link;
} WIRE;

/* Writes our own MAC as the option that follows the message. */
void ndp_packet_add_mac(const struct builtin *guest,
			struct ndp_link_address *link, enum ndp_option type);

/* Sends a packet whose Ethernet header, addresses, target, type and flags are
 * set. ndp_bytes: the message, and its option if there is one. */
void ndp_packet_send(const struct builtin *guest, struct ndp_packet *packet,
		     size_t ndp_bytes);

#endif
