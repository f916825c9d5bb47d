/* SPDX-License-Identifier: ISC */
/*
 * PCI: configuration space and BARs.
 *
 * Theory of operation: the guest reads and writes any byte of configuration
 * space in any order. Each byte has a mask of the bits that it may change, so
 * that no write needs to be understood to be harmless; what follows from it
 * (which BAR is decoded where, which vectors are on) is worked out anew from
 * the bytes after each write. A BAR is decoded only within the window that the
 * guest was told of: nothing else of the machine can be shadowed.
 */
#include "vmproc/kvm/pci.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/kvm/layout.h"
#include "vmproc/kvm/msix.h"

/* PCI Local Bus 3.0 §6.1: the header of type 0. */
enum {
	REG_VENDOR = 0x00,
	REG_DEVICE = 0x02,
	REG_COMMAND = 0x04,
	REG_STATUS = 0x06,
	REG_REVISION = 0x08,
	REG_CLASS = 0x09,
	REG_CACHE_LINE = 0x0c,
	REG_BAR = 0x10,
	REG_SUBSYSTEM_VENDOR = 0x2c,
	REG_SUBSYSTEM = 0x2e,
	REG_CAPABILITIES = 0x34,
	REG_INTERRUPT_LINE = 0x3c,
	REG_HEADER_END = 0x40,
};
#define COMMAND_PORTS       0x0001U
#define COMMAND_MEMORY      0x0002U
#define COMMAND_WRITABLE    0x0547U /* both, master, parity, SERR, INTx */
#define STATUS_CAPABILITIES 0x0010U
#define BAR_PORTS           0x1U
#define BAR_PORTS_LOW_BITS  0x3U
#define BAR_PORTS_MASK      0xffffU /* the rest is zero (§6.2.5.1) */
#define BAR_MEMORY_64       0x4U
#define BAR_MEMORY_LOW_BITS 0xfU
#define CONFIG_ENABLE       0x80000000U
#define BAR_BYTES_MIN       (4 * KIB)
#define BAR_BYTES_MAX       (16 * MIB)
#define BAR_PORTS_MIN       4
#define BAR_PORTS_MAX       256 /* §6.2.5.1 */

static const struct pci_ops bridge_ops;

void pci_init(struct pci_bus *bus, const struct hv *hv)
{
	/* a host bridge as virtual machines have it: nothing to drive */
	static const struct pci_identity identity = {
		.vendor = 0x1b36,
		.device = 0x0008,
		.class = 0x060000,
	};

	memset(bus, 0, sizeof(*bus));
	bus->hv = *hv;
	bus->next_bar = LAYOUT_BARS;
	bus->next_port = LAYOUT_PORTS;
	bus->next_gsi = GSI_MSI;
	pci_add(bus, &bus->bridge, &identity, &bridge_ops);
}

void pci_lock(struct pci_bus *bus)
{
	lock_take(&bus->lock);
	atomic_fetch_add(&bus->progress, 1);
}

void pci_unlock(struct pci_bus *bus)
{
	lock_release(&bus->lock);
}

int pci_add(struct pci_bus *bus, struct pci_function *function,
	    const struct pci_identity *identity, const struct pci_ops *ops)
{
	unsigned int slot = 0;
	uint8_t *config = function->config;

	while (slot < PCI_SLOTS && bus->function[slot])
		slot++;
	if (slot == PCI_SLOTS)
		return -ENOSPC;
	memset(function, 0, sizeof(*function));
	function->bus = bus;
	function->ops = ops;
	function->slot = slot;
	function->config_used = REG_HEADER_END;
	pci_put(config + REG_VENDOR, 2, identity->vendor);
	pci_put(config + REG_DEVICE, 2, identity->device);
	pci_put(config + REG_REVISION, 1, identity->revision);
	pci_put(config + REG_CLASS, 3, identity->class);
	pci_put(config + REG_SUBSYSTEM_VENDOR, 2, identity->subsystem_vendor);
	pci_put(config + REG_SUBSYSTEM, 2, identity->subsystem);
	pci_put(function->writable + REG_COMMAND, 2, COMMAND_WRITABLE);
	pci_put(function->writable + REG_CACHE_LINE, 1, 0xff);
	pci_put(function->writable + REG_INTERRUPT_LINE, 1, 0xff);
	bus->function[slot] = function;
	return 0;
}

void pci_remove(struct pci_function *function)
{
	for (unsigned int i = 0; i < function->vectors; i++)
		fd_close(&function->vector[i].fd);
	function->vectors = 0;
	if (function->bus)
		function->bus->function[function->slot] = NULL;
	function->bus = NULL;
}

/* Takes a place for bytes, aligned to them, from *next on. 0: there is none. */
static uint64_t take_place(uint64_t *next, uint64_t end, uint64_t bytes)
{
	uint64_t place = (*next + bytes - 1) & ~(bytes - 1);

	if (place + bytes > end)
		return 0;
	*next = place + bytes;
	return place;
}

/* Whether the BAR may be one of bytes: a power of two from min to max. */
static bool may_be(const struct pci_function *function, unsigned int bar,
		   uint64_t bytes, uint64_t min, uint64_t max)
{
	return bar < PCI_BARS && bar % 2 == 0 &&
	       function->bar[bar].bytes == 0 && bytes >= min && bytes <= max &&
	       (bytes & (bytes - 1)) == 0;
}

int pci_add_ports(struct pci_function *function, unsigned int bar,
		  uint64_t bytes)
{
	unsigned int reg = REG_BAR + 4 * bar;
	uint64_t port;

	if (!may_be(function, bar, bytes, BAR_PORTS_MIN, BAR_PORTS_MAX))
		return -EINVAL;
	port = take_place(&function->bus->next_port, LAYOUT_PORTS_END, bytes);
	if (port == 0)
		return -ENOSPC;
	function->bar[bar].space = SPACE_PORTS;
	function->bar[bar].bytes = bytes;
	pci_put(function->config + reg, 4, port | BAR_PORTS);
	pci_put(function->writable + reg, 4, ~(bytes - 1) & BAR_PORTS_MASK);
	return 0;
}

int pci_add_bar(struct pci_function *function, unsigned int bar, uint64_t bytes)
{
	unsigned int reg = REG_BAR + 4 * bar;
	uint64_t gpa;

	if (!may_be(function, bar, bytes, BAR_BYTES_MIN, BAR_BYTES_MAX))
		return -EINVAL;
	gpa = take_place(&function->bus->next_bar, LAYOUT_BARS_END, bytes);
	if (gpa == 0)
		return -ENOSPC;
	function->bar[bar].space = SPACE_MEMORY;
	function->bar[bar].bytes = bytes;
	pci_put(function->config + reg, 4, (uint32_t)gpa | BAR_MEMORY_64);
	pci_put(function->config + reg + 4, 4, gpa >> 32);
	pci_put(function->writable + reg, 4, ~(bytes - 1));
	pci_put(function->writable + reg + 4, 4, ~(bytes - 1) >> 32);
	return 0;
}

int pci_add_capability(struct pci_function *function, uint8_t id,
		       const void *body, const void *writable, uint8_t bytes)
{
	/* on a boundary of 4 bytes (§6.7) */
	unsigned int offset = (function->config_used + 3U) & ~3U;
	uint8_t *config = function->config;

	if (offset + 2U + bytes > PCI_CONFIG_BYTES)
		return -ENOSPC;
	config[offset] = id;
	memcpy(config + offset + 2, body, bytes);
	if (writable)
		memcpy(function->writable + offset + 2, writable, bytes);
	if (function->last_capability)
		config[function->last_capability + 1] = (uint8_t)offset;
	else
		config[REG_CAPABILITIES] = (uint8_t)offset;
	config[REG_STATUS] |= STATUS_CAPABILITIES;
	function->last_capability = offset;
	function->config_used = offset + 2U + bytes;
	return (int)offset;
}

int pci_add_notifier(struct pci_function *function, unsigned int bar,
		     uint64_t offset, uint32_t bytes, int fd)
{
	if (bar >= PCI_BARS || offset >= function->bar[bar].bytes)
		return -EINVAL;
	if (function->notifiers == PCI_NOTIFIERS_MAX)
		return -ENOSPC;
	function->notifier[function->notifiers++] = (struct pci_notifier){
		.bar = bar,
		.offset = offset,
		.bytes = bytes,
		.fd = fd,
	};
	return 0;
}

/* ---- BARs that come and go */

static void switch_notifier(struct pci_function *function,
			    struct pci_notifier *notifier, uint64_t address,
			    bool add)
{
	const struct hv *hv = &function->bus->hv;
	int error;

	error = hv->ops->ioeventfd(hv->ctx, function->bar[notifier->bar].space,
				   address + notifier->offset, notifier->bytes,
				   notifier->fd, add);
	atomic_fetch_add(&function->bus->progress, 1);
	/* -EEXIST: the guest put two BARs in one place. What isn't woken by the
	 * hypervisor is woken here, see ring(). */
	if (error && error != -EEXIST)
		log_warn("PCI device %u: ioeventfd: %s", function->slot,
			 error_name(-error));
	notifier->on = add && !error;
}

/*
 * Whether the hypervisor is told of the BAR's notifiers after this move. Each
 * call takes milliseconds under the lock of the bus. If a guest moves BARs too
 * often, writes to their notifiers are exits from then on, and ring() signals
 * the eventfd.
 */
static bool may_notify(struct pci_function *function, unsigned int bar)
{
	bool any = false;

	for (unsigned int i = 0; i < function->notifiers; i++)
		any |= function->notifier[i].bar == bar;
	if (!any || function->moves == PCI_MOVES_MAX)
		return false;
	if (++function->moves == PCI_MOVES_MAX)
		log_warn("PCI device %u: moved %u times: its notifications are "
			 "served in user space from now on",
			 function->slot, PCI_MOVES_MAX);
	return true;
}

static void switch_bar(struct pci_function *function, unsigned int bar,
		       uint64_t address, bool decoded)
{
	struct pci_bar *current = &function->bar[bar];
	bool notify;

	if (current->decoded == decoded &&
	    (!decoded || current->address == address))
		return;
	notify = decoded && may_notify(function, bar);
	for (unsigned int i = 0; i < function->notifiers; i++) {
		struct pci_notifier *notifier = &function->notifier[i];

		if (notifier->bar == bar && notifier->on)
			switch_notifier(function, notifier, current->address,
					false);
		if (notifier->bar == bar && notify)
			switch_notifier(function, notifier, address, true);
	}
	current->address = address;
	current->decoded = decoded;
}

static void update_ports(struct pci_function *function, unsigned int bar,
			 bool enabled)
{
	const uint8_t *reg = function->config + REG_BAR + 4 * bar;
	uint64_t bytes = function->bar[bar].bytes;
	uint64_t port = pci_get(reg, 4) & ~BAR_PORTS_LOW_BITS;

	switch_bar(function, bar, port,
		   enabled && port >= LAYOUT_PORTS &&
			   port <= LAYOUT_PORTS_END - bytes);
}

static void update_memory(struct pci_function *function, unsigned int bar,
			  bool enabled)
{
	const uint8_t *reg = function->config + REG_BAR + 4 * bar;
	uint64_t bytes = function->bar[bar].bytes;
	uint64_t gpa = (pci_get(reg, 4) & ~BAR_MEMORY_LOW_BITS) |
		       (uint64_t)pci_get(reg + 4, 4) << 32;

	switch_bar(function, bar, gpa,
		   enabled && gpa >= LAYOUT_BARS &&
			   gpa <= LAYOUT_BARS_END - bytes);
}

static void update_bars(struct pci_function *function)
{
	uint32_t command = pci_get(function->config + REG_COMMAND, 2);

	for (unsigned int bar = 0; bar < PCI_BARS; bar++) {
		if (function->bar[bar].bytes == 0)
			continue;
		if (function->bar[bar].space == SPACE_PORTS)
			update_ports(function, bar, command & COMMAND_PORTS);
		else
			update_memory(function, bar, command & COMMAND_MEMORY);
	}
}

/* ---- configuration space */

static bool overlaps(unsigned int offset, unsigned int bytes, unsigned int from,
		     unsigned int to)
{
	return offset < to && from < offset + bytes;
}

/* bytes is 1 to 4, within one dword of the first 256 bytes. */
static void config_write(struct pci_function *function, unsigned int offset,
			 const uint8_t *data, unsigned int bytes)
{
	unsigned int msix = function->msix_capability;

	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t mask = function->writable[offset + i];
		uint8_t *byte = &function->config[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (data[i] & mask));
	}
	if (function->ops->config_access)
		function->ops->config_access(function, offset, bytes, true);
	if (overlaps(offset, bytes, REG_COMMAND, REG_STATUS) ||
	    overlaps(offset, bytes, REG_BAR, REG_BAR + 4 * PCI_BARS))
		update_bars(function);
	if (msix && overlaps(offset, bytes, msix + 2, msix + 4))
		msix_update(function);
}

static void config_read(struct pci_function *function, unsigned int offset,
			uint8_t *data, unsigned int bytes)
{
	if (function->ops->config_access)
		function->ops->config_access(function, offset, bytes, false);
	memcpy(data, function->config + offset, bytes);
}

/* Any width and alignment: cut at each dword. */
static bool config_access(struct pci_bus *bus, unsigned int slot,
			  unsigned int offset, uint8_t *data,
			  unsigned int bytes, bool write)
{
	struct pci_function *function = slot < PCI_SLOTS ? bus->function[slot]
							 : NULL;

	if (!function)
		return false;
	while (bytes > 0) {
		unsigned int piece = 4 - offset % 4;

		if (piece > bytes)
			piece = bytes;
		if (offset >= PCI_CONFIG_BYTES) {
			/* no extended capability (PCI Express §7.9.1) */
			if (!write)
				memset(data, 0, piece);
		} else if (write) {
			config_write(function, offset, data, piece);
		} else {
			config_read(function, offset, data, piece);
		}
		offset += piece;
		data += piece;
		bytes -= piece;
	}
	return true;
}

static bool ecam_access(struct pci_bus *bus, uint64_t offset, uint8_t *data,
			unsigned int bytes, bool write)
{
	unsigned int slot = (unsigned int)(offset >> 15);
	unsigned int number = offset >> 12 & 7;

	if (number != 0)
		return false;
	return config_access(bus, slot, offset & 0xfff, data, bytes, write);
}

/* ---- accesses of the guest */

/* A write that the hypervisor would have turned into a wake-up. */
static bool ring(const struct pci_function *function, unsigned int bar,
		 uint64_t offset, unsigned int bytes)
{
	const uint64_t one = 1;

	for (unsigned int i = 0; i < function->notifiers; i++) {
		const struct pci_notifier *notifier = &function->notifier[i];

		if (notifier->bar != bar || notifier->offset != offset ||
		    (notifier->bytes != 0 && notifier->bytes != bytes))
			continue;
		/* full: it has been woken often enough */
		if (write(notifier->fd, &one, sizeof(one)) < 0 &&
		    errno != EAGAIN)
			log_warn("PCI device %u: eventfd: %s", function->slot,
				 error_name(errno));
		return true;
	}
	return false;
}

static void bar_access(struct pci_function *function, unsigned int bar,
		       uint64_t offset, uint8_t *data, unsigned int bytes,
		       bool write)
{
	uint64_t value = 0;

	if (msix_access(function, bar, offset, data, bytes, write))
		return;
	if (!write) {
		value = function->ops->bar_read(function, bar, offset, bytes);
		pci_put(data, bytes, value);
		return;
	}
	if (ring(function, bar, offset, bytes))
		return;
	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)data[i] << 8 * i;
	function->ops->bar_write(function, bar, offset, bytes, value);
}

static bool window_access(struct pci_bus *bus, enum space space,
			  uint64_t address, uint8_t *data, unsigned int bytes,
			  bool write)
{
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *function = bus->function[slot];

		for (unsigned int bar = 0; function && bar < PCI_BARS; bar++) {
			const struct pci_bar *at = &function->bar[bar];

			if (!at->decoded || at->space != space ||
			    address < at->address ||
			    address - at->address > at->bytes - bytes)
				continue;
			bar_access(function, bar, address - at->address, data,
				   bytes, write);
			return true;
		}
	}
	return false;
}

bool pci_mmio(struct pci_bus *bus, uint64_t gpa, uint8_t *data,
	      unsigned int bytes, bool write)
{
	bool answered = false;

	if (!write)
		memset(data, 0xff, bytes);
	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return false;
	pci_lock(bus);
	if (gpa >= LAYOUT_ECAM && gpa <= LAYOUT_ECAM_END - bytes)
		answered =
			ecam_access(bus, gpa - LAYOUT_ECAM, data, bytes, write);
	else if (gpa >= LAYOUT_BARS && gpa <= LAYOUT_BARS_END - bytes)
		answered = window_access(bus, SPACE_MEMORY, gpa, data, bytes,
					 write);
	pci_unlock(bus);
	return answered;
}

/* PCI Local Bus 3.0 §3.2.2.3.2: configuration mechanism #1. */
static bool data_access(struct pci_bus *bus, unsigned int offset, uint8_t *data,
			unsigned int bytes, bool write)
{
	uint32_t address = bus->config_address;

	if (!(address & CONFIG_ENABLE) || address & 0x00ff0700U)
		return false; /* another bus, another function */
	return config_access(bus, address >> 11 & 0x1f,
			     (address & 0xfc) + offset, data, bytes, write);
}

static bool config_port(struct pci_bus *bus, uint16_t port, uint8_t *data,
			unsigned int bytes, bool write)
{
	if (port >= PORT_CONFIG_DATA)
		return data_access(bus, port - PORT_CONFIG_DATA, data, bytes,
				   write);
	if (port != PORT_CONFIG_ADDRESS || bytes != 4)
		return false;
	if (write)
		bus->config_address = pci_get(data, 4);
	else
		pci_put(data, 4, bus->config_address);
	return true;
}

bool pci_port(struct pci_bus *bus, uint16_t port, uint8_t *data,
	      unsigned int bytes, bool write)
{
	bool answered = false;

	if (!write)
		memset(data, 0xff, bytes);
	if (bytes != 1 && bytes != 2 && bytes != 4)
		return false;
	pci_lock(bus);
	if (port >= LAYOUT_PORTS && port <= LAYOUT_PORTS_END - bytes)
		answered = window_access(bus, SPACE_PORTS, port, data, bytes,
					 write);
	else if (port >= PORT_CONFIG_ADDRESS &&
		 port + bytes <= PORT_CONFIG_DATA + 4U)
		answered = config_port(bus, port, data, bytes, write);
	pci_unlock(bus);
	return answered;
}
