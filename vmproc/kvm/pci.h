/* SPDX-License-Identifier: ISC */
/*
 * One PCI bus: configuration space, BARs, MSI-X (PCI Local Bus 3.0 §6, PCI
 * Express 4.0 §7).
 *
 * A device is a struct pci_function inside an object of its own. Before the
 * guest runs it is added (pci_add), then its BARs, capabilities, notifiers and
 * vectors. Afterwards its ops are called by vCPU threads, always with the
 * bus's lock held: whatever else touches the same state takes the lock as well
 * (pci_lock), but for the vectors' eventfds, which any thread may write.
 */
#ifndef VMSUP_VMPROC_KVM_PCI_H
#define VMSUP_VMPROC_KVM_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>

#include "vmproc/kvm/hv.h"
#include "vmproc/lock.h"

#define PCI_SLOTS         32
#define PCI_BARS          6
#define PCI_CONFIG_BYTES  256
#define PCI_VECTORS_MAX   64 /* of one function */
#define PCI_NOTIFIERS_MAX 64 /* of one function */
#define PCI_MOVES_MAX     256 /* a boot takes some six */

struct pci_function;

struct pci_ops {
	/*
	 * An access to a BAR: offset + bytes is within it; bytes is 1, 2, 4 or
	 * 8; offset has any alignment. The MSI-X table and its pending bits
	 * never come here.
	 */
	uint64_t (*bar_read)(struct pci_function *function, unsigned int bar,
			     uint64_t offset, unsigned int bytes);
	void (*bar_write)(struct pci_function *function, unsigned int bar,
			  uint64_t offset, unsigned int bytes, uint64_t value);
	/*
	 * Optional: bytes (1 to 4) of configuration space at offset are about
	 * to be read, or were just written (after masking). May look at and
	 * change function->config.
	 */
	void (*config_access)(struct pci_function *function,
			      unsigned int offset, unsigned int bytes,
			      bool write);
};

struct pci_identity {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class; /* base class, subclass, interface: 24 bits */
	uint8_t revision;
};

struct pci_bar {
	uint64_t bytes; /* a power of two; 0: none */
	enum space space;
	uint64_t address; /* where the BAR is decoded in that space */
	bool decoded;
};

/* A place in a BAR where a write of any value signals fd, without an exit. */
struct pci_notifier {
	unsigned int bar;
	uint32_t bytes; /* 0: any width */
	uint64_t offset;
	int fd; /* not owned */
	bool on;
};

struct pci_vector {
	int fd; /* owned: eventfd, non-blocking */
	uint32_t gsi;
	bool on; /* fd is an irqfd, and gsi is routed */
	uint32_t entry[4]; /* address, upper address, data, control */
};

struct pci_function {
	struct pci_bus *bus; /* NULL before pci_add */
	const struct pci_ops *ops;
	unsigned int slot;
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES]; /* bits that the guest may change */
	unsigned int config_used; /* the next capability goes here */
	unsigned int last_capability;
	struct pci_bar bar[PCI_BARS]; /* by the number of the lower half */
	struct pci_notifier notifier[PCI_NOTIFIERS_MAX];
	unsigned int notifiers;
	unsigned int moves; /* of BARs with notifiers, up to PCI_MOVES_MAX */
	struct pci_vector vector[PCI_VECTORS_MAX];
	unsigned int vectors;
	unsigned int msix_capability; /* offset; 0: none */
	unsigned int msix_bar;
	uint64_t msix_table, msix_pending; /* offsets in that BAR */
};

struct pci_bus {
	struct lock lock;
	/* Counts how often the lock was taken and the hypervisor has answered.
	 * While it changes, a thread that waits for the bus isn't stuck. */
	atomic_ulong progress;
	struct hv hv;
	struct pci_function *function[PCI_SLOTS]; /* not owned */
	struct pci_function bridge; /* slot 0 */
	uint32_t config_address; /* port 0xcf8 */
	uint64_t next_bar, next_port; /* where the next BAR is placed */
	uint32_t next_gsi;
};

/* A field of configuration space, or of a table: little-endian. */
static inline uint32_t pci_get(const uint8_t *at, unsigned int bytes)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint32_t)at[i] << 8 * i;
	return value;
}

static inline void pci_put(uint8_t *at, unsigned int bytes, uint64_t value)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* Makes a bus with its host bridge and nothing else. */
void pci_init(struct pci_bus *bus, const struct hv *hv);

/* Puts function into the next free slot. ops must outlive it. 0 or -ENOSPC. */
int pci_add(struct pci_bus *bus, struct pci_function *function,
	    const struct pci_identity *identity, const struct pci_ops *ops);
/* Closes the descriptors that the function owns. For tests. */
void pci_remove(struct pci_function *function);

/* Gives function a 64-bit memory BAR (number even) of bytes, a power of two of
 * 4 KiB to 16 MiB, and an address for it. 0 or -errno. */
int pci_add_bar(struct pci_function *function, unsigned int bar,
		uint64_t bytes);
/* The same for a BAR of ports: bytes is a power of two from 4 to 256. */
int pci_add_ports(struct pci_function *function, unsigned int bar,
		  uint64_t bytes);

/* Adds a capability: its body, without the identity and next bytes, is bytes
 * long; writable (may be NULL) has a bit for each that the guest may change.
 * Returns its offset (of the identity byte), or -ENOSPC. */
int pci_add_capability(struct pci_function *function, uint8_t id,
		       const void *body, const void *writable, uint8_t bytes);

/* Has writes of bytes (0: any width) at offset in bar wake the eventfd fd (not
 * owned), wherever the guest puts the BAR. Such a write never reaches
 * bar_write. 0 or -ENOSPC. */
int pci_add_notifier(struct pci_function *function, unsigned int bar,
		     uint64_t offset, uint32_t bytes, int fd);

void pci_lock(struct pci_bus *bus);
void pci_unlock(struct pci_bus *bus);

/*
 * An access of a guest, of any address and width up to 8 bytes: to the memory
 * of BARs and ECAM (pci_mmio), or to the ports of BARs and to those of
 * configuration space, 0xcf8 to 0xcff (pci_port; up to 4 bytes). Reads fill
 * data with ones where nothing answers; true if something did.
 */
bool pci_mmio(struct pci_bus *bus, uint64_t gpa, uint8_t *data,
	      unsigned int bytes, bool write);
bool pci_port(struct pci_bus *bus, uint16_t port, uint8_t *data,
	      unsigned int bytes, bool write);

#endif
