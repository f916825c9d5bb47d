/* SPDX-License-Identifier: ISC */
/* Transactions with the kernel's nf_tables: the socket,
 * tables and chains, the commit. */
#include "supervisor/net/nft.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/net/netlink.h"

/* A transaction is one datagram. That of 1,023 TAPs has some 800 KB, and the
 * kernel may refuse each of its messages. */
#define SEND_BYTES    (8 << 20)
#define RECEIVE_BYTES (8 << 20)

/* ---- the socket */

int nft_open(struct mnl_socket **sock)
{
	static const int send_bytes = SEND_BYTES, receive_bytes = RECEIVE_BYTES;
	static const int on = 1;
	struct mnl_socket *opened =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int fd;

	if (!opened)
		return -errno;
	if (mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = -errno;

		mnl_socket_close(opened);
		return error;
	}
	fd = mnl_socket_get_fd(opened);
	/* needs CAP_NET_ADMIN, as chains do; without it,
	 * small transactions work */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes,
			 sizeof(send_bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes,
			 sizeof(receive_bytes));
	/* the kernel doesn't send refused messages back */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	*sock = opened;
	return 0;
}

int nft_attach(struct mnl_socket **sock, int fd)
{
	int error;

	*sock = mnl_socket_fdopen(fd);
	if (*sock)
		return 0;
	error = errno ? -errno : -EBADF;
	close(fd);
	return error;
}

/* ---- messages */

/* Reserves space for one more message in the batch. NULL: no memory. */
static char *space_for_one(struct nft_batch *batch)
{
	size_t size = batch->size ? 2 * batch->size : 8 * NFT_MESSAGE_BYTES;
	char *grown;

	if (batch->error)
		return NULL;
	if (batch->size - batch->used >= NFT_MESSAGE_BYTES)
		return batch->buffer + batch->used;
	grown = realloc(batch->buffer, size);
	if (!grown) {
		batch->error = -ENOMEM;
		return NULL;
	}
	batch->buffer = grown;
	batch->size = size;
	return grown + batch->used;
}

void nft_close_message(struct nft_batch *batch, const struct nlmsghdr *message)
{
	batch->used += NLMSG_ALIGN(message->nlmsg_len);
}

struct nlmsghdr *nft_open_message(struct nft_batch *batch, uint16_t type,
				  uint16_t flags)
{
	char *space = space_for_one(batch);

	if (space && batch->used == 0) {
		nft_close_message(batch,
				  nftnl_batch_begin(space, batch->sequence++));
		space = space_for_one(batch);
	}
	if (!space)
		return NULL;
	return nftnl_nlmsg_build_hdr(space, type, NFPROTO_NETDEV, flags,
				     batch->sequence++);
}

void nft_add_table(struct nft_batch *batch, uint32_t flags)
{
	struct nlmsghdr *message =
		nft_open_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, batch->table);
	mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(flags));
	nft_close_message(batch, message);
}

void nft_delete_table(struct nft_batch *batch)
{
	struct nlmsghdr *message = nft_open_message(batch, NFT_MSG_DELTABLE, 0);

	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, batch->table);
	nft_close_message(batch, message);
}

/* ---- chains */

/* Before the chains of others: none of them should see a frame that is dropped.
 * (A frame that another chain accepts is judged here all the same.) */
#define PRIORITY (-500)

void nft_add_chain(struct nft_batch *batch, const char *name,
		   const char *device)
{
	struct nlmsghdr *message =
		nft_open_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nftnl_chain *chain = message ? nftnl_chain_alloc() : NULL;

	if (!chain) {
		batch->error = batch->error ? batch->error : -ENOMEM;
		return;
	}
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, batch->table);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
	if (device) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM,
				    NF_NETDEV_INGRESS);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, PRIORITY);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
		nftnl_chain_set_str(chain, NFTNL_CHAIN_DEV, device);
	}
	nftnl_chain_nlmsg_build_payload(message, chain);
	nftnl_chain_free(chain);
	nft_close_message(batch, message);
}

void nft_delete_chain(struct nft_batch *batch, const char *name)
{
	struct nlmsghdr *message = nft_open_message(batch, NFT_MSG_DELCHAIN, 0);

	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, batch->table);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	nft_close_message(batch, message);
}

void nft_flush_chain(struct nft_batch *batch, const char *name)
{
	struct nlmsghdr *message = nft_open_message(batch, NFT_MSG_DELRULE, 0);

	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, batch->table);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, name);
	nft_close_message(batch, message);
}

/* ---- commit */

void nft_discard(struct nft_batch *batch)
{
	free(batch->buffer);
	*batch = (struct nft_batch){ .table = batch->table };
}

ssize_t nft_next_answer(struct mnl_socket *sock, char *buffer, size_t bytes)
{
	ssize_t got;

	do
		got = netlink_receive(mnl_socket_get_fd(sock), buffer, bytes,
				      MSG_DONTWAIT);
	while (got == 0); /* the datagram isn't the kernel's */
	return got == -EAGAIN ? 0 : got;
}

int nft_error_of(const struct nlmsghdr *message)
{
	const struct nlmsgerr *status = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != NLMSG_ERROR ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*status))
		return 1;
	return status->error;
}

/* Reads all answers to a transaction. 0: it was
 * committed; or the first error. */
static int collect(struct mnl_socket *sock)
{
	_Alignas(struct nlmsghdr) char buffer[NETLINK_DATAGRAM_BYTES];
	bool acknowledged = false;
	int error = 0;
	ssize_t got;

	while ((got = nft_next_answer(sock, buffer, sizeof(buffer))) != 0) {
		const struct nlmsghdr *message = (void *)buffer;
		int left = (int)got;

		if (got == -ENOBUFS)
			continue; /* ENOBUFS: there were many refusals */
		if (got < 0)
			return error ? error : (int)got;
		for (; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			int told = nft_error_of(message);

			acknowledged |= told == 0;
			if (told < 0 && !error)
				error = told;
		}
	}
	if (!error && !acknowledged)
		error = -ENOBUFS;
	return error;
}

int nft_send_all(struct mnl_socket *sock, const void *buffer, size_t bytes)
{
	ssize_t sent;

	do
		sent = mnl_socket_sendto(sock, buffer, bytes);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Asks for an acknowledgement of the last message.
 * Refusals come without that. */
static void ask_for_word(struct nft_batch *batch)
{
	struct nlmsghdr *message = (void *)batch->buffer, *last = message;
	int left = (int)batch->used;

	for (; mnl_nlmsg_ok(message, left);
	     message = mnl_nlmsg_next(message, &left))
		last = message;
	last->nlmsg_flags |= NLM_F_ACK;
}

int nft_commit(struct mnl_socket *sock, struct nft_batch *batch)
{
	char *space = space_for_one(batch);
	int error = batch->error;

	if (!error && batch->used) {
		ask_for_word(batch);
		nft_close_message(batch,
				  nftnl_batch_end(space, batch->sequence++));
		error = nft_send_all(sock, batch->buffer, batch->used);
		if (!error)
			error = collect(sock);
	}
	nft_discard(batch);
	return error;
}
