/* SPDX-License-Identifier: ISC */
/* Reads nf_tables: tables, chains, counters. */
#include "supervisor/net/nft_read.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/table.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/netlink.h"
#include "supervisor/net/nft_set.h"

typedef int answer_fn(void *ctx, const struct nlmsghdr *message);

/* Sends a request, and calls take for each message of the answer. 0 or -errno;
 * -EINTR: the rules changed during a dump. */
static int ask_nf_tables(struct mnl_socket *sock, const void *question,
			 size_t bytes, answer_fn *take, void *ctx)
{
	_Alignas(struct nlmsghdr) char buffer[NETLINK_DATAGRAM_BYTES];
	int error = nft_send_all(sock, question, bytes);
	ssize_t got;

	if (error)
		return error;
	while ((got = nft_next_answer(sock, buffer, sizeof(buffer))) != 0) {
		const struct nlmsghdr *message = (void *)buffer;
		int left = (int)got;

		if (got < 0)
			return (int)got;
		for (; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			int told = message->nlmsg_flags & NLM_F_DUMP_INTR
					   ? -EINTR
					   : take(ctx, message);

			error = error ? error : told;
		}
	}
	return error;
}

/* Like nft_error_of(), but the end of a dump is an acknowledgement. */
static int error_or_end(const struct nlmsghdr *message)
{
	return message->nlmsg_type == NLMSG_DONE ? 0 : nft_error_of(message);
}

static int take_table(void *ctx, const struct nlmsghdr *message)
{
	struct nftnl_table *table;
	uint32_t *flags = ctx;
	int error = nft_error_of(message);

	if (error <= 0)
		return error;
	table = nftnl_table_alloc();
	if (!table)
		return -ENOMEM;
	error = nftnl_table_nlmsg_parse(message, table) < 0 ? -EBADMSG : 0;
	if (!error)
		*flags = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS);
	nftnl_table_free(table);
	return error;
}

int nft_find_table(struct mnl_socket *sock, const char *table, uint32_t *flags)
{
	_Alignas(struct nlmsghdr) char room[NFT_MESSAGE_BYTES];
	struct nlmsghdr *message = nftnl_nlmsg_build_hdr(room, NFT_MSG_GETTABLE,
							 NFPROTO_NETDEV, 0, 0);
	int error;

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	error = ask_nf_tables(sock, message, message->nlmsg_len, take_table,
			      flags);
	if (error == -ENOENT)
		return 0;
	return error ? error : 1;
}

/* ---- counters */

struct walk {
	const struct nft_set *set;
	nft_counter_fn *row;
	void *ctx;
};

static int take_element(const struct walk *walk, struct nftnl_set_elem *element)
{
	const struct nftnl_expr *counter;
	const uint32_t *key;
	uint32_t bytes;

	key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &bytes);
	if (!key || bytes != walk->set->words * sizeof(*key))
		return -EBADMSG;
	counter = nftnl_set_elem_get(element, NFTNL_SET_ELEM_EXPR, &bytes);
	if (!counter)
		return 0;
	return walk->row(walk->ctx, key,
			 nftnl_expr_get_u64(counter, NFTNL_EXPR_CTR_PACKETS));
}

/* Takes the elements of one message. */
static int take_elements(void *ctx, const struct nlmsghdr *message)
{
	struct nftnl_set_elems_iter *all = NULL;
	int error = error_or_end(message);
	struct nftnl_set_elem *element;
	struct nftnl_set *set;

	if (error <= 0)
		/* no frame was counted: there is no element */
		return error == -ENOENT ? 0 : error;
	set = nftnl_set_alloc();
	if (set)
		error = nftnl_set_elems_nlmsg_parse(message, set) < 0 ? -EBADMSG
								      : 0;
	if (set && !error)
		all = nftnl_set_elems_iter_create(set);
	if (!error && !all)
		error = -ENOMEM;
	while (!error && (element = nftnl_set_elems_iter_next(all)))
		error = take_element(ctx, element);
	if (all)
		nftnl_set_elems_iter_destroy(all);
	if (set)
		nftnl_set_free(set);
	return error;
}

/* Writes a request at room: for the element of that key, or (NULL) for all.
 * Its length; 0: no memory. */
static size_t put_question(char *room, const char *table,
			   const struct nft_set *set, const uint32_t *key)
{
	struct nlmsghdr *message =
		nftnl_nlmsg_build_hdr(room, NFT_MSG_GETSETELEM, NFPROTO_NETDEV,
				      key ? 0 : NLM_F_DUMP, 0);
	struct nftnl_set *asked = nft_set_with(table, set, key);

	if (!asked)
		return 0;
	nftnl_set_elems_nlmsg_build_payload(message, asked);
	nftnl_set_free(asked);
	return NLMSG_ALIGN(message->nlmsg_len);
}

int nft_each_counter(struct mnl_socket *sock, const char *table,
		     const struct nft_set *set, nft_counter_fn *row, void *ctx)
{
	_Alignas(struct nlmsghdr) char room[NFT_MESSAGE_BYTES];
	struct walk walk = { set, row, ctx };
	size_t bytes = put_question(room, table, set, NULL);

	return bytes ? ask_nf_tables(sock, room, bytes, take_elements, &walk)
		     : -ENOMEM;
}

struct wanted {
	const struct nft_set *set;
	const uint32_t *keys;
	uint64_t *counters;
	size_t count;
};

static int take_wanted(void *ctx, const uint32_t *key, uint64_t counter)
{
	const struct wanted *wanted = ctx;
	size_t words = wanted->set->words;

	for (size_t i = 0; i < wanted->count; i++)
		if (memcmp(key, wanted->keys + i * words,
			   words * sizeof(*key)) == 0)
			wanted->counters[i] = counter;
	return 0;
}

int nft_read_counters(struct mnl_socket *sock, const char *table,
		      const struct nft_set *set, const uint32_t *keys,
		      uint64_t *counters, size_t count)
{
	struct wanted wanted = { set, keys, counters, count };
	struct walk walk = { set, take_wanted, &wanted };
	cleanup_free char *buffer = calloc(count, NFT_MESSAGE_BYTES);
	size_t used = 0;

	if (!buffer)
		return -ENOMEM;
	memset(counters, 0, count * sizeof(*counters));
	for (size_t i = 0; i < count; i++) {
		size_t bytes = put_question(buffer + used, table, set,
					    keys + i * set->words);

		if (!bytes)
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): same */
			return -ENOMEM;
		used += bytes;
	}
	return ask_nf_tables(sock, buffer, used, take_elements, &walk);
}

/* ---- chains */

struct listing {
	const char *table;
	nft_chain_fn *row;
	void *ctx;
};

static int take_chain(void *ctx, const struct nlmsghdr *message)
{
	const struct listing *listing = ctx;
	struct nftnl_chain *chain;
	int error = error_or_end(message);

	if (error <= 0)
		return error;
	chain = nftnl_chain_alloc();
	if (!chain)
		return -ENOMEM;
	error = nftnl_chain_nlmsg_parse(message, chain) < 0 ? -EBADMSG : 0;
	if (!error && strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE),
			     listing->table) == 0)
		error = listing->row(
			listing->ctx,
			nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME),
			nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM));
	nftnl_chain_free(chain);
	return error;
}

int nft_each_chain(struct mnl_socket *sock, const char *table,
		   nft_chain_fn *row, void *ctx)
{
	struct listing listing = { table, row, ctx };
	_Alignas(struct nlmsghdr) char room[NFT_MESSAGE_BYTES];
	struct nlmsghdr *message = nftnl_nlmsg_build_hdr(
		room, NFT_MSG_GETCHAIN, NFPROTO_NETDEV, NLM_F_DUMP, 0);

	return ask_nf_tables(sock, message, message->nlmsg_len, take_chain,
			     &listing);
}
