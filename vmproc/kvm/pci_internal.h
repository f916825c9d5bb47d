/* SPDX-License-Identifier: ISC */
/* Between the two halves of the PCI room: configuration space, and MSI-X. */
#ifndef VMSUP_VMPROC_KVM_PCI_INTERNAL_H
#define VMSUP_VMPROC_KVM_PCI_INTERNAL_H

#include "vmproc/kvm/pci.h"

#define PCI_CAPABILITY_MSIX 0x11

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

/* Makes every vector follow the table and the control word. */
void pci_msix_update(struct pci_function *function);
/* True if bytes at offset of bar touch the table or the pending bits: served
 * then. data is read or filled in. */
bool pci_msix_access(struct pci_function *function, unsigned int bar,
		     uint64_t offset, uint8_t *data, unsigned int bytes,
		     bool write);

#endif
