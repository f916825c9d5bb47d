/* SPDX-License-Identifier: ISC */
/* Deaths and log lines, saved and loaded: the last ones of each. */
#include "supervisor/state/state_rings.h"

#include <string.h>

#include "ipc/fd.h"
#include "supervisor/state/names.h"
#include "supervisor/vm/backoff.h"
#include "supervisor/vm/death.h"
#include "supervisor/vm/vmlog.h"

/* The last second of the year 9999: as far as time_format() goes. */
#define LAST_SECOND INT64_C(253402300799)

static const struct field time_fields[] = {
	{ FIELD_NUMBER_AS("sec", struct timespec, tv_sec, 0, LAST_SECOND) },
	{ FIELD_NUMBER_AS("nsec", struct timespec, tv_nsec, 0, 999999999) },
};
const struct field_group state_rings_time_fields = FIELD_GROUP_OF(time_fields);

/* ---- deaths */

static const struct field death_fields[] = {
	FIELD_CHOICE(struct death, reason, names_death, DEATH_REASONS),
	FIELD_BOOL(struct death, asked),
	FIELD_WORDS(struct death, detail),
	FIELD_COUNT(struct death, generation),
	FIELD_COUNT(struct death, uptime_ns),
	FIELD_GROUP(struct death, time, &state_rings_time_fields),
};
const struct field_group state_rings_death_fields =
	FIELD_GROUP_OF(death_fields);

static uint64_t deaths_ever(const void *ring)
{
	const struct deaths *deaths = ring;

	return deaths->count;
}

static uint32_t count_deaths(const void *ring)
{
	return deaths_kept(ring);
}

static void get_death(const void *ring, uint32_t i, void *element)
{
	memcpy(element, deaths_at(ring, i), sizeof(struct death));
}

static int restore_deaths(void *ring, uint64_t count, uint32_t kept)
{
	return deaths_restore(ring, count, kept);
}

static int add_death(void *ring, const void *element)
{
	deaths_add(ring, element);
	return 0;
}

const struct field_ring state_rings_deaths = {
	.element = { .kind = FIELD_KIND_GROUP,
		     .group = &state_rings_death_fields },
	.element_size = sizeof(struct death),
	.most = DEATHS_KEPT,
	.count_max = INT64_MAX,
	.count = deaths_ever,
	.kept = count_deaths,
	.get = get_death,
	.restore = restore_deaths,
	.add = add_death,
};

/* ---- when there were deaths, for the crash loop */

static uint64_t times_ever(const void *ring)
{
	const struct backoff *backoff = ring;

	return backoff->deaths;
}

static uint32_t count_times(const void *ring)
{
	const struct backoff *backoff = ring;

	return backoff->deaths < BACKOFF_MAX_DEATHS ? backoff->deaths
						    : BACKOFF_MAX_DEATHS;
}

static void get_time(const void *ring, uint32_t i, void *element)
{
	const struct backoff *backoff = ring;
	uint32_t at = backoff->deaths - count_times(ring) + i;

	memcpy(element, &backoff->death_ns[at % BACKOFF_MAX_DEATHS],
	       sizeof(uint64_t));
}

static int restore_times(void *ring, uint64_t count, uint32_t kept)
{
	struct backoff *backoff = ring;

	memset(backoff->death_ns, 0, sizeof(backoff->death_ns));
	backoff->deaths = (uint32_t)count - kept;
	return 0;
}

static int add_time(void *ring, const void *element)
{
	struct backoff *backoff = ring;
	uint64_t *time_ns =
		&backoff->death_ns[backoff->deaths++ % BACKOFF_MAX_DEATHS];

	memcpy(time_ns, element, sizeof(*time_ns));
	return 0;
}

const struct field_ring state_rings_backoff = {
	.element = { .kind = FIELD_KIND_UINT64, .max = INT64_MAX },
	.element_size = sizeof(uint64_t),
	.most = BACKOFF_MAX_DEATHS,
	.count_max = UINT32_MAX,
	.count = times_ever,
	.kept = count_times,
	.get = get_time,
	.restore = restore_times,
	.add = add_time,
};

/* ---- log lines; those that there was no memory for are counted */

struct line {
	struct timespec time;
	uint64_t generation;
	enum vmlog_source source;
	enum log_level level;
	char text[LOG_LINE_BYTES];
};

static const struct field line_fields[] = {
	FIELD_GROUP(struct line, time, &state_rings_time_fields),
	FIELD_COUNT(struct line, generation),
	/* the supervisor's, in a document of an earlier version */
	FIELD_CHOICE(struct line, source, names_log_source, VMLOG_SOURCES),
	FIELD_CHOICE(struct line, level, names_level, LOG_LEVELS),
	FIELD_WORDS(struct line, text),
};
static const struct field_group line_group = FIELD_GROUP_OF(line_fields);

static uint64_t lines_ever(const void *ring)
{
	const struct vmlog_part *part = ring;

	return part->count;
}

static uint32_t count_lines(const void *ring)
{
	uint32_t count = 0;

	for (size_t i = 0; i < VMLOG_LINES; i++)
		count += vmlog_at(ring, i) != NULL;
	return count;
}

static void get_line(const void *ring, uint32_t i, void *element)
{
	struct line *line = element;
	const struct vmlog_line *from = NULL;

	for (size_t at = 0; at < VMLOG_LINES; at++) {
		from = vmlog_at(ring, at);
		if (from && i-- == 0)
			break;
	}
	memset(line, 0, sizeof(*line));
	if (!from)
		return;
	line->time = from->time;
	line->generation = from->generation;
	line->source = from->source;
	line->level = from->level;
	snprintf(line->text, sizeof(line->text), "%s", from->text);
}

static int restore_lines(void *ring, uint64_t count, uint32_t kept)
{
	vmlog_restore(ring, count - kept);
	return 0;
}

static int add_line(void *ring, const void *element)
{
	const struct line *line = element;

	return vmlog_put(ring, &line->time, line->source, line->level,
			 line->generation, line->text)
		       ? 0
		       : -ENOMEM;
}

const struct field_ring state_rings_log = {
	.element = { .kind = FIELD_KIND_GROUP, .group = &line_group },
	.element_size = sizeof(struct line),
	.most = VMLOG_LINES,
	.count_max = INT64_MAX,
	.gaps = true,
	.count = lines_ever,
	.kept = count_lines,
	.get = get_line,
	.restore = restore_lines,
	.add = add_line,
};
