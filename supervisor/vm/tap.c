/* SPDX-License-Identifier: ISC */
/* A VM's TAP: made, guarded, counted, reset for the next process. */
#include "supervisor/vm/tap.h"

#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/tap.h"
#include "supervisor/net/tap_place.h"
#include "supervisor/net/tap_renew.h"
#include "supervisor/vm/host.h"

void vm_close_tap(struct vm *vm)
{
	fd_close(&vm->tap.fd);
	for (size_t i = 0; i < ARRAY_SIZE(vm->tap.queue_fds); i++)
		fd_close(&vm->tap.queue_fds[i]);
}

static struct net_tap tap_of(const struct vm *vm)
{
	const struct machine_config *machine = vm->config.machine;
	struct net_tap tap = {
		.mtu = vm->host->config->mtu,
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

int vm_open_tap(struct vm *vm, struct problem *problem)
{
	struct net_tap tap = tap_of(vm);
	int fds[MACHINE_QUEUES];
	int error;

	if (!config_has_network(&vm->config))
		return 0;
	error = net_tap_create(&vm->host->net, &tap, fds, &vm->tap.ifindex,
			       problem);
	if (error)
		return error;
	vm->tap.mtu = tap.mtu;
	vm->tap.untouched = true;
	vm->tap.introduced = false;
	vm->tap.fd = fds[0];
	for (uint32_t i = 1; i < tap.queues; i++)
		vm->tap.queue_fds[i - 1] = fds[i];
	return 0;
}

int vm_make_tap(struct vm *vm, struct problem *problem)
{
	int error = vm_open_tap(vm, problem);

	if (!error)
		error = firsthop_guard(vm->host, &vm, 1, problem);
	if (error)
		vm_close_tap(vm);
	return error;
}

int vm_update_tap(struct vm *vm)
{
	const struct net_tap tap = tap_of(vm);

	if (!config_has_network(&vm->config))
		return 0;
	vm->tap.introduced = true;
	return net_tap_update(&vm->host->net, &tap, vm->tap.ifindex);
}

int vm_read_tap(const struct vm *vm, struct net_counters *now)
{
	return net_tap_counters(&vm->host->net, vm->tap.ifindex, now);
}

void vm_count_by_tap(struct vm *vm, const struct net_counters *now)
{
	const struct net_counters *base = &vm->tap.base;

	vm->stats[STAT_RX_FRAMES] = now->rx_frames - base->rx_frames;
	vm->stats[STAT_RX_BYTES] = now->rx_bytes - base->rx_bytes;
	vm->stats[STAT_TX_FRAMES] = now->tx_frames - base->tx_frames;
	vm->stats[STAT_TX_BYTES] = now->tx_bytes - base->tx_bytes;
	vm->stats[STAT_RX_DROP_QUEUE] = now->rx_dropped - base->rx_dropped;
}

int vm_forward(struct vm *vm)
{
	const struct net_tap tap = tap_of(vm);

	if (!vm->tap.introduced)
		return 0;
	return net_tap_forward(&vm->host->net, &tap, vm->tap.ifindex);
}

void vm_withdraw(struct vm *vm)
{
	if (vm->tap.introduced) {
		const struct net_tap tap = tap_of(vm);

		net_tap_withdraw(&vm->host->net, &tap, vm->tap.ifindex);
	}
	vm->tap.introduced = false;
}

void vm_resume_tap(struct vm *vm)
{
	vm->tap.introduced = config_has_network(&vm->config);
	if (vm->state == VM_STOPPED || vm->state == VM_FAILED)
		vm_withdraw(vm);
}

static int introduce(struct vm *vm, struct problem *problem)
{
	const struct net_tap tap = tap_of(vm);
	int error;

	if (vm->tap.introduced)
		return 0;
	error = net_tap_introduce(&vm->host->net, &tap, vm->tap.ifindex,
				  problem);
	vm->tap.introduced = !error;
	return error == -EADDRINUSE ? PROBLEM_PERMANENT : error;
}

/* 0: all of the TAP that is there is as it was made, or -errno. */
static int set_tap_anew(struct vm *vm)
{
	const struct net_tap tap = tap_of(vm);
	int fds[MACHINE_QUEUES] = { vm->tap.fd };
	int error;

	for (uint32_t i = 1; i < tap.queues; i++)
		fds[i] = vm->tap.queue_fds[i - 1];
	error = net_tap_renew(&vm->host->net, &tap, fds, vm->tap.ifindex);
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
	struct host *host = vm->host;
	const char *why = "deleted from outside";
	int error;

	if (!config_has_network(&vm->config))
		return 0;
	if ((vm->tap.untouched && net_tap_alive(vm->tap.fd)) ||
	    set_tap_anew(vm) == 0)
		return introduce(vm, problem);
	if (net_tap_is(vm->tap.fd, vm->config.tap, host->network_inode)) {
		why = "changed for good";
		/* the process may have made the TAP persistent */
		(void)net_tap_delete(&host->net, vm->tap.ifindex);
	}
	vm_close_tap(vm);
	firsthop_forget(vm);
	error = vm_make_tap(vm, problem);
	if (error)
		return error;
	memset(&vm->tap.base, 0, sizeof(vm->tap.base));
	vm_log(vm, LOG_LEVEL_WARN, "%s was %s: made anew", vm->config.tap, why);
	events_add(&host->events, vm, "tap-recreated", vm->config.tap);
	return introduce(vm, problem);
}
