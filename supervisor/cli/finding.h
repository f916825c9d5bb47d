/* SPDX-License-Identifier: ISC */
/* What one check of "vmsup check" found on this host. */
#ifndef VMSUP_SUPERVISOR_CLI_FINDING_H
#define VMSUP_SUPERVISOR_CLI_FINDING_H

#include <stdbool.h>

struct finding {
	bool there;
	char text[200]; /* what the thing is for, or the remedy */
};

/* Fills in finding, and returns true: it is there. */
bool finding_there(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Fills in finding, and returns false. */
bool finding_missing(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A check: looks for one thing, and changes nothing on the host. */
typedef bool check_fn(struct finding *finding);

#endif
