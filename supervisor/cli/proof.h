/* SPDX-License-Identifier: ISC */
/* The list of checks of a cage: what each property should be, what it is. */
#ifndef VMSUP_SUPERVISOR_CLI_PROOF_H
#define VMSUP_SUPERVISOR_CLI_PROOF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct proof {
	/* array of { check, wanted, found, ok }; ok is null where
	 * it can't be known; owned */
	json_t *checks;
	bool holds; /* no check failed */
	bool whole; /* no check is without an outcome */
	uint64_t held_ns; /* the longest time for which a thread was stopped */
};

void proof_init(struct proof *proof);
void proof_uninit(struct proof *proof);

/* Adds a check whose outcome is known. */
void proof_add(struct proof *proof, const char *check, const char *wanted,
	       const char *found, bool ok);
/* Adds a check whose outcome can't be known on this host, with the reason. */
void proof_unknown(struct proof *proof, const char *check, const char *wanted,
		   const char *why);
/* Adds a check that is ok if found equals wanted. */
void proof_compare(struct proof *proof, const char *check, const char *wanted,
		   const char *found);

/* Prints the table CHECK, WANTED, FOUND, OK. An enum cli_exit. */
int proof_print(const struct proof *proof);

/* Parts of the proof. Each adds its checks of the process: cage says what
 * should be (type Cage of the interface), dir_fd is its /proc/PID. */
void proof_identity(struct proof *proof, const json_t *cage, int dir_fd);
void proof_room(struct proof *proof, const json_t *cage, int dir_fd);
void proof_limits(struct proof *proof, const json_t *cage, int dir_fd);

#endif
