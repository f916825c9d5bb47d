/* SPDX-License-Identifier: ISC */
/* What the files of this folder share, and how a probe tells what came of
 * it. */
#ifndef VMSUP_TESTS_CAGE_PROBE_PROBE_H
#define VMSUP_TESTS_CAGE_PROBE_PROBE_H

#include <sys/socket.h>

#include "ipc/error.h"
#include "tests/cage/standin.h"

/* The name of the error, "OK" for none. */
static inline void tell(const struct standin *s, const char *what, long result)
{
	standin_say(s, "%s %s", what, result < 0 ? error_name(errno) : "OK");
}

#define TRY(s, what, call) tell(s, what, (long)(call))

static inline void tell_number(const struct standin *s, const char *what,
			       long number)
{
	standin_say(s, "%s %ld", what, number);
}

/* The one kind of socket that can be had: half of a local pair. */
static inline int local_socket(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	close(ends[1]);
	return ends[0];
}

/* ---- stages.c */

/* What is tried before stage 2: the names, a line each. */
void stages_print(void);
/* Tries what has that name; nothing, if nothing has. */
void stages_probe(struct standin *s, const char *name);

/* ---- descriptors.c */

/* Before anything is opened or taken: what it was born with. */
void descriptors_count(void);
/* What it has by now, and what that can be used for. */
void descriptors_probe(struct standin *s);

/* ---- calls.c */

struct attack; /* one system call */

/* The VMs' names, each with the call as the supervisor must name it. */
void calls_print(void);
/* NULL if no call has that name. */
const struct attack *calls_find(const char *vm_name);
/* Makes it, and tells so should it ever return. */
void calls_make(const struct standin *s, const struct attack *attack);
/* Makes it after READY, in the process or in a vCPU's thread, and serves. */
_Noreturn void calls_attack(struct standin *s, const struct attack *attack,
			    bool in_vcpu);

/* ---- vcpu.c: one thread, with the vCPUs' filter */

/* Starts it; it waits, with the cage open. */
void vcpu_begin(const struct standin *s, const struct attack *attack);
/* Lets it close its own cage and make the call. */
void vcpu_go(void);

#endif
