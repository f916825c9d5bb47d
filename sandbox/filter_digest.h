/* SPDX-License-Identifier: ISC */
/* Digests of system call filters, by which they are recognised from outside. */
#ifndef VMSUP_SANDBOX_FILTER_DIGEST_H
#define VMSUP_SANDBOX_FILTER_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;

/* SHA-256 of the code, as text: 64 hexadecimal digits. */
#define FILTER_DIGEST_TEXT 65
/* Several digests: the oldest first, with a blank between two. */
#define FILTER_DIGESTS_MOST 8
#define FILTER_DIGESTS_TEXT (FILTER_DIGESTS_MOST * FILTER_DIGEST_TEXT)

/* The digests that the filters of a VM process must have. "": there is no such
 * filter, or an earlier version didn't record it. */
struct filter_digests {
	char inherited[FILTER_DIGESTS_TEXT]; /* from its supervisor */
	char setup[FILTER_DIGEST_TEXT];
	char running[FILTER_DIGEST_TEXT];
	char vcpu[FILTER_DIGEST_TEXT]; /* stacked by its vCPU threads */
	char seal[FILTER_DIGEST_TEXT]; /* stacked by its other threads */
};

void filter_digest_of(const struct sock_filter *code, size_t length,
		      char text[FILTER_DIGEST_TEXT]);

/* True if the code has the digest text, perhaps with pid in places where the
 * filter that was exported has FILTER_OWN_PID. */
bool filter_digest_fits(const struct sock_filter *code, size_t length,
			uint32_t pid, const char *text);

/* True if text is a digest or ""; if it is several digests, one or "". */
bool filter_digest_valid(const char *text);
bool filter_digests_valid(const char *text);

/* Adds a digest to several. If there is no room, the oldest one is dropped. */
void filter_digests_add(char digests[FILTER_DIGESTS_TEXT], const char *text);
/* The last one of several, "" if there is none. */
const char *filter_digests_last(const char *digests);

#endif
