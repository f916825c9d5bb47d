/* SPDX-License-Identifier: ISC */
/* Passes each access of the guest to its device. */
#include "vmproc/kvm/board.h"

#include "vmproc/kvm/layout.h"

static enum shutdown byte_access(struct board *board, uint16_t port,
				 uint8_t *data, bool write)
{
	unsigned int offset = (unsigned int)port - PORT_UART;

	if (port >= PORT_UART && offset < UART_PORTS) {
		if (write)
			uart_write(&board->uart, offset, *data);
		else
			*data = uart_read(&board->uart, offset);
		return SHUTDOWN_NONE;
	}
	if (power_owns(port)) {
		if (write)
			return power_write(port, *data);
		*data = power_read(port);
		return SHUTDOWN_NONE;
	}
	pci_port(&board->bus, port, data, 1, write);
	return SHUTDOWN_NONE;
}

/* PCI takes an access of several bytes as one; elsewhere, each byte is a port
 * of its own. */
enum shutdown board_port(struct board *board, uint16_t port, uint8_t *data,
			 unsigned int bytes, bool write)
{
	enum shutdown reason = SHUTDOWN_NONE;

	if (bytes > 1 && pci_port(&board->bus, port, data, bytes, write))
		return SHUTDOWN_NONE;
	for (unsigned int i = 0; i < bytes; i++) {
		enum shutdown asked = byte_access(board, (uint16_t)(port + i),
						  data + i, write);

		if (reason == SHUTDOWN_NONE)
			reason = asked;
	}
	return reason;
}

void board_mmio(struct board *board, uint64_t gpa, uint8_t *data,
		unsigned int bytes, bool write)
{
	pci_mmio(&board->bus, gpa, data, bytes, write);
}
