/* SPDX-License-Identifier: ISC */
/* The ports by which a guest ends: what it asks for, and what it reads
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/vmproc/kvm_hv.h"
#include "vmproc/kvm/board.h"
#include "vmproc/kvm/layout.h"

static struct board board;

static enum shutdown out(uint16_t port, uint8_t value)
{
	return board_port(&board, port, &value, 1, true);
}

static uint8_t in(uint16_t port)
{
	uint8_t value = 0x55;

	assert_int_equal(board_port(&board, port, &value, 1, false),
			 SHUTDOWN_NONE);
	return value;
}

static void acpi_registers(void **state)
{
	(void)state;
	assert_int_equal(out(PORT_SLEEP_CONTROL, 0x20 | 5 << 2),
			 SHUTDOWN_POWEROFF);
	assert_int_equal(out(PORT_SLEEP_CONTROL, 5 << 2), SHUTDOWN_NONE);
	assert_int_equal(out(PORT_SLEEP_CONTROL, 0x20 | 3 << 2), SHUTDOWN_NONE);
	assert_int_equal(out(PORT_RESET, 1), SHUTDOWN_REBOOT);
	assert_int_equal(out(PORT_RESET, 2), SHUTDOWN_NONE);
}

static void panic(void **state)
{
	(void)state;
	assert_int_equal(in(PORT_PANIC), 3);
	assert_int_equal(out(PORT_PANIC, 1), SHUTDOWN_PANIC);
	assert_int_equal(out(PORT_PANIC, 2), SHUTDOWN_NONE);
}

/* Linux, reboot=k: waits until bit 1 is clear, up to 65,536 reads, ten
 * times. */
static void keyboard_controller(void **state)
{
	(void)state;
	assert_int_equal(in(0x64) & 3, 0);
	assert_int_equal(out(0x64, 0xfe), SHUTDOWN_REBOOT);
	assert_int_equal(out(0x64, 0xf0), SHUTDOWN_REBOOT);
	/* no pulse, or of other lines: A20 */
	assert_int_equal(out(0x64, 0xff), SHUTDOWN_NONE);
	assert_int_equal(out(0x64, 0xfd), SHUTDOWN_NONE);
	assert_int_equal(out(0x64, 0xd1), SHUTDOWN_NONE);
	assert_int_equal(out(0x60, 0xfe), SHUTDOWN_NONE);
}

/* Linux, reboot=p: which kind of reset first, and then the reset. */
static void chipset(void **state)
{
	uint8_t address[4] = { 0, 0, 0, 0x80 };

	(void)state;
	assert_int_equal(in(0xcf9), 0);
	assert_int_equal(out(0xcf9, 0x02), SHUTDOWN_NONE);
	assert_int_equal(out(0xcf9, 0x06), SHUTDOWN_REBOOT);
	assert_int_equal(out(0xcf9, 0x0e), SHUTDOWN_REBOOT);
	/* the whole register is PCI's, whatever its second byte says */
	address[1] = 0x0e;
	assert_int_equal(board_port(&board, 0xcf8, address, 4, true),
			 SHUTDOWN_NONE);
}

static int make_board(void **state)
{
	const struct hv hv = hv_fresh();

	(void)state;
	pci_init(&board.bus, &hv);
	uart_init(&board.uart, -1, -1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acpi_registers),
		cmocka_unit_test(panic),
		cmocka_unit_test(keyboard_controller),
		cmocka_unit_test(chipset),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kvm_power", tests, make_board,
					   NULL);
}
