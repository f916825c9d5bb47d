/* SPDX-License-Identifier: ISC */
/* One request to a disk (virtio 1.2 §5.2.6). */
#include "vmproc/virtio/blk_request.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/virtio/iov.h"

/* Zeroes to write where the host has no other way to make them. */
#define ZERO_BYTES 65536
#define ZERO_PARTS 16
#define TELL_NS    (60 * NSEC_PER_SEC)
_Alignas(BLK_ALIGNMENT) static uint8_t zeroes[ZERO_BYTES];

/* A request without its header and status. */
struct request {
	uint32_t type;
	uint64_t sector;
	struct iovec *iov; /* data from the driver, or for it */
	unsigned int parts;
	uint32_t bytes; /* of data */
	uint32_t written_bytes; /* to the driver */
	int error; /* -errno of the host; 0: it refused nothing */
};

static uint8_t invalid(struct blk *blk)
{
	device_count(&blk->counters[BLK_INVALID], 1);
	return VIRTIO_BLK_S_IOERR;
}

static uint8_t unsupported(struct blk *blk)
{
	device_count(&blk->counters[BLK_UNSUPPORTED], 1);
	return VIRTIO_BLK_S_UNSUPP;
}

/* The status for the host's answer, which is 0 or -errno. */
static uint8_t outcome(struct blk *blk, struct request *request, int error)
{
	if (error == 0)
		return VIRTIO_BLK_S_OK;
	if (error == -EOPNOTSUPP)
		return unsupported(blk);
	device_count(&blk->counters[BLK_ERRORS], 1);
	request->error = error;
	return VIRTIO_BLK_S_IOERR;
}

/* True if the sectors lie on the disk and are whole blocks. */
static bool in_range(const struct blk *blk, uint64_t sector, uint64_t count)
{
	uint64_t block = blk->block_bytes / BLK_SECTOR;

	return sector <= blk->sectors && count <= blk->sectors - sector &&
	       sector % block == 0 && count % block == 0;
}

/* ---- calls of the host, which take as long as its disk does */

static uint64_t enter_host(const struct blk *blk)
{
	atomic_store(&blk->io->busy_since_ns, 0);
	return loop_now_ns();
}

static void leave_host(struct blk *blk, uint64_t since_ns)
{
	uint64_t now_ns = loop_now_ns();

	if (now_ns - since_ns > NSEC_PER_SEC)
		device_count(&blk->counters[BLK_SLOW], 1);
	atomic_store(&blk->io->busy_since_ns, now_ns);
}

static int flush(struct blk *blk)
{
	uint64_t since_ns = enter_host(blk);
	int error = fdatasync(blk->fd) < 0 ? -errno : 0;

	leave_host(blk, since_ns);
	return error;
}

/* As preadv() and pwritev(), by the bare system calls: newer C libraries use
 * others in their place, and a VM process may make these alone. */
static ssize_t move_some(struct blk *blk, const struct iovec *iov,
			 unsigned int parts, uint64_t offset, bool write)
{
	uint64_t since_ns = enter_host(blk);
	/* the last argument: the upper half of an offset of 128 bits */
	long done = syscall(write ? SYS_pwritev : SYS_preadv, blk->fd, iov,
			    (long)parts, offset, 0L);

	leave_host(blk, since_ns);
	return done;
}

static int change_space(struct blk *blk, int mode, uint64_t offset,
			uint64_t bytes)
{
	uint64_t since_ns = enter_host(blk);
	int done;

	do
		done = fallocate(blk->fd, mode | FALLOC_FL_KEEP_SIZE,
				 (off_t)offset, (off_t)bytes);
	while (done < 0 && errno == EINTR);
	leave_host(blk, since_ns);
	return done < 0 ? -errno : 0;
}

/* ---- reading and writing */

/* Moves all bytes of a list from or to the image, and uses up the list. 0 or
 * -errno; -ENODATA if the image ends before. */
static int transfer(struct blk *blk, struct iovec *iov, unsigned int parts,
		    uint64_t offset, bool write)
{
	while (parts > 0) {
		ssize_t done = move_some(blk, iov, parts, offset, write);
		unsigned int used;

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -ENODATA;
		used = iov_skip(iov, parts, (size_t)done);
		iov += used;
		parts -= used;
		offset += (uint64_t)done;
	}
	return 0;
}

/* True if O_DIRECT takes the list as it is. */
static bool aligned(const struct blk *blk, const struct iovec *iov,
		    unsigned int parts)
{
	uintptr_t bits = 0;

	for (unsigned int i = 0; i < parts; i++)
		bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return bits % blk->alignment == 0;
}

/* As transfer(), by way of a buffer that O_DIRECT takes. */
static int bounce(struct blk *blk, const struct request *request,
		  uint64_t offset, bool write)
{
	uint8_t *buffer = blk->io->bounce;

	for (size_t done = 0, bytes; done < request->bytes; done += bytes) {
		struct iovec part;
		int error;

		bytes = request->bytes - done;
		if (bytes > BLK_BOUNCE_BYTES)
			bytes = BLK_BOUNCE_BYTES;
		part = (struct iovec){ buffer, bytes };
		if (write)
			iov_read(request->iov, request->parts, done, buffer,
				 bytes);
		error = transfer(blk, &part, 1, offset + done, write);
		if (error)
			return error;
		if (!write)
			iov_write(request->iov, request->parts, done, buffer,
				  bytes);
	}
	return 0;
}

static int move(struct blk *blk, const struct request *request, bool write)
{
	uint64_t offset = request->sector * BLK_SECTOR;

	if (blk->alignment > 1 && !aligned(blk, request->iov, request->parts)) {
		device_count(&blk->counters[BLK_BOUNCED], 1);
		return bounce(blk, request, offset, write);
	}
	return transfer(blk, request->iov, request->parts, offset, write);
}

static bool whole_sectors(const struct blk *blk, const struct request *request)
{
	return request->bytes % BLK_SECTOR == 0 &&
	       in_range(blk, request->sector, request->bytes / BLK_SECTOR);
}

static uint8_t do_read(struct blk *blk, struct request *request)
{
	int error;

	if (!whole_sectors(blk, request))
		return invalid(blk);
	error = move(blk, request, false);
	if (!error) {
		request->written_bytes = request->bytes;
		device_count(&blk->counters[BLK_READ_BYTES], request->bytes);
	}
	return outcome(blk, request, error);
}

static uint8_t do_write(struct blk *blk, struct request *request)
{
	int error;

	if (blk->read_only || !whole_sectors(blk, request))
		return invalid(blk);
	error = move(blk, request, true);
	if (!error)
		device_count(&blk->counters[BLK_WRITE_BYTES], request->bytes);
	/* A driver that hasn't negotiated flush needs each write to be on the
	 * disk when it is done (§5.2.6.2). */
	if (!error && !(blk->device.features & FEATURE(VIRTIO_BLK_F_FLUSH)))
		error = flush(blk);
	return outcome(blk, request, error);
}

static uint8_t do_flush(struct blk *blk, struct request *request)
{
	return outcome(blk, request, flush(blk));
}

static uint8_t do_get_id(struct blk *blk, struct request *request)
{
	request->written_bytes = (uint32_t)iov_write(
		request->iov, request->parts, 0, blk->id, sizeof(blk->id));
	return VIRTIO_BLK_S_OK;
}

/* ---- discard and write-zeroes */

static int write_zeroes(struct blk *blk, uint64_t offset, uint64_t bytes)
{
	while (bytes > 0) {
		struct iovec iov[ZERO_PARTS];
		unsigned int parts = 0;
		uint64_t now = 0;
		int error;

		while (parts < ZERO_PARTS && now < bytes) {
			uint64_t part = bytes - now < ZERO_BYTES ? bytes - now
								 : ZERO_BYTES;

			iov[parts++] = (struct iovec){ zeroes, part };
			now += part;
		}
		error = transfer(blk, iov, parts, offset, true);
		if (error)
			return error;
		offset += now;
		bytes -= now;
	}
	return 0;
}

static int do_segment(struct blk *blk, bool zero,
		      const struct virtio_blk_discard_write_zeroes *segment)
{
	bool unmap = segment->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	uint64_t offset = segment->sector * BLK_SECTOR;
	uint64_t bytes = (uint64_t)segment->num_sectors * BLK_SECTOR;
	int error;

	if (bytes == 0)
		return 0;
	error = change_space(blk,
			     !zero || unmap ? FALLOC_FL_PUNCH_HOLE
					    : FALLOC_FL_ZERO_RANGE,
			     offset, bytes);
	if (error == -EOPNOTSUPP && zero)
		error = write_zeroes(blk, offset, bytes);
	return error;
}

/* Copies all segments and checks them before any of them is done. */
static uint8_t do_segments(struct blk *blk, struct request *request, bool zero)
{
	struct virtio_blk_discard_write_zeroes segments[BLK_SEGMENTS];
	uint32_t flags = zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	uint32_t most = zero ? BLK_ZEROES_SECTORS : BLK_DISCARD_SECTORS;
	size_t count = request->bytes / sizeof(segments[0]);
	int error = 0;

	if (blk->read_only || request->bytes > sizeof(segments) || count == 0 ||
	    request->bytes % sizeof(segments[0]) != 0)
		return invalid(blk);
	iov_read(request->iov, request->parts, 0, segments, request->bytes);
	for (size_t i = 0; i < count; i++) {
		if (segments[i].flags & ~flags)
			return unsupported(blk);
		if (segments[i].num_sectors > most ||
		    !in_range(blk, segments[i].sector, segments[i].num_sectors))
			return invalid(blk);
	}
	for (size_t i = 0; i < count && !error; i++)
		error = do_segment(blk, zero, &segments[i]);
	if (!error && !(blk->device.features & FEATURE(VIRTIO_BLK_F_FLUSH)))
		error = flush(blk);
	return outcome(blk, request, error);
}

static uint8_t do_discard(struct blk *blk, struct request *request)
{
	return do_segments(blk, request, false);
}

static uint8_t do_zeroes(struct blk *blk, struct request *request)
{
	return do_segments(blk, request, true);
}

/* ---- */

static const struct {
	uint8_t (*serve)(struct blk *blk, struct request *request);
	enum blk_counter counter;
	bool from_driver; /* its data is the driver's */
	const char *name;
} kinds[] = {
	[VIRTIO_BLK_T_IN] = { do_read, BLK_READS, false, "read" },
	[VIRTIO_BLK_T_OUT] = { do_write, BLK_WRITES, true, "write" },
	[VIRTIO_BLK_T_FLUSH] = { do_flush, BLK_FLUSHES, true, "flush" },
	[VIRTIO_BLK_T_GET_ID] = { do_get_id, BLK_OTHERS, false, "name" },
	[VIRTIO_BLK_T_DISCARD] = { do_discard, BLK_DISCARDS, true, "discard" },
	[VIRTIO_BLK_T_WRITE_ZEROES] = { do_zeroes, BLK_ZEROES, true,
					"write zeroes" },
};

/* What can be done about it. */
static const char *remedy(int error)
{
	switch (error) {
	case -ENODATA:
		return " (the image has been cut off: truncate -s makes it "
		       "as long as it was)";
	case -ENOSPC:
	case -EDQUOT:
		return " (make room where the image is)";
	default:
		return "";
	}
}

/* A guest only sees that it failed, and does it again and again: of a minute's
 * errors, the first one is told. */
static void tell_error(struct blk *blk, const struct request *request)
{
	uint64_t now_ns = loop_now_ns();
	char others[48] = "";

	if (blk->told_ns && now_ns - blk->told_ns < TELL_NS) {
		blk->untold++;
		return;
	}
	if (blk->untold)
		snprintf(others, sizeof(others), "; %llu more since the last",
			 (unsigned long long)blk->untold);
	log_warn(
		"%.*s: the host refused to %s, %u bytes at sector %llu: %s%s%s",
		(int)sizeof(blk->id), blk->id, kinds[request->type].name,
		request->bytes, (unsigned long long)request->sector,
		error_name(-request->error), remedy(request->error), others);
	blk->told_ns = now_ns;
	blk->untold = 0;
}

/* Makes request of chain, but for the status byte at its end. */
static void split(struct chain *chain, const struct virtio_blk_outhdr *header,
		  struct request *request)
{
	struct iovec *data = chain->iov + chain->readable;

	*request = (struct request){ .type = header->type,
				     .sector = header->sector };
	if (kinds[header->type].from_driver) {
		unsigned int used =
			iov_skip(chain->iov, chain->readable, sizeof(*header));

		request->iov = chain->iov + used;
		request->parts = chain->readable - used;
		request->bytes =
			chain->readable_bytes - (uint32_t)sizeof(*header);
	} else {
		request->iov = data;
		request->bytes = chain->writable_bytes - 1;
		request->parts = iov_cut(data, chain->writable, request->bytes);
	}
}

uint8_t blk_request(struct blk *blk, struct chain *chain,
		    uint32_t *written_bytes)
{
	struct virtio_blk_outhdr header;
	struct request request;
	uint8_t status;

	*written_bytes = 0;
	if (iov_read(chain->iov, chain->readable, 0, &header, sizeof(header)) <
	    sizeof(header))
		return invalid(blk);
	if (header.type >= ARRAY_SIZE(kinds) || !kinds[header.type].serve)
		return unsupported(blk);
	split(chain, &header, &request);
	status = kinds[header.type].serve(blk, &request);
	if (request.error)
		tell_error(blk, &request);
	if (status == VIRTIO_BLK_S_OK)
		device_count(&blk->counters[kinds[header.type].counter], 1);
	*written_bytes = request.written_bytes;
	return status;
}
