/* SPDX-License-Identifier: ISC */
/* One line per message, to a sink that each program sets. */
#ifndef VMSUP_IPC_LOG_H
#define VMSUP_IPC_LOG_H

#include <stdarg.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVELS
};

/* The longest line a sink is ever given, its NUL included. */
#define LOG_LINE_BYTES 512

/*
 * A sink gets one finished line without a newline, control characters already
 * replaced by '?'. It must not log.
 */
typedef void log_sink_fn(void *ctx, enum log_level level, const char *line);

/* Sets where lines go (NULL: stderr, as "vmsup: line") and the lowest level
 * that is let through. Allocates nothing, now or later. */
void log_set(log_sink_fn *sink, void *ctx, enum log_level max_level);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* "error", "warning", "info" or "debug". */
const char *log_level_name(enum log_level level);

/* Replaces each byte that a terminal could obey (C0, DEL, over 126) by '?'. */
void log_clean(char *text);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
