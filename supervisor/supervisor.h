/* SPDX-License-Identifier: ISC */
/* The privileged side: one process that makes, starts, watches and ends VMs. */
#ifndef VMSUP_SUPERVISOR_H
#define VMSUP_SUPERVISOR_H

#include "ipc/loop.h"
#include "supervisor/net/monitor.h"

#define SUPERVISOR_DEFAULT_RUN_DIR "/run/vmsup"

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
