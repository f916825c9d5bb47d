/* SPDX-License-Identifier: ISC */
/* Calls that wait for an answer, in lists of those that wait for the same. */
#ifndef VMSUP_SUPERVISOR_WAITING_H
#define VMSUP_SUPERVISOR_WAITING_H

#include <jansson.h>
#include <stddef.h>
#include <sys/queue.h>

#include "supervisor/control/call.h"

/* One call that waits: the first member of what its user needs to know of it.
 * call->ctx is this while the call waits. */
struct waiting {
	LIST_ENTRY(waiting) entry;
	struct call *call;
	/* Called before the memory is freed, however the wait ends. NULL:
	 * nothing is to be done. */
	void (*release)(struct waiting *waiting);
};

/* The newest first. A list of zeroes is empty. */
LIST_HEAD(call_list, waiting);

/* Lets a call wait: returns an object of that many bytes which begins with a
 * struct waiting, all else zero. The list owns it, and removes it when the
 * client hangs up. NULL without memory: the call doesn't wait then. */
void *waiting_add(struct call_list *list, struct call *call, size_t bytes);
/* Ends one wait and frees its object. The call is the caller's to answer. */
struct call *waiting_end(struct waiting *waiting);
/* Ends all waits with this reply, which is taken over (NULL: an empty one). */
void waiting_reply(struct call_list *list, json_t *parameters);
/* Ends all waits with the error Failed. */
void waiting_fail(struct call_list *list, const char *message);

#endif
