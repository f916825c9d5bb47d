/* SPDX-License-Identifier: ISC */
/*
 * What the files of this folder share: what an attack is, the parts of the list
 * of attacks, and the means of making one.
 */
#ifndef VMSUP_TESTS_CAGE_HOSTILE_HOSTILE_H
#define VMSUP_TESTS_CAGE_HOSTILE_HOSTILE_H

#include "tests/cage/standin.h"

#define SCM_MAX_FDS 253 /* the kernel's SCM_MAX_FD */

/* From Linux 6.16 on, the kernel refuses descriptors after READY to their
 * sender, which ends then, for its attack can't be made. */
#define REFUSED_EXIT   77
#define COSTS_FD(cost) "(" cost "|exit: exit 77)"

typedef void attack_fn(struct standin *s);

enum when {
	AT_ONCE, /* before it has heard anything */
	EARLY, /* between START and READY, the cage open */
	LATE, /* after READY */
};

struct attack {
	const char *name;
	enum when when;
	attack_fn *act; /* may return: then it serves, or is silent */
	const char *costs; /* regular expression: REASON: DETAIL */
};

struct attack_list {
	const struct attack *attacks;
	size_t count;
};

/* The parts of the list, each in the file of that name. */
extern const struct attack_list messages_attacks, descriptors_attacks;
extern const struct attack_list conduct_attacks, kvm_attacks, exits_attacks;

/* ---- attacks.c */

/* The list, with what each attack costs, a line each. */
void attacks_print(void);
/* NULL if the list has none of that name. */
const struct attack *attacks_find(const char *name);
/* Does it, at the time that it is for; doesn't return. */
_Noreturn void attacks_perform(struct standin *s, const struct attack *attack);

/* ---- attacks that other files' parts, or lives, have too */

attack_fn messages_event, messages_event_unknown;
attack_fn conduct_flood, conduct_hang_up;
_Noreturn void conduct_silence(struct standin *s);
attack_fn exits_ready_and_die;

/* ---- names that aren't in the list */

/* "exit-78" ends with that status, without READY; "kvm-exit-81" too;
 * "kvm-late-81" after it, and after a word about something else. Returns if the
 * VM has another name. */
void exits_by_name(struct standin *s);
/* Does what has a test of its own; "patient..." and "kvm-patient..." wait for
 * it. Returns if the VM has another name. */
void lives_by_name(struct standin *s);

/* ---- console.c: attacks of lives.c, that serve on */

_Noreturn void console_escapes(struct standin *s);
_Noreturn void console_flood(struct standin *s);
_Noreturn void console_fds(struct standin *s);

/* ---- listener.c: the same */

_Noreturn void listener_thief(struct standin *s);

/* ---- send.c */

/* One packet of any bytes, with the same descriptor count times. Ends the
 * process if the kernel refuses these on the channel. */
void send_raw(const struct standin *s, const void *data, size_t bytes, int fd,
	      unsigned int count);
/* As they are, right or not, without descriptors. */
void send_log(const struct standin *s, const struct msg_log *log);
void send_counters(const struct standin *s,
		   const struct msg_counters *counters);
/* What the guest is said to have done. */
void send_event(const struct standin *s, enum guest_event guest_event);

/* A LOG as it should be, to be spoilt. */
static inline struct msg_log good_log(const struct standin *s)
{
	return (struct msg_log){
		.header = { .type = MSG_LOG,
			    .size = sizeof(struct msg_log),
			    .generation = s->channel.generation },
		.level = LOG_LEVEL_INFO,
		.length = 5,
		.text = "hello",
	};
}

/* One counter, the last, to be spoilt. */
static inline struct msg_counters good_counters(const struct standin *s)
{
	return (struct msg_counters){
		.header = { .type = MSG_COUNTERS,
			    .size = sizeof(struct msg_counters),
			    .generation = s->channel.generation },
		.count = 1,
		.last = 1,
		.item = { { "exits.port", 1 } },
	};
}

#endif
