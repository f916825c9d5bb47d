/* SPDX-License-Identifier: ISC */
/* What the files of nft.h share. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_INTERNAL_H
#define VMSUP_SUPERVISOR_NET_NFT_INTERNAL_H

#include <libnftnl/set.h>
#include <sys/types.h>

#include "supervisor/net/nft.h"

/* The longest message: a rule with its expressions. */
#define NFT_MESSAGE_BYTES 2048

/* Starts a message; NULL: batch->error is set. */
struct nlmsghdr *nft_open_message(struct nft_batch *batch, uint16_t type,
				  uint16_t flags);
/* Ends it: only now is it part of the batch. */
void nft_close_message(struct nft_batch *batch, const struct nlmsghdr *message);

/* A set with that element, or with none if key is NULL, for messages about
 * elements. The caller's, NULL without memory. */
struct nftnl_set *nft_set_with(const char *table, const struct nft_set *set,
			       const uint32_t *key);

/* Sends it as one datagram, which is carried out as one. 0 or -errno. */
int nft_send_all(struct mnl_socket *sock, const void *buffer, size_t bytes);
/* nf_tables answers within sendmsg: what isn't there then never comes. Reads
 * one datagram into buffer; its length, 0: no more, or -errno. */
ssize_t nft_next_answer(struct mnl_socket *sock, char *buffer, size_t bytes);
/* The error that a message tells: 0 for an acknowledgement, 1: none. */
int nft_error_of(const struct nlmsghdr *message);

#endif
