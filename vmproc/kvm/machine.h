/* SPDX-License-Identifier: ISC */
/* The machine: the descriptors from KVM, the vCPUs, and the shutdown. */
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

/* APIC ids have one byte; one is the broadcast, one the IOAPIC's. */
#define MACHINE_VCPUS_MAX 254
/* The signal that ends KVM_RUN of a vCPU thread. The system call filter allows
 * no other. */
#define MACHINE_KICK SIGUSR1

/* The reasons for exits to user space, which are counted. */
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
	/* Odd while the thread works in user space, even while KVM_RUN does.
	 * An odd number must change soon: see vcpu_healthy(). */
	atomic_ulong sequence;
	atomic_bool on_board; /* in user space, and may wait for the PCI bus */
	_Atomic uint64_t exits[EXITS];
	/* The main loop alone uses these: the numbers that it saw last, when
	 * they changed, and whether it has logged that they don't. */
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
	int wake_fd; /* owned: eventfd; the main loop has work */
	struct source wake, console;
	bool console_open;
	uint32_t console_events;
	bool stop_asked;
	atomic_bool loaded; /* the kernel is in memory, the filter is on */
	atomic_int shutdown; /* enum shutdown */
	char why[120]; /* reason of SHUTDOWN_FAILED; written before shutdown */
	/* the gate, where vCPU threads wait; what follows is under its lock */
	struct lock gate;
	enum machine_state state;
	atomic_bool hold; /* vCPU threads must come to the gate; atomic */
	unsigned int at_gate;
	int thread_error; /* of a thread that couldn't start: -errno */
	struct sock_filter
		filter[STAGE2_MAX_FILTER]; /* which vCPU threads stack */
	unsigned short filter_length;
	pid_t pid;
	unsigned int vcpus;
	struct vcpu vcpu[MACHINE_VCPUS_MAX];
};

/* Asks the main loop to report the shutdown and to exit. May be called by any
 * thread; the first call counts. why is a format, for SHUTDOWN_FAILED alone;
 * NULL otherwise. */
void machine_end(struct machine *machine, enum shutdown reason, const char *why,
		 ...) __attribute__((format(printf, 3, 4)));

/* The thread of the first vCPU calls the rest. Each function ends the process,
 * with the reason logged, if it fails. */

/* During set-up: writes the tables that don't depend on the kernel into guest
 * memory. */
void machine_furnish(struct machine *machine);
/* After the cage has closed, and before the thread stacks its own filter: loads
 * the kernel and the initrd. */
void machine_load(struct machine *machine);
/* After machine_load(): tells the main loop that the kernel is loaded. */
void machine_tell_loaded(struct machine *machine);

#endif
