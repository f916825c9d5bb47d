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

/* Why a frame is dropped. New reasons are added at the end: the kernel's sets
 * have the numbers, and outlive a supervisor. */
#define GUARD_TABLE(X)                                                   \
	X(FOREIGN, "foreign") /* its source is not the VM's MAC */       \
	X(FLOOD, "flood") /* over the rate of broadcast and multicast */ \
	X(RA, "ra") /* router advertisement */                           \
	X(REDIRECT, "redirect") /* a redirect of ICMP or ICMPv6 */       \
	X(MLD_QUERY, "mld-query") /* a query of MLD or IGMP */           \
	X(DHCP_SERVER, "dhcp-server") /* an answer of a DHCP server */   \
	X(HIDDEN, "hidden") /* it can't be classified: see guard_rules.c */

enum guard_reason {
#define X(id, name) GUARD_##id,
	GUARD_TABLE(X)
#undef X
	GUARD_REASONS
};

/* The reasons that don't apply to a VM which is
 * allowed to: bits 1 << reason. */
#define GUARD_ALLOWABLE                                                  \
	(1U << GUARD_RA | 1U << GUARD_REDIRECT | 1U << GUARD_MLD_QUERY | \
	 1U << GUARD_DHCP_SERVER)

/* The name of a reason: "foreign", "ra", ... */
const char *guard_reason_name(enum guard_reason reason);

/* A TAP, and what its VM may send. */
struct guard_port {
	char tap[IFNAMSIZ];
	int ifindex;
	uint8_t mac[6]; /* of the VM behind it */
	uint32_t allow; /* bits of GUARD_ALLOWABLE */
	/* broadcast and multicast frames a second; 0: no limit */
	uint32_t group_rate;
};

struct guard {
	struct mnl_socket *sock; /* owned; NULL: there is no guard */
	char table[32]; /* the name of the instance's table */
	uint32_t flags; /* flags of the table */
	bool limits; /* the kernel has rate limits */
};

/* Opens the socket. owner identifies the instance. 0 or -errno. */
int guard_open(struct guard *guard, const char *owner);
/* The same with a socket that is open, fd, which is taken over
 * in any case. 0 or -errno. */
int guard_attach(struct guard *guard, const char *owner, int fd);
/* The descriptor of the socket; -1: none. */
int guard_fd(const struct guard *guard);
/* Closes the socket; the guard stays in force. */
void guard_close(struct guard *guard);

/*
 * Puts the guard in force on count TAPs, which must be there, and on no others.
 * Rules of an earlier supervisor are replaced in one transaction; its counters
 * stay. 0 or -errno: the kernel lacks a part, or the process a capability.
 */
int guard_begin(struct guard *guard, const struct guard_port *ports,
		size_t count);
/* Adds TAPs in one transaction; each replaces an earlier TAP of its name. 0;
 * or -errno: none was added. */
int guard_add(struct guard *guard, const struct guard_port *ports,
	      size_t count);
/* Deletes the counters and exceptions of a TAP that is gone. */
void guard_forget(struct guard *guard, const struct guard_port *port);
/* True: no other process can change or remove the guard. */
bool guard_is_owned(const struct guard *guard);
/* False: another process removed the guard. */
bool guard_there(const struct guard *guard);
/* Removes the guard. 0 or -errno. */
int guard_end(struct guard *guard);

/* Counts the frames of a TAP that were dropped for each reason, since its guard
 * is in force. 0 or -errno. */
int guard_count(const struct guard *guard, int ifindex,
		uint64_t counts[GUARD_REASONS]);

/* The same for all TAPs: calls row for each count. 0 or -errno. */
typedef void guard_count_fn(void *ctx, int ifindex, enum guard_reason reason,
			    uint64_t frames);
int guard_count_all(const struct guard *guard, guard_count_fn *row, void *ctx);

/* Tries in this network namespace whether the kernel can have a guard, and
 * leaves nothing. 0; -ENOTSUP: it lacks rate limits alone; or -errno. */
int guard_try(void);

#endif
