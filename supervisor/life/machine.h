/* SPDX-License-Identifier: ISC */
/* Guest kvm from the supervisor's side: what its process is made with. */
#ifndef VMSUP_SUPERVISOR_MACHINE_H
#define VMSUP_SUPERVISOR_MACHINE_H

#include "supervisor/vm/vm.h"

/*
 * Gives the machine the descriptors that came beside its description: kernel,
 * initrd if it names one, disks. Takes them out of fds; checks that they are
 * files or block devices, opened as they should be. 0 or -errno with problem
 * set.
 */
int machine_take_files(struct machine_config *machine, int *fds, size_t count,
		       struct problem *problem);

/* Whether this host can run it, before it is defined: /dev/kvm, and as many
 * vCPUs. 0 or PROBLEM_PERMANENT with problem set. */
int machine_check_host(const struct machine_config *machine,
		       struct problem *problem);

/* Opens what the next generation needs anew: /dev/kvm, /dev/vhost-net, a
 * console. 0 or -errno with problem set; PROBLEM_PERMANENT. */
int machine_prepare(struct vm *vm, struct problem *problem);
/* Hands over the machine and its descriptors; closes what machine_prepare()
 * opened for this alone. 0 or -errno. */
int machine_introduce(struct vm *vm);

/* The descriptors that a process kept for the next supervisor: takes them with
 * take(), unless they are there. NULL, or why it isn't what it should be. */
const char *machine_adopt(struct vm *vm,
			  int (*take)(const struct vm *vm, int number));

#endif
