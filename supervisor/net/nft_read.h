/* SPDX-License-Identifier: ISC */
/* What nf_tables has: tables, chains, counters. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_READ_H
#define VMSUP_SUPERVISOR_NET_NFT_READ_H

#include "supervisor/net/nft.h"

/* The flags of a table. 1 with *flags, 0: there is none, or -errno. */
int nft_find_table(struct mnl_socket *sock, const char *table, uint32_t *flags);
/* The counters of count elements of a set, whose keys are of set->words each.
 * One that isn't there yet is 0. 0 or -errno. */
int nft_read_counters(struct mnl_socket *sock, const char *table,
		      const struct nft_set *set, const uint32_t *keys,
		      uint64_t *counters, size_t count);

#endif
