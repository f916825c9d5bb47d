/* SPDX-License-Identifier: ISC */
/* The rules of the first-hop guard: sets and chains that all TAPs share,
 * and a chain for each TAP. */
#ifndef VMSUP_SUPERVISOR_NET_GUARD_RULES_H
#define VMSUP_SUPERVISOR_NET_GUARD_RULES_H

#include "supervisor/net/guard.h"
#include "supervisor/net/nft.h"

/* Keys of the sets: a TAP's index and an enum guard_reason. */
#define GUARD_KEY_WORDS 2
extern const struct nft_set guard_dropped; /* how often, counted */
extern const struct nft_set guard_allowed; /* and so not dropped */

/* Adds to a transaction what all TAPs share, in place of what is there. */
void guard_rules_put_shared(struct nft_batch *batch);
/* Adds a TAP's own, in place of what is there; limits: bounds as well. */
void guard_rules_put_port(struct nft_batch *batch,
			  const struct guard_port *port, bool limits);
/* The name of a TAP's chain. */
void guard_rules_chain(char name[NFT_NAME], const char *tap);

#endif
