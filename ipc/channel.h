/* SPDX-License-Identifier: ISC */
/*
 * Sends and receives one message at a time, with its descriptor. A message is
 * received only if its type, size, direction and number of descriptors are
 * those of the table in proto.c. Whether it may come in the present state, and
 * whether its body makes sense, is checked by its handler.
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
	/* Written to each message that is sent, and required of each that is
	 * received; 0: any, until CONFIG has said which. */
	uint64_t generation;
};

/* Why channel_receive() refused a message, in words for the log. */
struct channel_fault {
	char text[96];
};

/* A new pair, both ends close-on-exec: ends[0] for the supervisor,
 * non-blocking; ends[1] for the VM process. 0 or -errno. */
int channel_pair(int ends[2]);

/*
 * Sends message as one of that type. The caller has filled in the body; the
 * header is made here. fd is the descriptor that goes with it, if the type
 * carries one, and remains the caller's; else -1. 0 or -errno: -EAGAIN if the
 * peer doesn't read, -EPIPE if it is gone.
 */
int channel_send(const struct channel *channel, enum msg_type type,
		 union msg *message, int fd);
/* Sends a message without body or descriptor. Returns as channel_send(). */
int channel_signal(const struct channel *channel, enum msg_type type);

/*
 * Receives one message. Returns 1, with *fd being the descriptor that came with
 * it (close-on-exec, the caller's from now on) or -1; 0 at the end of the
 * channel; -EAGAIN if there is none; -EPROTO with fault filled in if the peer
 * broke the rules, each descriptor that came along being closed; or another
 * -errno.
 */
int channel_receive(const struct channel *channel, union msg *message, int *fd,
		    struct channel_fault *fault);

#endif
