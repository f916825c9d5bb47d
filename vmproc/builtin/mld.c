/* SPDX-License-Identifier: ISC */
/*
 * Multicast listener discovery, version 1 (RFC 2710), for our solicited-node
 * groups. A switch that snoops keeps reports of version 1 to itself. Reports of
 * version 2 go to ff02::16, which Linux bridges flood to every port. Each
 * querier understands both (RFC 3810 §8.3).
 */
#include "vmproc/builtin/mld.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv6.h"

#define HOP_LIMIT 1 /* RFC 2710 §3 */

/* A querier forgets us after 260 s (RFC 2710 §7.4). A querier that asks again
 * within this time, as bridges do whenever a port comes, has its answer
 * already. */
#define REPORT_AGAIN_NS (60 * NS_PER_S)

/* Hop-by-hop options: router alert for MLD (RFC 2711 §2.1), then PadN. */
static const uint8_t router_alert[8] = {
	PROTOCOL_ICMPV6,  0, IPV6_OPTION_ROUTER_ALERT, 2, 0, 0,
	IPV6_OPTION_PADN, 0
};

static const uint8_t link_local[16] = { 0xfe, 0x80 };

struct report_packet {
	struct eth_header eth;
	struct ipv6_header ip;
	uint8_t options[sizeof(router_alert)];
	struct mld_message mld;
} WIRE;

static void report(struct builtin *guest, const struct own_address *own)
{
	const struct own_address *source = &guest->ipv6[ADDRESS_LINK_LOCAL];
	struct report_packet packet = {
		.mld = { .type = ICMPV6_LISTENER_REPORT },
	};
	uint64_t sum;

	memcpy(packet.options, router_alert, sizeof(router_alert));
	packet.ip = (struct ipv6_header){
		.flow = htonl(IPV6_VERSION),
		.payload_bytes =
			htons(sizeof(router_alert) + sizeof(packet.mld)),
		.next = PROTOCOL_HOP_BY_HOP,
		.hop_limit = HOP_LIMIT,
	};
	/* From :: until an address is valid (RFC 3590 §4). */
	if (addresses_is_valid(source))
		memcpy(packet.ip.source, source->address, 16);
	ipv6_solicited_node(own->address, packet.mld.group);
	memcpy(packet.ip.destination, packet.mld.group, 16);
	sum = ipv6_pseudo_sum(packet.ip.source, sizeof(packet.mld));
	packet.mld.checksum = (uint16_t)~checksum_fold(
		checksum_add(sum, &packet.mld, sizeof(packet.mld)));
	ipv6_multicast_ethernet(guest, (uint8_t *)&packet, packet.mld.group);
	guest_transmit(guest, (const uint8_t *)&packet, sizeof(packet));
}

void mld_send_report(struct builtin *guest, uint64_t now_ns)
{
	guest->mld_report_ns = 0; /* what was asked for is reported now */
	guest->mld_again_ns = guest_after(now_ns, REPORT_AGAIN_NS);
	for (size_t i = 0; i < ADDRESSES; i++)
		if (addresses_is_ours(&guest->ipv6[i]))
			report(guest, &guest->ipv6[i]);
}

enum counter mld_receive_query(struct builtin *guest, struct packet *packet)
{
	const struct mld_message *mld =
		(const struct mld_message *)packet->data;
	uint64_t now_ns = guest_now_ns(guest), delay_ns, due_ns;

	if (packet->bytes < sizeof(*mld))
		return STAT_RX_DROP_SHORT;
	/* Refuses what comes from off the link, or isn't a querier's (RFC 3810
	 * §6.2). */
	if (packet->ttl != HOP_LIMIT ||
	    !ipv6_same_prefix(packet->ipv6.source, link_local,
			      ADDRESS_LINK_LOCAL_PREFIX) ||
	    packet->fragmented || mld->code != 0)
		return STAT_RX_DROP_MALFORMED;
	if (now_ns < guest->mld_again_ns)
		return RX_DONE;
	/* All our groups are reported, whichever one is asked for: they are
	 * few. The earliest answer to several queries answers all of them. */
	delay_ns = guest_random(guest) % (ntohs(mld->delay_ms) * NS_PER_MS + 1);
	due_ns = guest_after(now_ns, delay_ns);
	if (guest->mld_report_ns == 0 || due_ns < guest->mld_report_ns)
		guest->mld_report_ns = due_ns;
	guest_wake(guest, guest->mld_report_ns);
	return RX_DONE;
}

void mld_tick(struct builtin *guest, uint64_t now_ns)
{
	if (guest->mld_report_ns == 0)
		return;
	if (now_ns < guest->mld_report_ns)
		guest_wake(guest, guest->mld_report_ns);
	else if (guest_has_ipv6(guest))
		mld_send_report(guest, now_ns);
	else /* if IPv6 comes back, its addresses begin with a report */
		guest->mld_report_ns = 0;
}
