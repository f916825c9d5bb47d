/* SPDX-License-Identifier: ISC */
/*
 * The filters against each other: what is to be within a wider one is. The
 * programs themselves are run, by a machine for them, on calls with the
 * arguments that any list pins.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "sandbox/filter.h"
#include "sandbox/filter_rules.h"

#define CALLS  600
#define VALUES 512
#define PID    4711

/* What VM processes inherit after an upgrade from that build. */
static struct sock_filter old_supervisor[] = {
#include "tests/unit/sandbox/old_supervisor_filter.inc"
};

/* ---- the machine: what seccomp(2) takes of BPF */

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	assert_true(offset <= sizeof(*data) - sizeof(word));
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static bool holds(const struct sock_filter *at, uint32_t a)
{
	switch (BPF_OP(at->code)) {
	case BPF_JEQ:
		return a == at->k;
	case BPF_JGT:
		return a > at->k;
	case BPF_JGE:
		return a >= at->k;
	case BPF_JSET:
		return a & at->k;
	default:
		fail_msg("jump %#x", at->code);
		return false;
	}
}

static uint32_t run(const struct filter_program *program,
		    const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned int pc = 0; pc < program->length; pc++) {
		const struct sock_filter *at = &program->code[pc];

		if (at->code == (BPF_LD | BPF_W | BPF_ABS))
			a = load(data, at->k);
		else if (at->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= at->k;
		else if (at->code == (BPF_JMP | BPF_JA))
			pc += at->k;
		else if (BPF_CLASS(at->code) == BPF_JMP)
			pc += holds(at, a) ? at->jt : at->jf;
		else if (at->code == (BPF_RET | BPF_K))
			return at->k;
		else
			fail_msg("instruction %#x", at->code);
	}
	fail_msg("no return");
	return 0;
}

static bool allows(const struct filter_program *program, int number,
		   const uint64_t args[6])
{
	struct seccomp_data data = {
		.nr = number,
		.arch = AUDIT_ARCH_X86_64,
	};

	memcpy(data.args, args, sizeof(data.args));
	return run(program, &data) == SECCOMP_RET_ALLOW;
}

/* ---- the calls */

static struct filter_program programs[FILTER_ROLES];

static int set_up(void **state)
{
	(void)state;
	for (int role = 0; role < FILTER_ROLES; role++) {
		if (filter_compile((enum filter_role)role, &programs[role]) < 0)
			return -1;
		filter_fit(&programs[role], PID);
	}
	return 0;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static void add_values(const struct filter_list *list, uint64_t values[VALUES],
		       size_t *count)
{
	for (size_t i = 0; i < list->count; i++)
		for (unsigned int j = 0; j < list->rules[i].pins; j++) {
			const struct scmp_arg_cmp *pin = &list->rules[i].pin[j];

			assert_true(*count < VALUES - 2);
			values[(*count)++] = pin->op == SCMP_CMP_MASKED_EQ
						     ? pin->datum_b
						     : pin->datum_a;
		}
}

/* Every value that a list pins, each once; our own pid; none that is pinned. */
static size_t values_of(uint64_t values[VALUES])
{
	size_t count = 0, kept = 0;

	for (int role = 0; role < FILTER_ROLES; role++)
		for (int i = 0; i < FILTER_LISTS; i++)
			add_values(
				&filter_rules((enum filter_role)role)->lists[i],
				values, &count);
	qsort(values, count, sizeof(*values), compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || values[i] != values[kept - 1])
			values[kept++] = values[i];
	values[kept++] = PID;
	values[kept++] = UINT64_MAX;
	return kept;
}

static bool listed(const struct filter_rules *rules, int number)
{
	for (int i = 0; i < FILTER_LISTS; i++)
		for (size_t j = 0; j < rules->lists[i].count; j++)
			if (rules->lists[i].rules[j].syscall == number)
				return true;
	return false;
}

static void fail_call(int number, const uint64_t args[6])
{
	char name[32];

	filter_syscall_name(number, name, sizeof(name));
	fail_msg("%s(%#lx, %#lx, %#lx, %#lx, %#lx)", name, args[0], args[1],
		 args[2], args[3], args[4]);
}

/* Whatever the narrower one allows, the wider one does: each call, with each
 * value that is pinned anywhere in its first arguments, in pairs. A fitted
 * filter has one tgkill() the less: that of another process. Returns how many
 * were allowed. */
static size_t assert_within(enum filter_role narrow,
			    const struct filter_program *wide)
{
	static const int pairs[][2] = {
		{ 0, 1 }, { 0, 2 }, { 0, 4 }, { 1, 2 }, { 0, 3 }
	};
	uint64_t values[VALUES];
	size_t count = values_of(values), allowed = 0;

	for (size_t n = 0; n < CALLS * ARRAY_SIZE(pairs) * count * count; n++) {
		const int *pair = pairs[n / count / count % ARRAY_SIZE(pairs)];
		int number = (int)(n / count / count / ARRAY_SIZE(pairs));
		uint64_t args[6] = { 0 };

		if (!listed(filter_rules(narrow), number)) {
			n += ARRAY_SIZE(pairs) * count * count - 1;
			continue;
		}
		args[pair[0]] = values[n / count % count];
		args[pair[1]] = values[n % count];
		if ((number == SYS_tgkill && args[0] != PID) ||
		    !allows(&programs[narrow], number, args))
			continue;
		allowed++;
		if (!allows(wide, number, args))
			fail_call(number, args);
	}
	return allowed;
}

/* ---- tests */

static void set_up_holds_the_running_list_of_its_role(void **state)
{
	(void)state;
	assert_true(assert_within(FILTER_BUILTIN,
				  &programs[FILTER_BUILTIN_SETUP]) > 1000);
	assert_true(assert_within(FILTER_KVM, &programs[FILTER_KVM_SETUP]) >
		    1000);
}

static void a_vcpus_list_is_within_that_of_its_process(void **state)
{
	(void)state;
	assert_true(assert_within(FILTER_VCPU, &programs[FILTER_KVM]) > 1000);
}

/* What a VM process inherits bounds it as well. */
static void the_supervisors_list_holds_what_set_up_calls(void **state)
{
	(void)state;
	assert_within(FILTER_BUILTIN_SETUP, &programs[FILTER_SUPERVISOR]);
	assert_within(FILTER_KVM_SETUP, &programs[FILTER_SUPERVISOR]);
}

/* After an upgrade, the list of the first supervisor is still in force. */
static void so_does_that_of_the_oldest_supervisor(void **state)
{
	struct filter_program old = { .length = ARRAY_SIZE(old_supervisor) };

	(void)state;
	memcpy(old.code, old_supervisor, sizeof(old_supervisor));
	assert_within(FILTER_BUILTIN_SETUP, &old);
	assert_within(FILTER_KVM_SETUP, &old);
}

static void a_fitted_filter_lets_a_process_signal_itself_alone(void **state)
{
	const uint64_t to_self[6] = { PID, 1, SIGUSR1 };
	const uint64_t to_other[6] = { PID + 1, 1, SIGUSR1 };
	const uint64_t to_nobody[6] = { FILTER_OWN_PID, 1, SIGUSR1 };
	const struct filter_program *fitted = &programs[FILTER_KVM_SETUP];

	(void)state;
	assert_true(allows(fitted, SYS_tgkill, to_self));
	assert_false(allows(fitted, SYS_tgkill, to_other));
	assert_false(allows(fitted, SYS_tgkill, to_nobody));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_up_holds_the_running_list_of_its_role),
		cmocka_unit_test(a_vcpus_list_is_within_that_of_its_process),
		cmocka_unit_test(the_supervisors_list_holds_what_set_up_calls),
		cmocka_unit_test(so_does_that_of_the_oldest_supervisor),
		cmocka_unit_test(
			a_fitted_filter_lets_a_process_signal_itself_alone),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
