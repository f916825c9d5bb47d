/* SPDX-License-Identifier: ISC */
/*
 * Multicast listener reports, version 2 (RFC 3810 §5.2): joins only. Queries
 * are not answered; a bridge without a querier never sends them, and one whose
 * entry for us ran out floods the group.
 */
#include "vmproc/builtin/mld.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv6.h"

/* Hop-by-hop options: router alert for MLD (RFC 2711 §2.1), then PadN. */
static const uint8_t router_alert[8] = {
	PROTOCOL_ICMPV6,  0, IPV6_OPTION_ROUTER_ALERT, 2, 0, 0,
	IPV6_OPTION_PADN, 0
};

/* ff02::16, all listeners of version 2 */
static const uint8_t all_mldv2[16] = { 0xff, 2, [15] = 0x16 };

struct report_packet {
	struct eth_header eth;
	struct ipv6_header ip;
	uint8_t options[sizeof(router_alert)];
	struct mld_report report;
	struct mld_record records[DAD_ADDRESSES];
} WIRE;

/* One record for each address there is; returns how many. */
static unsigned int add_records(const struct builtin *guest,
				struct mld_record *records)
{
	unsigned int count = 0;

	for (size_t i = 0; i < DAD_ADDRESSES; i++) {
		const struct dad_address *own = &guest->ipv6[i];

		if (!dad_is_hoped(own))
			continue;
		records[count] = (struct mld_record){
			.type = MLD_CHANGE_TO_EXCLUDE,
		};
		ipv6_solicited_node(own->address, records[count].group);
		count++;
	}
	return count;
}

void mld_send_report(struct builtin *guest)
{
	const struct dad_address *link_local = &guest->ipv6[DAD_LINK_LOCAL];
	struct report_packet packet = {
		.report = { .type = ICMPV6_LISTENER_REPORT },
	};
	unsigned int records = add_records(guest, packet.records);
	size_t bytes =
		sizeof(packet.report) + records * sizeof(*packet.records);
	uint64_t sum;

	memcpy(packet.options, router_alert, sizeof(router_alert));
	packet.report.records = htons((uint16_t)records);
	packet.ip = (struct ipv6_header){
		.flow = htonl(IPV6_VERSION),
		.payload_bytes =
			htons((uint16_t)(sizeof(router_alert) + bytes)),
		.next = PROTOCOL_HOP_BY_HOP,
		.hop_limit = 1,
	};
	/* From :: as long as there is nothing better (RFC 3590 §4). */
	if (dad_is_valid(link_local))
		memcpy(packet.ip.source, link_local->address, 16);
	memcpy(packet.ip.destination, all_mldv2, sizeof(all_mldv2));
	sum = ipv6_pseudo_sum(packet.ip.source, bytes);
	packet.report.checksum = (uint16_t)~checksum_fold(
		checksum_add(sum, &packet.report, bytes));
	ipv6_multicast_ethernet(guest, (uint8_t *)&packet, all_mldv2);
	guest_transmit(guest, (const uint8_t *)&packet,
		       offsetof(struct report_packet, report) + bytes);
}
