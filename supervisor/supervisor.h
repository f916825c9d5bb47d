/* SPDX-License-Identifier: ISC */
/* The privileged side: one process that makes, starts, watches and ends VMs. */
#ifndef VMSUP_SUPERVISOR_H
#define VMSUP_SUPERVISOR_H

#include <stdbool.h>

#include "supervisor/config/config.h"

#define SUPERVISOR_DEFAULT_RUN_DIR "/run/vmsup"

/* Descriptors that it holds for each VM (TAP, channel, pidfd, listener; the lock
 * on its uid while it starts), and for itself, its clients and a VM that is
 * being made. */
#define SUPERVISOR_FDS_PER_VM 5
#define SUPERVISOR_FDS        256
/* Besides, for one with guest kvm: kernel, initrd, disks, queues, console. */
#define SUPERVISOR_FDS_PER_MACHINE (3 + MACHINE_DISKS + MACHINE_QUEUES)

/* Exit status of one that left its VMs to the next: systemd is to start that. */
#define SUPERVISOR_EXIT_LEFT 75

struct rundir;
struct kept;

struct supervisor_options {
	const struct rundir *rundir; /* locked; taken over */
	const struct kept *kept; /* what an earlier one left; borrowed */
	bool finish; /* take all of that down, and end */
	bool foreground; /* log to stderr, end on SIGINT */
	/* One end of a stream socket pair: the command that started this
	 * supervisor, served like a control client. If it hangs up before every
	 * VM is running or failed, the start is undone. -1: none. */
	int starter_fd;
	int vmproc_fd; /* the program of the VM processes (execveat) */
};

/*
 * Is the supervisor until it ends: takes over what an earlier one left, makes
 * the links and the VMs, serves, takes everything down. Errors of the start go to stderr as one
 * line "vmsup: what: why (remedy)". Takes over the descriptors; config grows
 * by the VMs that are defined later. Returns the
 * process's exit status.
 */
int supervisor_main(struct config *config,
		    const struct supervisor_options *options);

#endif
