/* SPDX-License-Identifier: ISC */
/*
 * Attacks that live on, or that a test triggers. None has the one last exit
 * that it would need to stand in the list; each has a test of its own.
 */
#include <signal.h>

#include "tests/cage/hostile/hostile.h"

/* A new attack in each generation, descriptors in most of them. */
static _Noreturn void leak(struct standin *s)
{
	static const char *const turns[] = {
		"fds-all",    "fds-eight",  "ready-nested", "ready-channel",
		"fd-surplus", "giant-fds",  "fd-cycle",     "ready-twice",
		"ready-loop", "last-words", "empty-fd",     "flood-early",
	};
	const struct attack *attack =
		attacks_find(turns[s->channel.generation % ARRAY_SIZE(turns)]);

	if (attack->when == LATE) {
		standin_close_cage(s);
		standin_ready(s);
	}
	attack->act(s);
	conduct_silence(s);
}

/* Floods once, then never does anything wrong. */
static _Noreturn void reformed(struct standin *s)
{
	if (s->channel.generation == 1)
		conduct_flood(s);
	standin_close_cage(s);
	standin_ready(s);
	standin_say(s, "a new leaf");
	standin_serve(s);
}

/* Its cage is closed, and its guest takes for ever to be there. */
static _Noreturn void unloaded(struct standin *s)
{
	standin_close_cage(s);
	standin_prove(s);
	standin_say(s, "loading");
	conduct_silence(s);
}

/* The same, and what it found makes it end. */
static _Noreturn void unloadable(struct standin *s)
{
	struct msg_log log = good_log(s);

	standin_close_cage(s);
	standin_prove(s);
	log.level = LOG_LEVEL_ERROR;
	log.length = (uint32_t)strlen(strcpy(log.text, "it is none"));
	send_log(s, &log);
	_exit(VMPROC_EXIT_CONFIG);
}

/* A log line with all that a terminal would obey, and one that forges. */
static _Noreturn void escapes(struct standin *s)
{
	static const char evil[] = "\x1b]0;owned\x07\x1b[2J\x9b"
				   "31m\r\n"
				   "2026-01-01T00:00:00.000Z 1 forged\xe2\x80"
				   "\xae\x7f\xff\xfe%s%n";
	struct msg_log log = good_log(s);

	standin_close_cage(s);
	standin_ready(s);
	memcpy(log.text, evil, sizeof(evil));
	log.length = sizeof(evil) - 1;
	send_log(s, &log);
	log.length = MSG_LOG_TEXT - 1;
	memset(log.text, 'x', log.length);
	send_log(s, &log);
	log.length = 0;
	send_log(s, &log);
	standin_serve(s);
}

/* More lines than it may log, fewer than a flood. */
static _Noreturn void chatty(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	for (int i = 0; i < 200; i++)
		standin_say(s, "line %d", i);
	standin_serve(s);
}

/* Answers every request of one kind with a lie. */
static _Noreturn void liar(struct standin *s)
{
	union msg message, answer;
	int fd;

	standin_close_cage(s);
	standin_ready(s);
	for (;;) {
		memset(&answer, 0xff, sizeof(answer));
		switch (standin_hear(s, &message, &fd)) {
		case MSG_STATS_REQUEST:
			answer.stats.id = message.stats_request.id;
			answer.stats.paused = 0;
			channel_send(&s->channel, MSG_STATS, &answer, -1);
			break;
		case MSG_PING:
			answer.ping_result.id = message.ping.id;
			channel_send(&s->channel, MSG_PING_RESULT, &answer, -1);
			break;
		case MSG_PAUSE:
			answer.event.event = GUEST_RESUMED;
			channel_send(&s->channel, MSG_EVENT, &answer, -1);
			break;
		default:
			break; /* STOP too */
		}
	}
}

/* Serves, but doesn't stop when asked or by any signal that asks. */
static _Noreturn void stubborn(struct standin *s)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGABRT, SIG_IGN);
	liar(s);
}

/* Numbers that grow, jump back and lie, in both kinds of counters. */
static _Noreturn void backwards(struct standin *s)
{
	static const uint64_t lies[] = { 1000, 5, UINT64_MAX, 0, 1ULL << 63 };
	struct msg_counters counters = good_counters(s);
	union msg message, answer;
	unsigned int turn = 0;
	int fd;

	standin_close_cage(s);
	standin_ready(s);
	for (;;) {
		memset(&answer, 0, sizeof(answer));
		switch (standin_hear(s, &message, &fd)) {
		case MSG_STATS_REQUEST:
			turn = (turn + 1) % ARRAY_SIZE(lies);
			answer.stats.id = message.stats_request.id;
			for (int i = 0; i < STATS; i++)
				answer.stats.counters[i] = lies[turn];
			channel_send(&s->channel, MSG_STATS, &answer, -1);
			break;
		case MSG_COUNTERS_REQUEST:
			counters.item[0].value = lies[turn];
			send_counters(s, &counters);
			break;
		default:
			standin_answer(s, &message);
		}
	}
}

/* Tells that it lives, but never its counters; or the beginning of them. */
static _Noreturn void secretive(struct standin *s)
{
	struct msg_counters counters = good_counters(s);
	union msg message;
	int fd;

	counters.last = 0;
	standin_close_cage(s);
	standin_ready(s);
	for (;;)
		if (standin_hear(s, &message, &fd) != MSG_COUNTERS_REQUEST)
			standin_answer(s, &message);
		else if (strcmp(s->config.name, "kvm-partial") == 0)
			send_counters(s, &counters);
}

/* Says that the guest is off, and goes on. */
static _Noreturn void undead(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	send_event(s, GUEST_POWERED_OFF);
	standin_serve(s);
}

/* Tells what it shares, where; then it closes its cage when it is told to, so
 * that something can be done to these from outside, as it could itself. */
static _Noreturn void patient(struct standin *s)
{
	union msg message;
	int fd;

	standin_say(s, "shares adopt=%d uids=%d tap=%d console=%d disk=%d",
		    s->fds[FD_ROLE_ADOPT], s->fds[FD_ROLE_UIDS],
		    s->fds[FD_ROLE_TAP], s->fds[FD_ROLE_CONSOLE_ADOPT],
		    s->fds[FD_ROLE_DISK]);
	while (standin_hear(s, &message, &fd) != MSG_RESUME)
		;
	standin_behave(s);
}

static const struct {
	const char *name;
	void (*live)(struct standin *s);
} lives[] = {
	{ "leak", leak },
	{ "reformed", reformed },
	{ "unloaded", unloaded },
	{ "unloadable", unloadable },
	{ "escapes", escapes },
	{ "chatty", chatty },
	{ "liar-stats", liar },
	{ "liar-ping", liar },
	{ "liar-pause", liar },
	{ "stubborn", stubborn },
	{ "kvm-backwards", backwards },
	{ "kvm-secretive", secretive },
	{ "kvm-partial", secretive },
	{ "kvm-undead", undead },
	{ "kvm-escapes", console_escapes },
	{ "kvm-flood-text", console_flood },
	{ "kvm-flood-bytes", console_flood },
	{ "kvm-flood-lines", console_flood },
	{ "kvm-fds", console_fds },
	{ "kvm-thief", listener_thief },
};

void lives_by_name(struct standin *s)
{
	const char *name = s->config.name;

	if (strncmp(name, "patient", 7) == 0 ||
	    strncmp(name, "kvm-patient", 11) == 0)
		patient(s);
	for (size_t i = 0; i < ARRAY_SIZE(lives); i++)
		if (strcmp(name, lives[i].name) == 0)
			lives[i].live(s);
}
