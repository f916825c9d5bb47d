/* SPDX-License-Identifier: ISC */
/* vmsup deaths: how a VM's processes ended, one line each. */
#include "supervisor/cli/deaths.h"

#include <stdio.h>

#include "ipc/fd.h"
#include "supervisor/cli/columns.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/text.h"

enum {
	OPT_JSON,
};

static const struct cli_option options[] = {
	[OPT_JSON] = { "json", 'J', NULL, false, "print JSON" },
	{ 0 },
};

static bool add_row(struct libscols_table *table, const json_t *death)
{
	char generation[24], uptime[TEXT_SIZE], exit[COLUMNS_CELL_SIZE];
	const char *cells[] = {
		field_text(death, "time"),
		generation,
		uptime,
		json_is_true(json_object_get(death, "asked")) ? "yes" : "no",
		columns_exit(death, exit, sizeof(exit)),
	};

	snprintf(generation, sizeof(generation), "%" JSON_INTEGER_FORMAT,
		 field_int(death, "generation"));
	text_duration(json_number_value(json_object_get(death, "uptime_s")),
		      uptime);
	return table_row(table, cells, ARRAY_SIZE(cells));
}

static int print_table(const json_t *deaths)
{
	struct libscols_table *table = table_new(false, false);
	json_t *death;
	size_t i;
	bool ok = table && table_column(table, "TIME", 0) &&
		  table_column(table, "GEN", TABLE_RIGHT) &&
		  table_column(table, "UPTIME", TABLE_RIGHT) &&
		  table_column(table, "ASKED", 0) &&
		  table_column(table, "EXIT", TABLE_WRAP);

	json_array_foreach(deaths, i, death)
		ok = ok && add_row(table, death);
	if (ok)
		return table_print(table);
	table_free(table);
	return report_error("out of memory");
}

static int print_deaths(const json_t *deaths, bool as_json)
{
	if (!as_json)
		return print_table(deaths);
	if (json_dumpf(deaths, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0)
		putchar('\n');
	return report_flush();
}

static int run_deaths(const struct cli *cli, const struct cli_args *args)
{
	json_t *reply;
	int status = conn_ask(cli, "Deaths",
			      json_pack("{s:s}", "name", args->names[0]),
			      &reply);

	if (!status)
		status = print_deaths(json_object_get(reply, "deaths"),
				      args->values[OPT_JSON]);
	json_decref(reply);
	return status;
}

const struct cli_command deaths_command = {
	.name = "deaths",
	.usage = "[--json] NAME",
	.summary = "show how a VM's processes ended",
	.details = "The last 100. ASKED: by stop or restart.\n",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.missing = "no VM named",
	.names_vms = true,
	.run = run_deaths,
};
