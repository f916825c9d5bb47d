/* SPDX-License-Identifier: ISC */
/*
 * Address resolution for IPv4 (RFC 826). Only requests for our address are
 * answered, probes (RFC 5227) included. What others say to each other, and
 * gratuitous ARP, can at most make us forget the entry that it contradicts.
 */
#include "vmproc/builtin/arp.h"

#include <arpa/inet.h>

#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv4.h"
#include "vmproc/builtin/solicit.h"

static bool fixed_fields_right(const struct arp_packet *arp)
{
	return arp->hardware == htons(ARP_HARDWARE_ETHERNET) &&
	       arp->protocol == htons(ETHERTYPE_IPV4) &&
	       arp->hardware_bytes == MAC_BYTES &&
	       arp->protocol_bytes == sizeof(arp->target);
}

static bool sender_right(const struct builtin *guest,
			 const struct arp_packet *arp)
{
	if (!guest_mac_other(guest, arp->sender_mac))
		return false;
	/* The sender of a probe has no address yet (RFC 5227 §1.1). */
	if (arp->sender == 0)
		return arp->operation == htons(ARP_OPERATION_REQUEST);
	return ipv4_is_host(guest, arp->sender);
}

static void reply(const struct builtin *guest, uint8_t *frame,
		  struct arp_packet *arp)
{
	arp->operation = htons(ARP_OPERATION_REPLY);
	memcpy(arp->target_mac, arp->sender_mac, MAC_BYTES);
	arp->target = arp->sender;
	memcpy(arp->sender_mac, guest->mac, MAC_BYTES);
	arp->sender = guest->ipv4;
	guest_ethernet(guest, frame, arp->target_mac,
		       htons(ETHERTYPE_ADDRESS_RESOLUTION));
	guest_transmit(guest, frame, sizeof(struct eth_header) + sizeof(*arp));
}

enum counter arp_receive(struct builtin *guest, struct packet *packet)
{
	uint8_t *frame = packet->data - sizeof(struct eth_header);
	const struct eth_header *eth = (const struct eth_header *)frame;
	struct arp_packet *arp = (struct arp_packet *)packet->data;
	struct address sender;

	if (!packet->to_us &&
	    memcmp(eth->destination, solicit_broadcast_mac, MAC_BYTES) != 0)
		return STAT_RX_DROP_FOREIGN;
	if (packet->bytes < sizeof(*arp))
		return STAT_RX_DROP_SHORT;
	if (!fixed_fields_right(arp))
		return STAT_RX_DROP_MALFORMED;
	if (arp->operation != htons(ARP_OPERATION_REQUEST) &&
	    arp->operation != htons(ARP_OPERATION_REPLY))
		return STAT_RX_DROP_PROTOCOL;
	if (!sender_right(guest, arp))
		return STAT_RX_DROP_MALFORMED;

	sender = address_ipv4(arp->sender);
	if (arp->target != guest->ipv4) {
		neighbour_claim(guest, &sender, arp->sender_mac);
		return STAT_RX_DROP_FOREIGN;
	}
	if (arp->operation == htons(ARP_OPERATION_REPLY)) {
		if (packet->to_us &&
		    neighbour_answer(guest, &sender, arp->sender_mac,
				     guest_now_ns(guest)))
			return RX_DONE;
		return STAT_RX_DROP_PROTOCOL;
	}
	if (arp->sender != 0 && ipv4_on_link(guest, arp->sender))
		neighbour_learn(guest, &sender, arp->sender_mac,
				guest_now_ns(guest));
	reply(guest, frame, arp);
	return RX_DONE;
}
