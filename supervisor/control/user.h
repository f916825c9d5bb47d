/* SPDX-License-Identifier: ISC */
/* What the connections of one user may take of the supervisor's time. */
#ifndef VMSUP_SUPERVISOR_USER_H
#define VMSUP_SUPERVISOR_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "ipc/loop.h"

struct control;

/* One uid, with or without connections: what it used isn't forgotten when it
 * hangs up. */
struct control_user {
	TAILQ_ENTRY(control_user) entry;
	uid_t uid;
	unsigned int clients; /* connections now */
	size_t unread; /* bytes of their output, as last counted */
	uint64_t paid_ns; /* on the loop's clock: its use is paid off then */
	bool over; /* over its share: its calls wait */
};

TAILQ_HEAD(user_list, control_user);

/* Of the control socket: all users, and who waits for a share. */
struct users {
	struct user_list list;
	unsigned int count;
	struct timer timer; /* the next one is no longer over its share */
	struct control_user *metered; /* whose time runs; NULL: nobody's */
	uint64_t began_ns; /* since then, on the processor's clock */
};

/* What it interrupts. */
struct user_meter {
	struct control *control; /* NULL: it measures nothing */
	struct control_user *outer;
	uint64_t outer_began_ns;
};

void user_init(struct control *control);
/* All users, which have no connection any more. */
void user_uninit(struct control *control);

/* The user of that uid; it may be gone as soon as it has no client. NULL without
 * memory. */
struct control_user *user_of(struct control *control, uid_t uid);

/* Counts that much of the processor's time as used by it. Root's isn't counted. */
void user_charge(struct control *control, struct control_user *user,
		 uint64_t ns);
/* So much over its share that whoever waits for it waits in vain. */
bool user_is_far_over(const struct control_user *user);

/* Counts the processor's time from start to stop as used by that user, unless a
 * meter of the same user runs already. */
void user_meter_start(struct user_meter *meter, struct control *control,
		      struct control_user *user);
void user_meter_stop(const struct user_meter *meter);
/* Counts what was used so far. */
void user_meter_lap(struct control *control);

#endif
