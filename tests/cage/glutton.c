/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place and takes of the host what it can get,
 * before its cage closes: afterwards it could ask for neither memory nor
 * threads.
 *
 * The VM's name says of what: "hog" fills memory until it dies; "bomb" makes
 * threads until that is refused, says how many there are, and behaves well from
 * then on. Any other name, and any later generation, behaves well.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/cage/standin.h"

#define CHUNK       (1 << 20)
#define THREADS_MAX 4096
#define STACK_BYTES 4096

/* As a machine's threads are made, so that the cage's lists allow it. */
#define THREAD_FLAGS                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |               \
	 CLONE_CHILD_CLEARTID)

static _Noreturn void fill_memory(const struct standin *s)
{
	for (;;) {
		char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (chunk == MAP_FAILED)
			standin_bug(s, "mmap", errno);
		/* a word of each page: it must be there then */
		for (size_t at = 0; at < CHUNK; at += 4096)
			*(volatile char *)(chunk + at) = 1;
	}
}

/* Waits for good, by bare calls: this thread has no C library of its own. */
static int idle(void *unused)
{
	static const int never;
	long result;

	for (;;)
		__asm__ volatile("xorl %%r10d, %%r10d\n\tsyscall"
				 : "=a"(result)
				 : "0"((long)SYS_futex), "D"(&never),
				   "S"((long)(FUTEX_WAIT | FUTEX_PRIVATE_FLAG)),
				   "d"(0L)
				 : "rcx", "r10", "r11", "memory");
	return unused != NULL;
}

static void make_threads(const struct standin *s)
{
	static pid_t tid; /* nobody asks */
	unsigned int count = 0;
	int error = 0;

	while (count < THREADS_MAX && !error) {
		/* its stack, and below it a thread's own area, which points to
		 * itself: that much the compiler takes for granted */
		char *area = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (area == MAP_FAILED)
			standin_bug(s, "mmap", errno);
		*(void **)area = area;
		if (clone(idle, area + 2 * STACK_BYTES, THREAD_FLAGS, NULL,
			  &tid, area, &tid) < 0)
			error = errno;
		else
			count++;
	}
	standin_say(s, "%u threads: %d", count, error);
}

int main(void)
{
	struct standin s;

	standin_init(&s);
	standin_introduce(&s);
	standin_equip(&s);
	if (s.channel.generation == 1 && strcmp(s.config.name, "hog") == 0)
		fill_memory(&s);
	if (s.channel.generation == 1 && strcmp(s.config.name, "bomb") == 0)
		make_threads(&s);
	standin_behave(&s);
}
