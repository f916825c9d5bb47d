/* SPDX-License-Identifier: ISC */
/* Steps of the start that an image which takes over goes through as well. */
#ifndef VMSUP_SUPERVISOR_START_H
#define VMSUP_SUPERVISOR_START_H

#include "supervisor/core.h"

/* A supervisor with nothing but a configuration: no descriptor is one. */
void start_preset(struct supervisor *supervisor, struct config *config);
/* From now on log lines go to the run directory's log, once that is open. */
void start_logging(struct supervisor *supervisor);

/* Each 0 or -errno, logged. */
int start_proc(struct supervisor *supervisor);
int start_filters(struct supervisor *supervisor);
/* How VM processes get their channel; before much else is opened. */
int start_handoff(struct supervisor *supervisor);
/* Gives up what a serving supervisor doesn't need. */
int start_cut(struct supervisor *supervisor);
/* How the control socket is served. */
const struct control_config *
start_control_config(struct supervisor *supervisor);

/* Descriptors that the supervisor holds for each VM (TAP, channel, pidfd, listener; the lock
 * on its uid while it starts), and for itself, its clients and a VM that is
 * being made. */
#define SUPERVISOR_FDS_PER_VM 5
#define SUPERVISOR_FDS        256
/* Besides, for one with guest kvm: kernel, initrd, disks, queues, console. */
#define SUPERVISOR_FDS_PER_MACHINE (3 + MACHINE_DISKS + MACHINE_QUEUES)

struct rundir;
struct stored;

struct supervisor_options {
	const struct rundir *rundir; /* locked; taken over */
	const struct stored *stored; /* what an earlier one left; borrowed */
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
 * the links and the VMs, serves, takes everything down. Errors of the start go
 * to stderr as one line "vmsup: what: why (remedy)". Takes over the
 * descriptors; config grows by the VMs that are defined later. Returns the
 * process's exit status.
 */
int supervisor_main(struct config *config,
		    const struct supervisor_options *options);

#endif
