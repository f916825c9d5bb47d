/* SPDX-License-Identifier: ISC */
/* The machine: its hypervisor's descriptors, its processors, its end. */
#ifndef VMSUP_VMPROC_KVM_MACHINE_H
#define VMSUP_VMPROC_KVM_MACHINE_H

#include <linux/filter.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "sandbox/stage2.h"
#include "vmproc/kvm/board.h"
#include "vmproc/kvm/boot.h"
#include "vmproc/kvm/layout.h"
#include "vmproc/kvm/memory.h"
#include "vmproc/lock.h"
#include "vmproc/thread.h"
#include "vmproc/vmproc.h"

/* APIC ids of one byte, but for the broadcast and the IOAPIC's. */
#define MACHINE_VCPUS_MAX 254
/* Gets a vCPU thread out of KVM_RUN; pinned in the filter. */
#define MACHINE_KICK SIGUSR1

/* What brings a vCPU to user space, counted. */
#define EXIT_TABLE(X)                                    \
	X(PORT, "port", KVM_EXIT_IO)                     \
	X(MMIO, "mmio", KVM_EXIT_MMIO)                   \
	X(HALT, "halt", KVM_EXIT_HLT)                    \
	X(INTERRUPTED, "interrupted", KVM_EXIT_INTR)     \
	X(SHUTDOWN, "shutdown", KVM_EXIT_SHUTDOWN)       \
	X(FAIL_ENTRY, "fail_entry", KVM_EXIT_FAIL_ENTRY) \
	X(INTERNAL, "internal", KVM_EXIT_INTERNAL_ERROR) \
	X(SYSTEM, "system", KVM_EXIT_SYSTEM_EVENT)

enum exit_kind {
#define X(id, name, reason) EXIT_##id,
	EXIT_TABLE(X)
#undef X
	EXIT_OTHER,
	EXITS
};

struct machine;

struct vcpu {
	struct machine *machine;
	unsigned int index;
	int fd; /* owned */
	struct kvm_run *run; /* shared with the kernel */
	struct thread thread;
	/* Odd while the thread is at work in user space: it must move on. */
	atomic_ulong sequence;
	atomic_bool on_board; /* ... at a device, and may wait for the bus */
	_Atomic uint64_t exits[EXITS];
	/* the main loop's: what it saw last, and since when */
	unsigned long seen, seen_bus;
	uint64_t seen_ns;
	bool told;
};

enum machine_state {
	MACHINE_WAITING, /* threads stand at the gate */
	MACHINE_RUNNING,
	MACHINE_HELD, /* paused */
};

struct machine {
	struct vmproc *vm;
	struct memory memory;
	struct board board;
	struct boot boot;
	int vm_fd; /* owned */
	int uart_irq_fd, button_fd; /* owned: irqfds */
	int wake_fd; /* owned: something for the main loop */
	struct source wake, console;
	bool console_open;
	uint32_t console_events;
	bool stop_asked;
	atomic_bool loaded; /* the first vCPU is about to run the kernel */
	atomic_int shutdown; /* enum shutdown */
	char why[120]; /* of SHUTDOWN_FAILED: set before shutdown */
	/* the gate, where threads wait */
	struct lock gate;
	enum machine_state state;
	atomic_bool hold; /* vCPUs: come to the gate */
	unsigned int at_gate;
	int thread_error; /* of a thread's beginning */
	struct sock_filter filter[STAGE2_MAX_FILTER]; /* of vCPU threads */
	unsigned short filter_length;
	pid_t pid;
	unsigned int vcpus;
	struct vcpu vcpu[MACHINE_VCPUS_MAX];
};

/* The machine's end: the main loop says it and exits. Any thread; the first
 * one counts. why (SHUTDOWN_FAILED only) is a format. */
void machine_end(struct machine *machine, enum shutdown reason, const char *why,
		 ...) __attribute__((format(printf, 3, 4)));

/* The rest is done on the first vCPU's thread, and ends the process with the
 * reason logged if it can't be done. */

/* In set-up: writes to guest memory what doesn't depend on the kernel. */
void machine_furnish(struct machine *machine);
/* After the cage has closed, and before the thread stacks its own filter: reads
 * the kernel and its initrd. */
void machine_load(struct machine *machine);
/* After that: tells the main loop. */
void machine_tell_loaded(struct machine *machine);

#endif
