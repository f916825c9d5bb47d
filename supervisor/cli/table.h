/* SPDX-License-Identifier: ISC */
/* Tables on stdout, by libsmartcols. */
#ifndef VMSUP_SUPERVISOR_CLI_TABLE_H
#define VMSUP_SUPERVISOR_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct libscols_table;

enum {
	TABLE_RIGHT = 1, /* numbers */
	TABLE_TRUNCATE = 2, /* cut off on a narrow terminal */
	TABLE_WRAP = 4, /* wrapped on a narrow terminal */
	TABLE_FOLD = 8, /* keeps its newlines, see table_fold() */
};

/* Makes a table. raw: one space between columns, which aren't
 * aligned. NULL: no memory. */
struct libscols_table *table_new(bool raw, bool noheadings);
/* Adds a column. flags: of TABLE_*. False: no memory. */
bool table_column(struct libscols_table *table, const char *name, int flags);
/* Adds a row of count cells, which are copied. An empty cell is shown
 * as "-". False: no memory. */
bool table_row(struct libscols_table *table, const char *const cells[],
	       size_t count);
/* On a terminal, breaks text between words, into lines that
 * fit beside indent columns. */
void table_fold(char *text, size_t indent);
/* Prints the table and frees it. NULL, for no memory, is
 * reported. An enum cli_exit. */
int table_print(struct libscols_table *table);
/* The table as text, which the caller frees. NULL: no memory. */
char *table_text(struct libscols_table *table);
void table_free(struct libscols_table *table);

#endif
