/* SPDX-License-Identifier: ISC */
/* Tables on stdout, by libsmartcols. */
#ifndef VMSUP_SUPERVISOR_CLI_TABLE_H
#define VMSUP_SUPERVISOR_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct libscols_table;

enum {
	TABLE_RIGHT = 1, /* numbers */
	TABLE_TRUNCATE = 2, /* gives way on a narrow terminal */
	TABLE_WRAP = 4, /* goes on in the next line there */
	TABLE_FOLD = 8, /* has lines of its own, by table_fold() */
};

/* NULL: no memory. raw: columns not aligned, one space between. */
struct libscols_table *table_new(bool raw, bool noheadings);
/* flags: of TABLE_*. False: no memory. */
bool table_column(struct libscols_table *table, const char *name, int flags);
/* Adds a row of count cells, copied; an empty one is shown as "-". False: no
 * memory. */
bool table_row(struct libscols_table *table, const char *const cells[],
	       size_t count);
/* On a terminal, breaks text into lines, between words, that fit beside indent
 * columns. */
void table_fold(char *text, size_t indent);
/* Prints the table and frees it, as it frees a table that is NULL. An enum
 * cli_exit. */
int table_print(struct libscols_table *table);
/* The same as text, the caller's to free; NULL: no memory. */
char *table_text(struct libscols_table *table);
void table_free(struct libscols_table *table);

#endif
