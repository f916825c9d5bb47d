/* SPDX-License-Identifier: ISC */
/* rtnetlink requests: several as one datagram, their answers, and dumps. */
#ifndef VMSUP_SUPERVISOR_NET_NETLINK_H
#define VMSUP_SUPERVISOR_NET_NETLINK_H

#include <linux/netlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NETLINK_BATCH_MAX 16
/* Dumps come in datagrams of at most 32 KiB (the
 * kernel's netlink_recvmsg()). */
#define NETLINK_DATAGRAM_BYTES 32768

/* Is called for each message but acknowledgements. 0 or -errno. */
typedef int netlink_row_fn(void *ctx, struct nlmsghdr *row);

/*
 * Requests that are sent together. { 0 } is an empty batch; netlink_send()
 * empties it. An error in building is kept, and netlink_send() returns it.
 */
struct netlink_batch {
	struct nl_msg *msgs[NETLINK_BATCH_MAX];
	/* what each request does; NULL: it may fail */
	const char *doing[NETLINK_BATCH_MAX];
	unsigned int count;
	int error;
	netlink_row_fn *row; /* NULL: rows are skipped */
	void *ctx;
	/* after a failure: doing of the first request that failed */
	const char *failed;
	char reason[96]; /* the kernel's words for it; may be empty */
};

/* Opens a socket. 0 with *sock, or -errno. */
int netlink_open(struct nl_sock **sock);
/* The same with a socket that is open and bound, fd, which
 * is taken over in any case. */
int netlink_attach(struct nl_sock **sock, int fd);

/* Starts another request. header follows struct nlmsghdr. doing: what the
 * request does, in a user's words; NULL: it may fail. */
void netlink_add(struct netlink_batch *batch, int type, int flags,
		 const char *doing, const void *header, size_t bytes);
/* Adds an attribute to the request that was started last. */
void netlink_put(struct netlink_batch *batch, int attribute, const void *data,
		 size_t bytes);
void netlink_put_u8(struct netlink_batch *batch, int attribute, uint8_t value);
void netlink_put_u32(struct netlink_batch *batch, int attribute,
		     uint32_t value);
void netlink_put_text(struct netlink_batch *batch, int attribute,
		      const char *text);
/* Begins and ends an attribute that has attributes in it. */
struct nlattr *netlink_nest(struct netlink_batch *batch, int attribute);
void netlink_nest_end(struct netlink_batch *batch, struct nlattr *nest);

/*
 * Sends all requests as one datagram, and reads the answers. The kernel carries
 * out all of them, also after a failure. 0; or -errno of the first failure of a
 * request that may not fail; -EINTR: links changed during a dump.
 */
int netlink_send(struct nl_sock *sock, struct netlink_batch *batch);

/* Requests a dump, and calls row for each message. 0 or
 * -errno, -EINTR as above. */
int netlink_dump(struct nl_sock *sock, int type, const void *header,
		 size_t bytes, netlink_row_fn *row, void *ctx);

/* Reads one datagram into buffer. Its length; 0: it isn't
 * the kernel's; or -errno. */
ssize_t netlink_receive(int fd, void *buffer, size_t bytes, int flags);

#endif
