/* SPDX-License-Identifier: ISC */
/* Reads nf_tables: tables, chains, counters. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_READ_H
#define VMSUP_SUPERVISOR_NET_NFT_READ_H

#include "supervisor/net/nft.h"

/* Reads the flags of a table. 1: *flags is set; 0: there is
 * no such table; or -errno. */
int nft_find_table(struct mnl_socket *sock, const char *table, uint32_t *flags);
/* Reads the counters of count elements of a set; keys has set->words for each.
 * An element that isn't there counts as 0. 0 or -errno. */
int nft_read_counters(struct mnl_socket *sock, const char *table,
		      const struct nft_set *set, const uint32_t *keys,
		      uint64_t *counters, size_t count);

/* Calls row for each element of a set with a counter. 0,
 * -errno, or what row returned. */
typedef int nft_counter_fn(void *ctx, const uint32_t *key, uint64_t counter);
int nft_each_counter(struct mnl_socket *sock, const char *table,
		     const struct nft_set *set, nft_counter_fn *row, void *ctx);

/* Calls row for each chain of the table. base: the chain has a device. 0, also
 * if there is no such table; -errno; or what row returned. */
typedef int nft_chain_fn(void *ctx, const char *name, bool base);
int nft_each_chain(struct mnl_socket *sock, const char *table,
		   nft_chain_fn *row, void *ctx);

#endif
