/* SPDX-License-Identifier: ISC */
/*
 * Transactions with the kernel's nf_tables, over libnftnl: tables of the family
 * netdev, their chains, rules and sets. All of a transaction holds at once, or
 * nothing of it. Needs CAP_NET_ADMIN.
 */
#ifndef VMSUP_SUPERVISOR_NET_NFT_H
#define VMSUP_SUPERVISOR_NET_NFT_H

#include <netinet/in.h> /* before the kernel's own of the same */

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest name of a table or chain that is used here, its NUL included. */
#define NFT_NAME 48

/*
 * A transaction that is being built: { .table = NAME } is an empty one.
 * nft_commit() and nft_discard() empty it. An error while building is kept and
 * comes out of nft_commit().
 */
struct nft_batch {
	const char *table; /* that all of it is about */
	char *buffer; /* owned */
	size_t used, size;
	uint32_t sequence; /* of the message added last */
	int error;
};

/* Opens a socket. 0 with *sock, or -errno. */
int nft_open(struct mnl_socket **sock);
/* The same with one that is open and bound: takes over fd, either way. */
int nft_attach(struct mnl_socket **sock, int fd);

/* ---- what a transaction does */

/* Makes the table, or finds it there. flags: NFT_TABLE_F_OWNER, ... */
void nft_add_table(struct nft_batch *batch, uint32_t flags);
void nft_delete_table(struct nft_batch *batch);

/* Makes a chain, or finds it there. device: whose incoming frames it judges,
 * what it doesn't drop is accepted; NULL: none, others jump to it. */
void nft_add_chain(struct nft_batch *batch, const char *name,
		   const char *device);
/* Deletes the rules of a chain that is there. */
void nft_flush_chain(struct nft_batch *batch, const char *name);
void nft_delete_chain(struct nft_batch *batch, const char *name);

/* A set of keys that are as many 32-bit words as that. id: any number that no
 * other set of the transaction has. type: of the key, as nft(8) numbers them.
 * dynamic: rules add to it, and each element has a counter. */
struct nft_set {
	const char *name;
	uint32_t id, words, type;
	bool dynamic;
};

/* ---- and its end */

/* Carries it out. 0, or -errno of the first failure, and nothing is changed. */
int nft_commit(struct mnl_socket *sock, struct nft_batch *batch);
void nft_discard(struct nft_batch *batch);

/* ---- for the files that build and read messages */

/* The longest message: a rule with its expressions. */
#define NFT_MESSAGE_BYTES 2048

/* Starts a message; NULL: batch->error is set. */
struct nlmsghdr *nft_open_message(struct nft_batch *batch, uint16_t type,
				  uint16_t flags);
/* Ends it: only now is it part of the batch. */
void nft_close_message(struct nft_batch *batch, const struct nlmsghdr *message);
/* Sends it as one datagram, which is carried out as one. 0 or -errno. */
int nft_send_all(struct mnl_socket *sock, const void *buffer, size_t bytes);
/* nf_tables answers within sendmsg: what isn't there then never comes. Reads
 * one datagram into buffer; its length, 0: no more, or -errno. */
ssize_t nft_next_answer(struct mnl_socket *sock, char *buffer, size_t bytes);
/* The error that a message tells: 0 for an acknowledgement, 1: none. */
int nft_error_of(const struct nlmsghdr *message);

#endif
