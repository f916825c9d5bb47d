/* SPDX-License-Identifier: ISC */
/*
 * Sends frames of our choice from a VM's place, as whoever has taken its
 * process over can: frames PID COUNT HEX... writes each of them so often to the
 * TAP that the process holds.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS         256 /* over the numbers of TAPs, of any version */
#define VNET_HEADER 10 /* struct virtio_net_hdr */

/* A descriptor of the process' TAP, -1: it has none. *header: what stands
 * before a frame. */
static int take_tap(pid_t pid, size_t *header)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int number = 0; pid_fd >= 0 && number < FDS; number++) {
		struct ifreq request = { 0 };
		int bytes = VNET_HEADER;
		int fd = (int)syscall(SYS_pidfd_getfd, pid_fd, number, 0);

		if (fd >= 0 && ioctl(fd, TUNGETIFF, &request) == 0) {
			if (request.ifr_flags & IFF_VNET_HDR)
				ioctl(fd, TUNGETVNETHDRSZ, &bytes);
			else
				bytes = 0;
			*header = (size_t)bytes;
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static size_t parse(const char *text, unsigned char *bytes, size_t room)
{
	size_t length = 0;
	unsigned int byte;
	int used;

	for (; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
		if (length < room)
			bytes[length++] = (unsigned char)byte;
	return length;
}

int main(int argc, char **argv)
{
	static unsigned char frame[2048];
	long count = argc > 3 ? atol(argv[2]) : 0;
	size_t header;
	int fd = count > 0 ? take_tap(atoi(argv[1]), &header) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: frames PID COUNT HEX...\n");
		return 2;
	}
	for (long i = 0; i < count; i++)
		for (int at = 3; at < argc; at++) {
			size_t length = header + parse(argv[at], frame + header,
						       sizeof(frame) - header);

			if (write(fd, frame, length) != (ssize_t)length) {
				perror("frames: write");
				return 1;
			}
		}
	return 0;
}
