/* SPDX-License-Identifier: ISC */
/* What systemd passes to a service, and what it wants to hear from it. */
#ifndef VMSUP_SUPERVISOR_NOTIFY_H
#define VMSUP_SUPERVISOR_NOTIFY_H

#include <jansson.h>
#include <stdint.h>

#include "supervisor/lib/problem.h"

/* The longest message. */
#define NOTIFY_BYTES 512

struct notify {
	int fd; /* owned; connected. -1: nobody listens */
	uint64_t watchdog_ns; /* WATCHDOG=1 is due that often; 0: never */
	unsigned long long dropped; /* messages that nobody got */
};

/*
 * Finds the control socket that systemd listens on for this process
 * (sd_listen_fds(3)): *fd, close-on-exec and listening in this process's name,
 * or -1 if none was passed. 0, or -EINVAL with problem set if something else
 * was. Takes the variables out of the environment.
 */
int notify_listen_fd(int *fd, struct problem *problem);

/*
 * Connects to $NOTIFY_SOCKET (sd_notify(3)) and reads how often the watchdog
 * wants to hear something. 0, with or without somebody who listens; -errno with
 * problem set, and nobody listens. Takes the variables out of the environment.
 */
int notify_init(struct notify *notify, struct problem *problem);
void notify_uninit(struct notify *notify);

/* Sends lines of the form NAME=value, without waiting. 0, also if nobody
 * listens; else -errno, counted as dropped: -EAGAIN may be tried again, after
 * -ECONNREFUSED or -ENOTCONN nobody will ever listen. */
int notify_send(struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, but waits for a moment if whoever listens is behind: for what must
 * not be lost. */
int notify_send_surely(struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For an upgrade in place; fd must be kept over it. NULL without memory. */
json_t *notify_save(const struct notify *notify);
/* In place of notify_init(). 0, or -EBADMSG: nobody listens. */
int notify_restore(struct notify *notify, const json_t *saved);

#endif
