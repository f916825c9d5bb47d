/* SPDX-License-Identifier: ISC */
/* vmsup check: devices, rights and settings of this host. */
#include "supervisor/cli/check_host.h"

#include <assert.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/caps.h"
#include "supervisor/cli/launch.h"
#include "supervisor/config/config.h"
#include "supervisor/start.h"
#include "supervisor/supervisor.h"

bool check_root(struct finding *finding)
{
	int capability;

	if (geteuid() != 0)
		return finding_missing(finding, "the supervisor starts as root "
						"only (use sudo)");
	for (size_t i = 0; (capability = caps_kept(i)) >= 0; i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE,
					   (unsigned int)capability))
			return finding_missing(
				finding,
				"root without %s (give it to this container)",
				capng_capability_to_name(
					(unsigned int)capability));
	return finding_there(finding, "with the capabilities that VMs take to "
				      "make");
}

bool check_tun(struct finding *finding)
{
	cleanup_fd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return finding_there(finding, "TAP devices, the VMs' network");
	return finding_missing(
		finding, "%s (%s)", strerror(errno),
		errno == EACCES || errno == EPERM
			? "run as root"
			: "modprobe tun; in a container, pass the "
			  "device in");
}

/* ---- a bridge with a TAP, in a network namespace of a
 * child, which ends with it */

enum trial_step {
	TRIAL_NAMESPACE,
	TRIAL_BRIDGE,
	TRIAL_OPEN,
	TRIAL_TAP,
	TRIAL_PORT,
	TRIAL_STEPS
};

struct trial {
	int step; /* the step that failed; TRIAL_STEPS: none */
	int error;
};

static enum trial_step try_bridge(void)
{
	struct ifreq tap = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct ifreq port = { .ifr_name = "trialbr" };
	int socket_fd, tun_fd;

	if (unshare(CLONE_NEWNET) < 0)
		return TRIAL_NAMESPACE;
	socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (socket_fd < 0 || ioctl(socket_fd, SIOCBRADDBR, port.ifr_name) < 0)
		return TRIAL_BRIDGE;
	tun_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tun_fd < 0)
		return TRIAL_OPEN;
	snprintf(tap.ifr_name, sizeof(tap.ifr_name), "trialtap");
	if (ioctl(tun_fd, TUNSETIFF, &tap) < 0)
		return TRIAL_TAP;
	port.ifr_ifindex = (int)if_nametoindex("trialtap");
	if (ioctl(socket_fd, SIOCBRADDIF, &port) < 0)
		return TRIAL_PORT;
	return TRIAL_STEPS;
}

/* Makes the trial in a child, which reports over a
 * pipe. Its exit undoes all. */
static void run_trial(struct trial *trial)
{
	int ends[2];
	pid_t pid;

	*trial = (struct trial){ TRIAL_NAMESPACE, EIO };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		trial->step = try_bridge();
		trial->error = errno;
		_exit(write(ends[1], trial, sizeof(*trial)) < 0);
	}
	close(ends[1]);
	if (read(ends[0], trial, sizeof(*trial)) != sizeof(*trial))
		*trial = (struct trial){ TRIAL_NAMESPACE, EIO };
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

bool check_bridge(struct finding *finding)
{
	static const struct {
		const char *what, *remedy;
	} steps[] = {
		[TRIAL_NAMESPACE] = { "a network namespace", "run as root" },
		[TRIAL_BRIDGE] = { "a bridge", "modprobe bridge; run as root" },
		[TRIAL_OPEN] = { "/dev/net/tun", "modprobe tun" },
		[TRIAL_TAP] = { "a TAP", "modprobe tun; run as root" },
		[TRIAL_PORT] = { "a TAP on the bridge", "modprobe bridge" },
	};
	static_assert(ARRAY_SIZE(steps) == TRIAL_STEPS, "one for each step");
	struct trial trial;

	run_trial(&trial);
	if (trial.step < 0 || trial.step >= TRIAL_STEPS)
		return finding_there(finding, "tried in a network namespace of "
					      "its own");
	return finding_missing(finding, "%s: %s (%s)", steps[trial.step].what,
			       strerror(trial.error), steps[trial.step].remedy);
}

/* ---- other checks */

bool check_descriptors(struct finding *finding)
{
	struct rlimit limit;
	unsigned long hard, vms;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return finding_missing(finding, "%s", strerror(errno));
	hard = limit.rlim_max;
	vms = hard < SUPERVISOR_FDS
		      ? 0
		      : (hard - SUPERVISOR_FDS) / SUPERVISOR_FDS_PER_VM;
	if (vms >= CONFIG_MAX_VMS)
		return finding_there(finding, "%lu, enough for %d VMs", hard,
				     CONFIG_MAX_VMS);
	return finding_missing(finding,
			       "%lu, enough for %lu VMs, not %d (ulimit -Hn, "
			       "LimitNOFILE=)",
			       hard, vms, CONFIG_MAX_VMS);
}

bool check_group(struct finding *finding)
{
	if (getgrnam("vmsup"))
		return finding_there(finding, "its members may use 'vmsup "
					      "status' without root");
	return finding_missing(finding, "only root may use 'vmsup status' "
					"(groupadd --system vmsup)");
}

bool check_ipv6(struct finding *finding)
{
	char value = '1';
	cleanup_fd int fd = open("/proc/sys/net/ipv6/conf/all/disable_ipv6",
				 O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &value, 1) == 1 && value == '0')
		return finding_there(finding, "the host can reach VMs by it");
	return finding_missing(finding,
			       "off: VMs reach each other by it, the host "
			       "doesn't (sysctl "
			       "net.ipv6.conf.all.disable_ipv6=0)");
}

bool check_kvm(struct finding *finding)
{
	cleanup_fd int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return finding_there(finding, "hardware virtualization; the "
					      "builtin guest needs none");
	return finding_missing(finding, "%s; the builtin guest needs none",
			       strerror(errno));
}

bool check_vmproc(struct finding *finding)
{
	cleanup_fd int fd = launch_open_vmproc(true);

	if (fd >= 0)
		return finding_there(finding, "the program of VM processes");
	return finding_missing(finding, "not beside vmsup, nor in "
					"../libexec/vmsup from there (make, or "
					"install both)");
}
