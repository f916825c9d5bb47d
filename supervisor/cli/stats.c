/* SPDX-License-Identifier: ISC */
/* vmsup stats: counters of a VM's devices, queues and exits. */
#include "supervisor/cli/stats.h"

#include <stdio.h>

#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/table.h"

enum {
	OPT_JSON
};

static const struct cli_option options[] = {
	[OPT_JSON] = { "json", 'J', NULL, false, "as JSON" },
	{ 0 },
};

static int print_table(json_t *counters)
{
	struct libscols_table *table = table_new(false, false);
	bool good = table && table_column(table, "COUNTER", 0) &&
		    table_column(table, "VALUE", TABLE_RIGHT);
	const char *name;
	json_t *value;

	json_object_foreach(counters, name, value) {
		char text[32];
		const char *cells[] = { name, text };

		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		good = good && table_row(table, cells, 2);
	}
	if (good)
		return table_print(table);
	table_free(table);
	return report_error("cannot print the table: out of memory");
}

static int run_stats(const struct cli *cli, const struct cli_args *args)
{
	json_t *reply, *counters;
	int status = conn_ask(cli, "Stats",
			      json_pack("{s:s}", "name", args->names[0]),
			      &reply);

	if (status)
		return status;
	counters = json_object_get(reply, "counters");
	if (args->values[OPT_JSON]) {
		json_dumpf(counters, stdout, JSON_INDENT(2));
		printf("\n");
		status = report_flush();
	} else {
		status = print_table(counters);
	}
	json_decref(reply);
	return status;
}

const struct cli_command stats_command = {
	.name = "stats",
	.usage = "[--json] NAME",
	.summary = "show the counters of a VM's devices, queues and exits",
	.details =
		"Of guest kvm, and of the first-hop guard on any; what else "
		"the builtin guest\ncounts, and what vhost-net moves, is in 'vmsup status --json'.\n",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.missing = "no VM named",
	.names_vms = true,
	.run = run_stats,
};
