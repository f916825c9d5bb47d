/* SPDX-License-Identifier: ISC */
/* The descriptors that it was born with, was given, and may have besides. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "ipc/error.h"
#include "tests/cage/probe/probe.h"

/* What it was born with: looked at before anything is opened or taken. */
static char born_with[128];

void descriptors_count(void)
{
	size_t at = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFL) >= 0 && at < sizeof(born_with) - 8)
			at += (size_t)snprintf(born_with + at,
					       sizeof(born_with) - at, " %d",
					       fd);
}

static bool is_given(const struct standin *s, int fd)
{
	if (fd == s->channel.fd || fd == s->epoll_fd)
		return true;
	if (fd == PROTO_DISKS_LOOP_FD && s->fds[FD_ROLE_DISK] >= 0)
		return true;
	for (int role = 0; role < FD_ROLES; role++) {
		if (s->fds[role] == fd)
			return true;
		for (int i = 1; i < FD_INDEX_MAX; i++)
			if (s->more_fds[role][i] == fd)
				return true;
	}
	return false;
}

/* One of a machine: its number, if it has a fixed one, and what for. */
static void tell_file(const struct standin *s, const char *what, int fd,
		      enum fd_role role, unsigned int index)
{
	static const char *const modes[] = {
		[O_RDONLY] = "to read",
		[O_WRONLY] = "to write",
		[O_RDWR] = "to read and write",
	};
	int flags = fcntl(fd, F_GETFL);
	bool fixed = proto_fd_number(PROTO_VERSION, role, index) != 0;

	if (fd < 0)
		return;
	if (fixed)
		standin_say(s, "%s: %d %s", what, fd, modes[flags & O_ACCMODE]);
	else
		standin_say(s, "%s: %s", what, modes[flags & O_ACCMODE]);
}

static void tell_machine(const struct standin *s)
{
	static const struct {
		const char *name;
		enum fd_role role;
	} roles[] = {
		{ "kvm", FD_ROLE_KVM },
		{ "kernel", FD_ROLE_KERNEL },
		{ "initrd", FD_ROLE_INITRD },
		{ "disk", FD_ROLE_DISK },
		{ "tap", FD_ROLE_TAP },
		{ "vhost-net", FD_ROLE_VHOST_NET },
		{ "console", FD_ROLE_CONSOLE },
		{ "console-adopt", FD_ROLE_CONSOLE_ADOPT },
		{ "filter-vcpu", FD_ROLE_FILTER_VCPU },
	};

	standin_say(s, "machine: %u vCPUs, %llu MiB, %s", s->machine.vcpus,
		    (unsigned long long)s->machine.memory_bytes >> 20,
		    s->machine.cmdline);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		enum fd_role role = roles[i].role;

		tell_file(s, roles[i].name, s->fds[role], role, 0);
		for (unsigned int j = 1; j < FD_INDEX_MAX; j++)
			tell_file(s, roles[i].name, s->more_fds[role][j], role,
				  j);
	}
}

void descriptors_probe(struct standin *s)
{
	struct ifreq request = { 0 };
	size_t at = 0;
	char now[128] = "";

	standin_say(s, "born with:%s", born_with);
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFL) >= 0 && !is_given(s, fd) &&
		    at < sizeof(now) - 8)
			at += (size_t)snprintf(now + at, sizeof(now) - at,
					       " %d", fd);
	standin_say(s, "more than given:%s", now);
	if (s->config.guest == GUEST_KVM)
		tell_machine(s);
	if (ioctl(s->fds[FD_ROLE_TAP], TUNGETIFF, &request) < 0)
		standin_say(s, "tap %s", error_name(errno));
	else
		standin_say(s, "tap %.15s", request.ifr_name);
	snprintf(request.ifr_name, IFNAMSIZ, "vmsup0");
	TRY(s, "tap-other", ioctl(s->fds[FD_ROLE_TAP], TUNSETIFF, &request));
}
