/* SPDX-License-Identifier: ISC */
/*
 * The network device (virtio 1.2 §5.1) on TAPs: one descriptor, one receive
 * and one transmit queue for each pair, and a control queue where there are
 * several. Frames go by readv() and writev() straight between the TAP and the
 * guest's buffers, each with the 12 bytes of struct virtio_net_hdr_v1 in front
 * of it, which the TAP understands. Or the kernel moves them (vhost.h).
 *
 * The worker is the main loop; all functions here but the device's own are
 * called by it, or in setup.
 */
#ifndef VMSUP_VMPROC_VIRTIO_NET_H
#define VMSUP_VMPROC_VIRTIO_NET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/proto.h"
#include "vmproc/virtio/device.h"
#include "vmproc/virtio/vhost.h"

#define NET_PAIRS_MAX    8
#define NET_MTU_MIN      68 /* §5.1.4.1 */
#define NET_RX_QUEUE     1024
#define NET_TX_QUEUE     256
#define NET_HEADER_BYTES sizeof(struct virtio_net_hdr_v1)
/* The longest that a TAP gives or takes: 64 KiB of IP, VLAN tags, header. */
#define NET_FRAME_MAX (65536 + 64)

/* What a TAP is told of offloads and queues, everybody hears who listens to the
 * host's links: a driver may change it so often, in a generation. */
#define NET_TAP_CHANGES 256

/* Every frame that isn't passed on is counted under one reason. */
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

/* A receive buffer of the guest's that was taken: which chain, how long. */
struct net_buffer {
	uint16_t head;
	uint16_t parts; /* of iov */
	uint32_t bytes;
};

/* Buffers taken from the receive queue, ready for the next frames. */
struct net_stock {
	struct net_buffer buffer[NET_RX_QUEUE];
	unsigned int first_buffer, buffers;
	/* their parts; behind the last, room for one more */
	struct iovec iov[QUEUE_CHAIN_MAX];
	unsigned int first_part, parts;
	uint64_t bytes;
};

struct net_pair {
	struct net *net;
	unsigned int index;
	struct device_queue *rx, *tx;
	struct source tap;
	int tap_fd; /* not owned */
	bool detached; /* a queue of the TAP's, but not in use */
	bool tap_readable; /* not yet read until EAGAIN */
	bool tx_waits; /* for the TAP to be writable */
	bool rx_waits; /* for the guest to give buffers */
	struct net_stock stock;
	uint32_t wanted_bytes; /* of buffers, before a frame is read */
	unsigned int small_frames; /* in a row */
	/* A frame for which there weren't enough buffers: all of it, of which
	 * the first part is in the stock's, the rest in spill. 0: none. */
	uint32_t held_bytes, held_in_stock;
	uint64_t counters[NET_COUNTERS];
	uint8_t spill[NET_FRAME_MAX];
};

struct net {
	struct device device;
	uint8_t mac[6];
	uint16_t mtu;
	atomic_bool link_up;
	bool tune; /* the descriptors are TAPs */
	unsigned long offloads; /* as the TAP has them */
	unsigned int tap_changes; /* of NET_TAP_CHANGES */
	bool mergeable; /* a frame may take several buffers */
	unsigned int pairs;
	unsigned int active; /* pairs that the driver uses */
	struct device_queue *control; /* NULL: not negotiated */
	/* The VM's (STATS of them): what is counted of a pair is counted there
	 * as well. May be NULL. */
	uint64_t *totals;
	struct vhost vhost;
	struct iovec transmit[QUEUE_CHAIN_MAX + 1];
	struct net_pair pair[NET_PAIRS_MAX];
};

struct net_setup {
	uint8_t mac[6];
	uint16_t mtu; /* 0: not told to the guest */
	unsigned int pairs; /* 1 to NET_PAIRS_MAX */
	/* IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, and IFF_MULTI_QUEUE if there are
	 * several; not owned */
	int tap_fds[NET_PAIRS_MAX];
	/* /dev/vhost-net, one for each pair, all or (-1) none; not owned */
	int vhost_fds[NET_PAIRS_MAX];
	/* for tests: the descriptors are no TAPs, but keep packets apart */
	bool untuned;
};

/*
 * Makes a network device on bus; loop is the main loop. net is zeroed. 0 or
 * -errno, the reason logged; net_uninit() releases it in both cases.
 */
int net_init(struct net *net, struct pci_bus *bus, struct loop *loop,
	     const struct memory *memory, const struct net_setup *setup);
/* For tests. */
void net_uninit(struct net *net);
/* While paused, nothing is moved; frames wait in the TAP. */
void net_pause(struct net *net, bool paused);
/* Tells the guest of the link (§5.1.4). */
void net_set_link(struct net *net, bool up);
/* Ends the process if the TAP is gone: of one that the kernel was given, no event
 * says so. */
void net_check(const struct net *net);
_Noreturn void net_tap_gone(void);

/* "rx_frames" and so on. */
const char *net_counter_name(enum net_counter counter);

/* ---- between the files of the device */

void net_count(struct net_pair *pair, enum net_counter counter, uint64_t by);

/* Whether a feature was negotiated. */
static inline bool net_has(const struct net *net, unsigned int feature)
{
	return net->device.features & FEATURE(feature);
}

/* Moves frames of every TAP that belongs to pair's receive queue, until there
 * are no more frames, no more buffers, or others must have their turn. */
void net_receive(struct net_pair *pair);
/* Drops what was taken from the receive queue: it is stopping. */
void net_receive_stop(struct net_pair *pair);
/* Moves frames of pair's transmit queue to its TAP. */
void net_transmit(struct net_pair *pair);
/* Obeys what is in the control queue (§5.1.6.5). */
void net_control(struct net *net, struct device_queue *queue);
/* The driver uses so many pairs from now on. */
void net_set_active(struct net *net, unsigned int pairs);

#endif
