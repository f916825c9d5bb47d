/* SPDX-License-Identifier: ISC */
/*
 * The first-hop guard of this instance's VMs.
 *
 * Theory of operation: the rules are in the kernel, so they hold whoever runs:
 * a supervisor, none, or the next one, which finds the instance's table by its
 * name. They are made over one socket that is opened before the supervisor cuts
 * its rights, and handed on in upgrades; an upgrade from a program that had
 * none can't open one, and goes on without. Counters are read when somebody
 * asks or a process ends: a VM's are the sum of what each reading found more
 * than the last, so that a table made anew takes nothing away.
 */
#include "supervisor/vm/firsthop.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/config/config_settings.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/tap.h"

static const enum guard_reason reason_of[] = {
	[ALLOW_RA] = GUARD_RA,
	[ALLOW_REDIRECT] = GUARD_REDIRECT,
	[ALLOW_MLD_QUERY] = GUARD_MLD_QUERY,
	[ALLOW_DHCP_SERVER] = GUARD_DHCP_SERVER,
};
static_assert(ARRAY_SIZE(reason_of) == ALLOWS, "a reason for each");

static const char no_socket[] =
	"this supervisor comes, by upgrade, from a vmsup that had none (vmsup "
	"detach && vmsup start puts it in force, and touches no VM)";

/* ---- what the kernel is told of a VM */

static struct guard_port port_of(const struct vm *vm)
{
	struct guard_port port = {
		.ifindex = vm->tap.ifindex,
		.group_rate = vm->config.broadcast_rate,
	};

	memcpy(port.tap, vm->config.tap, sizeof(port.tap));
	memcpy(port.mac, vm->config.mac, sizeof(port.mac));
	for (int i = 0; i < ALLOWS; i++)
		if (vm->config.allow & 1U << i)
			port.allow |= 1U << reason_of[i];
	return port;
}

/* ---- the beginning and the end */

static bool is_off(const struct host *host)
{
	return host->firsthop.why_off[0];
}

/* 0, or -errno with problem set if it is required. */
static int do_without(struct host *host, struct problem *problem)
{
	const char *why = host->firsthop.why_off;

	if (host->config->guard == GUARD_POLICY_REQUIRED)
		return problem_set(problem, -EOPNOTSUPP,
				   "the first-hop guard is required, and can't "
				   "be in force: %s",
				   why);
	/* an error, for whoever starts this reads it */
	log_error("VMs run without a first-hop guard, and may send each other "
		  "router advertisements, DHCP answers, MLD queries and "
		  "redirects: %s",
		  why);
	return 0;
}

static void explain(struct host *host, int error)
{
	bool lacks = error != -EPERM && error != -ENOMEM;

	snprintf(host->firsthop.why_off, sizeof(host->firsthop.why_off),
		 "%s (%s)", strerror(-error),
		 error == -EPERM ? "run as root, or give vmsup CAP_NET_ADMIN"
		 : lacks         ? "it takes nf_tables with netdev chains: "
				   "modprobe nf_tables"
				 : "the kernel is out of memory");
}

/* The TAPs that are guarded: the caller's array, NULL without memory. */
static struct guard_port *guarded_ports(const struct host *host, size_t *count)
{
	struct guard_port *ports = calloc(host->vm_count + 1, sizeof(*ports));

	*count = 0;
	for (size_t i = 0; ports && i < host->vm_count; i++)
		if (host->vms[i]->tap.guarded)
			ports[(*count)++] = port_of(host->vms[i]);
	return ports;
}

/* Those that are taken over are to be. */
static void guard_the_kept(struct host *host)
{
	for (size_t i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[i];

		vm->tap.guarded = vm->process.adopting &&
				  config_has_network(&vm->config);
	}
}

static int put_in_force(struct host *host)
{
	struct guard *guard = &host->firsthop.guard;
	cleanup_free struct guard_port *ports = NULL;
	size_t count;
	int error = guard_open(guard, host->net.alias);

	if (error)
		return error;
	/* while there was no supervisor */
	firsthop_count_all(host);
	guard_the_kept(host);
	ports = guarded_ports(host, &count);
	if (!ports)
		error = -ENOMEM;
	if (!error && count == 0) /* counters of nobody as well */
		error = guard_end(guard);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	if (!error)
		error = guard_begin(guard, ports, count);
	if (error)
		guard_close(guard);
	return error;
}

static void forget_the_dead(struct host *host)
{
	for (size_t i = 0; i < host->vm_count; i++)
		if (!host->vms[i]->tap.guarded)
			firsthop_forget(host->vms[i]);
}

/* By the configuration: what an earlier supervisor had in force goes. */
static void turn_off(struct host *host)
{
	struct firsthop *firsthop = &host->firsthop;

	snprintf(firsthop->why_off, sizeof(firsthop->why_off),
		 "the configuration turns it off");
	for (size_t i = 0; i < host->vm_count; i++)
		host->vms[i]->tap.guarded = false;
	if (guard_open(&firsthop->guard, host->net.alias) == 0)
		(void)guard_end(&firsthop->guard);
	guard_close(&firsthop->guard);
}

int firsthop_begin(struct host *host, struct problem *problem)
{
	int error;

	if (host->config->guard == GUARD_POLICY_OFF) {
		turn_off(host);
		return 0;
	}
	error = put_in_force(host);
	if (error) {
		explain(host, error);
		return do_without(host, problem);
	}
	host->firsthop.why_off[0] = '\0';
	forget_the_dead(host);
	if (!host->firsthop.guard.limits)
		log_warn("broadcast and multicast frames aren't limited: this "
			 "kernel has no nft_limit (modprobe nft_limit)");
	return 0;
}

int firsthop_go_on(struct host *host, int fd)
{
	struct firsthop *firsthop = &host->firsthop;

	if (fd >= 0)
		return guard_attach(&firsthop->guard, host->net.alias, fd);
	if (!is_off(host)) {
		snprintf(firsthop->why_off, sizeof(firsthop->why_off), "%s",
			 no_socket);
		log_warn("VMs run without a first-hop guard: %s", no_socket);
	}
	return 0;
}

int firsthop_fd(const struct host *host)
{
	return guard_fd(&host->firsthop.guard);
}

void firsthop_end(struct host *host, bool leave)
{
	struct guard *guard = &host->firsthop.guard;

	if (guard->sock && !leave)
		(void)guard_end(guard);
	guard_close(guard);
}

/* ---- VMs */

/* The TAPs of those VMs that have one. */
static size_t ports_of(struct vm *const *vms, size_t count,
		       struct guard_port *ports)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (config_has_network(&vms[i]->config))
			ports[used++] = port_of(vms[i]);
	return used;
}

int firsthop_guard(struct host *host, struct vm *const *vms, size_t count,
		   struct problem *problem)
{
	struct guard *guard = &host->firsthop.guard;
	cleanup_free struct guard_port *ports = NULL;
	int error;

	if (!guard->sock)
		return 0;
	ports = calloc(count + 1, sizeof(*ports));
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	error = ports ? guard_add(guard, ports, ports_of(vms, count, ports))
		      : -ENOMEM;
	for (size_t i = 0; i < count; i++)
		vms[i]->tap.guarded = !error &&
				      config_has_network(&vms[i]->config);
	if (!error)
		return 0;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	if (host->config->guard == GUARD_POLICY_REQUIRED)
		return problem_set(problem, error,
				   "the first-hop guard is required, and can't "
				   "be put on %s: %s",
				   vms[0]->config.tap, strerror(-error));
	log_warn("%zu VM%s from %s on without a first-hop guard: %s", count,
		 count == 1 ? "" : "s", vms[0]->config.name, strerror(-error));
	return 0;
}

/* ---- a table that is everybody's */

/* A firewall that is loaded anew deletes it: for so long at most. */
#define WATCH_MS 1000

static void put_back(struct host *host)
{
	struct guard *guard = &host->firsthop.guard;
	cleanup_free struct guard_port *ports = NULL;
	size_t count;
	int error;

	ports = guarded_ports(host, &count);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	error = ports ? guard_begin(guard, ports, count) : -ENOMEM;
	if (error)
		log_error("the first-hop guard was taken away from outside, "
			  "and can't be put back: %s",
			  strerror(-error));
	else
		log_warn("the first-hop guard was taken away from outside: put "
			 "back (a firewall that flushes all rules?)");
}

void firsthop_watch(struct timer *timer)
{
	struct host *host = timer->ctx;

	if (host->ending)
		return;
	if (!guard_there(&host->firsthop.guard))
		put_back(host);
	loop_timer_in(&host->loop, timer, WATCH_MS);
}

void firsthop_watch_start(struct host *host)
{
	const struct guard *guard = &host->firsthop.guard;

	host->watch = (struct timer){ .fire = firsthop_watch, .ctx = host };
	if (guard->sock && !guard_is_owned(guard))
		loop_timer_in(&host->loop, &host->watch, WATCH_MS);
}

/* ---- counters */

static void add_counts(struct vm *vm, const uint64_t now[GUARD_REASONS])
{
	for (int i = 0; i < GUARD_REASONS; i++) {
		uint64_t *seen = &vm->tap.guard_seen[i];

		/* fewer: counted from 0 anew */
		vm->stats[VM_STAT_GUARD_FIRST + i] +=
			now[i] >= *seen ? now[i] - *seen : now[i];
		*seen = now[i];
	}
}

void firsthop_count(struct vm *vm)
{
	const struct guard *guard = &vm->host->firsthop.guard;
	uint64_t now[GUARD_REASONS];

	if (vm->tap.guarded && guard->sock &&
	    guard_count(guard, vm->tap.ifindex, now) == 0)
		add_counts(vm, now);
}

struct counts {
	const struct host *host;
	uint64_t (*now)[GUARD_REASONS]; /* by index of the VM */
	size_t last; /* whose was taken last: the next is often the same */
};

static void take_counts(void *ctx, int ifindex, enum guard_reason reason,
			uint64_t frames)
{
	struct counts *counts = ctx;
	size_t vm_count = counts->host->vm_count;

	for (size_t i = 0; i < vm_count; i++) {
		size_t index = (counts->last + i) % vm_count;

		if (counts->host->vms[index]->tap.ifindex != ifindex)
			continue;
		counts->now[index][reason] = frames;
		counts->last = index;
		return;
	}
}

void firsthop_count_all(struct host *host)
{
	const struct guard *guard = &host->firsthop.guard;
	struct counts counts = { .host = host };

	if (!guard->sock)
		return;
	counts.now = calloc(host->vm_count + 1, sizeof(*counts.now));
	if (counts.now && guard_count_all(guard, take_counts, &counts) == 0)
		for (size_t i = 0; i < host->vm_count; i++)
			if (host->vms[i]->tap.guarded)
				add_counts(host->vms[i], counts.now[i]);
	free(counts.now);
}

void firsthop_forget(struct vm *vm)
{
	struct guard_port port = port_of(vm);

	firsthop_count(vm);
	if (vm->host->firsthop.guard.sock && vm->tap.ifindex > 0)
		guard_forget(&vm->host->firsthop.guard, &port);
	vm->tap.guarded = false;
	memset(vm->tap.guard_seen, 0, sizeof(vm->tap.guard_seen));
}

json_t *firsthop_allow_json(const struct vm *vm)
{
	json_t *allow = json_array();

	for (unsigned int i = 0; i < ALLOWS; i++)
		if (vm->config.allow & 1U << i)
			json_array_append_new(
				allow, json_string(config_allow_names[i]));
	return allow;
}

void firsthop_add_counters(struct vm *vm, json_t *counters)
{
	firsthop_count(vm);
	for (unsigned int i = 0; vm->tap.guarded && i < GUARD_REASONS; i++) {
		uint64_t value = vm->stats[VM_STAT_GUARD_FIRST + i];
		char name[32];

		snprintf(name, sizeof(name), "guard.%s",
			 guard_reason_name((enum guard_reason)i));
		json_object_set_new(counters, name,
				    json_integer((json_int_t)value));
	}
}

/* ---- over an upgrade */

static const struct field firsthop_fields_table[] = {
	{ FIELD_TEXT_AS("firsthop.why_off", struct firsthop, why_off) },
	{ FIELD_NUMBER_AS("firsthop.guard.flags", struct firsthop, guard.flags,
			  0, UINT32_MAX) },
	{ FIELD_BOOL_AS("firsthop.guard.limits", struct firsthop,
			guard.limits) },
};
const struct field_group firsthop_fields =
	FIELD_GROUP_OF(firsthop_fields_table);
