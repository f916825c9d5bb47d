/* SPDX-License-Identifier: ISC */
/* The UART, the ports around it, and memory, as a guest sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/vmproc/kvm_hv.h"
#include "vmproc/kvm/board.h"
#include "vmproc/kvm/memory.h"

static struct board board;
static int irq_fd, wake_fd;

static int setup(void **state)
{
	const struct hv hv = hv_fresh();

	(void)state;
	irq_fd = eventfd(0, EFD_NONBLOCK);
	wake_fd = eventfd(0, EFD_NONBLOCK);
	pci_init(&board.bus, &hv);
	uart_init(&board.uart, irq_fd, wake_fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(irq_fd);
	close(wake_fd);
	return 0;
}

static uint64_t rung(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static enum shutdown out(uint16_t port, uint8_t value)
{
	return board_port(&board, port, &value, 1, true);
}

static uint8_t in(uint16_t port)
{
	uint8_t value = 0;

	board_port(&board, port, &value, 1, false);
	return value;
}

#define UART(offset) (PORT_UART + (offset))

static void output_wakes_once(void **state)
{
	uint8_t text[16];

	(void)state;
	out(UART(0), 'h');
	out(UART(0), 'i');
	assert_int_equal(rung(wake_fd), 1);
	assert_int_equal(uart_output(&board.uart, text, sizeof(text)), 2);
	assert_memory_equal(text, "hi", 2);
	uart_took(&board.uart, 1);
	assert_int_equal(uart_output(&board.uart, text, sizeof(text)), 1);
	assert_int_equal(text[0], 'i');
	assert_int_equal(in(UART(5)), 0x60);
	assert_int_equal(rung(irq_fd), 0);
}

static void full_ring_loses_and_counts(void **state)
{
	(void)state;
	for (int i = 0; i < UART_OUTPUT_BYTES + 10; i++)
		out(UART(0), 'x');
	assert_int_equal(board.uart.output_lost, 10);
	uart_took(&board.uart, UART_OUTPUT_BYTES);
	out(UART(0), 'y');
	assert_int_equal(board.uart.output_lost, 10);
}

static void transmitter_interrupt(void **state)
{
	(void)state;
	out(UART(1), 2);
	assert_int_equal(rung(irq_fd), 1);
	assert_int_equal(in(UART(2)), 2); /* and that acknowledges it */
	assert_int_equal(in(UART(2)), 1);
	for (int i = 0; i < 16; i++)
		out(UART(0), 'x');
	assert_int_equal(rung(irq_fd), 1);
	assert_int_equal(in(UART(2)), 2);
	out(UART(0), 'x');
	assert_int_equal(rung(irq_fd), 1);
}

static void input_fills_the_fifo(void **state)
{
	(void)state;
	out(UART(2), 1);
	out(UART(1), 1);
	assert_int_equal(uart_room(&board.uart), UART_FIFO);
	uart_input(&board.uart, (const uint8_t *)"0123456789abcdefgh", 18);
	assert_int_equal(uart_room(&board.uart), 0);
	assert_int_equal(rung(irq_fd), 1);
	assert_int_equal(in(UART(2)), 0xc4);
	assert_int_equal(in(UART(5)), 0x61);
	for (int i = 0; i < 15; i++)
		assert_int_equal(in(UART(0)), "0123456789abcde"[i]);
	assert_int_equal(rung(wake_fd), 0);
	assert_int_equal(in(UART(0)), 'f');
	assert_int_equal(rung(wake_fd), 1);
	assert_int_equal(in(UART(0)), 0);
	assert_int_equal(in(UART(2)), 0xc1);
}

static void registers_keep(void **state)
{
	(void)state;
	out(UART(7), 0xa5);
	assert_int_equal(in(UART(7)), 0xa5);
	out(UART(3), 0x83);
	out(UART(0), 0x34);
	out(UART(1), 0x12);
	assert_int_equal(in(UART(0)), 0x34);
	assert_int_equal(in(UART(1)), 0x12);
	out(UART(3), 3);
	assert_int_equal(in(UART(1)), 0);
	out(UART(4), 0x1a); /* loop: RTS, OUT2 */
	assert_int_equal(in(UART(6)), 0x90);
	out(UART(0), 'L');
	assert_int_equal(in(UART(0)), 'L');
	assert_int_equal(board.uart.output_in, 0);
}

static void power(void **state)
{
	uint8_t wide[4] = { 0, 0, 1, 0 };

	(void)state;
	assert_int_equal(out(PORT_SLEEP_CONTROL, 5 << 2), SHUTDOWN_NONE);
	assert_int_equal(out(PORT_SLEEP_CONTROL, 3 << 2 | 0x20), SHUTDOWN_NONE);
	assert_int_equal(out(PORT_SLEEP_CONTROL, 5 << 2 | 0x20),
			 SHUTDOWN_POWEROFF);
	assert_int_equal(out(PORT_RESET, 0), SHUTDOWN_NONE);
	assert_int_equal(out(PORT_RESET, 1), SHUTDOWN_REBOOT);
	assert_int_equal(in(PORT_PANIC), 3);
	assert_int_equal(out(PORT_PANIC, 2), SHUTDOWN_NONE);
	assert_int_equal(out(PORT_PANIC, 1), SHUTDOWN_PANIC);
	/* each byte of a wide access is a port of its own */
	assert_int_equal(board_port(&board, PORT_SLEEP_CONTROL, wide, 4, true),
			 SHUTDOWN_REBOOT);
}

static void empty_ports_read_ones(void **state)
{
	uint8_t data[4] = { 0 };

	(void)state;
	board_port(&board, 0xfffe, data, 4, false);
	assert_memory_equal(data, "\xff\xff\xff\xff", 4);
	board_port(&board, 0x60, data, 1, false);
	assert_int_equal(data[0], 0xff);
	board_port(&board, PORT_UART + 6, data, 4, false);
	assert_memory_equal(data, "\xb0\x00\xff\xff", 4);
}

static void guest_ptr_bounds(void **state)
{
	struct memory memory;

	(void)state;
	assert_int_equal(memory_init(&memory, 0, false), -EINVAL);
	assert_int_equal(memory_init(&memory, 4095, false), -EINVAL);
	/* nothing is there before it is touched */
	assert_int_equal(memory_init(&memory, LAYOUT_HOLE + 4096, false), 0);
	assert_ptr_equal(guest_ptr(&memory, 0, 1), memory.base);
	assert_non_null(guest_ptr(&memory, LAYOUT_HOLE - 8, 8));
	assert_null(guest_ptr(&memory, LAYOUT_HOLE - 8, 9));
	assert_null(guest_ptr(&memory, LAYOUT_HOLE, 1));
	assert_null(guest_ptr(&memory, LAYOUT_HOLE_END - 1, 2));
	assert_ptr_equal(guest_ptr(&memory, LAYOUT_HOLE_END, 4096),
			 memory.base + LAYOUT_HOLE);
	assert_null(guest_ptr(&memory, LAYOUT_HOLE_END, 4097));
	assert_null(guest_ptr(&memory, LAYOUT_HOLE_END + 4095, UINT64_MAX));
	assert_null(guest_ptr(&memory, UINT64_MAX, 2));
	assert_null(guest_ptr(&memory, 16, UINT64_MAX - 8));
	assert_null(guest_ptr(&memory, 0, 0));
	memory_uninit(&memory);
	assert_null(guest_ptr(&memory, 0, 1));
}

/* As a driver does that is opened: who types must learn that there is room. */
static void clearing_the_fifo_makes_room(void **state)
{
	static const uint8_t typed[UART_FIFO];

	(void)state;
	uart_input(&board.uart, typed, sizeof(typed));
	assert_int_equal(uart_room(&board.uart), 0);
	assert_int_equal(rung(wake_fd), 0);
	out(UART(2), 0x07);
	assert_int_equal(rung(wake_fd), 1);
	assert_int_equal(uart_room(&board.uart), UART_FIFO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_wakes_once),
		TEST(full_ring_loses_and_counts),
		TEST(transmitter_interrupt),
		TEST(input_fills_the_fifo),
		TEST(registers_keep),
		TEST(power),
		TEST(empty_ports_read_ones),
		TEST(guest_ptr_bounds),
		TEST(clearing_the_fifo_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
