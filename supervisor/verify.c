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

int vm_verify(const struct vm *vm, int proc_fd, struct problem *problem)
{
	char path[32], status[4096], ids[64];
	cleanup_fd int fd = -1;
	ssize_t bytes;

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

	snprintf(path, sizeof(path), "%d/status", vm->pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (bytes <= 0)
		return problem_set(problem, -EPERM, "cannot read /proc/%s",
				   path);
	status[bytes] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (!is(status, facts[i].key, facts[i].want))
			return problem_set(problem, -EPERM,
					   "cage not closed: %s isn't %s",
					   facts[i].key, facts[i].want);
	return 0;
}
