/* SPDX-License-Identifier: ISC */
/* How VM processes ended. */
#include "supervisor/vm/death.h"

#include <errno.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/loop.h"
#include "ipc/proto.h"
#include "supervisor/lib/time_format.h"

static const char *const reasons[] = {
	[DEATH_NONE] = "none",
	[DEATH_SIGNAL] = "signal",
	[DEATH_EXIT] = "exit",
	[DEATH_SECCOMP] = "seccomp",
	[DEATH_WATCHDOG] = "watchdog",
	[DEATH_PROTOCOL] = "protocol",
	[DEATH_START_TIMEOUT] = "start-timeout",
	[DEATH_LOST] = "lost",
	[DEATH_POWEROFF] = "poweroff",
	[DEATH_REBOOT] = "reboot",
	[DEATH_PANIC] = "panic",
	[DEATH_CRASH] = "crash",
	[DEATH_OUT_OF_MEMORY] = "out-of-memory",
};
static_assert(ARRAY_SIZE(reasons) == DEATH_REASONS, "a name per reason");

void deaths_uninit(struct deaths *deaths)
{
	free(deaths->ring);
	memset(deaths, 0, sizeof(*deaths));
}

const char *death_reason_name(enum death_reason reason)
{
	return (unsigned int)reason < DEATH_REASONS ? reasons[reason] : "?";
}

/* Most VMs never die: the ring starts empty and doubles. */
static void grow(struct deaths *deaths)
{
	uint32_t capacity = deaths->capacity ? deaths->capacity * 2 : 4;
	struct death *ring;

	if (capacity > DEATHS_KEPT)
		capacity = DEATHS_KEPT;
	ring = realloc(deaths->ring, capacity * sizeof(*ring));
	if (!ring)
		return;
	deaths->ring = ring;
	deaths->capacity = capacity;
}

void deaths_add(struct deaths *deaths, const struct death *death)
{
	/* before the first wrap, entry i is death i: growing moves nothing */
	if (deaths->count >= deaths->capacity && deaths->capacity < DEATHS_KEPT)
		grow(deaths);
	if (deaths->capacity == 0)
		return;
	deaths->ring[deaths->count++ % deaths->capacity] = *death;
}

int deaths_restore(struct deaths *deaths, uint64_t count, uint32_t kept)
{
	deaths_uninit(deaths);
	if (kept == 0)
		return 0;
	deaths->ring = calloc(kept, sizeof(*deaths->ring));
	if (!deaths->ring)
		return -ENOMEM;
	deaths->capacity = kept;
	deaths->count = count - kept;
	return 0;
}

uint32_t deaths_kept(const struct deaths *deaths)
{
	return deaths->count < deaths->capacity ? (uint32_t)deaths->count
						: deaths->capacity;
}

const struct death *deaths_at(const struct deaths *deaths, uint32_t i)
{
	uint64_t at = deaths->count - deaths_kept(deaths) + i;

	return &deaths->ring[at % deaths->capacity];
}

const struct death *deaths_last(const struct deaths *deaths)
{
	if (deaths->count == 0)
		return NULL;
	return &deaths->ring[(deaths->count - 1) % deaths->capacity];
}

/* What an exit status of a VM process means; all others are just that. */
static enum death_reason reason_of(int status)
{
	static const enum death_reason known[] = {
		[VMPROC_EXIT_POWEROFF] = DEATH_POWEROFF,
		[VMPROC_EXIT_REBOOT] = DEATH_REBOOT,
		[VMPROC_EXIT_PANIC] = DEATH_PANIC,
		[VMPROC_EXIT_TRIPLE_FAULT] = DEATH_CRASH,
		[VMPROC_EXIT_MACHINE] = DEATH_CRASH,
	};

	if (status < 0 || (size_t)status >= ARRAY_SIZE(known) ||
	    known[status] == DEATH_NONE)
		return DEATH_EXIT;
	return known[status];
}

void death_explain(struct death *death, const siginfo_t *info)
{
	const char *name;

	if (death->reason != DEATH_NONE)
		return;
	if (info->si_code == CLD_EXITED) {
		death->reason = reason_of(info->si_status);
		name = vmproc_exit_name(info->si_status);
		snprintf(death->detail, sizeof(death->detail), "exit %d%s%s",
			 info->si_status, name ? ": " : "", name ? name : "");
		return;
	}
	death->reason = DEATH_SIGNAL;
	name = sigabbrev_np(info->si_status);
	if (name)
		snprintf(death->detail, sizeof(death->detail), "SIG%s", name);
	else
		snprintf(death->detail, sizeof(death->detail), "signal %d",
			 info->si_status);
}

json_t *death_json(const struct death *death)
{
	char time[32];

	time_format(time, &death->time);
	return json_pack("{s:s, s:s, s:I, s:f, s:s, s:b}", "reason",
			 reasons[death->reason], "detail", death->detail,
			 "generation", (json_int_t)death->generation,
			 "uptime_s",
			 (double)death->uptime_ns / (double)NSEC_PER_SEC,
			 "time", time, "asked", (int)death->asked);
}

json_t *deaths_json(const struct deaths *deaths)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < deaths_kept(deaths); i++)
		json_array_append_new(array, death_json(deaths_at(deaths, i)));
	return array;
}
