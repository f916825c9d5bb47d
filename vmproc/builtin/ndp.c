/* SPDX-License-Identifier: ISC */
/*
 * Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements.
 * A hop limit of 255 proves that a message comes from this link.
 */
#include "vmproc/builtin/ndp.h"

#include <arpa/inet.h>

#include "vmproc/builtin/dad.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv6.h"
#include "vmproc/builtin/ndp_packet.h"
#include "vmproc/builtin/route.h"

/* Checks what RFC 4861 §7.1.1 and §7.1.2 ask of both messages. */
static enum counter check_message(const struct packet *packet)
{
	const struct ndp_message *ndp =
		(const struct ndp_message *)packet->data;

	if (packet->bytes < sizeof(*ndp))
		return STAT_RX_DROP_SHORT;
	/* A message in fragments is refused (RFC 6980 §5). */
	if (packet->ttl != NDP_HOP_LIMIT || packet->fragmented ||
	    ndp->code != 0 || ipv6_is_multicast(ndp->target))
		return STAT_RX_DROP_MALFORMED;
	return RX_DONE;
}

/* Looks for a link-layer address among the options; *mac is NULL if there is
 * none. False if the options are broken. */
static bool find_link_address(const struct builtin *guest,
			      const struct packet *packet,
			      enum ndp_option wanted, const uint8_t **mac)
{
	const uint8_t *option = packet->data + sizeof(struct ndp_message);
	size_t left = packet->bytes - sizeof(struct ndp_message);
	size_t bytes;

	*mac = NULL;
	while (left > 0) {
		const struct ndp_link_address *link =
			(const struct ndp_link_address *)option;

		if (left < 2)
			return false;
		bytes = (size_t)option[1] * 8;
		if (bytes == 0 || bytes > left)
			return false;
		if (option[0] == wanted && *mac == NULL) {
			if (bytes != sizeof(*link) ||
			    !guest_mac_other(guest, link->mac))
				return false;
			*mac = link->mac;
		}
		option += bytes;
		left -= bytes;
	}
	return true;
}

/* Answers in the packet's place (RFC 4861 §7.2.4): to the station mac, or to
 * all nodes if the question came from the unspecified address. */
static void advertise(const struct builtin *guest, const struct packet *packet,
		      const uint8_t *mac)
{
	/* The two headers are before the message. If there were options
	 * between, they are written over. */
	struct ndp_packet *reply =
		(struct ndp_packet *)(packet->data -
				      offsetof(struct ndp_packet, ndp));
	bool solicited = !ipv6_is_unspecified(packet->ipv6.source);
	uint8_t reply_mac[MAC_BYTES];

	memcpy(reply_mac, mac, MAC_BYTES);
	memcpy(reply->ip.source, reply->ndp.target, 16);
	memcpy(reply->ip.destination,
	       solicited ? packet->ipv6.source : ipv6_all_nodes, 16);
	reply->ndp.type = ICMPV6_ADVERTISEMENT;
	reply->ndp.flags =
		htonl(NDP_OVERRIDE | (solicited ? NDP_SOLICITED : 0));
	ndp_packet_add_mac(guest, &reply->link, NDP_OPTION_TARGET);
	if (solicited)
		guest_ethernet(guest, (uint8_t *)reply, reply_mac,
			       htons(ETHERTYPE_IPV6));
	else
		ipv6_multicast_ethernet(guest, (uint8_t *)reply,
					ipv6_all_nodes);
	ndp_packet_send(guest, reply, sizeof(reply->ndp) + sizeof(reply->link));
}

/* Somebody without an address asks for one (RFC 4862 §5.4.3), which may be
 * ours. */
static enum counter solicited_by_nobody(struct builtin *guest,
					const struct packet *packet,
					struct own_address *own,
					const uint8_t *link_address)
{
	uint8_t group[16];

	ipv6_solicited_node(own->address, group);
	if (link_address != NULL ||
	    memcmp(packet->ipv6.destination, group, sizeof(group)) != 0)
		return STAT_RX_DROP_MALFORMED;
	if (addresses_is_valid(own))
		advertise(guest, packet, packet->source_mac);
	else
		dad_conflict(guest, own, guest_now_ns(guest));
	return RX_DONE;
}

enum counter ndp_receive_solicitation(struct builtin *guest,
				      struct packet *packet)
{
	const struct ndp_message *ndp =
		(const struct ndp_message *)packet->data;
	enum counter verdict = check_message(packet);
	struct own_address *own;
	struct address source;
	const uint8_t *mac;

	if (verdict != RX_DONE)
		return verdict;
	if (!find_link_address(guest, packet, NDP_OPTION_SOURCE, &mac))
		return STAT_RX_DROP_MALFORMED;
	own = addresses_find(guest, ndp->target);
	if (own == NULL)
		return STAT_RX_DROP_FOREIGN;
	if (ipv6_is_unspecified(packet->ipv6.source))
		return solicited_by_nobody(guest, packet, own, mac);
	if (!ipv6_is_host(guest, packet->ipv6.source))
		return STAT_RX_DROP_MALFORMED;
	/* A tentative address isn't told to address resolution. */
	if (!addresses_is_valid(own))
		return STAT_RX_DROP_FOREIGN;
	source = address_ipv6(packet->ipv6.source);
	if (mac != NULL && route_on_link(guest, packet->ipv6.source))
		neighbour_learn(guest, &source, mac, guest_now_ns(guest));
	advertise(guest, packet, mac != NULL ? mac : packet->source_mac);
	return RX_DONE;
}

enum counter ndp_receive_advertisement(struct builtin *guest,
				       struct packet *packet)
{
	const struct ndp_message *ndp =
		(const struct ndp_message *)packet->data;
	bool to_group = ipv6_is_multicast(packet->ipv6.destination);
	bool solicited = ndp->flags & htonl(NDP_SOLICITED);
	enum counter verdict = check_message(packet);
	struct own_address *own;
	struct address target;
	const uint8_t *mac;

	if (verdict != RX_DONE)
		return verdict;
	if (!find_link_address(guest, packet, NDP_OPTION_TARGET, &mac) ||
	    (to_group && solicited) || ipv6_is_unspecified(packet->ipv6.source))
		return STAT_RX_DROP_MALFORMED;
	own = addresses_find(guest, ndp->target);
	if (own != NULL) {
		/* No claim takes a valid address away from us. */
		if (addresses_is_valid(own))
			return STAT_RX_DROP_FOREIGN;
		dad_conflict(guest, own, guest_now_ns(guest));
		return RX_DONE;
	}
	target = address_ipv6(ndp->target);
	if (mac == NULL)
		return STAT_RX_DROP_PROTOCOL;
	if (solicited &&
	    neighbour_answer(guest, &target, mac, guest_now_ns(guest)))
		return RX_DONE;
	if (!solicited)
		neighbour_claim(guest, &target, mac);
	return STAT_RX_DROP_PROTOCOL;
}
