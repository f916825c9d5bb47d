/* SPDX-License-Identifier: ISC */
/* Signals of the supervisor: which it hears, and how. */
#include "supervisor/lib/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/loop.h"

int signals_open(struct loop *loop, struct source *source, source_fn *ready,
		 void *ctx)
{
	sigset_t set;
	int fd, error;

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
	if (fd < 0)
		return -errno;
	error = loop_add(loop, source, fd, EPOLLIN, ready, ctx);
	if (error)
		close(fd);
	return error;
}

void signals_close(struct loop *loop, struct source *source)
{
	int fd = source->fd;

	loop_remove(loop, source);
	fd_close(&fd);
}
