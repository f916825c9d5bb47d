/* SPDX-License-Identifier: ISC */
/* Rules of nf_tables, and the expressions that they are made of. */
#ifndef VMSUP_SUPERVISOR_NET_NFT_RULE_H
#define VMSUP_SUPERVISOR_NET_NFT_RULE_H

#include "supervisor/net/nft.h"

/* A new rule, or NULL without memory, which all of these take. */
struct nftnl_rule *nft_rule(const struct nft_batch *batch, const char *chain);
/* Appends it to its chain; frees it. */
void nft_add_rule(struct nft_batch *batch, struct nftnl_rule *rule);
/* Each ends the rule for frames that haven't got what it loads. */
void nft_load_payload(struct nftnl_rule *rule, enum nft_payload_bases base,
		      uint32_t offset, uint32_t bytes);
void nft_load_meta(struct nftnl_rule *rule, enum nft_meta_keys key);
/* Of the IPv6 extension header of that type. */
void nft_load_header(struct nftnl_rule *rule, uint8_t type, uint32_t offset,
		     uint32_t bytes);
/* Of what was loaded, keeps these bits. */
void nft_mask(struct nftnl_rule *rule, const void *mask, uint32_t bytes);
/* Ends the rule unless what was loaded compares so. */
void nft_compare(struct nftnl_rule *rule, enum nft_cmp_ops how,
		 const void *with, uint32_t bytes);
/* Ends the rule as long as there are no more than rate frames a second. */
void nft_over_limit(struct nftnl_rule *rule, uint32_t rate, uint32_t burst);
/* The key of a set's element, of words that are the interface that a frame came
 * in by, and number. */
void nft_key_interface(struct nftnl_rule *rule, uint32_t number);
/* Ends the rule unless the key is in the set. */
void nft_lookup(struct nftnl_rule *rule, const struct nft_set *set);
/* Adds one to the counter of the key's element, which is made if need be. */
void nft_count(struct nftnl_rule *rule, const struct nft_set *set);
/* verdict: NF_ACCEPT, NF_DROP; NFT_GOTO with a chain. */
void nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain);

#endif
