/* SPDX-License-Identifier: ISC */
/*
 * What one image of the supervisor hands to the next in an upgrade: a document
 * (state/state.h) and the descriptors that it names.
 */
#ifndef VMSUP_SUPERVISOR_HANDOVER_H
#define VMSUP_SUPERVISOR_HANDOVER_H

#include "supervisor/core.h"

/* How the next image is called: "vmsup __take-over check|go STATE_FD". */
#define HANDOVER_COMMAND "__take-over"
#define HANDOVER_CHECK   "check"
#define HANDOVER_GO      "go"
/* The exit status of a check that succeeded: one that no other program is
 * likely to have. */
#define HANDOVER_AGREED 42

/* Writes the document into a memfd, which the caller owns; or -errno. Changes
 * nothing else. */
int handover_save(const struct supervisor *supervisor);

/* Clears FD_CLOEXEC on the document's descriptors and state_fd, so that execve
 * keeps them open; keep false sets it again, after a failed execve. */
void handover_keep_open(const struct supervisor *supervisor, int state_fd,
			bool keep);

/*
 * Fills in a zeroed supervisor from the document: configuration, VMs, events
 * and all else but sources and timers. Descriptors are numbers that aren't
 * checked yet. The caller owns *document, which other folders load their parts
 * from. 0, or -errno with problem set: this program can't take over a document
 * of that version or contents.
 */
int handover_load(struct supervisor *supervisor, int state_fd,
		  json_t **document, struct problem *problem);

#endif
