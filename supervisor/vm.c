/* SPDX-License-Identifier: ISC */
/* One VM, as the supervisor knows it: made, named, logged, freed. */
#include "supervisor/vm.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/life.h"
#include "supervisor/net/tap.h"
#include "supervisor/net/tap_renew.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/console.h"
#include "supervisor/core.h"
#include "supervisor/counters.h"
#include "supervisor/firsthop.h"

static const char *const state_names[] = {
	[VM_STOPPED] = "stopped",   [VM_STARTING] = "starting",
	[VM_RUNNING] = "running",   [VM_PAUSED] = "paused",
	[VM_BACKOFF] = "backoff",   [VM_FAILED] = "failed",
	[VM_STOPPING] = "stopping",
};
static_assert(ARRAY_SIZE(state_names) == VM_STATES, "a name per state");

const char *vm_state_name(enum vm_state state)
{
	return state_names[state];
}

static void timeout(struct timer *timer)
{
	vm_event(timer->ctx, VM_TIMEOUT);
}

/* False for a kvm guest that was given no network device. */
bool vm_has_network(const struct vm *vm)
{
	return !vm->config.machine || vm->config.machine->queues > 0;
}

void vm_close_tap(struct vm *vm)
{
	fd_close(&vm->tap_fd);
	for (size_t i = 0; i < ARRAY_SIZE(vm->queue_fds); i++)
		fd_close(&vm->queue_fds[i]);
}

static struct net_tap tap_of(const struct vm *vm)
{
	const struct machine_config *machine = vm->config.machine;
	struct net_tap tap = {
		.mtu = vm->supervisor->config->mtu,
		.guest_ipv4 = vm->config.ipv4,
		.queues = machine ? machine->queues : 1,
		.vnet_header = machine != NULL,
	};

	memcpy(tap.name, vm->config.tap, sizeof(tap.name));
	memcpy(tap.guest_mac, vm->config.mac, sizeof(tap.guest_mac));
	if (vm->config.has_ipv6)
		tap.guest_ipv6 = vm->config.ipv6;
	return tap;
}

static int make_tap(struct vm *vm, struct problem *problem)
{
	struct net_tap tap = tap_of(vm);
	int fds[MACHINE_QUEUES];
	int error;

	if (!vm_has_network(vm))
		return 0;
	error = net_tap_create(&vm->supervisor->net, &tap, fds,
			       &vm->tap_ifindex, problem);
	if (error)
		return error;
	vm->tap_mtu = tap.mtu;
	vm->tap_untouched = true;
	vm->tap_fd = fds[0];
	for (uint32_t i = 1; i < tap.queues; i++)
		vm->queue_fds[i - 1] = fds[i];
	return 0;
}

int vm_make_tap(struct vm *vm, struct problem *problem)
{
	int error = make_tap(vm, problem);

	if (!error)
		error = firsthop_guard(vm->supervisor, &vm, 1, problem);
	if (error)
		vm_close_tap(vm);
	return error;
}

int vm_update_tap(struct vm *vm)
{
	const struct net_tap tap = tap_of(vm);

	if (!vm_has_network(vm))
		return 0;
	return net_tap_update(&vm->supervisor->net, &tap, vm->tap_ifindex);
}

struct vm *vm_alloc(struct supervisor *supervisor, struct problem *problem)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		problem_set(problem, -ENOMEM,
			    "cannot make a VM: out of memory");
		return NULL;
	}
	vm->supervisor = supervisor;
	vm->tap_fd = vm->pid_fd = vm->listener_fd = vm->channel.fd = -1;
	vm->uids_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(vm->queue_fds); i++)
		vm->queue_fds[i] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(vm->vhost_fds); i++)
		vm->vhost_fds[i] = -1;
	vm->kvm_fd = -1;
	vm->pid_source.fd = vm->channel_source.fd = vm->listener_source.fd = -1;
	vm->channel.side = CHANNEL_SUPERVISOR;
	vm->timer = (struct timer){ .fire = timeout, .ctx = vm };
	return vm;
}

struct vm *vm_new(struct supervisor *supervisor, const struct vm_config *config,
		  struct problem *problem)
{
	struct vm *vm = vm_alloc(supervisor, problem);

	if (!vm)
		return NULL;
	vm->config = *config;
	if (uids_take(&supervisor->uids, &vm->uid, problem) < 0) {
		free(vm);
		return NULL;
	}
	if (make_tap(vm, problem) < 0) {
		uids_give(&supervisor->uids, vm->uid);
		free(vm);
		return NULL;
	}
	return vm;
}

void vm_free(struct vm *vm)
{
	loop_timer_cancel(&vm->supervisor->loop, &vm->timer);
	loop_timer_cancel(&vm->supervisor->loop, &vm->heartbeat);
	deaths_uninit(&vm->deaths);
	vmlog_uninit(&vm->log);
	vm_close_tap(vm);
	console_uninit(vm);
	counters_uninit(vm);
	free(vm);
}

int vm_read_tap(const struct vm *vm, struct net_counters *now)
{
	return net_tap_counters(&vm->supervisor->net, vm->tap_ifindex, now);
}

void vm_count_by_tap(struct vm *vm, const struct net_counters *now)
{
	const struct net_counters *base = &vm->tap_base;

	vm->stats[STAT_RX_FRAMES] = now->rx_frames - base->rx_frames;
	vm->stats[STAT_RX_BYTES] = now->rx_bytes - base->rx_bytes;
	vm->stats[STAT_TX_FRAMES] = now->tx_frames - base->tx_frames;
	vm->stats[STAT_TX_BYTES] = now->tx_bytes - base->tx_bytes;
	vm->stats[STAT_RX_DROP_QUEUE] = now->rx_dropped - base->rx_dropped;
}

int vm_forward(struct vm *vm)
{
	const struct net_tap tap = tap_of(vm);

	return net_tap_forward(&vm->supervisor->net, &tap, vm->tap_ifindex);
}

/* 0: all of the TAP that is there is as it was made, or -errno. */
static int set_tap_anew(struct vm *vm)
{
	const struct net_tap tap = tap_of(vm);
	int fds[MACHINE_QUEUES] = { vm->tap_fd };
	int error;

	for (uint32_t i = 1; i < tap.queues; i++)
		fds[i] = vm->queue_fds[i - 1];
	error = net_tap_renew(&vm->supervisor->net, &tap, fds, vm->tap_ifindex);
	if (error)
		return error;
	error = vm_forward(vm);
	if (error)
		vm_log(vm, LOG_LEVEL_WARN,
		       "%s: the bridge can't be told its guest's MAC: %s",
		       vm->config.tap, strerror(-error));
	return 0;
}

int vm_renew_tap(struct vm *vm, struct problem *problem)
{
	struct supervisor *supervisor = vm->supervisor;
	const char *why = "deleted from outside";
	int error;

	if (!vm_has_network(vm) ||
	    (vm->tap_untouched && net_tap_alive(vm->tap_fd)) ||
	    set_tap_anew(vm) == 0)
		return 0;
	if (net_tap_is(vm->tap_fd, vm->config.tap, supervisor->network_inode)) {
		why = "changed for good";
		/* it may have been made to outlive its descriptors */
		(void)net_tap_delete(&supervisor->net, vm->tap_ifindex);
	}
	vm_close_tap(vm);
	firsthop_forget(vm);
	error = vm_make_tap(vm, problem);
	if (error)
		return error;
	memset(&vm->tap_base, 0, sizeof(vm->tap_base));
	vm_log(vm, LOG_LEVEL_WARN, "%s was %s: made anew", vm->config.tap, why);
	events_add(&supervisor->events, vm, "tap-recreated", vm->config.tap);
	return 0;
}

void vm_log(struct vm *vm, enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_BYTES];
	const struct vmlog_line *line;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_clean(text);
	log_line(level, "%s: %s", vm->config.name, text);
	line = vmlog_add(&vm->log, level, vm->generation, text);
	if (line)
		events_log(&vm->supervisor->events, vm->config.name, line);
}
