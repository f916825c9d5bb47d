/* SPDX-License-Identifier: ISC */
/* A VM's last lines: of this generation and of the one before it. */
#ifndef VMSUP_SUPERVISOR_VMLOG_H
#define VMSUP_SUPERVISOR_VMLOG_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "ipc/log.h"

#define VMLOG_LINES 64

struct vmlog_line {
	struct timespec time; /* CLOCK_REALTIME */
	uint64_t generation;
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

void vmlog_uninit(struct vmlog *log);
/* Adds a line to the current part; returns it, NULL without memory. */
const struct vmlog_line *vmlog_add(struct vmlog *log, enum log_level level,
				   uint64_t generation, const char *text);
/* A new generation begins: what is current becomes previous. */
void vmlog_turn(struct vmlog *log);

/* Empties a part, for the lines that it had to be put back, oldest first; so
 * many before them are gone. */
void vmlog_restore(struct vmlog_part *part, uint64_t gone);
/* Adds a line of any time to a part; returns it, NULL without memory. */
const struct vmlog_line *vmlog_put(struct vmlog_part *part,
				   const struct timespec *time,
				   enum log_level level, uint64_t generation,
				   const char *text);
/* The part's place i, from 0, the oldest, to VMLOG_LINES - 1; NULL: empty. */
const struct vmlog_line *vmlog_at(const struct vmlog_part *part, size_t i);

/* An io.vmsup LogLine. */
json_t *vmlog_line_json(const struct vmlog_line *line);
/* The lines of a part, oldest first. */
json_t *vmlog_json(const struct vmlog_part *part);

#endif
