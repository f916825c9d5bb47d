/* SPDX-License-Identifier: ISC */
/* The block device, with a hostile driver: whatever it asks for, the image
 * keeps its size, and a read-only one what is in it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/fuzz/vmproc/virtio_input.h"
#include "vmproc/virtio/blk.h"

#define IMAGE_BYTES (256 * 1024)

static struct blk blk;
static struct blk_io io;
static int image_fd;

static off_t image_bytes(void)
{
	struct stat status;

	CHECK(fstat(image_fd, &status) == 0);
	return status.st_size;
}

/* A request that is right, but for what the input says. */
static void do_request(struct input *input)
{
	static const uint8_t types[] = { 0, 1, 4, 8, 11, 13, 0, 1 };
	uint8_t kind = take(input);
	struct virtio_blk_outhdr header = {
		.type = types[kind & 7], .sector = take_bytes(input, 2) % 600
	};
	struct vq *vq = take_vq(input);
	uint64_t gpa = BUFFERS_GPA + take(input) * 64ULL;
	bool in = header.type == 0 || header.type == 8;
	struct part parts[] = {
		{ gpa, 16, false },
		{ gpa + 16 + take(input) % 4, take(input) * 512U, in },
		{ gpa + 8192, 1, true },
	};

	if (!vq->size)
		return;
	if (kind & 8)
		parts[1].bytes = header.type > 10 ? 16 : parts[1].bytes + 1;
	if (kind & 16)
		blk.alignment = kind & 32 ? 512 : 1;
	if (kind & 64)
		blk.read_only = kind & 128;
	memcpy(ram(gpa), &header, sizeof(header));
	vq_add(vq, parts, 3);
	vq_kick(vq);
}

/* What a segment says, just about right or far off. */
static struct virtio_blk_discard_write_zeroes take_segment(struct input *input)
{
	struct virtio_blk_discard_write_zeroes segment = {
		.sector = take_bytes(input, 2) % 600,
		.num_sectors = take(input),
		.flags = take(input) % 4 == 0,
	};

	switch (take(input) % 8) {
	case 0:
		segment.sector = take_bytes(input, 8);
		break;
	case 1:
		segment.num_sectors = (uint32_t)take_bytes(input, 4);
		break;
	case 2:
		segment.sector = -(uint64_t)segment.num_sectors;
		break;
	case 3:
		segment.flags = (uint32_t)take_bytes(input, 4);
		break;
	default:
		break;
	}
	return segment;
}

/* Discard and write-zeroes, of more segments than are taken, too. */
static void do_segments(struct input *input)
{
	uint8_t kind = take(input);
	const struct virtio_blk_outhdr header = {
		.type = kind & 0x80 ? VIRTIO_BLK_T_DISCARD
				    : VIRTIO_BLK_T_WRITE_ZEROES,
	};
	unsigned int count = kind % 20;
	struct vq *vq = take_vq(input);
	uint64_t gpa = BUFFERS_GPA + take(input) * 64ULL;
	struct part parts[] = {
		{ gpa, 16, false },
		{ gpa + 16, 16 * count + (kind & 0x40 ? kind : 0), false },
		{ gpa + 8192, 1, true },
	};

	if (!vq->size)
		return;
	memcpy(ram(gpa), &header, sizeof(header));
	for (unsigned int i = 0; i < count; i++) {
		struct virtio_blk_discard_write_zeroes segment =
			take_segment(input);

		memcpy(ram(gpa + 16 + 16ULL * i), &segment, sizeof(segment));
	}
	vq_add(vq, parts, 3);
	vq_kick(vq);
}

static void do_special(struct input *input)
{
	if (take(input) % 3 == 0)
		do_segments(input);
	else
		do_request(input);
}

static void init(void)
{
	const struct blk_setup setup = { .fd = image_fd,
					 .queues = 2,
					 .id = "disk0" };

	driver_init();
	blk_io_init(&io, epoll_create1(EPOLL_CLOEXEC));
	CHECK(io.loop.epoll_fd >= 0);
	loop_uninit(&driver.loop);
	driver.loop.epoll_fd = io.loop.epoll_fd;
	CHECK(blk_init(&blk, &driver.bus, &io, &driver.memory, &setup) == 0);
	attach(&blk.device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	if (!driver.device) {
		image_fd = memfd_create("image", MFD_CLOEXEC);
		CHECK(ftruncate(image_fd, IMAGE_BYTES) == 0);
		init();
	}
	power_on();
	blk.alignment = 1;
	blk.read_only = false;
	act(&input, do_special);
	CHECK(image_bytes() == IMAGE_BYTES);
	CHECK(atomic_load(&io.busy_since_ns) == 0);
	return 0;
}
