/* SPDX-License-Identifier: ISC */
/* When a VM that died is started again: now, later, or not at all. */
#include "supervisor/vm/backoff.h"

#include <string.h>

#include "ipc/loop.h"

void backoff_reset(struct backoff *backoff)
{
	memset(backoff, 0, sizeof(*backoff));
}

/* True if this death, just counted, makes one too many within the window. */
static bool crash_loop(const struct backoff *backoff,
		       const struct restart_policy *policy, uint64_t now_ns)
{
	uint32_t limit = policy->crash_deaths;
	uint64_t window_ns = policy->crash_window_ms * NSEC_PER_MSEC;
	uint32_t oldest;

	if (limit == 0 || backoff->deaths < limit)
		return false;
	oldest = (backoff->deaths - limit) % BACKOFF_MAX_DEATHS;
	return now_ns - backoff->death_ns[oldest] < window_ns;
}

static uint32_t delay(uint32_t quick, const struct restart_policy *policy,
		      uint32_t random)
{
	uint64_t delay_ms = policy->delay_min_ms;
	uint64_t spread_ms;

	while (--quick && delay_ms < policy->delay_max_ms)
		delay_ms *= 2;
	if (delay_ms > policy->delay_max_ms)
		delay_ms = policy->delay_max_ms;
	/* anywhere in delay +- jitter, so that VMs that died together don't
	 * come back together */
	spread_ms = delay_ms * policy->jitter_percent / 100;
	return (uint32_t)(delay_ms - spread_ms + random % (2 * spread_ms + 1));
}

struct backoff_verdict backoff_death(struct backoff *backoff,
				     const struct restart_policy *policy,
				     uint64_t now_ns, uint64_t ran_ms,
				     uint32_t random)
{
	struct backoff_verdict verdict = { 0 };

	backoff->death_ns[backoff->deaths++ % BACKOFF_MAX_DEATHS] = now_ns;
	if (ran_ms >= policy->forget_ms)
		backoff->quick = 0;
	verdict.give_up = crash_loop(backoff, policy, now_ns);
	/* for who goes on all the same, as after a reboot, as well */
	if (ran_ms < policy->steady_ms) {
		if (backoff->quick < UINT32_MAX)
			backoff->quick++;
		verdict.delay_ms = delay(backoff->quick, policy, random);
	}
	return verdict;
}
