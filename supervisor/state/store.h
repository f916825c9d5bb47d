/* SPDX-License-Identifier: ISC */
/*
 * The state store: documents in the run directory, for the supervisor that
 * comes after a crash. One is the instance's, and each VM has one.
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

/* The documents that were found; { 0 }: none. */
struct stored {
	json_t *instance; /* owned; NULL: no supervisor died here */
	json_t **vms; /* owned: by state_vm_save(), in the VMs' order */
	size_t count;
};

/*
 * Reads the documents that a dead supervisor left in the run directory, which
 * the caller has locked. Documents from before the host's last boot are
 * ignored. 0 with *stored for store_uninit(), or -errno with problem set: the
 * documents are of a newer version, or can't be read.
 */
int store_read(struct stored *stored, const struct rundir *rundir,
	       struct problem *problem);
void store_uninit(struct stored *stored);

/* True if that supervisor was stopping all VMs when it died. */
bool store_was_ending(const struct stored *stored);

/* Merges the user's config with the stored one. The stored VMs come first, and
 * the settings common to all VMs are theirs. The user's VMs with other names
 * follow. 0 or -errno with problem set. */
int store_merge(const struct stored *stored, struct config *config,
		struct problem *problem);

/* Makes the directory, and writes the documents of the instance and of the VMs
 * that aren't made yet. 0 or -errno, logged. */
int store_begin(struct host *host);
/* Writes the instance's document, which also says whether the instance is
 * ending. 0; or -errno, logged once: the store tries again until that works. */
int store_instance(struct host *host);
/* Writes a VM's document. 0 or -errno, as store_instance(). */
int store_vm(struct vm *vm);
/* The remedy for such an error, for people. */
const char *store_remedy(int error);
/* After an upgrade: writes the documents that the old program couldn't. */
void store_resume(struct host *host);
/* Writes the document of a VM of the configuration that isn't made yet. 0 or
 * -errno with problem set, and nothing is written. */
int store_defined(struct host *host, size_t index, struct problem *problem);
/* Removes that document again. */
void store_drop(const struct host *host, const char *name);
/* Removes all documents and the directory: the instance has ended. */
void store_forget(const struct rundir *rundir);

#endif
