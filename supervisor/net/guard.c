/* SPDX-License-Identifier: ISC */
/* First-hop guard: how it is loaded into the kernel and removed, and its
 * counters. guard_rules.c has the rules. */
#include "supervisor/net/guard.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/lib/siphash.h"
#include "supervisor/net/guard_rules.h"
#include "supervisor/net/nft_read.h"
#include "supervisor/net/nft_rule.h"
#include "supervisor/net/nft_set.h"

/* The flag of an owned table that outlives its owner (Linux 6.9). */
#define TABLE_PERSIST 4
#define TABLE_OURS    (NFT_TABLE_F_OWNER | TABLE_PERSIST)

static const char *const reason_names[] = {
#define X(id, name) [GUARD_##id] = (name),
	GUARD_TABLE(X)
#undef X
};
static_assert(ARRAY_SIZE(reason_names) == GUARD_REASONS, "a name per reason");

const char *guard_reason_name(enum guard_reason reason)
{
	return reason_names[reason];
}

/* ---- start and end */

static void name_table(struct guard *guard, const char *owner)
{
	static const uint8_t key[16] = "guard";

	snprintf(guard->table, sizeof(guard->table), "vmsup-%016llx",
		 (unsigned long long)siphash(key, owner, strlen(owner)));
	guard->limits = true;
}

int guard_open(struct guard *guard, const char *owner)
{
	*guard = (struct guard){ 0 };
	name_table(guard, owner);
	return nft_open(&guard->sock);
}

int guard_attach(struct guard *guard, const char *owner, int fd)
{
	struct guard attached = { .flags = guard->flags };

	name_table(&attached, owner);
	attached.limits = guard->limits;
	*guard = attached;
	return nft_attach(&guard->sock, fd);
}

int guard_fd(const struct guard *guard)
{
	return guard->sock ? mnl_socket_get_fd(guard->sock) : -1;
}

void guard_close(struct guard *guard)
{
	if (guard->sock)
		mnl_socket_close(guard->sock);
	guard->sock = NULL;
}

/*
 * Makes the table, or takes it over. A firewall that is loaded anew flushes
 * tables, but not one that has an owner. Where the kernel deletes a table with
 * its owner, the table has none. This is a transaction of its own: a table that
 * changes its owner takes no chain in the same one.
 */
static int take_table(struct guard *guard, uint32_t flags)
{
	struct nft_batch batch = { .table = guard->table };

	nft_add_table(&batch, flags);
	guard->flags = flags;
	return nft_commit(guard->sock, &batch);
}

/* Tries a chain that lets all frames pass, to learn whether the kernel has the
 * ingress hook and, with limits, rate limits. guard_begin() deletes it. */
static int try_chain(struct guard *guard, bool limits)
{
	static const char chain[] = "trial";
	struct nft_batch batch = { .table = guard->table };
	struct nftnl_rule *made;

	nft_add_chain(&batch, chain, "lo");
	made = nft_rule(&batch, chain);
	if (limits)
		nft_over_limit(made, 1, 1);
	nft_verdict(made, NF_ACCEPT, NULL);
	nft_add_rule(&batch, made);
	guard->limits = limits;
	return nft_commit(guard->sock, &batch);
}

static int try_kernel(struct guard *guard)
{
	uint32_t flags;
	int found = nft_find_table(guard->sock, guard->table, &flags);
	int error;

	if (found < 0)
		return found;
	/* a table of an earlier supervisor keeps its kind */
	flags = !found || flags & TABLE_PERSIST ? TABLE_OURS : 0;
	error = take_table(guard, flags);
	if (error == -EOPNOTSUPP || error == -EINVAL)
		error = take_table(guard, 0);
	if (error)
		return error;
	error = try_chain(guard, true);
	return error == -ENOENT ? try_chain(guard, false) : error;
}

struct leftovers {
	struct nft_batch *batch;
	const struct guard_port *ports;
	size_t count;
};

/* Deletes a TAP's chain, unless it is one of those that are wanted. */
static int delete_leftover(void *ctx, const char *name, bool base)
{
	const struct leftovers *leftovers = ctx;
	char wanted[NFT_NAME];

	for (size_t i = 0; base && i < leftovers->count; i++) {
		guard_rules_chain(wanted, leftovers->ports[i].tap);
		if (strcmp(name, wanted) == 0)
			return 0;
	}
	if (base)
		nft_delete_chain(leftovers->batch, name);
	return 0;
}

int guard_begin(struct guard *guard, const struct guard_port *ports,
		size_t count)
{
	struct nft_batch batch = { .table = guard->table };
	struct leftovers leftovers = { &batch, ports, count };
	int error = try_kernel(guard);

	if (error)
		return error;
	error = nft_each_chain(guard->sock, guard->table, delete_leftover,
			       &leftovers);
	guard_rules_put_shared(&batch);
	nft_delete_element(&batch, &guard_allowed, NULL);
	for (size_t i = 0; i < count; i++)
		guard_rules_put_port(&batch, &ports[i], guard->limits);
	if (error)
		nft_discard(&batch);
	else
		error = nft_commit(guard->sock, &batch);
	if (error)
		(void)guard_end(guard);
	return error;
}

int guard_end(struct guard *guard)
{
	struct nft_batch batch = { .table = guard->table };
	int error;

	nft_delete_table(&batch);
	error = nft_commit(guard->sock, &batch);
	return error == -ENOENT ? 0 : error;
}

bool guard_is_owned(const struct guard *guard)
{
	return guard->flags & NFT_TABLE_F_OWNER;
}

bool guard_there(const struct guard *guard)
{
	uint32_t flags;

	/* a table that can't be read is there */
	return nft_find_table(guard->sock, guard->table, &flags) != 0;
}

int guard_try(void)
{
	struct guard guard;
	int error = guard_open(&guard, "trial");

	if (!error)
		error = guard_begin(&guard, NULL, 0);
	if (!error)
		error = guard_end(&guard);
	if (!error && !guard.limits)
		error = -ENOTSUP;
	guard_close(&guard);
	return error;
}

/* ---- TAPs */

int guard_add(struct guard *guard, const struct guard_port *ports, size_t count)
{
	struct nft_batch batch = { .table = guard->table };

	for (size_t i = 0; i < count; i++)
		guard_rules_put_port(&batch, &ports[i], guard->limits);
	return nft_commit(guard->sock, &batch);
}

void guard_forget(struct guard *guard, const struct guard_port *port)
{
	struct nft_batch counted = { .table = guard->table };
	struct nft_batch permitted = { .table = guard->table };
	uint64_t counts[GUARD_REASONS];

	if (guard_count(guard, port->ifindex, counts) < 0)
		return;
	for (uint32_t i = 0; i < GUARD_REASONS; i++) {
		const uint32_t key[GUARD_KEY_WORDS] = { (uint32_t)port->ifindex,
							i };

		/* an element that isn't there can't be deleted */
		if (counts[i])
			nft_delete_element(&counted, &guard_dropped, key);
		if (port->allow & GUARD_ALLOWABLE & 1U << i)
			nft_delete_element(&permitted, &guard_allowed, key);
	}
	(void)nft_commit(guard->sock, &counted);
	(void)nft_commit(guard->sock, &permitted);
}

int guard_count(const struct guard *guard, int ifindex,
		uint64_t counts[GUARD_REASONS])
{
	uint32_t keys[GUARD_REASONS][GUARD_KEY_WORDS];

	for (uint32_t i = 0; i < GUARD_REASONS; i++) {
		keys[i][0] = (uint32_t)ifindex;
		keys[i][1] = i;
	}
	return nft_read_counters(guard->sock, guard->table, &guard_dropped,
				 keys[0], counts, GUARD_REASONS);
}

struct counting {
	guard_count_fn *row;
	void *ctx;
};

static int take_count(void *ctx, const uint32_t *key, uint64_t frames)
{
	const struct counting *counting = ctx;

	if (key[1] < GUARD_REASONS)
		counting->row(counting->ctx, (int)key[0],
			      (enum guard_reason)key[1], frames);
	return 0;
}

int guard_count_all(const struct guard *guard, guard_count_fn *row, void *ctx)
{
	struct counting counting = { row, ctx };

	return nft_each_counter(guard->sock, guard->table, &guard_dropped,
				take_count, &counting);
}
