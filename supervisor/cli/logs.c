/* SPDX-License-Identifier: ISC */
/* vmsup logs: the log lines of a VM's process. */
#include "supervisor/cli/logs.h"

#include "supervisor/cli/field.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/stream.h"

enum {
	OPT_FOLLOW,
	OPT_PREVIOUS,
};

static const struct cli_option options[] = {
	[OPT_FOLLOW] = { "follow", 'f', NULL, false,
			 "go on with lines as they come, until Ctrl-C" },
	[OPT_PREVIOUS] = { "previous", 'p', NULL, false,
			   "of the generation before" },
	{ 0 },
};

static void on_lines(void *ctx, const json_t *parameters)
{
	json_int_t dropped = field_int(parameters, "dropped");
	json_t *line;
	size_t i;

	(void)ctx;
	if (dropped > 0)
		report_error("%" JSON_INTEGER_FORMAT
			     " older lines were dropped "
			     "(too many, or too fast)",
			     dropped);
	json_array_foreach(json_object_get(parameters, "lines"), i, line)
		stream_log_line(line);
}

static int run_logs(const struct cli *cli, const struct cli_args *args)
{
	bool follow = args->values[OPT_FOLLOW];
	const struct stream stream = {
		.method = "Logs",
		.command = "logs",
		.endless = follow,
		.take = on_lines,
	};

	return stream_follow(cli, &stream,
			     json_pack("{s:s, s:b, s:b}", "name",
				       args->names[0], "previous",
				       args->values[OPT_PREVIOUS] != NULL,
				       "follow", follow));
}

const struct cli_command logs_command = {
	.name = "logs",
	.usage = "[-f] [--previous] NAME",
	.summary = "show what a VM's process said",
	.details = "Each line: time, generation, level, text.\n",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.missing = "no VM named",
	.names_vms = true,
	.run = run_logs,
};
