/* SPDX-License-Identifier: ISC */
/*
 * A guest's accesses: ports and memory, any address, width, value and order,
 * against a board with a device whose BARs, vectors and notifiers are checked
 * after each of them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "tests/unit/vmproc/kvm_hv.h"
#include "vmproc/kvm/board.h"
#include "vmproc/kvm/msix.h"

#define CARDS     2
#define BAR_BYTES 0x4000ULL
#define VECTORS   4
#define PORTS     16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct board board;
static struct pci_function card[CARDS];
static int notify_fd[CARDS], irq_fd, wake_fd;

static uint64_t card_read(struct pci_function *function, unsigned int bar,
			  uint64_t offset, unsigned int bytes)
{
	if ((bar != 0 && bar != 2) || bytes == 0 || bytes > 8 ||
	    offset + bytes > function->bar[bar].bytes ||
	    !function->bar[bar].decoded)
		abort();
	return offset;
}

static void card_write(struct pci_function *function, unsigned int bar,
		       uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)value;
	card_read(function, bar, offset, bytes);
}

static void card_config(struct pci_function *function, unsigned int offset,
			unsigned int bytes, bool write)
{
	(void)function;
	(void)write;
	if (bytes == 0 || bytes > 4 || offset / 4 != (offset + bytes - 1) / 4 ||
	    offset + bytes > PCI_CONFIG_BYTES)
		abort();
}

static const struct pci_ops card_ops = {
	.bar_read = card_read,
	.bar_write = card_write,
	.config_access = card_config,
};

static void quiet(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
}

static void begin(void)
{
	static const struct pci_identity identity = { .vendor = 0x1af4 };
	const struct hv hv = hv_fresh();

	log_set(quiet, NULL, LOG_LEVEL_ERROR);
	irq_fd = eventfd(0, EFD_NONBLOCK);
	wake_fd = eventfd(0, EFD_NONBLOCK);
	pci_init(&board.bus, &hv);
	uart_init(&board.uart, irq_fd, wake_fd);
	for (int i = 0; i < CARDS; i++) {
		notify_fd[i] = eventfd(0, EFD_NONBLOCK);
		if (pci_add(&board.bus, &card[i], &identity, &card_ops) ||
		    pci_add_bar(&card[i], 0, BAR_BYTES) ||
		    msix_add(&card[i], VECTORS, 0, 0x1000, 0x1800) ||
		    pci_add_ports(&card[i], 2, PORTS) ||
		    pci_add_notifier(&card[i], 2, 0, 0, notify_fd[i]) ||
		    pci_add_notifier(&card[i], 2, 4, 2, notify_fd[i]) ||
		    pci_add_notifier(&card[i], 0, 0x2000, 0, notify_fd[i]) ||
		    pci_add_notifier(&card[i], 0, 0x2004, 2, notify_fd[i]))
			abort();
	}
}

static void end(void)
{
	for (int i = 0; i < CARDS; i++) {
		pci_remove(&card[i]);
		close(notify_fd[i]);
	}
	close(irq_fd);
	close(wake_fd);
}

/* Decoded within the window, aligned to its size, or not at all. */
static void check_bar(const struct pci_bar *bar, uint64_t first, uint64_t end)
{
	if (bar->decoded &&
	    (bar->address % bar->bytes != 0 || bar->address < first ||
	     bar->address > end - bar->bytes))
		abort();
}

/* What must hold whatever the guest does. */
static void check(void)
{
	for (int i = 0; i < CARDS; i++) {
		check_bar(&card[i].bar[0], LAYOUT_BARS, LAYOUT_BARS_END);
		check_bar(&card[i].bar[2], LAYOUT_PORTS, LAYOUT_PORTS_END);
		for (unsigned int v = 0; v < VECTORS; v++) {
			const struct pci_vector *vector = &card[i].vector[v];
			int fd = hv_memory.irqfd[vector->gsi];

			if (fd != (vector->on ? vector->fd : 0))
				abort();
		}
		if (card[i].config[0] != 0xf4 || card[i].config[1] != 0x1a)
			abort();
	}
	for (unsigned int i = 0; i < hv_memory.ioeventfds; i++) {
		bool ports = hv_memory.ioeventfd[i].space == SPACE_PORTS;
		uint64_t address = hv_memory.ioeventfd[i].address;

		if (address < (ports ? LAYOUT_PORTS : LAYOUT_BARS) ||
		    address >= (ports ? LAYOUT_PORTS_END : LAYOUT_BARS_END))
			abort();
	}
}

struct access {
	uint8_t kind; /* where; bit 3: with purpose; 4, 5: width; 7: write */
	uint8_t slot;
	uint16_t offset;
	uint64_t value;
};

static uint64_t address_of(const struct access *access)
{
	const struct pci_function *function = &card[access->slot % CARDS];

	switch (access->kind & 7) {
	case 0: /* configuration space, near the devices */
		return LAYOUT_ECAM + ((uint64_t)(access->slot % 4) << 15) +
		       access->offset % 0x110;
	case 1: /* a BAR, where it is */
		return function->bar[0].address + access->offset % BAR_BYTES;
	case 2: /* its table */
		return function->bar[0].address + 0x1000 +
		       access->offset % 0x50;
	case 3: /* a window's edge */
		return LAYOUT_BARS_END - 16 + access->offset % 32;
	default: /* anywhere */
		return access->value;
	}
}

static void write_to(uint64_t gpa, uint32_t value)
{
	uint8_t bytes[4];

	memcpy(bytes, &value, sizeof(bytes));
	board_mmio(&board, gpa, bytes, sizeof(bytes), true);
}

/* What takes several right writes: a BAR on or over another one, or beyond the
 * window; a vector switched on, with another address, off. */
static void serve_purpose(const struct access *access)
{
	const struct pci_function *function = &card[access->slot % CARDS];
	uint64_t config = LAYOUT_ECAM + ((uint64_t)function->slot << 15);
	uint64_t entry = function->bar[0].address + 0x1000 +
			 access->slot / CARDS % VECTORS * 16ULL;

	switch (access->kind & 3) {
	case 0:
		write_to(config + 0x10,
			 (uint32_t)(LAYOUT_BARS +
				    access->offset % 4 * BAR_BYTES));
		break;
	case 1:
		write_to(config + 0x10,
			 (uint32_t)(LAYOUT_BARS_END +
				    (access->offset % 4 - 2) * BAR_BYTES));
		write_to(config + 0x14, access->offset >> 15);
		break;
	case 2:
		write_to(config + 4, access->offset & 7);
		write_to(config + 0x18, (uint32_t)access->value);
		write_to(config + function->msix_capability,
			 (uint32_t)access->offset << 16);
		break;
	default:
		write_to(entry, (uint32_t)access->value);
		write_to(entry + 12, access->offset & 1);
	}
}

static uint16_t port_of(const struct access *access)
{
	const uint16_t ports[] = {
		0x3f8,
		0x505,
		0x600,
		0xcf8,
		0xcfc,
		(uint16_t)card[0].bar[2].address,
		(uint16_t)(card[CARDS - 1].bar[2].address + PORTS - 4),
	};

	return (uint16_t)(ports[access->slot % ARRAY_SIZE(ports)] +
			  access->offset % 8);
}

static void serve(const struct access *access)
{
	unsigned int width = 1U << (access->kind >> 4 & 3);
	bool write = access->kind & 0x80;
	uint8_t value[8];

	memcpy(value, &access->value, sizeof(value));
	switch (access->kind & 7) {
	case 5: /* ports that are there */
		board_port(&board, port_of(access), value,
			   width > 4 ? 4 : width, write);
		break;
	case 6: /* any port */
		board_port(&board, access->offset, value, width > 4 ? 4 : width,
			   write);
		break;
	case 7: /* the other sides: the console, the devices */
		uart_took(&board.uart, uart_output(&board.uart, value, 8));
		uart_input(&board.uart, value, width % (UART_FIFO + 1));
		msix_signal(&card[0], access->offset);
		break;
	default:
		board_mmio(&board, address_of(access), value,
			   access->offset & 0x8000 ? access->slot % 9 : width,
			   write);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct access access;

	begin();
	for (; bytes >= sizeof(access); bytes -= sizeof(access)) {
		memcpy(&access, data, sizeof(access));
		data += sizeof(access);
		if (access.kind & 8)
			serve_purpose(&access);
		else
			serve(&access);
		check();
	}
	end();
	return 0;
}
