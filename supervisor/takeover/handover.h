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
/* The exit status of a check that found nothing against it: none that a program
 * that isn't one of ours happens to have. */
#define HANDOVER_AGREED 42

/* The document in a memfd, which is the caller's; -errno. Changes nothing. */
int handover_save(const struct supervisor *supervisor);

/* Sets (or, for the failed execve, clears again) what lets the descriptors
 * live through execve. state_fd is among them. */
void handover_keep_open(const struct supervisor *supervisor, int state_fd,
			bool keep);

/*
 * Fills in a zeroed supervisor from the document: configuration, VMs, events
 * and all else that is no object of the loop. Descriptors are numbers still.
 * *document is the caller's, for what others saved in it. 0, or -errno with
 * problem set: it is of a version, or says something, that this program can't
 * take over.
 */
int handover_load(struct supervisor *supervisor, int state_fd,
		  json_t **document, struct problem *problem);

#endif
