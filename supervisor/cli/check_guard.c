/* SPDX-License-Identifier: ISC */
/* vmsup check: whether this host can have a first-hop guard. */
#include "supervisor/cli/check_guard.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/net/guard.h"

/* Makes a guard in a new network namespace, which ends with
 * this process. 0 or an errno. */
static int try_guard(void)
{
	return unshare(CLONE_NEWNET) < 0 ? errno : -guard_try();
}

/* Calls try_guard() in a child. 0 or an errno. */
static int in_child(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(try_guard());
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return EIO;
	return WEXITSTATUS(status);
}

bool check_guard(struct finding *finding)
{
	int error = in_child();

	if (error == EPERM)
		return finding_missing(finding, "run this check as root");
	if (error == ENOTSUP)
		return finding_missing(finding,
				       "all but the bound on broadcast: "
				       "modprobe nft_limit");
	if (error)
		return finding_missing(
			finding,
			"%s: VMs may send each other router advertisements, "
			"DHCP answers, MLD queries and redirects (nf_tables "
			"with netdev chains: modprobe nf_tables)",
			strerror(error));
	return finding_there(finding,
			     "what a VM may send is judged at its TAP "
			     "(not after an upgrade from a vmsup "
			     "without it: vmsup detach && vmsup start)");
}
