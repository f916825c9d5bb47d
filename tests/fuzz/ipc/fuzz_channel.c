/* SPDX-License-Identifier: ISC */
/*
 * Packets of a hostile peer, through a real pair of sockets: the input says
 * which bytes come, and how many descriptors beside them. A packet is taken if
 * and only if the table of messages says so, as it was sent; and whatever
 * becomes of it, no descriptor is left over and none is closed that was ours.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/channel.h"
#include "ipc/fd.h"

#define CHECK(true_or_abort)                                       \
	do {                                                       \
		if (!(true_or_abort)) {                            \
			fprintf(stderr, "not true: %s, line %d\n", \
				#true_or_abort, __LINE__);         \
			abort();                                   \
		}                                                  \
	} while (0)

#define GENERATION 7
/* More of each than the channel has room for. */
#define FDS_MAX   20
#define BYTES_MAX (2 * sizeof(union msg))

struct input {
	const uint8_t *at;
	size_t left;
};

struct sent {
	union {
		struct msg_header header;
		uint8_t at[BYTES_MAX];
	} data;
	size_t bytes;
	unsigned int fds;
};

static int some_fd = -1;

static unsigned int take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

/* The lowest descriptor that is free: another one, if any was left open or
 * closed below it. */
static int lowest_free_fd(void)
{
	int fd = fcntl(some_fd, F_DUPFD_CLOEXEC, 0);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

/* A message that is right but for a few bytes, or anything. */
static void make(struct input *input, struct sent *sent)
{
	unsigned int kind = take(input), changes;

	memset(sent, 0, sizeof(*sent));
	if (kind % 4 == 0) {
		sent->bytes = (take(input) << 8 | take(input)) % BYTES_MAX;
		sent->fds = take(input) % (FDS_MAX + 1);
		for (size_t i = 0; i < sent->bytes; i++)
			sent->data.at[i] = (uint8_t)take(input);
		return;
	}
	sent->data.header.type = (uint16_t)(take(input) % MSG_TYPES);
	sent->data.header.size = msg_specs[sent->data.header.type].size;
	sent->data.header.generation = GENERATION;
	sent->bytes = sent->data.header.size;
	sent->fds = msg_specs[sent->data.header.type].fds;
	if (kind % 4 == 1)
		sent->fds = take(input) % (FDS_MAX + 1);
	if (kind % 4 == 2)
		sent->bytes += take(input) % 16;
	changes = take(input) % 4;
	while (changes-- > 0) {
		unsigned int where = take(input) % 64;

		sent->data.at[where] = (uint8_t)take(input);
	}
}

static void transmit(int to_fd, struct sent *sent)
{
	struct iovec part = { sent->data.at, sent->bytes };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (sent->fds > 0) {
		size_t bytes = sent->fds * sizeof(int);

		control.header.cmsg_len = CMSG_LEN(bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		for (unsigned int i = 0; i < sent->fds; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int),
			       &some_fd, sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(bytes);
	}
	CHECK(sendmsg(to_fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	      (ssize_t)sent->bytes);
}

/* What the table says of a packet. */
static bool is_right(const struct sent *sent, const struct channel *channel)
{
	const struct msg_header *header = &sent->data.header;
	const struct msg_spec *spec;

	if (sent->bytes < sizeof(*header) || header->type >= MSG_TYPES)
		return false;
	spec = &msg_specs[header->type];
	return spec->size != 0 && sent->bytes == spec->size &&
	       header->size == spec->size && header->reserved == 0 &&
	       sent->fds == spec->fds &&
	       spec->to_vmproc == (channel->side == CHANNEL_VMPROC) &&
	       (channel->generation == 0 ||
		channel->generation == header->generation);
}

static void one_packet(struct input *input, const struct channel *channel,
		       int peer_fd)
{
	struct channel_fault fault = { 0 };
	struct sent sent;
	union msg message;
	int fd = -2, got;

	make(input, &sent);
	transmit(peer_fd, &sent);
	got = channel_receive(channel, &message, &fd, &fault);
	if (sent.bytes == 0 && sent.fds == 0) {
		CHECK(got == 0 && fd == -1);
		return;
	}
	if (!is_right(&sent, channel)) {
		CHECK(got == -EPROTO && fd == -1);
		CHECK(fault.text[0] != '\0');
		CHECK(memchr(fault.text, '\0', sizeof(fault.text)) != NULL);
		return;
	}
	CHECK(got == 1);
	CHECK(memcmp(&message, sent.data.at, sent.bytes) == 0);
	CHECK((fd >= 0) == (sent.fds == 1));
	if (fd >= 0) {
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		close(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input input = { data, bytes };
	struct channel_fault fault;
	struct channel channel;
	union msg message;
	int ends[2], before, between, fd;

	if (some_fd < 0)
		some_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(some_fd >= 0);
	before = lowest_free_fd();
	CHECK(channel_pair(ends) == 0);
	between = lowest_free_fd();
	channel.fd = ends[0];
	channel.side = take(&input) % 2 ? CHANNEL_SUPERVISOR : CHANNEL_VMPROC;
	/* until it has one, a VM process takes any generation */
	channel.generation = take(&input) % 4 ? GENERATION : 0;
	while (input.left > 0) {
		one_packet(&input, &channel, ends[1]);
		CHECK(lowest_free_fd() == between);
	}
	CHECK(channel_receive(&channel, &message, &fd, &fault) == -EAGAIN);
	close(ends[1]);
	CHECK(channel_receive(&channel, &message, &fd, &fault) == 0);
	close(ends[0]);
	CHECK(lowest_free_fd() == before);
	return 0;
}
