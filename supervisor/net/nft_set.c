/* SPDX-License-Identifier: ISC */
/* Sets of nf_tables, and their elements. */
#include "supervisor/net/nft_set.h"

#include <errno.h>

/* The most counters that an instance can have: one for each TAP and reason. */
#define ELEMENTS_MAX 65535

/* Makes a set with name and table alone, for messages about
 * elements. NULL: no memory. */
static struct nftnl_set *name_set(const char *table, const struct nft_set *set)
{
	struct nftnl_set *named = nftnl_set_alloc();

	if (!named)
		return NULL;
	nftnl_set_set_u32(named, NFTNL_SET_FAMILY, NFPROTO_NETDEV);
	nftnl_set_set_str(named, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(named, NFTNL_SET_NAME, set->name);
	nftnl_set_set_u32(named, NFTNL_SET_ID, set->id);
	return named;
}

void nft_add_set(struct nft_batch *batch, const struct nft_set *set)
{
	struct nlmsghdr *message =
		nft_open_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nftnl_set *made = message ? name_set(batch->table, set) : NULL;

	if (!made) {
		batch->error = batch->error ? batch->error : -ENOMEM;
		return;
	}
	nftnl_set_set_u32(made, NFTNL_SET_FLAGS,
			  set->dynamic ? NFT_SET_EVAL : 0);
	nftnl_set_set_u32(made, NFTNL_SET_KEY_TYPE, set->type);
	nftnl_set_set_u32(made, NFTNL_SET_KEY_LEN,
			  set->words * (uint32_t)sizeof(uint32_t));
	nftnl_set_set_u32(made, NFTNL_SET_DESC_SIZE, ELEMENTS_MAX);
	nftnl_set_nlmsg_build_payload(message, made);
	nftnl_set_free(made);
	nft_close_message(batch, message);
}

struct nftnl_set *nft_set_with(const char *table, const struct nft_set *set,
			       const uint32_t *key)
{
	struct nftnl_set *named = name_set(table, set);
	struct nftnl_set_elem *element;

	if (!named || !key)
		return named;
	element = nftnl_set_elem_alloc();
	if (!element) {
		nftnl_set_free(named);
		return NULL;
	}
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key,
			   set->words * (uint32_t)sizeof(*key));
	nftnl_set_elem_add(named, element);
	return named;
}

static void put_element(struct nft_batch *batch, uint16_t type, uint16_t flags,
			const struct nft_set *set, const uint32_t *key)
{
	struct nlmsghdr *message = nft_open_message(batch, type, flags);
	struct nftnl_set *named = message ? nft_set_with(batch->table, set, key)
					  : NULL;

	if (!named) {
		batch->error = batch->error ? batch->error : -ENOMEM;
		return;
	}
	nftnl_set_elems_nlmsg_build_payload(message, named);
	nftnl_set_free(named);
	nft_close_message(batch, message);
}

void nft_add_element(struct nft_batch *batch, const struct nft_set *set,
		     const uint32_t *key)
{
	put_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, key);
}

void nft_delete_element(struct nft_batch *batch, const struct nft_set *set,
			const uint32_t *key)
{
	put_element(batch, NFT_MSG_DELSETELEM, 0, set, key);
}
