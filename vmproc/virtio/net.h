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

#include "vmproc/virtio/device.h"
#include "vmproc/virtio/net_counters.h"
#include "vmproc/virtio/vhost.h"
#include "vmproc/vmproc.h"

#define NET_PAIRS_MAX    8
#define NET_MTU_MIN      68 /* §5.1.4.1 */
#define NET_RX_QUEUE     1024
#define NET_TX_QUEUE     256
#define NET_HEADER_BYTES sizeof(struct virtio_net_hdr_v1)
/* The longest that a TAP gives or takes: 64 KiB of IP, VLAN tags, header. */
#define NET_FRAME_MAX (65536 + 64)

/* Each change of a TAP's offloads or queues is reported to everybody who
 * listens to the host's links. A driver may make so many, in one generation. */
#define NET_TAP_CHANGES 256

/* A receive buffer that was taken from the guest. */
struct net_buffer {
	uint16_t head;
	uint16_t parts; /* of iov */
	uint32_t bytes;
};

/* Buffers taken from the receive queue, ready for the next frames. */
struct net_stock {
	struct net_buffer buffer[NET_RX_QUEUE];
	unsigned int first_buffer, buffers;
	/* their parts, and room for one more */
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
	bool detached; /* the TAP's queue isn't in use */
	bool tap_readable; /* not yet read until EAGAIN */
	bool tx_waits; /* for the TAP to be writable */
	bool rx_waits; /* for the guest to give buffers */
	struct net_stock stock;
	uint32_t wanted_bytes; /* of buffers, before a frame is read */
	unsigned int small_frames; /* in a row */
	/* A frame that had too few buffers: its length, and how much of it lies
	 * in the stock's buffers; the rest is in spill. 0: none. */
	uint32_t held_bytes, held_in_stock;
	/* The kernel has served its queues, at some time: what it moved isn't
	 * counted here. */
	bool was_by_kernel;
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
	bool mergeable; /* a frame may use several buffers */
	unsigned int pairs;
	unsigned int active; /* pairs that the driver uses */
	struct device_queue *control; /* NULL: not negotiated */
	/* The VM's counters (STATS of them), to which the pairs' are added. May
	 * be NULL. */
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
/* Ends the process if the TAP is gone. While the kernel has the TAP, no event
 * reports that. */
void net_check(const struct net *net);

/* ---- for the files of the device */

/* True if the feature was negotiated. */
static inline bool net_has(const struct net *net, unsigned int feature)
{
	return net->device.features & FEATURE(feature);
}

/* Ends the process: without its TAP, the device has no use. */
static inline _Noreturn void net_tap_gone(void)
{
	vmproc_end(VMPROC_EXIT_TAP_GONE, "the TAP was deleted");
}

#endif
