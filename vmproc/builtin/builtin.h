/* SPDX-License-Identifier: ISC */
/*
 * The builtin guest: a network host in user space, one Ethernet port. ARP,
 * IPv4, ICMP echo; IPv6, neighbour discovery, duplicate address detection,
 * ICMPv6 echo. No system call, no heap, no clock of its own: frames, time and
 * the way out are handed in, so that tests and fuzzers drive all of it.
 */
#ifndef VMSUP_VMPROC_BUILTIN_H
#define VMSUP_VMPROC_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/proto.h"

#define BUILTIN_MTU_MIN 68 /* RFC 791 */
#define BUILTIN_MTU_MAX 65521
/* A frame buffer holds an Ethernet header and the longest IP packet. */
#define BUILTIN_FRAME_BYTES (14 + 65535)

struct builtin_config {
	uint8_t mac[6];
	uint16_t mtu;
	struct in_addr ipv4;
	unsigned int ipv4_prefix;
	struct in6_addr ipv6; /* unspecified: link-local only */
	unsigned int ipv6_prefix;
	uint64_t seed; /* for identifiers and jitter: differs per process */
};

/* How the guest acts on the outside. */
struct builtin_ops {
	/* Sends one frame, which is valid during the call alone. The callee
	 * counts what becomes of it (tx counters, tx_drop_link_down,
	 * tx_drop_full, tx_drop_error). */
	void (*transmit)(void *ctx, const uint8_t *frame, size_t bytes);
	/* The time, of the clock of every now_ns here. */
	uint64_t (*now_ns)(void *ctx);
	/* A ping is over. */
	void (*ping_result)(void *ctx, const struct msg_ping_result *result);
	void *ctx;
};

struct builtin;

/* The one guest of this process, in static storage. Never NULL. */
struct builtin *builtin_instance(void);

/* (Re)starts the guest at now_ns. counters is the caller's array of STATS, to
 * which the guest adds rx_drop_* and tx_drop_unresolved; the caller counts
 * rx_frames and rx_bytes. 0, or -EINVAL for a bad configuration. */
int builtin_init(struct builtin *guest, const struct builtin_config *config,
		 const struct builtin_ops *ops, uint64_t *counters,
		 uint64_t now_ns);

/*
 * One frame from the wire: Ethernet header first, no check sequence. The
 * buffer is the guest's to write in for the time of the call (replies are
 * built in place); it has room for BUILTIN_FRAME_BYTES.
 */
void builtin_receive(struct builtin *guest, uint8_t *frame, size_t bytes);

/* When builtin_tick() must be called next; UINT64_MAX: never. */
uint64_t builtin_deadline_ns(const struct builtin *guest);
/* Ages caches, ends pings, sends what is due. */
void builtin_tick(struct builtin *guest, uint64_t now_ns);

/* Begins a ping. Exactly one result follows, perhaps before the return. */
void builtin_ping(struct builtin *guest, const struct msg_ping *request,
		  uint64_t now_ns);

/* Sets a new MTU. One that is out of range becomes the nearest that isn't. */
void builtin_set_mtu(struct builtin *guest, uint32_t mtu);

#endif
