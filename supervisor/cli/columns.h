/* SPDX-License-Identifier: ISC */
/* The columns that "vmsup status" can show: their names and their text. */
#ifndef VMSUP_SUPERVISOR_CLI_COLUMNS_H
#define VMSUP_SUPERVISOR_CLI_COLUMNS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define COLUMNS_CELL_SIZE  512
#define COLUMNS_MAX        64
#define COLUMNS_KNOWN_SIZE 512

/* The columns that are shown, in order. */
struct columns {
	unsigned char index[COLUMNS_MAX];
	size_t count;
};

/* The default columns. retry: some VM waits for its next start;
 * machines: some guest is kvm. */
void columns_default(struct columns *columns, bool retry, bool machines);

/* Adds the columns of a list ("NAME,state"), in upper or lower case.
 * Returns NULL, or the place in list of a name that no column has, or
 * for which there is no room. */
const char *columns_add(struct columns *columns, const char *list);

const char *columns_name(const struct columns *columns, size_t i);
/* Flags of TABLE_*. */
int columns_flags(const struct columns *columns, size_t i);
/* The text of the column for a VM (type Vm of the interface). Returns cell. */
const char *columns_cell(const struct columns *columns, size_t i,
			 const json_t *vm, char cell[COLUMNS_CELL_SIZE]);

/* An object of type Exit in words: "SIGKILL", "SIGSYS openat", "exit 78: bad
 * configuration", "start-timeout"; empty for null. Returns text. */
const char *columns_exit(const json_t *exit, char *text, size_t size);

/* Writes the names of all columns, with commas between. Returns text. */
const char *columns_known(char text[COLUMNS_KNOWN_SIZE]);

/* Prints the names, one a line; prints the table of columns for --help. */
void columns_list(void);
void columns_help(void);

#endif
