/* SPDX-License-Identifier: ISC */
/* Waits until VMs have the state that a command gives them. */
#ifndef VMSUP_SUPERVISOR_CLI_AWAIT_H
#define VMSUP_SUPERVISOR_CLI_AWAIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	AWAIT_FAILED, /* the VM will not reach the goal by itself */
};

struct await_vm {
	char *name;
	json_int_t generation; /* at the beginning */
	bool was_failed; /* at the beginning */
	bool defined_will_do; /* autostart is off: to be defined is enough */
	bool adopted; /* an earlier supervisor started it */
	enum await_verdict verdict;
	char detail[208]; /* why the VM failed */
};

struct await;

/* What is done once while VMs are pending, so long after the beginning. */
struct await_late {
	uint64_t after_ms;
	void (*act)(const struct await *await, const struct cli *cli);
};

struct await {
	enum await_goal goal;
	struct await_vm *vms; /* owned */
	size_t count, pending;
	json_t *index; /* index in vms by name; owned */
	/* Called after each change of pending; may be NULL. */
	void (*progress)(const struct await *await);
	void *ctx; /* for progress */
	const struct await_late *late; /* in the order of time */
	size_t lates;
};

/* Waits for the named VMs, of which nothing is known yet. 0 or -ENOMEM. */
int await_init(struct await *await, enum await_goal goal,
	       const char *const *names, size_t count);
void await_uninit(struct await *await);

/* Takes a reply of Status as the state before the command. */
void await_baseline(struct await *await, const json_t *status);
/* Takes an Event, or a reply of Status, as news of the VMs. */
void await_event(struct await *await, const json_t *event);
void await_status(struct await *await, const json_t *status);

/*
 * Reads events, a connection with a subscription (act_subscribe()), until
 * no VM is pending. Asks Status where events were lost, or where none
 * comes. Returns what conn_receive() does: 1, no VM is pending; 0, the
 * supervisor is gone; -errno.
 */
int await_follow(struct await *await, struct conn *events,
		 const struct cli *cli);

/* The names of the VMs that are pending, as an array for a method. */
json_t *await_pending(const struct await *await);

/* Prints a line for each VM that failed. CLI_OK if
 * none did, else CLI_FAILED. */
int await_report(const struct await *await);

#endif
