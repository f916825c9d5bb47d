/* SPDX-License-Identifier: ISC */
/* What solicitations and advertisements have in common. */
#include "vmproc/builtin/ndp_packet.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv6.h"

void ndp_packet_send(const struct builtin *guest, struct ndp_packet *packet,
		     size_t ndp_bytes)
{
	uint64_t sum;

	packet->ip.flow = htonl(IPV6_VERSION);
	packet->ip.payload_bytes = htons((uint16_t)ndp_bytes);
	packet->ip.next = PROTOCOL_ICMPV6;
	packet->ip.hop_limit = NDP_HOP_LIMIT;
	packet->ndp.code = 0;
	packet->ndp.checksum = 0;
	sum = ipv6_pseudo_sum(packet->ip.source, ndp_bytes);
	packet->ndp.checksum = (uint16_t)~checksum_fold(
		checksum_add(sum, &packet->ndp, ndp_bytes));
	guest_transmit(guest, (const uint8_t *)packet,
		       offsetof(struct ndp_packet, ndp) + ndp_bytes);
}

void ndp_packet_add_mac(const struct builtin *guest,
			struct ndp_link_address *link, enum ndp_option type)
{
	link->type = (uint8_t)type;
	link->length = 1;
	memcpy(link->mac, guest->mac, MAC_BYTES);
}
