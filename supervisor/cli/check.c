/* SPDX-License-Identifier: ISC */
/* vmsup check: what this host has, what it lacks, and the remedy. */
#include "supervisor/cli/check.h"

#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/cli/check_cpu.h"
#include "supervisor/cli/check_guard.h"
#include "supervisor/cli/check_host.h"
#include "supervisor/cli/check_kernel.h"
#include "supervisor/cli/finding.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/table.h"

/* The longest word of the column STATE, and a blank. */
#define STATE_WIDTH (sizeof("optional"))

static const struct {
	const char *name;
	check_fn *look;
	bool required;
} checks[] = {
	{ "Linux 5.10", check_linux, true },
	{ "root", check_root, true },
	{ "vmproc", check_vmproc, true },
	{ "/dev/net/tun", check_tun, true },
	{ "bridge and TAP", check_bridge, true },
	{ "namespaces", check_namespaces, true },
	{ "seccomp", check_seccomp, true },
	{ "system calls", check_syscalls, true },
	{ "descriptors", check_descriptors, false },
	{ "adoption", check_adoption, false },
	{ "Landlock", check_landlock, false },
	{ "MDWE", check_mdwe, false },
	{ "SO_PASSRIGHTS", check_passrights, false },
	{ "cgroup v2", check_cgroup, false },
	{ "SMT", check_smt, false },
	{ "mitigations", check_mitigations, false },
	{ "KSM", check_ksm, false },
	{ "group vmsup", check_group, false },
	{ "IPv6", check_ipv6, false },
	{ "first-hop guard", check_guard, false },
	{ "/dev/kvm", check_kvm, false },
};

/* The column at which the text begins. */
static unsigned int text_column(void)
{
	size_t longest = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (strlen(checks[i].name) > longest)
			longest = strlen(checks[i].name);
	return (unsigned int)(longest + 1 + STATE_WIDTH);
}

static int run_check(const struct cli *cli, const struct cli_args *args)
{
	struct libscols_table *table = table_new(false, false);
	bool good = table && table_column(table, "WHAT", 0) &&
		    table_column(table, "STATE", 0) &&
		    table_column(table, "MEANING OR REMEDY", TABLE_FOLD);
	unsigned int missing = 0;
	int status;

	(void)cli;
	(void)args;
	for (size_t i = 0; good && i < ARRAY_SIZE(checks); i++) {
		struct finding finding = { 0 };
		const char *cells[] = { checks[i].name, "ok", finding.text };

		if (!checks[i].look(&finding)) {
			cells[1] = checks[i].required ? "missing" : "optional";
			missing += checks[i].required;
		}
		table_fold(finding.text, text_column());
		good = table_row(table, cells, ARRAY_SIZE(cells));
	}
	if (!good) {
		table_free(table);
		return report_error("cannot print the table: out of memory");
	}
	status = table_print(table);
	if (!status && missing)
		status = report_error(
			"check: %u thing%s missing without which no "
			"VM can run (the table has the remedies)",
			missing, missing == 1 ? " is" : "s are");
	return status;
}

const struct cli_command check_command = {
	.name = "check",
	.usage = "",
	.summary = "show what this host has and lacks, with the remedy",
	.details = "What can be tried is tried, in namespaces of its own: "
		   "nothing on the host is\nchanged. States: ok, missing "
		   "(nothing runs without it), optional (not there).\n",
	.run = run_check,
};
