/* SPDX-License-Identifier: ISC */
/* Digests of filters: what fits one, and what doesn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/filter.h"

#define PID 4711

/* A filter that is fitted to a process in two places; a third compares with
 * something else. */
static const struct sock_filter text[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_OWN_PID, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_OWN_PID, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 42, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
};

static char digest[FILTER_DIGEST_TEXT];

static void fit(struct sock_filter code[ARRAY_SIZE(text)], uint32_t pid)
{
	memcpy(code, text, sizeof(text));
	code[1].k = code[2].k = pid;
}

static bool fits(const struct sock_filter *code, uint32_t pid)
{
	return filter_digest_fits(code, ARRAY_SIZE(text), pid, digest);
}

static int setup(void **state)
{
	(void)state;
	filter_digest_of(text, ARRAY_SIZE(text), digest);
	return 0;
}

static void test_own_pid(void **state)
{
	struct sock_filter code[ARRAY_SIZE(text)];

	(void)state;
	fit(code, PID);
	assert_true(fits(code, PID));
	/* fitted to one process, and loaded by another */
	assert_false(fits(code, PID + 1));
	/* of the right length, but not the whole */
	assert_false(
		filter_digest_fits(code, ARRAY_SIZE(text) - 1, PID, digest));
	assert_false(filter_digest_fits(code, 0, PID, digest));
}

/* A pid that is a constant of the filter's as well. */
static void test_pid_by_chance(void **state)
{
	struct sock_filter code[ARRAY_SIZE(text)];

	(void)state;
	fit(code, 42);
	assert_true(fits(code, 42));
	code[3].k = 43;
	assert_false(fits(code, 42));
}

/* Any other change, anywhere. */
static void test_changes(void **state)
{
	struct sock_filter code[ARRAY_SIZE(text)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		fit(code, PID);
		code[i].k ^= 1;
		assert_false(fits(code, PID));
		fit(code, PID);
		code[i].jt ^= 1;
		assert_false(fits(code, PID));
		fit(code, PID);
		code[i].code ^= BPF_JGT;
		assert_false(fits(code, PID));
	}
	/* the pid, where something else should be */
	fit(code, PID);
	code[3].k = PID;
	assert_false(fits(code, PID));
}

/* More places than are tried: it doesn't fit, and takes no time. */
static void test_many_pids(void **state)
{
	struct sock_filter code[BPF_MAXINSNS];
	char its[FILTER_DIGEST_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(code); i++)
		code[i] = text[1];
	filter_digest_of(code, ARRAY_SIZE(code), its);
	for (size_t i = 0; i < ARRAY_SIZE(code); i++)
		code[i].k = PID;
	assert_false(filter_digest_fits(code, ARRAY_SIZE(code), PID, its));
	assert_false(filter_digest_fits(code, ARRAY_SIZE(code) + 1, PID, its));
}

/* Of what is handed to VM processes: one digest for each, always the same. */
static void test_exported(void **state)
{
	char digests[FILTER_ROLES][FILTER_DIGEST_TEXT];

	(void)state;
	for (int role = 0; role < FILTER_ROLES; role++) {
		for (int again = 0; again < 2; again++) {
			char found[FILTER_DIGEST_TEXT];
			cleanup_fd int fd = filter_export(role);

			assert_true(fd >= 0);
			assert_int_equal(filter_digest(fd, found), 0);
			assert_true(filter_digest_valid(found));
			assert_int_equal(strlen(found), FILTER_DIGEST_TEXT - 1);
			if (again)
				assert_string_equal(found, digests[role]);
			memcpy(digests[role], found, sizeof(found));
		}
		for (int other = 0; other < role; other++)
			assert_string_not_equal(digests[role], digests[other]);
	}
}

/* ---- several */

static void number(char one[FILTER_DIGEST_TEXT], int i)
{
	snprintf(one, FILTER_DIGEST_TEXT, "%064x", i);
}

static void test_several(void **state)
{
	char all[FILTER_DIGESTS_TEXT] = "", one[FILTER_DIGEST_TEXT];

	(void)state;
	assert_true(filter_digests_valid(all));
	assert_string_equal(filter_digests_last(all), "");
	for (int i = 0; i < 3 * FILTER_DIGESTS_MOST; i++) {
		int kept = i < FILTER_DIGESTS_MOST ? i + 1
						   : FILTER_DIGESTS_MOST;

		number(one, i);
		filter_digests_add(all, one);
		assert_true(filter_digests_valid(all));
		assert_string_equal(filter_digests_last(all), one);
		assert_int_equal(strlen(all), kept * FILTER_DIGEST_TEXT - 1);
		/* the oldest that is kept */
		number(one, i + 1 - kept);
		assert_memory_equal(all, one, FILTER_DIGEST_TEXT - 1);
	}
}

static void test_valid(void **state)
{
	char two[2 * FILTER_DIGEST_TEXT + 2], *end = two + 2 * 64 + 1;

	(void)state;
	assert_true(filter_digest_valid(""));
	assert_true(filter_digest_valid(digest));
	assert_false(filter_digest_valid("x"));
	assert_false(filter_digest_valid(digest + 1));
	snprintf(two, sizeof(two), "%s %s", digest, digest);
	assert_true(filter_digests_valid(two));
	assert_false(filter_digest_valid(two));
	strcpy(end, " ");
	assert_false(filter_digests_valid(two));
	strcpy(end, "0");
	assert_false(filter_digests_valid(two));
	*end = '\0';
	two[64] = ',';
	assert_false(filter_digests_valid(two));
	assert_false(filter_digests_valid(" "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_pid),
		cmocka_unit_test(test_pid_by_chance),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_many_pids),
		cmocka_unit_test(test_exported),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_valid),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
