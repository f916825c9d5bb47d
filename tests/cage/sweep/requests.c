/* SPDX-License-Identifier: ISC */
/*
 * Calls that do this or that by a number, a line for each: ioctl's requests
 * that its descriptors know, options of sockets, prctl's. Those that would last
 * longest have an argument that does the most harm.
 */
#include "tests/cage/sweep/sweep.h"

#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct sock_filter drop[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
static struct {
	unsigned short length;
	const struct sock_filter *filter;
} drops = { 1, drop };
static const int little = 1;
static const struct ifreq address = {
	.ifr_hwaddr = { 1 /* Ethernet */, "\x02\x66\x66\x66\x66\x66" },
};
static const struct ifreq detached = { .ifr_flags = IFF_DETACH_QUEUE };
static const struct ifreq single = {
	.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE,
};
/* Of no address: nothing passes. */
static const struct tun_filter nobody = { .flags = 0, .count = 0 };

#define REQUEST(name)      \
	{                  \
		name, NULL \
	}
#define WITH(name, argument)     \
	{                        \
		name, (argument) \
	}

/* clang-format off: one request, one line */
static const struct request {
	unsigned long number;
	const void *argument; /* a plausible one; NULL: none but the usual */
} ioctls[] = {
	/* the TAP */
	REQUEST(TUNGETFEATURES),
	REQUEST(TUNGETIFF),
	WITH(TUNSETIFF, &single),
	REQUEST(TUNSETNOCSUM),
	REQUEST(TUNSETDEBUG),
	WITH(TUNSETPERSIST, (const void *)1),
	WITH(TUNSETOWNER, (const void *)4242),
	WITH(TUNSETGROUP, (const void *)4242),
	WITH(TUNSETLINK, (const void *)1),
	REQUEST(TUNSETOFFLOAD),
	WITH(TUNSETTXFILTER, &nobody),
	WITH(TUNSETSNDBUF, &little),
	WITH(TUNATTACHFILTER, &drops),
	REQUEST(TUNDETACHFILTER),
	REQUEST(TUNSETVNETHDRSZ),
	WITH(TUNSETQUEUE, &detached),
	REQUEST(TUNSETIFINDEX),
	REQUEST(TUNGETFILTER),
	WITH(TUNSETVNETLE, &little),
	WITH(TUNSETVNETBE, &little),
	REQUEST(TUNSETSTEERINGEBPF),
	REQUEST(TUNSETFILTEREBPF),
	WITH(TUNSETCARRIER, NULL),
	REQUEST(TUNGETDEVNETNS),
	WITH(SIOCSIFHWADDR, &address),
	REQUEST(SIOCGIFHWADDR),
	/* any interface, any socket, any file */
	REQUEST(SIOCSIFFLAGS),
	REQUEST(SIOCGIFCONF),
	REQUEST(SIOCSIFMTU),
	REQUEST(SIOCSIFNAME),
	REQUEST(SIOCGSKNS),
	REQUEST(0x894B /* SIOCUNIXFILE */),
	WITH(FIOASYNC, &little),
	WITH(FIONBIO, &little),
	REQUEST(FIONREAD),
	REQUEST(FIOCLEX),
	REQUEST(FIONCLEX),
	REQUEST(FIOQSIZE),
	REQUEST(0x40086602 /* FS_IOC_SETFLAGS */),
	REQUEST(0xC0045877 /* FIFREEZE */),
	REQUEST(0x40049409 /* FICLONE */),
	REQUEST(0xC020660B /* FS_IOC_FIEMAP */),
	REQUEST(TIOCSTI),
	REQUEST(TIOCSCTTY),
	/* the listener */
	REQUEST(SECCOMP_IOCTL_NOTIF_RECV),
	REQUEST(SECCOMP_IOCTL_NOTIF_SEND),
	REQUEST(SECCOMP_IOCTL_NOTIF_ID_VALID),
	REQUEST(0x40182103 /* SECCOMP_IOCTL_NOTIF_ADDFD */),
	REQUEST(0x40082104 /* SECCOMP_IOCTL_NOTIF_SET_FLAGS */),
	/* epoll, pidfd, namespaces */
	REQUEST(0x40088A01 /* EPIOCSPARAMS */),
	REQUEST(0xB701 /* NS_GET_USERNS */),
	REQUEST(0xFF01 /* PIDFD_GET_CGROUP_NAMESPACE */),
	REQUEST(0xFF05 /* PIDFD_GET_NET_NAMESPACE */),
	/* KVM */
	REQUEST(KVM_GET_API_VERSION),
	REQUEST(KVM_CREATE_VM),
	REQUEST(KVM_GET_SUPPORTED_CPUID),
	REQUEST(KVM_CREATE_VCPU),
	REQUEST(KVM_SET_USER_MEMORY_REGION),
	REQUEST(KVM_SET_TSS_ADDR),
	REQUEST(KVM_CREATE_IRQCHIP),
	REQUEST(KVM_CREATE_PIT2),
	REQUEST(KVM_CREATE_DEVICE),
	REQUEST(KVM_IRQ_LINE),
	REQUEST(KVM_SET_GSI_ROUTING),
	REQUEST(KVM_IRQFD),
	REQUEST(KVM_IOEVENTFD),
	REQUEST(KVM_SIGNAL_MSI),
	REQUEST(KVM_ENABLE_CAP),
	REQUEST(KVM_RUN),
	REQUEST(KVM_GET_REGS),
	REQUEST(KVM_SET_REGS),
	REQUEST(KVM_SET_SREGS),
	REQUEST(KVM_SET_MSRS),
	REQUEST(KVM_SET_CPUID2),
	REQUEST(KVM_SET_SIGNAL_MASK),
	REQUEST(KVM_SET_FPU),
	REQUEST(KVM_SET_MP_STATE),
	REQUEST(KVM_SET_GUEST_DEBUG),
	REQUEST(KVM_KVMCLOCK_CTRL),
	REQUEST(0xC040AED4 /* KVM_CREATE_GUEST_MEMFD */),
	REQUEST(KVM_GET_DIRTY_LOG),
	/* vhost-net */
	REQUEST(VHOST_SET_OWNER),
	REQUEST(VHOST_RESET_OWNER),
	REQUEST(VHOST_GET_FEATURES),
	REQUEST(VHOST_SET_FEATURES),
	REQUEST(VHOST_SET_MEM_TABLE),
	REQUEST(VHOST_SET_LOG_BASE),
	REQUEST(VHOST_SET_LOG_FD),
	REQUEST(VHOST_SET_VRING_NUM),
	REQUEST(VHOST_SET_VRING_ADDR),
	REQUEST(VHOST_SET_VRING_BASE),
	REQUEST(VHOST_SET_VRING_KICK),
	REQUEST(VHOST_SET_VRING_CALL),
	REQUEST(VHOST_SET_VRING_ERR),
	REQUEST(VHOST_NET_SET_BACKEND),
	REQUEST(VHOST_SET_BACKEND_FEATURES),
};
/* clang-format on */

static const struct pattern ioctls_pattern = {
	SYS_ioctl,
	{ TOKEN(FD), TOKEN(REQUEST), TOKEN(VALUE) },
};

/* Of a number and what they set; options of sockets of two lengths. */
#define OPTIONS 128
static const int one[4] = { 1 };
static const struct pattern options_patterns[] = {
	{ SYS_setsockopt,
	  { TOKEN(FD), SOL_SOCKET, TOKEN(REQUEST), (long)one, sizeof(int) } },
	{ SYS_setsockopt,
	  { TOKEN(FD), SOL_SOCKET, TOKEN(REQUEST), (long)one, sizeof(one) } },
};
static const struct pattern prctl_patterns[] = {
	{ SYS_prctl, { TOKEN(REQUEST), TOKEN(VALUE), 0, 0, 0 } },
};

size_t requests_count(void)
{
	return ARRAY_SIZE(ioctls) + OPTIONS + OPTIONS;
}

void requests_line(struct line *line, size_t i)
{
	line->patterns = &ioctls_pattern;
	line->count = 1;
	line->many = i >= ARRAY_SIZE(ioctls);
	if (i < ARRAY_SIZE(ioctls)) {
		line->request = ioctls[i].number;
		line->argument = ioctls[i].argument;
	} else if (i < ARRAY_SIZE(ioctls) + OPTIONS) {
		line->patterns = options_patterns;
		line->count = ARRAY_SIZE(options_patterns);
		line->request = i - ARRAY_SIZE(ioctls);
	} else {
		line->patterns = prctl_patterns;
		line->request = i - ARRAY_SIZE(ioctls) - OPTIONS;
	}
}
