/* SPDX-License-Identifier: ISC */
/* One descriptor for a child that shares its parent's until it has its own. */
#ifndef VMSUP_SANDBOX_HANDOFF_H
#define VMSUP_SANDBOX_HANDOFF_H

/* Children that may be on their way at a time. */
#define HANDOFF_SLOTS 16

/* All zeros: no slots. */
struct handoff {
	int slots; /* that there are */
	int in_fd[HANDOFF_SLOTS]; /* owned; a child's end */
	int out_fd[HANDOFF_SLOTS]; /* owned */
	const void *owner[HANDOFF_SLOTS]; /* whom it was put there for */
};

/* To be called early: the children's ends get the lowest numbers. 0 or -errno;
 * what could be made is there either way. */
int handoff_open(struct handoff *handoff);
void handoff_close(struct handoff *handoff);

/* Puts fd, which stays the caller's, into a free slot; owner is who it is for.
 * Returns the descriptor to take it from, the slot's; -EAGAIN: none is free; or
 * another -errno. */
int handoff_put(struct handoff *handoff, int fd, const void *owner);
/* Takes back what was put there for owner, if it is there still. */
void handoff_forget(struct handoff *handoff, const void *owner);

/* In the child: the descriptor that was put there, the caller's; or -errno. */
int handoff_take(int in_fd);

#endif
