/* SPDX-License-Identifier: ISC */
/*
 * Packets of a hostile peer, through a real pair of sockets: the input says
 * which bytes come, how many descriptors beside them and in how many control
 * messages, and what the kernel is to add, for the peer may hold the receiving
 * socket as well. A packet is taken if and only if the table of messages says
 * so, as it was sent; and whatever becomes of it, no descriptor is left over
 * and none is closed that was ours.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/ancillary.h"
#include "ipc/channel.h"
#include "ipc/fd.h"
#include "tests/fuzz/input.h"

#define GENERATION 7
/* More of each than the channel has room for. */
#define FDS_MAX   20
#define BYTES_MAX (2 * sizeof(union msg))

struct sent {
	union {
		struct msg_header header;
		uint8_t at[BYTES_MAX];
	} data;
	size_t bytes;
	unsigned int fds;
	unsigned int parts; /* control messages that they are spread over */
	bool credentials; /* its own, said by the peer itself */
};

static int some_fd = -1;

/* What the receiving socket may ask the kernel to add to each packet. */
static const int options[] = {
	SO_PASSCRED, 76, /* SO_PASSPIDFD: new in Linux 6.5 */
	SO_PASSSEC,  SO_TIMESTAMP, SO_TIMESTAMPNS, SO_RXQ_OVFL, SO_TIMESTAMPING,
};
/* Those that add something to each packet, on this kernel. */
static bool adds[ARRAY_SIZE(options)];

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

/* One more control message behind those that are there. */
static void put(struct msghdr *packet, int type, const void *data, size_t bytes)
{
	struct cmsghdr *at = (struct cmsghdr *)((char *)packet->msg_control +
						packet->msg_controllen);

	at->cmsg_len = CMSG_LEN(bytes);
	at->cmsg_level = SOL_SOCKET;
	at->cmsg_type = type;
	memcpy(CMSG_DATA(at), data, bytes);
	packet->msg_controllen += CMSG_SPACE(bytes);
}

/* The descriptors, in several control messages if so: the kernel joins them. */
static void put_fds(struct msghdr *packet, const struct sent *sent)
{
	unsigned int left = sent->fds, each = sent->fds;
	int fds[FDS_MAX];

	for (unsigned int i = 0; i < FDS_MAX; i++)
		fds[i] = some_fd;
	if (sent->parts > 1)
		each = (sent->fds + sent->parts - 1) / sent->parts;
	for (; left > 0; left -= each) {
		each = each < left ? each : left;
		put(packet, SCM_RIGHTS, fds, each * sizeof(int));
	}
}

static void transmit(int to_fd, struct sent *sent)
{
	struct iovec part = { sent->data.at, sent->bytes };
	union {
		struct cmsghdr header;
		char space[(FDS_MAX + 1) * CMSG_SPACE(sizeof(int)) +
			   CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	struct ucred own = { getpid(), getuid(), getgid() };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
	};

	put_fds(&packet, sent);
	if (sent->credentials)
		put(&packet, SCM_CREDENTIALS, &own, sizeof(own));
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

/* Sets the options by a mask. Returns whether the kernel adds something. */
static bool ask_for(int fd, unsigned int mask)
{
	bool added = false;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		int on = (int)(mask >> i & 1);

		setsockopt(fd, SOL_SOCKET, options[i], &on, sizeof(on));
		added |= on && adds[i];
	}
	return added;
}

/* Which options have an effect: some depend on the kernel, or on its security
 * modules. */
static void find_additions(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct msghdr packet = { 0 };
		char space[256];
		int ends[2];

		CHECK(channel_pair(ends) == 0);
		ask_for(ends[0], 1U << i);
		CHECK(send(ends[1], "", 1, 0) == 1);
		packet.msg_control = space;
		packet.msg_controllen = sizeof(space);
		CHECK(recvmsg(ends[0], &packet, 0) == 0);
		adds[i] = packet.msg_controllen > 0;
		(void)ancillary_take(&packet, NULL, 0); /* closes it */
		close(ends[0]);
		close(ends[1]);
	}
	CHECK(adds[0]);
}

static void one_packet(struct input *input, const struct channel *channel,
		       int peer_fd)
{
	struct channel_fault fault = { 0 };
	struct sent sent;
	union msg message;
	int fd = -2, got;
	bool added;

	make(input, &sent);
	added = ask_for(channel->fd, take(input));
	sent.parts = take(input) % 4;
	sent.credentials = take(input) % 4 == 0;
	transmit(peer_fd, &sent);
	got = channel_receive(channel, &message, &fd, &fault);
	if (sent.bytes == 0 && sent.fds == 0 && !added) {
		CHECK(got == 0 && fd == -1);
		return;
	}
	if (added || !is_right(&sent, channel)) {
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

	if (some_fd < 0) {
		some_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		CHECK(some_fd >= 0);
		find_additions();
	}
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
