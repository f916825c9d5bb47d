/* SPDX-License-Identifier: ISC */
/*
 * Stage 2 of the cage: in the VM process, before the first frame.
 *
 * Theory of operation: stage 1 has left a process without a privilege, and
 * without a descriptor but the channel and the event loops' own. Whatever else
 * the process needs has been handed to it and set up by now. So it gives up the
 * rest of the kernel: first the rights that take system calls to give up, then
 * the calls themselves. A call outside the filter's list is not executed: the
 * supervisor is notified through the listener, records the call, and ends the
 * process. If no listener is left, the kernel answers ENOSYS.
 */
#include "sandbox/stage2.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "ipc/fd.h"

/* The argument of landlock_create_ruleset(2) as of its sixth version. Headers
 * of the older systems on which this builds have fewer fields. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* version 4 */
	uint64_t scoped; /* version 6 */
};

/* All rights of each version, as masks, and the bytes of struct ruleset that
 * the version reads. */
static const struct {
	uint64_t fs, net, scoped;
	size_t bytes;
} landlock_versions[] = {
	[1] = { (1ULL << 13) - 1, 0, 0, 8 },
	[2] = { (1ULL << 14) - 1, 0, 0, 8 },
	[3] = { (1ULL << 15) - 1, 0, 0, 8 },
	[4] = { (1ULL << 15) - 1, 3, 0, 16 },
	[5] = { (1ULL << 16) - 1, 3, 0, 16 },
	[6] = { (1ULL << 16) - 1, 3, 3, 24 },
};

/* Should: handle every right by Landlock and allow none. Mustn't: fail on a
 * kernel without Landlock, where the room and the filter remain. */
static int landlock(void)
{
	struct ruleset ruleset = { 0 };
	cleanup_fd int ruleset_fd = -1;
	long version;

	version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			  LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1)
		return 0;
	if (version >= (long)ARRAY_SIZE(landlock_versions))
		version = ARRAY_SIZE(landlock_versions) - 1;
	ruleset.handled_access_fs = landlock_versions[version].fs;
	ruleset.handled_access_net = landlock_versions[version].net;
	ruleset.scoped = landlock_versions[version].scoped;
	ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset,
				  landlock_versions[version].bytes, 0);
	if (ruleset_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0)
		return -errno;
	return 0;
}

/* Should: forbid memory that was written to become executable. Mustn't: fail on
 * a kernel without MDWE. */
static int refuse_new_code(void)
{
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 &&
	    errno != EINVAL)
		return -errno;
	return 0;
}

/* Should: load the filter for all threads. Mustn't: let a thread go without it;
 * the flags make that an error. The listener or -errno. */
static int load_filter(int filter_fd)
{
	/* Not on the stack: each page of it would be touched, and would
	 * stay. */
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	struct sock_fprog program = { .filter = filter };
	ssize_t bytes;
	long listener_fd;

	bytes = pread(filter_fd, filter, sizeof(filter), 0);
	if (bytes < 0)
		return -errno;
	if (bytes == 0 || (size_t)bytes % sizeof(filter[0]) != 0)
		return -EINVAL;
	program.len = (unsigned short)((size_t)bytes / sizeof(filter[0]));
	listener_fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      STAGE2_FILTER_FLAGS, &program);
	return listener_fd < 0 ? -errno : (int)listener_fd;
}

int stage2_thread(void)
{
	return landlock();
}

int stage2_stack(struct sock_filter *filter, unsigned short length)
{
	const struct sock_fprog program = {
		.len = length,
		.filter = filter,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}

int stage2_seal(void)
{
	struct sock_filter filter[] = STAGE2_SEAL;

	return stage2_stack(filter, ARRAY_SIZE(filter));
}

int stage2_close(int filter_fd, bool stay, const char **step)
{
	int result;

	*step = "not dumpable";
	/* Afterwards its /proc files are root's, and only root may trace it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	*step = "Landlock";
	if ((result = landlock()) < 0)
		return result;
	*step = "MDWE";
	if ((result = refuse_new_code()) < 0)
		return result;
	*step = "outlive the supervisor";
	if (stay && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return -errno;
	*step = "system call filter";
	return load_filter(filter_fd);
}
