/* SPDX-License-Identifier: ISC */
/*
 * What the files of this folder share: patterns of arguments, the lines of the
 * sweep made of them, and what a line is tried on.
 */
#ifndef VMSUP_TESTS_CAGE_SWEEP_SWEEP_H
#define VMSUP_TESTS_CAGE_SWEEP_SWEEP_H

#include <limits.h>

#include "tests/cage/standin.h"

/* Numbers of system calls that are tried, whether there is such a call or
 * not. */
#define LAST_NUMBER 600
/* What is written, and where, by calls that could make a file grow. */
#define MUCH (1L << 20)
#define FAR  (64L << 20)

/* Stand for several values each, in a pattern. */
enum token {
	TOKEN_FD, /* each descriptor, and none */
	TOKEN_FD_KEPT, /* channel, its other end, uids' file, TAP */
	TOKEN_PID, /* its own, the supervisor's, init, everybody's */
	TOKEN_PATH, /* where something would lie outside its room */
	TOKEN_SIGNAL, /* of the deadly ones and none */
	TOKEN_VALUE, /* of a request: nothing, a little, nonsense, a buffer */
	TOKEN_REQUEST, /* the line's */
	TOKEN_FAMILY, /* of sockets, 0 to 45 */
	TOKEN_NAMESPACE, /* one flag of clone each */
	TOKEN_LIMIT, /* 0 to 15: of resources */
	TOKENS
};
/* Far from whatever an argument may be. */
#define TOKEN(name) (LONG_MIN + TOKEN_##name)

/* One system call's number, and arguments or tokens. */
struct pattern {
	long number; /* ANY_NUMBER: the line's */
	long args[6];
};
#define ANY_NUMBER (-1)

/* What one generation does: a call, with all values of its tokens. */
struct line {
	long number; /* of patterns that are for any */
	const struct pattern *patterns;
	size_t count;
	/* TOKEN_REQUEST, and an argument of it beside the usual ones */
	unsigned long request;
	const void *argument;
	bool many; /* one of very many that are alike */
};

/* ---- calls.c, requests.c: the patterns */

extern const struct pattern calls_any[]; /* for every number */
extern const size_t calls_any_count;
extern const struct pattern calls_own[]; /* for one number each: a line each */
extern const size_t calls_own_count;

/* Calls that do this or that by a number: how many lines, and which is the
 * i-th of them. */
size_t requests_count(void);
void requests_line(struct line *line, size_t i);

/* What some of their arguments point to, set before the first call. */
void calls_prepare(const struct standin *s);

/* ---- values.c: what the tokens stand for */

/* Looks for what there is to be tried on. late: the cage is to be closed. */
void values_prepare(const struct standin *s, bool late);
/* The listener, which it has from stage 2 on. */
void values_listener(int fd);
/* How many calls a line is. */
size_t values_cases(const struct line *line);
/* Makes the i-th of them. */
void values_try(const struct line *line, size_t i);

/* ---- plan.c: which generation does what */

struct plan {
	bool late; /* after READY; else between START and READY */
	bool whole; /* every case; else a sample */
	unsigned int seed; /* of the sample */
};

/* Of a VM's name: "[kvm-]early-SEED[-whole]", or with "late". False: another
 * one. */
bool plan_parse(struct plan *plan, const char *name);
/* How many generations that is; early, one more spoils its TAP. */
size_t plan_length(const struct plan *plan);
/* Does what the index-th of them does. */
void plan_run(const struct plan *plan, size_t index);

/* ---- finale.c: what takes more than a call */

/* Before READY: sets the TAP so that the next generation would have no use of
 * it, and ends. */
_Noreturn void finale_spoil(const struct standin *s);
/* Instead of stage 2: guest kvm's alone, for it takes a thread. */
_Noreturn void finale_steal(struct standin *s);

#endif
