/* SPDX-License-Identifier: ISC */
/* The limits on what a VM uses of the host: its cgroup's and its process's. */
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
 * Sets *death to DEATH_OUT_OF_MEMORY if the VM's cgroup counts more kills of
 * the OOM killer than when it was last read. Without a memory controller *death
 * stays as it is.
 */
void bounds_explain(struct vm *vm, struct death *death);

/* Sets the limits of a process that an earlier supervisor made without them,
 * and reads its cgroup's count of kills, for bounds_explain(). */
void bounds_watch(struct vm *vm);

/* The bounds of an io.vmsup Cage. */
json_t *bounds_json(const struct vm *vm);

/* 0, or PROBLEM_PERMANENT with problem set: the VM wants a core of its own, and
 * this kernel can't give it one. */
int bounds_check_core(const struct vm_config *config, struct problem *problem);

/* What a machine's process may have beyond what a builtin guest's process may
 * have; 0 for a builtin guest. Loops: its main loop, and one for disks. */
unsigned int bounds_threads(const struct vm_config *config);
unsigned int bounds_loops(const struct vm_config *config);
unsigned int bounds_descriptors(const struct vm_config *config);
uint64_t bounds_file_bytes(const struct vm_config *config);

#endif
