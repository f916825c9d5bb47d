/* SPDX-License-Identifier: ISC */
/* The input of a harness that reads it step by step, and what it checks. */
#ifndef VMSUP_TESTS_FUZZ_INPUT_H
#define VMSUP_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(true_or_abort)                                       \
	do {                                                       \
		if (!(true_or_abort)) {                            \
			fprintf(stderr, "not true: %s, line %d\n", \
				#true_or_abort, __LINE__);         \
			abort();                                   \
		}                                                  \
	} while (0)

/* What is still to be read. */
struct input {
	const uint8_t *at;
	size_t left;
};

#endif
