/* SPDX-License-Identifier: ISC */
/*
 * Runs a command as on a kernel without netfilter's netlink: lacking COMMAND...
 * Its sockets are refused with the error that such a kernel has.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Goes on if it is that; else so many further, to the one that allows. */
#define IS(value, else_skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, else_skip)

static struct sock_filter instructions[] = {
	LOAD(nr),
	IS(SYS_socket, 5),
	LOAD(args[0]),
	IS(AF_NETLINK, 3),
	LOAD(args[2]),
	IS(NETLINK_NETFILTER, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int main(int argc, char **argv)
{
	const struct sock_fprog program = {
		.len = sizeof(instructions) / sizeof(instructions[0]),
		.filter = instructions,
	};

	if (argc < 2 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("lacking");
		return 2;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 2;
}
