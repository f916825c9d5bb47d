/* SPDX-License-Identifier: ISC */
/*
 * ioctl() and fcntl() in the place of musl's. musl's change some of their
 * arguments; these hand them to the kernel bit by bit, so that a filter that
 * pins them sees what the caller passed. glibc's do the same.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __GLIBC__

/* A request has 32 bits. musl takes it as an int: if bit 31 is set (the request
 * reads), musl passes 64 bits on whose upper half is set, too. */
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

/* musl adds O_LARGEFILE to the flags of F_SETFL. After F_DUPFD_CLOEXEC it calls
 * F_SETFD, for kernels that knew only the latter. */
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
