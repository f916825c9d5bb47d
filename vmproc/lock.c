/* SPDX-License-Identifier: ISC */
/* Locks and waiting, of futexes (U. Drepper, "Futexes Are Tricky"). */
#include "vmproc/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum lock_state {
	LOCK_FREE,
	LOCK_TAKEN,
	LOCK_AWAITED, /* taken, and somebody may sleep until it is free */
};

/* Sleeps while *word is value; a signal or a wake-up ends the sleep. The call's
 * errors are of no interest: they only mean that it didn't sleep. */
static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	int saved = errno;

	syscall(SYS_futex, word, (long)(FUTEX_WAIT | FUTEX_PRIVATE_FLAG), value,
		NULL);
	errno = saved;
}

static void futex_wake(_Atomic uint32_t *word, int count)
{
	syscall(SYS_futex, word, (long)(FUTEX_WAKE | FUTEX_PRIVATE_FLAG),
		count);
}

void lock_take(struct lock *lock)
{
	uint32_t state = LOCK_FREE;

	if (atomic_compare_exchange_strong(&lock->state, &state, LOCK_TAKEN))
		return;
	/* A thread that has slept can't know whether others sleep. */
	while (atomic_exchange(&lock->state, LOCK_AWAITED) != LOCK_FREE)
		futex_wait(&lock->state, LOCK_AWAITED);
}

void lock_release(struct lock *lock)
{
	if (atomic_exchange(&lock->state, LOCK_FREE) == LOCK_AWAITED)
		futex_wake(&lock->state, 1);
}

void lock_wait(struct lock *lock)
{
	/* A wake-up between release and sleep changes it; the sleep ends at
	 * once. */
	uint32_t wakes = atomic_load(&lock->wakes);

	lock_release(lock);
	futex_wait(&lock->wakes, wakes);
	lock_take(lock);
}

void lock_wake(struct lock *lock)
{
	atomic_fetch_add(&lock->wakes, 1);
	futex_wake(&lock->wakes, INT_MAX);
}
