/* SPDX-License-Identifier: ISC */
/*
 * Threads, made by clone() itself.
 *
 * Theory of operation: the supervisor's list of calls, which every VM process
 * inherits and which an upgrade can't change, allows clone() with one value of
 * its flags: that of glibc's threads. musl's own threads add CLONE_DETACHED,
 * and musl's clone() takes no CLONE_SETTLS. So these threads are made here, and
 * musl must not need to know of them:
 *
 * - By the processor's ABI (ELF Handling For Thread-Local Storage, variant II),
 * the word at the thread pointer is the pointer itself. By the compiler's ABI,
 * the stack protector's value lies 0x28 bytes after it. Both are set here.
 *
 * - The program has no thread-local variables (a test proves it), so nothing
 * lies before the thread pointer.
 *
 * - musl's own record of a thread lies after the thread pointer. These threads
 * use errno alone of it, which begins as 0. The rest is 0 as well: no locale,
 * no cancellation, no list of threads. (musl believes that the process has one
 * thread, and so wouldn't lock its heap or its streams: neither is used after
 * the first thread is made. A test lists what is linked.)
 *
 * glibc's threads have the right flags, and glibc has to know of each thread:
 * with glibc, its own threads are used.
 */
#include "vmproc/thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/stage2.h"

/* A few KiB of each are used. A library's own choice may be 8 MiB, of which a
 * host that gives huge pages unasked would fill 2 MiB. */
#define STACK_BYTES (128 * 1024)

int thread_begin(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
	return stage2_thread();
}

#ifdef __GLIBC__

static void *begin(void *argument)
{
	struct thread *thread = argument;

	atomic_store(&thread->tid, (pid_t)syscall(SYS_gettid));
	thread->run(thread->ctx);
	atomic_store(&thread->tid, 0);
	return NULL;
}

int thread_start(struct thread *thread, void (*run)(void *ctx), void *ctx)
{
	pthread_attr_t attributes;
	pthread_t made;
	int error = pthread_attr_init(&attributes);

	thread->run = run;
	thread->ctx = ctx;
	if (error)
		return -error;
	error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (!error)
		error = pthread_create(&made, &attributes, begin, thread);
	pthread_attr_destroy(&attributes);
	return -error;
}

#else

#define GUARD_BYTES 4096
/* Exactly the flags that the filter allows. */
#define THREAD_FLAGS                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |               \
	 CLONE_CHILD_CLEARTID)

/* The memory at the thread pointer. */
struct control {
	struct control *self;
	uintptr_t unused[4];
	uintptr_t canary; /* of the stack protector */
	uint8_t libc[1024 - 6 * sizeof(uintptr_t)]; /* musl's is about 200 */
};
static_assert(offsetof(struct control, canary) == 0x28, "the compiler's ABI");
static_assert(sizeof(struct control) % 16 == 0, "a stack begins below it");

/* A thread's memory, a mapping of its own. */
struct area {
	uint8_t guard[GUARD_BYTES]; /* a stack overflow ends the process here */
	uint8_t stack[STACK_BYTES - sizeof(struct control)];
	struct control control;
};
static_assert(offsetof(struct area, control) % 16 == 0,
	      "the stack's alignment");

/* The stack protector's value of the process, read from the caller's thread. */
static uintptr_t canary(void)
{
	uintptr_t value;

	__asm__("mov %%fs:0x28, %0" : "=r"(value));
	return value;
}

static _Noreturn void begin(struct thread *thread)
{
	thread->run(thread->ctx);
	for (;;) /* the kernel clears tid */
		syscall(SYS_exit, 0);
}

/* Clones a thread. Its first instructions are here: it begins on an empty
 * stack, so it can't return to its caller's frame. Returns the thread's id or
 * -errno. */
static long clone_thread(struct thread *thread, struct control *control)
{
	_Atomic pid_t *tid = &thread->tid;
	register _Atomic pid_t *cleared __asm__("r10") = tid;
	register struct control *pointer __asm__("r8") = control;
	register struct thread *argument __asm__("r12") = thread;
	register void (*function)(struct thread *) __asm__("r13") = begin;
	long result;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t" /* marks the outermost frame */
			 "mov %%r12, %%rdi\n\t"
			 "call *%%r13\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(result)
			 : "0"((long)SYS_clone), "D"((long)THREAD_FLAGS),
			   "S"(control), "d"(tid), "r"(cleared), "r"(pointer),
			   "r"(argument), "r"(function)
			 : "rcx", "r11", "cc", "memory");
	return result;
}

int thread_start(struct thread *thread, void (*run)(void *ctx), void *ctx)
{
	struct area *area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1,
				 0);
	long result;

	if (area == MAP_FAILED)
		return -errno;
	if (mprotect(area->guard, sizeof(area->guard), PROT_NONE) < 0) {
		result = -errno;
	} else {
		area->control.self = &area->control;
		area->control.canary = canary();
		thread->run = run;
		thread->ctx = ctx;
		result = clone_thread(thread, &area->control);
	}
	if (result < 0)
		munmap(area, sizeof(*area));
	return result < 0 ? (int)result : 0;
}

#endif
