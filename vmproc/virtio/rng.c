/* SPDX-License-Identifier: ISC */
/* The entropy device. */
#include "vmproc/virtio/rng.h"

#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/random.h>

#include "ipc/error.h"
#include "ipc/log.h"
#include "vmproc/virtio/iov.h"

#define CLASS_OTHER 0x00ff00
#define RNG_QUEUE   64
/* Requests served before others get their turn, and the most bytes for each. A
 * driver that wants more asks again. */
#define REQUEST_BUDGET 16
#define REQUEST_BYTES  256 /* getrandom() gives so few in one go */

static struct rng *rng_of(struct device *device)
{
	return (struct rng *)((char *)device - offsetof(struct rng, device));
}

static void rng_config(struct device *device, void *into)
{
	(void)device;
	(void)into;
}

static void serve(struct rng *rng, struct device_queue *queue,
		  const struct chain *chain)
{
	uint8_t random[REQUEST_BYTES];
	size_t bytes = chain->writable_bytes < sizeof(random)
			       ? chain->writable_bytes
			       : sizeof(random);
	ssize_t got = bytes > 0 ? getrandom(random, bytes, 0) : 0;

	if (got < 0)
		got = 0;
	iov_write(chain->iov + chain->readable, chain->writable, 0, random,
		  (size_t)got);
	queue_push(&queue->ring, chain->head, (uint32_t)got);
	device_count(&rng->requests, 1);
	device_count(&rng->bytes, (uint64_t)got);
}

/* True while there may be more to do. */
static bool serve_some(struct rng *rng, struct device_queue *queue)
{
	static struct iovec iov[QUEUE_CHAIN_MAX];

	for (int i = 0; i < REQUEST_BUDGET; i++) {
		struct chain chain;
		int got = queue_pop(&queue->ring, &chain, iov, QUEUE_CHAIN_MAX);

		if (got < 0) {
			device_broken(queue);
			return false;
		}
		if (got > 0)
			serve(rng, queue, &chain);
		else if (!queue_kicks_on(&queue->ring))
			return false;
	}
	return true;
}

static void rng_kick(struct device *device, struct device_queue *queue)
{
	bool more;

	if (!device_serves(queue))
		return;
	more = serve_some(rng_of(device), queue);
	device_signal(queue);
	if (more)
		device_again(queue);
}

static void rng_start(struct device *device)
{
	rng_kick(device, &device->queue[0]);
}

static void rng_stop(struct device *device)
{
	(void)device;
}

static const struct device_ops rng_ops = {
	.type = VIRTIO_ID_RNG,
	.class = CLASS_OTHER,
	.config = rng_config,
	.start = rng_start,
	.stop = rng_stop,
	.kick = rng_kick,
};

int rng_init(struct rng *rng, struct pci_bus *bus, struct loop *loop,
	     const struct memory *memory)
{
	const struct device_setup device = { .ops = &rng_ops,
					     .memory = memory,
					     .loop = loop,
					     .queues = 1,
					     .queue_sizes = { RNG_QUEUE } };
	int error = device_init(&rng->device, bus, &device);

	if (error)
		log_error("cannot make an entropy device: %s",
			  error_name(-error));
	return error;
}

void rng_uninit(struct rng *rng)
{
	device_uninit(&rng->device);
}
