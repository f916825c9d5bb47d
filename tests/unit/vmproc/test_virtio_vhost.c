/* SPDX-License-Identifier: ISC */
/* What the process does about queues that vhost-net serves, and about those
 * that it gives back. The kernel's part is ours here: it takes every request,
 * moves nothing, and says that it stopped where it began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/vhost.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/net.h"
#include "vmproc/vmproc.h"

#define PAIRS 2
#define SIZE  16
#define FRAME (NET_HEADER_BYTES + 60)
#define MQ    (FEATURE(VIRTIO_NET_F_MQ) | FEATURE(VIRTIO_NET_F_CTRL_VQ))

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct net net;
static int host_fd[PAIRS], tap_fd[PAIRS], vhost_fd[PAIRS];

/* ---- the kernel */

static bool refuses, tap_is_gone;
static unsigned int base[PAIRS][2];

static int vhost_request(unsigned int pair, unsigned long request, void *data)
{
	struct vhost_vring_state *state = data;

	switch (request) {
	case VHOST_GET_FEATURES:
		*(uint64_t *)data = UINT64_MAX;
		return 0;
	case VHOST_SET_FEATURES:
		errno = EINVAL;
		return refuses ? -1 : 0;
	case VHOST_SET_VRING_BASE:
		base[pair][state->index] = state->num;
		return 0;
	case VHOST_GET_VRING_BASE:
		state->num = base[pair][state->index];
		return 0;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *data;

	va_start(args, request);
	data = va_arg(args, void *);
	va_end(args);
	for (unsigned int i = 0; i < PAIRS; i++)
		if (fd == vhost_fd[i])
			return vhost_request(i, request, data);
	return (int)syscall(SYS_ioctl, fd, request, data);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	if (tap_is_gone && (fd == tap_fd[0] || fd == tap_fd[1])) {
		errno = EBADFD;
		return -1;
	}
	return syscall(SYS_write, fd, buf, n);
}

/* ---- */

static int setup(void **state)
{
	struct net_setup net_setup = { .pairs = PAIRS, .untuned = true };

	(void)state;
	driver_init();
	memset(&net, 0, sizeof(net));
	memcpy(net_setup.mac, mac, sizeof(mac));
	refuses = tap_is_gone = false;
	for (unsigned int i = 0; i < PAIRS; i++) {
		int fds[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds),
			0);
		host_fd[i] = fds[0];
		net_setup.tap_fds[i] = tap_fd[i] = fds[1];
		net_setup.vhost_fds[i] = vhost_fd[i] = eventfd(0, 0);
	}
	assert_int_equal(net_init(&net, &driver.bus, &driver.loop,
				  &driver.memory, &net_setup),
			 0);
	attach(&net.device);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_uninit(&net);
	for (unsigned int i = 0; i < PAIRS; i++) {
		close(host_fd[i]);
		close(tap_fd[i]);
		close(vhost_fd[i]);
		vhost_fd[i] = -1;
	}
	driver_uninit();
	return 0;
}

static const uint8_t *a_frame(void)
{
	static uint8_t frame[FRAME];

	memcpy(frame + NET_HEADER_BYTES + sizeof(mac), mac, sizeof(mac));
	return frame;
}

static struct vq *rx(unsigned int pair)
{
	return &driver.vq[2 * pair];
}

static struct vq *tx(unsigned int pair)
{
	return &driver.vq[2 * pair + 1];
}

static void guest_sends(unsigned int pair)
{
	struct part part = { buffer(FRAME), FRAME, false };

	memcpy(ram(part.gpa), a_frame(), FRAME);
	vq_add(tx(pair), &part, 1);
	vq_kick_and_run(tx(pair));
}

static void guest_gives(unsigned int pair)
{
	struct part part = { buffer(2048), 2048, true };

	vq_add(rx(pair), &part, 1);
	vq_kick_and_run(rx(pair));
}

static void host_sends(unsigned int pair)
{
	assert_int_equal(write(host_fd[pair], a_frame(), FRAME), FRAME);
	run();
}

static unsigned int frames_at_host(unsigned int pair)
{
	uint8_t got[FRAME];
	unsigned int frames = 0;

	while (read(host_fd[pair], got, sizeof(got)) == FRAME)
		frames++;
	return frames;
}

static void use_pairs(uint16_t pairs)
{
	struct vq *vq = &driver.vq[2 * PAIRS];
	uint8_t command[4] = { VIRTIO_NET_CTRL_MQ,
			       VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, (uint8_t)pairs,
			       0 };
	struct part parts[] = { { buffer(sizeof(command)), sizeof(command),
				  false },
				{ buffer(1), 1, true } };

	memcpy(ram(parts[0].gpa), command, sizeof(command));
	vq_add(vq, parts, 2);
	vq_kick_and_run(vq);
	vq_take(vq);
	assert_int_equal(*(uint8_t *)ram(parts[1].gpa), VIRTIO_NET_OK);
}

/* The kernel finds a ring that it can't follow. */
static void break_ring(unsigned int pair)
{
	const uint64_t one = 1;

	assert_int_equal(write(net.vhost.pair[pair].error_fd, &one, 8), 8);
	run();
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* Whether the next heartbeat ends the process, because the TAP is gone. */
static bool ends_without_tap(void)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		tap_is_gone = true;
		net_check(&net);
		_exit(VMPROC_EXIT_OK);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == VMPROC_EXIT_TAP_GONE;
}

/* ---- */

static void the_kernel_is_left_alone(void **state)
{
	uint64_t kicks;

	(void)state;
	bring_up(MQ, SIZE);
	kicks = device_counted(&net.device.queue[1].kicks);
	guest_gives(0);
	guest_sends(0);
	host_sends(0);
	net_check(&net);
	assert_int_equal(device_counted(&net.device.queue[1].kicks), kicks);
	assert_int_equal(vq_done(rx(0)), 0);
	/* but for what is too short for a frame */
	assert_int_equal(frames_at_host(0), 0);
	/* a pair that the driver doesn't use is nobody's */
	assert_true(net.vhost.pair[0].running);
	assert_true(net.pair[0].was_by_kernel);
	assert_false(net.vhost.pair[1].running);
	assert_false(net.pair[1].was_by_kernel);
}

static void a_refused_pair_is_served_here(void **state)
{
	(void)state;
	refuses = true;
	bring_up(MQ, SIZE);
	guest_gives(0);
	host_sends(0);
	guest_sends(0);
	assert_int_equal(vq_done(rx(0)), 1);
	assert_int_equal(frames_at_host(0), 1);
}

/* The driver begins again, and this time the kernel doesn't take them. */
static void what_comes_back_is_waited_for(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		refuses = false;
		bring_up(MQ, SIZE);
		assert_true(net.vhost.pair[0].running);
		host_sends(0); /* waits in the TAP */
		refuses = true;
		bring_up(MQ, SIZE);
		assert_false(net.vhost.pair[0].running);
		guest_gives(0);
		assert_int_equal(vq_done(rx(0)), 1);
		guest_gives(0);
		host_sends(0);
		assert_int_equal(vq_done(rx(0)), 2);
		guest_sends(0);
		assert_int_equal(frames_at_host(0), 1);
	}
}

/* Kicked while the kernel had it, which didn't come to it. */
static void what_was_kicked_meanwhile_is_sent(void **state)
{
	(void)state;
	bring_up(MQ, SIZE);
	for (unsigned int i = 1; i <= 3; i++) {
		use_pairs(2);
		assert_true(net.vhost.pair[1].running);
		guest_sends(1);
		assert_int_equal(frames_at_host(1), 0);
		use_pairs(1);
		run();
		assert_int_equal(frames_at_host(1), 1);
		guest_sends(1);
		assert_int_equal(frames_at_host(1), 1);
		assert_int_equal(vq_done(tx(1)), 2 * i);
	}
}

static void a_tap_that_is_gone_is_noticed(void **state)
{
	(void)state;
	/* before a driver is there, and after it, epoll tells */
	assert_true(net.pair[0].tap.fd >= 0);
	bring_up(MQ, SIZE);
	assert_true(ends_without_tap());
	break_ring(0);
	assert_false(net.vhost.pair[0].running);
	assert_true(ends_without_tap());
	reset();
	assert_true(net.pair[0].tap.fd >= 0);
	assert_false(ends_without_tap());
	bring_up(MQ, SIZE);
	assert_true(ends_without_tap());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_kernel_is_left_alone),
		TEST(a_refused_pair_is_served_here),
		TEST(what_comes_back_is_waited_for),
		TEST(what_was_kicked_meanwhile_is_sent),
		TEST(a_tap_that_is_gone_is_noticed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
