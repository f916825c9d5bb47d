/* SPDX-License-Identifier: ISC */
/* IPv4 (RFC 791, RFC 1122 §3.2). Addresses are in network byte order. */
#ifndef VMSUP_VMPROC_IPV4_H
#define VMSUP_VMPROC_IPV4_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/builtin/packet.h"

struct builtin;

/* The network mask of a prefix length, 0 to 32. */
uint32_t ipv4_mask(unsigned int prefix);

/* True if an address can be that of one host (RFC 1122 §3.2.1.3): not of this
 * network, loopback, multicast, reserved or broadcast (RFC 3021 minded). */
bool ipv4_is_unicast(uint32_t address, uint32_t network, uint32_t mask);

/* True if an address can be that of another host. */
bool ipv4_is_host(const struct builtin *guest, uint32_t address);

/* True if an address is within our prefix. */
bool ipv4_on_link(const struct builtin *guest, uint32_t address);

/* Takes an IPv4 packet; Ethernet padding may follow it. RX_DELIVER: an ICMP
 * message is left in packet. */
enum counter ipv4_receive(struct builtin *guest, struct packet *packet);

/*
 * Sends an ICMP message, in fragments if the MTU asks for it. Headers are
 * written in place: 34 bytes before icmp are written to, and icmp itself is
 * spoiled. mac mustn't lie in there.
 */
void ipv4_send(struct builtin *guest, uint8_t *icmp, size_t bytes,
	       uint32_t destination, const uint8_t *mac, uint8_t service);

#endif
