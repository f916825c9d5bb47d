/* SPDX-License-Identifier: ISC */
/* The proof of a cage, from outside: what /proc says of a VM process. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/vm.h"

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
	char path[32];
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

/* VM processes inherit the supervisor's filters: one more is stage 2's. */
static bool own_filter(int proc_fd, const char *status)
{
	static const char key[] = "Seccomp_filters";
	char own[4096];
	const char *mine, *its = field(status, key);

	if (!read_status(proc_fd, "self", own))
		return false;
	mine = field(own, key);
	return mine && its && strtoul(its, NULL, 10) > strtoul(mine, NULL, 10);
}

int vm_verify(const struct vm *vm, int proc_fd, struct problem *problem)
{
	char process[16], status[4096], ids[64];
	const char *state;

	snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", vm->uid, vm->uid, vm->uid,
		 vm->uid);
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

	snprintf(process, sizeof(process), "%d", vm->pid);
	if (!read_status(proc_fd, process, status))
		return problem_set(problem, -EPERM,
				   "cannot read /proc/%s/status", process);
	state = field(status, "State");
	if (state && strchr("ZX", *state))
		return problem_set(problem, -ESRCH, "it has ended");
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (!is(status, facts[i].key, facts[i].want))
			return problem_set(problem, -EPERM,
					   "cage not closed: %s isn't %s",
					   facts[i].key, facts[i].want);
	if (!own_filter(proc_fd, status))
		return problem_set(problem, -EPERM,
				   "cage not closed: no filter of its own");
	return 0;
}
