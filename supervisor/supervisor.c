/* SPDX-License-Identifier: ISC */
/* The supervisor at work: its VMs, and what it hears beside them. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "supervisor/config/config_assign.h"
#include "supervisor/life.h"
#include "supervisor/net/multicast.h"
#include "supervisor/spawn.h"
#include "supervisor/talk.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/adopt.h"
#include "supervisor/core.h"
#include "supervisor/keep.h"
#include "supervisor/supervisor.h"

/* VMs made in one turn of the loop: those made before get their turn. */
#define POPULATE_BATCH 8

struct vm *supervisor_find(const struct supervisor *supervisor,
			   const char *name)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (strcmp(supervisor->vms[i]->config.name, name) == 0)
			return supervisor->vms[i];
	return NULL;
}

/* ---- VMs */

int supervisor_add(struct supervisor *supervisor, struct vm *vm)
{
	struct vm **vms = reallocarray(
		supervisor->vms, supervisor->vm_count + 1, sizeof(struct vm *));

	if (!vms)
		return -ENOMEM;
	supervisor->vms = vms;
	vm->index = supervisor->vm_count;
	vms[supervisor->vm_count++] = vm;
	return 0;
}

/* Makes a VM of config, which isn't guarded and not started yet. */
static int make_vm(struct supervisor *supervisor,
		   const struct vm_config *config, struct problem *problem)
{
	struct vm *vm = vm_new(supervisor, config, problem);

	if (!vm)
		return -EIO;
	if (supervisor_add(supervisor, vm) < 0) {
		uids_give(&supervisor->uids, vm->uid);
		vm_free(vm);
		return problem_set(problem, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Undoes make_vm(). */
static void remove_last(struct supervisor *supervisor)
{
	struct vm *vm = supervisor->vms[--supervisor->vm_count];

	uids_give(&supervisor->uids, vm->uid);
	vm_free(vm);
}

/* Guards the VMs from first on, at once, and starts those that are to. */
static int begin_vms(struct supervisor *supervisor, size_t first,
		     struct problem *problem)
{
	size_t count = supervisor->vm_count - first;
	int error;

	if (!count)
		return 0;
	error = firsthop_guard(supervisor, supervisor->vms + first, count,
			       problem);
	if (error)
		return error;
	for (; first < supervisor->vm_count; first++) {
		struct vm *vm = supervisor->vms[first];

		events_add(&supervisor->events, vm, "defined", NULL);
		if (vm->config.autostart)
			vm_event(vm, VM_START);
		else
			keep_vm(vm);
	}
	return 0;
}

int supervisor_assign(struct supervisor *supervisor, struct problem *problem)
{
	char machine_id[64] = "";
	cleanup_fd int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);

	/* without one, MACs are the same on every such host: the instance and
	 * the VM's name still tell them apart on this one */
	if (fd >= 0 && read(fd, machine_id, sizeof(machine_id) - 1) > 0)
		machine_id[strcspn(machine_id, "\n")] = '\0';
	return config_assign(supervisor->config, machine_id,
			     supervisor->rundir.instance, problem);
}

/* In place of what the defaults allow. */
static int set_allow(struct vm_config *vm, const json_t *names,
		     struct problem *problem)
{
	const json_t *name;
	size_t i;
	int error = 0;

	vm->allow = 0;
	json_array_foreach(names, i, name)
		if (!error)
			error = config_set_allow(vm, json_string_value(name),
						 problem);
	return error;
}

/* Makes the last VM of the configuration, which is kept before: else it would be
 * gone without a word after a crash. */
static int make_defined(struct supervisor *supervisor, struct problem *problem)
{
	size_t index = supervisor->config->vm_count - 1;
	const struct vm_config *vm = &supervisor->config->vms[index];
	int error = keep_defined(supervisor, index, problem);

	if (error)
		return error;
	error = make_vm(supervisor, vm, problem);
	if (!error) {
		error = begin_vms(supervisor, supervisor->vm_count - 1,
				  problem);
		if (error)
			remove_last(supervisor);
	}
	if (error)
		keep_drop(supervisor, vm->name);
	return error;
}

int supervisor_define(struct supervisor *supervisor,
		      const struct definition *definition,
		      struct problem *problem)
{
	struct config *config = supervisor->config;
	struct vm_config *vm;
	int error = 0;

	if (supervisor->ending)
		return problem_set(problem, -ESHUTDOWN,
				   "the supervisor is stopping");
	if (supervisor->populated < config->vm_count)
		return problem_set(problem, -EAGAIN,
				   "the supervisor is still starting its VMs");
	vm = config_add_vm(config, definition->name, problem);
	if (!vm)
		return -EINVAL;
	vm->autostart = true;
	vm->guest = definition->machine ? GUEST_KVM : GUEST_BUILTIN;
	vm->machine = definition->machine;
	if (definition->mac)
		error = config_set_mac(vm, definition->mac, problem);
	if (!error && definition->ipv4)
		error = config_set_ipv4(config, vm, definition->ipv4, problem);
	if (!error && definition->ipv6)
		error = config_set_ipv6(vm, definition->ipv6, problem);
	if (!error && definition->allow)
		error = set_allow(vm, definition->allow, problem);
	if (!error)
		error = supervisor_assign(supervisor, problem);
	if (!error)
		error = make_defined(supervisor, problem);
	if (error)
		config->vm_count--; /* the one just appended */
	else
		supervisor->populated++;
	return error;
}

/* The start is over: from now on nobody waits at the other end of stderr. */
static void settle(struct supervisor *supervisor)
{
	int null_fd;

	supervisor->settled = true;
	(void)notify_send_surely(&supervisor->notify, "READY=1\n");
	if (supervisor->starter_source.fd >= 0) {
		int fd = supervisor->starter_source.fd;

		loop_remove(&supervisor->loop, &supervisor->starter_source);
		close(fd);
	}
	if (supervisor->foreground)
		return;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	fd_close(&null_fd);
}

static size_t count_in(const struct supervisor *supervisor, enum vm_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < supervisor->vm_count; i++)
		count += supervisor->vms[i]->state == state;
	return count;
}

/* One line for "systemctl status", if it changed. */
static void tell_status(struct supervisor *supervisor)
{
	size_t running = count_in(supervisor, VM_RUNNING);
	size_t failed = count_in(supervisor, VM_FAILED);

	if (running == supervisor->told_running &&
	    failed == supervisor->told_failed)
		return;
	supervisor->told_running = running;
	supervisor->told_failed = failed;
	(void)notify_send(&supervisor->notify,
			  "STATUS=%zu of %zu VMs running, %zu failed\n",
			  running, supervisor->vm_count, failed);
}

void supervisor_watchdog(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;

	(void)notify_send(&supervisor->notify, "WATCHDOG=1\n");
	loop_timer_at(&supervisor->loop, timer,
		      loop_now_ns() + supervisor->notify.watchdog_ns / 2);
}

static bool any_is(const struct supervisor *supervisor, enum vm_state state)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (supervisor->vms[i]->state == state)
			return true;
	return false;
}

/* True once every VM has got where its intent leads, or has failed. */
static bool all_settled(const struct supervisor *supervisor)
{
	return supervisor->populated == supervisor->config->vm_count &&
	       !any_is(supervisor, VM_STARTING) &&
	       !any_is(supervisor, VM_BACKOFF) &&
	       !any_is(supervisor, VM_STOPPING);
}

static bool all_gone(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (supervisor->vms[i]->state != VM_STOPPED)
			return false;
	return true;
}

/* Opens multicast between VMs in two steps: see net/multicast.c. */
void supervisor_open_multicast(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	cleanup_free int *ifindexes = NULL;
	int error;

	ifindexes = calloc(supervisor->vm_count + 1, sizeof(*ifindexes));
	for (size_t i = 0; ifindexes && i < supervisor->vm_count; i++)
		ifindexes[i] = supervisor->vms[i]->tap_ifindex;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	error = ifindexes ? net_multicast_open(&supervisor->net, ifindexes,
					       supervisor->vm_count)
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
	    supervisor->populated < supervisor->config->vm_count ||
	    any_is(supervisor, VM_STARTING))
		return;
	supervisor->querying = true;
	if (net_multicast_query(&supervisor->net) < 0)
		log_warn("the bridge can't be a multicast querier: multicast "
			 "goes to every VM");
	loop_timer_in(&supervisor->loop, &supervisor->multicast,
		      NET_MULTICAST_QUERY_MS);
}

void supervisor_review(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;

	if (supervisor->ending) {
		if (all_gone(supervisor))
			loop_stop(&supervisor->loop);
		return;
	}
	query_multicast(supervisor);
	tell_status(supervisor);
	if (!supervisor->settled && all_settled(supervisor))
		settle(supervisor);
}

void supervisor_vm_changed(struct supervisor *supervisor)
{
	/* from the loop, and once for all changes of this turn */
	if (!supervisor->review.armed)
		loop_timer_at(&supervisor->loop, &supervisor->review, 0);
}

int supervisor_leave(struct supervisor *supervisor)
{
	int error = 0;

	/* with what changes all the time */
	for (size_t i = 0; i < supervisor->vm_count && !error; i++)
		error = keep_vm(supervisor->vms[i]);
	if (error)
		return error;
	log_info("ending; %zu VMs are left to the next supervisor",
		 supervisor->vm_count);
	(void)notify_send(&supervisor->notify, "STOPPING=1\n");
	supervisor->leave = true;
	supervisor->exit_status = SUPERVISOR_EXIT_LEFT;
	loop_stop(&supervisor->loop);
	return 0;
}

void supervisor_end(struct supervisor *supervisor, int exit_status)
{
	if (supervisor->ending)
		return;
	supervisor->ending = true;
	supervisor->exit_status = exit_status;
	(void)notify_send(&supervisor->notify, "STOPPING=1\n");
	/* should it be cut off, the next one ends what this one began to */
	keep_instance(supervisor);
	log_info("stopping %zu VMs", supervisor->vm_count);
	loop_timer_cancel(&supervisor->loop, &supervisor->populate);
	for (size_t i = 0; i < supervisor->vm_count; i++)
		vm_event(supervisor->vms[i], VM_STOP);
	supervisor_vm_changed(supervisor);
}

/* Brings those that were there when an earlier supervisor died where they should
 * be, and makes others, a few in all. */
static int populate_some(struct supervisor *supervisor, struct problem *problem)
{
	const struct config *config = supervisor->config;
	size_t first = supervisor->vm_count;
	int error = 0;

	for (int i = 0; i < POPULATE_BATCH && !error; i++) {
		size_t index = supervisor->populated;

		if (index == config->vm_count)
			break;
		if (index >= first)
			error = make_vm(supervisor, &config->vms[index],
					problem);
		else if (adopt_revive(supervisor->vms[index], problem) < 0)
			vm_fail(supervisor->vms[index], problem->text);
		supervisor->populated += !error;
	}
	return error ? error : begin_vms(supervisor, first, problem);
}

/* Makes the next few VMs of the configuration. */
void supervisor_populate(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	struct config *config = supervisor->config;
	struct problem problem;

	if (populate_some(supervisor, &problem) < 0) {
		log_error("%s", problem.text);
		supervisor_end(supervisor, 1);
		return;
	}
	if (supervisor->populated < config->vm_count)
		loop_timer_at(&supervisor->loop, timer, loop_now_ns());
	supervisor_vm_changed(supervisor);
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
		if (supervisor->ending) /* asked again: no more patience */
			for (size_t i = 0; i < supervisor->vm_count; i++)
				vm_signal(supervisor->vms[i], SIGKILL);
		/* a start that was interrupted did not succeed */
		supervisor_end(supervisor, supervisor->settled ? 0 : 1);
	}
}

void supervisor_on_starter_gone(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	int fd = source->fd;

	(void)events;
	loop_remove(&supervisor->loop, source);
	close(fd);
	/* VMs that ran before aren't this start's to end */
	if (supervisor->took_over) {
		log_info("the start was interrupted: going on all the same");
		return;
	}
	log_info("the start was interrupted: undoing it");
	supervisor_end(supervisor, 1);
}

/* A TAP that is given a guest's MAC takes that guest's entry from the bridge,
 * which stays without one when the MAC goes. What can do so is a process whose
 * cage isn't closed. */
static void check_mac(struct vm *thief, const uint8_t mac[6])
{
	const struct supervisor *supervisor = thief->supervisor;

	for (size_t i = 0; i < supervisor->vm_count; i++) {
		struct vm *vm = supervisor->vms[i];

		if (memcmp(vm->config.mac, mac, sizeof(vm->config.mac)) != 0)
			continue;
		vm_log(thief, LOG_LEVEL_ERROR,
		       "its TAP was given the MAC of %s's guest",
		       vm->config.name);
		vm_doom(thief, DEATH_PROTOCOL,
			"its TAP was given the MAC of a guest");
		(void)vm_forward(vm);
	}
}

void supervisor_on_link_news(void *ctx, const struct net_news *news)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->ending)
		return;
	if (news->ifindex == supervisor->net.bridge_ifindex && news->deleted)
		log_error("the bridge %s was deleted from outside: the VMs are "
			  "cut off (vmsup stop, then vmsup start)",
			  supervisor->config->bridge);
	for (size_t i = 0; i < supervisor->vm_count; i++) {
		struct vm *vm = supervisor->vms[i];

		if (vm->tap_ifindex != news->ifindex || news->deleted)
			continue;
		check_mac(vm, news->mac);
		if (vm->tap_mtu == news->mtu)
			continue;
		vm->tap_mtu = news->mtu;
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
		log_warn("link news: %s", strerror(-error));
}
