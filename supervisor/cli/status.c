/* SPDX-License-Identifier: ISC */
/* vmsup status: the table of VMs. */
#include "supervisor/cli/status.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/columns.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/text.h"

enum {
	OPT_COLUMNS,
	OPT_JSON,
	OPT_RAW,
	OPT_NOHEADINGS,
	OPT_WATCH,
};

static const struct cli_option options[] = {
	[OPT_COLUMNS] = { "output", 'o', "COLUMNS", false,
			  "these columns; +COLUMN,... adds to the usual ones" },
	[OPT_JSON] = { "json", 'J', NULL, false, "all there is, as JSON" },
	[OPT_RAW] = { "raw", 'r', NULL, false,
		      "not aligned: one space between columns" },
	[OPT_NOHEADINGS] = { "noheadings", 'n', NULL, false, "no headings" },
	[OPT_WATCH] = { "watch", 'w', "SECONDS", true,
			"again and again (2 s), until Ctrl-C" },
	{ 0 },
};

/* What status shows, and in which form. */
struct view {
	const struct cli_args *args;
	struct columns columns; /* none: the default ones */
	struct columns added; /* in addition to the default ones */
	bool json, raw, noheadings;
};

static int parse_columns(const char *list, struct view *view)
{
	char known[COLUMNS_KNOWN_SIZE];
	const char *bad;

	if (*list == '+')
		bad = columns_add(&view->added, list + 1);
	else
		bad = columns_add(&view->columns, list);
	if (bad)
		return report_usage(
			"status", "--output: no column \"%.*s\" among %s",
			(int)strcspn(bad, ","), bad, columns_known(known));
	return CLI_OK;
}

static bool any_has(const json_t *vms, const char *key)
{
	size_t i;
	json_t *vm;

	json_array_foreach(vms, i, vm)
		if (!field_absent(vm, key))
			return true;
	return false;
}

/* Chooses the columns of this view for those VMs. */
static void choose_columns(const struct view *view, const json_t *vms,
			   struct columns *chosen)
{
	*chosen = view->columns;
	if (chosen->count > 0)
		return;
	columns_default(chosen, any_has(vms, "next_retry_s"),
			any_has(vms, "vcpus"));
	for (size_t i = 0; i < view->added.count; i++)
		if (chosen->count < COLUMNS_MAX &&
		    !memchr(chosen->index, view->added.index[i], chosen->count))
			chosen->index[chosen->count++] = view->added.index[i];
}

static bool add_vm(struct libscols_table *table, const struct columns *columns,
		   const json_t *vm)
{
	static char cells[COLUMNS_MAX][COLUMNS_CELL_SIZE];
	const char *row[COLUMNS_MAX];

	for (size_t i = 0; i < columns->count; i++)
		row[i] = columns_cell(columns, i, vm, cells[i]);
	return table_row(table, row, columns->count);
}

/* Makes the table of the VMs, at most max_rows of them
 * (0: all). NULL: no memory. */
static struct libscols_table *make_table(const struct view *view,
					 const json_t *vms, size_t max_rows)
{
	struct libscols_table *table = table_new(view->raw, view->noheadings);
	struct columns columns;
	bool good = table;
	size_t i;
	json_t *vm;

	choose_columns(view, vms, &columns);
	for (i = 0; good && i < columns.count; i++)
		good = table_column(table, columns_name(&columns, i),
				    columns_flags(&columns, i));
	json_array_foreach(vms, i, vm) {
		if (!good || (max_rows && i == max_rows))
			break;
		good = add_vm(table, &columns, vm);
	}
	if (good)
		return table;
	table_free(table);
	return NULL;
}

static int print_json(const json_t *status)
{
	size_t flags = JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12) |
		       (isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);

	if (json_dumpf(status, stdout, flags) == 0)
		putchar('\n');
	return report_flush();
}

/* Warnings that have no column in the table. */
static void warn_of_state(const json_t *status)
{
	const json_t *supervisor = json_object_get(status, "supervisor");
	const json_t *error = json_object_get(supervisor, "state_error");

	if (json_is_string(error))
		fprintf(stderr,
			"vmsup: the state of VMs can't be kept in %s: %s (after "
			"a crash of the supervisor, VMs would be as they were "
			"before)\n",
			field_text(supervisor, "run_dir"),
			json_string_value(error));
	if (!field_absent(supervisor, "guard_off"))
		fprintf(stderr, "vmsup: no first-hop guard: %s\n",
			field_text(supervisor, "guard_off"));
}

static int print_once(const struct view *view, const json_t *status)
{
	const json_t *vms = json_object_get(status, "vms");

	if (view->json)
		return print_json(status);
	warn_of_state(status);
	if (json_array_size(vms) == 0 && isatty(STDOUT_FILENO)) {
		printf("no VMs (define one: 'vmsup run NAME')\n");
		return CLI_OK;
	}
	return table_print(make_table(view, vms, 0));
}

/* "vmsup 0.1.0, process 123, up 3m12s: 1000 VMs, 998 running". */
static void print_title(const json_t *status)
{
	const json_t *supervisor = json_object_get(status, "supervisor");
	const json_t *vms = json_object_get(status, "vms");
	char uptime[TEXT_SIZE];
	size_t i, running = 0;
	json_t *vm;

	json_array_foreach(vms, i, vm)
		running += strcmp(field_text(vm, "state"), "running") == 0;
	printf("vmsup %s, process %" JSON_INTEGER_FORMAT ", up %s: %zu VMs, "
	       "%zu running\033[K\n\033[K\n",
	       field_text(supervisor, "version"), field_int(supervisor, "pid"),
	       text_duration(field_number(supervisor, "uptime_s"), uptime),
	       json_array_size(vms), running);
}

/* Draws over the last picture on the terminal. The rest of each line is
 * cleared, then the rest of the screen. */
static int redraw(const struct view *view, const json_t *status)
{
	const json_t *vms = json_object_get(status, "vms");
	struct winsize size = { 0 };
	struct libscols_table *table;
	cleanup_free char *text = NULL;
	size_t rows = 0;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	/* The title takes two lines, the headings and the cursor one each. */
	if (size.ws_row > 5)
		rows = size.ws_row - 4U;
	table = make_table(view, vms, rows);
	text = table ? table_text(table) : NULL;
	table_free(table);
	if (!text)
		return report_error("cannot print the table: out of memory");
	printf("\033[H");
	print_title(status);
	for (char *line = text, *end; *line; line = end + (*end != '\0')) {
		end = line + strcspn(line, "\n");
		printf("%.*s\033[K\n", (int)(end - line), line);
	}
	printf("\033[J");
	return report_flush();
}

/* Waits. True: a signal came. */
static bool wait_interval(long ms)
{
	struct timespec interval = { .tv_sec = ms / 1000,
				     .tv_nsec = ms % 1000 * 1000000L };

	ppoll(NULL, 0, &interval, interrupt_mask());
	return interrupt_take();
}

static int watch_status(const struct cli *cli, const struct view *view, long ms)
{
	bool picture = isatty(STDOUT_FILENO) && !view->json && !view->raw;
	json_t *status;
	int result;

	interrupt_catch();
	if (picture)
		printf("\033[H\033[2J");
	do {
		result = conn_status(cli, view->args->names, view->args->count,
				     &status);
		if (result)
			return interrupt_take() ? CLI_OK : result;
		result = picture ? redraw(view, status)
				 : print_once(view, status);
		json_decref(status);
		if (result)
			return result;
	} while (!wait_interval(ms));
	return CLI_OK;
}

static int run_status(const struct cli *cli, const struct cli_args *args)
{
	struct view view = {
		.args = args,
		.json = args->values[OPT_JSON],
		.raw = args->values[OPT_RAW],
		.noheadings = args->values[OPT_NOHEADINGS],
	};
	const char *interval = args->values[OPT_WATCH];
	long ms = 2000;
	json_t *status;
	int result;

	if (args->values[OPT_COLUMNS]) {
		result = parse_columns(args->values[OPT_COLUMNS], &view);
		if (result)
			return result;
	}
	if (interval) {
		if (*interval && !text_seconds(interval, 50, 86400000, &ms))
			return report_usage(
				"status",
				"--watch: \"%s\" is not a time from "
				"0.05 to 86400 s",
				interval);
		return watch_status(cli, &view, ms);
	}
	result = conn_status(cli, args->names, args->count, &status);
	if (result)
		return result;
	result = print_once(&view, status);
	json_decref(status);
	return result;
}

const struct cli_command status_command = {
	.name = "status",
	.usage = "[OPTION...] [NAME...]",
	.summary = "show VMs: state, generation, last exit, traffic",
	.more_help = columns_help,
	.options = options,
	.max_args = -1,
	.names_vms = true,
	.run = run_status,
};
