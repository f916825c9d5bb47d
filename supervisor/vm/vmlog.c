/* SPDX-License-Identifier: ISC */
/* A VM's last lines: of this generation and of the one before it. */
#include "supervisor/vm/vmlog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/lib/time_format.h"

static const char *const source_names[] = {
	[VMLOG_SUPERVISOR] = "supervisor",
	[VMLOG_PROCESS] = "process",
	[VMLOG_CONSOLE] = "console",
};
static_assert(ARRAY_SIZE(source_names) == VMLOG_SOURCES, "a name for each");

const char *vmlog_source_name(enum vmlog_source source)
{
	return (unsigned int)source < VMLOG_SOURCES ? source_names[source]
						    : "?";
}

static void part_uninit(struct vmlog_part *part)
{
	for (size_t i = 0; part->lines && i < VMLOG_LINES; i++)
		free(part->lines[i]);
	free(part->lines);
	memset(part, 0, sizeof(*part));
}

void vmlog_uninit(struct vmlog *log)
{
	part_uninit(&log->current);
	part_uninit(&log->previous);
}

void vmlog_turn(struct vmlog *log)
{
	part_uninit(&log->previous);
	log->previous = log->current;
	memset(&log->current, 0, sizeof(log->current));
}

const struct vmlog_line *vmlog_add(struct vmlog *log, enum vmlog_source source,
				   enum log_level level, uint64_t generation,
				   const char *text)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return vmlog_put(&log->current, &now, source, level, generation, text);
}

void vmlog_restore(struct vmlog_part *part, uint64_t gone)
{
	part_uninit(part);
	part->count = gone;
}

const struct vmlog_line *vmlog_put(struct vmlog_part *part,
				   const struct timespec *time,
				   enum vmlog_source source,
				   enum log_level level, uint64_t generation,
				   const char *text)
{
	size_t length = strlen(text) + 1;
	struct vmlog_line *line = malloc(sizeof(*line) + length);
	struct vmlog_line **slot;

	if (line && !part->lines)
		part->lines = calloc(VMLOG_LINES, sizeof(struct vmlog_line *));
	if (!line || !part->lines) {
		free(line);
		part->count++; /* lost, but counted */
		return NULL;
	}
	line->time = *time;
	line->generation = generation;
	line->source = source;
	line->level = level;
	memcpy(line->text, text, length);
	slot = &part->lines[part->count++ % VMLOG_LINES];
	free(*slot);
	*slot = line;
	return line;
}

const struct vmlog_line *vmlog_at(const struct vmlog_part *part, size_t i)
{
	return part->lines ? part->lines[(part->count + i) % VMLOG_LINES]
			   : NULL;
}

json_t *vmlog_line_json(const struct vmlog_line *line)
{
	char time[32];

	time_format(time, &line->time);
	return json_pack("{s:s, s:I, s:s, s:s, s:s}", "time", time,
			 "generation", (json_int_t)line->generation, "level",
			 log_level_name(line->level), "source",
			 vmlog_source_name(line->source), "text", line->text);
}

json_t *vmlog_json(const struct vmlog_part *part)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < VMLOG_LINES; i++) {
		const struct vmlog_line *line = vmlog_at(part, i);

		if (line)
			json_array_append_new(lines, vmlog_line_json(line));
	}
	return lines;
}
