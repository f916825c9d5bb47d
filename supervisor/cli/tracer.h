/* SPDX-License-Identifier: ISC */
/* The system call filters of a thread, as the kernel gives them back. */
#ifndef VMSUP_SUPERVISOR_CLI_TRACER_H
#define VMSUP_SUPERVISOR_CLI_TRACER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest time for which a thread is stopped. */
#define TRACER_LIMIT_NS 4000000
/* The kernel's bound on the code of all filters of a thread together. */
#define TRACER_CODE    32768
#define TRACER_FILTERS 128

enum tracer_step {
	TRACER_SEIZE, /* become its tracer */
	TRACER_STOP, /* stop it */
	TRACER_READ, /* read its filters */
	TRACER_STEPS
};

/* Memory that the tracer process shares with the one that asks. */
struct tracer {
	enum tracer_step step; /* the step that failed */
	int error;
	uint64_t held_ns; /* for how long the thread was stopped */
	size_t count; /* how many filters; number 0 was loaded first */
	size_t at[TRACER_FILTERS + 1]; /* where each begins in code */
	struct sock_filter code[TRACER_CODE];
};

/* NULL: no memory. */
struct tracer *tracer_new(void);
void tracer_free(struct tracer *tracer);

/* Reads the filters of thread tid into tracer. task_fd: /proc/PID/task of its
 * process. 0 or -errno: -ETIMEDOUT, the thread didn't stop; -ESRCH, it ended.
 * Needs CAP_SYS_ADMIN and CAP_SYS_PTRACE. */
int tracer_read(struct tracer *tracer, int task_fd, pid_t tid);

/* Tries whether filters can be read on this host, with a child that is like a
 * VM process. NULL: they can; else why not, with the remedy. */
const char *tracer_obstacle(struct tracer *tracer);

#endif
