/* SPDX-License-Identifier: ISC */
/*
 * What the connections of one user may take of the supervisor's time.
 *
 * Theory of operation: every call costs the supervisor some time on its
 * processor, and how much depends on the method, on what is there to tell, and
 * on what the caller makes of it. So nothing is estimated: the time that passes
 * on the processor's clock while a user's bytes are read, parsed and answered
 * is that user's. Each has a share of one processor, and may save up some of
 * it. Whoever is over it isn't refused but waits: its input stays in its
 * socket, and its calls begin when its use is paid off. That costs nobody else
 * anything. Root is apart: it waits for nobody, and what it uses isn't counted.
 *
 * The account is one moment: when the use so far will be paid off. Using the
 * processor moves it into the future, by so many times the time used as the
 * share is less than the whole; it is never further in the past than what may
 * be saved up. A user without connections is kept until all of it is saved up
 * again, or hanging up would be a way to forget.
 */
#include "supervisor/control/user.h"

#include <stdlib.h>
#include <time.h>

#include "supervisor/control/client.h"
#include "supervisor/control/control.h"

/* The time that can be saved up, on the loop's clock. */
#define SAVED_NS (CONTROL_USER_BURST_MS * NSEC_PER_MSEC * CONTROL_USER_SHARE)
/* A user who was over its share goes on when this much is paid off: a turn of
 * the loop for each call would cost more than the calls. */
#define SLICE_NS (20 * NSEC_PER_MSEC)
/* A client gives up its call after 10 s (supervisor/cli/conn.h). */
#define FAR_NS (5 * NSEC_PER_SEC)
/* The longest debt: a longer one would slow its user down long afterwards. */
#define DEBT_NS (10 * NSEC_PER_SEC)
/* More users than can have connections. */
#define USERS_MAX (2 * CONTROL_MAX_CLIENTS)

static void forget(struct users *users, struct control_user *user)
{
	TAILQ_REMOVE(&users->list, user, entry);
	users->count--;
	free(user);
}

/* Frees users without connections who have nothing to pay off. If there are too
 * many users, also frees the one who owes the least. */
static void tidy(struct users *users)
{
	struct control_user *user, *next, *least = NULL;
	uint64_t now_ns = loop_now_ns();

	for (user = TAILQ_FIRST(&users->list); user; user = next) {
		next = TAILQ_NEXT(user, entry);
		if (user->clients > 0)
			continue;
		if (user->paid_ns + SAVED_NS <= now_ns)
			forget(users, user);
		else if (!least || user->paid_ns < least->paid_ns)
			least = user;
	}
	if (users->count >= USERS_MAX && least)
		forget(users, least);
}

struct control_user *user_of(struct control *control, uid_t uid)
{
	struct users *users = &control->users;
	struct control_user *user;

	for (user = TAILQ_FIRST(&users->list); user;
	     user = TAILQ_NEXT(user, entry))
		if (user->uid == uid)
			return user;
	tidy(users);
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INSERT_TAIL(&users->list, user, entry);
	users->count++;
	return user;
}

/* ---- the account */

static void wake_at(struct control *control, uint64_t due_ns)
{
	struct timer *timer = &control->users.timer;

	if (!timer->armed || timer->due_ns > due_ns)
		loop_timer_at(control->loop, timer, due_ns);
}

void user_charge(struct control *control, struct control_user *user,
		 uint64_t ns)
{
	uint64_t now_ns = loop_now_ns();

	if (user->uid == 0)
		return;
	if (user->paid_ns + SAVED_NS < now_ns)
		user->paid_ns = now_ns - SAVED_NS;
	user->paid_ns += ns * CONTROL_USER_SHARE;
	if (user->paid_ns > now_ns + DEBT_NS)
		user->paid_ns = now_ns + DEBT_NS;
	if (user->paid_ns <= now_ns)
		return;
	user->over = true;
	wake_at(control, user->paid_ns + SLICE_NS);
}

bool user_is_far_over(const struct control_user *user)
{
	return user->over && user->paid_ns > loop_now_ns() + FAR_NS;
}

/* Queues the clients of a user who is no longer over its share, the one that
 * was silent for the longest time first. Each call moves its client to the end:
 * so no client waits for ever. */
static void wake_clients(struct control *control,
			 const struct control_user *user)
{
	struct control_client *client;

	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age))
		if (client->user == user && client->waits)
			control_queue(control, client);
}

static void look_who_paid(struct timer *timer)
{
	struct control *control = timer->ctx;
	uint64_t now_ns = loop_now_ns();

	for (struct control_user *user = TAILQ_FIRST(&control->users.list);
	     user; user = TAILQ_NEXT(user, entry)) {
		if (!user->over)
			continue;
		if (user->paid_ns + SLICE_NS > now_ns) {
			wake_at(control, user->paid_ns + SLICE_NS);
			continue;
		}
		user->over = false;
		wake_clients(control, user);
	}
}

/* ---- the meter */

static uint64_t processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

void user_meter_start(struct user_meter *meter, struct control *control,
		      struct control_user *user)
{
	struct users *users = &control->users;

	*meter = (struct user_meter){ .control = NULL };
	if (user->uid == 0 || users->metered == user)
		return;
	*meter =
		(struct user_meter){ control, users->metered, users->began_ns };
	users->metered = user;
	users->began_ns = processor_ns();
}

void user_meter_lap(struct control *control)
{
	struct users *users = &control->users;
	uint64_t began_ns = users->began_ns;

	if (!users->metered)
		return;
	users->began_ns = processor_ns();
	user_charge(control, users->metered, users->began_ns - began_ns);
}

void user_meter_stop(const struct user_meter *meter)
{
	if (!meter->control)
		return;
	user_meter_lap(meter->control);
	meter->control->users.metered = meter->outer;
	meter->control->users.began_ns = meter->outer_began_ns;
}

/* ---- begin and end */

void user_init(struct control *control)
{
	TAILQ_INIT(&control->users.list);
	control->users.timer =
		(struct timer){ .fire = look_who_paid, .ctx = control };
}

void user_uninit(struct control *control)
{
	struct control_user *user, *next;

	loop_timer_cancel(control->loop, &control->users.timer);
	for (user = TAILQ_FIRST(&control->users.list); user; user = next) {
		next = TAILQ_NEXT(user, entry);
		free(user);
	}
	TAILQ_INIT(&control->users.list);
	control->users.count = 0;
}
