/* SPDX-License-Identifier: ISC */
/* Errors of links in a user's words, with the remedy. */
#ifndef VMSUP_SUPERVISOR_NET_EXPLAIN_H
#define VMSUP_SUPERVISOR_NET_EXPLAIN_H

#include "supervisor/lib/problem.h"
#include "supervisor/net/netlink.h"

/* Sets problem to "WHAT: DOING: error: kernel's words (remedy)". DOING and the
 * kernel's words are taken from batch, which may be NULL. Returns error. */
int explain_error(struct problem *problem, int error,
		  const struct netlink_batch *batch, const char *what, ...)
	__attribute__((format(printf, 4, 5)));

#endif
