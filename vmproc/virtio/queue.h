/* SPDX-License-Identifier: ISC */
/*
 * A split virtqueue (virtio 1.2 §2.7), the device's side. The guest can change
 * all of the rings at any moment: each index and descriptor is read once, and
 * the copy is checked. A queue whose guest breaks the rules is broken: it gives
 * out nothing more until it is started anew.
 *
 * One thread at a time uses a queue.
 */
#ifndef VMSUP_VMPROC_VIRTIO_QUEUE_H
#define VMSUP_VMPROC_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct memory;

#define QUEUE_SIZE_MAX 1024
/* The most buffers of one chain, an indirect table's included: as many as
 * readv() and writev() take. */
#define QUEUE_CHAIN_MAX 1024

/* How a guest broke a queue. */
#define QUEUE_FAULT_TABLE(X)                                                \
	X(NONE, "none")                                                     \
	X(RING, "ring") /* size, alignment or address of the ring itself */ \
	X(INDEX, "index") /* more made available than the queue holds */    \
	X(DESCRIPTOR, "descriptor") /* an index beyond its table */         \
	X(LOOP, "loop") /* a chain longer than its table */                 \
	X(INDIRECT, "indirect") /* not negotiated, nested, or ill-sized */  \
	X(ADDRESS, "address") /* a buffer outside of memory */              \
	X(ORDER, "order") /* a readable buffer after a writable one */      \
	X(LENGTH, "length") /* more than 4 GiB in one chain */              \
	X(REQUEST, "request") /* a request without room for its answer */

enum queue_fault {
#define X(id, name) QUEUE_FAULT_##id,
	QUEUE_FAULT_TABLE(X)
#undef X
	QUEUE_FAULTS
};

/* Where the driver put it (§4.1.4.3). */
struct queue_layout {
	uint16_t size; /* descriptors */
	uint64_t desc_gpa, avail_gpa, used_gpa;
};

struct queue {
	const struct memory *memory;
	const struct vring_desc *desc; /* NULL: not started */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;
	uint16_t next_avail; /* next to take */
	uint16_t seen_avail; /* the driver's index when last read */
	uint16_t next_used; /* next to give back */
	uint16_t shown_used; /* next_used, as the driver sees it */
	uint16_t signalled; /* next_used at the last decision */
	bool event_idx, indirect; /* negotiated */
	enum queue_fault fault;
};

/* One request: buffers to read from, then buffers to write to. */
struct chain {
	uint16_t head; /* for queue_push() */
	uint16_t readable, writable; /* how many of each */
	uint32_t readable_bytes, writable_bytes;
	struct iovec *iov; /* readable ones first */
};

/*
 * Starts a queue whose rings lie where layout says. features: those of the
 * device that were negotiated (VIRTIO_RING_F_*). 0; or -EINVAL (size,
 * alignment) or -EFAULT (not in memory), the queue being broken then. memory
 * must outlive the queue.
 */
int queue_start(struct queue *queue, const struct memory *memory,
		const struct queue_layout *layout, uint64_t features);
/* Forgets the rings. */
void queue_stop(struct queue *queue);

static inline bool queue_started(const struct queue *queue)
{
	return queue->desc != NULL;
}

/*
 * Takes the next chain, and writes its buffers to iov, which has room for max.
 * 1: taken; 0: none is available; -ENOBUFS: the chain has more than max
 * buffers, and isn't taken; -EPROTO: the queue is broken (fault says how).
 */
int queue_pop(struct queue *queue, struct chain *chain, struct iovec *iov,
	      unsigned int max);
/* Puts back the last count chains that were taken. */
void queue_rewind(struct queue *queue, unsigned int count);

/* Gives a chain back; bytes were written to it. The driver sees it after the
 * next queue_publish(). */
void queue_push(struct queue *queue, uint16_t head, uint32_t written_bytes);
/* Shows the driver all that was pushed. */
void queue_publish(struct queue *queue);
/* Publishes. True if the driver wants a signal for what it was shown since the
 * last call (§2.7.7, §2.7.10). */
bool queue_wants_signal(struct queue *queue);

/* Asks the driver not to kick. It may kick all the same. */
void queue_kicks_off(struct queue *queue);
/* Asks the driver to kick with the next chain. True if a chain has come
 * meanwhile, for which there may be no kick. */
bool queue_kicks_on(struct queue *queue);

/* Goes on after the kernel has served the rings. It took chains up to
 * next_avail, and gave all of them back. */
void queue_resync(struct queue *queue, uint16_t next_avail);

/* Breaks the queue: for devices, if a request can't be answered at all. */
void queue_break(struct queue *queue, enum queue_fault fault);

/* "index" and so on. */
const char *queue_fault_name(enum queue_fault fault);

#endif
