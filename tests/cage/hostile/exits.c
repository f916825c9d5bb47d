/* SPDX-License-Identifier: ISC */
/*
 * It exits of its own accord, where a VM process may or where it may not. What
 * is shown is the meaning of its status, if such a process can end so.
 */
#include "tests/cage/hostile/hostile.h"

/* It leaves what it was told unread, which resets the channel. */
static void last_words(struct standin *s)
{
	s->channel.generation = 1;
	standin_say(s, "these are my last words");
	_exit(VMPROC_EXIT_OS);
}

/* At once: the supervisor finds a dead process where READY says a living. */
void exits_ready_and_die(struct standin *s)
{
	standin_close_cage(s);
	standin_ready(s);
	_exit(VMPROC_EXIT_OS);
}

void exits_by_name(struct standin *s)
{
	const char *name = s->config.name;

	if (strncmp(name, "kvm-", 4) == 0)
		name += 4;
	if (strncmp(name, "exit-", 5) == 0)
		_exit(atoi(name + 5));
	if (strncmp(name, "late-", 5) != 0)
		return;
	standin_close_cage(s);
	standin_ready(s);
	if (s->config.guest == GUEST_KVM)
		send_event(s, GUEST_PANICKED);
	_exit(atoi(name + 5));
}

static const struct attack attacks[] = {
	{ "last-words", AT_ONCE, last_words, "exit: exit 71: .*" },
	{ "ready-and-die", EARLY, exits_ready_and_die, "exit: exit 71: .*" },
};

const struct attack_list exits_attacks = { attacks, ARRAY_SIZE(attacks) };
