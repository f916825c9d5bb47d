/* SPDX-License-Identifier: ISC */
/* What "vmsup check" looks for on this host. */
#ifndef VMSUP_SUPERVISOR_CLI_CHECK_H
#define VMSUP_SUPERVISOR_CLI_CHECK_H

#include <stdbool.h>

struct finding {
	bool there;
	char text[200]; /* what it is for, or the remedy */
};

/* Fills in finding. Returns whether it is there. */
bool check_found(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool check_missing(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Each looks for one thing, and leaves no trace. */
typedef bool check_fn(struct finding *finding);

/* check_kernel.c */
check_fn check_linux, check_syscalls, check_seccomp, check_namespaces;
check_fn check_landlock, check_mdwe, check_passrights, check_cgroup;
check_fn check_adoption;
/* check_cpu.c */
check_fn check_smt, check_mitigations, check_ksm;
/* check_host.c */
check_fn check_root, check_tun, check_bridge, check_descriptors, check_group;
check_fn check_ipv6, check_kvm, check_vmproc;
/* check_guard.c */
check_fn check_guard;

#endif
