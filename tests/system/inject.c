/* SPDX-License-Identifier: ISC */
/*
 * Makes another process, which waits in a system call, make one of our choice
 * instead: inject PID NUMBER. So the real vmproc does what it never would.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

/* The length of the instruction "syscall". */
#define SYSCALL_BYTES 2

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0;

	if (pid <= 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 ||
	    waitpid(pid, NULL, 0) != pid ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0) {
		perror("inject");
		return 1;
	}
	regs.rip -= regs.orig_rax == -1ULL ? 0 : SYSCALL_BYTES;
	regs.orig_rax = -1ULL; /* nothing is to be restarted */
	regs.rax = strtoull(argv[2], NULL, 0);
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0) {
		perror("inject");
		return 1;
	}
	return 0;
}
