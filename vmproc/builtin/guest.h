/* SPDX-License-Identifier: ISC */
/* The builtin guest's state, and small functions that all its files use. */
#ifndef VMSUP_VMPROC_GUEST_H
#define VMSUP_VMPROC_GUEST_H

#include "vmproc/builtin/addresses.h"
#include "vmproc/builtin/builtin.h"
#include "vmproc/builtin/fragment.h"
#include "vmproc/builtin/neighbour.h"
#include "vmproc/builtin/packet.h"
#include "vmproc/builtin/ping.h"
#include "vmproc/builtin/wire.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* Linux's value; RFC 1122 §3.2.1.7 and RFC 8200 §3 leave it open. */
#define GUEST_TTL 64

/* Room for every header that is ever put before an ICMP message. */
#define GUEST_HEADROOM 64
static_assert(GUEST_HEADROOM >= sizeof(struct eth_header) +
					sizeof(struct ipv6_header) +
					sizeof(struct ipv6_fragment),
	      "the longest headers fit");

/*
 * An echo reply needs the first members. The last ones are large, and untouched
 * until a ping or a fragment needs them: up to then they cost no memory.
 */
struct builtin {
	uint8_t mac[MAC_BYTES];
	uint16_t ipv4_id; /* of the next packet sent */
	uint32_t ipv4; /* network byte order, like the mask */
	uint32_t ipv4_mask;
	uint32_t mtu;
	uint64_t *counters; /* by enum counter */
	struct builtin_ops ops;
	const struct neighbour_ops *neighbour_ops;
	struct own_address ipv6[ADDRESSES];
	uint64_t deadline_ns;
	uint64_t mld_report_ns; /* when reports are due; 0: none are */
	uint64_t mld_again_ns; /* until then, queries count as answered */
	uint64_t random; /* state of guest_random() */
	uint32_t ipv6_id; /* of the next packet sent in fragments */
	struct ping pings[PINGS];
	struct fragment_slot slots[FRAGMENT_SLOTS];
	struct neighbour neighbours[NEIGHBOURS];

	struct fragment_buffer buffers[FRAGMENT_SLOTS];
	uint8_t tx[GUEST_HEADROOM + IPV6_PAYLOAD_MAX];
};

/* now_ns plus delay_ns; UINT64_MAX if that overflows. */
static inline uint64_t guest_after(uint64_t now_ns, uint64_t delay_ns)
{
	uint64_t then_ns;

	if (__builtin_add_overflow(now_ns, delay_ns, &then_ns))
		return UINT64_MAX;
	return then_ns;
}

/* Asks for a tick at then_ns or before. */
static inline void guest_wake(struct builtin *guest, uint64_t then_ns)
{
	if (then_ns < guest->deadline_ns)
		guest->deadline_ns = then_ns;
}

/* A number that differs per process and per call (SplitMix64). It isn't
 * secret. */
static inline uint64_t guest_random(struct builtin *guest)
{
	uint64_t z = guest->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* RFC 8200 §5: no IPv6 on a link that can't carry 1280 bytes. */
static inline bool guest_has_ipv6(const struct builtin *guest)
{
	return guest->mtu >= IPV6_MTU_MIN;
}

/* True if a MAC names one station: no group, not all zero. */
static inline bool guest_mac_unicast(const uint8_t *mac)
{
	return !(mac[0] & 1) &&
	       (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/* True if a MAC can be that of another station. */
static inline bool guest_mac_other(const struct builtin *guest,
				   const uint8_t *mac)
{
	return guest_mac_unicast(mac) &&
	       memcmp(mac, guest->mac, MAC_BYTES) != 0;
}

/* Writes the Ethernet header of a frame of ours. */
static inline void guest_ethernet(const struct builtin *guest, uint8_t *frame,
				  const uint8_t *destination, uint16_t type_be)
{
	struct eth_header *eth = (struct eth_header *)frame;

	memcpy(eth->destination, destination, MAC_BYTES);
	memcpy(eth->source, guest->mac, MAC_BYTES);
	eth->type = type_be;
}

/* The time. Most frames are answered without it. */
static inline uint64_t guest_now_ns(const struct builtin *guest)
{
	return guest->ops.now_ns(guest->ops.ctx);
}

static inline void guest_transmit(const struct builtin *guest,
				  const uint8_t *frame, size_t bytes)
{
	guest->ops.transmit(guest->ops.ctx, frame, bytes);
}

#endif
