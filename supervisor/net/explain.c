/* SPDX-License-Identifier: ISC */
/* Errors of links in a user's words, with the remedy. */
#include "supervisor/net/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"

static const struct {
	int error;
	const char *remedy;
} remedies[] = {
	{ EPERM, "run as root, or give vmsup CAP_NET_ADMIN" },
	{ EACCES, "run as root, or give vmsup CAP_NET_ADMIN" },
	{ EEXIST, "something has that name already: ip link shows it; choose "
		  "another name" },
	{ EBUSY, "something has that name already: ip link shows it; choose "
		 "another name" },
	{ EXFULL, "a Linux bridge takes 1023 ports: start fewer VMs, or "
		  "another instance with a bridge of its own" },
	{ ENODEV, "somebody deleted it: stop vmsup and start it again" },
	{ EMFILE, "raise the limit of open files: ulimit -n, or LimitNOFILE= "
		  "in the unit" },
	{ ENFILE, "raise the host's limit of open files: sysctl fs.file-max" },
	{ ENOMEM, "the kernel is out of memory: start fewer VMs" },
	{ ENOBUFS, "the kernel is out of memory: start fewer VMs" },
	{ EOPNOTSUPP, "this kernel lacks it: modprobe bridge, modprobe tun" },
	{ EADDRNOTAVAIL, "choose another address" },
	{ EINVAL, "check the name, the MTU and the addresses that were "
		  "configured" },
	{ ETIMEDOUT, "the kernel did not answer: try again" },
};

static const char *remedy_for(int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].error == -error)
			return remedies[i].remedy;
	return "vmsup check says what this host lacks";
}

int explain_error(struct problem *problem, int error,
		  const struct netlink_batch *batch, const char *what, ...)
{
	const char *doing = batch ? batch->failed : NULL;
	const char *reason = batch ? batch->reason : "";
	char text[160];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	return problem_set(problem, error, "%s: %s%s%s%s%s (%s)", text,
			   doing ? doing : "", doing ? ": " : "",
			   strerror(-error), reason[0] ? ": " : "", reason,
			   remedy_for(error));
}
