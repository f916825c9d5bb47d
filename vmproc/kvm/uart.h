/* SPDX-License-Identifier: ISC */
/* A 16550A UART: the guest's console. */
#ifndef VMSUP_VMPROC_KVM_UART_H
#define VMSUP_VMPROC_KVM_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmproc/lock.h"

#define UART_PORTS        8
#define UART_FIFO         16
#define UART_OUTPUT_BYTES (64 * 1024) /* a power of two */

struct uart {
	struct lock lock;
	int irq_fd; /* an irqfd; not owned */
	int wake_fd; /* an eventfd: output came, or input has room; not owned */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	bool thr_pending; /* "transmitter empty" wasn't read yet */
	bool raised; /* the interrupt line, as last seen */
	uint8_t input[UART_FIFO];
	unsigned int input_head, input_count;
	bool input_wanted; /* the other side found it full */
	uint64_t output_in, output_out; /* bytes, from the start */
	uint64_t output_lost; /* bytes: nobody took them in time */
	uint8_t output[UART_OUTPUT_BYTES];
};

/* irq_fd is written when the line goes up, wake_fd when the main loop has
 * something to do; both stay the caller's. */
void uart_init(struct uart *uart, int irq_fd, int wake_fd);

/* The guest's access to one register, offset 0 to 7. Any thread. */
uint8_t uart_read(struct uart *uart, unsigned int offset);
void uart_write(struct uart *uart, unsigned int offset, uint8_t value);

/* Copies what the guest said, bytes at most, without taking it away; returns
 * how many. Then uart_took() says how many were passed on. Main loop. */
size_t uart_output(struct uart *uart, uint8_t *data, size_t bytes);
void uart_took(struct uart *uart, size_t bytes);

/* Room for input, in bytes; none: wake_fd is written when there is some. */
size_t uart_room(struct uart *uart);
/* Types bytes (at most uart_room()) to the guest. */
void uart_input(struct uart *uart, const uint8_t *data, size_t bytes);

/* What the guest has said so far, in bytes, and what of it nobody took. */
struct uart_counts {
	uint64_t bytes, lost;
};
struct uart_counts uart_counts(struct uart *uart);

#endif
