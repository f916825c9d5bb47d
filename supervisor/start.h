/* SPDX-License-Identifier: ISC */
/* The start of a supervisor, and the steps that it shares with a new image in
 * an upgrade. */
#ifndef VMSUP_SUPERVISOR_START_H
#define VMSUP_SUPERVISOR_START_H

#include "supervisor/core.h"

/* Initialises a supervisor that has only its configuration; all descriptors are
 * -1. */
void start_preset(struct supervisor *supervisor, struct config *config);
/* Makes log lines go to the run directory's log, once the log is open. */
void start_logging(struct supervisor *supervisor);

/* The event loop, and signals in it. 0 or -errno. */
int start_loop(struct supervisor *supervisor);
/* Each 0 or -errno, logged. */
int start_proc(struct supervisor *supervisor);
int start_filters(struct supervisor *supervisor);
/* Makes the handoff, by which VM processes get their channels. To be called
 * before other descriptors are opened. */
int start_handoff(struct supervisor *supervisor);
/* Drops the capabilities that a serving supervisor doesn't need, and loads its
 * filter. */
int start_cut(struct supervisor *supervisor);
/* The configuration of the control socket. */
const struct control_config *
start_control_config(struct supervisor *supervisor);

/* Descriptors that the supervisor holds for each VM (TAP, channel, pidfd,
 * listener; the lock on its uid while it starts), and those for itself, its
 * clients and a VM that is being made. */
#define SUPERVISOR_FDS_PER_VM 5
#define SUPERVISOR_FDS        256
/* Further ones for a VM with guest kvm: kernel, initrd, disks, queues,
 * console. */
#define SUPERVISOR_FDS_PER_MACHINE (3 + MACHINE_DISKS + MACHINE_QUEUES)

struct rundir;
struct stored;

struct supervisor_options {
	const struct rundir *rundir; /* locked; the supervisor owns it then */
	const struct stored *stored; /* an earlier supervisor's; borrowed */
	bool finish; /* stop the VMs of stored, and end */
	bool foreground; /* log to stderr, end on SIGINT */
	/* One end of a stream socket pair: the command that started this
	 * supervisor, served like a control client. If it hangs up before every
	 * VM is running or failed, the start is undone. -1: none. */
	int starter_fd;
	int vmproc_fd; /* the program of the VM processes (execveat) */
};

/*
 * Runs the supervisor until it ends: adopts what an earlier one left, makes the
 * links and the VMs, serves, takes everything down. Errors of the start go to
 * stderr as one line "vmsup: what: why (remedy)". The supervisor owns the
 * descriptors from now on; config grows by the VMs that are defined later.
 * Returns the process's exit status.
 */
int supervisor_main(struct config *config,
		    const struct supervisor_options *options);

#endif
