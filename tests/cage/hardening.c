/* SPDX-License-Identifier: ISC */
/*
 * What the way in which vmproc is built gives it, shown by a program that is
 * built in the same way.
 *
 *	hardening smash        overruns a buffer on the first thread's stack
 *	hardening smash-thread on the stack of a thread
 *	hardening deep-thread  goes deeper than a thread's stack is long
 *	hardening relro	       writes to a table of addresses
 *	hardening threads      says of the first thread, then of three others
 *			       "NAME canary=HEX errno=NUMBER text=TEXT"
 *
 * All but the last are to be ended by a signal; "survived" says that they were
 * not.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "vmproc/lock.h"
#include "vmproc/relro.h"
#include "vmproc/thread.h"

#define THREADS 3

static struct thread threads[THREADS];
static struct lock lock;
static unsigned int at; /* whose turn it is */

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

static uintptr_t canary(void)
{
	uintptr_t value;

	__asm__("mov %%fs:0x28, %0" : "=r"(value));
	return value;
}

/* Changes what guards its own return address, as who writes beyond a buffer
 * does on the way there, and nothing else. */
static __attribute__((noinline)) void overrun(void)
{
	volatile uintptr_t buffer[4];
	volatile uintptr_t *above = buffer;

	for (int i = 0; i < 16; i++, above++) {
		__asm__ volatile("" : "+r"(above)); /* it may lie anywhere */
		if (*above == canary()) {
			*above ^= 1;
			return;
		}
	}
}

static void smash(void *ctx)
{
	(void)ctx;
	overrun();
	say("survived\n");
	_exit(0);
}

/* More than a stack's memory; each part of it is touched. */
static __attribute__((noinline)) size_t dig(size_t levels)
{
	volatile char part[4096];

	memset((char *)(uintptr_t)part, (int)levels, sizeof(part));
	return levels == 0 ? 0 : dig(levels - 1) + (size_t)part[levels % 4096];
}

static void go_deep(void *ctx)
{
	(void)ctx;
	dig(64);
	say("survived\n");
	_exit(0);
}

static void in_thread(void (*run)(void *ctx))
{
	if (thread_start(&threads[0], run, NULL) < 0)
		_exit(1);
	for (;;)
		pause();
}

/* ---- RELRO */

/* Filled in by the start, for nobody knows before where the program lies. */
static const char *const table[] = { "as", "built" };

static void write_table(void)
{
	const char **entry = (const char **)(uintptr_t)table;

	__asm__ volatile("" : "+r"(entry)); /* what lies there isn't known */
	if (relro_apply() < 0)
		_exit(1);
	*entry = "overwritten";
	say("survived\n");
	_exit(0);
}

/* ---- threads */

static void describe(const char *name, int error)
{
	char line[256];

	snprintf(line, sizeof(line), "%s canary=%lx errno=%s text=%-4s|%#06x\n",
		 name, (unsigned long)canary(), error_name(error), name,
		 0xabcU);
	say(line);
}

/* Fails, each in its own way; looks at that when all have failed. */
static void fail_in_turn(void *ctx)
{
	static const int numbers[THREADS] = { SYS_close, SYS_prctl, SYS_chdir };
	const struct thread *self = ctx;
	unsigned int index = (unsigned int)(self - threads);
	char name[8];

	if (self->tid != (pid_t)syscall(SYS_gettid))
		_exit(1);
	snprintf(name, sizeof(name), "%u", index);
	syscall(numbers[index], -1L, -1L, 0L, 0L, 0L);
	lock_take(&lock);
	at++;
	lock_wake(&lock);
	while (at < THREADS + index)
		lock_wait(&lock);
	lock_release(&lock);
	describe(name, errno);
	lock_take(&lock);
	at++;
	lock_wake(&lock);
	lock_release(&lock);
}

static void compare_threads(void)
{
	int error;

	syscall(SYS_fchdir, STDOUT_FILENO); /* ENOTDIR */
	error = errno;
	for (unsigned int i = 0; i < THREADS; i++) {
		if (thread_start(&threads[i], fail_in_turn, &threads[i]) < 0)
			_exit(1);
	}
	lock_take(&lock);
	while (at < 2 * THREADS)
		lock_wait(&lock);
	lock_release(&lock);
	describe("first", error);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "smash"))
		smash(NULL);
	else if (!strcmp(what, "smash-thread"))
		in_thread(smash);
	else if (!strcmp(what, "deep-thread"))
		in_thread(go_deep);
	else if (!strcmp(what, "relro"))
		write_table();
	else if (!strcmp(what, "threads"))
		compare_threads();
	else
		return 2;
	return 0;
}
