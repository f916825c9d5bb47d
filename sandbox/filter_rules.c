/* SPDX-License-Identifier: ISC */
/* The lists that filters are made of: each call of a role, with its reason. */
#include "sandbox/filter_rules.h"

#include <assert.h>
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "ipc/fd.h"
#include "ipc/proto.h"
#include "sandbox/stage1.h"
#include "sandbox/stage2.h"

/* clang-format off */
#define ANY(call) { .syscall = SCMP_SYS(call) }
#define PIN(call, arg, value)                                                  \
	{ .syscall = SCMP_SYS(call), .pins = 1,                                \
	  .pin = { { arg, SCMP_CMP_EQ, value, 0 } } }
#define PIN_TWO(call, arg, value, other, its)                                  \
	{ .syscall = SCMP_SYS(call), .pins = 2,                                \
	  .pin = { { arg, SCMP_CMP_EQ, value, 0 },                             \
		   { other, SCMP_CMP_EQ, its, 0 } } }
/* In a filter that is fitted to a process, argument 0 is that process. */
#define OWN_PID(call, arg, value)                                              \
	{ .syscall = SCMP_SYS(call), .pins = 1, .own_pid = true,               \
	  .pin = { { arg, SCMP_CMP_EQ, value, 0 } } }
#define PIN_MASK(call, arg, mask, value)                                       \
	{ .syscall = SCMP_SYS(call), .pins = 1,                                \
	  .pin = { { arg, SCMP_CMP_MASKED_EQ, mask, value } } }
/* On a descriptor of that block of the plan (ipc/proto.h). Compared are the
 * lower 32 bits of the argument, as the kernel takes them. */
#define OF_BLOCK(arg, block)                                                   \
	{ arg, SCMP_CMP_MASKED_EQ, (uint32_t)~(PROTO_##block##_FDS - 1),       \
	  PROTO_##block##_FD }
#define ON(call, block)                                                        \
	{ .syscall = SCMP_SYS(call), .pins = 1, .pin = { OF_BLOCK(0, block) } }
#define ON_PIN(call, block, arg, value)                                        \
	{ .syscall = SCMP_SYS(call), .pins = 2,                                \
	  .pin = { { arg, SCMP_CMP_EQ, value, 0 }, OF_BLOCK(0, block) } }
/* epoll_ctl() on an event loop, of a descriptor of that block. "Any number from
 * N on" can't be pinned: the upper 32 bits, which the kernel drops, would make
 * any number great enough. */
#define WATCH(operation, block)                                                \
	{ .syscall = SCMP_SYS(epoll_ctl), .pins = 3,                           \
	  .pin = { { 1, SCMP_CMP_EQ, operation, 0 }, OF_BLOCK(0, LOOP),        \
		   OF_BLOCK(2, block) } }
/* The same, of the channel. */
#define WATCH_CHANNEL(operation)                                               \
	{ .syscall = SCMP_SYS(epoll_ctl), .pins = 3,                           \
	  .pin = { { 1, SCMP_CMP_EQ, operation, 0 }, OF_BLOCK(0, LOOP),        \
		   { 2, SCMP_CMP_EQ, PROTO_CHANNEL_FD, 0 } } }
/* The kernel gives the listener the lowest free number, which is below the
 * channel's: no other descriptor is there. */
#define CLOSE_LISTENER PIN_MASK(close, 0, (uint32_t)~3, 0)
/* clang-format on */

/* clang-format off: one call, one reason, one line */
static const struct filter_rule builtin_rules[] = {
	/* These aren't pinned to the TAP, so that the kernel runs no filter
	 * program for them, which would cost each frame 7 % of its time. There
	 * is nothing else to write to or to wait for: see docs/decisions.md. */
	ANY(read), /* frames */
	ANY(write), /* frames */
	ANY(epoll_wait), /* the work loop */
	WATCH(EPOLL_CTL_MOD, TAP), /* pause and resume */
	WATCH_CHANNEL(EPOLL_CTL_MOD), /* not before the guest is there */
	PIN(recvmsg, 0, PROTO_CHANNEL_FD), /* messages */
	PIN(sendmsg, 0, PROTO_CHANNEL_FD), /* answers */
	CLOSE_LISTENER, /* its own copy of the filter's listener */
	ON(close, PASSING), /* the filter */
	ANY(clock_gettime), /* where the vDSO can't tell the time */
	ANY(exit_group), /* the end */
};

/* The kernel takes 32 bits of a request, a filter sees 64. All 64 are compared:
 * a request with bits in the upper half is refused, whatever the kernel would
 * make of it. libc passes none. */
#define IOCTL(request)           PIN(ioctl, 1, request)
#define IOCTL_ON(block, request) ON_PIN(ioctl, block, 1, request)
/* Between threads of one process. */
#define FUTEX(operation) PIN(futex, 1, (operation) | FUTEX_PRIVATE_FLAG)

/* The calls of a vCPU thread. Everything that such a thread does, a guest can
 * cause. */
static const struct filter_rule vcpu_rules[] = {
	IOCTL_ON(VCPU, KVM_RUN), /* the guest */
	IOCTL_ON(VM, KVM_IRQFD), /* a vector is masked or unmasked */
	IOCTL_ON(VM, KVM_SET_GSI_ROUTING), /* a vector gets another address */
	IOCTL_ON(VM, KVM_IOEVENTFD), /* a BAR moves */
	IOCTL_ON(VCPU, KVM_KVMCLOCK_CTRL), /* a pause: the guest is told */
	IOCTL_ON(VCPU, KVM_GET_REGS), /* where an internal error happened */
	ON(read, EVENT), /* pending interrupts: what is in their eventfd */
	ON(write, EVENT), /* the main loop, interrupts */
	FUTEX(FUTEX_WAIT), /* locks; the gate */
	FUTEX(FUTEX_WAKE), /* locks; the gate */
	ANY(rt_sigreturn), /* the signal that gets it out of KVM_RUN */
	PIN(sendmsg, 0, PROTO_CHANNEL_FD), /* log lines */
	ANY(exit_group), /* the end */
};

static const struct filter_rule kvm_rules[] = {
	/* vCPU threads, as above */
	IOCTL_ON(VCPU, KVM_RUN), /* the guest */
	IOCTL_ON(VM, KVM_IRQFD), /* a vector is masked or unmasked */
	IOCTL_ON(VM, KVM_SET_GSI_ROUTING), /* a vector gets another address */
	IOCTL_ON(VM, KVM_IOEVENTFD), /* a BAR moves */
	IOCTL_ON(VCPU, KVM_KVMCLOCK_CTRL), /* a pause: the guest is told */
	IOCTL_ON(VCPU, KVM_GET_REGS), /* where an internal error happened */
	ANY(rt_sigreturn), /* the signal that gets them out of KVM_RUN */
	PIN_TWO(seccomp, 0, SECCOMP_SET_MODE_FILTER, 1, 0), /* stack theirs */
	PIN(pread64, 0, PROTO_KERNEL_FD), /* the first one, before that: the
					   * kernel into guest memory */
	PIN(pread64, 0, PROTO_INITRD_FD), /* the same: the initrd */
	/* all of them */
	ON(read, EVENT), /* eventfds, console */
	ON(write, EVENT), /* eventfds, console */
	FUTEX(FUTEX_WAIT), /* locks; the gate */
	FUTEX(FUTEX_WAKE), /* locks; the gate */
	ON(epoll_wait, LOOP), /* the work loops */
	WATCH(EPOLL_CTL_MOD, EVENT), /* console, queues: what to wait for */
	WATCH_CHANNEL(EPOLL_CTL_MOD), /* not before the guest is there */
	PIN(recvmsg, 0, PROTO_CHANNEL_FD), /* messages */
	PIN(sendmsg, 0, PROTO_CHANNEL_FD), /* answers */
	OWN_PID(tgkill, 2, SIGUSR1), /* gets a vCPU thread out of KVM_RUN */
	CLOSE_LISTENER, /* its own copy of the filter's listener */
	ON(close, PASSING), /* the filter */
	PIN(close, 0, PROTO_CONSOLE_FD), /* the console's other side went */
	WATCH(EPOLL_CTL_DEL, EVENT), /* the same; vhost-net takes kicks over */
	ANY(clock_gettime), /* where the vDSO can't tell the time */
	ANY(exit_group), /* the end */
	/* network */
	ON(readv, TAP), /* frames into guest memory */
	ON(writev, TAP), /* frames from guest memory */
	ON(write, TAP), /* short ones, that were copied */
	IOCTL_ON(TAP, TUNSETOFFLOAD), /* what the driver negotiated */
	IOCTL_ON(TAP, TUNSETQUEUE), /* how many queue pairs it uses */
	WATCH(EPOLL_CTL_MOD, TAP), /* what to wait for */
	WATCH(EPOLL_CTL_DEL, TAP), /* vhost-net takes over */
	WATCH(EPOLL_CTL_ADD, TAP), /* what vhost-net gives back */
	WATCH(EPOLL_CTL_ADD, EVENT), /* the same: kicks; its faults */
	/* vhost-net. A write() to its descriptor would be an update of its
	 * IOTLB: what of the process's memory it may touch. */
	IOCTL_ON(VHOST, VHOST_SET_FEATURES), /* what the driver negotiated */
	IOCTL_ON(VHOST, VHOST_SET_VRING_NUM), /* the queues: how long */
	IOCTL_ON(VHOST, VHOST_SET_VRING_BASE), /* the same: where it goes on */
	IOCTL_ON(VHOST, VHOST_GET_VRING_BASE), /* the same: where it stopped */
	IOCTL_ON(VHOST, VHOST_SET_VRING_ADDR), /* the same: where they lie */
	IOCTL_ON(VHOST, VHOST_SET_VRING_KICK), /* the same: what wakes it */
	IOCTL_ON(VHOST, VHOST_SET_VRING_CALL), /* the same: who it wakes */
	IOCTL_ON(VHOST, VHOST_SET_VRING_ERR), /* the same: faults are told */
	IOCTL_ON(VHOST, VHOST_NET_SET_BACKEND), /* TAP on, TAP off */
	/* disks and randomness */
	ON(preadv, DISK), /* blocks into guest memory */
	ON(pwritev, DISK), /* blocks from guest memory */
	ON(fdatasync, DISK), /* flush */
	ON_PIN(fallocate, DISK, 1,
	       FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE), /* discard */
	ON_PIN(fallocate, DISK, 1,
	       FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE), /* zeroes */
	ANY(getrandom), /* the random device */
};

/* No memory becomes executable. (A loader maps code as executable at once.) */
#define NO_EXEC(call) PIN_MASK(call, 2, PROT_EXEC, 0)
/* The host's reserved huge pages are for other VMs, and no limit of memory
 * counts them. */
#define NO_RESERVE                                                   \
	{                                                            \
		.syscall = SCMP_SYS(mmap), .pins = 2,                \
		.pin = { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 },    \
			 { 3, SCMP_CMP_MASKED_EQ, MAP_HUGETLB, 0 } } \
	}
/* What makes a thread, and nothing else. */
#define THREAD_FLAGS                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |               \
	 CLONE_CHILD_CLEARTID)

/* ---- set-up: from stage 1's end to stage 2 */

/* The calls of libc's start and of stage 2, whatever the guest. No call is here
 * that makes a socket or a process, sets an option of a socket, opens a file,
 * enters a namespace or changes an identity: nobody needs one. Nor are the
 * requests of a filter's listener: only the supervisor takes notifications. */
static const struct filter_rule setup_rules[] = {
	PIN_TWO(execveat, 0, STAGE1_PROGRAM_FD, 4,
		AT_EMPTY_PATH), /* vmproc: the end of stage 1 */
	/* libc's start: glibc's, musl's */
	PIN(arch_prctl, 0, ARCH_SET_FS), /* thread pointer */
	ANY(set_tid_address), /* thread id */
	ANY(set_robust_list), /* glibc */
	ANY(rseq), /* glibc */
	ANY(uname), /* glibc, on some versions */
	PIN_TWO(prlimit64, 0, 0, 2, 0), /* glibc: how large the stack is */
	ANY(getrandom), /* glibc: seeds; the builtin guest's */
	ANY(brk), /* heap */
	NO_RESERVE, /* heap, guest memory, vCPUs; never code */
	NO_EXEC(mprotect), /* RELRO, guard pages of stacks; never code */
	ANY(munmap), /* heap; what guest memory doesn't take */
	/* descriptors: they come, get their number, and are watched */
	PIN(dup3, 2, O_CLOEXEC), /* to the number of their role */
	PIN(fcntl, 1, F_DUPFD_CLOEXEC), /* out of the way */
	PIN_TWO(fcntl, 1, F_SETFL, 2,
		O_RDWR | O_NONBLOCK), /* TAP, console: nobody waits */
	WATCH_CHANNEL(EPOLL_CTL_ADD), /* what they watch: the channel */
	WATCH(EPOLL_CTL_ADD, TAP), /* the same; kvm's list has eventfds */
	ANY(close), /* a message's descriptor, and what has served */
	IOCTL(TUNGETIFF), /* whether the TAP is one, and of which kind */
	PIN_TWO(ioctl, 1, TUNSETOFFLOAD, 2, 0), /* none: any change of them is
						 * news for the whole host */
	/* stage 2 */
	ANY(pread64), /* the filter, out of its memfd */
	PIN_TWO(prctl, 0, PR_SET_DUMPABLE, 1, 0), /* nobody looks inside */
	PIN(prctl, 0, PR_SET_MDWE), /* no new code; can't be undone */
	PIN_TWO(prctl, 0, PR_SET_PDEATHSIG, 1, 0), /* outlive the supervisor */
	ANY(landlock_create_ruleset), /* no right is left */
	ANY(landlock_restrict_self), /* the same */
	PIN_TWO(seccomp, 0, SECCOMP_SET_MODE_FILTER, 1,
		STAGE2_FILTER_FLAGS), /* the running list */
};

/* The calls that make a machine. */
static const struct filter_rule setup_kvm_rules[] = {
	IOCTL(KVM_GET_API_VERSION), /* whether it is KVM's device */
	IOCTL(KVM_CHECK_EXTENSION), /* whether the host's KVM will do */
	IOCTL(KVM_GET_SUPPORTED_CPUID), /* the processor's features */
	IOCTL(KVM_CREATE_VM), /* the VM */
	IOCTL(KVM_SET_IDENTITY_MAP_ADDR), /* Intel's processors need a page */
	IOCTL(KVM_SET_TSS_ADDR), /* the same, three pages */
	IOCTL(KVM_CREATE_IRQCHIP), /* interrupt controllers */
	IOCTL(KVM_SET_USER_MEMORY_REGION), /* the guest's memory */
	IOCTL(KVM_GET_VCPU_MMAP_SIZE), /* how large a vCPU's state is */
	IOCTL(KVM_CREATE_VCPU), /* processors */
	IOCTL(KVM_SET_CPUID2), /* their features */
	IOCTL(KVM_SET_MSRS), /* their first state */
	IOCTL(KVM_GET_SREGS), /* the same */
	IOCTL(TUNSETVNETHDRSZ), /* the header before each frame */
	IOCTL(VHOST_SET_OWNER), /* vhost-net: whose memory it is */
	IOCTL(VHOST_GET_FEATURES), /* vhost-net: what it can */
	IOCTL(VHOST_SET_MEM_TABLE), /* vhost-net: the guest's memory */
	PIN(eventfd2, 1, EFD_CLOEXEC | EFD_NONBLOCK), /* interrupts, kicks */
	PIN(clone, 0, THREAD_FLAGS), /* vCPUs, the disks' thread */
	PIN(prctl, 0, PR_SET_NAME), /* their names */
	ANY(gettid), /* vCPUs: who is kicked */
	ANY(getpid), /* the same */
	PIN(rt_sigaction, 0, SIGUSR1), /* the kick's handler */
	ANY(rt_sigprocmask), /* which thread takes the kick */
	PIN_TWO(sched_setscheduler, 0, 0, 1,
		SCHED_BATCH), /* the network's thread */
	NO_EXEC(mmap), /* guest memory of the host's reserve of pages */
	PIN(madvise, 2, MADV_HUGEPAGE), /* guest memory */
	PIN(madvise, 2, MADV_DONTDUMP), /* the same: no dump has it */
	PIN(fcntl, 1, F_GETFL), /* disks, console: how they were opened */
	ANY(fstat), /* kernel, initrd, disks: sizes */
	PIN(newfstatat, 3, AT_EMPTY_PATH), /* the same on newer libcs */
	ANY(lseek), /* disks: sizes of block devices */
	ANY(exit), /* a thread that found nothing to do */
};

static const struct filter_rule supervisor_rules[] = {
	/* the loop and what it watches */
	ANY(epoll_wait), /* the loop */
	ANY(epoll_ctl), /* sources come and go */
	ANY(epoll_create1), /* stage 1: the work loops */
	ANY(read), /* signalfd, memory statistics, /proc */
	ANY(pread64), /* vmproc: the filter of stage 2 */
	ANY(write), /* the log, cgroup limits */
	ANY(writev), /* libc's last words */
	ANY(close), /* descriptors */
	ANY(lseek), /* stdio on /proc files */
	ANY(clock_gettime), /* the processor's clock: what a user's calls cost;
			     * where the vDSO can't tell the time */
	ANY(restart_syscall), /* after a stop and continue */
	ANY(poll), /* whether the terminal takes a line */
	/* memory */
	ANY(brk), /* heap */
	ANY(mmap), /* heap; after an upgrade, the new program's libraries */
	NO_EXEC(mprotect), /* guard pages, RELRO of vmproc, never code */
	ANY(munmap), /* heap */
	ANY(mremap), /* heap */
	ANY(madvise), /* gives heap back */
	/* sockets: none is made but channels */
	PIN(socketpair, 0, AF_UNIX), /* a channel for each VM process */
	ANY(setsockopt), /* netlink: buffer sizes */
	ANY(getsockopt), /* SO_PEERCRED */
	ANY(getsockname), /* after an upgrade: what sockets there are */
	ANY(accept4), /* control clients */
	ANY(listen), /* the guard of an upgrade, in its own name */
	ANY(sendmsg), /* channels, netlink, control replies */
	ANY(recvmsg), /* channels, netlink, control calls */
	ANY(sendto), /* control replies */
	ANY(recvfrom), /* control calls */
	/* descriptors and files */
	ANY(ioctl), /* TAPs; seccomp notifications */
	ANY(fcntl), /* close-on-exec, OFD locks on uids */
	ANY(dup2), /* stage 1 */
	ANY(dup3), /* stage 1 */
	ANY(close_range), /* stage 1 */
	ANY(memfd_create), /* the state for an upgrade; filters, after it */
	ANY(access), /* after an upgrade: libc's start */
	ANY(signalfd4), /* after an upgrade: signals, anew */
	ANY(openat), /* /dev/net/tun, /proc/PID/status, cgroups, the log */
	ANY(newfstatat), /* stdio; sizes */
	ANY(fstat), /* the same on older libcs */
	ANY(mkdirat), /* a VM's cgroup */
	ANY(unlinkat), /* the run directory, cgroups */
	ANY(rmdir), /* the same on older libcs */
	ANY(renameat), /* the log's rotation */
	ANY(getdents64), /* what is left in a cgroup */
	ANY(readlink), /* vmproc: libc's start */
	ANY(readlinkat), /* the same on newer libcs */
	ANY(umask), /* stage 1 */
	/* processes */
	ANY(clone3), /* a VM process, with a pidfd, into its cgroup; stage 1
		      * takes it from those that may have threads */
	PIN(execveat, 4, AT_EMPTY_PATH), /* vmproc, by its descriptor */
	ANY(waitid), /* how a VM process ended */
	ANY(pidfd_open), /* its own, for the guard of an upgrade */
	ANY(pidfd_send_signal), /* the only way a VM process is signalled */
	ANY(exit), /* the end */
	ANY(exit_group), /* the end */
	ANY(getpid), /* stage 1: whose child */
	ANY(getppid), /* stage 1: still the supervisor's child */
	ANY(gettid), /* abort */
	ANY(tgkill), /* abort */
	ANY(rt_sigaction), /* stage 1: defaults */
	ANY(rt_sigprocmask), /* stage 1: none blocked */
	ANY(rt_sigreturn), /* no handler, but libc may have one */
	ANY(getrandom), /* jitter, seeds; vmproc: libc's start */
	ANY(sysinfo), /* qsort's memory bound */
	/* stage 1, in the child */
	ANY(setsid), /* a session of its own */
	ANY(setns), /* into the room */
	ANY(setrlimit), /* limits */
	ANY(prlimit64), /* the same on newer libcs; vmproc: libc's start */
	ANY(setgroups), /* none */
	ANY(setresgid), /* the VM's own */
	ANY(setresuid), /* the VM's own */
	ANY(prctl), /* bounding set, no new privileges, not dumpable, MDWE */
	ANY(capset), /* none; at the end, those kept for it */
	ANY(capget), /* the same, by libcap-ng */
	/* vmproc, from its exec to the end of stage 2 */
	ANY(arch_prctl), /* libc's start: thread pointer */
	ANY(set_tid_address), /* libc's start */
	ANY(set_robust_list), /* libc's start */
	ANY(rseq), /* libc's start */
	ANY(uname), /* libc's start, on some versions */
	ANY(landlock_create_ruleset), /* stage 2 */
	ANY(landlock_restrict_self), /* stage 2 */
	ANY(seccomp), /* stage 2 */
	/* its setup with the kvm guest */
	PIN(clone, 0, THREAD_FLAGS), /* threads */
	ANY(eventfd2), /* interrupts, wake-ups */
	ANY(futex), /* threads */
	PIN(sched_setscheduler, 1, SCHED_BATCH), /* the network's thread */
	/* its work, which this list bounds as well as its own does */
	ANY(readv), /* frames */
	ANY(preadv), /* disks */
	ANY(pwritev), /* disks */
	ANY(fdatasync), /* disks */
	ANY(fallocate), /* disks */
};
/* clang-format on */

#define LIST(rules)                        \
	{                                  \
		(rules), ARRAY_SIZE(rules) \
	}

static const struct filter_rules roles[] = {
	[FILTER_SUPERVISOR] = { "supervisor",
				SCMP_ACT_TRACE(0),
				false,
				{ LIST(supervisor_rules) } },
	[FILTER_BUILTIN_SETUP] = { "builtin set-up",
				   SCMP_ACT_TRACE(0),
				   true,
				   { LIST(builtin_rules), LIST(setup_rules) } },
	[FILTER_KVM_SETUP] = { "kvm set-up",
			       SCMP_ACT_TRACE(0),
			       true,
			       { LIST(kvm_rules), LIST(setup_rules),
				 LIST(setup_kvm_rules) } },
	[FILTER_BUILTIN] = { "builtin",
			     SCMP_ACT_NOTIFY,
			     false,
			     { LIST(builtin_rules) } },
	[FILTER_KVM] = { "kvm", SCMP_ACT_NOTIFY, false, { LIST(kvm_rules) } },
	[FILTER_VCPU] = { "vcpu",
			  SCMP_ACT_TRACE(0),
			  false,
			  { LIST(vcpu_rules) } },
};
static_assert(ARRAY_SIZE(roles) == FILTER_ROLES, "rules for each role");

const struct filter_rules *filter_rules(enum filter_role role)
{
	return &roles[role];
}
