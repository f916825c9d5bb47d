/* SPDX-License-Identifier: ISC */
/* What a hostile driver may ask of the network device that no driver would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ipc/log.h"
#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/net.h"

#define PAIRS   2
#define SIZE    16
#define CONTROL (2 * PAIRS)
#define FRONT   26 /* offload header and Ethernet header */
#define FRAME   100
#define MQ      (FEATURE(VIRTIO_NET_F_MQ) | FEATURE(VIRTIO_NET_F_CTRL_VQ))

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct net net;
static int host_fd[PAIRS], tap_fd[PAIRS];
static unsigned int lines;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
	lines++;
}

static void make_device(bool tune)
{
	struct net_setup setup = { .pairs = PAIRS,
				   .vhost_fds = { -1 },
				   .untuned = !tune };

	driver_init();
	memset(&net, 0, sizeof(net));
	memcpy(setup.mac, mac, sizeof(mac));
	memcpy(setup.tap_fds, tap_fd, sizeof(tap_fd));
	assert_int_equal(net_init(&net, &driver.bus, &driver.loop,
				  &driver.memory, &setup),
			 0);
	attach(&net.device);
	lines = 0;
}

static int setup_sockets(void **state)
{
	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		int fds[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds),
			0);
		host_fd[i] = fds[0];
		tap_fd[i] = fds[1];
	}
	make_device(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_uninit(&net);
	driver_uninit();
	for (int i = 0; i < PAIRS; i++) {
		close(host_fd[i]);
		close(tap_fd[i]);
	}
	return 0;
}

/* A frame in pair's transmit queue, its headers in a part of their own; not
 * kicked. */
static void queue_frame(unsigned int pair)
{
	uint64_t gpa = buffer(FRAME);
	const struct part parts[] = {
		{ gpa, FRONT, false },
		{ gpa + FRONT, FRAME - FRONT, false },
	};

	memset(ram(gpa), 0, FRAME);
	memcpy(ram(gpa + 12 + 6), mac, sizeof(mac));
	vq_add(&driver.vq[2 * pair + 1], parts, 2);
}

static bool host_gets(unsigned int pair)
{
	uint8_t frame[FRAME];

	return read(host_fd[pair], frame, sizeof(frame)) == sizeof(frame);
}

/* The answer to a command that sets the number of pairs; 0xee: none. */
static uint8_t set_pairs(uint8_t pairs)
{
	uint64_t gpa = buffer(16);
	const struct part parts[] = { { gpa, 4, false }, { gpa + 8, 1, true } };
	const uint8_t command[] = { VIRTIO_NET_CTRL_MQ,
				    VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, pairs, 0 };

	memcpy(ram(gpa), command, sizeof(command));
	*(uint8_t *)ram(gpa + 8) = 0xee;
	vq_add(&driver.vq[CONTROL], parts, 2);
	vq_kick_and_run(&driver.vq[CONTROL]);
	return *(uint8_t *)ram(gpa + 8);
}

/* A command moves what waits in the queues that it switches on, and must find
 * its own buffers again after that. */
static void commands_are_answered_while_frames_wait(void **state)
{
	(void)state;
	bring_up(MQ, SIZE);
	queue_frame(0);
	queue_frame(1);
	assert_int_equal(set_pairs(PAIRS), VIRTIO_NET_OK);
	assert_int_equal(vq_take(&driver.vq[CONTROL]).len, 1);
	assert_true(host_gets(0));
	assert_true(host_gets(1));
}

/* The kernel gives up on a pair whose rings it can't follow; the next driver's
 * are served. */
static void a_broken_pair_is_served_after_a_reset(void **state)
{
	(void)state;
	net.vhost.pairs = PAIRS;
	for (int i = 0; i < PAIRS; i++)
		net.vhost.pair[i].fd = -1;
	bring_up(MQ, SIZE);
	/* as while it was the kernel's */
	device_watch(net.pair[0].rx, false);
	device_watch(net.pair[0].tx, false);
	bring_up(MQ, SIZE);
	queue_frame(0);
	vq_kick_and_run(&driver.vq[1]);
	assert_true(host_gets(0));
	net.vhost.pairs = 0;
}

/* ---- on TAPs */

/* False: none can be made here. */
static bool make_taps(void)
{
	struct ifreq request = { .ifr_name = "hostile0",
				 .ifr_flags = IFF_TAP | IFF_NO_PI |
					      IFF_VNET_HDR | IFF_MULTI_QUEUE };

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	for (int i = 0; i < PAIRS; i++) {
		host_fd[i] = -1;
		tap_fd[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
		if (tap_fd[i] < 0 || ioctl(tap_fd[i], TUNSETIFF, &request) < 0)
			return false;
	}
	return true;
}

/* A log line for each try would be a flood. */
static void odd_features_are_no_news(void **state)
{
	static const unsigned int features[] = { VIRTIO_NET_F_GUEST_TSO4,
						 VIRTIO_NET_F_GUEST_TSO6,
						 VIRTIO_NET_F_GUEST_ECN,
						 VIRTIO_NET_F_GUEST_CSUM };

	(void)state;
	if (!make_taps()) {
		print_message("# no TAP can be made here\n");
		skip();
	}
	make_device(true);
	for (unsigned int set = 0; set < 1U << 4; set++) {
		uint64_t chosen = MQ;

		for (unsigned int i = 0; i < 4; i++)
			if (set & 1U << i)
				chosen |= FEATURE(features[i]);
		bring_up(chosen, SIZE);
		assert_int_equal(lines, 0);
	}
	net_uninit(&net);
	driver_uninit();
	for (int i = 0; i < PAIRS; i++)
		close(tap_fd[i]);
}

/* How many messages of links there are to read. */
static unsigned int heard(int netlink_fd)
{
	char message[8192];
	unsigned int count = 0;

	while (recv(netlink_fd, message, sizeof(message), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

/* What a TAP is told, all who listen to the host's links hear. */
static void listeners_are_left_in_peace(void **state)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK,
					     .nl_groups = RTMGRP_LINK };
	int netlink_fd;

	(void)state;
	if (!make_taps()) {
		print_message("# no TAP can be made here\n");
		skip();
	}
	make_device(true);
	netlink_fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	assert_int_equal(bind(netlink_fd, (const struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	for (unsigned int i = 0; i < NET_TAP_CHANGES; i++) {
		bring_up(MQ | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
				 FEATURE(VIRTIO_NET_F_GUEST_TSO4),
			 SIZE);
		if (i < 3)
			assert_true(heard(netlink_fd) > 0);
	}
	heard(netlink_fd);
	heard(netlink_fd); /* the first one may say that some were lost */
	for (unsigned int i = 0; i < 8; i++)
		bring_up(MQ | FEATURE(VIRTIO_NET_F_GUEST_CSUM), SIZE);
	assert_int_equal(heard(netlink_fd), 0);
	/* pairs that come and go are news as well */
	net.vhost.pairs = PAIRS;
	for (int i = 0; i < PAIRS; i++)
		net.vhost.pair[i].fd = -1;
	assert_int_equal(set_pairs(PAIRS), VIRTIO_NET_ERR);
	net.vhost.pairs = 0;
	close(netlink_fd);
	net_uninit(&net);
	driver_uninit();
	for (int i = 0; i < PAIRS; i++)
		close(tap_fd[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_sockets, teardown)
		TEST(commands_are_answered_while_frames_wait),
		TEST(a_broken_pair_is_served_after_a_reset),
		cmocka_unit_test(odd_features_are_no_news),
		cmocka_unit_test(listeners_are_left_in_peace),
	};

	log_set(count_line, NULL, LOG_LEVEL_INFO);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
