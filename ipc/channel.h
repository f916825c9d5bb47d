/* SPDX-License-Identifier: ISC */
/*
 * One message in, one message out, with their descriptors. The receiver is
 * told only of messages whose type, size, direction and number of descriptors
 * are those of the table in proto.c; whether they may come now, and what they
 * say, is the business of its handlers.
 */
#ifndef VMSUP_IPC_CHANNEL_H
#define VMSUP_IPC_CHANNEL_H

#include "ipc/proto.h"

/* Which end of the channel this program holds. */
enum channel_side {
	CHANNEL_SUPERVISOR,
	CHANNEL_VMPROC,
};

struct channel {
	int fd; /* owned; non-blocking on the supervisor's side */
	enum channel_side side;
	uint64_t generation; /* stamped on what is sent, demanded of the rest */
};

/* What channel_receive() refused, in words for the log. */
struct channel_fault {
	char text[96];
};

/* A new pair, both ends close-on-exec: ends[0] for the supervisor,
 * non-blocking; ends[1] for the VM process. 0 or -errno. */
int channel_pair(int ends[2]);

/*
 * Sends message, whose body the caller has filled in and whose type is given;
 * the header is made here. fd goes beside it if the type carries one (still
 * the caller's afterwards), else -1. 0 or -errno: -EAGAIN if the peer doesn't
 * read, -EPIPE if it is gone.
 */
int channel_send(const struct channel *channel, enum msg_type type,
		 union msg *message, int fd);
/* Sends a message without body or descriptor. Returns as channel_send(). */
int channel_signal(const struct channel *channel, enum msg_type type);

/*
 * Receives one message. Returns 1 and, where the type carries one, *fd (now
 * the caller's, close-on-exec; else -1); 0 at the end of the channel; -EAGAIN;
 * -EPROTO with fault filled in if the peer broke the rules (every descriptor
 * that came with it is closed); another -errno.
 */
int channel_receive(const struct channel *channel, union msg *message, int *fd,
		    struct channel_fault *fault);

#endif
