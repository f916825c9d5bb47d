/* SPDX-License-Identifier: ISC */
/* The lists that filters are made of: each call of a role, with its reason. */
#ifndef VMSUP_SANDBOX_FILTER_RULES_H
#define VMSUP_SANDBOX_FILTER_RULES_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/filter.h"

#define FILTER_PINS  3
#define FILTER_LISTS 3

struct filter_rule {
	int syscall;
	unsigned int pins; /* comparisons that are used */
	struct scmp_arg_cmp pin[FILTER_PINS];
	/* Argument 0 must also be the process's own pid, in filters that are
	 * fitted to a process. */
	bool own_pid;
};

/* Calls that belong together. */
struct filter_list {
	const struct filter_rule *rules;
	size_t count;
};

/* A role, and the calls that it may make: those of all its lists. */
struct filter_rules {
	const char *name; /* of the role */
	uint32_t refused; /* the default action */
	bool fitted; /* to a process, by filter_fit() */
	struct filter_list lists[FILTER_LISTS];
};

const struct filter_rules *filter_rules(enum filter_role role);

#endif
