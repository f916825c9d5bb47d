/* SPDX-License-Identifier: ISC */
/* Address resolution for IPv4 (RFC 826). */
#ifndef VMSUP_VMPROC_ARP_H
#define VMSUP_VMPROC_ARP_H

#include <stdint.h>

#include "vmproc/builtin/packet.h"

struct builtin;

/* Takes an ARP packet (RFC 826, RFC 5227 §2.1.1). What follows it in its
 * frame is padding. */
enum counter arp_receive(struct builtin *guest, struct packet *packet);

/* Asks who has target (network byte order): all, or the station mac. */
void arp_request(struct builtin *guest, uint32_t target, const uint8_t *mac);

#endif
