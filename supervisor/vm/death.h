/* SPDX-License-Identifier: ISC */
/* How VM processes ended: the record of each death, the last hundred per VM. */
#ifndef VMSUP_SUPERVISOR_DEATH_H
#define VMSUP_SUPERVISOR_DEATH_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define DEATHS_KEPT 100

enum death_reason {
	DEATH_NONE, /* no reason known before the process ended */
	DEATH_SIGNAL,
	DEATH_EXIT,
	DEATH_SECCOMP,
	DEATH_WATCHDOG,
	DEATH_PROTOCOL,
	DEATH_START_TIMEOUT,
	DEATH_LOST, /* the process ended, its exit status is lost */
	DEATH_POWEROFF, /* the guest powered off */
	DEATH_REBOOT,
	DEATH_PANIC, /* the guest's kernel reported a panic */
	DEATH_CRASH, /* triple fault; KVM gave up */
	DEATH_OUT_OF_MEMORY, /* the OOM killer killed the process */
	DEATH_REASONS
};

struct death {
	enum death_reason reason;
	bool asked; /* by stop or restart */
	char detail[80]; /* "SIGKILL", "SIGSYS openat", "exit 78: ..." */
	uint64_t generation;
	uint64_t uptime_ns; /* since the process was made */
	struct timespec time; /* CLOCK_REALTIME */
};

/* A VM's last deaths: a ring that grows up to DEATHS_KEPT. */
struct deaths {
	struct death *ring; /* owned; capacity entries */
	uint32_t capacity;
	uint64_t count; /* ever recorded */
};

/* "signal" and so on. */
const char *death_reason_name(enum death_reason reason);

void deaths_uninit(struct deaths *deaths);
/* Without memory for one more, the last one is overwritten. */
void deaths_add(struct deaths *deaths, const struct death *death);
/* How many deaths the ring holds, and the i-th of them, oldest first. */
uint32_t deaths_kept(const struct deaths *deaths);
const struct death *deaths_at(const struct deaths *deaths, uint32_t i);
/* Empties the record, for the last kept of count deaths to be added once more,
 * oldest first. kept is count, or DEATHS_KEPT of more. 0 or -ENOMEM. */
int deaths_restore(struct deaths *deaths, uint64_t count, uint32_t kept);
/* NULL if there was none. */
const struct death *deaths_last(const struct deaths *deaths);

/* Sets reason and detail from what waitid(2) returned, unless the reason is
 * known already. */
void death_explain(struct death *death, const siginfo_t *info);

/* An io.vmsup Exit. */
json_t *death_json(const struct death *death);
/* All deaths of the ring, oldest first. */
json_t *deaths_json(const struct deaths *deaths);

#endif
