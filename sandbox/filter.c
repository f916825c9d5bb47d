/* SPDX-License-Identifier: ISC */
/*
 * System call allow-lists by role.
 *
 * Theory of operation: a list names every call that a role makes, each with its
 * reason. Arguments are pinned where a call could do more than its reason says.
 * A call that isn't listed is refused:
 *
 * - In a VM process, the supervisor is notified (SECCOMP_RET_USER_NOTIF). The
 *   call waits, unexecuted, until the supervisor has recorded it and killed the
 *   process.
 * - A vCPU thread has the list of its process and a narrower one on top. A call
 *   that only the narrower list refuses gets ENOSYS. A process has one
 *   listener, that of the wider list; TRACE, as below, doesn't silence it.
 * - In a VM process that isn't set up yet, which has the list of set-up, the
 *   call gets ENOSYS. Filters add up, so the list of set-up has all calls of
 *   the later list.
 * - In the supervisor, the call gets ENOSYS, by SECCOMP_RET_TRACE without a
 *   tracer. SECCOMP_RET_ERRNO would be the plain way. But VM processes inherit
 *   this filter, and where filters disagree ERRNO comes before USER_NOTIF: a
 *   call would be refused without the supervisor's knowledge. TRACE comes after
 *   USER_NOTIF.
 *
 * The kernel decides on a call without pinned arguments by its bitmap of calls,
 * and runs no filter program. If one filter of several pins a call, all of them
 * are run for that call.
 */
#include "sandbox/filter.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/filter_digest.h"
#include "sandbox/filter_rules.h"

static int filter_failed(const struct filter_rules *role, const char *step,
			 int error)
{
	log_error("cannot make the %s filter: %s: %s (vmsup check says what "
		  "this kernel lacks)",
		  role->name, step, strerror(-error));
	return error;
}

static int add_rule(scmp_filter_ctx ctx, const struct filter_rule *rule,
		    bool fitted)
{
	struct scmp_arg_cmp pins[FILTER_PINS + 1];
	unsigned int count = rule->pins;

	memcpy(pins, rule->pin, sizeof(rule->pin));
	if (fitted && rule->own_pid)
		pins[count++] = (struct scmp_arg_cmp){ 0, SCMP_CMP_EQ,
						       FILTER_OWN_PID, 0 };
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rule->syscall, count,
				      pins);
}

static int add_list(scmp_filter_ctx ctx, const struct filter_list *list,
		    bool fitted)
{
	int error = 0;

	for (size_t i = 0; i < list->count && !error; i++) {
		error = add_rule(ctx, &list->rules[i], fitted);
		if (error == -EEXIST) /* another list has it as well */
			error = 0;
	}
	return error;
}

/* NULL with errno set. */
static scmp_filter_ctx compile(const struct filter_rules *role)
{
	scmp_filter_ctx ctx = seccomp_init(role->refused);
	int error;

	if (!ctx) {
		filter_failed(role, "seccomp_init", -EINVAL);
		return NULL;
	}
	/* calls of another architecture: the process ends at once */
	error = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				 SCMP_ACT_KILL_PROCESS);
	/* a binary tree by call number: the cost is the logarithm of the list's
	 * length */
	if (!error)
		error = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < FILTER_LISTS && !error; i++)
		error = add_list(ctx, &role->lists[i], role->fitted);
	if (error) {
		filter_failed(role, "add a rule", error);
		seccomp_release(ctx);
		return NULL;
	}
	return ctx;
}

int filter_export(enum filter_role role)
{
	scmp_filter_ctx ctx = compile(filter_rules(role));
	cleanup_fd int fd = -1;
	int error;

	if (!ctx)
		return -EINVAL;
	fd = memfd_create("vmsup-filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	error = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (error)
		return filter_failed(filter_rules(role), "export", error);
	/* VM processes share it: nobody may change it any more */
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return filter_failed(filter_rules(role), "seal", -errno);
	return steal_fd(&fd);
}

int filter_compile(enum filter_role role, struct filter_program *program)
{
	cleanup_fd int fd = filter_export(role);
	struct stat st;
	size_t bytes;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return filter_failed(filter_rules(role), "export", -errno);
	bytes = (size_t)st.st_size;
	if (bytes > sizeof(program->code))
		return filter_failed(filter_rules(role), "export", -E2BIG);
	if (pread(fd, program->code, bytes, 0) != st.st_size)
		return filter_failed(filter_rules(role), "export", -EIO);
	program->length = (unsigned short)(bytes / sizeof(program->code[0]));
	return 0;
}

void filter_fit(struct filter_program *program, pid_t pid)
{
	for (unsigned int i = 0; i < program->length; i++)
		if (program->code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
		    program->code[i].k == FILTER_OWN_PID)
			program->code[i].k = (uint32_t)pid;
}

int filter_digest(int filter_fd, char text[FILTER_DIGEST_TEXT])
{
	struct sock_filter code[BPF_MAXINSNS];
	ssize_t bytes = pread(filter_fd, code, sizeof(code), 0);

	if (bytes <= 0)
		return bytes < 0 ? -errno : -EINVAL;
	filter_digest_of(code, (size_t)bytes / sizeof(*code), text);
	return 0;
}

int filter_load(enum filter_role role)
{
	scmp_filter_ctx ctx = compile(filter_rules(role));
	int error;

	if (!ctx)
		return -EINVAL;
	error = seccomp_load(ctx);
	seccomp_release(ctx);
	return error ? filter_failed(filter_rules(role), "load", error) : 0;
}

const char *filter_syscall(enum filter_role role, size_t index)
{
	const struct filter_list *list = filter_rules(role)->lists;
	static char name[32];

	for (int i = 0; i < FILTER_LISTS; index -= list[i++].count) {
		if (index >= list[i].count)
			continue;
		filter_syscall_name(list[i].rules[index].syscall, name,
				    sizeof(name));
		return name;
	}
	return NULL;
}

void filter_syscall_name(int number, char *name, size_t bytes)
{
	char *found =
		seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

	if (found)
		snprintf(name, bytes, "%s", found);
	else
		snprintf(name, bytes, "#%d", number);
	free(found);
}
