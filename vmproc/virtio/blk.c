/* SPDX-License-Identifier: ISC */
/* The block device: what it offers, its queues, its thread. */
#include "vmproc/virtio/blk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/virtio/blk_request.h"
#include "vmproc/virtio/iov.h"

#define CLASS_STORAGE 0x018000
/* Requests done before another queue gets its turn. */
#define REQUEST_BUDGET 32

static struct blk *blk_of(struct device *device)
{
	return (struct blk *)((char *)device - offsetof(struct blk, device));
}

static void blk_config(struct device *device, void *into)
{
	const struct blk *blk = blk_of(device);
	struct virtio_blk_config *fields = into;

	fields->capacity = blk->sectors;
	fields->seg_max = BLK_QUEUE - 2; /* without header and status */
	fields->blk_size = blk->block_bytes;
	fields->num_queues = (uint16_t)device->queues;
	if (blk->read_only)
		return;
	fields->max_discard_sectors = BLK_DISCARD_SECTORS;
	fields->max_discard_seg = BLK_SEGMENTS;
	fields->discard_sector_alignment = blk->block_bytes / BLK_SECTOR;
	fields->max_write_zeroes_sectors = BLK_ZEROES_SECTORS;
	fields->max_write_zeroes_seg = BLK_SEGMENTS;
	fields->write_zeroes_may_unmap = 1;
}

/* ---- the worker */

/* Does one request. False if it has no room for its status. */
static bool serve(struct blk *blk, struct device_queue *queue,
		  struct chain *chain)
{
	uint32_t written, data = chain->writable_bytes - 1;
	uint8_t *status;
	const struct iovec *last;

	if (chain->writable == 0)
		return false;
	last = &chain->iov[chain->readable + chain->writable - 1];
	status = (uint8_t *)last->iov_base + last->iov_len - 1;
	atomic_store(&blk->io->busy_since_ns, loop_now_ns());
	*status = blk_request(blk, chain, &written);
	/* The bytes that are reported are written without a gap: the status
	 * counts only if all bytes before it were written (§2.7.8.2). */
	queue_push(&queue->ring, chain->head,
		   written == data ? data + 1 : written);
	return true;
}

/* True while there may be more to do. */
static bool serve_some(struct blk *blk, struct device_queue *queue)
{
	struct queue *ring = &queue->ring;

	for (int i = 0; i < REQUEST_BUDGET; i++) {
		struct chain chain;
		int got =
			queue_pop(ring, &chain, blk->io->iov, QUEUE_CHAIN_MAX);

		if (got > 0 && !serve(blk, queue, &chain)) {
			queue_break(ring, QUEUE_FAULT_REQUEST);
			got = -EPROTO;
		}
		if (got < 0) {
			device_broken(queue);
			return false;
		}
		if (got > 0) {
			/* the driver goes on while the next request is done */
			device_signal(queue);
			continue;
		}
		if (!queue_kicks_on(ring))
			return false;
		queue_kicks_off(ring);
	}
	return true;
}

static void blk_kick(struct device *device, struct device_queue *queue)
{
	struct blk *blk = blk_of(device);

	if (!device_serves(queue))
		return;
	queue_kicks_off(&queue->ring);
	if (serve_some(blk, queue))
		device_again(queue);
	atomic_store(&blk->io->busy_since_ns, 0);
}

static void blk_start(struct device *device)
{
	for (unsigned int i = 0; i < device->queues; i++)
		blk_kick(device, &device->queue[i]);
}

/* Requests are done one by one: none is under way between them. */
static void blk_stop(struct device *device)
{
	(void)device;
}

static const struct device_ops blk_ops = {
	.type = VIRTIO_ID_BLOCK,
	.class = CLASS_STORAGE,
	.config = blk_config,
	.start = blk_start,
	.stop = blk_stop,
	.kick = blk_kick,
};

void blk_io_init(struct blk_io *io, int epoll_fd)
{
	atomic_store(&io->busy_since_ns, 0);
	loop_take(&io->loop, epoll_fd);
}

void blk_io_uninit(struct blk_io *io)
{
	loop_uninit(&io->loop);
}

int blk_io_run(struct blk_io *io)
{
	return loop_run(&io->loop);
}

const char *blk_counter_name(enum blk_counter counter)
{
	static const char *const names[] = {
#define X(id, name) [BLK_##id] = (name),
		BLK_COUNTER_TABLE(X)
#undef X
	};
	static_assert(ARRAY_SIZE(names) == BLK_COUNTERS, "a name for each");

	return names[counter];
}

/* ---- making it */

/* The least alignment of memory, offset and length with which O_DIRECT reads
 * from fd, found by trying; 0: none works. */
static uint32_t direct_alignment(int fd, struct blk_io *io)
{
	for (uint32_t bytes = BLK_SECTOR; bytes <= BLK_ALIGNMENT; bytes *= 2)
		if (pread(fd, io->bounce + bytes, bytes, bytes) >= 0)
			return bytes;
	return 0;
}

/* Reads the image's properties into blk. NULL, or why the image can't be a
 * disk. */
static const char *examine(struct blk *blk)
{
	int flags = fcntl(blk->fd, F_GETFL);
	struct stat status;
	off_t bytes;

	if (flags < 0 || fstat(blk->fd, &status) < 0)
		return error_name(errno);
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return "it is neither a file nor a block device";
	bytes = lseek(blk->fd, 0, SEEK_END);
	if (bytes < 0)
		return error_name(errno);
	if (bytes == 0)
		return "it is empty";
	if ((flags & O_ACCMODE) == O_RDONLY)
		blk->read_only = true;
	blk->alignment = 1;
	blk->block_bytes = BLK_SECTOR;
	if (flags & O_DIRECT) {
		blk->alignment = direct_alignment(blk->fd, blk->io);
		if (blk->alignment == 0)
			return "it can't be read with O_DIRECT";
		blk->block_bytes = blk->alignment;
	}
	if ((uint64_t)bytes % blk->block_bytes != 0)
		return blk->block_bytes == BLK_SECTOR
			       ? "its size is not a multiple of 512 bytes"
			       : "its size is not a multiple of what O_DIRECT "
				 "transfers";
	blk->sectors = (uint64_t)bytes / BLK_SECTOR;
	return NULL;
}

static uint64_t features(const struct blk *blk, unsigned int queues)
{
	uint64_t offered = FEATURE(VIRTIO_BLK_F_SEG_MAX) |
			   FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
			   FEATURE(VIRTIO_BLK_F_FLUSH);

	if (blk->read_only)
		offered |= FEATURE(VIRTIO_BLK_F_RO);
	else
		offered |= FEATURE(VIRTIO_BLK_F_DISCARD) |
			   FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	if (queues > 1)
		offered |= FEATURE(VIRTIO_BLK_F_MQ);
	return offered;
}

int blk_init(struct blk *blk, struct pci_bus *bus, struct blk_io *io,
	     const struct memory *memory, const struct blk_setup *setup)
{
	struct device_setup device = { .ops = &blk_ops,
				       .memory = memory,
				       .loop = &io->loop,
				       .queues = setup->queues };
	const char *problem;
	int error;

	blk->io = io;
	blk->fd = setup->fd;
	blk->read_only = setup->read_only;
	memcpy(blk->id, setup->id, strnlen(setup->id, sizeof(blk->id)));
	problem = setup->queues < 1 || setup->queues > BLK_QUEUES_MAX
			  ? "it has no queue, or too many"
			  : examine(blk);
	if (problem) {
		log_error("the image of disk %s can't be used: %s", setup->id,
			  problem);
		return -EINVAL;
	}
	device.features = features(blk, setup->queues);
	for (unsigned int i = 0; i < setup->queues; i++)
		device.queue_sizes[i] = BLK_QUEUE;
	error = device_init(&blk->device, bus, &device);
	if (error)
		log_error("cannot make a disk: %s", error_name(-error));
	return error;
}

void blk_uninit(struct blk *blk)
{
	if (blk->device.loop)
		device_uninit(&blk->device);
}
