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

/* The filter of stage2_seal(). It stands here so that the supervisor can take
 * its digest. */
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
 * filter_fd stays the caller's. stay: from now on, the process outlives the
 * supervisor; up to here, stage 1 has it killed with the supervisor. Returns
 * the filter's listener, for the supervisor; or -errno with *step naming what
 * failed.
 */
int stage2_close(int filter_fd, bool stay, const char **step);

/* Should: apply Landlock to the calling thread. stage2_close() applies Landlock
 * to its caller alone, but the filter to all threads. Mustn't: be called after
 * stage2_close(). 0 or -errno. */
int stage2_thread(void);

/* Should: stack a narrower filter of length instructions onto the calling
 * thread's. Mustn't: be called before stage2_close(). 0 or -errno. */
int stage2_stack(struct sock_filter *filter, unsigned short length);

/* Should: end the process when the calling thread tries to load one more
 * filter, which could answer calls in the supervisor's place. It is for threads
 * whose list has seccomp(2). Mustn't: be called before stage2_close(). 0 or
 * -errno. */
int stage2_seal(void);

#endif
