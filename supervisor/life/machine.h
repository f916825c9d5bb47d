/* SPDX-License-Identifier: ISC */
/* Guest kvm from the supervisor's side: the files and devices of a machine. */
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

/* Checks, before the VM is defined, that this host can run the machine: it has
 * /dev/kvm, and KVM takes as many vCPUs and as much memory. 0 or
 * PROBLEM_PERMANENT with problem set. */
int machine_check_host(const struct machine_config *machine,
		       struct problem *problem);

/* Opens what the next generation needs anew: /dev/kvm, /dev/vhost-net, a
 * console. 0 or -errno with problem set; PROBLEM_PERMANENT. */
int machine_prepare(struct vm *vm, struct problem *problem);
/* Sends the process the machine and its descriptors, then closes the devices
 * that machine_prepare() opened. 0 or -errno. */
int machine_introduce(struct vm *vm);

/* Takes the machine's descriptors out of a process that outlived its
 * supervisor, with take(). NULL, or why the process is rejected. */
const char *machine_adopt(struct vm *vm,
			  int (*take)(const struct vm *vm, int number));

#endif
