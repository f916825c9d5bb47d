/* SPDX-License-Identifier: ISC */
/*
 * The supervisor cuts its own power.
 *
 * Theory of operation: the supervisor stays root, so that its files stay
 * root's. Root without capabilities is an ordinary user whose uid is 0. The
 * supervisor keeps the capabilities that it needs to make the next VM process
 * and the next TAP.
 */
#include "sandbox/caps.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"

/* clang-format off: one capability, one reason, one line */
static const struct {
	unsigned int capability;
	bool at_end; /* permitted, but not effective before the end */
} kept[] = {
	{ CAP_NET_ADMIN, false }, /* TAPs, when a VM is added or a TAP lost */
	{ CAP_SYS_ADMIN, false }, /* setns() into the room, per VM process */
	{ CAP_SYS_CHROOT, false }, /* setns() into its mount namespace */
	{ CAP_SETUID, false }, /* the identity of each VM process */
	{ CAP_SETGID, false }, /* the group of each VM process */
	{ CAP_SETPCAP, false }, /* to empty each VM process's bounding set */
	{ CAP_KILL, false }, /* to signal VM processes: they have other uids */
	{ CAP_DAC_OVERRIDE, true }, /* to remove its cgroup from the tree's
				       root, which root can't write without */
};
/* clang-format on */

static int apply(bool ending)
{
	/* libcap-ng remembers the pid of its first caller: the guard of an
	 * upgrade is a fork of that process. */
	capng_setpid(getpid());
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		int sets = CAPNG_PERMITTED | CAPNG_BOUNDING_SET;

		if (ending || !kept[i].at_end)
			sets |= CAPNG_EFFECTIVE;
		capng_update(CAPNG_ADD, (capng_type_t)sets, kept[i].capability);
	}
	return capng_apply(CAPNG_SELECT_BOTH);
}

int caps_kept(size_t index)
{
	return index < ARRAY_SIZE(kept) ? (int)kept[index].capability : -1;
}

int caps_cut(void)
{
	if (apply(false) != 0) {
		log_error("cannot give up capabilities: %s (run as root)",
			  strerror(errno));
		return -EPERM;
	}
	/* No set-user-id program can bring them back. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

void caps_raise_last(void)
{
	if (apply(true) != 0)
		log_warn("cannot raise capabilities again: %s",
			 strerror(errno));
}
