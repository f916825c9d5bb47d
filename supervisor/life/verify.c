/* SPDX-License-Identifier: ISC */
/*
 * The proof of a VM process's sandbox, from outside: what /proc says of it.
 *
 * Theory of operation: a VM process that says READY claims that its sandbox is
 * closed. The supervisor believes the kernel instead. /proc/PID/status shows
 * the process's filters, capabilities, uids and no_new_privs, for each thread
 * of a guest that may have several; /proc/PID/mountinfo shows its root. A
 * process cannot forge these files. It cannot undo what they show either:
 * filters, no_new_privs and dropped capabilities last as long as a process
 * does. So one look is enough, and an adopted process is looked at again.
 *
 * A pid may be given to another process. Its caller holds a pidfd: while the
 * process isn't reaped, the pid is its own. Where it isn't a child of this
 * supervisor, pid and start time together name it, and are compared after the
 * pidfd was opened.
 *
 * What /proc doesn't show is proved elsewhere: the namespaces when the room is
 * made (sandbox/room.c), the filters' contents by their digests
 * (sandbox/filter_digest.c), which 'vmsup sandbox' compares.
 */
#include "supervisor/life/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/room.h"
#include "supervisor/lib/dir.h"
#include "supervisor/vm/vm.h"

/* The line of /proc/PID/status that begins with key, after its tab; NULL: not
 * there. */
static const char *field(const char *status, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			return line + length + 1 +
			       strspn(line + length + 1, " \t");
	}
	return NULL;
}

static bool is(const char *status, const char *key, const char *want)
{
	const char *value = field(status, key);

	return value && strcspn(value, "\n") == strlen(want) &&
	       strncmp(value, want, strlen(want)) == 0;
}

/* Reads /proc/PROCESS/status; false: there is none. */
static bool read_status(int proc_fd, const char *process, char status[4096])
{
	char path[80];
	cleanup_fd int fd = -1;
	ssize_t bytes;

	snprintf(path, sizeof(path), "%s/status", process);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, status, 4095);
	if (bytes <= 0)
		return false;
	status[bytes] = '\0';
	return true;
}

static uint32_t filters_of(const char *status)
{
	const char *value = field(status, "Seccomp_filters");

	return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

uint32_t process_filters(int proc_fd, const char *process)
{
	char status[4096];

	return read_status(proc_fd, process, status) ? filters_of(status) : 0;
}

int process_started(int proc_fd, pid_t pid, uint64_t *ticks)
{
	char path[32], stat[1024];
	cleanup_fd int fd = -1;
	const char *at;
	ssize_t bytes;

	snprintf(path, sizeof(path), "%d/stat", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (bytes <= 0)
		return -ESRCH;
	stat[bytes] = '\0';
	/* the name, in parentheses, may hold anything; after it comes the
	 * third field, and the start is the 22nd */
	at = strrchr(stat, ')');
	for (int i = 2; at && i < 22; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -ESRCH;
	*ticks = strtoull(at + 1, NULL, 10);
	return 0;
}

bool process_has_uid(int proc_fd, pid_t pid, uid_t uid)
{
	char process[16], status[4096], ids[64];

	snprintf(process, sizeof(process), "%d", pid);
	snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", uid, uid, uid, uid);
	return read_status(proc_fd, process, status) && is(status, "Uid", ids);
}

int process_in_room(int proc_fd, pid_t pid)
{
	char path[32], text[4096];
	cleanup_fd int fd = -1;
	ssize_t bytes;

	snprintf(path, sizeof(path), "%d/mountinfo", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (bytes <= 0)
		return -ESRCH;
	text[bytes] = '\0';
	return room_mounts(text);
}

/* 0; -EPERM with problem set; -ESRCH: the process has ended. */
static int verify_status(const struct vm *vm, const char *status,
			 struct problem *problem)
{
	char ids[64];
	const char *state = field(status, "State");
	uint32_t filters;
	const struct {
		const char *key, *want;
	} facts[] = {
		{ "Seccomp", "2" },
		{ "NoNewPrivs", "1" },
		{ "CapInh", "0000000000000000" },
		{ "CapPrm", "0000000000000000" },
		{ "CapEff", "0000000000000000" },
		{ "CapBnd", "0000000000000000" },
		{ "CapAmb", "0000000000000000" },
		{ "Uid", ids },
		{ "Gid", ids },
	};

	snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", vm->uid, vm->uid, vm->uid,
		 vm->uid);
	if (state && strchr("ZX", *state))
		return problem_set(problem, -ESRCH, "it has ended");
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (!is(status, facts[i].key, facts[i].want))
			return problem_set(problem, -EPERM,
					   "cage not closed: %s isn't %s",
					   facts[i].key, facts[i].want);
	/* The inherited filters and the process's own. One filter less leaves
	 * the sandbox open. One more could hide which calls are refused, unless
	 * it is the filter that threads of a machine put on top. */
	filters = filters_of(status);
	if (filters < vm->process.filters ||
	    filters > vm->process.filters + (vm->config.machine != NULL))
		return problem_set(problem, -EPERM,
				   "cage not closed: %u filters, not %u",
				   filters, vm->process.filters);
	return 0;
}

static int verify_process(const struct vm *vm, int proc_fd, const char *process,
			  struct problem *problem)
{
	char status[4096];

	if (!read_status(proc_fd, process, status))
		return problem_set(problem, -EPERM,
				   "cannot read /proc/%s/status", process);
	return verify_status(vm, status, problem);
}

struct threads {
	const struct vm *vm;
	int proc_fd;
	const char *path; /* of their directory, in /proc */
	struct problem *problem;
};

static int verify_thread(void *ctx, const char *entry)
{
	const struct threads *threads = ctx;
	char thread[64];

	snprintf(thread, sizeof(thread), "%s/%.20s", threads->path, entry);
	return verify_process(threads->vm, threads->proc_fd, thread,
			      threads->problem);
}

/* Checks every thread: a machine's process has several. */
static int verify_threads(const struct vm *vm, int proc_fd,
			  struct problem *problem)
{
	char path[24];
	struct threads threads = { vm, proc_fd, path, problem };
	int error;

	snprintf(path, sizeof(path), "%d/task", vm->process.pid);
	problem->text[0] = '\0';
	error = dir_each(proc_fd, path, verify_thread, &threads);
	if (error && !problem->text[0])
		return problem_set(problem, -EPERM, "cannot read /proc/%s: %s",
				   path, strerror(-error));
	return error;
}

/* Checks that the process is in the room, and that its root is the room's. The
 * room itself was proved when it was made. No path of /proc/PID/root is looked
 * up: that would take CAP_SYS_PTRACE. */
static int verify_room(const struct vm *vm, int proc_fd,
		       struct problem *problem)
{
	switch (process_in_room(proc_fd, vm->process.pid)) {
	case 1:
		return 0;
	case 0:
		return problem_set(problem, -EPERM,
				   "cage not closed: its root isn't the empty "
				   "room's alone");
	default:
		return problem_set(problem, -ESRCH, "it has ended");
	}
}

int vm_verify(const struct vm *vm, int proc_fd, struct problem *problem)
{
	char process[16];
	int error;

	snprintf(process, sizeof(process), "%d", vm->process.pid);
	error = vm->config.machine
			? verify_threads(vm, proc_fd, problem)
			: verify_process(vm, proc_fd, process, problem);
	return error ? error : verify_room(vm, proc_fd, problem);
}
