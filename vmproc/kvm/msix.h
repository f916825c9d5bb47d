/* SPDX-License-Identifier: ISC */
/* Message-signalled interrupts of a PCI function (PCI 3.0 §6.8.2). */
#ifndef VMSUP_VMPROC_KVM_MSIX_H
#define VMSUP_VMPROC_KVM_MSIX_H

#include "vmproc/kvm/pci.h"

/* Gives function so many MSI-X vectors (1 to PCI_VECTORS_MAX), their table and
 * pending bits at offsets (multiples of 8) of bar, and makes their eventfds.
 * 0 or -errno. */
int msix_add(struct pci_function *function, unsigned int vectors,
	     unsigned int bar, uint64_t table, uint64_t pending);

/* The eventfd of a vector, for a vhost call descriptor and the like (remains
 * the function's); -1 if there is no such vector. Writing it raises the
 * interrupt, or leaves it pending while it is masked. */
int msix_vector_fd(const struct pci_function *function, unsigned int vector);
/* Raises vector; one that isn't there (as VIRTIO_MSI_NO_VECTOR) is no error. */
void msix_signal(const struct pci_function *function, unsigned int vector);
/* True if the guest has MSI-X on and may expect interrupts. */
bool msix_enabled(const struct pci_function *function);

/* ---- for pci.c */

/* Makes every vector follow the table and the control word. */
void msix_update(struct pci_function *function);
/* True if bytes at offset of bar touch the table or the pending bits: served
 * then. data is read or filled in. */
bool msix_access(struct pci_function *function, unsigned int bar,
		 uint64_t offset, uint8_t *data, unsigned int bytes,
		 bool write);

#endif
