/* SPDX-License-Identifier: ISC */
/* One neighbour cache for ARP and for neighbour discovery. */
#ifndef VMSUP_VMPROC_NEIGHBOUR_H
#define VMSUP_VMPROC_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "vmproc/builtin/address.h"
#include "vmproc/builtin/wire.h"

struct builtin;

#define NEIGHBOURS 64

/* RFC 4861 §7.3.2 */
enum neighbour_state {
	NEIGHBOUR_FREE,
	NEIGHBOUR_INCOMPLETE,
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_STALE,
	NEIGHBOUR_DELAY,
	NEIGHBOUR_PROBE,
	NEIGHBOUR_STATES
};

struct neighbour {
	struct address address;
	uint8_t mac[MAC_BYTES];
	uint8_t state; /* enum neighbour_state */
	uint8_t solicitations; /* sent in this state */
	uint8_t waiting; /* in INCOMPLETE: pings that wait for the MAC */
	bool wanted; /* a ping used it; not just learnt from a request */
	uint64_t deadline_ns; /* when its state is over */
	uint64_t used_ns; /* last learnt or wanted */
};

/* Tells who waits: each neighbour_resolve() that returned NULL is over then,
 * and may be repeated. */
struct neighbour_ops {
	/* The MAC of a neighbour is known now. */
	void (*resolved)(struct builtin *guest, const struct address *address,
			 uint64_t now_ns);
	/* Nobody answers for the address. */
	void (*unreachable)(struct builtin *guest,
			    const struct address *address);
};

/* Finds the MAC of an on-link neighbour for a packet to be sent now. NULL: the
 * neighbour is being asked for, and guest->neighbour_ops tells how that went;
 * who gives up before calls neighbour_cancel(). What is returned holds until
 * the next call of anything here. */
const uint8_t *neighbour_resolve(struct builtin *guest,
				 const struct address *address,
				 uint64_t now_ns);

/* One that waits for the address does so no longer. */
void neighbour_cancel(struct builtin *guest, const struct address *address);

/* Learns from a request to us (RFC 826, RFC 4861 §7.2.3). */
void neighbour_learn(struct builtin *guest, const struct address *address,
		     const uint8_t *mac, uint64_t now_ns);

/* Takes an answer to us (RFC 826, RFC 4861 §7.2.5). False if none was awaited:
 * then it is no more than a claim. */
bool neighbour_answer(struct builtin *guest, const struct address *address,
		      const uint8_t *mac, uint64_t now_ns);

/* Hears that somebody claims an address. It is never believed; if it says
 * otherwise than the cache, both are forgotten and the next use asks anew. */
void neighbour_claim(struct builtin *guest, const struct address *address,
		     const uint8_t *mac);

/* Hears that a packet of ours reached the neighbour (RFC 4861 §7.3.1). */
void neighbour_confirm(struct builtin *guest, const struct address *address,
		       const uint8_t *mac, uint64_t now_ns);

/* Repeats solicitations that are due, and gives up. */
void neighbour_tick(struct builtin *guest, uint64_t now_ns);

#endif
