/* SPDX-License-Identifier: ISC */
/* The lists that filters are made of: each call of a role, with its reason. */
#ifndef VMSUP_SANDBOX_FILTER_RULES_H
#define VMSUP_SANDBOX_FILTER_RULES_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/filter.h"

struct filter_rule {
	int syscall;
	unsigned int pins; /* how many of the comparisons count */
	struct scmp_arg_cmp pin[2];
};

struct filter_rules {
	const char *name; /* of the role */
	uint32_t refused; /* the default action */
	const struct filter_rule *rules;
	size_t count;
};

/* What a role may call. */
const struct filter_rules *filter_rules(enum filter_role role);

#endif
