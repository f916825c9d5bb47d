/* SPDX-License-Identifier: ISC */
/* The control socket's way through an upgrade: connections to JSON and back. */
#ifndef VMSUP_SUPERVISOR_CONTROL_SAVE_H
#define VMSUP_SUPERVISOR_CONTROL_SAVE_H

#include <jansson.h>
#include <stdbool.h>

struct control;

/*
 * The upgrade in place: in the old image, control_save() and then, for what
 * control_each_fd() names, no more close-on-exec; in the new one
 * control_saved_listener(), control_new() with it, and control_restore(). If
 * the execve fails, close-on-exec is all there is to undo.
 */

/* What the next image needs: every connection with what it has half received
 * and half sent, its call under way, and the counts. Changes nothing, so may be
 * called from within a method. NULL without memory. */
json_t *control_save(const struct control *control);
/* Calls visit for the listening socket and for each connection that
 * control_save() saves; ends with the first result that isn't 0. Returns the
 * last one. */
int control_each_fd(const struct control *control,
		    int (*visit)(void *ctx, int fd), void *ctx);
/* The listening socket in what control_save() said, for control_new(), or
 * -EBADMSG. It becomes the caller's. */
int control_saved_listener(const json_t *saved);
/* Serves the saved connections on, and resumes their calls: what those are
 * about must be there again, and no event sent yet. Neither reads nor sends
 * anything, which is left to the loop; so an upgrade can still be undone. A
 * connection that isn't understood is closed and counted as cut off. 0, or
 * -EBADMSG if there is no telling which connections there are: what is lost is
 * logged. */
int control_restore(struct control *control, const json_t *saved);

/* Listens in the name of the calling process: clients see who serves them
 * (SO_PEERCRED). For one that took over by fork. */
void control_listen_again(const struct control *control);

#endif
