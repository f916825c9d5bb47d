/* SPDX-License-Identifier: ISC */
/* The split virtqueue, the device's side. */
#include "vmproc/virtio/queue.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <string.h>

#include "ipc/fd.h"
#include "vmproc/kvm/memory.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "the rings are little-endian");
static_assert(sizeof(struct vring_desc) == 16, "virtio 1.2 §2.7.5");

/* A word anywhere in guest memory, read exactly once. */
typedef uint64_t guest_word __attribute__((may_alias, aligned(1)));

static struct vring_desc read_desc(const struct vring_desc *at)
{
	const volatile guest_word *words = (const volatile guest_word *)at;
	uint64_t copy[2] = { words[0], words[1] };
	struct vring_desc desc;

	memcpy(&desc, copy, sizeof(desc));
	return desc;
}

static uint16_t load(const uint16_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void store(uint16_t *at, uint16_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* Orders what we have written before what we read next. */
static void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The words in which each side says at which index it wants to be woken
 * (§2.7.7.2, §2.7.10). Each lies behind the other side's ring. */
static uint16_t *used_event(const struct queue *queue)
{
	return &queue->avail->ring[queue->size];
}

static uint16_t *avail_event(const struct queue *queue)
{
	return (uint16_t *)(void *)&queue->used->ring[queue->size];
}

void queue_break(struct queue *queue, enum queue_fault fault)
{
	if (queue->fault == QUEUE_FAULT_NONE)
		queue->fault = fault;
}

/* The bytes at gpa; NULL unless they lie in memory and are aligned so (a power
 * of two). */
static void *ring_ptr(const struct memory *memory, uint64_t gpa, size_t bytes,
		      size_t alignment)
{
	return gpa % alignment ? NULL : guest_ptr(memory, gpa, bytes);
}

int queue_start(struct queue *queue, const struct memory *memory,
		const struct queue_layout *layout, uint64_t features)
{
	size_t size = layout->size;

	memset(queue, 0, sizeof(*queue));
	queue->fault = QUEUE_FAULT_RING;
	if (size == 0 || size > QUEUE_SIZE_MAX || (size & (size - 1)) != 0)
		return -EINVAL;
	if (layout->desc_gpa % VRING_DESC_ALIGN_SIZE ||
	    layout->avail_gpa % VRING_AVAIL_ALIGN_SIZE ||
	    layout->used_gpa % VRING_USED_ALIGN_SIZE)
		return -EINVAL;
	queue->memory = memory;
	queue->size = layout->size;
	queue->event_idx = features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
	queue->indirect = features & 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	/* with the event index behind each ring, negotiated or not (§2.7) */
	queue->avail = ring_ptr(memory, layout->avail_gpa, 6 + 2 * size,
				VRING_AVAIL_ALIGN_SIZE);
	queue->used = ring_ptr(memory, layout->used_gpa, 6 + 8 * size,
			       VRING_USED_ALIGN_SIZE);
	queue->desc = ring_ptr(memory, layout->desc_gpa, 16 * size,
			       VRING_DESC_ALIGN_SIZE);
	if (!queue->avail || !queue->used || !queue->desc) {
		queue->desc = NULL;
		return -EFAULT;
	}
	queue->fault = QUEUE_FAULT_NONE;
	return 0;
}

void queue_stop(struct queue *queue)
{
	memset(queue, 0, sizeof(*queue));
}

/* ---- taking */

/* How many chains may be taken. Reads the driver's index if none is known.
 * Whoever has seen the index sees what the driver made available before it. */
static uint16_t available(struct queue *queue)
{
	uint16_t count = (uint16_t)(queue->seen_avail - queue->next_avail);

	if (count != 0)
		return count;
	queue->seen_avail =
		__atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE);
	count = (uint16_t)(queue->seen_avail - queue->next_avail);
	if (count > queue->size) {
		queue_break(queue, QUEUE_FAULT_INDEX);
		return 0;
	}
	return count;
}

static enum queue_fault add_buffer(const struct queue *queue,
				   const struct vring_desc *desc,
				   struct chain *chain, unsigned int max)
{
	bool writable = desc->flags & VRING_DESC_F_WRITE;
	uint32_t *total = writable ? &chain->writable_bytes
				   : &chain->readable_bytes;
	unsigned int count = chain->readable + chain->writable;
	void *at;

	if (!writable && chain->writable > 0)
		return QUEUE_FAULT_ORDER;
	if (desc->len == 0)
		return QUEUE_FAULT_NONE;
	at = guest_ptr(queue->memory, desc->addr, desc->len);
	if (!at)
		return QUEUE_FAULT_ADDRESS;
	if (__builtin_add_overflow(*total, desc->len, total))
		return QUEUE_FAULT_LENGTH;
	/* Counting goes on without room, so that the caller learns how many
	 * there are. */
	if (count < max)
		chain->iov[count] = (struct iovec){ at, desc->len };
	if (writable)
		chain->writable++;
	else
		chain->readable++;
	return QUEUE_FAULT_NONE;
}

/* A table of descriptors: the queue's own, or an indirect one. */
struct table {
	const struct vring_desc *at;
	uint32_t entries;
	bool indirect;
};

/* Goes over to the table that a descriptor points to (§2.7.5.3). */
static enum queue_fault enter(const struct queue *queue, struct table *table,
			      const struct vring_desc *desc)
{
	uint32_t entries = desc->len / sizeof(*desc);

	if (!queue->indirect || table->indirect ||
	    desc->flags & VRING_DESC_F_NEXT || desc->len % sizeof(*desc) ||
	    entries == 0 || entries > QUEUE_CHAIN_MAX)
		return QUEUE_FAULT_INDIRECT;
	table->at = guest_ptr(queue->memory, desc->addr, desc->len);
	if (!table->at)
		return QUEUE_FAULT_ADDRESS;
	table->entries = entries;
	table->indirect = true;
	return QUEUE_FAULT_NONE;
}

static enum queue_fault walk(const struct queue *queue, struct chain *chain,
			     unsigned int max)
{
	struct table table = { queue->desc, queue->size, false };
	uint32_t index = chain->head, left = table.entries;

	for (;;) {
		struct vring_desc desc;
		enum queue_fault fault;

		if (index >= table.entries)
			return QUEUE_FAULT_DESCRIPTOR;
		if (left-- == 0)
			return QUEUE_FAULT_LOOP;
		desc = read_desc(&table.at[index]);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			fault = enter(queue, &table, &desc);
			if (fault != QUEUE_FAULT_NONE)
				return fault;
			left = table.entries;
			index = 0;
			continue;
		}
		fault = add_buffer(queue, &desc, chain, max);
		if (fault != QUEUE_FAULT_NONE ||
		    !(desc.flags & VRING_DESC_F_NEXT))
			return fault;
		index = desc.next;
	}
}

int queue_pop(struct queue *queue, struct chain *chain, struct iovec *iov,
	      unsigned int max)
{
	enum queue_fault fault;

	if (queue->fault != QUEUE_FAULT_NONE)
		return -EPROTO;
	if (available(queue) == 0)
		return queue->fault != QUEUE_FAULT_NONE ? -EPROTO : 0;
	*chain = (struct chain){ .iov = iov };
	chain->head = load(
		&queue->avail->ring[queue->next_avail & (queue->size - 1)]);
	fault = walk(queue, chain, max);
	if (fault != QUEUE_FAULT_NONE) {
		queue_break(queue, fault);
		return -EPROTO;
	}
	if ((unsigned int)chain->readable + chain->writable > max) {
		/* longer than any device takes: to retry is of no use */
		if (max >= QUEUE_CHAIN_MAX) {
			queue_break(queue, QUEUE_FAULT_LOOP);
			return -EPROTO;
		}
		return -ENOBUFS;
	}
	queue->next_avail++;
	return 1;
}

void queue_rewind(struct queue *queue, unsigned int count)
{
	queue->next_avail = (uint16_t)(queue->next_avail - count);
}

/* ---- giving back */

void queue_push(struct queue *queue, uint16_t head, uint32_t written_bytes)
{
	struct vring_used_elem *element =
		&queue->used->ring[queue->next_used & (queue->size - 1)];

	element->id = head;
	element->len = written_bytes;
	queue->next_used++;
}

void queue_publish(struct queue *queue)
{
	if (queue->shown_used == queue->next_used)
		return;
	queue->shown_used = queue->next_used;
	/* the elements, and what was written to the buffers, come first */
	__atomic_store_n(&queue->used->idx, queue->next_used, __ATOMIC_RELEASE);
}

bool queue_wants_signal(struct queue *queue)
{
	uint16_t old = queue->signalled, new = queue->next_used;

	queue_publish(queue);
	if (old == new)
		return false;
	queue->signalled = new;
	fence();
	if (!queue->event_idx)
		return !(load(&queue->avail->flags) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	/* true if the index that the driver asked for was passed since the last
	 * time */
	return (uint16_t)(new - load(used_event(queue)) - 1) <
	       (uint16_t)(new - old);
}

void queue_kicks_off(struct queue *queue)
{
	/* With event indices, no word is written: the old index is never
	 * reached again. */
	if (!queue->event_idx)
		store(&queue->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool queue_kicks_on(struct queue *queue)
{
	if (queue->event_idx)
		store(avail_event(queue), queue->next_avail);
	else
		store(&queue->used->flags, 0);
	fence();
	return load(&queue->avail->idx) != queue->next_avail;
}

void queue_resync(struct queue *queue, uint16_t next_avail)
{
	queue->next_avail = queue->seen_avail = next_avail;
	queue->next_used = load(&queue->used->idx);
	queue->shown_used = queue->signalled = queue->next_used;
}

const char *queue_fault_name(enum queue_fault fault)
{
	static const char *const names[] = {
#define X(id, name) [QUEUE_FAULT_##id] = (name),
		QUEUE_FAULT_TABLE(X)
#undef X
	};
	static_assert(ARRAY_SIZE(names) == QUEUE_FAULTS, "a name for each");

	return names[fault];
}
