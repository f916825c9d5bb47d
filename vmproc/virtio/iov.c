/* SPDX-License-Identifier: ISC */
/* Lists of buffers in guest memory. */
#include "vmproc/virtio/iov.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t iov_read(const struct iovec *iov, unsigned int count, size_t offset,
		void *to, size_t bytes)
{
	size_t done = 0;

	for (unsigned int i = 0; i < count && done < bytes; i++) {
		size_t part = iov[i].iov_len;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part = least(part - offset, bytes - done);
		memcpy((char *)to + done,
		       (const char *)iov[i].iov_base + offset, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, unsigned int count, size_t offset,
		 const void *from, size_t bytes)
{
	size_t done = 0;

	for (unsigned int i = 0; i < count && done < bytes; i++) {
		size_t part = iov[i].iov_len;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part = least(part - offset, bytes - done);
		memcpy((char *)iov[i].iov_base + offset,
		       (const char *)from + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

unsigned int iov_skip(struct iovec *iov, unsigned int count, size_t bytes)
{
	unsigned int i = 0;

	while (i < count && bytes >= iov[i].iov_len)
		bytes -= iov[i++].iov_len;
	if (i < count) {
		iov[i].iov_base = (char *)iov[i].iov_base + bytes;
		iov[i].iov_len -= bytes;
	}
	return i;
}

unsigned int iov_cut(struct iovec *iov, unsigned int count, size_t bytes)
{
	unsigned int i = 0;

	while (i < count && bytes > iov[i].iov_len)
		bytes -= iov[i++].iov_len;
	if (i == count)
		return count;
	iov[i].iov_len = bytes;
	return bytes > 0 ? i + 1 : i;
}
