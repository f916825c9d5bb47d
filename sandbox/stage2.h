/* SPDX-License-Identifier: ISC */
/* Stage 2 of the cage: in the VM process, before the first frame. */
#ifndef VMSUP_SANDBOX_STAGE2_H
#define VMSUP_SANDBOX_STAGE2_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65 /* Linux 6.3 */
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

/* The longest filter that stage 2 takes, in instructions. */
#define STAGE2_MAX_FILTER 1024
/* How it loads the filter: with a listener, on all threads. */
#define STAGE2_FILTER_FLAGS                                             \
	(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC | \
	 SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

/* What stage2_seal() loads: here, so that its digest can be told as well. */
#define STAGE2_SEAL                                                          \
	{                                                                    \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                           \
			 offsetof(struct seccomp_data, nr)),                 \
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0,  \
				 1),                                         \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),        \
	}

/*
 * Should: give up, in the calling process, all rights to the file system and
 * the network (Landlock) and to new executable memory (MDWE), where the kernel
 * has them, and load the system call filter in filter_fd (struct
 * sock_filter[]). Mustn't: be called while a descriptor, buffer or thread is
 * still missing; be followed by anything but READY and the work loop.
 * filter_fd stays the caller's. stay: from here on, the process outlives the
 * supervisor; before, it is killed with it, see stage 1. Returns the filter's
 * listener, for the supervisor; or -errno with *step naming what failed.
 */
int stage2_close(int filter_fd, bool stay, const char **step);

/* A thread's own share, before stage2_close(): Landlock, which stage2_close()
 * applies to its caller alone; the filter, it applies to all. 0 or -errno. */
int stage2_thread(void);

/* Stacks a narrower filter of length instructions onto the calling thread's,
 * after stage2_close(). 0 or -errno. */
int stage2_stack(struct sock_filter *filter, unsigned short length);

/* After stage2_close(): the calling thread can't load a filter any more, one
 * that answers instead of the supervisor's least of all; what it tries ends the
 * process. For threads whose list has seccomp(2). 0 or -errno. */
int stage2_seal(void);

#endif
