/* SPDX-License-Identifier: ISC */
/* rtnetlink requests: several as one datagram, their answers, and dumps. */
#include "supervisor/net/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Room for one request: the longest one makes a link with its alias. */
#define REQUEST_BYTES 768

/* rtnetlink answers within sendmsg(). After this time, an answer is lost. */
#define ANSWER_TIMEOUT_S 10

int netlink_open(struct nl_sock **sock)
{
	static const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	static const int on = 1;
	struct nl_sock *opened = nl_socket_alloc();
	int fd, error;

	if (!opened)
		return -ENOMEM;
	errno = 0;
	if (nl_connect(opened, NETLINK_ROUTE) < 0) {
		error = errno ? -errno : -EPROTO;
		nl_socket_free(opened);
		return error;
	}
	fd = nl_socket_get_fd(opened);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
			 sizeof(timeout));
	/* the kernel explains errors, and doesn't send the request back */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	*sock = opened;
	return 0;
}

int netlink_attach(struct nl_sock **sock, int fd)
{
	struct nl_sock *opened = nl_socket_alloc();

	if (!opened) {
		close(fd);
		return -ENOMEM;
	}
	if (nl_socket_set_fd(opened, NETLINK_ROUTE, fd) < 0) {
		nl_socket_free(opened);
		close(fd);
		return -EBADF;
	}
	*sock = opened;
	return 0;
}

/* ---- requests */

static struct nl_msg *current(const struct netlink_batch *batch)
{
	if (batch->error || !batch->count)
		return NULL;
	return batch->msgs[batch->count - 1];
}

void netlink_add(struct netlink_batch *batch, int type, int flags,
		 const char *doing, const void *header, size_t bytes)
{
	struct nlmsghdr *start;
	struct nl_msg *msg;

	if (batch->error)
		return;
	if (batch->count == NETLINK_BATCH_MAX) {
		batch->error = -E2BIG;
		return;
	}
	msg = nlmsg_alloc_size(REQUEST_BYTES);
	if (!msg) {
		batch->error = -ENOMEM;
		return;
	}
	batch->doing[batch->count] = doing;
	batch->msgs[batch->count++] = msg;
	/* port and sequence number are set when the request is sent */
	start = nlmsg_put(msg, 1, 1, type, (int)bytes, NLM_F_REQUEST | flags);
	if (!start)
		batch->error = -EMSGSIZE;
	else
		memcpy(nlmsg_data(start), header, bytes);
}

void netlink_put(struct netlink_batch *batch, int attribute, const void *data,
		 size_t bytes)
{
	struct nl_msg *msg = current(batch);

	if (msg && nla_put(msg, attribute, (int)bytes, data) < 0)
		batch->error = -EMSGSIZE;
}

void netlink_put_u8(struct netlink_batch *batch, int attribute, uint8_t value)
{
	netlink_put(batch, attribute, &value, sizeof(value));
}

void netlink_put_u32(struct netlink_batch *batch, int attribute, uint32_t value)
{
	netlink_put(batch, attribute, &value, sizeof(value));
}

void netlink_put_text(struct netlink_batch *batch, int attribute,
		      const char *text)
{
	netlink_put(batch, attribute, text, strlen(text) + 1);
}

struct nlattr *netlink_nest(struct netlink_batch *batch, int attribute)
{
	struct nl_msg *msg = current(batch);
	struct nlattr *nest;

	if (!msg)
		return NULL;
	nest = nla_nest_start(msg, attribute | NLA_F_NESTED);
	if (!nest)
		batch->error = -EMSGSIZE;
	return nest;
}

void netlink_nest_end(struct netlink_batch *batch, struct nlattr *nest)
{
	struct nl_msg *msg = current(batch);

	if (msg && nest)
		nla_nest_end(msg, nest);
}

static void empty(struct netlink_batch *batch)
{
	for (unsigned int i = 0; i < batch->count; i++)
		nlmsg_free(batch->msgs[i]);
	batch->count = 0;
	batch->error = 0;
}

/* ---- transmission */

/* Numbers the requests from *first on and sends them. */
static int transmit(struct nl_sock *sock, struct netlink_batch *batch,
		    uint32_t *first)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec parts[NETLINK_BATCH_MAX];
	struct msghdr datagram = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = parts,
		.msg_iovlen = batch->count,
	};
	struct nlmsghdr *header;

	/* the kernel answers each failure; the answer to the
	 * last request ends the batch */
	nlmsg_hdr(batch->msgs[batch->count - 1])->nlmsg_flags |= NLM_F_ACK;
	for (unsigned int i = 0; i < batch->count; i++) {
		header = nlmsg_hdr(batch->msgs[i]);
		header->nlmsg_seq = nl_socket_use_seq(sock);
		header->nlmsg_pid = nl_socket_get_local_port(sock);
		if (i == 0)
			*first = header->nlmsg_seq;
		parts[i].iov_base = header;
		parts[i].iov_len = NLMSG_ALIGN(header->nlmsg_len);
	}
	while (sendmsg(nl_socket_get_fd(sock), &datagram, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

ssize_t netlink_receive(int fd, void *buffer, size_t bytes, int flags)
{
	struct sockaddr_nl sender = { 0 };
	struct iovec part = { .iov_base = buffer, .iov_len = bytes };
	struct msghdr datagram = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t got;

	do
		got = recvmsg(fd, &datagram, flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (datagram.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return sender.nl_pid == 0 ? got : 0;
}

/* ---- answers */

struct answers {
	struct netlink_batch *batch;
	uint32_t first;
	bool complete;
	bool interrupted;
	int error;
};

static void take_error(struct answers *answers, struct nlmsghdr *header)
{
	struct netlink_batch *batch = answers->batch;
	uint32_t index = header->nlmsg_seq - answers->first;
	const struct nlmsgerr *status = nlmsg_data(header);
	const struct nlattr *words;

	if (nlmsg_datalen(header) < (int)sizeof(*status)) {
		answers->error = -EBADMSG;
		answers->complete = true;
		return;
	}
	if (status->error && batch->doing[index] && !answers->error) {
		answers->error = status->error;
		batch->failed = batch->doing[index];
		words = nlmsg_find_attr(header, sizeof(*status),
					NLMSGERR_ATTR_MSG);
		if (words)
			nla_strlcpy(batch->reason, words,
				    sizeof(batch->reason));
	}
	if (index == batch->count - 1)
		answers->complete = true;
}

/* The message that ends a dump has its error. */
static void take_done(struct answers *answers, const struct nlmsghdr *header)
{
	int status = 0;

	if (nlmsg_datalen(header) >= (int)sizeof(status))
		memcpy(&status, nlmsg_data(header), sizeof(status));
	if (!answers->error && status < 0)
		answers->error = status;
	answers->complete = true;
}

static void take_message(struct answers *answers, struct nlmsghdr *header)
{
	const struct netlink_batch *batch = answers->batch;
	int error;

	/* an answer to an earlier request */
	if (header->nlmsg_seq - answers->first >= batch->count)
		return;
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		answers->interrupted = true;
	if (header->nlmsg_type == NLMSG_ERROR) {
		take_error(answers, header);
	} else if (header->nlmsg_type == NLMSG_DONE) {
		take_done(answers, header);
	} else if (batch->row) {
		error = batch->row(batch->ctx, header);
		if (!answers->error)
			answers->error = error;
	}
}

static int collect(struct nl_sock *sock, struct answers *answers)
{
	_Alignas(struct nlmsghdr) char buffer[NETLINK_DATAGRAM_BYTES];
	struct nlmsghdr *header;
	ssize_t got;
	int left;

	while (!answers->complete) {
		got = netlink_receive(nl_socket_get_fd(sock), buffer,
				      sizeof(buffer), 0);
		if (got < 0)
			return got == -EAGAIN ? -ETIMEDOUT : (int)got;
		header = (void *)buffer;
		for (left = (int)got; nlmsg_ok(header, left);
		     header = nlmsg_next(header, &left))
			take_message(answers, header);
	}
	if (!answers->error && answers->interrupted)
		return -EINTR;
	return answers->error;
}

int netlink_send(struct nl_sock *sock, struct netlink_batch *batch)
{
	struct answers answers = { .batch = batch };
	int error = batch->error;

	batch->failed = NULL;
	batch->reason[0] = '\0';
	if (!error && batch->count) {
		error = transmit(sock, batch, &answers.first);
		if (!error)
			error = collect(sock, &answers);
	}
	empty(batch);
	return error;
}

int netlink_dump(struct nl_sock *sock, int type, const void *header,
		 size_t bytes, netlink_row_fn *row, void *ctx)
{
	struct netlink_batch batch = { .row = row, .ctx = ctx };

	netlink_add(&batch, type, NLM_F_DUMP, "reading", header, bytes);
	if (type == RTM_GETLINK)
		netlink_put_u32(&batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_send(sock, &batch);
}
