/* SPDX-License-Identifier: ISC */
/*
 * Transactions with the kernel's nf_tables, over libnftnl: tables of the family
 * netdev, their chains, rules and sets. All of a transaction holds at once, or
 * nothing of it. Needs CAP_NET_ADMIN.
 */
#ifndef VMSUP_SUPERVISOR_NET_NFT_H
#define VMSUP_SUPERVISOR_NET_NFT_H

#include <netinet/in.h> /* before the kernel's header with the same names */

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest name of a table or chain here, with its NUL. */
#define NFT_NAME 48

/*
 * A transaction. { .table = NAME } is an empty one; nft_commit() and
 * nft_discard() empty it. An error in building is kept, and
 * nft_commit() returns it.
 */
struct nft_batch {
	const char *table; /* the table of all messages */
	char *buffer; /* owned */
	size_t used, size;
	uint32_t sequence; /* the number of the message that was added last */
	int error;
};

/* Opens a socket. 0 with *sock, or -errno. */
int nft_open(struct mnl_socket **sock);
/* The same with a socket that is open and bound, fd, which
 * is taken over in any case. */
int nft_attach(struct mnl_socket **sock, int fd);

/* ---- the messages of a transaction */

/* Makes the table if it isn't there. flags: NFT_TABLE_F_OWNER, ... */
void nft_add_table(struct nft_batch *batch, uint32_t flags);
void nft_delete_table(struct nft_batch *batch);

/* Makes a chain if it isn't there. device: the chain judges its
 * incoming frames, and accepts the ones that it doesn't drop. NULL:
 * other chains jump to it. */
void nft_add_chain(struct nft_batch *batch, const char *name,
		   const char *device);
/* Deletes the rules of a chain, which must be there. */
void nft_flush_chain(struct nft_batch *batch, const char *name);
void nft_delete_chain(struct nft_batch *batch, const char *name);

/* A set. words: the 32-bit words of a key. id: a number that no other set of
 * the transaction has. type: of the key, as nft(8) numbers types. dynamic:
 * rules add elements, and each element has a counter. */
struct nft_set {
	const char *name;
	uint32_t id, words, type;
	bool dynamic;
};

/* ---- the end of a transaction */

/* Commits the transaction. 0; or -errno of the first
 * failure: nothing has changed. */
int nft_commit(struct mnl_socket *sock, struct nft_batch *batch);
void nft_discard(struct nft_batch *batch);

/* ---- for the files that build and read messages */

/* The longest message: a rule with its expressions. */
#define NFT_MESSAGE_BYTES 2048

/* Begins a message. NULL: batch->error is set. */
struct nlmsghdr *nft_open_message(struct nft_batch *batch, uint16_t type,
				  uint16_t flags);
/* Ends a message: only now is it a part of the batch. */
void nft_close_message(struct nft_batch *batch, const struct nlmsghdr *message);
/* Sends the bytes as one datagram. 0 or -errno. */
int nft_send_all(struct mnl_socket *sock, const void *buffer, size_t bytes);
/* Reads one datagram of answers into buffer. Its length; 0: there are no more,
 * because nf_tables answers within sendmsg(); or -errno. */
ssize_t nft_next_answer(struct mnl_socket *sock, char *buffer, size_t bytes);
/* The error in a message: -errno; 0: an acknowledgement; 1: it is none. */
int nft_error_of(const struct nlmsghdr *message);

#endif
