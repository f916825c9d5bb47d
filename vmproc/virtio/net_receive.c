/* SPDX-License-Identifier: ISC */
/*
 * Frames from the TAP to the guest.
 *
 * A frame is read straight into buffers that were taken before. If these are
 * too few, the rest of the frame goes to a buffer of our own, and is copied
 * when the guest has given more. So no frame is lost for want of buffers. While
 * there are no buffers at all, none is read: frames wait in the TAP's queue.
 */
#include "vmproc/virtio/net_receive.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "vmproc/virtio/iov.h"
#include "vmproc/vmproc.h"

/* Frames moved before others get their turn. */
#define FRAME_BUDGET 256
/* While there are more frames, the driver is told after so many. */
#define SIGNAL_EVERY 64
/* Bytes of buffers that are taken in advance while frames are small. More would
 * cost time: readv() looks at each buffer that it is offered. */
#define SMALL_BYTES  4096
#define SMALL_FRAMES 256 /* so many in a row: frames are small again */

enum fill {
	FILL_ENOUGH,
	FILL_SHORT, /* the guest has given no more buffers */
	FILL_FULL, /* the stock has no room for more */
	FILL_BROKEN,
};

/* Moves the remaining buffers to the stock's front. */
static void compact(struct net_stock *stock)
{
	if (stock->first_buffer == 0)
		return;
	memmove(stock->buffer, &stock->buffer[stock->first_buffer],
		stock->buffers * sizeof(stock->buffer[0]));
	memmove(stock->iov, &stock->iov[stock->first_part],
		stock->parts * sizeof(stock->iov[0]));
	stock->first_buffer = stock->first_part = 0;
}

static void put(struct net_stock *stock, const struct chain *chain)
{
	stock->buffer[stock->buffers++] = (struct net_buffer){
		.head = chain->head,
		.parts = chain->writable,
		.bytes = chain->writable_bytes,
	};
	stock->parts += chain->writable;
	stock->bytes += chain->writable_bytes;
}

/* Takes buffers from the queue until the stock has wanted bytes. */
static enum fill fill(struct net_pair *pair, uint64_t wanted)
{
	struct net_stock *stock = &pair->stock;
	struct queue *ring = &pair->rx->ring;
	struct chain chain;

	if (stock->bytes >= wanted)
		return FILL_ENOUGH;
	compact(stock);
	while (stock->bytes < wanted) {
		int got;

		if (stock->buffers == ring->size)
			return FILL_FULL;
		/* one part less, for the spill */
		got = queue_pop(ring, &chain, &stock->iov[stock->parts],
				QUEUE_CHAIN_MAX - 1 - stock->parts);
		if (got == 0)
			return FILL_SHORT;
		if (got == -ENOBUFS && stock->buffers > 0)
			return FILL_FULL;
		if (got < 0 || chain.readable > 0 || chain.writable == 0) {
			queue_break(ring, QUEUE_FAULT_REQUEST);
			device_broken(pair->rx);
			return FILL_BROKEN;
		}
		put(stock, &chain);
	}
	return FILL_ENOUGH;
}

/* There are too few buffers: asks for a kick. True if the guest has given more
 * meanwhile. */
static bool more_buffers(struct net_pair *pair)
{
	if (queue_kicks_on(&pair->rx->ring)) {
		queue_kicks_off(&pair->rx->ring);
		return true;
	}
	net_count(pair, NET_RX_STALLS, 1);
	return false;
}

/* Adjusts wanted_bytes to the size of frames. */
static void adapt(struct net_pair *pair, size_t bytes)
{
	if (bytes > SMALL_BYTES) {
		pair->wanted_bytes = NET_FRAME_MAX;
		pair->small_frames = 0;
	} else if (++pair->small_frames == SMALL_FRAMES) {
		pair->wanted_bytes = SMALL_BYTES;
	}
}

/* Gives the guest a frame of bytes, which lies at the stock's front. */
static void deliver(struct net_pair *pair, size_t bytes)
{
	struct net_stock *stock = &pair->stock;
	struct net_buffer *buffer = &stock->buffer[stock->first_buffer];
	uint16_t count = 0;

	for (size_t placed = 0; placed < bytes; count++)
		placed += buffer[count].bytes;
	iov_write(&stock->iov[stock->first_part], stock->parts,
		  offsetof(struct virtio_net_hdr_v1, num_buffers), &count,
		  sizeof(count));
	adapt(pair, bytes);
	for (unsigned int i = 0; i < count; i++) {
		uint32_t part = buffer[i].bytes < bytes ? buffer[i].bytes
							: (uint32_t)bytes;

		queue_push(&pair->rx->ring, buffer[i].head, part);
		bytes -= part;
		stock->bytes -= buffer[i].bytes;
		stock->first_part += buffer[i].parts;
		stock->parts -= buffer[i].parts;
	}
	stock->first_buffer += count;
	stock->buffers -= count;
	queue_publish(&pair->rx->ring);
}

/* Gives the guest the frame that is held, if there are buffers for all of it.
 * False if there aren't, or the queue is broken. */
static bool deliver_held(struct net_pair *pair)
{
	struct net_stock *stock = &pair->stock;
	enum fill filled;

	for (;;) {
		filled = fill(pair, pair->held_bytes);
		if (filled != FILL_SHORT)
			break;
		if (!more_buffers(pair))
			return false;
	}
	if (filled == FILL_BROKEN)
		return false;
	if (filled == FILL_FULL) { /* the frame is larger than all buffers */
		net_count(pair, NET_RX_DROP_LONG, 1);
	} else {
		iov_write(&stock->iov[stock->first_part], stock->parts,
			  pair->held_in_stock, pair->spill,
			  pair->held_bytes - pair->held_in_stock);
		deliver(pair, pair->held_bytes);
	}
	pair->held_bytes = 0;
	return true;
}

/*
 * True if the driver has negotiated the offloads that a frame's header names. A
 * frame that was queued in the time of an earlier driver may need offloads that
 * this one hasn't.
 */
static bool agreed(const struct net_pair *pair)
{
	const struct net_stock *stock = &pair->stock;
	const struct iovec *iov = &stock->iov[stock->first_part];
	struct virtio_net_hdr_v1 header = { 0 };

	if (net_has(pair->net, VIRTIO_NET_F_GUEST_CSUM) &&
	    net_has(pair->net, VIRTIO_NET_F_GUEST_TSO4) &&
	    net_has(pair->net, VIRTIO_NET_F_GUEST_TSO6))
		return true;
	iov_read(iov, stock->parts, 0, &header, sizeof(header));
	switch (header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		if (!net_has(pair->net, VIRTIO_NET_F_GUEST_TSO4))
			return false;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!net_has(pair->net, VIRTIO_NET_F_GUEST_TSO6))
			return false;
		break;
	default:
		return false;
	}
	if (net_has(pair->net, VIRTIO_NET_F_GUEST_CSUM))
		return true;
	if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return false;
	/* nor is it said that the checksum was found right (§5.1.6.4.1) */
	header.flags = 0;
	iov_write(iov, stock->parts, 0, &header.flags, sizeof(header.flags));
	return true;
}

/* Handles an error of a read from the TAP. The frame, if there was one, is
 * lost. */
static void read_failed(struct net_pair *pair, struct net_pair *tap)
{
	switch (errno) {
	case EINTR:
		return;
	case EAGAIN:
		break;
	case EBADFD:
		net_tap_gone();
	default:
		net_count(pair, NET_RX_DROP_ERROR, 1);
	}
	tap->tap_readable = false; /* until the next edge */
}

/* Reads a frame of tap. False if the queue can take none now. */
static bool receive_frame(struct net_pair *pair, struct net_pair *tap)
{
	struct net_stock *stock = &pair->stock;
	struct iovec *iov;
	enum fill filled;
	ssize_t bytes;

	do { /* with any buffers at all, if there aren't more */
		filled = fill(pair,
			      pair->net->mergeable ? pair->wanted_bytes : 1);
		if (filled == FILL_BROKEN)
			return false;
	} while (stock->buffers == 0 && more_buffers(pair));
	if (stock->buffers == 0)
		return false;
	iov = &stock->iov[stock->first_part];
	iov[stock->parts] = (struct iovec){ pair->spill, sizeof(pair->spill) };
	bytes = readv(tap->tap_fd, iov, (int)stock->parts + 1);
	if (bytes < 0) {
		read_failed(pair, tap);
		return true;
	}
	if ((size_t)bytes <= NET_HEADER_BYTES) {
		net_count(pair, NET_RX_DROP_ERROR, 1);
		return true;
	}
	net_count(pair, NET_RX_FRAMES, 1);
	net_count(pair, NET_RX_BYTES, (uint64_t)bytes - NET_HEADER_BYTES);
	if (stock->bytes >= NET_HEADER_BYTES && !agreed(pair)) {
		net_count(pair, NET_RX_DROP_OFFLOAD, 1);
	} else if ((uint64_t)bytes <= stock->bytes) {
		deliver(pair, (size_t)bytes);
	} else if (!pair->net->mergeable) {
		net_count(pair, NET_RX_DROP_LONG, 1);
	} else {
		pair->held_bytes = (uint32_t)bytes;
		pair->held_in_stock = (uint32_t)stock->bytes;
		return deliver_held(pair);
	}
	return true;
}

/* True while there may be more to do. */
static bool receive_some(struct net_pair *pair)
{
	const struct net *net = pair->net;
	unsigned int budget = FRAME_BUDGET;

	if (pair->held_bytes && !deliver_held(pair))
		return false;
	/* the TAPs of pairs that the driver doesn't use are served as well */
	for (unsigned int i = pair->index;
	     i < net->pairs && pair->index < net->active; i += net->active) {
		struct net_pair *tap = &pair->net->pair[i];

		while (tap->tap_readable) {
			if (budget == 0)
				return true;
			if (!receive_frame(pair, tap))
				return false;
			/* the first one at once: it may be the only one */
			if (budget-- % SIGNAL_EVERY == 0)
				device_signal(pair->rx);
		}
	}
	return false;
}

void net_receive(struct net_pair *pair)
{
	bool more;

	if (!pair->rx || !device_serves(pair->rx))
		return;
	more = receive_some(pair);
	device_signal(pair->rx);
	if (more)
		device_again(pair->rx);
}

void net_receive_stop(struct net_pair *pair)
{
	if (pair->held_bytes)
		net_count(pair, NET_RX_DROP_RESET, 1);
	pair->held_bytes = 0;
	pair->stock.first_buffer = pair->stock.buffers = 0;
	pair->stock.first_part = pair->stock.parts = 0;
	pair->stock.bytes = 0;
	pair->wanted_bytes = SMALL_BYTES;
	pair->small_frames = 0;
}
