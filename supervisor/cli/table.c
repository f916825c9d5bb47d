/* SPDX-License-Identifier: ISC */
/* Tables on stdout, by libsmartcols. */
#include "supervisor/cli/table.h"

#include <libsmartcols.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "supervisor/cli/report.h"

struct libscols_table *table_new(bool raw, bool noheadings)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_enable_raw(table, raw);
	scols_table_enable_noheadings(table, noheadings);
	return table;
}

bool table_column(struct libscols_table *table, const char *name, int flags)
{
	struct libscols_column *column;
	int scols_flags =
		(flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
		(flags & TABLE_TRUNCATE ? SCOLS_FL_TRUNC : 0) |
		(flags & (TABLE_WRAP | TABLE_FOLD) ? SCOLS_FL_WRAP : 0);

	column = scols_table_new_column(table, name, 0, scols_flags);
	if (!column || !(flags & TABLE_FOLD))
		return column;
	return scols_column_set_safechars(column, "\n") == 0 &&
	       scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
					 scols_wrapnl_nextchunk, NULL) == 0;
}

bool table_row(struct libscols_table *table, const char *const cells[],
	       size_t count)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		return false;
	for (size_t i = 0; i < count; i++)
		if (scols_line_set_data(line, i, *cells[i] ? cells[i] : "-"))
			return false;
	return true;
}

void table_fold(char *text, size_t indent)
{
	struct winsize size = { 0 };
	size_t width = 80, column = 0, word;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_col > 0)
		width = size.ws_col;
	width = width > indent + 20 ? width - indent : 20;
	/* A blank becomes a newline if the next word doesn't fit. */
	for (; *text; text += word) {
		text += *text == ' ';
		word = strcspn(text, " ");
		if (column > 0 && column + 1 + word > width) {
			text[-1] = '\n';
			column = 0;
		}
		column += word + (column > 0);
	}
}

int table_print(struct libscols_table *table)
{
	int error = table ? scols_print_table(table) : -1;

	table_free(table);
	if (error)
		return report_error("cannot print the table: out of memory");
	return report_flush();
}

char *table_text(struct libscols_table *table)
{
	char *text = NULL;

	if (scols_print_table_to_string(table, &text))
		return NULL;
	return text;
}

void table_free(struct libscols_table *table)
{
	if (table)
		scols_unref_table(table);
}
