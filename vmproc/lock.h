/* SPDX-License-Identifier: ISC */
/*
 * Locks between the threads of a VM process, and waiting for a condition under
 * a lock.
 *
 * They are made of futexes alone (wait and wake). A C library's locks need
 * calls that differ between libraries, and the filter pins calls. errno isn't
 * changed.
 */
#ifndef VMSUP_VMPROC_LOCK_H
#define VMSUP_VMPROC_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* All zero: a free lock. */
struct lock {
	_Atomic uint32_t state; /* enum lock_state */
	_Atomic uint32_t wakes; /* calls of lock_wake() so far */
};

/* Takes the lock. The caller mustn't hold it. */
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

/* The caller holds the lock: releases it until another thread calls
 * lock_wake(), then takes it again. It may return early: check the condition,
 * and wait again. */
void lock_wait(struct lock *lock);
/* The caller holds the lock: wakes all threads that wait. */
void lock_wake(struct lock *lock);

#endif
