/* SPDX-License-Identifier: ISC */
/*
 * The block device (virtio 1.2 §5.2) on a raw image or a host's block device.
 * All disks share one worker, a thread of its own, which does one request after
 * the other: a slow disk stalls no network.
 */
#ifndef VMSUP_VMPROC_VIRTIO_BLK_H
#define VMSUP_VMPROC_VIRTIO_BLK_H

#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmproc/virtio/device.h"

#define BLK_QUEUES_MAX   16
#define BLK_QUEUE        256
#define BLK_SECTOR       512 /* the protocol's unit */
#define BLK_BOUNCE_BYTES (128 * 1024)
#define BLK_ALIGNMENT    4096 /* the most that O_DIRECT may ask for */

#define BLK_COUNTER_TABLE(X)                                            \
	X(READS, "reads")                                               \
	X(READ_BYTES, "read_bytes")                                     \
	X(WRITES, "writes")                                             \
	X(WRITE_BYTES, "write_bytes")                                   \
	X(FLUSHES, "flushes")                                           \
	X(DISCARDS, "discards")                                         \
	X(ZEROES, "zeroes")                                             \
	X(OTHERS, "others") /* get-id */                                \
	X(BOUNCED, "bounced") /* copied: ill-aligned for O_DIRECT */    \
	X(SLOW, "slow") /* the host took more than a second */          \
	X(ERRORS, "errors") /* the host refused */                      \
	X(INVALID, "invalid") /* out of range, ill-formed, read-only */ \
	X(UNSUPPORTED, "unsupported")

enum blk_counter {
#define X(id, name) BLK_##id,
	BLK_COUNTER_TABLE(X)
#undef X
	BLK_COUNTERS
};

/* The thread that does the requests, and its buffers. */
struct blk_io {
	struct loop loop;
	/* Since when (CLOCK_MONOTONIC) the thread has been at work of its own.
	 * 0: it has none, or is in a call of the host, which may take as long
	 * as the disk does. */
	_Atomic uint64_t busy_since_ns;
	struct iovec iov[QUEUE_CHAIN_MAX];
	_Alignas(BLK_ALIGNMENT) uint8_t bounce[BLK_BOUNCE_BYTES];
};

struct blk {
	struct device device;
	struct blk_io *io;
	int fd; /* not owned */
	bool read_only;
	uint32_t alignment; /* of O_DIRECT: memory, offset, length; else 1 */
	uint32_t block_bytes; /* logical block, as the guest sees it */
	uint64_t sectors;
	char id[VIRTIO_BLK_ID_BYTES]; /* padded with NUL */
	uint64_t counters[BLK_COUNTERS];
	/* Errors of the host: when one was told last (CLOCK_MONOTONIC; 0: none
	 * was), and how many since weren't. */
	uint64_t told_ns, untold;
};

struct blk_setup {
	int fd; /* not owned; O_RDONLY makes a read-only disk */
	bool read_only; /* although fd could write */
	unsigned int queues; /* 1 to BLK_QUEUES_MAX */
	const char *id; /* what the guest sees as serial number */
};

/* To be called before the thread is made. epoll_fd, which watches nothing, is
 * io's from now on. */
void blk_io_init(struct blk_io *io, int epoll_fd);
void blk_io_uninit(struct blk_io *io);
/* The thread's work. It returns only if epoll_wait() fails (-errno). */
int blk_io_run(struct blk_io *io);

/*
 * Makes a disk on bus, served by io, whose thread doesn't run yet. blk is
 * zeroed. 0, or -errno with the reason logged: -EINVAL if the image can't be a
 * disk. blk_uninit() releases it in both cases.
 */
int blk_init(struct blk *blk, struct pci_bus *bus, struct blk_io *io,
	     const struct memory *memory, const struct blk_setup *setup);
/* For tests. */
void blk_uninit(struct blk *blk);

/* "reads" and so on. */
const char *blk_counter_name(enum blk_counter counter);

#endif
