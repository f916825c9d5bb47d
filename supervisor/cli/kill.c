/* SPDX-License-Identifier: ISC */
/* vmsup kill: the fault drill. It sends a signal to processes of VMs. */
#include "supervisor/cli/kill.h"

#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/signame.h"

enum {
	OPT_SIGNAL
};

static const struct cli_option options[] = {
	[OPT_SIGNAL] = { "signal", 's', "SIGNAL", false,
			 "this one: SEGV, SIGSEGV or 11 (KILL)" },
	{ 0 },
};

static int run_kill(const struct cli *cli, const struct cli_args *args)
{
	const char *given = args->values[OPT_SIGNAL];
	const char *signal = signame_parse(given ? given : "KILL");

	if (!signal)
		return report_usage("kill", "unknown signal \"%s\"", given);
	return conn_ask(cli, "Kill",
			json_pack("{s:o, s:s}", "names",
				  conn_names(args->names, args->count),
				  "signal", signal),
			NULL);
}

const struct cli_command kill_command = {
	.name = "kill",
	.usage = "[--signal SIGNAL] NAME...",
	.summary = "send VM processes a signal: the fault drill",
	.details = "The supervisor treats what comes of it as a death that "
		   "nobody asked for.\n",
	.options = options,
	.min_args = 1,
	.max_args = -1,
	.missing = "no VM named",
	.names_vms = true,
	.run = run_kill,
};
