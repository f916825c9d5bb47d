/* SPDX-License-Identifier: ISC */
/* Reads a kernel image, and says what is wrong with it. */
#include "vmproc/kvm/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "ipc/error.h"

int image_refuse(struct boot_state *state, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(state->problem->text, sizeof(state->problem->text), format,
		  args);
	va_end(args);
	return -EINVAL;
}

int image_read(struct boot_state *state, int fd, const char *what, void *data,
	       uint64_t bytes, uint64_t offset)
{
	uint8_t *at = data;

	while (bytes > 0) {
		ssize_t got = pread(fd, at, bytes, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = -errno;

			image_refuse(state, "cannot read the %s: %s", what,
				     error_name(-error));
			return error;
		}
		if (got == 0)
			return image_refuse(state, "the %s is truncated", what);
		at += got;
		bytes -= (uint64_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

int image_read_kernel(struct boot_state *state, void *data, uint64_t bytes,
		      uint64_t offset)
{
	return image_read(state, state->boot->kernel_fd, "kernel", data, bytes,
			  offset);
}
