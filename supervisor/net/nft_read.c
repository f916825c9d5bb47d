/* SPDX-License-Identifier: ISC */
/* What nf_tables has: tables, chains, counters. */
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/table.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/netlink.h"
#include "supervisor/net/nft_internal.h"

typedef int answer_fn(void *ctx, const struct nlmsghdr *message);

/* Asks, and calls take for each message of the answer. 0 or -errno; -EINTR: a
 * dump that changed under way. */
static int ask(struct mnl_socket *sock, const void *question, size_t bytes,
	       answer_fn *take, void *ctx)
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
	error = ask(sock, message, message->nlmsg_len, take_table, flags);
	if (error == -ENOENT)
		return 0;
	return error ? error : 1;
}

struct counting {
	uint64_t *counters;
	size_t count;
};

/* The counter of the one element that message is about. */
static int parse_counter(const struct nlmsghdr *message, uint64_t *counter)
{
	struct nftnl_set *set = nftnl_set_alloc();
	struct nftnl_set_elems_iter *all = NULL;
	struct nftnl_set_elem *element = NULL;
	const struct nftnl_expr *found = NULL;
	uint32_t length;

	if (set && nftnl_set_elems_nlmsg_parse(message, set) == 0)
		all = nftnl_set_elems_iter_create(set);
	if (all)
		element = nftnl_set_elems_iter_next(all);
	if (element)
		found = nftnl_set_elem_get(element, NFTNL_SET_ELEM_EXPR,
					   &length);
	if (found)
		*counter = nftnl_expr_get_u64(found, NFTNL_EXPR_CTR_PACKETS);
	if (all)
		nftnl_set_elems_iter_destroy(all);
	if (set)
		nftnl_set_free(set);
	return found ? 0 : -EBADMSG;
}

static int take_counter(void *ctx, const struct nlmsghdr *message)
{
	const struct counting *counting = ctx;
	int error = nft_error_of(message);

	if (error == -ENOENT) /* no frame, no element */
		return 0;
	if (error <= 0)
		return error;
	/* the requests are numbered from 0 on */
	if (message->nlmsg_seq >= counting->count)
		return -EBADMSG;
	return parse_counter(message, &counting->counters[message->nlmsg_seq]);
}

int nft_read_counters(struct mnl_socket *sock, const char *table,
		      const struct nft_set *set, const uint32_t *keys,
		      uint64_t *counters, size_t count)
{
	struct counting counting = { counters, count };
	cleanup_free char *buffer = calloc(count, NFT_MESSAGE_BYTES);
	size_t used = 0;

	if (!buffer)
		return -ENOMEM;
	memset(counters, 0, count * sizeof(*counters));
	for (size_t i = 0; i < count; i++) {
		struct nlmsghdr *message =
			nftnl_nlmsg_build_hdr(buffer + used, NFT_MSG_GETSETELEM,
					      NFPROTO_NETDEV, 0, (uint32_t)i);
		struct nftnl_set *one =
			nft_set_with(table, set, keys + i * set->words);

		if (!one)
			return -ENOMEM;
		nftnl_set_elems_nlmsg_build_payload(message, one);
		nftnl_set_free(one);
		used += NLMSG_ALIGN(message->nlmsg_len);
	}
	return ask(sock, buffer, used, take_counter, &counting);
}

struct listing {
	const char *table;
	nft_chain_fn *row;
	void *ctx;
};

static int take_chain(void *ctx, const struct nlmsghdr *message)
{
	const struct listing *listing = ctx;
	struct nftnl_chain *chain;
	int error = nft_error_of(message);

	if (error <= 0 || message->nlmsg_type == NLMSG_DONE)
		return error < 0 ? error : 0;
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

	return ask(sock, message, message->nlmsg_len, take_chain, &listing);
}
