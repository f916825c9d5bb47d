/* SPDX-License-Identifier: ISC */
/*
 * Echo requests of our own, several at once. Each has an identifier and a
 * payload of its own, so that a reply belongs to one of them only. Its timeout
 * begins when the ping is asked for, its round trip when the request is sent.
 */
#include "vmproc/builtin/ping.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv4.h"
#include "vmproc/builtin/ipv6.h"
#include "vmproc/builtin/route.h"

static_assert(sizeof(struct icmp_echo) + PING_PAYLOAD_MAX <=
		      IPV4_PACKET_MAX - sizeof(struct ipv4_header),
	      "the longest ping fits into a datagram");

/* Ends a ping. Its slot is free before the result is told. */
static void finish(struct builtin *guest, struct ping *ping,
		   struct msg_ping_result *result)
{
	result->id = ping->id;
	if (ping->state != PING_STATE_SENT && result->status != PING_REPLY)
		guest->counters[STAT_TX_DROP_UNRESOLVED]++;
	ping->state = PING_STATE_FREE;
	guest->ops.ping_result(guest->ops.ctx, result);
}

static void finish_without(struct builtin *guest, struct ping *ping,
			   enum ping_status status)
{
	struct msg_ping_result result = { .status = status };

	finish(guest, ping, &result);
}

static uint8_t pattern_byte(uint64_t pattern, size_t at)
{
	return (uint8_t)((pattern >> at % 8 * 8) + at / 8);
}

static bool payload_right(const struct ping *ping, const struct packet *packet)
{
	const uint8_t *payload = packet->data + sizeof(struct icmp_echo);

	if (packet->bytes - sizeof(struct icmp_echo) != ping->payload_bytes)
		return false;
	for (size_t i = 0; i < ping->payload_bytes; i++)
		if (payload[i] != pattern_byte(ping->pattern, i))
			return false;
	return true;
}

/* Writes the request. Returns its length. */
static size_t build(const struct ping *ping, uint8_t *message)
{
	struct icmp_echo *icmp = (struct icmp_echo *)message;
	bool ipv4 = ping->target.family == AF_INET;

	*icmp = (struct icmp_echo){
		.type = ipv4 ? ICMP_TYPE_ECHO_REQUEST : ICMPV6_ECHO_REQUEST,
		.identifier = htons(ping->identifier),
		.sequence = htons(ping->sequence),
	};
	for (size_t i = 0; i < ping->payload_bytes; i++)
		message[sizeof(*icmp) + i] = pattern_byte(ping->pattern, i);
	return sizeof(*icmp) + ping->payload_bytes;
}

static void send_ipv4(struct builtin *guest, const struct ping *ping,
		      const uint8_t *mac)
{
	uint8_t *message = guest->tx + GUEST_HEADROOM;
	size_t bytes = build(ping, message);

	((struct icmp_echo *)message)->checksum =
		(uint16_t)~checksum_fold(checksum_add(0, message, bytes));
	ipv4_send(guest, message, bytes, address_to_ipv4(&ping->target), mac,
		  0);
}

static void send_ipv6(struct builtin *guest, struct ping *ping,
		      const uint8_t *mac)
{
	const struct own_address *own = route_source(guest, ping->target.bytes);
	uint8_t *message = guest->tx + GUEST_HEADROOM;
	size_t bytes = build(ping, message);
	uint8_t addresses[32];
	const struct ipv6_path path = {
		.mac = mac,
		.source = addresses,
		.destination = addresses + 16,
		.hop_limit = GUEST_TTL,
	};

	/* The address was lost while the next hop was asked for: the ping will
	 * time out. */
	if (own == NULL || !addresses_is_valid(own) || !guest_has_ipv6(guest))
		return;
	memcpy(ping->source, own->address, 16);
	memcpy(addresses, ping->source, 16);
	memcpy(addresses + 16, ping->target.bytes, 16);
	((struct icmp_echo *)message)->checksum =
		(uint16_t)~checksum_fold(checksum_add(
			ipv6_pseudo_sum(addresses, bytes), message, bytes));
	ipv6_send(guest, message, bytes, GUEST_HEADROOM, &path);
}

/* Sends a ping, if its next hop is known. */
static void try_neighbour(struct builtin *guest, struct ping *ping,
			  uint64_t now_ns)
{
	const uint8_t *mac;

	ping->state = PING_STATE_NEIGHBOUR;
	mac = neighbour_resolve(guest, &ping->target, now_ns);
	if (mac == NULL)
		return;
	ping->state = PING_STATE_SENT;
	ping->sent_ns = now_ns;
	if (ping->target.family == AF_INET)
		send_ipv4(guest, ping, mac);
	else
		send_ipv6(guest, ping, mac);
}

/* Does the steps of a ping that can be done now. */
static void advance(struct builtin *guest, struct ping *ping, uint64_t now_ns)
{
	struct msg_ping_result result = {
		.status = PING_REPLY,
		.ttl = GUEST_TTL,
		.payload_bytes = ping->payload_bytes,
	};

	switch (route_find(guest, &ping->target)) {
	case ROUTE_NONE:
		finish_without(guest, ping, PING_UNREACHABLE);
		break;
	case ROUTE_SELF:
		finish(guest, ping, &result);
		break;
	case ROUTE_DIRECT:
		try_neighbour(guest, ping, now_ns);
		break;
	case ROUTE_WAIT:
		ping->state = PING_STATE_ADDRESS;
		break;
	}
}

static struct ping *find_free(struct builtin *guest)
{
	for (size_t i = 0; i < PINGS; i++)
		if (guest->pings[i].state == PING_STATE_FREE)
			return &guest->pings[i];
	return NULL;
}

/* An identifier that no other ping under way has. */
static uint16_t new_identifier(struct builtin *guest)
{
	uint16_t identifier;
	size_t i;

	do {
		identifier = (uint16_t)guest_random(guest);
		for (i = 0; i < PINGS; i++)
			if (guest->pings[i].state != PING_STATE_FREE &&
			    guest->pings[i].identifier == identifier)
				break;
	} while (i < PINGS);
	return identifier;
}

void ping_begin(struct builtin *guest, const struct msg_ping *request,
		uint64_t now_ns)
{
	struct msg_ping_result refusal = { .id = request->id };
	struct ping *ping = find_free(guest);

	refusal.status = PING_UNREACHABLE;
	if ((request->family != AF_INET && request->family != AF_INET6) ||
	    request->payload_bytes > PING_PAYLOAD_MAX) {
		guest->ops.ping_result(guest->ops.ctx, &refusal);
		return;
	}
	if (ping == NULL) {
		refusal.status = PING_BUSY;
		guest->ops.ping_result(guest->ops.ctx, &refusal);
		return;
	}
	*ping = (struct ping){
		.target = request->family == AF_INET
				  ? address_ipv4(request->target.ipv4.s_addr)
				  : address_ipv6(request->target.ipv6.s6_addr),
		.identifier = new_identifier(guest),
		.sequence = request->sequence,
		.payload_bytes = request->payload_bytes,
		.id = request->id,
		.pattern = guest_random(guest),
		.deadline_ns =
			guest_after(now_ns, request->timeout_ms * NS_PER_MS),
	};
	guest_wake(guest, ping->deadline_ns);
	advance(guest, ping, now_ns);
}

enum counter ping_receive(struct builtin *guest, const struct packet *packet,
			  const struct address *source)
{
	const struct icmp_echo *icmp = (const struct icmp_echo *)packet->data;
	uint64_t now_ns = guest_now_ns(guest);
	struct ping *ping;

	for (ping = guest->pings; ping < guest->pings + PINGS; ping++)
		if (ping->state == PING_STATE_SENT &&
		    icmp->identifier == htons(ping->identifier) &&
		    icmp->sequence == htons(ping->sequence) &&
		    address_equal(source, &ping->target))
			break;
	/* It is no ping's reply, or it is late. */
	if (ping == guest->pings + PINGS)
		return STAT_RX_DROP_PROTOCOL;
	if (source->family == AF_INET6 &&
	    memcmp(packet->ipv6.destination, ping->source, 16) != 0)
		return STAT_RX_DROP_PROTOCOL;
	if (!payload_right(ping, packet))
		return STAT_RX_DROP_MALFORMED;
	neighbour_confirm(guest, source, packet->source_mac, now_ns);
	finish(guest, ping,
	       &(struct msg_ping_result){
		       .status = PING_REPLY,
		       .rtt_ns = now_ns > ping->sent_ns ? now_ns - ping->sent_ns
							: 0,
		       .ttl = packet->ttl,
		       .payload_bytes = ping->payload_bytes,
	       });
	return RX_DONE;
}

static bool waits_for(const struct ping *ping, const struct address *next_hop)
{
	return ping->state == PING_STATE_NEIGHBOUR &&
	       address_equal(&ping->target, next_hop);
}

static void ping_resolved(struct builtin *guest, const struct address *next_hop,
			  uint64_t now_ns)
{
	for (size_t i = 0; i < PINGS; i++)
		if (waits_for(&guest->pings[i], next_hop))
			try_neighbour(guest, &guest->pings[i], now_ns);
}

static void ping_unreachable(struct builtin *guest,
			     const struct address *next_hop)
{
	for (size_t i = 0; i < PINGS; i++)
		if (waits_for(&guest->pings[i], next_hop))
			finish_without(guest, &guest->pings[i],
				       PING_UNREACHABLE);
}

const struct neighbour_ops ping_neighbour_ops = {
	.resolved = ping_resolved,
	.unreachable = ping_unreachable,
};

void ping_addresses_changed(struct builtin *guest, uint64_t now_ns)
{
	for (size_t i = 0; i < PINGS; i++)
		if (guest->pings[i].state == PING_STATE_ADDRESS)
			advance(guest, &guest->pings[i], now_ns);
}

void ping_tick(struct builtin *guest, uint64_t now_ns)
{
	for (size_t i = 0; i < PINGS; i++) {
		struct ping *ping = &guest->pings[i];

		if (ping->state == PING_STATE_FREE)
			continue;
		if (now_ns < ping->deadline_ns) {
			guest_wake(guest, ping->deadline_ns);
			continue;
		}
		if (ping->state == PING_STATE_NEIGHBOUR)
			neighbour_cancel(guest, &ping->target);
		finish_without(guest, ping, PING_TIMEOUT);
	}
}
