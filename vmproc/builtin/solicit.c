/* SPDX-License-Identifier: ISC */
/* Asks who has an address: ARP requests (RFC 826) and neighbour solicitations
 * (RFC 4861 §4.3). */
#include "vmproc/builtin/solicit.h"

#include <arpa/inet.h>

#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv6.h"
#include "vmproc/builtin/ndp_packet.h"
#include "vmproc/builtin/route.h"

const uint8_t solicit_broadcast_mac[MAC_BYTES] = {
	255, 255, 255, 255, 255, 255
};

void solicit_ipv4(struct builtin *guest, uint32_t target, const uint8_t *mac)
{
	uint8_t frame[sizeof(struct eth_header) + sizeof(struct arp_packet)];
	struct arp_packet *arp =
		(struct arp_packet *)(frame + sizeof(struct eth_header));

	*arp = (struct arp_packet){
		.hardware = htons(ARP_HARDWARE_ETHERNET),
		.protocol = htons(ETHERTYPE_IPV4),
		.hardware_bytes = MAC_BYTES,
		.protocol_bytes = sizeof(arp->target),
		.operation = htons(ARP_OPERATION_REQUEST),
		.sender = guest->ipv4,
		.target = target,
	};
	memcpy(arp->sender_mac, guest->mac, MAC_BYTES);
	guest_ethernet(guest, frame, mac != NULL ? mac : solicit_broadcast_mac,
		       htons(ETHERTYPE_ADDRESS_RESOLUTION));
	guest_transmit(guest, frame, sizeof(frame));
}

void solicit_ipv6(struct builtin *guest, const uint8_t *target,
		  const uint8_t *mac)
{
	const struct own_address *own = route_source(guest, target);
	struct ndp_packet packet = {
		.ndp = { .type = ICMPV6_SOLICITATION },
	};

	/* Lost since the ping began: the MTU became too small, say. */
	if (own == NULL || !addresses_is_valid(own) || !guest_has_ipv6(guest))
		return;
	memcpy(packet.ndp.target, target, 16);
	memcpy(packet.ip.source, own->address, 16);
	if (mac != NULL) {
		memcpy(packet.ip.destination, target, 16);
		guest_ethernet(guest, (uint8_t *)&packet, mac,
			       htons(ETHERTYPE_IPV6));
	} else {
		ipv6_solicited_node(target, packet.ip.destination);
		ipv6_multicast_ethernet(guest, (uint8_t *)&packet,
					packet.ip.destination);
	}
	ndp_packet_add_mac(guest, &packet.link, NDP_OPTION_SOURCE);
	ndp_packet_send(guest, &packet,
			sizeof(packet.ndp) + sizeof(packet.link));
}

void solicit_tentative(struct builtin *guest, const uint8_t *address)
{
	struct ndp_packet packet = {
		.ndp = { .type = ICMPV6_SOLICITATION },
	};

	memcpy(packet.ndp.target, address, 16);
	ipv6_solicited_node(address, packet.ip.destination);
	ipv6_multicast_ethernet(guest, (uint8_t *)&packet,
				packet.ip.destination);
	ndp_packet_send(guest, &packet, sizeof(packet.ndp));
}
