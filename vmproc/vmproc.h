/* SPDX-License-Identifier: ISC */
/* One VM: its process's state, and what a guest must offer to run in it. */
#ifndef VMSUP_VMPROC_H
#define VMSUP_VMPROC_H

#include "ipc/channel.h"
#include "ipc/loop.h"
#include "ipc/proto.h"

enum vmproc_state {
	VMPROC_NEW, /* waits for CONFIG */
	VMPROC_SETUP, /* waits for descriptors and START */
	VMPROC_LOADING, /* the cage is closed, the guest isn't there yet */
	VMPROC_RUNNING,
	VMPROC_PAUSED,
	VMPROC_STATES
};

struct vmproc;

/* A kind of guest. All of it runs in the one thread of the loop. */
struct guest {
	const char *name;
	/* Roles of which exactly one descriptor must be there, besides those
	 * that every guest needs: bits 1 << role */
	unsigned int needs;
	/* How many more descriptors of each role it takes, if they come. */
	uint8_t takes[FD_ROLES];
	/* Before the cage closes: allocates and sets up all that running takes,
	 * and reads no byte that others chose: no frame, no image. 0, or the
	 * exit status to end with, its reason logged. */
	enum vmproc_exit (*setup)(struct vmproc *vm);
	/* After the cage has closed: calls vmproc_loaded() once the guest is
	 * there, at once or later. */
	void (*start)(struct vmproc *vm);
	void (*pause)(struct vmproc *vm);
	void (*resume)(struct vmproc *vm);
	void (*ping)(struct vmproc *vm, const struct msg_ping *request);
	void (*link)(struct vmproc *vm, uint32_t mtu);
	/* The rest is optional. */
	/* Takes MACHINE. 0, or the exit status, its reason logged. */
	enum vmproc_exit (*machine)(struct vmproc *vm,
				    const struct msg_machine *machine);
	/* Asked to stop: true if the guest will do it; without: ends at once */
	bool (*stop)(struct vmproc *vm);
	/* False if part of the work makes no progress: STATS? isn't answered */
	bool (*healthy)(struct vmproc *vm);
	/* Answers COUNTERS? */
	void (*counters)(struct vmproc *vm);
};

struct vmproc {
	struct loop loop;
	struct channel channel;
	struct source channel_source;
	enum vmproc_state state;
	const struct guest *guest; /* from CONFIG on */
	struct msg_config config; /* checked */
	int fds[FD_ROLES]; /* owned, those of index 0; -1: not given */
	int more_fds[FD_ROLES][FD_INDEX_MAX - 1]; /* index from 1 */
	uint64_t counters[STATS];
	uint32_t log_lost; /* lines that found the channel full */
};

/* The status to end with in set-up when the host has refused something that must
 * be, error is -errno: VMPROC_EXIT_CONFIG if it would be refused again, whatever
 * the host has to spare by then. */
enum vmproc_exit vmproc_exit_for(int error);
/* Ends this process with that status; the reason is logged first. */
_Noreturn void vmproc_end(enum vmproc_exit status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sends a message; one that the supervisor doesn't take is dropped. */
void vmproc_send(const struct vmproc *vm, enum msg_type type,
		 union msg *message);

/* Tells the supervisor that the guest runs, and listens to it again. Once, on
 * the main loop's thread. */
void vmproc_loaded(struct vmproc *vm);

/* The descriptor of that role and index (0 to FD_INDEX_MAX - 1); -1: not
 * given. Remains vm's. */
int vmproc_fd(const struct vmproc *vm, enum fd_role role, unsigned int index);
/* Closes it; one that wasn't given is no error. */
void vmproc_close(struct vmproc *vm, enum fd_role role, unsigned int index);

#endif
