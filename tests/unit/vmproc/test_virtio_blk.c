/* SPDX-License-Identifier: ISC */
/* The block device, on an image in memory and on files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ipc/log.h"
#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/blk_request.h"

#define SIZE         16
#define SECTORS      4096
#define EVENT        FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define FLUSH        FEATURE(VIRTIO_BLK_F_FLUSH)
#define QUEUES       2
#define STATUS_UNSET 0xee

static struct blk blk;
static struct blk_io io;
static int image_fd;

static int make_image(uint64_t bytes)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static int init(int fd, bool read_only, unsigned int queues)
{
	const struct blk_setup blk_setup = { .fd = fd,
					     .read_only = read_only,
					     .queues = queues,
					     .id = "disk0" };

	memset(&blk, 0, sizeof(blk));
	return blk_init(&blk, &driver.bus, &io, &driver.memory, &blk_setup);
}

/* The disk's worker is this thread, and its loop the driver's. */
static void begin(int fd, bool read_only)
{
	driver_init();
	image_fd = fd;
	blk_io_init(&io, epoll_create1(EPOLL_CLOEXEC));
	assert_true(io.loop.epoll_fd >= 0);
	loop_uninit(&driver.loop);
	driver.loop.epoll_fd = io.loop.epoll_fd;
	assert_int_equal(init(fd, read_only, QUEUES), 0);
	attach(&blk.device);
}

static void end(void)
{
	blk_uninit(&blk);
	close(image_fd);
	driver_uninit();
}

static int setup(void **state)
{
	(void)state;
	begin(make_image(SECTORS * 512), false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	end();
	return 0;
}

static struct vq *vq(void)
{
	return &driver.vq[0];
}

struct outcome {
	uint8_t status;
	uint32_t len;
};

/* A request of bytes at data_gpa, which is in or out by type. */
static struct outcome request_at(uint32_t type, uint64_t sector,
				 uint64_t data_gpa, uint32_t bytes)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct part parts[3] = { { buffer(16), 16, false } };
	unsigned int count = 1;
	struct vring_used_elem used;
	uint64_t status_gpa = buffer(1);

	memcpy(ram(parts[0].gpa), &header, sizeof(header));
	if (bytes > 0)
		parts[count++] = (struct part){ data_gpa, bytes, in };
	parts[count++] = (struct part){ status_gpa, 1, true };
	*(uint8_t *)ram(status_gpa) = STATUS_UNSET;
	vq_add(vq(), parts, count);
	vq_kick_and_run(vq());
	assert_int_equal(vq_done(vq()), 1);
	used = vq_take(vq());
	return (struct outcome){ *(uint8_t *)ram(status_gpa), used.len };
}

static uint8_t request(uint32_t type, uint64_t sector, void *data,
		       uint32_t bytes)
{
	uint64_t gpa = buffer(bytes + 16);
	struct outcome outcome;

	if (data)
		memcpy(ram(gpa), data, bytes);
	outcome = request_at(type, sector, gpa, bytes);
	if (data)
		memcpy(data, ram(gpa), bytes);
	return outcome.status;
}

static void fill(uint8_t *data, size_t bytes, uint8_t seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 13 + i / 256 + seed);
}

static void assert_on_image(uint64_t sector, const void *data, size_t bytes)
{
	static uint8_t got[65536];

	assert_int_equal(pread(image_fd, got, bytes, (off_t)sector * 512),
			 bytes);
	assert_memory_equal(got, data, bytes);
}

/* ---- */

static void tells_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(get_reg(TRANSPORT_CONFIG, 4), SECTORS);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 4, 4), 0);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 12, 4), 254);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 20, 4), 512);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 34, 2), QUEUES);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 36, 4),
			 BLK_DISCARD_SECTORS);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 40, 4), BLK_SEGMENTS);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 48, 4), BLK_ZEROES_SECTORS);
	assert_true(offered() & FEATURE(VIRTIO_BLK_F_MQ));
	assert_false(offered() & FEATURE(VIRTIO_BLK_F_RO));
}

static void writes_and_reads(void **state)
{
	static uint8_t data[8192], back[8192];
	struct outcome outcome;
	uint64_t gpa;

	(void)state;
	bring_up(EVENT | FLUSH, SIZE);
	fill(data, sizeof(data), 1);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 3, data, sizeof(data)), 0);
	assert_on_image(3, data, sizeof(data));
	assert_int_equal(request(VIRTIO_BLK_T_IN, 3, back, sizeof(back)), 0);
	assert_memory_equal(back, data, sizeof(data));
	/* the last sector; and how much was written is told */
	assert_int_equal(request(VIRTIO_BLK_T_OUT, SECTORS - 1, data, 512), 0);
	gpa = buffer(512);
	outcome = request_at(VIRTIO_BLK_T_IN, SECTORS - 1, gpa, 512);
	assert_int_equal(outcome.status, 0);
	assert_int_equal(outcome.len, 513);
	assert_memory_equal(ram(gpa), data, 512);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(blk.counters[BLK_WRITES], 2);
	assert_int_equal(blk.counters[BLK_READS], 2);
	assert_int_equal(blk.counters[BLK_READ_BYTES], 8704);
	assert_int_equal(blk.counters[BLK_FLUSHES], 1);
	assert_int_equal(atomic_load(&io.busy_since_ns), 0);
}

static void refuses_what_is_out_of_range(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t bytes;
	} cases[] = {
		{ SECTORS, 512 },
		{ SECTORS - 1, 1024 },
		{ UINT64_MAX, 512 },
		{ UINT64_MAX / 512 + 1, 512 },
		{ 1ULL << 55, 512 },
		{ 0, 511 },
		{ 0, 1 },
		{ 0, 513 },
	};
	static uint8_t data[1024];

	(void)state;
	bring_up(EVENT | FLUSH, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(request(VIRTIO_BLK_T_IN, cases[i].sector, data,
					 cases[i].bytes),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(VIRTIO_BLK_T_OUT, cases[i].sector,
					 data, cases[i].bytes),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(blk.counters[BLK_INVALID],
			 2 * sizeof(cases) / sizeof(*cases));
}

static void refuses_unknown_types(void **state)
{
	static const uint32_t types[] = { 2,  3,  5,          7,         9,
					  12, 14, 0x80000000, 0xffffffff };

	(void)state;
	bring_up(EVENT, SIZE);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		assert_int_equal(request(types[i], 0, NULL, 0),
				 VIRTIO_BLK_S_UNSUPP);
}

static void tells_its_id(void **state)
{
	static char id[20];

	(void)state;
	bring_up(EVENT, SIZE);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, id, 20), 0);
	assert_string_equal(id, "disk0");
}

/* Header, data and status in pieces; the status behind the data. */
static void requests_have_any_shape(void **state)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN,
					    .sector = 5 };
	struct part parts[] = { { buffer(16), 3, false },
				{ 0, 13, false },
				{ buffer(512), 100, true },
				{ buffer(512), 413, true } };
	static uint8_t data[512];

	(void)state;
	bring_up(EVENT | FLUSH, SIZE);
	fill(data, sizeof(data), 4);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 5, data, 512), 0);
	parts[1].gpa = parts[0].gpa + 3;
	memcpy(ram(parts[0].gpa), &header, sizeof(header));
	((uint8_t *)ram(parts[3].gpa))[412] = STATUS_UNSET;
	vq_add(vq(), parts, 4);
	vq_kick_and_run(vq());
	assert_int_equal(vq_take(vq()).len, 513);
	assert_memory_equal(ram(parts[2].gpa), data, 100);
	assert_memory_equal(ram(parts[3].gpa), data + 100, 412);
	assert_int_equal(((uint8_t *)ram(parts[3].gpa))[412], 0);
}

static void short_header_is_an_error(void **state)
{
	struct part parts[] = { { buffer(16), 15, false },
				{ buffer(1), 1, true } };

	(void)state;
	bring_up(EVENT, SIZE);
	vq_add(vq(), parts, 2);
	vq_kick_and_run(vq());
	assert_int_equal(vq_take(vq()).len, 1);
	assert_int_equal(*(uint8_t *)ram(parts[1].gpa), VIRTIO_BLK_S_IOERR);
}

static void no_room_for_the_status_breaks_the_queue(void **state)
{
	struct part part = { buffer(16), 16, false };

	(void)state;
	bring_up(EVENT, SIZE);
	vq_add(vq(), &part, 1);
	vq_kick_and_run(vq());
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(blk.device.faults[QUEUE_FAULT_REQUEST], 1);
}

static void all_queues_are_served(void **state)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	struct part parts[] = { { buffer(16), 16, false },
				{ buffer(1024), 513, true } };

	(void)state;
	bring_up(EVENT | FEATURE(VIRTIO_BLK_F_MQ), SIZE);
	memcpy(ram(parts[0].gpa), &header, sizeof(header));
	for (int i = 0; i < 100; i++)
		for (unsigned int q = 0; q < QUEUES; q++) {
			vq_add(&driver.vq[q], parts, 2);
			vq_kick_and_run(&driver.vq[q]);
			assert_int_equal(vq_take(&driver.vq[q]).len, 513);
		}
	assert_true(raised(1) > 0);
	assert_true(raised(2) > 0);
}

struct segment {
	uint64_t sector;
	uint32_t count, flags;
};

static void discards_and_zeroes(void **state)
{
	static uint8_t data[16384], zero[16384];
	struct segment segments[2] = { { 2, 4, 0 }, { 10, 2, 0 } };

	(void)state;
	bring_up(EVENT | FLUSH, SIZE);
	fill(data, sizeof(data), 9);
	for (uint32_t flags = 0; flags < 2; flags++) {
		uint32_t type = VIRTIO_BLK_T_WRITE_ZEROES;

		assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, data, 16384), 0);
		segments[0].flags = segments[1].flags = flags;
		assert_int_equal(request(type, 0, segments, sizeof(segments)),
				 0);
		assert_on_image(0, data, 1024);
		assert_on_image(2, zero, 2048);
		assert_on_image(6, data + 3072, 2048);
		assert_on_image(10, zero, 1024);
		assert_on_image(12, data + 6144, 4096);
	}
	segments[0].flags = segments[1].flags = 0;
	assert_int_equal(
		request(VIRTIO_BLK_T_DISCARD, 0, segments, sizeof(segments)),
		0);
	assert_int_equal(blk.counters[BLK_DISCARDS], 1);
	assert_int_equal(blk.counters[BLK_ZEROES], 2);
}

static void segments_are_checked(void **state)
{
	static struct {
		struct segment segment;
		uint32_t bytes;
		uint8_t discard, zeroes;
	} cases[] = {
		{ { SECTORS, 1, 0 }, 16, 1, 1 },
		{ { SECTORS - 1, 2, 0 }, 16, 1, 1 },
		{ { UINT64_MAX, 1, 0 }, 16, 1, 1 },
		{ { 0, UINT32_MAX, 0 }, 16, 1, 1 },
		{ { 0, 1, 2 }, 16, 2, 2 },
		{ { 0, 1, 1 }, 16, 2, 0 },
		{ { 0, 1, 0 }, 15, 1, 1 },
		{ { 0, 1, 0 }, 0, 1, 1 },
		{ { 0, 1, 0 }, 17, 1, 1 },
		{ { 0, 0, 0 }, 16, 0, 0 },
		{ { SECTORS, 0, 0 }, 16, 0, 0 },
	};
	static uint8_t many[16 * (BLK_SEGMENTS + 1)];

	(void)state;
	bring_up(EVENT | FLUSH, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t copy[32] = { 0 };

		memcpy(copy, &cases[i].segment, 16);
		assert_int_equal(
			request(VIRTIO_BLK_T_DISCARD, 0, copy, cases[i].bytes),
			cases[i].discard);
		assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, copy,
					 cases[i].bytes),
				 cases[i].zeroes);
	}
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, many, sizeof(many)),
			 VIRTIO_BLK_S_IOERR);
}

/* The image becomes shorter than it was, and not to be written. */
static void host_errors_are_told(void **state)
{
	static uint8_t data[1024];
	struct segment segment = { 0, 1, 0 };

	(void)state;
	bring_up(EVENT | FLUSH, SIZE);
	assert_int_equal(ftruncate(image_fd, 512), 0); /* behind its back */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 1, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, data, 1024),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, data, 512), 0);
	assert_int_equal(blk.counters[BLK_ERRORS], 2);
	/* the descriptor turns out read-only */
	blk.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, &segment, 16),
			 VIRTIO_BLK_S_IOERR);
	close(blk.fd);
	assert_int_equal(blk.counters[BLK_ERRORS], 4);
}

static char last_line[LOG_LINE_BYTES];
static unsigned int lines;

static void take_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	assert_int_equal(level, LOG_LEVEL_WARN);
	snprintf(last_line, sizeof(last_line), "%s", line);
	lines++;
}

/* Which request, and what the host said: the first one at once, then one a
 * minute. */
static void host_errors_are_logged(void **state)
{
	static uint8_t data[1024];

	(void)state;
	log_set(take_line, NULL, LOG_LEVEL_INFO);
	lines = 0;
	bring_up(EVENT | FLUSH, SIZE);
	/* the guest's own mistakes are no errors of the host's */
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT + 20, 0, data, 512),
			 VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(lines, 0);
	assert_int_equal(ftruncate(image_fd, 512), 0); /* behind its back */
	request(VIRTIO_BLK_T_IN, 1, data, 1024);
	assert_int_equal(lines, 1);
	assert_non_null(strstr(last_line, "disk0: the host refused to read, "
					  "1024 bytes at sector 1: ENODATA "
					  "(the image has been cut off"));
	/* the descriptor turns out read-only */
	blk.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 5; i++)
		request(VIRTIO_BLK_T_OUT, 0, data, 512);
	assert_int_equal(lines, 1);
	blk.told_ns -= 60 * NSEC_PER_SEC;
	request(VIRTIO_BLK_T_OUT, 7, data, 512);
	assert_int_equal(lines, 2);
	assert_string_equal(last_line, "disk0: the host refused to write, 512 "
				       "bytes at sector 7: EBADF; 5 more since "
				       "the last");
	close(blk.fd);
	assert_int_equal(blk.counters[BLK_ERRORS], 7);
	log_set(NULL, NULL, LOG_LEVEL_INFO);
}

static int setup_read_only(void **state)
{
	(void)state;
	begin(make_image(SECTORS * 512), true);
	return 0;
}

static void read_only_is_so(void **state)
{
	static uint8_t data[512];
	struct segment segment = { 0, 1, 0 };

	(void)state;
	assert_true(offered() & FEATURE(VIRTIO_BLK_F_RO));
	assert_false(offered() & FEATURE(VIRTIO_BLK_F_DISCARD));
	bring_up(EVENT | FLUSH, SIZE);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, data, 512), 0);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, data, 512),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, &segment, 16),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, &segment, 16),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

static void images_are_checked(void **state)
{
	static const struct {
		uint64_t bytes;
		int result;
	} cases[] = { { 0, -EINVAL },    { 511, -EINVAL }, { 513, -EINVAL },
		      { 1000, -EINVAL }, { 512, 0 },       { 1024, 0 } };
	int fds[2], fd;

	(void)state;
	blk_uninit(&blk);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fd = make_image(cases[i].bytes);
		assert_int_equal(init(fd, false, 1), cases[i].result);
		blk_uninit(&blk);
		close(fd);
	}
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(init(fds[0], false, 1), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(init(-1, false, 1), -EINVAL);
	assert_int_equal(init(image_fd, false, 0), -EINVAL);
	assert_int_equal(init(image_fd, false, BLK_QUEUES_MAX + 1), -EINVAL);
	/* opened for reading alone: read-only, unasked */
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (init(fd, false, 1) == 0)
		assert_true(blk.read_only);
	blk_uninit(&blk);
	close(fd);
	assert_int_equal(init(image_fd, false, QUEUES), 0);
}

/* ---- O_DIRECT, where the file system of the build has it */

static void direct_images_take_any_buffer(void **state)
{
	static const char path[] = "test_virtio_blk.image";
	static uint8_t data[300 * 1024], back[300 * 1024];
	uint32_t bytes = 256 * 1024 + 4096;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT,
		      0600);
	uint64_t gpa;

	(void)state;
	unlink(path);
	if (fd < 0)
		skip();
	assert_int_equal(ftruncate(fd, SECTORS * 512), 0);
	begin(fd, false);
	assert_true(blk.alignment >= 512 && blk.alignment <= 4096);
	assert_int_equal(get_reg(TRANSPORT_CONFIG + 20, 4), blk.block_bytes);
	bring_up(EVENT | FLUSH, SIZE);
	fill(data, bytes, 5);
	gpa = (buffer(sizeof(data)) + 4095) & ~4095ULL;
	memcpy(ram(gpa), data, bytes);
	assert_int_equal(request_at(VIRTIO_BLK_T_OUT, 8, gpa, bytes).status, 0);
	/* by way of a buffer of our own, in several pieces */
	gpa += 1;
	assert_int_equal(request_at(VIRTIO_BLK_T_IN, 8, gpa, bytes).status, 0);
	assert_memory_equal(ram(gpa), data, bytes);
	fill(data, bytes, 6);
	memcpy(ram(gpa), data, bytes);
	assert_int_equal(request_at(VIRTIO_BLK_T_OUT, 16, gpa, bytes).status,
			 0);
	assert_int_equal(pread(fd, ram(BUFFERS_GPA), 0, 0), 0);
	assert_true(blk.counters[BLK_BOUNCED] >= 2);
	memset(back, 0, sizeof(back));
	assert_int_equal(
		request_at(VIRTIO_BLK_T_IN, 16, gpa + 100, bytes).status, 0);
	assert_memory_equal(ram(gpa + 100), data, bytes);
	if (blk.block_bytes > 512)
		assert_int_equal(
			request_at(VIRTIO_BLK_T_IN, 1, gpa, 4096).status,
			VIRTIO_BLK_S_IOERR);
	end();
}

/* ---- in a thread of its own, while the driver resets at will */

static void *worker(void *unused)
{
	(void)unused;
	blk_io_run(&io);
	return NULL;
}

static void on_stop(struct source *source, uint32_t events)
{
	(void)events;
	loop_stop(source->ctx);
}

static void resets_race_with_requests(void **state)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	struct part parts[] = { { buffer(16), 16, false },
				{ buffer(4096), 4096 + 1, true } };
	struct source stop;
	pthread_t thread;
	int fds[2];

	(void)state;
	memcpy(ram(parts[0].gpa), &header, sizeof(header));
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
		loop_add(&io.loop, &stop, fds[0], EPOLLIN, on_stop, &io.loop),
		0);
	assert_int_equal(pthread_create(&thread, NULL, worker, NULL), 0);
	for (int i = 0; i < 300; i++) {
		set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		while (get_status() != 0)
			usleep(10);
		add_status(3);
		set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
		set_reg(VIRTIO_PCI_COMMON_GF, 4, 1);
		add_status(VIRTIO_CONFIG_S_FEATURES_OK);
		for (uint16_t q = 0; q < QUEUES; q++)
			vq_enable(q, SIZE);
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		for (int n = 0; n < i % 8; n++) {
			vq_add(vq(), parts, 2);
			vq_kick(vq());
		}
		if (i % 3 == 0) /* all of them are done, if it is let */
			while (vq_done(vq()) < (unsigned int)(i % 8))
				usleep(10);
	}
	assert_int_equal(write(fds[1], "", 1), 1);
	pthread_join(thread, NULL);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(tells_what_it_is),
		TEST(writes_and_reads),
		TEST(refuses_what_is_out_of_range),
		TEST(refuses_unknown_types),
		TEST(tells_its_id),
		TEST(requests_have_any_shape),
		TEST(short_header_is_an_error),
		TEST(no_room_for_the_status_breaks_the_queue),
		TEST(all_queues_are_served),
		TEST(discards_and_zeroes),
		TEST(segments_are_checked),
		TEST(host_errors_are_told),
		TEST(host_errors_are_logged),
		TEST(images_are_checked),
		cmocka_unit_test_setup_teardown(read_only_is_so,
						setup_read_only, teardown),
		cmocka_unit_test(direct_images_take_any_buffer),
		TEST(resets_race_with_requests),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
