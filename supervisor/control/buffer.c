/* SPDX-License-Identifier: ISC */
/* A queue of bytes with a limit: bytes are added at the end
 * and taken from the front. */
#include "supervisor/control/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 4096

static void move_to_front(struct buffer *buffer)
{
	size_t length = buffer_length(buffer);

	if (buffer->start == 0)
		return;
	memmove(buffer->data, buffer->data + buffer->start, length);
	buffer->start = 0;
	buffer->end = length;
}

static int grow(struct buffer *buffer, size_t needed)
{
	/* The memory is half as long again as the limit. So the
	 * bytes of a nearly full buffer are moved to the front only
	 * once in that many bytes. */
	size_t most = buffer->limit + buffer->limit / 2;
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
	char *data;

	while (capacity < needed)
		capacity *= 2;
	if (capacity > most)
		capacity = most;
	data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_reserve(struct buffer *buffer, size_t bytes)
{
	size_t length = buffer_length(buffer);

	if (bytes > buffer->limit - length)
		return -ENOBUFS;
	if (bytes <= buffer->capacity - buffer->end)
		return 0;
	/* The move is only worth it if it frees much. */
	if (buffer->start >= buffer->capacity / 4)
		move_to_front(buffer);
	if (bytes <= buffer->capacity - buffer->end)
		return 0;
	move_to_front(buffer);
	return grow(buffer, length + bytes);
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	int error = buffer_reserve(buffer, length);

	if (error)
		return error;
	if (length > 0)
		memcpy(buffer->data + buffer->end, bytes, length);
	buffer->end += length;
	return 0;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	buffer->start += length;
	if (buffer->start == buffer->end)
		buffer_clear(buffer);
}

void buffer_truncate(struct buffer *buffer, size_t length)
{
	buffer->end = buffer->start + length;
	if (length == 0)
		buffer_clear(buffer);
}

void buffer_clear(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ .limit = buffer->limit };
}
