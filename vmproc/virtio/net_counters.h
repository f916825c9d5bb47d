/* SPDX-License-Identifier: ISC */
/* What the network device counts. */
#ifndef VMSUP_VMPROC_VIRTIO_NET_COUNTERS_H
#define VMSUP_VMPROC_VIRTIO_NET_COUNTERS_H

#include <stdint.h>

/* Each frame that isn't passed on is counted under one reason. */
#define NET_COUNTER_TABLE(X)                                              \
	X(RX_FRAMES, "rx_frames")                                         \
	X(RX_BYTES, "rx_bytes") /* without header */                      \
	X(RX_DROP_LONG, "rx_drop_long") /* no buffers of the guest fit */ \
	X(RX_DROP_OFFLOAD, "rx_drop_offload") /* not negotiated */        \
	X(RX_DROP_RESET, "rx_drop_reset") /* held when it was reset */    \
	X(RX_DROP_ERROR, "rx_drop_error") /* the TAP gave none */         \
	X(RX_STALLS, "rx_stalls") /* guest had no buffers: not read */    \
	X(TX_FRAMES, "tx_frames")                                         \
	X(TX_BYTES, "tx_bytes")                                           \
	X(TX_DROP_SHORT, "tx_drop_short") /* no Ethernet header */        \
	X(TX_DROP_LONG, "tx_drop_long")                                   \
	X(TX_DROP_MALFORMED, "tx_drop_malformed") /* offload header */    \
	X(TX_DROP_FOREIGN, "tx_drop_foreign") /* not from its MAC */      \
	X(TX_DROP_LINK_DOWN, "tx_drop_link_down") /* EIO */               \
	X(TX_DROP_FULL, "tx_drop_full") /* ENOBUFS, ENOMEM */             \
	X(TX_DROP_ERROR, "tx_drop_error") /* any other refusal */         \
	X(TX_STALLS, "tx_stalls") /* the TAP was full: waits */

enum net_counter {
#define X(id, name) NET_##id,
	NET_COUNTER_TABLE(X)
#undef X
	NET_COUNTERS
};

struct net_pair;

/* Adds to a counter of the pair, and to the VM's. */
void net_count(struct net_pair *pair, enum net_counter counter, uint64_t by);

/* "rx_frames" and so on. */
const char *net_counter_name(enum net_counter counter);

#endif
