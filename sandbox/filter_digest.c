/* SPDX-License-Identifier: ISC */
/*
 * Digests of system call filters.
 *
 * Theory of operation: the kernel gives a filter back byte for byte as it was
 * loaded (PTRACE_SECCOMP_GET_FILTER). So a digest of its code tells whether it
 * is the filter that was made for the process. A process that only pretends to
 * be caged chooses the code that it loads, and can pad it at will: so the
 * digest is one for which nobody can find a second text. A VM process writes
 * its own pid into its copy of some filters. The digest is that of the filter
 * without the pid: the comparison puts FILTER_OWN_PID back.
 */
#include "sandbox/filter_digest.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "sandbox/filter.h"
#include "sandbox/sha256.h"

/* Constants of one filter that are equal to its process's pid, on purpose or by
 * chance: at most so many, for every choice among them is tried. */
#define PIDS_MOST 6

void filter_digest_of(const struct sock_filter *code, size_t length,
		      char text[FILTER_DIGEST_TEXT])
{
	uint8_t digest[SHA256_BYTES];

	sha256(code, length * sizeof(*code), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static bool is(const struct sock_filter *code, size_t length, const char *text)
{
	char found[FILTER_DIGEST_TEXT];

	filter_digest_of(code, length, found);
	return strcmp(found, text) == 0;
}

/* Finds the places where the code compares with pid. Their number or -E2BIG. */
static int find_pids(const struct sock_filter *code, size_t length,
		     uint32_t pid, size_t places[PIDS_MOST])
{
	int count = 0;

	for (size_t i = 0; i < length; i++) {
		if (code[i].code != (BPF_JMP | BPF_JEQ | BPF_K) ||
		    code[i].k != pid)
			continue;
		if (count == PIDS_MOST)
			return -E2BIG;
		places[count++] = i;
	}
	return count;
}

bool filter_digest_fits(const struct sock_filter *code, size_t length,
			uint32_t pid, const char *text)
{
	struct sock_filter copy[BPF_MAXINSNS];
	size_t places[PIDS_MOST];
	int count;

	if (length > ARRAY_SIZE(copy))
		return false;
	count = find_pids(code, length, pid, places);
	if (count < 0)
		return is(code, length, text);
	memcpy(copy, code, length * sizeof(*code));
	for (unsigned int choice = 0; choice < 1U << count; choice++) {
		for (int i = 0; i < count; i++)
			copy[places[i]].k = choice >> i & 1 ? FILTER_OWN_PID
							    : pid;
		if (is(copy, length, text))
			return true;
	}
	return false;
}

/* The length of the digest that text begins with; 0: there is none. */
static size_t digest_at(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return length == FILTER_DIGEST_TEXT - 1 ? length : 0;
}

bool filter_digest_valid(const char *text)
{
	size_t length = digest_at(text);

	return text[length] == '\0';
}

bool filter_digests_valid(const char *text)
{
	while (*text) {
		size_t length = digest_at(text);

		if (!length || (text[length] && text[length] != ' ') ||
		    (text[length] && !text[length + 1]))
			return false;
		text += length + (text[length] == ' ');
	}
	return true;
}

void filter_digests_add(char digests[FILTER_DIGESTS_TEXT], const char *text)
{
	size_t length = strlen(digests);

	if (length + 1 + strlen(text) >= FILTER_DIGESTS_TEXT) {
		length -= FILTER_DIGEST_TEXT;
		memmove(digests, digests + FILTER_DIGEST_TEXT, length + 1);
	}
	snprintf(digests + length, FILTER_DIGESTS_TEXT - length, "%s%s",
		 length ? " " : "", text);
}

const char *filter_digests_last(const char *digests)
{
	const char *blank = strrchr(digests, ' ');

	return blank ? blank + 1 : digests;
}
