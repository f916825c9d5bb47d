/* SPDX-License-Identifier: ISC */
/* The event loop of both programs: epoll and a pairing heap of timers. */
#include "ipc/loop.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "ipc/fd.h"

/* Weak: a test may have a clock of its own. A pointer to it would be one that a
 * hostile VM process could set. */
__attribute__((weak)) uint64_t loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

void loop_take(struct loop *loop, int epoll_fd)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = epoll_fd;
}

int loop_init(struct loop *loop)
{
	loop_take(loop, epoll_create1(EPOLL_CLOEXEC));
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_uninit(struct loop *loop)
{
	fd_close(&loop->epoll_fd);
}

int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events,
	     source_fn *ready, void *ctx)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*source = (struct source){ .fd = fd, .ready = ready, .ctx = ctx };
	return 0;
}

int loop_modify(struct loop *loop, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
		return -errno;
	return 0;
}

void loop_remove(struct loop *loop, struct source *source)
{
	if (!source->ready || source->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = loop->batch_next; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
	source->fd = -1;
	source->ready = NULL;
}

/* ---- the heap of timers (Fredman et al., pairing heaps): the root is the
 * earliest; previous is the parent of a first child, else the left sibling */

static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *later;

	if (!a)
		return b;
	if (!b)
		return a;
	if (b->due_ns < a->due_ns) {
		later = a;
		a = b;
	} else {
		later = b;
	}
	later->previous = a;
	later->sibling = a->child;
	if (a->child)
		a->child->previous = later;
	a->child = later;
	return a;
}

/* Melds a list of siblings into one heap: in pairs, then the pairs. */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *heap = NULL;

	while (first) {
		struct timer *a = first, *b = first->sibling;

		first = b ? b->sibling : NULL;
		a->sibling = a->previous = NULL;
		if (b)
			b->sibling = b->previous = NULL;
		a = meld(a, b);
		a->sibling = pairs;
		pairs = a;
	}
	while (pairs) {
		struct timer *next = pairs->sibling;

		pairs->sibling = NULL;
		heap = meld(heap, pairs);
		pairs = next;
	}
	return heap;
}

void loop_timer_cancel(struct loop *loop, struct timer *timer)
{
	if (!timer->armed)
		return;
	timer->armed = false;
	if (loop->timers == timer) {
		loop->timers = meld_siblings(timer->child);
	} else {
		if (timer->previous->child == timer)
			timer->previous->child = timer->sibling;
		else
			timer->previous->sibling = timer->sibling;
		if (timer->sibling)
			timer->sibling->previous = timer->previous;
		loop->timers = meld(loop->timers, meld_siblings(timer->child));
	}
	timer->child = timer->sibling = timer->previous = NULL;
}

void loop_timer_at(struct loop *loop, struct timer *timer, uint64_t due_ns)
{
	loop_timer_cancel(loop, timer);
	timer->due_ns = due_ns;
	timer->armed = true;
	timer->child = timer->sibling = timer->previous = NULL;
	loop->timers = meld(loop->timers, timer);
}

void loop_timer_in(struct loop *loop, struct timer *timer, uint64_t delay_ms)
{
	loop_timer_at(loop, timer, loop_now_ns() + delay_ms * NSEC_PER_MSEC);
}

/* Fires the timers that are due at this moment. A timer that becomes due while
 * they run waits for the next turn. */
static void fire_due(struct loop *loop)
{
	uint64_t now = loop->timers ? loop_now_ns() : 0;

	while (loop->timers && loop->timers->due_ns <= now && !loop->stopped) {
		struct timer *timer = loop->timers;

		loop_timer_cancel(loop, timer);
		timer->fire(timer);
	}
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
	uint64_t now, left_ms;

	if (!loop->timers)
		return max_wait_ms;
	now = loop_now_ns();
	if (loop->timers->due_ns <= now)
		return 0;
	/* Rounded up: a wake-up before the timer is due would be one too
	 * many. */
	left_ms = (loop->timers->due_ns - now + NSEC_PER_MSEC - 1) /
		  NSEC_PER_MSEC;
	if (max_wait_ms >= 0 && left_ms > (uint64_t)max_wait_ms)
		return max_wait_ms;
	return left_ms > 3600000 ? 3600000 : (int)left_ms;
}

int loop_turn(struct loop *loop, int max_wait_ms)
{
	/* By the bare system call: a C library may use another one in its place
	 * (epoll_pwait), and a VM process may call this one alone. */
	long count = syscall(SYS_epoll_wait, loop->epoll_fd, loop->batch,
			     LOOP_BATCH, wait_ms(loop, max_wait_ms));

	if (count < 0 && errno != EINTR)
		return -errno;
	loop->batch_count = count < 0 ? 0 : (int)count;
	loop->batch_next = 0;
	while (loop->batch_next < loop->batch_count) {
		struct epoll_event *event = &loop->batch[loop->batch_next++];
		struct source *source = event->data.ptr;

		if (source)
			source->ready(source, event->events);
	}
	loop->batch_count = 0;
	fire_due(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int error = 0;

	while (!loop->stopped && !error)
		error = loop_turn(loop, -1);
	return error;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
