/* SPDX-License-Identifier: ISC */
/* The virtio devices of one machine: made of the descriptors that the VM was
 * given, all of them before the cage closes. */
#include "vmproc/virtio/devices.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/stage2.h"
#include "vmproc/lock.h"
#include "vmproc/thread.h"
#include "vmproc/virtio/blk.h"
#include "vmproc/virtio/net.h"
#include "vmproc/virtio/rng.h"

/* One thread serves all queues of a disk: several of them only keep vCPUs out
 * of each other's way. */
#define DISK_QUEUES 4
#define NAME_BYTES  32

static struct devices {
	struct net net;
	struct rng rng;
	struct blk disk[FD_INDEX_MAX];
	unsigned int disks;
	bool has_net;
	struct blk_io io;
	struct thread io_thread;
	struct lock io_gate; /* of what follows */
	bool io_begun, caged, io_sealed;
	int io_error; /* of its beginning */
} devices;

/* ---- making them */

static unsigned int count_fds(const struct vmproc *vm, enum fd_role role)
{
	unsigned int count = 0;

	while (vmproc_fd(vm, role, count) >= 0)
		count++;
	return count;
}

static int make_net(struct vmproc *vm, struct pci_bus *bus,
		    const struct memory *memory)
{
	unsigned int vhosts = count_fds(vm, FD_ROLE_VHOST_NET);
	struct net_setup setup = {
		.mtu = vm->config.mtu,
		.pairs = count_fds(vm, FD_ROLE_TAP),
	};

	if (setup.pairs == 0)
		return 0;
	if (vhosts != 0 && vhosts != setup.pairs) {
		log_error("%u descriptors of vhost-net for %u queue pairs",
			  vhosts, setup.pairs);
		return -EINVAL;
	}
	memcpy(setup.mac, vm->config.mac, sizeof(setup.mac));
	for (unsigned int i = 0; i < NET_PAIRS_MAX; i++) {
		setup.tap_fds[i] = vmproc_fd(vm, FD_ROLE_TAP, i);
		setup.vhost_fds[i] = vmproc_fd(vm, FD_ROLE_VHOST_NET, i);
	}
	devices.has_net = true;
	devices.net.totals = vm->counters;
	return net_init(&devices.net, bus, &vm->loop, memory, &setup);
}

static int make_disks(struct vmproc *vm, struct pci_bus *bus,
		      const struct memory *memory)
{
	unsigned int disks = count_fds(vm, FD_ROLE_DISK);
	int error = 0;

	if (disks > 0)
		blk_io_init(&devices.io, PROTO_DISKS_LOOP_FD);
	for (unsigned int i = 0; i < disks && !error; i++) {
		char id[NAME_BYTES];
		struct blk_setup setup = {
			.fd = vmproc_fd(vm, FD_ROLE_DISK, i),
			.queues = DISK_QUEUES,
			.id = id,
		};

		snprintf(id, sizeof(id), "disk%u", i);
		error = blk_init(&devices.disk[i], bus, &devices.io, memory,
				 &setup);
		devices.disks++;
	}
	return error;
}

/* Reports that a step of the thread is done, and its error. */
static void tell_step(bool *done, int error)
{
	lock_take(&devices.io_gate);
	devices.io_error = error;
	*done = true;
	lock_wake(&devices.io_gate);
	lock_release(&devices.io_gate);
}

/* Waits until a step is done. Returns its error. */
static int await_step(const bool *done)
{
	int error;

	lock_take(&devices.io_gate);
	while (!*done)
		lock_wait(&devices.io_gate);
	error = devices.io_error;
	lock_release(&devices.io_gate);
	return error;
}

static void io_main(void *unused)
{
	int error = thread_begin("vm-blk");

	(void)unused;
	tell_step(&devices.io_begun, error);
	if (error)
		return;
	await_step(&devices.caged);
	error = stage2_seal();
	tell_step(&devices.io_sealed, error);
	if (error)
		return;
	vmproc_end(VMPROC_EXIT_OS, "disk thread: epoll: %s",
		   error_name(-blk_io_run(&devices.io)));
}

static int make_thread(void)
{
	sigset_t all, before;
	int error;

	if (devices.disks == 0)
		return 0;
	/* other threads take the signals */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	error = thread_start(&devices.io_thread, io_main, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (!error)
		error = await_step(&devices.io_begun);
	if (error)
		log_error("cannot make the disk thread: %s",
			  error_name(-error));
	return error;
}

enum vmproc_exit devices_setup(struct vmproc *vm, struct pci_bus *bus,
			       const struct memory *memory)
{
	int error = make_net(vm, bus, memory);

	if (!error)
		error = make_disks(vm, bus, memory);
	if (!error)
		error = rng_init(&devices.rng, bus, &vm->loop, memory);
	if (!error)
		error = make_thread();
	switch (error) {
	case 0:
		return VMPROC_EXIT_OK;
	case -EBADFD:
		return VMPROC_EXIT_TAP_GONE;
	default:
		return vmproc_exit_for(error);
	}
}

/* ---- running */

int devices_start(void)
{
	if (devices.disks == 0)
		return 0;
	tell_step(&devices.caged, 0);
	return await_step(&devices.io_sealed);
}

/* The disks complete the requests that they have; no vCPU makes more. */
void devices_pause(void)
{
	if (devices.has_net)
		net_pause(&devices.net, true);
	device_pause(&devices.rng.device, true);
}

void devices_resume(void)
{
	device_pause(&devices.rng.device, false);
	if (devices.has_net)
		net_pause(&devices.net, false);
}

void devices_check(void)
{
	if (devices.has_net)
		net_check(&devices.net);
}

uint64_t devices_busy_since_ms(void)
{
	return atomic_load(&devices.io.busy_since_ns) / NSEC_PER_MSEC;
}

/* ---- counters */

struct teller {
	void (*tell)(void *ctx, const char *name, uint64_t value);
	void *ctx;
};

static void tell(const struct teller *teller, const uint64_t *value,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));

static void tell(const struct teller *teller, const uint64_t *value,
		 const char *format, ...)
{
	char name[NAME_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	teller->tell(teller->ctx, name, device_counted(value));
}

static void tell_queue(const struct teller *teller, const struct device *device,
		       const char *name, unsigned int queue)
{
	tell(teller, &device->queue[queue].kicks, "%s.vq%u.kicks", name, queue);
	tell(teller, &device->queue[queue].signals, "%s.vq%u.interrupts", name,
	     queue);
}

/* Faults are rare, and there are many kinds: those that happened. */
static void tell_faults(const struct teller *teller,
			const struct device *device, const char *name)
{
	for (unsigned int i = 0; i < QUEUE_FAULTS; i++)
		if (device_counted(&device->faults[i]) > 0)
			tell(teller, &device->faults[i], "%s.fault.%s", name,
			     queue_fault_name(i));
}

static void tell_device(const struct teller *teller,
			const struct device *device, const char *name)
{
	for (unsigned int i = 0; i < device->queues; i++)
		tell_queue(teller, device, name, i);
	tell_faults(teller, device, name);
}

static bool is_counted(const struct net *net, unsigned int queue)
{
	return queue / 2 >= net->pairs || !net->pair[queue / 2].was_by_kernel;
}

/* But for what vhost-net does: it counts nothing, and the TAP's counters, which
 * the supervisor reads, say what was moved. */
static void tell_net(const struct teller *teller)
{
	const struct net *net = &devices.net;

	for (unsigned int i = 0; i < net->pairs; i++)
		for (unsigned int j = 0;
		     j < NET_COUNTERS && is_counted(net, 2 * i); j++)
			tell(teller, &net->pair[i].counters[j], "net0.%u.%s", i,
			     net_counter_name(j));
	for (unsigned int i = 0; i < net->device.queues; i++)
		if (is_counted(net, i))
			tell_queue(teller, &net->device, "net0", i);
	tell_faults(teller, &net->device, "net0");
}

static void tell_disk(const struct teller *teller, unsigned int index)
{
	const struct blk *blk = &devices.disk[index];
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "disk%u", index);
	for (unsigned int i = 0; i < BLK_COUNTERS; i++)
		tell(teller, &blk->counters[i], "%s.%s", name,
		     blk_counter_name(i));
	tell_device(teller, &blk->device, name);
}

void devices_counters(void (*told)(void *ctx, const char *name, uint64_t value),
		      void *ctx)
{
	const struct teller teller = { told, ctx };

	if (devices.has_net)
		tell_net(&teller);
	for (unsigned int i = 0; i < devices.disks; i++)
		tell_disk(&teller, i);
	tell(&teller, &devices.rng.requests, "rng0.requests");
	tell(&teller, &devices.rng.bytes, "rng0.bytes");
	tell_device(&teller, &devices.rng.device, "rng0");
}
