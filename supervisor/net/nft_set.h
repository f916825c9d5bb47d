/* SPDX-License-Identifier: ISC */
/* Sets of nf_tables, and their elements. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_SET_H
#define VMSUP_SUPERVISOR_NET_NFT_SET_H

#include <libnftnl/set.h>

#include "supervisor/net/nft.h"

/* Makes a set, or finds it there. */
void nft_add_set(struct nft_batch *batch, const struct nft_set *set);
/* Adds an element, or finds it there. */
void nft_add_element(struct nft_batch *batch, const struct nft_set *set,
		     const uint32_t *key);
/* key: NULL deletes all, however many there are. */
void nft_delete_element(struct nft_batch *batch, const struct nft_set *set,
			const uint32_t *key);

/* A set with that element, or with none if key is NULL, for messages about
 * elements. The caller's, NULL without memory. */
struct nftnl_set *nft_set_with(const char *table, const struct nft_set *set,
			       const uint32_t *key);

#endif
