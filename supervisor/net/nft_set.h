/* SPDX-License-Identifier: ISC */
/* Sets of nf_tables, and their elements. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_SET_H
#define VMSUP_SUPERVISOR_NET_NFT_SET_H

#include <libnftnl/set.h>

#include "supervisor/net/nft.h"

/* Makes a set if it isn't there. */
void nft_add_set(struct nft_batch *batch, const struct nft_set *set);
/* Adds an element if it isn't there. */
void nft_add_element(struct nft_batch *batch, const struct nft_set *set,
		     const uint32_t *key);
/* Deletes the element of that key; NULL: all elements. */
void nft_delete_element(struct nft_batch *batch, const struct nft_set *set,
			const uint32_t *key);

/* Makes a set with the element of that key (NULL: without elements), for
 * messages about elements. The caller's; NULL: no memory. */
struct nftnl_set *nft_set_with(const char *table, const struct nft_set *set,
			       const uint32_t *key);

#endif
