/* SPDX-License-Identifier: ISC */
/*
 * Transactions with the kernel's nf_tables, over libnftnl: tables of the family
 * netdev, their chains, rules and sets. All of a transaction holds at once, or
 * nothing of it. Needs CAP_NET_ADMIN.
 */
#ifndef VMSUP_SUPERVISOR_NET_NFT_H
#define VMSUP_SUPERVISOR_NET_NFT_H

#include <netinet/in.h> /* before the kernel's own of the same */

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest name of a table or chain that is used here, its NUL included. */
#define NFT_NAME 48

/*
 * A transaction that is being built: { .table = NAME } is an empty one.
 * nft_commit() and nft_discard() empty it. An error while building is kept and
 * comes out of nft_commit().
 */
struct nft_batch {
	const char *table; /* that all of it is about */
	char *buffer; /* owned */
	size_t used, size;
	uint32_t sequence; /* of the message added last */
	int error;
};

/* Opens a socket. 0 with *sock, or -errno. */
int nft_open(struct mnl_socket **sock);
/* The same with one that is open and bound: takes over fd, either way. */
int nft_attach(struct mnl_socket **sock, int fd);

/* ---- what a transaction does */

/* Makes the table, or finds it there. flags: NFT_TABLE_F_OWNER, ... */
void nft_add_table(struct nft_batch *batch, uint32_t flags);
void nft_delete_table(struct nft_batch *batch);

/* Makes a chain, or finds it there. device: whose incoming frames it judges,
 * what it doesn't drop is accepted; NULL: none, others jump to it. */
void nft_add_chain(struct nft_batch *batch, const char *name,
		   const char *device);
/* Deletes the rules of a chain that is there. */
void nft_flush_chain(struct nft_batch *batch, const char *name);
void nft_delete_chain(struct nft_batch *batch, const char *name);

/* A set of keys that are as many 32-bit words as that. id: any number that no
 * other set of the transaction has. type: of the key, as nft(8) numbers them.
 * dynamic: rules add to it, and each element has a counter. */
struct nft_set {
	const char *name;
	uint32_t id, words, type;
	bool dynamic;
};
/* Makes a set, or finds it there. */
void nft_add_set(struct nft_batch *batch, const struct nft_set *set);
/* Adds an element, or finds it there. */
void nft_add_element(struct nft_batch *batch, const struct nft_set *set,
		     const uint32_t *key);
/* key: NULL deletes all, however many there are. */
void nft_delete_element(struct nft_batch *batch, const struct nft_set *set,
			const uint32_t *key);

/* ---- rules */

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

/* ---- and its end */

/* Carries it out. 0, or -errno of the first failure, and nothing is changed. */
int nft_commit(struct mnl_socket *sock, struct nft_batch *batch);
void nft_discard(struct nft_batch *batch);

/* ---- reading */

/* The flags of a table. 1 with *flags, 0: there is none, or -errno. */
int nft_find_table(struct mnl_socket *sock, const char *table, uint32_t *flags);

/* The counters of count elements of a set, whose keys are of set->words each.
 * One that isn't there yet is 0. 0 or -errno. */
int nft_read_counters(struct mnl_socket *sock, const char *table,
		      const struct nft_set *set, const uint32_t *keys,
		      uint64_t *counters, size_t count);

/* Calls row for each element of a set that has a counter. 0, -errno, or what row
 * returned. */
typedef int nft_counter_fn(void *ctx, const uint32_t *key, uint64_t counter);
int nft_each_counter(struct mnl_socket *sock, const char *table,
		     const struct nft_set *set, nft_counter_fn *row, void *ctx);

/* Calls row for each chain of the table; base: it has a device. 0 (also if
 * there is no such table), -errno, or what row returned. */
typedef int nft_chain_fn(void *ctx, const char *name, bool base);
int nft_each_chain(struct mnl_socket *sock, const char *table,
		   nft_chain_fn *row, void *ctx);

#endif
