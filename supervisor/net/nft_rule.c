/* SPDX-License-Identifier: ISC */
/* Rules of nf_tables, and the expressions that they are made of. */
#include "supervisor/net/nft_rule.h"

#include <errno.h>
#include <stdio.h> /* the next header needs it */
#include <libnftnl/expr.h>

/* The register for values: the first one of 16 bytes. */
#define REGISTER NFT_REG_1
/* The same register as words, for keys. */
#define KEY_INTERFACE NFT_REG32_00
#define KEY_NUMBER    NFT_REG32_01

struct nftnl_rule *nft_rule(const struct nft_batch *batch, const char *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		return NULL;
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_NETDEV);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, batch->table);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
	return rule;
}

void nft_add_rule(struct nft_batch *batch, struct nftnl_rule *rule)
{
	struct nlmsghdr *message = nft_open_message(
		batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	if (!rule && !batch->error)
		batch->error = -ENOMEM;
	if (rule && message) {
		nftnl_rule_nlmsg_build_payload(message, rule);
		nft_close_message(batch, message);
	}
	if (rule)
		nftnl_rule_free(rule);
}

/* Adds an expression to the rule. Without memory the rule would match too much:
 * so its table is unset, and it is not sent. */
static struct nftnl_expr *add_expr(struct nftnl_rule *rule, const char *kind)
{
	struct nftnl_expr *expression = rule ? nftnl_expr_alloc(kind) : NULL;

	if (expression)
		nftnl_rule_add_expr(rule, expression);
	else if (rule)
		nftnl_rule_unset(rule, NFTNL_RULE_TABLE);
	return expression;
}

void nft_load_payload(struct nftnl_rule *rule, enum nft_payload_bases base,
		      uint32_t offset, uint32_t bytes)
{
	struct nftnl_expr *load = add_expr(rule, "payload");

	if (!load)
		return;
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_DREG, REGISTER);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_LEN, bytes);
}

static void load_meta_into(struct nftnl_rule *rule, enum nft_meta_keys key,
			   uint32_t into)
{
	struct nftnl_expr *load = add_expr(rule, "meta");

	if (!load)
		return;
	nftnl_expr_set_u32(load, NFTNL_EXPR_META_DREG, into);
	nftnl_expr_set_u32(load, NFTNL_EXPR_META_KEY, key);
}

void nft_load_meta(struct nftnl_rule *rule, enum nft_meta_keys key)
{
	load_meta_into(rule, key, REGISTER);
}

void nft_load_header(struct nftnl_rule *rule, uint8_t type, uint32_t offset,
		     uint32_t bytes)
{
	struct nftnl_expr *load = add_expr(rule, "exthdr");

	if (!load)
		return;
	nftnl_expr_set_u32(load, NFTNL_EXPR_EXTHDR_DREG, REGISTER);
	nftnl_expr_set_u8(load, NFTNL_EXPR_EXTHDR_TYPE, type);
	nftnl_expr_set_u32(load, NFTNL_EXPR_EXTHDR_OFFSET, offset);
	nftnl_expr_set_u32(load, NFTNL_EXPR_EXTHDR_LEN, bytes);
	nftnl_expr_set_u32(load, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
}

void nft_mask(struct nftnl_rule *rule, const void *mask, uint32_t bytes)
{
	static const uint8_t none[16];
	struct nftnl_expr *and = add_expr(rule, "bitwise");

	if (!and)
		return;
	nftnl_expr_set_u32(and, NFTNL_EXPR_BITWISE_SREG, REGISTER);
	nftnl_expr_set_u32(and, NFTNL_EXPR_BITWISE_DREG, REGISTER);
	nftnl_expr_set_u32(and, NFTNL_EXPR_BITWISE_LEN, bytes);
	nftnl_expr_set(and, NFTNL_EXPR_BITWISE_MASK, mask, bytes);
	nftnl_expr_set(and, NFTNL_EXPR_BITWISE_XOR, none, bytes);
}

void nft_compare(struct nftnl_rule *rule, enum nft_cmp_ops how,
		 const void *with, uint32_t bytes)
{
	struct nftnl_expr *compare = add_expr(rule, "cmp");

	if (!compare)
		return;
	nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_SREG, REGISTER);
	nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_OP, how);
	nftnl_expr_set(compare, NFTNL_EXPR_CMP_DATA, with, bytes);
}

void nft_over_limit(struct nftnl_rule *rule, uint32_t rate, uint32_t burst)
{
	struct nftnl_expr *limit = add_expr(rule, "limit");

	if (!limit)
		return;
	nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, rate);
	nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, 1); /* per second */
	nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, burst);
	nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

void nft_key_interface(struct nftnl_rule *rule, uint32_t number)
{
	struct nftnl_expr *put;

	load_meta_into(rule, NFT_META_IIF, KEY_INTERFACE);
	put = add_expr(rule, "immediate");
	if (!put)
		return;
	nftnl_expr_set_u32(put, NFTNL_EXPR_IMM_DREG, KEY_NUMBER);
	nftnl_expr_set(put, NFTNL_EXPR_IMM_DATA, &number, sizeof(number));
}

void nft_lookup(struct nftnl_rule *rule, const struct nft_set *set)
{
	struct nftnl_expr *lookup = add_expr(rule, "lookup");

	if (!lookup)
		return;
	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, KEY_INTERFACE);
	nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set->name);
	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, set->id);
}

void nft_count(struct nftnl_rule *rule, const struct nft_set *set)
{
	struct nftnl_expr *update = add_expr(rule, "dynset");
	struct nftnl_expr *counter = update ? nftnl_expr_alloc("counter")
					    : NULL;

	if (!counter) {
		if (rule)
			nftnl_rule_unset(rule, NFTNL_RULE_TABLE);
		return;
	}
	nftnl_expr_set_u32(update, NFTNL_EXPR_DYNSET_SREG_KEY, KEY_INTERFACE);
	nftnl_expr_set_u32(update, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_str(update, NFTNL_EXPR_DYNSET_SET_NAME, set->name);
	nftnl_expr_set_u32(update, NFTNL_EXPR_DYNSET_SET_ID, set->id);
	nftnl_expr_add_expr(update, NFTNL_EXPR_DYNSET_EXPRESSIONS, counter);
}

void nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
	struct nftnl_expr *end = add_expr(rule, "immediate");

	if (!end)
		return;
	nftnl_expr_set_u32(end, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(end, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(end, NFTNL_EXPR_IMM_CHAIN, chain);
}
