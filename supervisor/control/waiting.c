/* SPDX-License-Identifier: ISC */
/* Calls that wait for an answer, in lists of those that wait for the same. */
#include "supervisor/control/waiting.h"

#include <assert.h>
#include <stdlib.h>

static void waiting_free(struct waiting *waiting)
{
	LIST_REMOVE(waiting, entry);
	if (waiting->release)
		waiting->release(waiting);
	free(waiting);
}

static void on_gone(struct call *call)
{
	waiting_free(call->ctx);
}

void *waiting_add(struct call_list *list, struct call *call, size_t bytes)
{
	struct waiting *waiting;

	assert(bytes >= sizeof(*waiting));
	waiting = calloc(1, bytes);
	if (!waiting)
		return NULL;
	waiting->call = call;
	call->ctx = waiting;
	call->gone = on_gone;
	LIST_INSERT_HEAD(list, waiting, entry);
	return waiting;
}

struct call *waiting_end(struct waiting *waiting)
{
	struct call *call = waiting->call;

	call->gone = NULL;
	call->ctx = NULL;
	waiting_free(waiting);
	return call;
}

void waiting_reply(struct call_list *list, json_t *parameters)
{
	while (!LIST_EMPTY(list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): unlinked */
		call_reply(waiting_end(LIST_FIRST(list)),
			   json_incref(parameters));
	json_decref(parameters);
}

void waiting_fail(struct call_list *list, const char *message)
{
	while (!LIST_EMPTY(list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): unlinked */
		call_failed(waiting_end(LIST_FIRST(list)), message);
}
