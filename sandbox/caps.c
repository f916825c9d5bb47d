/* SPDX-License-Identifier: ISC */
/*
 * The supervisor cuts its own power.
 *
 * Theory of operation: the supervisor stays root, so that its files stay
 * root's, but root without capabilities is an ordinary user of /. It keeps
 * what making the next VM process and the next TAP needs.
 */
#include "sandbox/caps.h"

#include <cap-ng.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "ipc/fd.h"
#include "ipc/log.h"

/* clang-format off: one capability, one reason, one line */
static const unsigned int kept[] = {
	CAP_NET_ADMIN, /* TAPs and links, when a VM is added or a TAP lost */
	CAP_SYS_ADMIN, /* setns() into the room, for each VM process */
	CAP_SYS_CHROOT, /* setns() into the room's mount namespace */
	CAP_SETUID, /* the identity of each VM process */
	CAP_SETGID, /* the same */
	CAP_SETPCAP, /* to empty the bounding set of each VM process */
	CAP_KILL, /* to signal VM processes, which have other uids */
	CAP_DAC_OVERRIDE, /* to remove its cgroup: the tree's root is 0555 */
};
/* clang-format on */

int caps_kept(size_t index)
{
	return index < ARRAY_SIZE(kept) ? (int)kept[index] : -1;
}

int caps_cut(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		capng_update(CAPNG_ADD,
			     CAPNG_EFFECTIVE | CAPNG_PERMITTED |
				     CAPNG_BOUNDING_SET,
			     kept[i]);
	if (capng_apply(CAPNG_SELECT_BOTH) != 0) {
		log_error("cannot give up capabilities: %s (run as root)",
			  strerror(errno));
		return -EPERM;
	}
	/* no set-user-id program can bring them back */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
