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
/* Dumps come in datagrams of up to 32 KiB (netlink_recvmsg in the kernel). */
#define NETLINK_DATAGRAM_BYTES 32768

/* Called for each message that isn't an acknowledgement. 0 or -errno. */
typedef int netlink_row_fn(void *ctx, struct nlmsghdr *row);

/*
 * Requests on their way. { 0 } is an empty batch; netlink_send() empties it.
 * An error while building is kept and comes out of netlink_send().
 */
struct netlink_batch {
	struct nl_msg *msgs[NETLINK_BATCH_MAX];
	const char *doing[NETLINK_BATCH_MAX]; /* NULL: may fail */
	unsigned int count;
	int error;
	netlink_row_fn *row; /* NULL: rows are skipped */
	void *ctx;
	const char *failed; /* after a failure: doing of the first that did */
	char reason[96]; /* the kernel's own words for it, may be empty */
};

/* Opens a socket. 0 with *sock, or -errno. */
int netlink_open(struct nl_sock **sock);
/* The same with a socket that is open and bound: takes over fd, either way. */
int netlink_attach(struct nl_sock **sock, int fd);

/* Starts another request; header is what follows struct nlmsghdr. doing says
 * in a user's words what it does; NULL if its failure is no failure. */
void netlink_add(struct netlink_batch *batch, int type, int flags,
		 const char *doing, const void *header, size_t bytes);
/* Adds an attribute to the request started last. */
void netlink_put(struct netlink_batch *batch, int attribute, const void *data,
		 size_t bytes);
void netlink_put_u8(struct netlink_batch *batch, int attribute, uint8_t value);
void netlink_put_u32(struct netlink_batch *batch, int attribute,
		     uint32_t value);
void netlink_put_text(struct netlink_batch *batch, int attribute,
		      const char *text);
/* Opens and closes an attribute that holds attributes. */
struct nlattr *netlink_nest(struct netlink_batch *batch, int attribute);
void netlink_nest_end(struct netlink_batch *batch, struct nlattr *nest);

/*
 * Sends all requests of batch as one datagram and reads every answer. All are
 * carried out, also after one failed. 0, or -errno of the first failure that
 * counts; -EINTR: a dump that changed under way.
 */
int netlink_send(struct nl_sock *sock, struct netlink_batch *batch);

/* One dump request; row is called for each message. 0 or -errno, -EINTR as
 * above. */
int netlink_dump(struct nl_sock *sock, int type, const void *header,
		 size_t bytes, netlink_row_fn *row, void *ctx);

/* Reads one datagram of the kernel's into buffer: its length, 0 for one that
 * somebody else sent, or -errno. */
ssize_t netlink_receive(int fd, void *buffer, size_t bytes, int flags);

#endif
