/* SPDX-License-Identifier: ISC */
/* The supervisor's part that VMs use: the event loop, the sandbox, the links,
 * the state store. There is one, the first member of struct supervisor. */
#ifndef VMSUP_SUPERVISOR_HOST_H
#define VMSUP_SUPERVISOR_HOST_H

#include "ipc/loop.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/filter_digest.h"
#include "sandbox/handoff.h"
#include "sandbox/room.h"
#include "supervisor/config/config.h"
#include "supervisor/host/rundir.h"
#include "supervisor/host/uids.h"
#include "supervisor/net/net.h"
#include "supervisor/vm/events.h"
#include "supervisor/vm/firsthop.h"
#include "supervisor/vm/vm.h"

struct host {
	struct loop loop;
	const struct vm_hooks *hooks;
	void *hooks_ctx; /* the hooks' argument: the supervisor */
	struct config *config;

	struct vm **vms; /* owned */
	size_t vm_count;
	struct timer review; /* fires after changes of VMs */
	struct events events;
	bool ending; /* all VMs are being stopped, then the supervisor ends */

	/* the state store: state/store.h */
	struct rundir rundir;
	int store_fd; /* owned; -1: none yet */
	int store_error; /* why state can't be saved now; 0: it can */
	bool unsaved; /* the instance's document must be written again */
	struct timer store_again; /* the next try */
	char boot_id[40];

	/* the sandbox of VM processes, and their program */
	struct room room;
	struct handoff handoff; /* of its channel to each child */
	struct cgroup cgroup;
	struct uids uids;
	int vmproc_fd; /* owned: the program */
	int filter_fd[GUEST_KINDS]; /* owned: stage 2, by kind of guest */
	struct filter_program setup_filter[GUEST_KINDS]; /* stage 1 */
	int vcpu_filter_fd; /* owned: the filter that vCPU threads add */
	char digests[FILTER_ROLES][FILTER_DIGEST_TEXT]; /* of all filters */
	char seal_digest[FILTER_DIGEST_TEXT]; /* see stage2_seal() */
	uint32_t filters; /* how many filters the supervisor itself has */
	char loaded[FILTER_DIGESTS_TEXT]; /* digests of those it loaded */
	int proc_fd; /* owned: /proc, for the proof of each sandbox */

	/* the links */
	uint64_t network_inode; /* of the supervisor's network namespace */
	struct net net;
	struct firsthop firsthop;
	struct timer watch; /* looks whether the guard's table is there */
};

#endif
