/* SPDX-License-Identifier: ISC */
/*
 * MSI-X (PCI Local Bus 3.0 §6.8.2): the table, the pending bits, and vectors
 * that are switched on and off.
 *
 * Theory of operation: a device raises a vector by writing its eventfd, from
 * any thread, and knows nothing of masks. While the vector is on, the eventfd
 * is an irqfd, and the hypervisor raises the interrupt with no help from here.
 * While it is masked the eventfd is nobody's: what is written stays in it, is
 * its pending bit, and is raised when it becomes an irqfd again.
 */
#include "vmproc/kvm/msix.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/kvm/layout.h"
#include "vmproc/place.h"

#define PCI_CAPABILITY_MSIX 0x11
#define CONTROL_ENABLE      0x8000U
#define CONTROL_MASK        0x4000U
#define ENTRY_BYTES         16U
enum {
	ENTRY_ADDRESS,
	ENTRY_ADDRESS_HIGH,
	ENTRY_DATA,
	ENTRY_CONTROL
};
#define ENTRY_MASKED 1U

static const uint32_t entry_writable[4] = {
	[ENTRY_ADDRESS] = ~3U,
	[ENTRY_ADDRESS_HIGH] = ~0U,
	[ENTRY_DATA] = ~0U,
	[ENTRY_CONTROL] = ENTRY_MASKED,
};

int msix_add(struct pci_function *function, unsigned int vectors,
	     unsigned int bar, uint64_t table, uint64_t pending)
{
	static const uint8_t writable[10] = {
		0,
		(CONTROL_ENABLE | CONTROL_MASK) >> 8,
	};
	struct pci_bus *bus = function->bus;
	uint8_t body[10];
	int offset;

	if (vectors == 0 || vectors > PCI_VECTORS_MAX || bar >= PCI_BARS ||
	    (table | pending) % 8 != 0 ||
	    table + vectors * ENTRY_BYTES > function->bar[bar].bytes ||
	    pending + 8 > function->bar[bar].bytes)
		return -EINVAL;
	if (bus->next_gsi + vectors > GSI_MSI + GSI_MSI_COUNT)
		return -ENOSPC;
	pci_put(body, 2, vectors - 1);
	pci_put(body + 2, 4, table | bar);
	pci_put(body + 6, 4, pending | bar);
	offset = pci_add_capability(function, PCI_CAPABILITY_MSIX, body,
				    writable, sizeof(body));
	if (offset < 0)
		return offset;
	function->msix_capability = (unsigned int)offset;
	function->msix_bar = bar;
	function->msix_table = table;
	function->msix_pending = pending;
	for (unsigned int i = 0; i < vectors; i++) {
		struct pci_vector *vector = &function->vector[i];

		vector->fd = place_eventfd();
		if (vector->fd < 0)
			return vector->fd;
		vector->gsi = bus->next_gsi++;
		vector->entry[ENTRY_CONTROL] = ENTRY_MASKED;
		function->vectors++;
	}
	return 0;
}

int msix_vector_fd(const struct pci_function *function, unsigned int vector)
{
	return vector < function->vectors ? function->vector[vector].fd : -1;
}

void msix_signal(const struct pci_function *function, unsigned int vector)
{
	const uint64_t one = 1;
	int fd = msix_vector_fd(function, vector);

	/* EAGAIN: it is pending already, 2^64 - 2 times */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warn("PCI device %u: interrupt: %s", function->slot,
			 error_name(errno));
}

static uint32_t control(const struct pci_function *function)
{
	return pci_get(function->config + function->msix_capability + 2, 2);
}

bool msix_enabled(const struct pci_function *function)
{
	return function->msix_capability && control(function) & CONTROL_ENABLE;
}

static void update_vector(struct pci_function *function,
			  struct pci_vector *vector)
{
	const struct hv *hv = &function->bus->hv;
	uint32_t word = control(function);
	bool wanted = word & CONTROL_ENABLE && !(word & CONTROL_MASK) &&
		      !(vector->entry[ENTRY_CONTROL] & ENTRY_MASKED);
	int error = 0;

	atomic_fetch_add(&function->bus->progress, 1);
	if (wanted)
		error = hv->ops->route(
			hv->ctx, vector->gsi,
			vector->entry[ENTRY_ADDRESS] |
				(uint64_t)vector->entry[ENTRY_ADDRESS_HIGH]
					<< 32,
			vector->entry[ENTRY_DATA]);
	if (!error && wanted != vector->on) {
		error = hv->ops->irqfd(hv->ctx, vector->fd, vector->gsi,
				       wanted);
		if (!error)
			vector->on = wanted;
	}
	if (error)
		log_warn("PCI device %u: interrupt route: %s", function->slot,
			 error_name(-error));
}

void msix_update(struct pci_function *function)
{
	for (unsigned int i = 0; i < function->vectors; i++)
		update_vector(function, &function->vector[i]);
}

/* §6.8.2: whole dwords or qwords, or nothing happens. */
static void table_write(struct pci_function *function, uint64_t offset,
			const uint8_t *data, unsigned int bytes)
{
	struct pci_vector *vector = &function->vector[offset / ENTRY_BYTES];

	if (bytes < 4 || offset % bytes != 0)
		return;
	for (unsigned int i = 0; i < bytes / 4; i++) {
		unsigned int field = offset % ENTRY_BYTES / 4 + i;

		vector->entry[field] = pci_get(data + 4 * i, 4) &
				       entry_writable[field];
	}
	update_vector(function, vector);
}

static void table_read(const struct pci_function *function, uint64_t offset,
		       uint8_t *data, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++, offset++) {
		const struct pci_vector *vector =
			&function->vector[offset / ENTRY_BYTES];

		data[i] = (uint8_t)(vector->entry[offset % ENTRY_BYTES / 4] >>
				    8 * (offset % 4));
	}
}

static bool is_pending(const struct pci_vector *vector)
{
	uint64_t count;

	if (vector->on)
		return false;
	if (read(vector->fd, &count, sizeof(count)) != sizeof(count))
		return false;
	/* put back: cannot fail, it was there a moment ago */
	return write(vector->fd, &count, sizeof(count)) == sizeof(count);
}

static void pending_read(const struct pci_function *function, uint64_t offset,
			 uint8_t *data, unsigned int bytes)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < function->vectors; i++)
		bits |= (uint64_t)is_pending(&function->vector[i]) << i;
	for (unsigned int i = 0; i < bytes; i++, offset++)
		data[i] = offset < 8 ? (uint8_t)(bits >> 8 * offset) : 0;
}

static bool overlaps(uint64_t offset, unsigned int bytes, uint64_t from,
		     uint64_t length)
{
	return offset < from + length && from < offset + bytes;
}

bool msix_access(struct pci_function *function, unsigned int bar,
		 uint64_t offset, uint8_t *data, unsigned int bytes, bool write)
{
	uint64_t table_bytes = (uint64_t)function->vectors * ENTRY_BYTES;
	uint64_t table = offset - function->msix_table;
	uint64_t pending = offset - function->msix_pending;

	if (!function->msix_capability || bar != function->msix_bar)
		return false;
	if (table < table_bytes && bytes <= table_bytes - table) {
		if (write)
			table_write(function, table, data, bytes);
		else
			table_read(function, table, data, bytes);
		return true;
	}
	if (pending < 8 && bytes <= 8 - pending) {
		if (!write) /* they are read-only */
			pending_read(function, pending, data, bytes);
		return true;
	}
	/* half in, half out: nothing answers */
	return overlaps(offset, bytes, function->msix_table, table_bytes) ||
	       overlaps(offset, bytes, function->msix_pending, 8);
}
