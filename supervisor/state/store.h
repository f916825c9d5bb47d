/* SPDX-License-Identifier: ISC */
/*
 * What a supervisor keeps in its run directory, as it changes, for the one
 * that comes after a crash: a document for the instance, one for each VM.
 */
#ifndef VMSUP_SUPERVISOR_STORE_H
#define VMSUP_SUPERVISOR_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "supervisor/config/config.h"
#include "supervisor/host/rundir.h"
#include "supervisor/lib/problem.h"
#include "supervisor/vm/vm.h"

struct host;

#define STORE_DIRECTORY "state"

/* What was found; { 0 } is nothing. */
struct stored {
	json_t *instance; /* owned; NULL: no supervisor died here */
	json_t **vms; /* owned: state_vm_save() of each, in their order */
	size_t count;
};

/*
 * Reads what a supervisor that died left in the run directory, which is locked
 * by now. What was written before the host was booted counts for nothing. 0
 * with *stored for store_uninit(), or -errno with problem set: it is of a newer
 * version, or can't be read.
 */
int store_read(struct stored *stored, const struct rundir *rundir,
	       struct problem *problem);
void store_uninit(struct stored *stored);

/* True if that supervisor was taking everything down when it died. */
bool store_was_ending(const struct stored *stored);

/* Makes of config, as the user asked for it, one that begins with the stored VMs
 * and has what they have in common, followed by those of the user's VMs that
 * aren't among them. 0 or -errno with problem set. */
int store_merge(const struct stored *stored, struct config *config,
		struct problem *problem);

/* Makes the directory, and writes the instance's document and those of VMs
 * that aren't made yet. 0 or -errno, logged. */
int store_begin(struct host *host);
/* Writes the instance's document; that it is ending is part of it. 0 or -errno:
 * said once, and tried again until it works. */
int store_instance(struct host *host);
/* Writes a VM's document. 0 or -errno, in the same way. */
int store_vm(struct vm *vm);
/* What to do about such an error. */
const char *store_remedy(int error);
/* Writes what an earlier program of this process couldn't. */
void store_resume(struct host *host);
/* Writes the document of a VM of the configuration that isn't made yet. 0 or
 * -errno with problem set, and nothing is written. */
int store_defined(struct host *host, size_t index, struct problem *problem);
/* Removes it again. */
void store_drop(const struct host *host, const char *name);
/* Removes all of it: nothing is left to come back to. */
void store_forget(const struct rundir *rundir);

#endif
