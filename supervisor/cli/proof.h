/* SPDX-License-Identifier: ISC */
/* The list of what was looked at in a cage: what it should be, what it is. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_H
#define VMSUP_SUPERVISOR_CLI_PROOF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct proof {
	/* array of { check, wanted, found, ok }; ok is null of what can't be
	 * told; owned */
	json_t *checks;
	bool holds; /* no check has failed */
	bool whole; /* all can be told */
	uint64_t held_ns; /* how long a thread was stopped, at most */
};

void proof_init(struct proof *proof);
void proof_uninit(struct proof *proof);

/* Adds a check whose outcome is known. */
void proof_add(struct proof *proof, const char *check, const char *wanted,
	       const char *found, bool ok);
/* Adds one whose outcome can't be told here, with the reason. */
void proof_unknown(struct proof *proof, const char *check, const char *wanted,
		   const char *why);
/* Adds one that is ok if found is what is wanted, letter by letter. */
void proof_compare(struct proof *proof, const char *check, const char *wanted,
		   const char *found);

/* Prints the table CHECK, WANTED, FOUND, OK. An enum cli_exit. */
int proof_print(const struct proof *proof);

/* Parts of the proof, each looking through dir_fd, of /proc/PID, at the process
 * in cage (type Cage of the interface). */
void proof_identity(struct proof *proof, const json_t *cage, int dir_fd);
void proof_room(struct proof *proof, const json_t *cage, int dir_fd);
void proof_limits(struct proof *proof, const json_t *cage, int dir_fd);

#endif
