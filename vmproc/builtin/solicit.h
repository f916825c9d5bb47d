/* SPDX-License-Identifier: ISC */
/* Asks who has an address: ARP for IPv4, neighbour discovery for IPv6. */
#ifndef VMSUP_VMPROC_SOLICIT_H
#define VMSUP_VMPROC_SOLICIT_H

#include <stdint.h>

#include "vmproc/builtin/wire.h"

struct builtin;

/* ff:ff:ff:ff:ff:ff */
extern const uint8_t solicit_broadcast_mac[MAC_BYTES];

/* Asks who has target (network byte order): everybody, or the station mac. */
void solicit_ipv4(struct builtin *guest, uint32_t target, const uint8_t *mac);

/* Asks for the MAC of target (16 bytes): its group, or the station mac. */
void solicit_ipv6(struct builtin *guest, const uint8_t *target,
		  const uint8_t *mac);

/* Asks whether somebody has our tentative address (RFC 4862 §5.4.2). */
void solicit_tentative(struct builtin *guest, const uint8_t *address);

#endif
