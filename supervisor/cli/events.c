/* SPDX-License-Identifier: ISC */
/* vmsup events: every change of state, as it happens. */
#include "supervisor/cli/events.h"

#include "supervisor/cli/stream.h"

enum {
	OPT_JSON,
	OPT_PAST,
};

static const struct cli_option options[] = {
	[OPT_JSON] = { "json", 'J', NULL, false, "each as a JSON object" },
	[OPT_PAST] = { "past", 'p', NULL, false,
		       "those of the past first (a bounded number)" },
	{ 0 },
};

static void on_events(void *ctx, const json_t *parameters)
{
	const bool *json = ctx;
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(parameters, "events"), i, event)
		stream_event(event, *json);
}

static int run_events(const struct cli *cli, const struct cli_args *args)
{
	bool json = args->values[OPT_JSON];
	const struct stream stream = {
		.method = "Events",
		.command = "events",
		.endless = true,
		.take = on_events,
		.ctx = &json,
	};

	return stream_follow(
		cli, &stream,
		json_pack("{s:b}", "past", args->values[OPT_PAST] != NULL));
}

const struct cli_command events_command = {
	.name = "events",
	.usage = "[--json] [--past]",
	.summary = "show changes of state as they happen, until Ctrl-C",
	.options = options,
	.run = run_events,
};
