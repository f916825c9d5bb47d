/* SPDX-License-Identifier: ISC */
/* Digests of system call filters: what a filter is known by, from outside. */
#ifndef VMSUP_SANDBOX_FILTER_DIGEST_H
#define VMSUP_SANDBOX_FILTER_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;

/* SHA-256 of the code, as text: 64 hexadecimal digits. */
#define FILTER_DIGEST_TEXT 65
/* Several, oldest first, each followed by a blank but the last. */
#define FILTER_DIGESTS_MOST 8
#define FILTER_DIGESTS_TEXT (FILTER_DIGESTS_MOST * FILTER_DIGEST_TEXT)

/* What the filters of a VM process should be; "": there is none, or an earlier
 * version didn't say. */
struct filter_digests {
	char inherited[FILTER_DIGESTS_TEXT]; /* of its supervisor */
	char setup[FILTER_DIGEST_TEXT];
	char running[FILTER_DIGEST_TEXT];
	char vcpu[FILTER_DIGEST_TEXT]; /* what its vCPU threads stack */
	char seal[FILTER_DIGEST_TEXT]; /* what its other threads do */
};

void filter_digest_of(const struct sock_filter *code, size_t length,
		      char text[FILTER_DIGEST_TEXT]);

/* Whether the code has that digest, once its pid isn't counted: a constant that
 * is pid may stand where the text has FILTER_OWN_PID. */
bool filter_digest_fits(const struct sock_filter *code, size_t length,
			uint32_t pid, const char *text);

/* True if it is such a digest; or several, or none. */
bool filter_digest_valid(const char *text);
bool filter_digests_valid(const char *text);

/* Adds one to a text of several. Where there is no room, the oldest goes. */
void filter_digests_add(char digests[FILTER_DIGESTS_TEXT], const char *text);
/* The last one of several, "" if there is none. */
const char *filter_digests_last(const char *digests);

#endif
