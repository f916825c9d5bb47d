/* SPDX-License-Identifier: ISC */
/*
 * What stage 2 must refuse by its filter: one system call each, reported as a
 * line should it ever return.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "ipc/error.h"
#include "tests/cage/probe/probe.h"

#define X32_BIT 0x40000000L

/* Made before the cage closes, for the calls to be tried on. */
static int other_fd = -1; /* a socket */
static int listener_copy_fd = -1;
static char text[] = "/";
static char *no_argv[] = { text, NULL };
static char memory[4096];
static struct iovec vector = { memory, sizeof(memory) };
static struct msghdr packet = { .msg_iov = &vector, .msg_iovlen = 1 };
static struct epoll_event watch = { .events = EPOLLIN };

#define POINTER(p) ((long)(p))
#define ONE(call)                         \
	{                                 \
#call, #call, SYS_##call, \
		{                         \
			0                 \
		}                         \
	}
#define WITH(call, ...)                   \
	{                                 \
#call, #call, SYS_##call, \
		{                         \
			__VA_ARGS__       \
		}                         \
	}
#define AS(name, call, ...)              \
	{                                \
		name, #call, SYS_##call, \
		{                        \
			__VA_ARGS__      \
		}                        \
	}

/* Stand for descriptors that are known only at run time. */
#define FD_CHANNEL (-1001L)
#define FD_TAP     (-1002L)
#define FD_OTHER   (-1003L)
#define FD_COPY    (-1004L)
#define FD_EPOLL   (-1005L)

static const struct attack {
	const char *name; /* '_' is '-' in the VM's name */
	const char *call; /* as the supervisor must name it */
	long number;
	long args[6];
} calls[] = {
	/* files */
	WITH(openat, AT_FDCWD, POINTER(text), O_RDONLY),
	WITH(open, POINTER(text), O_RDONLY),
	WITH(openat2, AT_FDCWD, POINTER(text), POINTER(memory), 24),
	WITH(creat, POINTER(text), 0600),
	WITH(stat, POINTER(text), POINTER(memory)),
	WITH(getdents64, FD_CHANNEL, POINTER(memory), sizeof(memory)),
	WITH(chroot, POINTER(text)),
	WITH(mount, POINTER(text), POINTER(text), POINTER(text)),
	WITH(umount2, POINTER(text)),
	WITH(pivot_root, POINTER(text), POINTER(text)),
	WITH(open_tree, AT_FDCWD, POINTER(text), 1),
	WITH(fsopen, POINTER(text)),
	WITH(open_by_handle_at, AT_FDCWD, POINTER(memory)),
	WITH(name_to_handle_at, AT_FDCWD, POINTER(text)),
	WITH(memfd_create, POINTER(text), 0),
	ONE(inotify_init1),
	ONE(fanotify_init),
	/* descriptors */
	WITH(dup, FD_CHANNEL),
	WITH(fcntl, FD_CHANNEL, F_DUPFD, 0),
	ONE(pipe2),
	ONE(eventfd2),
	WITH(splice, FD_TAP, 0, FD_OTHER, 0, 1, 0),
	WITH(ioctl, FD_TAP, TUNSETIFF, POINTER(memory)),
	AS("ioctl-tiocsti", ioctl, 0, 0x5412, POINTER(text)),
	AS("ioctl-listener-recv", ioctl, FD_COPY, SECCOMP_IOCTL_NOTIF_RECV,
	   POINTER(memory)),
	AS("ioctl-listener-send", ioctl, FD_COPY, SECCOMP_IOCTL_NOTIF_SEND,
	   POINTER(memory)),
	AS("epoll-add", epoll_ctl, FD_EPOLL, EPOLL_CTL_ADD, FD_OTHER,
	   POINTER(&watch)),
	AS("epoll-del", epoll_ctl, FD_EPOLL, EPOLL_CTL_DEL, FD_CHANNEL),
	ONE(epoll_create1),
	/* sockets */
	WITH(socket, AF_UNIX, SOCK_DGRAM, 0),
	AS("socket-inet", socket, AF_INET, SOCK_STREAM, 0),
	AS("socket-netlink", socket, AF_NETLINK, SOCK_RAW, 0),
	WITH(socketpair, AF_UNIX, SOCK_DGRAM, 0, POINTER(memory)),
	WITH(bind, FD_OTHER, POINTER(memory), 2),
	WITH(connect, FD_OTHER, POINTER(memory), 2),
	WITH(sendto, FD_CHANNEL, POINTER(memory), 1),
	WITH(recvfrom, FD_CHANNEL, POINTER(memory), 1),
	AS("sendmsg-other", sendmsg, FD_OTHER, POINTER(&packet)),
	AS("recvmsg-other", recvmsg, FD_OTHER, POINTER(&packet)),
	WITH(sendmmsg, FD_CHANNEL, POINTER(memory), 1),
	WITH(setsockopt, FD_CHANNEL, SOL_SOCKET, SO_RCVBUF),
	/* programs and processes */
	WITH(execve, POINTER(text), POINTER(no_argv), POINTER(no_argv)),
	WITH(execveat, AT_FDCWD, POINTER(text), POINTER(no_argv),
	     POINTER(no_argv), AT_EMPTY_PATH),
	ONE(fork),
	ONE(vfork),
	WITH(clone, SIGCHLD),
	AS("clone-thread", clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND),
	WITH(clone3, POINTER(memory), 64),
	WITH(kill, 1, 0),
	AS("kill-all", kill, -1, SIGKILL),
	WITH(tkill, 1, 0),
	WITH(tgkill, 1, 1, 0),
	WITH(rt_sigqueueinfo, 1, 0, POINTER(memory)),
	WITH(pidfd_open, 1, 0),
	WITH(pidfd_getfd, FD_OTHER, 0, 0),
	WITH(pidfd_send_signal, FD_OTHER, SIGKILL),
	WITH(ptrace, 16, 1),
	WITH(process_vm_readv, 1, POINTER(&vector), 1, POINTER(&vector), 1),
	WITH(process_vm_writev, 1, POINTER(&vector), 1, POINTER(&vector), 1),
	WITH(unshare, CLONE_NEWUSER),
	WITH(setns, FD_OTHER, 0),
	ONE(setsid),
	ONE(setuid),
	ONE(setresuid),
	ONE(setgroups),
	WITH(capset, POINTER(memory), POINTER(memory)),
	WITH(prctl, PR_SET_DUMPABLE, 1),
	AS("prctl-unfiltered", prctl, PR_SET_SECCOMP, 0),
	WITH(arch_prctl, 0x1002, POINTER(memory)),
	WITH(seccomp, SECCOMP_SET_MODE_FILTER, 0, POINTER(memory)),
	WITH(prlimit64, 0, RLIMIT_NPROC, POINTER(memory)),
	WITH(setrlimit, RLIMIT_NOFILE, POINTER(memory)),
	WITH(setpriority, 0, 0, -20),
	WITH(sched_setaffinity, 0, 8, POINTER(memory)),
	WITH(rt_sigaction, SIGABRT, 0, 0, 8),
	ONE(rt_sigreturn),
	WITH(personality, 0x0400000),
	ONE(getpid),
	/* memory */
	AS("mmap", mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1),
	AS("mmap-exec", mmap, 0, 4096, PROT_READ | PROT_EXEC,
	   MAP_PRIVATE | MAP_ANONYMOUS, -1),
	AS("mmap-wx", mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	   MAP_PRIVATE | MAP_ANONYMOUS, -1),
	AS("mprotect-exec", mprotect, POINTER(memory), 4096,
	   PROT_READ | PROT_EXEC),
	WITH(pkey_mprotect, POINTER(memory), 4096, PROT_EXEC, -1),
	ONE(brk),
	WITH(mremap, POINTER(memory), 4096, 8192, MREMAP_MAYMOVE),
	WITH(remap_file_pages, POINTER(memory), 4096),
	WITH(process_madvise, FD_OTHER),
	WITH(userfaultfd, 1),
	WITH(shmget, 0, 4096, 0600),
	/* the rest of the kernel */
	WITH(io_uring_setup, 1, POINTER(memory)),
	WITH(bpf, 0, POINTER(memory), 64),
	WITH(perf_event_open, POINTER(memory), 0, -1, -1, 0),
	WITH(keyctl, 0, -3, 1),
	WITH(add_key, POINTER(text), POINTER(text), POINTER(text), 1, -3),
	ONE(mq_open),
	ONE(init_module),
	ONE(finit_module),
	ONE(kexec_load),
	ONE(reboot),
	ONE(iopl),
	ONE(modify_ldt),
	WITH(sethostname, POINTER(text), 1),
	WITH(clock_settime, 0, POINTER(memory)),
	ONE(landlock_create_ruleset),
	/* on the list of guest kvm, but not of its vCPUs */
	WITH(getrandom, POINTER(memory), 16, 0),
	/* no such call, and those of other calling conventions */
	{ "unknown", "#9999", 9999, { 0 } },
	{ "x32", "", X32_BIT | SYS_getpid, { 0 } },
	{ "int80", "", 0, { 0 } },
};

static void vm_name_of(const char *name, char vm_name[VM_NAME_MAX + 1])
{
	snprintf(vm_name, VM_NAME_MAX + 1, "%s", name);
	for (char *c = vm_name; *c; c++)
		if (*c == '_')
			*c = '-';
}

void calls_print(void)
{
	char vm_name[VM_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		vm_name_of(calls[i].name, vm_name);
		printf("%s %s\n", vm_name, calls[i].call);
	}
}

const struct attack *calls_find(const char *vm_name)
{
	char name[VM_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		vm_name_of(calls[i].name, name);
		if (strcmp(vm_name, name) == 0)
			return &calls[i];
	}
	return NULL;
}

/* getpid() as a 32-bit program of this machine asks for it. */
static long int80(void)
{
#ifdef __x86_64__
	long result = 20;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 :
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
#else
	return -1;
#endif
}

static long resolve(const struct standin *s, long arg)
{
	switch (arg) {
	case FD_CHANNEL:
		return s->channel.fd;
	case FD_TAP:
		return s->fds[FD_ROLE_TAP];
	case FD_OTHER:
		return other_fd;
	case FD_COPY:
		return listener_copy_fd;
	case FD_EPOLL:
		return s->epoll_fd;
	default:
		return arg;
	}
}

void calls_make(const struct standin *s, const struct attack *attack)
{
	long args[6], result;
	int error;

	for (int i = 0; i < 6; i++)
		args[i] = resolve(s, attack->args[i]);
	if (attack->number)
		result = syscall(attack->number, args[0], args[1], args[2],
				 args[3], args[4], args[5]);
	else
		result = int80();
	error = errno;
	standin_say(s, "EXECUTED %s: %ld (%s)", attack->name, result,
		    error_name(error));
}

_Noreturn void calls_attack(struct standin *s, const struct attack *attack,
			    bool in_vcpu)
{
	other_fd = local_socket();
	if (in_vcpu)
		vcpu_begin(s, attack);
	standin_close_cage(s);
	listener_copy_fd = s->listener_fd;
	standin_send(s, MSG_READY, s->listener_fd);
	standin_send(s, MSG_LOADED, -1);
	if (in_vcpu)
		vcpu_go();
	else
		calls_make(s, attack);
	standin_serve(s);
}
