/* SPDX-License-Identifier: ISC */
/* The supervisor at work: its VMs, and what it hears beside them. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/core.h"
#include "supervisor/instance/shutdown.h"
#include "supervisor/life/process.h"
#include "supervisor/net/multicast.h"
#include "supervisor/takeover/upgrade.h"
#include "supervisor/vm/tap.h"
#include "supervisor/vm/vms.h"
#include "supervisor/supervisor.h"

/* The start is over: from now on nobody waits at the other end of stderr. */
static void settle(struct supervisor *supervisor)
{
	int null_fd;

	supervisor->settled = true;
	(void)notify_send_surely(&supervisor->notify, "READY=1\n");
	if (supervisor->starter_source.fd >= 0) {
		int fd = supervisor->starter_source.fd;

		loop_remove(&supervisor->host.loop,
			    &supervisor->starter_source);
		close(fd);
	}
	if (supervisor->foreground)
		return;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	fd_close(&null_fd);
}

/* One line for "systemctl status", if it changed. */
static void tell_status(struct supervisor *supervisor)
{
	size_t running = vms_in(&supervisor->host, VM_RUNNING);
	size_t failed = vms_in(&supervisor->host, VM_FAILED);

	if (running == supervisor->told_running &&
	    failed == supervisor->told_failed)
		return;
	supervisor->told_running = running;
	supervisor->told_failed = failed;
	(void)notify_send(&supervisor->notify,
			  "STATUS=%zu of %zu VMs running, %zu failed\n",
			  running, supervisor->host.vm_count, failed);
}

void supervisor_watchdog(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;

	(void)notify_send(&supervisor->notify, "WATCHDOG=1\n");
	loop_timer_at(&supervisor->host.loop, timer,
		      loop_now_ns() + supervisor->notify.watchdog_ns / 2);
}

/* True once every VM has got where its intent leads, or has failed. */
static bool all_settled(const struct supervisor *supervisor)
{
	return supervisor->populated == supervisor->host.config->vm_count &&
	       vms_in(&supervisor->host, VM_STARTING) == 0 &&
	       vms_in(&supervisor->host, VM_BACKOFF) == 0 &&
	       vms_in(&supervisor->host, VM_STOPPING) == 0;
}

/* Opens multicast between VMs in two steps: see net/multicast.c. */
void supervisor_open_multicast(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	cleanup_free int *ifindexes = NULL;
	int error;

	ifindexes = calloc(supervisor->host.vm_count + 1, sizeof(*ifindexes));
	for (size_t i = 0; ifindexes && i < supervisor->host.vm_count; i++)
		ifindexes[i] = supervisor->host.vms[i]->tap.ifindex;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	error = ifindexes ? net_multicast_open(&supervisor->host.net, ifindexes,
					       supervisor->host.vm_count)
			  : -ENOMEM;
	if (error)
		log_warn("cannot open multicast between VMs: %s (IPv6 between "
			 "them may not work)",
			 strerror(-error));
}

/* The first step, once the configured VMs have come up. */
static void query_multicast(struct supervisor *supervisor)
{
	if (supervisor->querying ||
	    supervisor->populated < supervisor->host.config->vm_count ||
	    vms_in(&supervisor->host, VM_STARTING) > 0)
		return;
	supervisor->querying = true;
	if (net_multicast_query(&supervisor->host.net) < 0)
		log_warn("the bridge can't be a multicast querier: multicast "
			 "goes to every VM");
	loop_timer_in(&supervisor->host.loop, &supervisor->multicast,
		      NET_MULTICAST_QUERY_MS);
}

void supervisor_review(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;

	if (supervisor->host.ending) {
		if (vms_in(&supervisor->host, VM_STOPPED) ==
		    supervisor->host.vm_count)
			loop_stop(&supervisor->host.loop);
		return;
	}
	query_multicast(supervisor);
	tell_status(supervisor);
	if (!supervisor->settled && all_settled(supervisor))
		settle(supervisor);
}

/* ---- what the loop hears beside VMs and clients */

static void upgrade_by_signal(struct supervisor *supervisor)
{
	struct problem problem;

	if (upgrade_begin(supervisor, NULL, &problem) < 0)
		log_error("not upgraded: %s", problem.text);
}

void supervisor_on_signal(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP &&
		    !(supervisor->foreground && isatty(STDIN_FILENO))) {
			upgrade_by_signal(supervisor);
			continue;
		}
		if (supervisor->host.ending) /* asked again: no more patience */
			for (size_t i = 0; i < supervisor->host.vm_count; i++)
				vm_signal(supervisor->host.vms[i], SIGKILL);
		/* a start that was interrupted did not succeed */
		shutdown_begin(supervisor, supervisor->settled ? 0 : 1);
	}
}

void supervisor_on_starter_gone(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	int fd = source->fd;

	(void)events;
	loop_remove(&supervisor->host.loop, source);
	close(fd);
	/* it saw the end of the start before the review did */
	if (all_settled(supervisor)) {
		settle(supervisor);
		return;
	}
	/* VMs that ran before aren't this start's to end */
	if (supervisor->took_over) {
		log_info("the start was interrupted: the VMs that were taken "
			 "over go on");
		return;
	}
	log_info("the start was interrupted: undoing it");
	shutdown_begin(supervisor, 1);
}

/* A TAP that is given a guest's MAC takes that guest's entry from the bridge,
 * which stays without one when the MAC goes. What can do so is a process whose
 * sandbox isn't closed. */
static void check_mac(struct vm *thief, const uint8_t mac[6])
{
	const struct host *host = thief->host;

	for (size_t i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[i];

		if (memcmp(vm->config.mac, mac, sizeof(vm->config.mac)) != 0)
			continue;
		vm_log(thief, LOG_LEVEL_ERROR,
		       "its TAP was given the MAC of %s's guest",
		       vm->config.name);
		vm_kill_for(thief, DEATH_PROTOCOL,
			    "its TAP was given the MAC of a guest");
		(void)vm_forward(vm);
	}
}

void supervisor_on_link_news(void *ctx, const struct net_news *news)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->host.ending)
		return;
	if (news->ifindex == supervisor->host.net.bridge_ifindex &&
	    news->deleted)
		log_error("the bridge %s was deleted from outside: the VMs are "
			  "cut off (vmsup stop, then vmsup start)",
			  supervisor->host.config->bridge);
	for (size_t i = 0; i < supervisor->host.vm_count; i++) {
		struct vm *vm = supervisor->host.vms[i];

		if (vm->tap.ifindex != news->ifindex || news->deleted)
			continue;
		check_mac(vm, news->mac);
		if (vm->tap.mtu == news->mtu)
			continue;
		vm->tap.mtu = news->mtu;
		if (vm->state == VM_RUNNING || vm->state == VM_PAUSED)
			vm_tell_mtu(vm);
	}
}

void supervisor_on_monitor(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	int error = net_monitor_read(&supervisor->monitor);

	(void)events;
	if (error)
		log_warn("cannot read the kernel's messages about links: %s",
			 strerror(-error));
}
