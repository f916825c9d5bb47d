/* SPDX-License-Identifier: ISC */
/*
 * vCPU threads.
 *
 * Theory of operation: set-up makes the threads. Each thread gives up the
 * rights that only a thread can give up for itself, and then waits at the gate
 * until the cage has closed. Then the first thread loads the kernel, of which
 * nothing has been read before. Each thread stacks a narrower filter of its
 * own, and only then runs guest code. For a pause, the main loop sets a flag
 * (hold), sets immediate_exit and sends a signal: whichever of the three a
 * thread notices first, it returns to the gate.
 */
#include "vmproc/kvm/vcpu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"

/* A vCPU thread that is in user space for longer is stuck: its work there takes
 * microseconds. */
#define STUCK_NS (3 * NSEC_PER_SEC)

/* Waits until the gate is open, at the start or after a pause. */
static void wait_at_gate(struct machine *machine)
{
	lock_take(&machine->gate);
	machine->at_gate++;
	lock_wake(&machine->gate);
	while (machine->state != MACHINE_RUNNING)
		lock_wait(&machine->gate);
	machine->at_gate--;
	lock_release(&machine->gate);
}

/* 1 makes KVM_RUN return at once. The kernel reads the flag as well. The store
 * is a full barrier. */
static void set_immediate_exit(struct vcpu *vcpu, uint8_t value)
{
	__atomic_store_n(&vcpu->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

static void hold_vcpu(struct vcpu *vcpu)
{
	/* The guest's watchdogs learn of the pause. A guest without that clock
	 * gives an error, which doesn't matter. */
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
	wait_at_gate(vcpu->machine);
}

/* ---- exits */

static void on_port(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct machine *machine = vcpu->machine;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;

	atomic_store(&vcpu->on_board, true);
	for (uint32_t i = 0; i < run->io.count; i++) {
		enum shutdown reason = board_port(&machine->board, run->io.port,
						  data, run->io.size, write);

		if (reason != SHUTDOWN_NONE)
			machine_end(machine, reason, NULL);
		data += run->io.size;
	}
	atomic_store(&vcpu->on_board, false);
}

static void on_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	atomic_store(&vcpu->on_board, true);
	board_mmio(&vcpu->machine->board, run->mmio.phys_addr, run->mmio.data,
		   run->mmio.len, run->mmio.is_write);
	atomic_store(&vcpu->on_board, false);
}

static void on_shutdown(struct vcpu *vcpu)
{
	machine_end(vcpu->machine, SHUTDOWN_TRIPLE_FAULT, NULL);
}

static void on_fail_entry(struct vcpu *vcpu)
{
	machine_end(vcpu->machine, SHUTDOWN_FAILED,
		    "vCPU %u: the processor refused to enter it, reason %#llx",
		    vcpu->index,
		    (unsigned long long)vcpu->run->fail_entry
			    .hardware_entry_failure_reason);
}

static void on_internal(struct vcpu *vcpu)
{
	struct kvm_regs regs = { 0 };

	machine_end(
		vcpu->machine, SHUTDOWN_FAILED,
		"vCPU %u: KVM internal error, suberror %u, rip %#llx",
		vcpu->index, vcpu->run->internal.suberror,
		(unsigned long long)(ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0
					     ? 0
					     : regs.rip));
}

static void on_system(struct vcpu *vcpu)
{
	machine_end(vcpu->machine, SHUTDOWN_FAILED, "vCPU %u: system event %u",
		    vcpu->index, vcpu->run->system_event.type);
}

static void on_nothing(struct vcpu *vcpu)
{
	(void)vcpu;
}

static const struct {
	uint32_t reason;
	void (*handle)(struct vcpu *vcpu);
} exits[EXITS] = {
#define X(id, name, reason) [EXIT_##id] = { reason, NULL },
	EXIT_TABLE(X)
#undef X
};

static void (*const handlers[EXITS])(struct vcpu *vcpu) = {
	[EXIT_PORT] = on_port,
	[EXIT_MMIO] = on_mmio,
	[EXIT_HALT] = on_nothing, /* not with the LAPIC in the kernel */
	[EXIT_INTERRUPTED] = on_nothing,
	[EXIT_SHUTDOWN] = on_shutdown,
	[EXIT_FAIL_ENTRY] = on_fail_entry,
	[EXIT_INTERNAL] = on_internal,
	[EXIT_SYSTEM] = on_system,
};

static void handle_exit(struct vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;

	for (unsigned int kind = 0; kind < EXIT_OTHER; kind++) {
		if (exits[kind].reason != reason)
			continue;
		vcpu->exits[kind]++;
		handlers[kind](vcpu);
		return;
	}
	vcpu->exits[EXIT_OTHER]++;
	machine_end(vcpu->machine, SHUTDOWN_FAILED, "vCPU %u: exit reason %u",
		    vcpu->index, reason);
}

/* ---- the thread */

/* The machine has been shut down. The main loop ends the process, and with it
 * this thread. */
static _Noreturn void wait_for_end(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	atomic_store(&vcpu->sequence, 0);
	lock_take(&machine->gate);
	machine->at_gate++;
	lock_wake(&machine->gate);
	for (;;)
		lock_wait(&machine->gate);
}

static void run_once(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	int result, error;

	if (atomic_load(&machine->hold)) {
		hold_vcpu(vcpu);
		set_immediate_exit(vcpu, 0);
		/* If vcpu_hold() was called again meanwhile, its flag is
		 * overwritten: so look again. vcpu_hold() writes hold first and
		 * the flag second, and the store here is a full barrier: one of
		 * the two is seen. */
		if (atomic_load(&machine->hold))
			return;
	}
	atomic_fetch_add(&vcpu->sequence, 1); /* even: in KVM_RUN */
	result = ioctl(vcpu->fd, KVM_RUN, 0);
	error = errno;
	atomic_fetch_add(&vcpu->sequence, 1);
	if (result == 0) {
		handle_exit(vcpu);
	} else if (error == EINTR || error == EAGAIN) {
		vcpu->exits[EXIT_INTERRUPTED]++;
	} else {
		machine_end(machine, SHUTDOWN_FAILED, "vCPU %u: KVM_RUN: %s",
			    vcpu->index, error_name(error));
	}
}

static int begin_thread(struct vcpu *vcpu)
{
	char name[16];
	sigset_t kick;

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	sigemptyset(&kick);
	sigaddset(&kick, MACHINE_KICK);
	if (sigprocmask(SIG_UNBLOCK, &kick, NULL) < 0)
		return -errno;
	return thread_begin(name);
}

static void vcpu_main(void *argument)
{
	struct vcpu *vcpu = argument;
	struct machine *machine = vcpu->machine;
	int error = begin_thread(vcpu);

	if (!error && vcpu->index == 0)
		machine_furnish(machine);
	if (error) {
		lock_take(&machine->gate);
		machine->thread_error = error;
		lock_release(&machine->gate);
	}
	wait_at_gate(machine);
	if (vcpu->index == 0)
		machine_load(machine);
	error = stage2_stack(machine->filter, machine->filter_length);
	if (error)
		vmproc_end(VMPROC_EXIT_CAGE, "cage, vCPU %u: filter: %s",
			   vcpu->index, error_name(-error));
	if (vcpu->index == 0)
		machine_tell_loaded(machine);
	atomic_store(&vcpu->sequence, 1);
	while (atomic_load(&machine->shutdown) == SHUTDOWN_NONE)
		run_once(vcpu);
	wait_for_end(vcpu);
}

/* ---- for the main loop */

static void wait_for_all(struct machine *machine)
{
	while (machine->at_gate < machine->vcpus)
		lock_wait(&machine->gate);
}

static void on_kick(int number)
{
	(void)number; /* the signal has interrupted KVM_RUN: that is all */
}

int vcpu_threads(struct machine *machine)
{
	struct sigaction action = { .sa_handler = on_kick };
	sigset_t kick;
	int error = 0;

	/* Threads inherit the mask. vCPU threads unblock the signal. */
	sigemptyset(&kick);
	sigaddset(&kick, MACHINE_KICK);
	if (sigaction(MACHINE_KICK, &action, NULL) < 0 ||
	    sigprocmask(SIG_BLOCK, &kick, NULL) < 0)
		return -errno;
	machine->pid = getpid();
	for (unsigned int i = 0; i < machine->vcpus && !error; i++) {
		machine->vcpu[i].machine = machine;
		machine->vcpu[i].index = i;
		error = thread_start(&machine->vcpu[i].thread, vcpu_main,
				     &machine->vcpu[i]);
	}
	return error;
}

int vcpu_await(struct machine *machine)
{
	int error;

	lock_take(&machine->gate);
	wait_for_all(machine);
	error = machine->thread_error;
	lock_release(&machine->gate);
	return error;
}

void vcpu_release(struct machine *machine)
{
	uint64_t now_ns = loop_now_ns();

	for (unsigned int i = 0; i < machine->vcpus; i++)
		machine->vcpu[i].seen_ns = now_ns;
	lock_take(&machine->gate);
	atomic_store(&machine->hold, false);
	machine->state = MACHINE_RUNNING;
	lock_wake(&machine->gate);
	lock_release(&machine->gate);
}

void vcpu_hold(struct machine *machine)
{
	lock_take(&machine->gate);
	machine->state = MACHINE_HELD;
	atomic_store(&machine->hold, true);
	for (unsigned int i = 0; i < machine->vcpus; i++) {
		struct vcpu *vcpu = &machine->vcpu[i];

		set_immediate_exit(vcpu, 1);
		syscall(SYS_tgkill, machine->pid,
			atomic_load(&vcpu->thread.tid), MACHINE_KICK);
	}
	if (atomic_load(&machine->shutdown) == SHUTDOWN_NONE)
		wait_for_all(machine);
	lock_release(&machine->gate);
}

/* Whether the vCPU has made progress since the last look, or waits at a device
 * while the bus makes progress. */
static bool has_moved(const struct vcpu *vcpu, unsigned long sequence,
		      unsigned long bus)
{
	return sequence != vcpu->seen || sequence % 2 == 0 ||
	       (atomic_load(&vcpu->on_board) && bus != vcpu->seen_bus);
}

bool vcpu_healthy(struct machine *machine)
{
	unsigned long bus = atomic_load(&machine->board.bus.progress);
	uint64_t now_ns = loop_now_ns();

	if (machine->state != MACHINE_RUNNING)
		return true;
	for (unsigned int i = 0; i < machine->vcpus; i++) {
		struct vcpu *vcpu = &machine->vcpu[i];
		unsigned long sequence = atomic_load(&vcpu->sequence);

		if (has_moved(vcpu, sequence, bus)) {
			vcpu->seen = sequence;
			vcpu->seen_bus = bus;
			vcpu->seen_ns = now_ns;
			vcpu->told = false;
			continue;
		}
		if (now_ns - vcpu->seen_ns < STUCK_NS)
			continue;
		if (!vcpu->told)
			log_error("vCPU %u makes no progress outside the guest",
				  i);
		vcpu->told = true;
		return false;
	}
	return true;
}
