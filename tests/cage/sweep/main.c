/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place and tries every system call there is, with
 * plausible arguments, on every descriptor that it has.
 *
 * Theory of operation: a call may block or end the process. So each generation
 * of the VM does one line of the sweep, a system call with its sets of
 * arguments, and ends; which one, its number says: nothing else is the same in
 * the next. The supervisor starts it anew until all are done, and from then on
 * it behaves. A line that blocks costs the time that a VM has to be ready or to
 * answer. What stands behind a call that blocked or killed isn't done: so lines
 * begin at another of their sets with each seed, and in a whole sweep several
 * times.
 *
 * The VM's name says what is done: "early-SEED" between START and READY, where
 * the list of the set-up bounds it; "late-SEED" after READY, where a refused
 * call kills; each with "kvm-" in front for VMs of that guest, and "-whole"
 * behind for all instead of a sample. "kvm-thief" tries one thing alone, a
 * hundred times. Any other name behaves well.
 *
 *	sweep --length NAME     in so many generations the sweep is done
 */
#include "tests/cage/sweep/sweep.h"

#include <linux/filter.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* The one before is the real vmproc's. */
#define FIRST_GENERATION 2
/* Early, one in so many goes on to READY; the others end where they are. */
#define READY_EVERY 16
/* Late, one in so many is still loading. */
#define UNLOADED_EVERY 4
#define THEFTS         100

/* Until it has been asked whether it is there. */
static void serve_once(struct standin *s)
{
	union msg message;
	int fd;

	while (standin_hear(s, &message, &fd) != MSG_STATS_REQUEST)
		standin_answer(s, &message);
	standin_answer(s, &message);
}

static _Noreturn void sweep_early(struct standin *s, const struct plan *plan,
				  size_t index)
{
	values_prepare(s, false);
	plan_run(plan, index);
	/* whatever it did to the channel, the supervisor reads from it now */
	for (int i = 0; i < 4; i++)
		standin_say(s, "still here");
	if (index % READY_EVERY == 0) {
		standin_close_cage(s);
		standin_ready(s);
		serve_once(s);
	}
	_exit(VMPROC_EXIT_OS);
}

static _Noreturn void sweep_late(struct standin *s, const struct plan *plan,
				 size_t index)
{
	values_prepare(s, true);
	standin_close_cage(s);
	standin_send(s, MSG_READY, s->listener_fd);
	if (index % UNLOADED_EVERY != 0 && s->config.version >= PROTO_LOADED)
		standin_send(s, MSG_LOADED, -1);
	/* kept, as somebody would who came in before */
	values_listener(s->listener_fd);
	plan_run(plan, index);
	for (;;)
		syscall(SYS_exit_group, VMPROC_EXIT_OS);
}

/* What the TAP is like for this generation: the last one may have spoilt it. */
static void tell_tap(struct standin *s)
{
	int fd = s->fds[FD_ROLE_TAP], buffer = -1, header = -1;
	struct sock_fprog filter = { 0 };
	int error = 0;

	if (ioctl(fd, TUNGETSNDBUF, &buffer) < 0 ||
	    ioctl(fd, TUNGETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNGETFILTER, &filter) < 0)
		error = errno;
	standin_say(s, "tap: send buffer %d, header %d, filter %u, error %d",
		    buffer, header, filter.len, error);
}

static _Noreturn void behave(struct standin *s)
{
	tell_tap(s);
	standin_behave(s);
}

static int print_length(const char *name)
{
	struct plan plan;

	if (!plan_parse(&plan, name))
		return 2;
	printf("%zu\n", plan_length(&plan) + (plan.late ? 0 : 1));
	return 0;
}

/* Doesn't return before all is done. */
static void sweep(struct standin *s)
{
	size_t index = s->channel.generation - FIRST_GENERATION, length;
	struct plan plan;

	if (strcmp(s->config.name, "kvm-thief") == 0 && index < THEFTS)
		finale_steal(s);
	if (!plan_parse(&plan, s->config.name))
		return;
	calls_prepare(s);
	length = plan_length(&plan);
	if (index < length && plan.late)
		sweep_late(s, &plan, index);
	if (index < length)
		sweep_early(s, &plan, index);
	if (!plan.late && index == length)
		finale_spoil(s);
}

int main(int argc, char **argv)
{
	struct standin s;

	if (argc == 3 && strcmp(argv[1], "--length") == 0)
		return print_length(argv[2]);
	standin_init(&s);
	standin_introduce(&s);
	standin_equip(&s);
	if (s.channel.generation >= FIRST_GENERATION)
		sweep(&s);
	behave(&s);
}
