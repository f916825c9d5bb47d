/* SPDX-License-Identifier: ISC */
/*
 * What it does, rather than what it says: it floods, is silent, hangs up, or
 * crashes.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/cage/hostile/hostile.h"

/* ---- floods */

void conduct_flood(struct standin *s)
{
	for (;;)
		standin_say(s, "and another thing");
}

static void flood_blocking(struct standin *s)
{
	struct msg_log log = good_log(s);

	for (;;)
		send_log(s, &log);
}

/* ---- silence */

_Noreturn void conduct_silence(struct standin *s)
{
	struct epoll_event never;
	int fd = s->epoll_fd;

	for (;;)
		standin_wait(fd, &never, 1, 1000);
}

static void spin(struct standin *s)
{
	(void)s;
	for (volatile unsigned int i = 0;; i++)
		;
}

/* Deaf to every signal that can be ignored, from before its cage closed. */
static void deaf(struct standin *s)
{
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_IGN);
	standin_close_cage(s);
	standin_ready(s);
	conduct_silence(s);
}

void conduct_hang_up(struct standin *s)
{
	close(s->channel.fd);
	spin(s);
}

static void shut_write(struct standin *s)
{
	shutdown(s->channel.fd, SHUT_WR);
	spin(s);
}

static void shut_read(struct standin *s)
{
	shutdown(s->channel.fd, SHUT_RD);
	standin_close_cage(s);
	standin_ready(s);
	spin(s);
}

/* ---- crashes */

static void crash(struct standin *s)
{
	volatile uintptr_t nowhere = 8;

	(void)s;
	*(volatile int *)nowhere = 1;
}

static void end_abort(struct standin *s)
{
	(void)s;
	/* a C library's abort() tries one call or another first */
	syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGABRT);
}

static void end_trap(struct standin *s)
{
	(void)s;
	__builtin_trap();
}

static const struct attack attacks[] = {
	{ "flood", LATE, conduct_flood, "protocol: flood of LOG messages" },
	{ "flood-early", EARLY, conduct_flood,
	  "protocol: flood of LOG messages" },
	{ "flood-blocking", EARLY, flood_blocking,
	  "protocol: flood of LOG messages" },
	{ "silence-early", EARLY, conduct_silence,
	  "start-timeout: not READY within [0-9.]+ s" },
	{ "silence-at-once", AT_ONCE, conduct_silence,
	  "start-timeout: not READY within [0-9.]+ s" },
	{ "silence-late", LATE, conduct_silence,
	  "watchdog: no heartbeat for [0-9.]+ s" },
	{ "spin", LATE, spin, "watchdog: no heartbeat for [0-9.]+ s" },
	{ "deaf", EARLY, deaf, "watchdog: no heartbeat for [0-9.]+ s" },
	{ "hang-up-early", EARLY, conduct_hang_up,
	  "protocol: closed its channel" },
	{ "hang-up-late", LATE, conduct_hang_up,
	  "protocol: closed its channel" },
	/* shutdown() is refused by the inherited filter: it is only silent */
	{ "shut-write", EARLY, shut_write,
	  "start-timeout: not READY within 1.5 s" },
	{ "shut-read", EARLY, shut_read,
	  "watchdog: no heartbeat for [0-9.]+ s" },
	{ "crash", LATE, crash, "signal: SIGSEGV" },
	{ "abort", EARLY, end_abort, "signal: SIGABRT" },
	{ "trap", LATE, end_trap, "signal: SIG(ILL|TRAP)" },
};

const struct attack_list conduct_attacks = { attacks, ARRAY_SIZE(attacks) };
