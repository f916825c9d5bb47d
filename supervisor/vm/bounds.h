/* SPDX-License-Identifier: ISC */
/* What a VM may use up of the host, unless its configuration says otherwise. */
#ifndef VMSUP_SUPERVISOR_BOUNDS_H
#define VMSUP_SUPERVISOR_BOUNDS_H

#include <jansson.h>

#include "sandbox/cgroup.h"
#include "supervisor/config/config.h"
#include "supervisor/vm/death.h"

struct vm;

/* The limits of the VM's cgroup. Those that the configuration names are
 * required; the others hold where the host offers their controllers. */
struct cgroup_limits bounds_of(const struct vm_config *config);

/*
 * Why a process that the kernel killed ended: if its cgroup counts one more
 * kill for memory than it did at the last look, *death says so. Looks again, so
 * that the next death is judged anew. Without a memory controller nothing is
 * known, and *death stays as it is.
 */
void bounds_explain(struct vm *vm, struct death *death);

/* For a process that is there: bounds it, if an earlier supervisor made it and
 * didn't, and notes what its cgroup counts, for bounds_explain(). */
void bounds_watch(struct vm *vm);

/* The bounds of an io.vmsup Cage. */
json_t *bounds_json(const struct vm *vm);

/* 0, or PROBLEM_PERMANENT with problem set: the VM wants a core of its own, and
 * this kernel can't give it one. */
int bounds_check_core(const struct vm_config *config, struct problem *problem);

/* What its process may have beyond what the builtin guest's may; 0 for that.
 * Loops: one, and one for disks. */
unsigned int bounds_threads(const struct vm_config *config);
unsigned int bounds_loops(const struct vm_config *config);
unsigned int bounds_descriptors(const struct vm_config *config);
uint64_t bounds_file_bytes(const struct vm_config *config);

#endif
