/* SPDX-License-Identifier: ISC */
/* The system call filters of a thread, as the kernel gives them back. */
#ifndef VMSUP_SUPERVISOR_CLI_TRACER_H
#define VMSUP_SUPERVISOR_CLI_TRACER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A thread that was stopped for longer than this isn't any more. */
#define TRACER_LIMIT_NS 4000000
/* The kernel's bound on the code of all filters of a thread together. */
#define TRACER_CODE    32768
#define TRACER_FILTERS 128

enum tracer_step {
	TRACER_SEIZE, /* to become its tracer */
	TRACER_STOP, /* to have it stop */
	TRACER_READ, /* to have its filters */
	TRACER_STEPS
};

/* Shared with the process that reads. */
struct tracer {
	enum tracer_step step; /* that failed */
	int error;
	uint64_t held_ns; /* from the stop of the thread to its going on */
	size_t count; /* of filters; the one that was loaded first is 0 */
	size_t at[TRACER_FILTERS + 1]; /* where in code each begins */
	struct sock_filter code[TRACER_CODE];
};

/* NULL: no memory. */
struct tracer *tracer_new(void);
void tracer_free(struct tracer *tracer);

/* Reads the filters of thread tid of the process whose directory task/ in /proc
 * is task_fd; tracer is shown what came of it. 0 or -errno: -ETIMEDOUT, it
 * didn't stop; -ESRCH, it has ended. Needs CAP_SYS_ADMIN and CAP_SYS_PTRACE. */
int tracer_read(struct tracer *tracer, int task_fd, pid_t tid);

/* Whether filters can be read here at all: tried with a process of its own,
 * which is as a VM's. NULL, or why not, with the remedy. */
const char *tracer_obstacle(struct tracer *tracer);

#endif
