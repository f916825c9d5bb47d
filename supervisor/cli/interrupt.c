/* SPDX-License-Identifier: ISC */
/* Ctrl-C in commands that have to clean up. */
#include "supervisor/cli/interrupt.h"

#include <stddef.h>

#include "ipc/fd.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t came;
static bool caught;
static sigset_t old_mask;
static struct sigaction old_actions[ARRAY_SIZE(signals)];

static void on_signal(int signal)
{
	(void)signal;
	came = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t mask;

	if (caught)
		return;
	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], NULL, &old_actions[i]);
		/* nohup(1), and shells without job control, let a command
		 * ignore some: it goes on ignoring them. */
		if (old_actions[i].sa_handler == SIG_IGN)
			continue;
		sigaddset(&mask, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &mask, &old_mask);
	caught = true;
}

void interrupt_release(void)
{
	if (!caught)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &old_actions[i], NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	caught = false;
}

const sigset_t *interrupt_mask(void)
{
	return caught ? &old_mask : NULL;
}

bool interrupt_take(void)
{
	sigset_t held;
	bool taken;

	/* ppoll() lets a signal through only when it waits. One that came while
	 * there was always something to read is still pending. */
	if (caught) {
		sigprocmask(SIG_SETMASK, &old_mask, &held);
		sigprocmask(SIG_SETMASK, &held, NULL);
	}
	taken = came;
	came = 0;
	return taken;
}
