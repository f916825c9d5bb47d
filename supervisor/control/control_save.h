/* SPDX-License-Identifier: ISC */
/* The control socket's way through an upgrade: connections to JSON and back. */
#ifndef VMSUP_SUPERVISOR_CONTROL_SAVE_H
#define VMSUP_SUPERVISOR_CONTROL_SAVE_H

#include <jansson.h>
#include <stdbool.h>

struct control;

/*
 * The order in an upgrade in place. In the old image: control_save(); then
 * close-on-exec is cleared on each descriptor of control_each_fd(). In the new
 * image: control_saved_listener(), control_new() with it, control_restore(). If
 * the execve fails, only close-on-exec is to be undone.
 */

/* Makes the document for the next image: each connection with the bytes of its
 * buffers and its call under way, and the counts. Changes nothing: a method may
 * call it. NULL: no memory. */
json_t *control_save(const struct control *control);
/* Calls visit for the listening socket and for each connection of the document,
 * until a result isn't 0. Returns the last result. */
int control_each_fd(const struct control *control,
		    int (*visit)(void *ctx, int fd), void *ctx);
/* The listening socket of the document, for control_new(). It becomes
 * the caller's; or -EBADMSG. */
int control_saved_listener(const json_t *saved);
/* Restores the connections of the document and resumes their calls. The VMs
 * must be there again, and no event may have been sent yet. The loop reads and
 * sends later: so an upgrade can still be undone. A connection that isn't
 * understood is closed and counted as cut off. 0; or -EBADMSG: the document
 * doesn't say which connections there are. Losses are logged. */
int control_restore(struct control *control, const json_t *saved);

/* Calls listen() again, for a process that took over by fork: clients then see
 * its identity (SO_PEERCRED). */
void control_listen_again(const struct control *control);

#endif
