/* SPDX-License-Identifier: ISC */
/* Waiting until VMs have got where a command sends them. */
#ifndef VMSUP_SUPERVISOR_CLI_AWAIT_H
#define VMSUP_SUPERVISOR_CLI_AWAIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "supervisor/cli/command.h"
#include "supervisor/cli/conn.h"

enum await_goal {
	AWAIT_RUNNING,
	AWAIT_ALL_RUNNING, /* all at the same time */
	AWAIT_RESTARTED, /* running, in a newer generation */
	AWAIT_STOPPED,
	AWAIT_PAUSED,
	AWAIT_RESUMED,
	AWAIT_RESET,
	AWAIT_GOALS
};

enum await_verdict {
	AWAIT_PENDING,
	AWAIT_DONE,
	AWAIT_FAILED, /* it will not get there by itself */
};

struct await_vm {
	char *name;
	json_int_t generation; /* when the waiting began */
	bool was_failed; /* then */
	bool defined_will_do; /* nobody starts it: being there is enough */
	bool adopted; /* it ran before this supervisor */
	enum await_verdict verdict;
	char detail[208]; /* why it failed */
};

struct await {
	enum await_goal goal;
	struct await_vm *vms; /* owned */
	size_t count, pending;
	json_t *index; /* name: index in vms; owned */
	/* Called after a change; may be NULL. */
	void (*progress)(const struct await *await);
	void *ctx; /* for progress */
};

/* For the named VMs, of which nothing is known yet. 0 or -ENOMEM. */
int await_init(struct await *await, enum await_goal goal,
	       const char *const *names, size_t count);
void await_uninit(struct await *await);

/* Takes a reply of Status as the state before the command. */
void await_baseline(struct await *await, const json_t *status);
/* Takes note of an Event, or of a reply of Status. */
void await_event(struct await *await, const json_t *event);
void await_status(struct await *await, const json_t *status);

/*
 * Follows events, a connection on which Events was called with more, until no
 * VM is pending; asks Status again where events were lost, or none comes. The
 * result is that of conn_receive(): 1 is done, 0 the supervisor is gone.
 */
int await_follow(struct await *await, struct conn *events,
		 const struct cli *cli);

/* Prints a line for each VM that failed. CLI_OK if none did. */
int await_report(const struct await *await);

#endif
