/* SPDX-License-Identifier: ISC */
/* The network device, between a hostile driver and a host that sends frames of
 * any length: what goes out bears the device's own address. */
#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>

#include "tests/fuzz/vmproc/virtio_input.h"
#include "vmproc/virtio/net.h"

#define PAIRS       2
#define PLACES      256 /* where frames and commands are put, */
#define PLACE_BYTES 1024 /* one so far from the other */

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

/* A queue of the driver's, if it is up: 0 receives, 1 transmits. */
static struct vq *pair_vq(struct input *input, unsigned int which)
{
	struct vq *vq = &driver.vq[2 * (take(input) % PAIRS) + which];

	return vq->size ? vq : NULL;
}

static uint64_t take_place(struct input *input)
{
	return BUFFERS_GPA + (uint64_t)take(input) % PLACES * PLACE_BYTES;
}

/* A frame that is right, but for what the input says; cut anywhere. */
static void do_frame(struct input *input)
{
	struct vq *vq = pair_vq(input, 1);
	uint64_t gpa = take_place(input);
	uint32_t bytes = 20 + take(input) * 8U, at = 0;
	struct virtio_net_hdr_v1 header = {
		.flags = take(input) % 4,
		.gso_type = take(input) % 6,
		.csum_start = take(input),
	};
	struct part parts[4];
	unsigned int count = 0;

	if (!vq)
		return;
	header.gso_size = header.hdr_len = header.csum_start;
	memcpy(ram(gpa), &header, sizeof(header));
	memcpy(ram(gpa + 12 + 6), mac, sizeof(mac));
	while (at < bytes) {
		uint32_t part = 1 + take(input) % 64;

		if (count == 3 || part > bytes - at)
			part = bytes - at;
		parts[count++] = (struct part){ gpa + at, part, false };
		at += part;
	}
	vq_add(vq, parts, count);
}

/* How many pairs are used, which the control queue is told. */
static void do_command(struct input *input)
{
	uint8_t kind = take(input);
	struct vq *vq = &driver.vq[kind & 0x80 ? 2 : 2 * PAIRS];
	uint64_t gpa = take_place(input);
	const uint8_t command[] = { kind & 0x40 ? kind : 4, 0, kind % 4, 0 };
	uint32_t first = 1 + take(input) % 4;
	struct part parts[] = {
		{ gpa, first, false },
		{ gpa + first, 4 - first, false },
		{ gpa + 8, take(input) % 4, true },
	};

	if (!vq->size)
		return;
	memcpy(ram(gpa), command, sizeof(command));
	vq_add(vq, parts, 3);
	vq_kick(vq);
}

/* Receive buffers, down to a byte each. */
static void do_buffers(struct input *input)
{
	struct vq *vq = pair_vq(input, 0);
	unsigned int count = take(input) % QUEUE_SIZE;
	uint32_t bytes = 1 + take(input) * (take(input) % 8U);
	struct part part = { take_place(input), bytes, true };

	for (unsigned int i = 0; vq && i < count; i++)
		vq_add(vq, &part, 1);
}

static void do_wire(struct input *input)
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

static void do_special(struct input *input)
{
	static action_fn *const actions[] = { do_wire, do_frame, do_command,
					      do_buffers };

	actions[take(input) % 4](input);
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
		int fds[2], little = 1;

		CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) ==
		      0);
		/* so that it is full soon */
		CHECK(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &little,
				 sizeof(little)) == 0);
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
	act(&input, do_special);
	drain();
	/* what is left in the TAPs is the next driver's: not here */
	for (int i = 0; i < PAIRS; i++)
		while (read(net.pair[i].tap_fd, frame, sizeof(frame)) >= 0)
			;
	return 0;
}
