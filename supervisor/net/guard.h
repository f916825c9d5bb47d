/* SPDX-License-Identifier: ISC */
/*
 * First-hop guard: what a VM may send, judged by the kernel at its TAP, before
 * the bridge sees it. What doesn't pass is dropped, and counted by reason.
 */
#ifndef VMSUP_SUPERVISOR_NET_GUARD_H
#define VMSUP_SUPERVISOR_NET_GUARD_H

#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a frame is dropped. New ones stand at the end: the numbers are in the
 * kernel's sets, and outlive a supervisor. */
#define GUARD_TABLE(X)                                                     \
	X(FOREIGN, "foreign") /* not from the VM's own MAC */              \
	X(FLOOD, "flood") /* over the bound on broadcast and multicast */  \
	X(RA, "ra") /* router advertisement */                             \
	X(REDIRECT, "redirect") /* of ICMP or ICMPv6 */                    \
	X(MLD_QUERY, "mld-query") /* of MLD or IGMP */                     \
	X(DHCP_SERVER, "dhcp-server") /* the answer of a server of DHCP */ \
	X(HIDDEN, "hidden") /* what it is can't be told: see guard_rules.c */

enum guard_reason {
#define X(id, name) GUARD_##id,
	GUARD_TABLE(X)
#undef X
	GUARD_REASONS
};

/* The reasons that a VM can be let off, as bits 1 << reason. */
#define GUARD_ALLOWABLE                                                  \
	(1U << GUARD_RA | 1U << GUARD_REDIRECT | 1U << GUARD_MLD_QUERY | \
	 1U << GUARD_DHCP_SERVER)

/* "foreign", "ra", ... */
const char *guard_reason_name(enum guard_reason reason);

/* A TAP, and what the guard lets through there. */
struct guard_port {
	char tap[IFNAMSIZ];
	int ifindex;
	uint8_t mac[6]; /* of the VM behind it */
	uint32_t allow; /* of GUARD_ALLOWABLE */
	uint32_t group_rate; /* frames to groups a second; 0: any number */
};

struct guard {
	struct mnl_socket *sock; /* owned; NULL: there is none */
	char table[32]; /* the instance's own */
	uint32_t flags; /* of the table */
	bool limits; /* the kernel can bound rates */
};

/* Opens its socket. owner: what tells one instance from another. 0 or -errno. */
int guard_open(struct guard *guard, const char *owner);
/* In place of that: goes on with a socket. 0 or -errno; fd is taken over. */
int guard_attach(struct guard *guard, const char *owner, int fd);
/* The socket's descriptor, -1: none. */
int guard_fd(const struct guard *guard);
/* Closes the socket; the guard stays in force. */
void guard_close(struct guard *guard);

/*
 * Puts the guard in force on count TAPs, which are there, and on no others:
 * whatever an earlier supervisor left is replaced at once, but for counters.
 * 0 or -errno (the kernel hasn't got it, or we haven't got the right).
 */
int guard_begin(struct guard *guard, const struct guard_port *ports,
		size_t count);
/* Adds TAPs, in one transaction; a TAP of that name that is gone is forgotten.
 * 0 or -errno, and none was added. */
int guard_add(struct guard *guard, const struct guard_port *ports,
	      size_t count);
/* Forgets what was counted and allowed for a TAP that is gone. */
void guard_forget(struct guard *guard, const struct guard_port *port);
/* Whether nobody else can change it, nor take it down. */
bool guard_is_owned(const struct guard *guard);
/* False if somebody else took all of it down. */
bool guard_there(const struct guard *guard);
/* Takes all of it down. 0 or -errno. */
int guard_end(struct guard *guard);

/* How many frames of a TAP were dropped for each reason, since its guard is in
 * force. 0 or -errno. */
int guard_count(const struct guard *guard, int ifindex,
		uint64_t counts[GUARD_REASONS]);

/* The same of all TAPs: row is called for each that there is. 0 or -errno. */
typedef void guard_count_fn(void *ctx, int ifindex, enum guard_reason reason,
			    uint64_t frames);
int guard_count_all(const struct guard *guard, guard_count_fn *row, void *ctx);

/* Whether this kernel can have a guard: tries it in this network namespace, and
 * leaves nothing. 0; -ENOTSUP: all but bounds; or -errno. */
int guard_try(void);

#endif
