/* SPDX-License-Identifier: ISC */
/*
 * Frames from the guest to the TAP.
 *
 * A frame is sent straight from the guest's buffers. Only its offload header
 * and its Ethernet header are copied, so that the bytes that were checked are
 * the bytes that are sent. A small frame is copied whole: this costs less than
 * telling the kernel where its parts lie.
 */
#include "vmproc/virtio/net_transmit.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "vmproc/virtio/iov.h"
#include "vmproc/vmproc.h"

/* Frames moved before others get their turn; and after how many the driver sees
 * which are done. */
#define FRAME_BUDGET  256
#define PUBLISH_EVERY 32

struct front {
	struct virtio_net_hdr_v1 offload;
	struct ethhdr ethernet;
};
static_assert(sizeof(struct front) == NET_HEADER_BYTES + ETH_HLEN,
	      "as they lie in a frame");

/* The bytes of a frame that are copied: its front, or all of a small frame. */
struct copy {
	struct front front;
	uint8_t rest[256 - sizeof(struct front)];
};
static_assert(sizeof(struct copy) == 256, "as they lie in a frame");

/* The feature by which a segmentation type is negotiated (§5.1.6.2.1); 0:
 * none. */
static unsigned int gso_feature(uint8_t type)
{
	switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return VIRTIO_NET_F_HOST_TSO4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return VIRTIO_NET_F_HOST_TSO6;
	default:
		return 0;
	}
}

/* True if an offload header asks only for negotiated offloads, and points only
 * into the frame of bytes. Fields that the device must ignore are cleared. */
static bool offload_valid(const struct net *net,
			  struct virtio_net_hdr_v1 *header, size_t bytes)
{
	unsigned int feature;

	header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->num_buffers = 0;
	if (header->flags &&
	    (!net_has(net, VIRTIO_NET_F_CSUM) ||
	     (size_t)header->csum_start + header->csum_offset + 2 > bytes))
		return false;
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	feature = gso_feature(header->gso_type);
	if (feature == 0 || !net_has(net, feature))
		return false;
	if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
	    !net_has(net, VIRTIO_NET_F_HOST_ECN))
		return false;
	/* §5.1.6.2.1: segments have checksums to be filled in */
	return header->flags && header->gso_size > 0 &&
	       header->hdr_len <= bytes;
}

/* Copies the beginning of a frame, and checks it. NET_TX_FRAMES, or why the
 * frame isn't sent. */
static enum net_counter check(const struct net *net, const struct chain *chain,
			      struct copy *copy)
{
	const struct front *front = &copy->front;
	size_t bytes = chain->readable_bytes;

	if (bytes < sizeof(*front))
		return NET_TX_DROP_SHORT;
	if (bytes > NET_FRAME_MAX)
		return NET_TX_DROP_LONG;
	iov_read(chain->iov, chain->readable, 0, copy,
		 bytes <= sizeof(*copy) ? bytes : sizeof(*front));
	if (!offload_valid(net, &copy->front.offload, bytes - NET_HEADER_BYTES))
		return NET_TX_DROP_MALFORMED;
	if (memcmp(front->ethernet.h_source, net->mac, ETH_ALEN) != 0)
		return NET_TX_DROP_FOREIGN;
	return NET_TX_FRAMES;
}

/* The counter for errno of a write to the TAP. */
static enum net_counter refusal(void)
{
	switch (errno) {
	case EAGAIN:
		return NET_TX_STALLS;
	case EIO: /* the link is down: the frame is lost, the VM isn't */
		return NET_TX_DROP_LINK_DOWN;
	case ENOBUFS:
	case ENOMEM:
		return NET_TX_DROP_FULL;
	case EBADFD:
		net_tap_gone();
	default:
		return NET_TX_DROP_ERROR;
	}
}

/* Writes the frame in chain, with its front as it was copied. The chain's list
 * has room for one entry before its first. Returns as writev(). */
static ssize_t write_frame(int tap_fd, struct chain *chain, struct copy *copy)
{
	unsigned int skipped;
	struct iovec *iov;

	if (chain->readable_bytes <= sizeof(*copy))
		return write(tap_fd, copy, chain->readable_bytes);
	skipped = iov_skip(chain->iov, chain->readable, sizeof(copy->front));
	iov = chain->iov + skipped - 1;
	iov[0] = (struct iovec){ &copy->front, sizeof(copy->front) };
	return writev(tap_fd, iov, (int)(chain->readable - skipped + 1));
}

/* Sends the frame in chain. */
static enum net_counter send_frame(struct net_pair *pair, struct chain *chain)
{
	struct copy copy;
	enum net_counter verdict = check(pair->net, chain, &copy);

	if (verdict != NET_TX_FRAMES)
		return verdict;
	if (write_frame(pair->tap_fd, chain, &copy) < 0)
		return refusal();
	net_count(pair, NET_TX_BYTES, chain->readable_bytes - NET_HEADER_BYTES);
	return NET_TX_FRAMES;
}

/* Sends the next frame. 1: it is done with; 0: there is none, or the TAP is
 * full; -EPROTO: the queue is broken. */
static int transmit_frame(struct net_pair *pair)
{
	struct queue *ring = &pair->tx->ring;
	enum net_counter verdict;
	struct chain chain;
	int got = queue_pop(ring, &chain, pair->net->transmit + 1,
			    QUEUE_CHAIN_MAX);

	if (got <= 0)
		return got;
	verdict = send_frame(pair, &chain);
	net_count(pair, verdict, 1);
	if (verdict == NET_TX_STALLS) {
		queue_rewind(ring, 1);
		pair->tx_waits = true;
		return 0;
	}
	queue_push(ring, chain.head, 0);
	return 1;
}

/* True while there may be more to do. */
static bool transmit_some(struct net_pair *pair)
{
	struct queue *ring = &pair->tx->ring;

	for (unsigned int sent = 0; sent < FRAME_BUDGET;) {
		int got = transmit_frame(pair);

		if (got < 0) {
			device_broken(pair->tx);
			return false;
		}
		if (got == 1) {
			if (++sent % PUBLISH_EVERY == 0)
				device_signal(pair->tx);
			continue;
		}
		if (pair->tx_waits || !queue_kicks_on(ring))
			return false;
		queue_kicks_off(ring);
	}
	return true;
}

void net_transmit(struct net_pair *pair)
{
	bool more;

	if (!pair->tx || !device_serves(pair->tx) || pair->tx_waits)
		return;
	queue_kicks_off(&pair->tx->ring);
	more = transmit_some(pair);
	device_signal(pair->tx);
	if (more)
		device_again(pair->tx);
}
