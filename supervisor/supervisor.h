/* SPDX-License-Identifier: ISC */
/* The privileged side: one process that makes, starts, watches and ends VMs. */
#ifndef VMSUP_SUPERVISOR_H
#define VMSUP_SUPERVISOR_H

#include <jansson.h>

#include "ipc/loop.h"
#include "supervisor/net/monitor.h"
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

struct supervisor;
struct vm;

/* NULL: no VM of that name. */
struct vm *supervisor_find(const struct supervisor *supervisor,
			   const char *name);
/* Adds a VM that was just made, which it owns then. 0 or -ENOMEM. */
int supervisor_add(struct supervisor *supervisor, struct vm *vm);
/* A VM by options, as in the configuration file; NULL: the default. */
struct definition {
	const char *name, *mac, *ipv4, *ipv6;
	const json_t *allow; /* an array of strings, or NULL */
	struct machine_config *machine; /* NULL: guest builtin */
};
/* Defines and starts one, and takes over its machine if that succeeds. 0 or
 * -errno with problem set. */
int supervisor_define(struct supervisor *supervisor,
		      const struct definition *definition,
		      struct problem *problem);
/* A VM's state changed: ends the start or the supervisor if it was the last. */
void supervisor_vm_changed(struct supervisor *supervisor);
/* Ends the supervisor alone: VMs stay, for the next one. 0, or -errno: their
 * state can't be kept, and it goes on. */
int supervisor_leave(struct supervisor *supervisor);
/* Begins to take everything down; returns at once. */
void supervisor_end(struct supervisor *supervisor, int exit_status);
/* Gives what the configuration leaves open: names, addresses, MACs. 0 or
 * -errno with problem set. */
int supervisor_assign(struct supervisor *supervisor, struct problem *problem);
/* What the loop calls; ctx is the supervisor. Makes the next few configured
 * VMs; looks at all after changes; opens multicast between them. */
timer_fn supervisor_populate, supervisor_review, supervisor_open_multicast,
	supervisor_watchdog;
/* Signals; the hang-up of who started this; link news. */
source_fn supervisor_on_signal, supervisor_on_starter_gone,
	supervisor_on_monitor;
net_news_fn supervisor_on_link_news;

#endif
