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
	uint8_t solicitations; /* sent so far in this state */
	uint8_t waiting; /* in INCOMPLETE: pings that wait for the MAC */
	bool wanted; /* a ping used it; it wasn't only learnt from a request */
	uint64_t deadline_ns; /* when its state is over */
	uint64_t used_ns; /* when it was last learnt or wanted */
};

/* How the cache reports to those who wait. A neighbour_resolve() that returned
 * NULL is over then, and may be repeated. */
struct neighbour_ops {
	/* The MAC of a neighbour is known now. */
	void (*resolved)(struct builtin *guest, const struct address *address,
			 uint64_t now_ns);
	/* Nobody answers for the address. */
	void (*unreachable)(struct builtin *guest,
			    const struct address *address);
};

/* Finds the MAC of an on-link neighbour for a packet to be sent now. NULL: the
 * neighbour is being asked for, and guest->neighbour_ops will report the
 * outcome; a caller who gives up earlier calls neighbour_cancel(). The MAC is
 * valid until the next call of a function here. */
const uint8_t *neighbour_resolve(struct builtin *guest,
				 const struct address *address,
				 uint64_t now_ns);

/* The caller no longer waits for the address. */
void neighbour_cancel(struct builtin *guest, const struct address *address);

/* Learns from a request to us (RFC 826, RFC 4861 §7.2.3). */
void neighbour_learn(struct builtin *guest, const struct address *address,
		     const uint8_t *mac, uint64_t now_ns);

/* Takes an answer to us (RFC 826, RFC 4861 §7.2.5). False if none was awaited:
 * it is only a claim then. */
bool neighbour_answer(struct builtin *guest, const struct address *address,
		      const uint8_t *mac, uint64_t now_ns);

/* Takes a claim to an address. It is never believed. If it contradicts the
 * cache, the entry is dropped, and the next use asks anew. */
void neighbour_claim(struct builtin *guest, const struct address *address,
		     const uint8_t *mac);

/* A packet of ours has reached the neighbour (RFC 4861 §7.3.1). */
void neighbour_confirm(struct builtin *guest, const struct address *address,
		       const uint8_t *mac, uint64_t now_ns);

/* Repeats solicitations that are due, and gives up after the last one. */
void neighbour_tick(struct builtin *guest, uint64_t now_ns);

#endif
