/* SPDX-License-Identifier: ISC */
/*
 * ICMP echo (RFC 792, RFC 1122 §3.2.2.6). No error message is ever sent, and
 * none is believed.
 */
#include "vmproc/builtin/icmp.h"

#include <arpa/inet.h>

#include "vmproc/builtin/checksum.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv4.h"

static enum counter answer(struct builtin *guest, struct packet *packet,
			   struct icmp_echo *icmp)
{
	icmp->type = ICMP_TYPE_ECHO_REPLY;
	/* The word of type and code became smaller by 0x0800, so the inverse
	 * sum becomes larger by as much (RFC 1624). */
	icmp->checksum = checksum_adjust(icmp->checksum,
					 htons(ICMP_TYPE_ECHO_REQUEST << 8));
	ipv4_send(guest, packet->data, packet->bytes, packet->ipv4_source,
		  packet->source_mac, packet->service);
	return RX_DONE;
}

enum counter icmp_receive(struct builtin *guest, struct packet *packet)
{
	struct icmp_echo *icmp = (struct icmp_echo *)packet->data;
	struct address source;

	if (packet->bytes < sizeof(*icmp))
		return STAT_RX_DROP_SHORT;
	if (checksum_fold(checksum_add(0, packet->data, packet->bytes)) !=
	    CHECKSUM_CORRECT)
		return STAT_RX_DROP_CHECKSUM;
	if (icmp->type != ICMP_TYPE_ECHO_REQUEST &&
	    icmp->type != ICMP_TYPE_ECHO_REPLY)
		return STAT_RX_DROP_PROTOCOL;
	if (icmp->code != 0)
		return STAT_RX_DROP_MALFORMED;
	if (icmp->type == ICMP_TYPE_ECHO_REQUEST)
		return answer(guest, packet, icmp);
	source = address_ipv4(packet->ipv4_source);
	return ping_receive(guest, packet, &source);
}
