/* SPDX-License-Identifier: ISC */
/* One line for a person: what went wrong, why, and the remedy. */
#ifndef VMSUP_SUPERVISOR_PROBLEM_H
#define VMSUP_SUPERVISOR_PROBLEM_H

#include <errno.h>

/* No point in trying again: the host or the configuration lacks something. */
#define PROBLEM_PERMANENT (-EOPNOTSUPP)

struct problem {
	char text[320];
};

/* Writes the line into problem (cut off if too long) and returns error, so
 * that "return problem_set(problem, -EEXIST, ...)" reads as one step. */
int problem_set(struct problem *problem, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
