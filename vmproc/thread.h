/* SPDX-License-Identifier: ISC */
/* Threads of a VM process, made as the list of calls has it. */
#ifndef VMSUP_VMPROC_THREAD_H
#define VMSUP_VMPROC_THREAD_H

#include <stdatomic.h>
#include <sys/types.h>

struct thread {
	void (*run)(void *ctx);
	void *ctx;
	_Atomic pid_t tid; /* before run() begins, and 0 once it has returned */
};

/*
 * In set-up: has run(ctx) done by a thread of its own, with the caller's signal
 * mask. thread lasts as long as the process. 0 or -errno.
 *
 * What such a thread may call of the C library: wrappers of system calls with
 * errno, the printf family into memory, functions of memory and strings. Not:
 * heap, streams, locale, pthread_*(); see thread.c.
 */
int thread_start(struct thread *thread, void (*run)(void *ctx), void *ctx);

/* First thing in every thread that set-up makes: its name (15 bytes), and its
 * share of stage 2 that loading the filter can't do for it (Landlock is a
 * thread's own). 0 or -errno. */
int thread_begin(const char *name);

#endif
