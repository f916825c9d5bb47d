/* SPDX-License-Identifier: ISC */
/* System call allow-lists by role, made with libseccomp. Supervisor's side. */
#ifndef VMSUP_SANDBOX_FILTER_H
#define VMSUP_SANDBOX_FILTER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/filter_digest.h"
#include "sandbox/stage2.h"

enum filter_role {
	FILTER_SUPERVISOR, /* VM processes inherit it */
	/* a VM process with the builtin or the kvm guest, from stage 1 on */
	FILTER_BUILTIN_SETUP,
	FILTER_KVM_SETUP,
	FILTER_BUILTIN, /* a VM process with the builtin guest, after stage 2 */
	FILTER_KVM, /* the same with the kvm guest, for all its threads */
	FILTER_VCPU, /* what its vCPU threads stack onto FILTER_KVM */
	FILTER_ROLES
};

/* The filter of a role as a sealed memfd of struct sock_filter[], for
 * stage2_close(). The caller's, or -errno with the reason logged. */
int filter_export(enum filter_role role);

/* A filter as code: within, so that a process which has no heap can load it. */
struct filter_program {
	unsigned short length; /* instructions */
	struct sock_filter code[STAGE2_MAX_FILTER];
};

/* Stands in a filter for the pid of the process that the filter will be fitted
 * to. It is greater than any pid. */
#define FILTER_OWN_PID 0x7d3a5c91U

/* The filter of a role as code. 0 or -errno with the reason logged. */
int filter_compile(enum filter_role role, struct filter_program *program);

/* Puts pid where the code has FILTER_OWN_PID. */
void filter_fit(struct filter_program *program, pid_t pid);

/* The digest of a filter that filter_export() made. 0 or -errno. */
int filter_digest(int filter_fd, char text[FILTER_DIGEST_TEXT]);

/* Loads a role's filter into the calling process, for good. A call that it
 * refuses gets ENOSYS. 0 or -errno with the reason logged. */
int filter_load(enum filter_role role);

/* The name of the index-th system call of a role's list; NULL past the end. */
const char *filter_syscall(enum filter_role role, size_t index);

/* Writes the name of system call number into name, "#NUMBER" if unknown. */
void filter_syscall_name(int number, char *name, size_t bytes);

#endif
