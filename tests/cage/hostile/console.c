/* SPDX-License-Identifier: ISC */
/*
 * The console of guest kvm, which carries whatever its process likes: what a
 * terminal would obey, more than anyone can read, descriptors.
 */
#include "tests/cage/hostile/hostile.h"

/* All of it: the socket may be full for a while. */
static void print(const struct standin *s, const char *text, size_t bytes)
{
	ssize_t sent;

	while (bytes > 0) {
		sent = write(s->fds[FD_ROLE_CONSOLE], text, bytes);
		if (sent < 0 && errno != EAGAIN)
			standin_bug(s, "console", errno);
		if (sent > 0) {
			text += sent;
			bytes -= (size_t)sent;
		}
	}
}

/* All that a terminal would obey, and a line that forges. */
_Noreturn void console_escapes(struct standin *s)
{
	static const char evil[] = "\x1b]0;owned\x07\x1b[2J\x9b"
				   "31m\r\n"
				   "2026-01-01T00:00:00.000Z 1 forged\xe2\x80"
				   "\xae\x7f\xff\xfe%s%n\0hidden\n";

	standin_close_cage(s);
	standin_ready(s);
	print(s, evil, sizeof(evil) - 1);
	for (int i = 0; i < 5000; i++) /* a line that is too long */
		print(s, "x", 1);
	print(s, "\nend\n", 5);
	standin_serve(s);
}

/* Prints as fast as it can, text in parts of so many bytes. */
_Noreturn void console_flood(struct standin *s)
{
	static const struct {
		const char *name, *text;
		size_t bytes;
	} kinds[] = {
		{ "kvm-flood-text", "all work and no play\n", 4095 },
		{ "kvm-flood-bytes", "x", 1 },
		{ "kvm-flood-lines", "\n", 4095 },
	};
	char part[4096];
	struct epoll_event event;
	union msg message;
	size_t bytes = 1, kind = 0;
	int fd;

	while (strcmp(kinds[kind].name, s->config.name) != 0)
		kind++;
	bytes = kinds[kind].bytes;
	for (size_t i = 0; i < sizeof(part); i++)
		part[i] = kinds[kind].text[i % strlen(kinds[kind].text)];
	standin_close_cage(s);
	standin_ready(s);
	for (;;) {
		for (int i = 0; i < 256; i++)
			(void)!write(s->fds[FD_ROLE_CONSOLE], part, bytes);
		if (standin_wait(s->epoll_fd, &event, 1, 0) == 1) {
			standin_hear(s, &message, &fd);
			standin_answer(s, &message);
		}
	}
}

/* Descriptors come with what it prints: many, and one that holds itself. */
_Noreturn void console_fds(struct standin *s)
{
	struct standin console = *s;
	int number = s->fds[FD_ROLE_CONSOLE];

	console.channel.fd = number;
	/* as many as may be under way at once, and READY's */
	for (int i = 0; i < 9; i++)
		send_raw(&console, "held\n", 5, s->fds[FD_ROLE_TAP], 100);
	send_raw(&console, "held\n", 5, number, 1);
	send_raw(&console, "held\n", 5, s->fds[FD_ROLE_CONSOLE_ADOPT], 1);
	standin_close_cage(s);
	standin_ready(s);
	print(s, "all sent\n", 9);
	standin_serve(s);
}
