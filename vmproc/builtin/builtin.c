/* SPDX-License-Identifier: ISC */
/*
 * The builtin guest: Ethernet, and what connects its other files.
 * builtin_receive() takes a frame and hands it up, through one receive function
 * for each protocol; what became of the frame is counted here, once.
 */
#include "vmproc/builtin/builtin.h"

#include <arpa/inet.h>
#include <errno.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/builtin/arp.h"
#include "vmproc/builtin/dad.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/icmp.h"
#include "vmproc/builtin/icmpv6.h"
#include "vmproc/builtin/ipv4.h"
#include "vmproc/builtin/ipv6.h"
#include "vmproc/builtin/mld.h"

static struct builtin instance;

struct builtin *builtin_instance(void)
{
	return &instance;
}

/* NULL, or what is wrong with a configuration. */
static const char *config_problem(const struct builtin_config *config)
{
	if (!guest_mac_unicast(config->mac))
		return "the MAC address is not that of one station";
	if (config->mtu < BUILTIN_MTU_MIN || config->mtu > BUILTIN_MTU_MAX)
		return "the MTU is out of range (68 to 65521)";
	if (config->ipv4_prefix > 32)
		return "the IPv4 prefix length is over 32";
	if (!ipv4_is_unicast(config->ipv4.s_addr, config->ipv4.s_addr,
			     ipv4_mask(config->ipv4_prefix)))
		return "the IPv4 address is not that of one host";
	if (config->ipv6_prefix > 128)
		return "the IPv6 prefix length is over 128";
	if (IN6_IS_ADDR_MULTICAST(&config->ipv6) ||
	    IN6_IS_ADDR_LOOPBACK(&config->ipv6))
		return "the IPv6 address is not that of one host";
	return NULL;
}

int builtin_init(struct builtin *guest, const struct builtin_config *config,
		 const struct builtin_ops *ops, uint64_t *counters,
		 uint64_t now_ns)
{
	const char *problem = config_problem(config);

	if (problem != NULL) {
		log_error("cannot start the builtin guest: %s (correct the "
			  "VM's configuration)",
			  problem);
		return -EINVAL;
	}
	/* The members from there on are large, and need no first value. */
	memset(guest, 0, offsetof(struct builtin, buffers));
	memcpy(guest->mac, config->mac, MAC_BYTES);
	guest->ipv4 = config->ipv4.s_addr;
	guest->ipv4_mask = ipv4_mask(config->ipv4_prefix);
	guest->mtu = config->mtu;
	guest->counters = counters;
	guest->ops = *ops;
	guest->deadline_ns = UINT64_MAX;
	guest->random = config->seed;
	guest->ipv4_id = (uint16_t)guest_random(guest);
	guest->ipv6_id = (uint32_t)guest_random(guest);
	guest->neighbour_ops = &ping_neighbour_ops;
	addresses_init(guest, config);
	dad_restart(guest);
	builtin_tick(guest, now_ns);
	return 0;
}

/* The most frequent first. */
static const struct {
	uint16_t ethertype;
	enum counter (*receive)(struct builtin *guest, struct packet *packet);
	/* Takes what receive() leaves with RX_DELIVER. */
	enum counter (*deliver)(struct builtin *guest, struct packet *packet);
} protocols[] = {
	{ ETHERTYPE_IPV4, ipv4_receive, icmp_receive },
	{ ETHERTYPE_IPV6, ipv6_receive, icmpv6_receive },
	{ ETHERTYPE_ADDRESS_RESOLUTION, arp_receive, NULL },
};

static enum counter hand_on(struct builtin *guest, struct packet *packet,
			    uint16_t ethertype)
{
	enum counter verdict;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (ethertype != protocols[i].ethertype)
			continue;
		verdict = protocols[i].receive(guest, packet);
		if (verdict == RX_DELIVER)
			verdict = protocols[i].deliver(guest, packet);
		if (packet->whole != NULL)
			fragment_release(packet->whole);
		return verdict;
	}
	return STAT_RX_DROP_ETHERTYPE;
}

static enum counter receive(struct builtin *guest, struct packet *packet)
{
	const struct eth_header *eth = (const struct eth_header *)packet->data;
	uint16_t ethertype;

	if (packet->bytes < sizeof(*eth))
		return STAT_RX_DROP_SHORT;
	packet->to_us = memcmp(eth->destination, guest->mac, MAC_BYTES) == 0;
	if (!packet->to_us && !(eth->destination[0] & 1))
		return STAT_RX_DROP_FOREIGN;
	/* A reply goes to one station, which isn't this one. */
	if (!guest_mac_other(guest, eth->source))
		return STAT_RX_DROP_MALFORMED;
	memcpy(packet->source_mac, eth->source, MAC_BYTES);
	ethertype = ntohs(eth->type);
	packet_pull(packet, sizeof(*eth));
	return hand_on(guest, packet, ethertype);
}

void builtin_receive(struct builtin *guest, uint8_t *frame, size_t bytes)
{
	struct packet packet = {
		.data = frame,
		.bytes = bytes,
		.frames = 1,
	};
	enum counter verdict = receive(guest, &packet);

	if (verdict != RX_DONE)
		guest->counters[verdict] += packet.frames;
}

uint64_t builtin_deadline_ns(const struct builtin *guest)
{
	return guest->deadline_ns;
}

void builtin_tick(struct builtin *guest, uint64_t now_ns)
{
	if (now_ns < guest->deadline_ns)
		return;
	/* Each of them sets the deadline that it still needs. */
	guest->deadline_ns = UINT64_MAX;
	dad_tick(guest, now_ns);
	mld_tick(guest, now_ns);
	ping_tick(guest, now_ns);
	neighbour_tick(guest, now_ns);
	fragment_tick(guest, now_ns);
}

void builtin_ping(struct builtin *guest, const struct msg_ping *request,
		  uint64_t now_ns)
{
	ping_begin(guest, request, now_ns);
}

void builtin_set_mtu(struct builtin *guest, uint32_t mtu)
{
	bool had_ipv6 = guest_has_ipv6(guest);

	if (mtu < BUILTIN_MTU_MIN)
		mtu = BUILTIN_MTU_MIN;
	if (mtu > BUILTIN_MTU_MAX)
		mtu = BUILTIN_MTU_MAX;
	guest->mtu = mtu;
	if (guest_has_ipv6(guest) && !had_ipv6)
		dad_restart(guest);
}
