/* SPDX-License-Identifier: ISC */
/*
 * IPv4 (RFC 791, RFC 1122 §3.2): one address, no router, ICMP only. Packets
 * for anybody else, broadcast and multicast included, are dropped.
 */
#include "vmproc/builtin/ipv4.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"

uint32_t ipv4_mask(unsigned int prefix)
{
	return prefix == 0 ? 0 : htonl(UINT32_MAX << (32 - prefix));
}

bool ipv4_is_unicast(uint32_t address, uint32_t network, uint32_t mask)
{
	unsigned int first = ntohl(address) >> 24;
	/* Two hosts or one: no broadcast address (RFC 3021). */
	bool has_broadcast = ntohl(~mask) > 1;

	if (first == 0 || first == 127 || first >= 224)
		return false;
	if (!has_broadcast || ((address ^ network) & mask) != 0)
		return true;
	return (address & ~mask) != 0 && (address & ~mask) != ~mask;
}

bool ipv4_is_host(const struct builtin *guest, uint32_t address)
{
	return address != guest->ipv4 &&
	       ipv4_is_unicast(address, guest->ipv4, guest->ipv4_mask);
}

bool ipv4_on_link(const struct builtin *guest, uint32_t address)
{
	return ((address ^ guest->ipv4) & guest->ipv4_mask) == 0;
}

/* Checks the options of a header (RFC 791 §3.1). None is acted on. A packet
 * with a source route is refused: we aren't its destination. */
static enum counter check_options(const uint8_t *option, size_t bytes)
{
	size_t length;

	while (bytes > 0 && *option != IPV4_OPTION_END) {
		length = 1;
		if (*option != IPV4_OPTION_NOP) {
			if (bytes < 2 || option[1] < 2 || option[1] > bytes)
				return STAT_RX_DROP_MALFORMED;
			length = option[1];
		}
		if (*option == IPV4_OPTION_LOOSE_ROUTE ||
		    *option == IPV4_OPTION_STRICT_ROUTE)
			return STAT_RX_DROP_PROTOCOL;
		option += length;
		bytes -= length;
	}
	return RX_DONE;
}

/* Checks a header, and that it is for us; RX_DONE if so. */
static enum counter check_header(const struct builtin *guest,
				 const struct packet *packet)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)packet->data;
	size_t header_bytes, total_bytes;

	if (packet->bytes < sizeof(*ip))
		return STAT_RX_DROP_SHORT;
	header_bytes = (size_t)(ip->version_length & 0xf) * 4;
	total_bytes = ntohs(ip->total_bytes);
	if (ip->version_length >> 4 != 4 || header_bytes < sizeof(*ip) ||
	    total_bytes < header_bytes)
		return STAT_RX_DROP_MALFORMED;
	if (packet->bytes < header_bytes)
		return STAT_RX_DROP_SHORT;
	if (packet->bytes < total_bytes)
		return STAT_RX_DROP_MALFORMED;
	if (checksum_fold(checksum_add(0, ip, header_bytes)) !=
	    CHECKSUM_CORRECT)
		return STAT_RX_DROP_CHECKSUM;
	if (ip->destination != guest->ipv4)
		return STAT_RX_DROP_FOREIGN;
	if (!ipv4_is_host(guest, ip->source))
		return STAT_RX_DROP_MALFORMED;
	if (header_bytes > sizeof(*ip)) {
		enum counter verdict = check_options(
			packet->data + sizeof(*ip), header_bytes - sizeof(*ip));

		if (verdict != RX_DONE)
			return verdict;
	}
	if (ip->protocol != PROTOCOL_ICMP)
		return STAT_RX_DROP_PROTOCOL;
	return RX_DONE;
}

static enum counter receive_fragment(struct builtin *guest,
				     struct packet *packet,
				     const struct ipv4_header *ip)
{
	uint16_t fragment = ntohs(ip->fragment);
	const struct fragment piece = {
		.source = address_ipv4(ip->source),
		.destination = address_ipv4(ip->destination),
		.id = ip->id,
		.next = ip->protocol,
		.offset = (size_t)(fragment & IPV4_OFFSET) * 8,
		.more = fragment & IPV4_MORE_FRAGMENTS,
		.header_bytes = (size_t)(ip->version_length & 0xf) * 4,
	};

	return fragment_add(guest, &piece, packet);
}

enum counter ipv4_receive(struct builtin *guest, struct packet *packet)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)packet->data;
	enum counter verdict;

	/* A group's frame never carries what we answer (RFC 1122 §3.3.6). */
	if (!packet->to_us)
		return STAT_RX_DROP_FOREIGN;
	verdict = check_header(guest, packet);
	if (verdict != RX_DONE)
		return verdict;
	packet->ttl = ip->ttl;
	packet->service = ip->service;
	packet->ipv4_source = ip->source;
	packet->bytes = ntohs(ip->total_bytes); /* without padding */
	packet_pull(packet, (size_t)(ip->version_length & 0xf) * 4);
	if (ip->fragment & htons(IPV4_MORE_FRAGMENTS | IPV4_OFFSET))
		return receive_fragment(guest, packet, ip);
	return RX_DELIVER;
}

/* The fields of a header that differ from packet to packet. */
struct header_fields {
	uint32_t destination;
	uint16_t id;
	uint16_t fragment;
	uint8_t service;
};

static void emit(const struct builtin *guest, uint8_t *payload, size_t bytes,
		 const uint8_t *mac, const struct header_fields *fields)
{
	struct ipv4_header *ip = (struct ipv4_header *)(payload - sizeof(*ip));
	uint8_t *frame = payload - sizeof(*ip) - sizeof(struct eth_header);
	uint16_t total_bytes = (uint16_t)(sizeof(*ip) + bytes);
	uint64_t sum;

	/* From values, not from the bytes: those were only just written. */
	sum = (uint64_t)guest->ipv4 + fields->destination;
	sum += htons((uint16_t)(0x4500 | fields->service));
	sum += htons(total_bytes);
	sum += htons(fields->id);
	sum += htons(fields->fragment);
	sum += htons(GUEST_TTL << 8 | PROTOCOL_ICMP);
	*ip = (struct ipv4_header){
		.version_length = 0x45,
		.service = fields->service,
		.total_bytes = htons(total_bytes),
		.id = htons(fields->id),
		.fragment = htons(fields->fragment),
		.ttl = GUEST_TTL,
		.protocol = PROTOCOL_ICMP,
		.checksum = (uint16_t)~checksum_fold(sum),
		.source = guest->ipv4,
		.destination = fields->destination,
	};
	guest_ethernet(guest, frame, mac, htons(ETHERTYPE_IPV4));
	guest_transmit(guest, frame, sizeof(struct eth_header) + total_bytes);
}

void ipv4_send(struct builtin *guest, uint8_t *icmp, size_t bytes,
	       uint32_t destination, const uint8_t *mac, uint8_t service)
{
	struct header_fields fields = {
		.destination = destination,
		.id = guest->ipv4_id++,
		.service = service,
	};
	size_t room = guest->mtu - sizeof(struct ipv4_header);
	size_t offset, piece;

	if (bytes <= room) {
		emit(guest, icmp, bytes, mac, &fields);
		return;
	}
	/* Each header is written over the end of the piece before, which has
	 * been sent by then. */
	room &= ~(size_t)7;
	for (offset = 0; offset < bytes; offset += piece) {
		piece = bytes - offset < room ? bytes - offset : room;
		fields.fragment = (uint16_t)(offset / 8);
		if (offset + piece < bytes)
			fields.fragment |= IPV4_MORE_FRAGMENTS;
		emit(guest, icmp + offset, piece, mac, &fields);
	}
}
