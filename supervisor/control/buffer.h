/* SPDX-License-Identifier: ISC */
/* A queue of bytes with a limit: bytes are added at the end
 * and taken from the front. */
#ifndef VMSUP_SUPERVISOR_BUFFER_H
#define VMSUP_SUPERVISOR_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data;
	size_t start, end, capacity;
	size_t limit; /* the longest that it can become; the owner sets it */
};

static inline size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* The first byte; NULL if nothing was ever added. */
static inline const char *buffer_head(const struct buffer *buffer)
{
	return buffer->data ? buffer->data + buffer->start : NULL;
}

/* Makes room for that many bytes after the end. 0; -ENOBUFS:
 * over the limit; -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t bytes);
/* Copies length bytes to the end. Returns the same; after an
 * error nothing has changed. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
/* Removes length bytes from the front. A buffer that
 * becomes empty frees its memory. */
void buffer_consume(struct buffer *buffer, size_t length);
/* Removes bytes from the end until length are left. */
void buffer_truncate(struct buffer *buffer, size_t length);
/* Removes all bytes; the limit stays. */
void buffer_clear(struct buffer *buffer);

#endif
