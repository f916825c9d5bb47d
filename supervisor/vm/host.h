/* SPDX-License-Identifier: ISC */
/* What VM processes are made of, on this host, and all that is served for them.
 * One of it, the first part of the supervisor. */
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
	void *hooks_ctx; /* for the hooks: the supervisor */
	struct config *config;

	struct vm **vms; /* owned */
	size_t vm_count;
	struct timer review; /* after changes of VMs */
	struct events events;
	bool ending; /* VMs are being stopped for good */

	/* where their state is kept: state/store.h */
	struct rundir rundir;
	int store_fd; /* owned; -1: none yet */
	int store_error; /* why the state can't be kept now; 0: it is */
	bool unsaved; /* the instance's document is to be written again */
	struct timer store_again;
	char boot_id[40];

	/* the sandbox of VM processes, and their program */
	struct room room;
	struct handoff handoff; /* of its channel to each child */
	struct cgroup cgroup;
	struct uids uids;
	int vmproc_fd; /* owned: the program */
	int filter_fd[GUEST_KINDS]; /* owned: stage 2, by kind of guest */
	struct filter_program setup_filter[GUEST_KINDS]; /* stage 1 */
	int vcpu_filter_fd; /* owned: what vCPU threads stack on that */
	char digests[FILTER_ROLES][FILTER_DIGEST_TEXT]; /* of all these */
	char seal_digest[FILTER_DIGEST_TEXT]; /* see stage2_seal() */
	uint32_t filters; /* system call filters of this process */
	char loaded[FILTER_DIGESTS_TEXT]; /* of them: those it loaded */
	int proc_fd; /* owned: /proc, for the proof of each cage */

	/* the links */
	uint64_t network_inode; /* of the network namespace it lives in */
	struct net net;
	struct firsthop firsthop;
	struct timer watch; /* over the first-hop guard, where it can be taken */
};

#endif
