/* SPDX-License-Identifier: ISC */
/*
 * IPv6 (RFC 8200): our addresses, their solicited-node groups and all-nodes.
 * There is no router, and no message but ICMPv6. No error message is ever sent.
 */
#include "vmproc/builtin/ipv6.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"

const uint8_t ipv6_all_nodes[16] = { 0xff, 2, [15] = 1 };
static const uint8_t unspecified[16];
static const uint8_t loopback[16] = { [15] = 1 };

bool ipv6_is_multicast(const uint8_t *address)
{
	return address[0] == 0xff;
}

bool ipv6_is_unspecified(const uint8_t *address)
{
	return memcmp(address, unspecified, sizeof(unspecified)) == 0;
}

bool ipv6_is_host(struct builtin *guest, const uint8_t *address)
{
	return !ipv6_is_multicast(address) && !ipv6_is_unspecified(address) &&
	       memcmp(address, loopback, sizeof(loopback)) != 0 &&
	       addresses_find(guest, address) == NULL;
}

bool ipv6_same_prefix(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

void ipv6_solicited_node(const uint8_t *address, uint8_t *group)
{
	static const uint8_t prefix[13] = { 0xff, 2, [11] = 1, [12] = 0xff };

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + sizeof(prefix), address + 13, 3);
}

uint64_t ipv6_pseudo_sum(const uint8_t *addresses, size_t bytes)
{
	uint64_t sum =
		(uint64_t)htonl((uint32_t)bytes) + htonl(PROTOCOL_ICMPV6);

	return checksum_add(sum, addresses, 32);
}

void ipv6_multicast_ethernet(const struct builtin *guest, uint8_t *frame,
			     const uint8_t *group)
{
	uint8_t mac[MAC_BYTES] = { 0x33, 0x33 };

	memcpy(mac + 2, group + 12, 4);
	guest_ethernet(guest, frame, mac, htons(ETHERTYPE_IPV6));
}

/* True if a destination is one of ours, and the frame's MAC fits to it. */
static bool is_for_us(struct builtin *guest, const struct packet *packet,
		      const uint8_t *destination)
{
	const struct eth_header *eth =
		(const struct eth_header *)(packet->data - sizeof(*eth));
	const struct own_address *own;
	uint8_t group[16];

	if (!ipv6_is_multicast(destination)) {
		own = addresses_find(guest, destination);
		return packet->to_us && own != NULL && addresses_is_valid(own);
	}
	/* A group's packet to our own MAC is fine too (RFC 6085). */
	if (!packet->to_us &&
	    (eth->destination[0] != 0x33 || eth->destination[1] != 0x33))
		return false;
	if (memcmp(destination, ipv6_all_nodes, sizeof(group)) == 0)
		return true;
	for (size_t i = 0; i < ADDRESSES; i++) {
		if (!addresses_is_ours(&guest->ipv6[i]))
			continue;
		ipv6_solicited_node(guest->ipv6[i].address, group);
		if (memcmp(destination, group, sizeof(group)) == 0)
			return true;
	}
	return false;
}

/* True if somebody else may send from an address. A tentative address of ours
 * is such a one: its owner tells us from it that we can't have it. */
static bool source_possible(struct builtin *guest, const uint8_t *source)
{
	const struct own_address *own = addresses_find(guest, source);

	if (own != NULL)
		return !addresses_is_valid(own);
	return ipv6_is_unspecified(source) || ipv6_is_host(guest, source);
}

/* Skips a header of options, if all of them may be skipped. */
static enum counter pull_options(struct packet *packet, uint8_t *next)
{
	const struct ipv6_options *header =
		(const struct ipv6_options *)packet->data;
	size_t bytes, at = sizeof(*header);

	if (packet->bytes < sizeof(*header))
		return STAT_RX_DROP_SHORT;
	bytes = ((size_t)header->length + 1) * 8;
	if (packet->bytes < bytes)
		return STAT_RX_DROP_MALFORMED;
	while (at < bytes) {
		uint8_t type = packet->data[at++];

		if (type == IPV6_OPTION_PAD1)
			continue;
		if (at == bytes || packet->data[at] >= bytes - at)
			return STAT_RX_DROP_MALFORMED;
		if (type & IPV6_OPTION_REFUSE)
			return STAT_RX_DROP_PROTOCOL;
		at += 1 + (size_t)packet->data[at];
	}
	*next = header->next;
	packet_pull(packet, bytes);
	return RX_DONE;
}

/* Where the walk along the headers of a packet has come to. */
struct walk {
	uint8_t next;
	size_t extension_bytes; /* before the fragment header */
	bool kept; /* a fragment: there is nothing to go on with */
};

static enum counter pull_fragment(struct builtin *guest, struct packet *packet,
				  struct walk *walk)
{
	const struct ipv6_fragment *header =
		(const struct ipv6_fragment *)packet->data;
	uint16_t offset_more;
	struct fragment piece;
	enum counter verdict;

	if (packet->bytes < sizeof(*header))
		return STAT_RX_DROP_SHORT;
	/* A datagram is fragmented once. */
	if (packet->fragmented)
		return STAT_RX_DROP_MALFORMED;
	/* Nothing is kept that can't be of use. */
	if (header->next != PROTOCOL_ICMPV6 &&
	    header->next != PROTOCOL_DESTINATION_OPTIONS)
		return STAT_RX_DROP_PROTOCOL;
	offset_more = ntohs(header->offset_more);
	piece = (struct fragment){
		.source = address_ipv6(packet->ipv6.source),
		.destination = address_ipv6(packet->ipv6.destination),
		.id = header->id,
		.next = header->next,
		.offset = offset_more & IPV6_FRAGMENT_OFFSET,
		.more = offset_more & IPV6_FRAGMENT_MORE,
		.header_bytes = walk->extension_bytes,
	};
	packet_pull(packet, sizeof(*header));
	packet->fragmented = true;
	walk->next = piece.next;
	/* An atomic fragment stands for itself (RFC 6946). */
	if (piece.offset == 0 && !piece.more)
		return RX_DONE;
	verdict = fragment_add(guest, &piece, packet);
	if (verdict != RX_DELIVER) {
		walk->kept = verdict == RX_DONE;
		return verdict;
	}
	walk->next = packet->whole->next;
	return RX_DONE;
}

/* Skips the extension headers (RFC 8200 §4) before the ICMPv6 message. */
static enum counter receive_payload(struct builtin *guest,
				    struct packet *packet, struct walk *walk)
{
	const uint8_t *start = packet->data;
	enum counter verdict = RX_DONE;

	for (unsigned int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		if (walk->next == PROTOCOL_ICMPV6)
			return RX_DELIVER;
		if (walk->next == PROTOCOL_DESTINATION_OPTIONS ||
		    (walk->next == PROTOCOL_HOP_BY_HOP && i == 0)) {
			verdict = pull_options(packet, &walk->next);
		} else if (walk->next == PROTOCOL_FRAGMENT) {
			walk->extension_bytes = (size_t)(packet->data - start);
			verdict = pull_fragment(guest, packet, walk);
			if (walk->kept)
				return RX_DONE;
		} else {
			return STAT_RX_DROP_PROTOCOL;
		}
		if (verdict != RX_DONE)
			return verdict;
	}
	return STAT_RX_DROP_PROTOCOL;
}

enum counter ipv6_receive(struct builtin *guest, struct packet *packet)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)packet->data;
	struct walk walk = { 0 };
	size_t payload_bytes;

	if (!guest_has_ipv6(guest))
		return STAT_RX_DROP_PROTOCOL;
	if (packet->bytes < sizeof(*ip))
		return STAT_RX_DROP_SHORT;
	/* There are no jumbograms (RFC 2675): a length of zero is zero. */
	payload_bytes = ntohs(ip->payload_bytes);
	if ((ip->flow & htonl(IPV6_VERSION_MASK)) != htonl(IPV6_VERSION) ||
	    packet->bytes - sizeof(*ip) < payload_bytes)
		return STAT_RX_DROP_MALFORMED;
	if (!is_for_us(guest, packet, ip->destination))
		return STAT_RX_DROP_FOREIGN;
	if (!source_possible(guest, ip->source))
		return STAT_RX_DROP_MALFORMED;

	memcpy(&packet->ipv6, ip->source, sizeof(packet->ipv6));
	packet->ttl = ip->hop_limit;
	packet->service = (uint8_t)(ntohl(ip->flow) >> 20);
	walk.next = ip->next;
	packet_pull(packet, sizeof(*ip));
	packet->bytes = payload_bytes; /* without padding */
	return receive_payload(guest, packet, &walk);
}

/* Sends payload, before which stand extension headers of extension_bytes. */
static void emit(const struct builtin *guest, uint8_t *payload, size_t bytes,
		 size_t extension_bytes, const struct ipv6_path *path)
{
	struct ipv6_header *ip =
		(struct ipv6_header *)(payload - extension_bytes - sizeof(*ip));
	uint8_t *frame = (uint8_t *)ip - sizeof(struct eth_header);

	ip->flow = htonl(IPV6_VERSION | (uint32_t)path->service << 20);
	ip->payload_bytes = htons((uint16_t)(extension_bytes + bytes));
	ip->next = extension_bytes != 0 ? PROTOCOL_FRAGMENT : PROTOCOL_ICMPV6;
	ip->hop_limit = path->hop_limit;
	memcpy(ip->source, path->source, sizeof(ip->source));
	memcpy(ip->destination, path->destination, sizeof(ip->destination));
	guest_ethernet(guest, frame, path->mac, htons(ETHERTYPE_IPV6));
	guest_transmit(guest, frame,
		       sizeof(struct eth_header) + sizeof(*ip) +
			       extension_bytes + bytes);
}

void ipv6_send(struct builtin *guest, uint8_t *icmp, size_t bytes,
	       size_t headroom, const struct ipv6_path *path)
{
	size_t room = guest->mtu - sizeof(struct ipv6_header);
	size_t offset, piece;
	uint16_t offset_more;

	if (bytes <= room) {
		emit(guest, icmp, bytes, 0, path);
		return;
	}
	if (headroom < GUEST_HEADROOM) {
		memcpy(guest->tx + GUEST_HEADROOM, icmp, bytes);
		icmp = guest->tx + GUEST_HEADROOM;
	}
	guest->ipv6_id++;
	/* Each header is written over the end of the piece before, which was
	 * sent already. */
	room = (room - sizeof(struct ipv6_fragment)) & ~(size_t)7;
	for (offset = 0; offset < bytes; offset += piece) {
		struct ipv6_fragment *header =
			(struct ipv6_fragment *)(icmp + offset) - 1;

		piece = bytes - offset < room ? bytes - offset : room;
		offset_more = (uint16_t)offset;
		if (offset + piece < bytes)
			offset_more |= IPV6_FRAGMENT_MORE;
		*header = (struct ipv6_fragment){
			.next = PROTOCOL_ICMPV6,
			.offset_more = htons(offset_more),
			.id = htonl(guest->ipv6_id),
		};
		emit(guest, icmp + offset, piece, sizeof(*header), path);
	}
}
