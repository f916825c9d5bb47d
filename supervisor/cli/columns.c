/* SPDX-License-Identifier: ISC */
/* The columns that "vmsup status" can show: their names and their text. */
#include "supervisor/cli/columns.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ipc/fd.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/text.h"

struct column {
	const char *name;
	const char *key; /* the member of the VM that format() shows */
	const char *help;
	int flags;
	void (*format)(const json_t *vm, const char *key, char *cell);
};

static void format_text(const json_t *vm, const char *key, char *cell)
{
	snprintf(cell, COLUMNS_CELL_SIZE, "%s", field_text(vm, key));
}

static void format_int(const json_t *vm, const char *key, char *cell)
{
	if (!field_absent(vm, key))
		snprintf(cell, COLUMNS_CELL_SIZE, "%" JSON_INTEGER_FORMAT,
			 field_int(vm, key));
}

static void format_ms(const json_t *vm, const char *key, char *cell)
{
	char text[TEXT_SIZE];

	if (!field_absent(vm, key))
		snprintf(cell, COLUMNS_CELL_SIZE, "%s",
			 text_ms(field_number(vm, key), text));
}

static void format_duration(const json_t *vm, const char *key, char *cell)
{
	char text[TEXT_SIZE];

	if (!field_absent(vm, key))
		snprintf(cell, COLUMNS_CELL_SIZE, "%s",
			 text_duration(field_number(vm, key), text));
}

static void format_size(const json_t *vm, const char *key, char *cell)
{
	char text[TEXT_SIZE];

	if (!field_absent(vm, key))
		snprintf(cell, COLUMNS_CELL_SIZE, "%s",
			 text_bytes((uint64_t)field_int(vm, key), text));
}

static void format_exit(const json_t *vm, const char *key, char *cell)
{
	columns_exit(json_object_get(vm, key), cell, COLUMNS_CELL_SIZE);
}

static void format_exit_time(const json_t *vm, const char *key, char *cell)
{
	format_text(json_object_get(vm, key), "time", cell);
}

/* A counter's total over all generations. */
static void format_total(const json_t *vm, const char *key, char *cell)
{
	format_int(json_object_get(vm, "total"), key, cell);
}

static void format_total_bytes(const json_t *vm, const char *key, char *cell)
{
	format_size(json_object_get(vm, "total"), key, cell);
}

static const struct column table[] = {
	{ "NAME", "name", "name", 0, format_text },
	{ "STATE", "state", "state", 0, format_text },
	{ "PID", "pid", "process", TABLE_RIGHT, format_int },
	{ "GEN", "generation", "generation: processes so far", TABLE_RIGHT,
	  format_int },
	{ "RESTARTS", "restarts", "restarts that nobody asked for", TABLE_RIGHT,
	  format_int },
	{ "UPTIME", "uptime_s", "running for", TABLE_RIGHT, format_duration },
	{ "LAST-EXIT", "last_exit", "why the last process ended",
	  TABLE_TRUNCATE, format_exit },
	{ "IPV4", "ipv4", "IPv4 address", 0, format_text },
	{ "RX", "rx_bytes", "bytes received, in K, M, ...", TABLE_RIGHT,
	  format_total_bytes },
	{ "TX", "tx_bytes", "bytes sent, in K, M, ...", TABLE_RIGHT,
	  format_total_bytes },
	{ "NEXT-RETRY", "next_retry_s", "time to the next start", TABLE_RIGHT,
	  format_duration },
	{ "EXIT-TIME", "last_exit", "when the last process ended", 0,
	  format_exit_time },
	{ "WANTED", "wanted", "what it should be", 0, format_text },
	{ "GUEST", "guest", "kind of guest", 0, format_text },
	{ "MEM", "memory_bytes", "its memory, in K, M, ...", TABLE_RIGHT,
	  format_size },
	{ "VCPUS", "vcpus", "its processors", TABLE_RIGHT, format_int },
	{ "UID", "uid", "user of its process", TABLE_RIGHT, format_int },
	{ "START-MS", "start_ms", "milliseconds that its start took",
	  TABLE_RIGHT, format_ms },
	{ "MAC", "mac", "MAC address", 0, format_text },
	{ "IPV6", "ipv6", "IPv6 address, besides the link-local one", 0,
	  format_text },
	{ "TAP", "tap", "TAP device", 0, format_text },
	{ "RX-FRAMES", "rx_frames", "frames received", TABLE_RIGHT,
	  format_total },
	{ "RX-BYTES", "rx_bytes", "bytes received", TABLE_RIGHT, format_total },
	{ "RX-DROPPED", "rx_dropped", "received frames dropped", TABLE_RIGHT,
	  format_total },
	{ "TX-FRAMES", "tx_frames", "frames sent", TABLE_RIGHT, format_total },
	{ "TX-BYTES", "tx_bytes", "bytes sent", TABLE_RIGHT, format_total },
	{ "TX-DROPPED", "tx_dropped", "frames not sent", TABLE_RIGHT,
	  format_total },
};
static_assert(ARRAY_SIZE(table) <= COLUMNS_MAX, "struct columns has the room");

void columns_default(struct columns *columns, bool retry, bool machines)
{
	columns->count = 0;
	columns_add(columns, "NAME,STATE");
	if (machines)
		columns_add(columns, "GUEST,MEM,VCPUS");
	columns_add(columns, retry ? "NEXT-RETRY" : "PID");
	columns_add(columns, "GEN,RESTARTS,UPTIME,LAST-EXIT,IPV4");
	if (!machines) /* these wouldn't fit a terminal of 80 columns */
		columns_add(columns, "RX,TX");
}

static int find_column(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strncasecmp(table[i].name, name, length) == 0 &&
		    table[i].name[length] == '\0')
			return (int)i;
	return -1;
}

const char *columns_add(struct columns *columns, const char *list)
{
	size_t length;
	int index;

	for (;; list += length + 1) {
		length = strcspn(list, ",");
		index = length ? find_column(list, length) : -1;
		if (index < 0 || columns->count == COLUMNS_MAX)
			return list;
		columns->index[columns->count++] = (unsigned char)index;
		if (list[length] == '\0')
			return NULL;
	}
}

const char *columns_name(const struct columns *columns, size_t i)
{
	return table[columns->index[i]].name;
}

int columns_flags(const struct columns *columns, size_t i)
{
	return table[columns->index[i]].flags;
}

const char *columns_cell(const struct columns *columns, size_t i,
			 const json_t *vm, char cell[COLUMNS_CELL_SIZE])
{
	const struct column *column = &table[columns->index[i]];

	cell[0] = '\0';
	column->format(vm, column->key, cell);
	return cell;
}

const char *columns_exit(const json_t *exit, char *text, size_t size)
{
	/* Words for reasons, put before a detail that
	 * doesn't begin with them. */
	static const struct {
		const char *reason, *word;
	} words[] = {
		{ "signal", "SIG" },
		{ "exit", "exit" },
		{ "seccomp", "SIGSYS" },
	};
	const char *reason = field_text(exit, "reason");
	const char *detail = field_text(exit, "detail");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *word = words[i].word;

		if (strcmp(reason, words[i].reason) != 0 || !*detail)
			continue;
		if (strncmp(detail, word, strlen(word)) == 0)
			snprintf(text, size, "%s", detail);
		else
			snprintf(text, size, "%s%s%s", word,
				 strcmp(word, "SIG") == 0 ? "" : " ", detail);
		return text;
	}
	if (!*detail || strncmp(detail, reason, strlen(reason)) == 0)
		snprintf(text, size, "%s", *detail ? detail : reason);
	else
		snprintf(text, size, "%s: %s", reason, detail);
	return text;
}

const char *columns_known(char text[COLUMNS_KNOWN_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (used < COLUMNS_KNOWN_SIZE)
			used += (size_t)snprintf(
				text + used, COLUMNS_KNOWN_SIZE - used, "%s%s",
				i ? ", " : "", table[i].name);
	return text;
}

void columns_list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		printf("%s\n", table[i].name);
}

void columns_help(void)
{
	printf("\nColumns (traffic is the VM's view, over all generations):\n");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		printf("  %-10s  %s\n", table[i].name, table[i].help);
}
