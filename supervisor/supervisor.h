/* SPDX-License-Identifier: ISC */
/* The privileged side: one process that makes, starts, watches and ends VMs. */
#ifndef VMSUP_SUPERVISOR_H
#define VMSUP_SUPERVISOR_H

#include <jansson.h>

#include "ipc/loop.h"
#include "supervisor/config/config.h"
#include "supervisor/net/monitor.h"

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

/* What the loop calls; ctx is the supervisor. Looks at all VMs after changes;
 * opens multicast between them. */
timer_fn supervisor_review, supervisor_open_multicast, supervisor_watchdog;
/* Signals; the hang-up of who started this; link news. */
source_fn supervisor_on_signal, supervisor_on_starter_gone,
	supervisor_on_monitor;
net_news_fn supervisor_on_link_news;

#endif
