/* SPDX-License-Identifier: ISC */
/* The network device, between a hostile driver and a host that sends frames of
 * any length: what goes out bears the device's own address. */
#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>

#include "tests/fuzz/vmproc/virtio_input.h"
#include "vmproc/virtio/net.h"

#define PAIRS 2

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct net net;
static int host_fd[PAIRS];
static uint8_t frame[70000];

/* Reads all that was sent: it is what a TAP may be given. */
static void drain(void)
{
	for (int i = 0; i < PAIRS; i++) {
		ssize_t bytes;

		while ((bytes = read(host_fd[i], frame, sizeof(frame))) >= 0) {
			CHECK(bytes >= 26);
			CHECK(memcmp(frame + 12 + 6, mac, 6) == 0);
			CHECK((frame[0] & ~VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0);
		}
	}
}

static void do_host(struct input *input)
{
	uint8_t kind = take(input);
	size_t bytes = 12;

	drain();
	switch (kind % 4) {
	case 0:
		bytes = take(input);
		break;
	case 1:
		bytes += take_bytes(input, 2);
		break;
	case 2:
		net_pause(&net, kind & 0x80);
		return;
	default:
		bytes += 1514;
		break;
	}
	memset(frame, 0, 12);
	frame[0] = take(input) % 4;
	frame[1] = take(input) % 6;
	if (write(host_fd[kind >> 2 & 1], frame, bytes) < 0)
		CHECK(errno == EAGAIN);
}

static void init(void)
{
	struct net_setup setup = { .pairs = PAIRS,
				   .mtu = 1500,
				   .vhost_fds = { -1 },
				   .untuned = true };

	memcpy(setup.mac, mac, 6);
	driver_init();
	for (int i = 0; i < PAIRS; i++) {
		int fds[2];

		CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) ==
		      0);
		host_fd[i] = fds[0];
		setup.tap_fds[i] = fds[1];
	}
	CHECK(net_init(&net, &driver.bus, &driver.loop, &driver.memory,
		       &setup) == 0);
	attach(&net.device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	if (!driver.device)
		init();
	power_on();
	net_pause(&net, false);
	act(&input, do_host);
	drain();
	/* what is left in the TAPs is the next driver's: not here */
	for (int i = 0; i < PAIRS; i++)
		while (read(net.pair[i].tap_fd, frame, sizeof(frame)) >= 0)
			;
	return 0;
}
