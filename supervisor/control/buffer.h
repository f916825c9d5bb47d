/* SPDX-License-Identifier: ISC */
/* Bytes in a row, added at the end and taken from the front, up to a limit. */
#ifndef VMSUP_SUPERVISOR_BUFFER_H
#define VMSUP_SUPERVISOR_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data;
	size_t start, end, capacity;
	size_t limit; /* set by the owner: never longer than this */
};

static inline size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* The first byte held; NULL if nothing was ever added. */
static inline const char *buffer_head(const struct buffer *buffer)
{
	return buffer->data ? buffer->data + buffer->start : NULL;
}

/* Makes room for bytes more behind the end. 0, -ENOBUFS (that would be over the
 * limit) or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t bytes);
/* Copies length bytes to the end; the same errors, and then nothing changed. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
/* Takes length bytes off the front; an empty buffer holds no memory. */
void buffer_consume(struct buffer *buffer, size_t length);
/* Takes bytes off the end until length are left. */
void buffer_truncate(struct buffer *buffer, size_t length);
/* Drops everything; the limit stays. */
void buffer_clear(struct buffer *buffer);

#endif
