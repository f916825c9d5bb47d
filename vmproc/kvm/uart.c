/* SPDX-License-Identifier: ISC */
/*
 * A 16550A UART: the guest's console.
 *
 * Theory of operation: vCPU threads write into a ring and read from a FIFO;
 * the main loop moves both to and from the console's descriptor. Sending takes
 * no time, so the transmitter is always empty; a console that nobody reads
 * costs the guest its output (counted), never its time.
 */
#include "vmproc/kvm/uart.h"

#include <string.h>
#include <unistd.h>

enum {
	RBR,
	IER,
	IIR,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR
}; /* also THR, FCR */
#define IER_RECEIVED    0x01
#define IER_TRANSMITTED 0x02
#define IER_BITS        0x0f
#define IIR_NONE        0x01
#define IIR_TRANSMITTED 0x02
#define IIR_RECEIVED    0x04
#define IIR_FIFO        0xc0
#define FCR_ENABLE      0x01
#define FCR_CLEAR_INPUT 0x02
#define LCR_DIVISOR     0x80
#define MCR_DTR         0x01
#define MCR_RTS         0x02
#define MCR_OUT1        0x04
#define MCR_OUT2        0x08
#define MCR_LOOP        0x10
#define MCR_BITS        0x1f
#define LSR_DATA        0x01
#define LSR_EMPTY       0x60 /* holding register, and transmitter */
#define MSR_CTS         0x10
#define MSR_DSR         0x20
#define MSR_RI          0x40
#define MSR_DCD         0x80

static void write_event(int fd)
{
	const uint64_t one = 1;

	/* full: it was woken already */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

void uart_init(struct uart *uart, int irq_fd, int wake_fd)
{
	memset(uart, 0, sizeof(*uart));
	uart->irq_fd = irq_fd;
	uart->wake_fd = wake_fd;
	uart->divisor = 1;
}

static uint8_t interrupt_cause(const struct uart *uart)
{
	if (uart->ier & IER_RECEIVED && uart->input_count > 0)
		return IIR_RECEIVED;
	if (uart->ier & IER_TRANSMITTED && uart->thr_pending)
		return IIR_TRANSMITTED;
	return IIR_NONE;
}

/* The line is edge-triggered: an interrupt for each time that it goes up. A
 * driver reads the cause until there is none, so the line comes down. */
static void update_line(struct uart *uart)
{
	bool up = interrupt_cause(uart) != IIR_NONE;

	if (up && !uart->raised)
		write_event(uart->irq_fd);
	uart->raised = up;
}

static void put_input(struct uart *uart, uint8_t value)
{
	unsigned int at = (uart->input_head + uart->input_count) % UART_FIFO;

	if (uart->input_count == UART_FIFO)
		return;
	uart->input[at] = value;
	uart->input_count++;
}

/* Who found the FIFO full learns that there is room. */
static void tell_room(struct uart *uart)
{
	if (uart->input_count > 0 || !uart->input_wanted)
		return;
	uart->input_wanted = false;
	write_event(uart->wake_fd);
}

static uint8_t take_input(struct uart *uart)
{
	uint8_t value;

	if (uart->input_count == 0)
		return 0;
	value = uart->input[uart->input_head];
	uart->input_head = (uart->input_head + 1) % UART_FIFO;
	uart->input_count--;
	tell_room(uart);
	return value;
}

static void transmit(struct uart *uart, uint8_t value)
{
	if (uart->mcr & MCR_LOOP) {
		put_input(uart, value);
		return;
	}
	if (uart->output_in - uart->output_out == UART_OUTPUT_BYTES) {
		uart->output_lost++;
		return;
	}
	if (uart->output_in == uart->output_out)
		write_event(uart->wake_fd);
	uart->output[uart->output_in++ % UART_OUTPUT_BYTES] = value;
}

/* In a loop, what is sent out comes back: OUT2 as DCD, and so on. */
static uint8_t modem_status(const struct uart *uart)
{
	static const struct {
		uint8_t mcr, msr;
	} loop[] = {
		{ MCR_RTS, MSR_CTS },
		{ MCR_DTR, MSR_DSR },
		{ MCR_OUT1, MSR_RI },
		{ MCR_OUT2, MSR_DCD },
	};
	uint8_t status = 0;

	if (!(uart->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	for (size_t i = 0; i < sizeof(loop) / sizeof(loop[0]); i++)
		if (uart->mcr & loop[i].mcr)
			status |= loop[i].msr;
	return status;
}

static uint8_t read_identification(struct uart *uart)
{
	uint8_t value = interrupt_cause(uart);

	if (value == IIR_TRANSMITTED) /* reading it is the acknowledgement */
		uart->thr_pending = false;
	return value | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

uint8_t uart_read(struct uart *uart, unsigned int offset)
{
	uint8_t value = 0xff;
	bool divisor;

	lock_take(&uart->lock);
	divisor = uart->lcr & LCR_DIVISOR;
	switch (offset) {
	case RBR:
		value = divisor ? (uint8_t)uart->divisor : take_input(uart);
		break;
	case IER:
		value = divisor ? (uint8_t)(uart->divisor >> 8) : uart->ier;
		break;
	case IIR:
		value = read_identification(uart);
		break;
	case LCR:
		value = uart->lcr;
		break;
	case MCR:
		value = uart->mcr;
		break;
	case LSR:
		value = LSR_EMPTY | (uart->input_count > 0 ? LSR_DATA : 0);
		break;
	case MSR:
		value = modem_status(uart);
		break;
	case SCR:
		value = uart->scr;
		break;
	default:
		break;
	}
	update_line(uart);
	lock_release(&uart->lock);
	return value;
}

static void write_data(struct uart *uart, uint8_t value)
{
	if (uart->lcr & LCR_DIVISOR) {
		uart->divisor = (uint16_t)((uart->divisor & 0xff00) | value);
		return;
	}
	transmit(uart, value);
	uart->thr_pending = true;
}

static void write_enable(struct uart *uart, uint8_t value)
{
	if (uart->lcr & LCR_DIVISOR) {
		uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
		return;
	}
	if (~uart->ier & value & IER_TRANSMITTED)
		uart->thr_pending = true; /* it is empty: tell it */
	uart->ier = value & IER_BITS;
}

void uart_write(struct uart *uart, unsigned int offset, uint8_t value)
{
	lock_take(&uart->lock);
	switch (offset) {
	case RBR:
		write_data(uart, value);
		break;
	case IER:
		write_enable(uart, value);
		break;
	case IIR:
		uart->fcr = value;
		if (value & FCR_CLEAR_INPUT) {
			uart->input_count = 0;
			tell_room(uart);
		}
		break;
	case LCR:
		uart->lcr = value;
		break;
	case MCR:
		uart->mcr = value & MCR_BITS;
		break;
	case SCR:
		uart->scr = value;
		break;
	default:
		break;
	}
	update_line(uart);
	lock_release(&uart->lock);
}

size_t uart_output(struct uart *uart, uint8_t *data, size_t bytes)
{
	size_t count;

	lock_take(&uart->lock);
	count = uart->output_in - uart->output_out;
	if (count > bytes)
		count = bytes;
	for (size_t i = 0; i < count; i++)
		data[i] =
			uart->output[(uart->output_out + i) % UART_OUTPUT_BYTES];
	lock_release(&uart->lock);
	return count;
}

void uart_took(struct uart *uart, size_t bytes)
{
	lock_take(&uart->lock);
	uart->output_out += bytes;
	lock_release(&uart->lock);
}

size_t uart_room(struct uart *uart)
{
	size_t room;

	lock_take(&uart->lock);
	room = UART_FIFO - uart->input_count;
	uart->input_wanted = room == 0;
	lock_release(&uart->lock);
	return room;
}

void uart_input(struct uart *uart, const uint8_t *data, size_t bytes)
{
	lock_take(&uart->lock);
	for (size_t i = 0; i < bytes; i++)
		put_input(uart, data[i]);
	update_line(uart);
	lock_release(&uart->lock);
}

struct uart_counts uart_counts(struct uart *uart)
{
	struct uart_counts counts;

	lock_take(&uart->lock);
	counts.bytes = uart->output_in;
	counts.lost = uart->output_lost;
	lock_release(&uart->lock);
	return counts;
}
