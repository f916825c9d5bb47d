/* SPDX-License-Identifier: ISC */
/*
 * ICMPv6 (RFC 4443). Unlike RFC 4443 §4.2 has it, an echo request to a group
 * is not answered: with a thousand of us on one bridge, each ping of ff02::1
 * would come back a thousandfold.
 */
#include "vmproc/builtin/icmpv6.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv6.h"
#include "vmproc/builtin/mld.h"
#include "vmproc/builtin/ndp.h"

/* Checks that are the same for request and reply. */
static enum counter check_echo(struct builtin *guest,
			       const struct packet *packet,
			       const struct icmp_echo *icmp)
{
	if (packet->bytes < sizeof(*icmp))
		return STAT_RX_DROP_SHORT;
	if (icmp->code != 0 || !ipv6_is_host(guest, packet->ipv6.source))
		return STAT_RX_DROP_MALFORMED;
	if (ipv6_is_multicast(packet->ipv6.destination))
		return STAT_RX_DROP_FOREIGN;
	return RX_DONE;
}

static enum counter echo_request(struct builtin *guest, struct packet *packet)
{
	struct icmp_echo *icmp = (struct icmp_echo *)packet->data;
	enum counter verdict = check_echo(guest, packet, icmp);
	const struct ipv6_path path = {
		.mac = packet->source_mac,
		.source = packet->ipv6.destination,
		.destination = packet->ipv6.source,
		.hop_limit = GUEST_TTL,
		.service = packet->service,
	};

	if (verdict != RX_DONE)
		return verdict;
	icmp->type = ICMPV6_ECHO_REPLY;
	/* The word of type and code became larger by 0x0100, so the inverse
	 * sum becomes smaller by as much (RFC 1624). */
	icmp->checksum = checksum_adjust(
		icmp->checksum,
		htons((uint16_t) ~((ICMPV6_ECHO_REPLY - ICMPV6_ECHO_REQUEST)
				   << 8)));
	ipv6_send(guest, packet->data, packet->bytes, packet->headroom, &path);
	return RX_DONE;
}

static enum counter echo_reply(struct builtin *guest, struct packet *packet)
{
	const struct icmp_echo *icmp = (const struct icmp_echo *)packet->data;
	enum counter verdict = check_echo(guest, packet, icmp);
	struct address source = address_ipv6(packet->ipv6.source);

	return verdict != RX_DONE ? verdict
				  : ping_receive(guest, packet, &source);
}

static const struct {
	uint8_t type;
	enum counter (*receive)(struct builtin *guest, struct packet *packet);
} messages[] = {
	{ ICMPV6_ECHO_REQUEST, echo_request },
	{ ICMPV6_ECHO_REPLY, echo_reply },
	{ ICMPV6_SOLICITATION, ndp_receive_solicitation },
	{ ICMPV6_ADVERTISEMENT, ndp_receive_advertisement },
	{ ICMPV6_LISTENER_QUERY, mld_receive_query },
};

enum counter icmpv6_receive(struct builtin *guest, struct packet *packet)
{
	uint64_t sum;

	/* Type, code and checksum. */
	if (packet->bytes < 4)
		return STAT_RX_DROP_SHORT;
	sum = ipv6_pseudo_sum(packet->ipv6.source, packet->bytes);
	sum = checksum_add(sum, packet->data, packet->bytes);
	if (checksum_fold(sum) != CHECKSUM_CORRECT)
		return STAT_RX_DROP_CHECKSUM;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++)
		if (packet->data[0] == messages[i].type)
			return messages[i].receive(guest, packet);
	return STAT_RX_DROP_PROTOCOL;
}
