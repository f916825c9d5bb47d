/* SPDX-License-Identifier: ISC */
/* A VM's process as a process: cloned, signalled, sent descriptors, closed. */
#include "supervisor/life/process.h"

#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "sandbox/inherit.h"
#include "sandbox/stage1.h"
#include "supervisor/lib/pidfd.h"
#include "supervisor/lib/sockets.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/pings.h"

pid_t process_clone(uint64_t flags, int cgroup_fd, int *pid_fd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | flags,
		.pidfd = (uint64_t)(uintptr_t)pid_fd,
		.exit_signal = SIGCHLD,
	};

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

pid_t process_make(const struct stage1 *stage, int cgroup_fd, int *pid_fd)
{
	pid_t pid;

	/* stage is all that the child sees of its VM: it has no heap */
	inherit_little();
	pid = process_clone(stage->handoff_fd < 0 ? 0 : CLONE_FILES, cgroup_fd,
			    pid_fd);
	if (pid == 0)
		stage1_exec(stage);
	return pid < 0 ? -errno : pid;
}

void vm_signal(struct vm *vm, int signal)
{
	if (vm->process.pid_fd >= 0)
		(void)pidfd_signal(vm->process.pid_fd, signal);
}

void vm_kill_for(struct vm *vm, enum death_reason reason, const char *format,
		 ...)
{
	va_list args;

	if (vm->process.pid_fd < 0)
		return;
	if (vm->process.exit.reason == DEATH_NONE) {
		vm->process.exit.reason = reason;
		va_start(args, format);
		vsnprintf(vm->process.exit.detail,
			  sizeof(vm->process.exit.detail), format, args);
		va_end(args);
	}
	vm_signal(vm, SIGKILL);
	/* messages of a killed process don't count any more */
	loop_remove(&vm->host->loop, &vm->process.channel_source);
}

int process_send_fd(struct vm *vm, enum fd_role role, unsigned int index,
		    int fd)
{
	union msg message = { .fd = { .role = role, .index = index } };

	if (fd < 0)
		return 0;
	return channel_send(&vm->process.channel, MSG_FD, &message, fd);
}

void vm_tell_mtu(struct vm *vm)
{
	union msg message = { .link.mtu = vm->tap.mtu };

	if (vm->tap.mtu != vm->tap.told_mtu &&
	    channel_send(&vm->process.channel, MSG_LINK, &message, -1) == 0)
		vm->tap.told_mtu = vm->tap.mtu;
}

bool vm_restore_sockets(struct vm *vm)
{
	int error = sockets_restore(vm->process.channel.fd, 0);

	/* after READY no process sends a descriptor */
	if (vm->process.listener_fd >= 0)
		sockets_allow_descriptors(vm->process.channel.fd, false);
	if (!error)
		error = console_restore(vm);
	if (error)
		vm_kill_for(vm, DEATH_PROTOCOL,
			    "a socket's options can't be set: %s",
			    error == -EPERM
				    ? "the process locked a filter on it"
				    : strerror(-error));
	return !error;
}

void vm_let_go(struct vm *vm)
{
	struct loop *loop = &vm->host->loop;

	loop_remove(loop, &vm->process.pid_source);
	loop_remove(loop, &vm->process.channel_source);
	loop_remove(loop, &vm->process.listener_source);
	loop_timer_cancel(loop, &vm->heartbeat.timer);
	fd_close(&vm->process.pid_fd);
	fd_close(&vm->process.channel.fd);
	fd_close(&vm->process.listener_fd);
	fd_close(&vm->process.uids_fd);
	handoff_forget(&vm->host->handoff, vm);
	console_close(vm);
	counters_abandon(vm);
	pings_abandon(vm);
}

void process_add_up(struct vm *vm)
{
	for (int i = 0; i < VM_STATS; i++)
		vm->settled[i] += vm->stats[i];
	memset(vm->stats, 0, sizeof(vm->stats));
}
