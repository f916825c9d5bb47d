/* SPDX-License-Identifier: ISC */
/* The VM process's state, and the operations of a guest. */
#ifndef VMSUP_VMPROC_H
#define VMSUP_VMPROC_H

#include "ipc/channel.h"
#include "ipc/loop.h"
#include "ipc/proto.h"

enum vmproc_state {
	VMPROC_NEW, /* waits for CONFIG */
	VMPROC_SETUP, /* waits for descriptors and START */
	VMPROC_LOADING, /* the cage is closed, the guest is being loaded */
	VMPROC_RUNNING,
	VMPROC_PAUSED,
	VMPROC_STATES
};

struct vmproc;

/* A kind of guest. All of it runs in the one thread of the loop. */
struct guest {
	const char *name;
	/* Roles of which exactly one descriptor must come, besides those that
	 * every guest needs: bits 1 << role */
	unsigned int needs;
	/* How many more descriptors of each role may come. */
	uint8_t takes[FD_ROLES];
	/* Before the cage closes: allocates and sets up all that running needs.
	 * It reads no byte that others chose: no frame, no image. Returns
	 * VMPROC_EXIT_OK, or the exit status with its reason logged. */
	enum vmproc_exit (*setup)(struct vmproc *vm);
	/* After the cage has closed: loads the guest, and calls vmproc_loaded()
	 * when it is there, at once or later. */
	void (*start)(struct vmproc *vm);
	void (*pause)(struct vmproc *vm);
	void (*resume)(struct vmproc *vm);
	void (*ping)(struct vmproc *vm, const struct msg_ping *request);
	void (*link)(struct vmproc *vm, uint32_t mtu);
	/* The operations below are optional. */
	/* Takes MACHINE. VMPROC_EXIT_OK, or the exit status with its reason
	 * logged. */
	enum vmproc_exit (*machine)(struct vmproc *vm,
				    const struct msg_machine *machine);
	/* Asks the guest to stop. False: it can't be asked. Without this
	 * operation, and after false, the process ends at once. */
	bool (*stop)(struct vmproc *vm);
	/* False if a part makes no progress; STATS? isn't answered then. */
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
	int fds[FD_ROLES]; /* owned, of index 0; -1: it didn't come */
	int more_fds[FD_ROLES][FD_INDEX_MAX - 1]; /* of index 1 and more */
	uint64_t counters[STATS];
	_Atomic uint32_t
		log_lost; /* lines, of any thread: the channel was full */
};

/* The exit status for an error (-errno) of a call in set-up that must succeed:
 * VMPROC_EXIT_CONFIG if the host would refuse it again, however much memory or
 * time it has. */
enum vmproc_exit vmproc_exit_for(int error);
/* Ends this process with that status; the reason is logged first. */
_Noreturn void vmproc_end(enum vmproc_exit status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sends a message. It is dropped if the channel is full. */
void vmproc_send(const struct vmproc *vm, enum msg_type type,
		 union msg *message);

/* Sends LOADED: the guest runs. Messages are read again from now on. To be
 * called once, on the main loop's thread. */
void vmproc_loaded(struct vmproc *vm);

/* The descriptor of a role and index (0 to FD_INDEX_MAX - 1), which remains
 * vm's; -1 if it didn't come. */
int vmproc_fd(const struct vmproc *vm, enum fd_role role, unsigned int index);
/* Closes that descriptor, if it came. */
void vmproc_close(struct vmproc *vm, enum fd_role role, unsigned int index);

#endif
