/* SPDX-License-Identifier: ISC */
/* What of a kernel's command line a user is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/cli/cmdline.h"

static char told[512];

static void tell(void *ctx, const char *hint)
{
	size_t length = strlen(told);

	(void)ctx;
	snprintf(told + length, sizeof(told) - length, "%.*s|",
		 (int)strcspn(hint, ":"), hint);
}

static void assert_told(const char *cmdline, const char *hints)
{
	told[0] = '\0';
	cmdline_hints(cmdline, tell, NULL);
	assert_string_equal(told, hints);
}

static void nothing_of_a_good_one(void **state)
{
	(void)state;
	assert_told("console=ttyS0", "");
	assert_told("  quiet console=ttyS0,115200n8\tpanic=-1\n", "");
	assert_told("console=uart,io,0x3f8 root=/dev/vda", "");
	assert_told("console=ttyS0 pci=nocrs acpi=force apic=verbose", "");
}

static void a_console_that_is_missing(void **state)
{
	(void)state;
	assert_told("", "no console=ttyS0|");
	assert_told("quiet", "no console=ttyS0|");
	assert_told("console=tty0", "no console=ttyS0|");
	assert_told("myconsole=ttyS0", "no console=ttyS0|");
	/* what is init's, and what is a text */
	assert_told("quiet -- console=ttyS0", "no console=ttyS0|");
	assert_told("init=\"/bin/sh console=ttyS0\"", "no console=ttyS0|");
}

static void what_leaves_half_a_machine(void **state)
{
	char cmdline[400];

	(void)state;
	assert_told("console=ttyS0 pci=off", "pci=off|");
	assert_told("acpi=off console=ttyS0 no-kvmclock",
		    "acpi=off|no-kvmclock|");
	assert_told("console=ttyS0 pci=nocrs,off,nomsi", "pci=off|pci=nomsi|");
	assert_told("console=ttyS0 noapic nolapic", "noapic|nolapic|");
	assert_told("console=ttyS0 \"pci=off\"", "pci=off|");
	assert_told("console=ttyS0 pci=offset acpi=offline noapics xpci=off",
		    "");
	assert_told("console=ttyS0 -- pci=off", "");
	/* longer than any word that is known */
	memset(cmdline, 'x', sizeof(cmdline));
	memcpy(cmdline, "console=ttyS0 ", 14);
	snprintf(cmdline + 300, 100, " pci=off");
	assert_told(cmdline, "pci=off|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_of_a_good_one),
		cmocka_unit_test(a_console_that_is_missing),
		cmocka_unit_test(what_leaves_half_a_machine),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cli_cmdline", tests, NULL, NULL);
}
