/* SPDX-License-Identifier: ISC */
/* A virtqueue over memory that is the input, and changes between any two steps:
 * what is taken lies in memory, and no more is taken than was there. */
#include <errno.h>

#include "tests/fuzz/vmproc/virtio_input.h"
#include "vmproc/virtio/iov.h"
#include "vmproc/virtio/queue.h"

static struct queue queue;
static struct iovec iov[QUEUE_CHAIN_MAX];

static bool in_ram(const struct iovec *part)
{
	for (int i = 0; i < MEMORY_REGIONS; i++) {
		const struct memory_region *region = &driver.memory.region[i];
		const uint8_t *at = part->iov_base;

		if (at >= region->base && at < region->base + region->bytes)
			return part->iov_len <=
			       (size_t)(region->base + region->bytes - at);
	}
	return false;
}

static void check(const struct chain *chain, unsigned int max)
{
	unsigned int count = (unsigned int)chain->readable + chain->writable;
	uint64_t readable = 0, writable = 0;

	CHECK(count <= max);
	for (unsigned int i = 0; i < count; i++) {
		CHECK(in_ram(&iov[i]));
		CHECK(iov[i].iov_len > 0);
		if (i < chain->readable)
			readable += iov[i].iov_len;
		else
			writable += iov[i].iov_len;
	}
	CHECK(readable == chain->readable_bytes);
	CHECK(writable == chain->writable_bytes);
}

static void pop(struct input *input)
{
	unsigned int max = take(input) % 4 ? QUEUE_CHAIN_MAX : take(input);
	struct chain chain;
	int got = queue_pop(&queue, &chain, iov, max);

	if (got != 1) {
		CHECK(got == 0 || got == -EPROTO ||
		      (got == -ENOBUFS && max < QUEUE_CHAIN_MAX));
		CHECK((got == -EPROTO) == (queue.fault != QUEUE_FAULT_NONE));
		return;
	}
	check(&chain, max);
	switch (take(input) % 4) {
	case 0:
		queue_rewind(&queue, 1);
		break;
	case 1:
		break;
	default:
		queue_push(&queue, chain.head, chain.writable_bytes);
		break;
	}
}

static void step(struct input *input)
{
	switch (take(input) % 8) {
	case 0:
	case 1:
		pop(input);
		break;
	case 2:
		queue_wants_signal(&queue);
		break;
	case 3:
		queue_kicks_on(&queue);
		break;
	case 4:
		queue_kicks_off(&queue);
		break;
	case 5: /* the guest goes on */
		do_avail(input);
		break;
	case 6:
		do_descriptor(input);
		break;
	default:
		do_indirect(input);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct device device = { .queues = 1 };
	struct input input = { data, size };
	struct queue_layout layout;
	struct vq *vq;

	if (!driver.device) {
		driver_init();
		driver.device = &device;
	}
	memset(driver.memory.region[0].base, 0, 2 * RING_BYTES);
	vq = vq_make(0, (uint16_t)(QUEUE_SIZE >> take(&input) % 7));
	layout = (struct queue_layout){ vq->size, vq->desc_gpa, vq->avail_gpa,
					vq->used_gpa };
	if (take(&input) % 8 == 0)
		layout = (struct queue_layout){ (uint16_t)take_bytes(&input, 2),
						take_gpa(&input),
						take_gpa(&input),
						take_gpa(&input) };
	if (queue_start(&queue, &driver.memory, &layout,
			take_bytes(&input, 4)) < 0)
		return 0;
	for (int i = 0; i < ACTIONS_MAX && input.left > 0; i++)
		step(&input);
	return 0;
}
