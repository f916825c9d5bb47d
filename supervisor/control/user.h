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

/* One user, with or without connections: its account
 * outlives its connections. */
struct control_user {
	TAILQ_ENTRY(control_user) entry;
	uid_t uid;
	unsigned int clients; /* connections now */
	/* bytes of their unread output, when they were last counted */
	size_t unread;
	uint64_t paid_ns; /* when its use is paid off, on the loop's clock */
	bool over; /* it is over its share: its calls wait */
};

TAILQ_HEAD(user_list, control_user);

/* All users of the control socket. */
struct users {
	struct user_list list;
	unsigned int count;
	/* for the next user who is no longer over its share */
	struct timer timer;
	/* the user who is charged now; NULL: none */
	struct control_user *metered;
	uint64_t began_ns; /* since when, on the processor's clock */
};

/* The measurement that a new one interrupts. */
struct user_meter {
	struct control *control; /* NULL: nothing is measured */
	struct control_user *outer;
	uint64_t outer_began_ns;
};

void user_init(struct control *control);
/* Frees all users. No client must be left. */
void user_uninit(struct control *control);

/* Finds or makes the user of that uid. It may be freed once it has no
 * client. NULL: no memory. */
struct control_user *user_of(struct control *control, uid_t uid);

/* Charges a user with that much processor time. Root isn't charged. */
void user_charge(struct control *control, struct control_user *user,
		 uint64_t ns);
/* True: the user owes so much that its clients would wait in vain. */
bool user_is_far_over(const struct control_user *user);

/* Charges the user with the processor time from start to stop, unless a
 * measurement of the same user is running. */
void user_meter_start(struct user_meter *meter, struct control *control,
		      struct control_user *user);
void user_meter_stop(const struct user_meter *meter);
/* Charges the time so far. */
void user_meter_lap(struct control *control);

#endif
