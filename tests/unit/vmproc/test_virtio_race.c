/* SPDX-License-Identifier: ISC */
/* A guest that rewrites its rings and buffers while the device reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/blk.h"
#include "vmproc/virtio/queue.h"

#define SIZE       64
#define ENOUGH     2000
#define IMAGE      (64 * 1024)
#define TABLE_GPA  BUFFERS_GPA /* an indirect table, and requests behind it */
#define HEADER_GPA (BUFFERS_GPA + 4096)

static atomic_bool finished;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* A descriptor that is often right, in any respect. */
static struct vring_desc some_desc(uint32_t *state)
{
	struct vring_desc desc = {
		.addr = HEADER_GPA + next_random(state) % 4096,
		.len = next_random(state) % 1024,
		.flags = (uint16_t)(next_random(state) % 4),
		.next = (uint16_t)(next_random(state) % SIZE),
	};

	switch (next_random(state) % 16) {
	case 0:
		desc.addr = next_random(state) * 0x10001ULL;
		break;
	case 1:
		desc.len = next_random(state) * 0x101U;
		break;
	case 2:
		desc.addr = TABLE_GPA;
		desc.len = 16 * (1 + next_random(state) % SIZE);
		desc.flags = VRING_DESC_F_INDIRECT;
		break;
	default:
		break;
	}
	return desc;
}

static void *scribble(void *unused)
{
	const struct vq *vq = &driver.vq[0];
	uint32_t state = 1;

	(void)unused;
	while (!atomic_load(&finished)) {
		struct vring_desc desc = some_desc(&state);
		struct virtio_blk_outhdr header = {
			.type = next_random(&state) % 14,
			.sector = next_random(&state) % 200,
		};

		memcpy(vq_desc(vq, (uint16_t)(next_random(&state) % SIZE)),
		       &desc, sizeof(desc));
		desc = some_desc(&state);
		memcpy((char *)ram(TABLE_GPA) +
			       16 * (size_t)(next_random(&state) % SIZE),
		       &desc, sizeof(desc));
		memcpy((char *)ram(HEADER_GPA) + next_random(&state) % 4096,
		       &header, sizeof(header));
		vq_avail(vq)->ring[next_random(&state) % SIZE] =
			(uint16_t)(next_random(&state) % SIZE);
		vq_avail(vq)->idx =
			(uint16_t)(vq_used(vq)->idx + next_random(&state) % 8);
	}
	return NULL;
}

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

static void check(const struct chain *chain)
{
	uint64_t bytes = 0;

	for (int i = 0; i < chain->readable + chain->writable; i++) {
		assert_true(in_ram(&chain->iov[i]));
		bytes += chain->iov[i].iov_len;
	}
	assert_int_equal(bytes, (uint64_t)chain->readable_bytes +
					chain->writable_bytes);
}

static void queue_takes_only_what_it_checked(void **state)
{
	static struct iovec iov[QUEUE_CHAIN_MAX];
	struct vq *vq = vq_make(0, SIZE);
	const struct queue_layout layout = { SIZE, vq->desc_gpa, vq->avail_gpa,
					     vq->used_gpa };
	struct queue queue;
	struct chain chain;
	pthread_t thread;
	unsigned int taken = 0, broken = 0;

	(void)state;
	atomic_store(&finished, false);
	assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
	assert_int_equal(queue_start(&queue, &driver.memory, &layout, ~0ULL),
			 0);
	while (taken < ENOUGH || broken < ENOUGH) {
		int got = queue_pop(&queue, &chain, iov, QUEUE_CHAIN_MAX);

		if (got > 0) {
			taken++;
			check(&chain);
			queue_push(&queue, chain.head, chain.writable_bytes);
			queue_wants_signal(&queue);
		} else if (got < 0) {
			broken++;
			queue_start(&queue, &driver.memory, &layout, ~0ULL);
			queue_resync(&queue, vq_used(vq)->idx);
		}
	}
	atomic_store(&finished, true);
	pthread_join(thread, NULL);
}

static void disk_survives(void **state)
{
	static struct blk blk;
	static struct blk_io io;
	struct blk_setup setup = { .queues = 1, .id = "disk0" };
	pthread_t thread;

	(void)state;
	setup.fd = memfd_create("image", MFD_CLOEXEC);
	assert_int_equal(ftruncate(setup.fd, IMAGE), 0);
	blk_io_init(&io, epoll_create1(EPOLL_CLOEXEC));
	assert_true(io.loop.epoll_fd >= 0);
	loop_uninit(&driver.loop);
	driver.loop.epoll_fd = io.loop.epoll_fd;
	assert_int_equal(
		blk_init(&blk, &driver.bus, &io, &driver.memory, &setup), 0);
	attach(&blk.device);
	vq_make(0, SIZE);
	atomic_store(&finished, false);
	assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
	for (int i = 0; i < 500; i++) {
		assert_true(negotiate(
			offered() & (1ULL << VIRTIO_F_VERSION_1 | 1ULL << 28)));
		vq_enable(0, SIZE);
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		for (int n = 0; n < 4; n++)
			vq_kick_and_run(&driver.vq[0]);
	}
	atomic_store(&finished, true);
	pthread_join(thread, NULL);
	reset();
	assert_int_equal(lseek(setup.fd, 0, SEEK_END), IMAGE);
	blk_uninit(&blk);
	close(setup.fd);
}

static int begin(void **state)
{
	(void)state;
	driver_init();
	return 0;
}

static int end(void **state)
{
	(void)state;
	driver_uninit();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			queue_takes_only_what_it_checked, begin, end),
		cmocka_unit_test_setup_teardown(disk_survives, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
