/* SPDX-License-Identifier: ISC */
/* IPv6 (RFC 8200). Addresses are 16 bytes. */
#ifndef VMSUP_VMPROC_IPV6_H
#define VMSUP_VMPROC_IPV6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmproc/builtin/packet.h"

struct builtin;

/* Where an ICMPv6 message goes, and how. */
struct ipv6_path {
	const uint8_t *mac;
	const uint8_t *source;
	const uint8_t *destination;
	uint8_t hop_limit;
	uint8_t service; /* traffic class */
};

/* ff02::1 */
extern const uint8_t ipv6_all_nodes[16];

bool ipv6_is_multicast(const uint8_t *address);
bool ipv6_is_unspecified(const uint8_t *address);

/* True if an address can be that of another host on the wire (RFC 4291
 * §2.5): not unspecified, loopback, multicast or ours. */
bool ipv6_is_host(struct builtin *guest, const uint8_t *address);

/* True if the first bits (0 to 128) are the same. */
bool ipv6_same_prefix(const uint8_t *a, const uint8_t *b, unsigned int bits);

/* Writes the solicited-node group of an address (RFC 4291 §2.7.1). */
void ipv6_solicited_node(const uint8_t *address, uint8_t *group);

/* The sum of the pseudo-header of an ICMPv6 message (RFC 8200 §8.1). addresses
 * is source, then destination, in one piece of 32 bytes. */
uint64_t ipv6_pseudo_sum(const uint8_t *addresses, size_t bytes);

/* Writes the Ethernet header of a frame to a group (RFC 2464 §7). */
void ipv6_multicast_ethernet(const struct builtin *guest, uint8_t *frame,
			     const uint8_t *group);

/* Takes an IPv6 packet; Ethernet padding may follow it. RX_DELIVER: an ICMPv6
 * message is left in packet. */
enum counter ipv6_receive(struct builtin *guest, struct packet *packet);

/*
 * Sends an ICMPv6 message, in fragments if the MTU asks for it. Headers are
 * written in place: before icmp there are headroom bytes, 54 at least, and icmp
 * itself is spoiled. Nothing that path points to may lie in there.
 */
void ipv6_send(struct builtin *guest, uint8_t *icmp, size_t bytes,
	       size_t headroom, const struct ipv6_path *path);

#endif
