/* SPDX-License-Identifier: ISC */
/* Several vCPUs at a device's registers while its worker moves data: resets,
 * vectors and kicks in the middle of all that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/net.h"

#define PAIRS   2
#define CONTROL (2 * PAIRS)
#define SIZE    16
#define ROUNDS  300
#define BYTES   64
#define WAIT_NS (60 * NSEC_PER_SEC)
#define FRONT   26 /* offload header and Ethernet header */

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct net net;
static int host_fd[PAIRS], tap_fd[PAIRS];
static atomic_bool finished;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Sees the device at rest, or gives up: the other one may be at it again. */
static bool wait_for_reset(void)
{
	uint64_t end_ns = loop_now_ns() + NSEC_PER_SEC / 100;

	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	while (get_status() != 0) {
		if (loop_now_ns() > end_ns)
			return false;
		sched_yield();
	}
	return true;
}

static void start_device(uint64_t features)
{
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)features);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, 1);
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
	for (uint16_t i = 0; i <= CONTROL; i++)
		vq_enable(i, SIZE);
}

/* Frames both ways and a command; all of them in the same buffer. */
static void fill_queues(uint64_t gpa)
{
	const uint8_t command[] = { VIRTIO_NET_CTRL_MQ,
				    VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, PAIRS, 0 };
	const struct part commands[] = { { gpa + BYTES, 4, false },
					 { gpa + 2 * BYTES, 1, true } };
	const struct part frame = { gpa, FRONT, false };
	const struct part room = { gpa + 3 * BYTES, BYTES, true };

	memcpy(ram(gpa + 12 + 6), mac, sizeof(mac));
	memcpy(ram(gpa + BYTES), command, sizeof(command));
	for (unsigned int i = 0; i < SIZE / 2; i++) {
		for (unsigned int pair = 0; pair < PAIRS; pair++) {
			vq_add(&driver.vq[2 * pair], &room, 1);
			vq_add(&driver.vq[2 * pair + 1], &frame, 1);
		}
		vq_add(&driver.vq[CONTROL], commands, 2);
	}
}

static bool has_moved_frames(void)
{
	const uint64_t *counters = net.pair[0].counters;

	return device_counted(&counters[NET_TX_FRAMES]) > 0 &&
	       device_counted(&counters[NET_RX_FRAMES]) > 0;
}

/* Brings the device up, uses it, and doesn't wait for it to be done. */
static void *drive(void *unused)
{
	uint64_t gpa = BUFFERS_GPA;
	uint64_t end_ns = loop_now_ns() + WAIT_NS;
	uint32_t state = 1;
	int rounds = 0;

	(void)unused;
	while ((rounds < ROUNDS || !has_moved_frames()) &&
	       loop_now_ns() < end_ns) {
		if (!wait_for_reset())
			continue;
		rounds++;
		start_device((next_random(&state) << 8 & net.device.offered) |
			     FEATURE(VIRTIO_NET_F_MQ) |
			     FEATURE(VIRTIO_NET_F_CTRL_VQ));
		fill_queues(gpa);
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		for (uint32_t kicks = next_random(&state) % 64; kicks > 0;
		     kicks--)
			vq_kick(&driver.vq[kicks % (CONTROL + 1)]);
	}
	return NULL;
}

/* Writes and reads any register. */
static void *meddle(void *unused)
{
	static const uint32_t pages[] = { TRANSPORT_COMMON, TRANSPORT_VECTORS,
					  TRANSPORT_ISR, TRANSPORT_CONFIG,
					  TRANSPORT_PENDING };
	uint64_t bar = bar_gpa();
	uint16_t port = notify_port(0);
	uint32_t state = 2;

	(void)unused;
	while (!atomic_load(&finished)) {
		uint32_t kind = next_random(&state);
		uint64_t at = bar + pages[kind % 5] + next_random(&state) % 64;

		mmio(at, 1U << kind / 8 % 4, kind & 0x100,
		     next_random(&state) % 8);
		port_write((uint16_t)(port + next_random(&state) % 128),
			   1U << kind / 8 % 3, kind);
		if (kind % 64 == 0) /* all vectors on, or off */
			config_write(net.device.function.msix_capability + 2, 2,
				     kind & 0x200 ? 0x8000 : 0);
	}
	return NULL;
}

static void *host(void *unused)
{
	static const uint8_t frame[BYTES];
	uint8_t got[2 * BYTES];

	(void)unused;
	while (!atomic_load(&finished))
		for (int i = 0; i < PAIRS; i++) {
			while (read(host_fd[i], got, sizeof(got)) > 0)
				;
			if (write(host_fd[i], frame, sizeof(frame)) < 0)
				sched_yield();
		}
	return NULL;
}

/* The worker: this thread. Until all others have come to their end. */
static void *serve(void *driver_thread)
{
	while (!atomic_load(&finished))
		assert_int_equal(loop_turn(&driver.loop, 10), 0);
	return driver_thread;
}

static void make_device(void)
{
	struct net_setup setup = { .pairs = PAIRS,
				   .vhost_fds = { -1 },
				   .untuned = true };

	driver_init();
	memcpy(setup.mac, mac, sizeof(mac));
	for (int i = 0; i < PAIRS; i++) {
		int fds[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds),
			0);
		host_fd[i] = fds[0];
		setup.tap_fds[i] = tap_fd[i] = fds[1];
	}
	assert_int_equal(net_init(&net, &driver.bus, &driver.loop,
				  &driver.memory, &setup),
			 0);
	attach(&net.device);
}

static void comes_to_rest_after_all(void **state)
{
	pthread_t worker, driving, meddling, sending;
	uint64_t end_ns;

	(void)state;
	make_device();
	assert_int_equal(pthread_create(&worker, NULL, serve, NULL), 0);
	assert_int_equal(pthread_create(&sending, NULL, host, NULL), 0);
	assert_int_equal(pthread_create(&meddling, NULL, meddle, NULL), 0);
	assert_int_equal(pthread_create(&driving, NULL, drive, NULL), 0);
	pthread_join(driving, NULL);
	atomic_store(&finished, true);
	pthread_join(meddling, NULL);
	pthread_join(sending, NULL);
	pthread_join(worker, NULL);
	/* nobody but this thread is left */
	end_ns = loop_now_ns() + WAIT_NS;
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	while (get_status() != 0) {
		assert_true(loop_now_ns() < end_ns);
		run();
	}
	assert_int_equal(atomic_load(&net.device.life), DEVICE_STOPPED);
	assert_false(net.device.started);
	assert_true(has_moved_frames());
	net_uninit(&net);
	driver_uninit();
	for (int i = 0; i < PAIRS; i++) {
		close(host_fd[i]);
		close(tap_fd[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_to_rest_after_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
