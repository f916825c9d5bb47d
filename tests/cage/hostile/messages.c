/* SPDX-License-Identifier: ISC */
/*
 * Messages that nobody asked for or in the wrong state, with values out of
 * range, of wrong types, sizes, directions or generations; empty and giant
 * packets.
 */
#include "tests/cage/hostile/hostile.h"

#define GIANT_BYTES 100000

/* ---- states */

static void stats(struct standin *s)
{
	standin_send(s, MSG_STATS, -1);
}

void messages_event(struct standin *s)
{
	standin_send(s, MSG_EVENT, -1);
}

void messages_event_unknown(struct standin *s)
{
	union msg message = { .event.event = 77 };

	channel_send(&s->channel, MSG_EVENT, &message, -1);
}

static void ping_result(struct standin *s)
{
	standin_send(s, MSG_PING_RESULT, -1);
}

static void ready_again(struct standin *s)
{
	union msg ready = { 0 };

	if (channel_send(&s->channel, MSG_READY, &ready, s->epoll_fd) == -EPERM)
		_exit(REFUSED_EXIT);
}

/* ---- LOADED, which comes once, after READY */

static void loaded_again(struct standin *s)
{
	standin_send(s, MSG_LOADED, -1);
}

static void loaded_first(struct standin *s)
{
	standin_close_cage(s);
	standin_send(s, MSG_LOADED, -1);
	standin_ready(s);
}

static void loaded_fd(struct standin *s)
{
	struct msg_plain loaded = {
		.header = { .type = MSG_LOADED,
			    .size = sizeof(loaded),
			    .generation = s->channel.generation },
	};

	send_raw(s, &loaded, sizeof(loaded), s->epoll_fd, 1);
}

static void loaded_never(struct standin *s)
{
	standin_close_cage(s);
	standin_prove(s);
	conduct_silence(s);
}

/* What only a process says whose guest is there. */
static void unloaded_stats(struct standin *s)
{
	standin_close_cage(s);
	standin_prove(s);
	standin_send(s, MSG_STATS, -1);
}

static void unloaded_event(struct standin *s)
{
	standin_close_cage(s);
	standin_prove(s);
	send_event(s, GUEST_PAUSED);
}

static void stats_twice(struct standin *s)
{
	union msg message;
	int fd;

	while (standin_hear(s, &message, &fd) != MSG_STATS_REQUEST)
		;
	standin_stats(s, &message);
	standin_stats(s, &message);
}

static void stats_spoilt(struct standin *s, uint64_t id_change, uint32_t paused)
{
	union msg message, answer = { 0 };
	int fd;

	while (standin_hear(s, &message, &fd) != MSG_STATS_REQUEST)
		;
	answer.stats.id = message.stats_request.id + id_change;
	answer.stats.paused = paused;
	channel_send(&s->channel, MSG_STATS, &answer, -1);
}

/* To another request than the one under way. */
static void stats_id(struct standin *s)
{
	stats_spoilt(s, 1, 0);
}

static void stats_paused(struct standin *s)
{
	stats_spoilt(s, 0, 2);
}

/* ---- bodies */

static void log_length(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.length = MSG_LOG_TEXT;
	send_log(s, &log);
}

static void log_length_huge(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.length = UINT32_MAX;
	send_log(s, &log);
}

static void log_level(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.level = LOG_LEVELS;
	send_log(s, &log);
}

/* ---- headers and sizes */

static void type_none(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = MSG_NONE;
	send_log(s, &log);
}

static void type_unknown(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = MSG_TYPES;
	send_log(s, &log);
}

static void type_last(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = UINT16_MAX;
	send_log(s, &log);
}

static void direction(struct standin *s)
{
	struct msg_plain stop = {
		.header = { .type = MSG_STOP,
			    .size = sizeof(stop),
			    .generation = s->channel.generation },
	};

	send_raw(s, &stop, sizeof(stop), -1, 0);
}

static void reserved(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.reserved = 1;
	send_log(s, &log);
}

static void size_short(struct standin *s)
{
	struct msg_log log = good_log(s);

	send_raw(s, &log, sizeof(log) - 1, -1, 0);
}

static void size_said(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.size--;
	send_log(s, &log);
}

static void size_other(struct standin *s)
{
	struct msg_log log = good_log(s);

	log.header.type = MSG_STATS;
	send_log(s, &log);
}

static void size_long(struct standin *s)
{
	struct {
		struct msg_log log;
		uint64_t more;
	} message = { .log = good_log(s) };

	message.log.header.size = sizeof(message);
	send_raw(s, &message, sizeof(message), -1, 0);
}

static void tiny(struct standin *s)
{
	send_raw(s, "x", 1, -1, 0);
}

static void empty(struct standin *s)
{
	send_raw(s, "", 0, -1, 0);
}

static void empty_fd(struct standin *s)
{
	send_raw(s, "", 0, s->epoll_fd, 1);
}

static void giant(struct standin *s)
{
	static char data[GIANT_BYTES];
	struct msg_log log = good_log(s);

	memcpy(data, &log, sizeof(log));
	send_raw(s, data, sizeof(data), -1, 0);
}

static void giant_fds(struct standin *s)
{
	static char data[GIANT_BYTES];

	send_raw(s, data, sizeof(data), s->epoll_fd, SCM_MAX_FDS);
}

static void generation_zero(struct standin *s)
{
	s->channel.generation = 0;
	standin_say(s, "hello");
}

static void generation_next(struct standin *s)
{
	s->channel.generation++;
	standin_say(s, "hello");
}

static const struct attack attacks[] = {
	{ "stats-early", EARLY, stats, "protocol: STATS while starting" },
	{ "stats-unasked", LATE, stats, "protocol: STATS without a request" },
	{ "stats-twice", LATE, stats_twice,
	  "protocol: STATS without a request" },
	{ "stats-id", LATE, stats_id, "protocol: STATS without a request" },
	{ "stats-paused", LATE, stats_paused,
	  "protocol: STATS without a request" },
	{ "event-early", EARLY, messages_event,
	  "protocol: EVENT while starting" },
	{ "event-unasked", LATE, messages_event, "protocol: EVENT 0 unasked" },
	{ "event-unknown", LATE, messages_event_unknown,
	  "protocol: EVENT 77 unasked" },
	{ "result-early", EARLY, ping_result,
	  "protocol: PING-RESULT while starting" },
	{ "result-unasked", LATE, ping_result,
	  "protocol: PING-RESULT without a PING" },
	{ "ready-twice", LATE, ready_again,
	  COSTS_FD("protocol: READY while running") },
	{ "loaded-twice", LATE, loaded_again,
	  "protocol: LOADED while running" },
	{ "loaded-first", EARLY, loaded_first,
	  "protocol: LOADED before READY" },
	{ "loaded-fd", EARLY, loaded_fd,
	  "protocol: LOADED with 1 descriptors \\(0 wanted\\)" },
	{ "loaded-never", EARLY, loaded_never,
	  "start-timeout: not LOADED within 1.5 s" },
	{ "unloaded-stats", EARLY, unloaded_stats,
	  "protocol: STATS while starting" },
	{ "unloaded-event", EARLY, unloaded_event,
	  "protocol: EVENT while starting" },
	{ "log-length", LATE, log_length,
	  "protocol: LOG of level 2, length 240" },
	{ "log-length-huge", EARLY, log_length_huge,
	  "protocol: LOG of level 2, length 4294967295" },
	{ "log-level", LATE, log_level, "protocol: LOG of level 4, length 5" },
	{ "type-none", LATE, type_none, "protocol: message type 0" },
	{ "type-unknown", LATE, type_unknown, "protocol: message type [0-9]+" },
	{ "type-last", EARLY, type_last, "protocol: message type 65535" },
	{ "direction", LATE, direction,
	  "protocol: STOP in the wrong direction" },
	{ "reserved", LATE, reserved, "protocol: LOG with reserved bits" },
	{ "size-short", LATE, size_short, "protocol: LOG of [0-9]+ bytes .*" },
	{ "size-said", LATE, size_said, "protocol: LOG of [0-9]+ bytes .*" },
	{ "size-other", LATE, size_other,
	  "protocol: STATS of [0-9]+ bytes .*" },
	{ "size-long", LATE, size_long, "protocol: LOG of [0-9]+ bytes .*" },
	{ "tiny", LATE, tiny, "protocol: message of 1 bytes" },
	{ "empty", LATE, empty, "protocol: closed its channel" },
	{ "empty-fd", LATE, empty_fd,
	  COSTS_FD("protocol: message of 0 bytes") },
	{ "giant", LATE, giant, "protocol: message too long" },
	{ "giant-fds", EARLY, giant_fds, "protocol: message too long" },
	{ "generation-zero", LATE, generation_zero,
	  "protocol: LOG of generation 0 \\(1 wanted\\)" },
	{ "generation-next", EARLY, generation_next,
	  "protocol: LOG of generation 2 \\(1 wanted\\)" },
};

const struct attack_list messages_attacks = { attacks, ARRAY_SIZE(attacks) };
