/* SPDX-License-Identifier: ISC */
/* Signals of the supervisor: which it hears, and how. */
#include "supervisor/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "ipc/loop.h"
#include "supervisor/core.h"

int signals_open(struct supervisor *supervisor, source_fn *ready)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a write says so itself */
	signal(SIGXFSZ, SIG_IGN); /* and so does this one */
	signal(SIGALRM, SIG_IGN); /* of no meaning here */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, children would reap themselves */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	supervisor->signal_fd = fd;
	if (fd < 0)
		return -errno;
	return loop_add(&supervisor->loop, &supervisor->signal_source, fd,
			EPOLLIN, ready, supervisor);
}
