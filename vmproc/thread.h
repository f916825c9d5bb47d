/* SPDX-License-Identifier: ISC */
/* Threads of a VM process, made by the one clone() that the filter allows. */
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
 * In set-up: makes a thread that calls run(ctx), with the caller's signal mask.
 * thread lasts as long as the process. 0 or -errno.
 *
 * Such a thread may call these of the C library: wrappers of system calls,
 * errno, the printf family into memory, functions of memory and strings. It
 * mustn't use heap, streams, locale or pthread_*(); see thread.c.
 */
int thread_start(struct thread *thread, void (*run)(void *ctx), void *ctx);

/* To be called first in every thread that set-up makes. Sets the thread's name
 * (15 bytes), and applies to it the part of stage 2 that holds for one thread
 * alone (Landlock). 0 or -errno. */
int thread_begin(const char *name);

#endif
