/* SPDX-License-Identifier: ISC */
/* One line per message, to a sink that each program sets. */
#include "ipc/log.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"

static struct {
	log_sink_fn *sink;
	void *ctx;
	enum log_level max_level;
} log_to = { .max_level = LOG_LEVEL_INFO };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
static_assert(ARRAY_SIZE(level_names) == LOG_LEVELS, "a name per level");

void log_set(log_sink_fn *sink, void *ctx, enum log_level max_level)
{
	log_to.sink = sink;
	log_to.ctx = ctx;
	log_to.max_level = max_level;
}

const char *log_level_name(enum log_level level)
{
	return (unsigned int)level < LOG_LEVELS ? level_names[level] : "?";
}

void log_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void log_vline(enum log_level level, const char *format, va_list args)
{
	char line[LOG_LINE_BYTES];
	int saved = errno;

	if (level > log_to.max_level)
		return;
	vsnprintf(line, sizeof(line), format, args);
	log_clean(line);
	if (log_to.sink)
		log_to.sink(log_to.ctx, level, line);
	else
		dprintf(STDERR_FILENO, "vmsup: %s\n", line);
	errno = saved;
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vline(level, format, args);
	va_end(args);
}
