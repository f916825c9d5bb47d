/* SPDX-License-Identifier: ISC */
/*
 * ioctl() and fcntl(), in the place of musl's: the kernel gets what the caller
 * said, to the bit, and a filter that pins it sees just that. glibc's do the
 * same.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __GLIBC__

/* A request is of 32 bits. musl takes it as an int, and hands on one that reads
 * (bit 31 is set) with the upper half of 64 bits set as well. */
int ioctl(int fd, int request, ...)
{
	unsigned long argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, unsigned long);
	va_end(args);
	return (int)syscall(SYS_ioctl, fd, (unsigned long)(unsigned int)request,
			    argument);
}

/* musl sets O_LARGEFILE besides what F_SETFL is to set, and says F_SETFD after
 * F_DUPFD_CLOEXEC, for kernels that knew the one and not the other. */
int fcntl(int fd, int command, ...)
{
	unsigned long argument;
	va_list args;

	va_start(args, command);
	argument = va_arg(args, unsigned long);
	va_end(args);
	return (int)syscall(SYS_fcntl, fd, (unsigned long)command, argument);
}

#endif
