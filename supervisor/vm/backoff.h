/* SPDX-License-Identifier: ISC */
/* When a VM that died is started again: now, later, or not at all. */
#ifndef VMSUP_SUPERVISOR_BACKOFF_H
#define VMSUP_SUPERVISOR_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/config/config.h"

#define BACKOFF_MAX_DEATHS 100

struct backoff {
	uint32_t quick; /* deaths that were not preceded by a steady run */
	uint64_t death_ns[BACKOFF_MAX_DEATHS]; /* ring: when */
	uint32_t deaths; /* counted, modulo the ring */
};

struct backoff_verdict {
	bool give_up; /* a crash loop: FAILED */
	uint32_t delay_ms; /* else: 0 means now */
};

/*
 * Judges a death at now_ns (CLOCK_MONOTONIC) of a VM that had been RUNNING for
 * ran_ms. random is any 32 bits; it makes the jitter.
 */
struct backoff_verdict backoff_death(struct backoff *backoff,
				     const struct restart_policy *policy,
				     uint64_t now_ns, uint64_t ran_ms,
				     uint32_t random);

/* Forgets all deaths. */
void backoff_reset(struct backoff *backoff);

#endif
