/* SPDX-License-Identifier: ISC */
/*
 * Locks between the threads of a VM process, and waiting under them.
 *
 * Of futexes alone, a wait and a wake: what a C library makes its own locks of
 * differs between libraries, and the filter pins it. errno stays as it is.
 */
#ifndef VMSUP_VMPROC_LOCK_H
#define VMSUP_VMPROC_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* All zero: nobody has it. */
struct lock {
	_Atomic uint32_t state; /* enum lock_state */
	_Atomic uint32_t wakes; /* calls of lock_wake() so far */
};

/* Not by a thread that has it. */
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

/* By a thread that has it: gives it up until another thread calls lock_wake(),
 * and takes it again. May return early: look, and wait again. */
void lock_wait(struct lock *lock);
/* By a thread that has it: wakes all who wait. */
void lock_wake(struct lock *lock);

#endif
