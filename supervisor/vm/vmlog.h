/* SPDX-License-Identifier: ISC */
/* A VM's last lines: of this generation and of the one before it. */
#ifndef VMSUP_SUPERVISOR_VMLOG_H
#define VMSUP_SUPERVISOR_VMLOG_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "ipc/log.h"

#define VMLOG_LINES 64

/* Who says a line: what the process and the guest say may be made to look like
 * anything. */
enum vmlog_source {
	VMLOG_SUPERVISOR,
	VMLOG_PROCESS, /* by LOG messages */
	VMLOG_CONSOLE, /* the guest, on its console */
	VMLOG_SOURCES
};

struct vmlog_line {
	struct timespec time; /* CLOCK_REALTIME */
	uint64_t generation;
	enum vmlog_source source;
	enum log_level level;
	char text[]; /* NUL-terminated */
};

struct vmlog_part {
	struct vmlog_line **lines; /* owned: ring of VMLOG_LINES; NULL: empty */
	uint64_t count; /* lines ever; all but the last VMLOG_LINES are gone */
};

struct vmlog {
	struct vmlog_part current, previous;
};

/* "supervisor", "process", "console"; "?" for any other number. */
const char *vmlog_source_name(enum vmlog_source source);

void vmlog_uninit(struct vmlog *log);
/* Adds a line to the current part; returns it, NULL without memory. */
const struct vmlog_line *vmlog_add(struct vmlog *log, enum vmlog_source source,
				   enum log_level level, uint64_t generation,
				   const char *text);
/* A new generation begins: what is current becomes previous. */
void vmlog_turn(struct vmlog *log);

/* Empties a part, for the lines that it had to be put back, oldest first; so
 * many before them are gone. */
void vmlog_restore(struct vmlog_part *part, uint64_t gone);
/* Adds a line of any time to a part; returns it, NULL without memory. */
const struct vmlog_line *vmlog_put(struct vmlog_part *part,
				   const struct timespec *time,
				   enum vmlog_source source,
				   enum log_level level, uint64_t generation,
				   const char *text);
/* The part's place i, from 0, the oldest, to VMLOG_LINES - 1; NULL: empty. */
const struct vmlog_line *vmlog_at(const struct vmlog_part *part, size_t i);

/* An io.vmsup LogLine. */
json_t *vmlog_line_json(const struct vmlog_line *line);
/* The lines of a part, oldest first. */
json_t *vmlog_json(const struct vmlog_part *part);

#endif
