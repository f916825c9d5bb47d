/* SPDX-License-Identifier: ISC */
/* Rules of nf_tables, and the expressions that they are made of. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_RULE_H
#define VMSUP_SUPERVISOR_NET_NFT_RULE_H

#include "supervisor/net/nft.h"

/* Makes a rule. NULL: no memory; the functions below take that. */
struct nftnl_rule *nft_rule(const struct nft_batch *batch, const char *chain);
/* Appends a rule to its chain, and frees it. */
void nft_add_rule(struct nft_batch *batch, struct nftnl_rule *rule);
/* Both load a field. For a frame without it, the rule ends here. */
void nft_load_payload(struct nftnl_rule *rule, enum nft_payload_bases base,
		      uint32_t offset, uint32_t bytes);
void nft_load_meta(struct nftnl_rule *rule, enum nft_meta_keys key);
/* Loads a field of the IPv6 extension header of that type. */
void nft_load_header(struct nftnl_rule *rule, uint8_t type, uint32_t offset,
		     uint32_t bytes);
/* Keeps these bits of the value that was loaded. */
void nft_mask(struct nftnl_rule *rule, const void *mask, uint32_t bytes);
/* Ends the rule unless the value compares so. */
void nft_compare(struct nftnl_rule *rule, enum nft_cmp_ops how,
		 const void *with, uint32_t bytes);
/* Ends the rule while there are at most rate frames a second. */
void nft_over_limit(struct nftnl_rule *rule, uint32_t rate, uint32_t burst);
/* Loads the key of an element: the index of the
 * frame's interface, and number. */
void nft_key_interface(struct nftnl_rule *rule, uint32_t number);
/* Ends the rule unless the key is in the set. */
void nft_lookup(struct nftnl_rule *rule, const struct nft_set *set);
/* Adds one to the counter of the key's element; makes the
 * element if it isn't there. */
void nft_count(struct nftnl_rule *rule, const struct nft_set *set);
/* Ends the rule with a verdict: NF_ACCEPT, NF_DROP; NFT_GOTO with a chain. */
void nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain);

#endif
