/* SPDX-License-Identifier: ISC */
/* A VM's process: made in the cage, watched, and its end taken in. */
#include "supervisor/life/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/stage1.h"
#include "supervisor/life/machine.h"
#include "supervisor/life/process.h"
#include "supervisor/life/protocol.h"
#include "supervisor/life/verify.h"
#include "supervisor/net/tap.h"
#include "supervisor/state/store.h"
#include "supervisor/vm/bounds.h"
#include "supervisor/vm/firsthop.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/tap.h"

/* Adds what this generation did to the totals. The TAP's own counters know
 * what the process did after it was last asked, and can't be lied to. */
void vm_settle(struct vm *vm)
{
	struct net_counters now;

	if (!vm->unsettled)
		return;
	vm->unsettled = false;
	if (net_tap_alive(vm->tap.fd) && vm_read_tap(vm, &now) == 0) {
		vm_count_by_tap(vm, &now);
		/* what the queue drops until the next one reads is its loss */
		vm->tap.base = now;
	}
	firsthop_count(vm);
	process_add_up(vm);
}

/* Whether there was a guest, that can have done what an exit status says. A
 * process that ended at once has said so, but never was RUNNING. */
static bool guest_ran(const struct vm *vm)
{
	return vm->config.machine &&
	       (vm->process.running_ns || vm->process.loaded);
}

/* SIGKILL that isn't ours, or nobody knows: it may be the OOM killer's. */
static bool killed_by_nobody(const struct vm *vm, const siginfo_t *info)
{
	if (vm->process.exit.reason == DEATH_LOST)
		return true;
	return vm->process.exit.reason == DEATH_NONE &&
	       info->si_code == CLD_KILLED && info->si_status == SIGKILL;
}

static void process_ended(struct source *source, uint32_t events)
{
	struct vm *vm = source->ctx;
	struct death death;
	siginfo_t info = { 0 };
	cleanup_fd int ended_fd = -1;

	(void)events;
	/* its last words first, while its pid is still its own */
	vm_channel_drain(vm);
	if (waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, &info,
		   WEXITED | WNOHANG | WNOWAIT) < 0) {
		if (errno == EINTR)
			return;
		/* it isn't our child (adopted), or somebody else reaped it:
		 * how it ended can't be known, unless we ended it */
		if (vm->process.exit.reason == DEATH_NONE) {
			vm->process.exit.reason =
				vm->process.guest_event
					? vm->process.guest_event
					: DEATH_LOST;
			snprintf(vm->process.exit.detail,
				 sizeof(vm->process.exit.detail), "%s",
				 vm->state == VM_STOPPING
					 ? "stopped (exit status lost)"
					 : "exit status lost");
		}
	} else if (info.si_pid == 0) {
		return;
	}
	death = vm->process.exit;
	death_explain(&death, &info);
	if (!guest_ran(vm) && vm->process.exit.reason == DEATH_NONE &&
	    death.reason != DEATH_SIGNAL)
		death.reason = DEATH_EXIT; /* whatever it says of its guest */
	if (killed_by_nobody(vm, &info))
		bounds_explain(vm, &death);
	death.asked = vm->state == VM_STOPPING &&
		      (vm->process.exit.reason == DEATH_NONE ||
		       vm->process.exit.reason == DEATH_LOST ||
		       vm->process.exit.reason == vm->process.guest_event);
	death.generation = vm->generation;
	death.uptime_ns = loop_now_ns() - vm->process.spawned_ns;
	clock_gettime(CLOCK_REALTIME, &death.time);
	ended_fd = steal_fd(&vm->process.pid_fd);
	vm_let_go(vm);
	vm->unsettled = true;
	deaths_add(&vm->deaths, &death);
	vm_log(vm, death.asked ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
	       "generation %llu ended%s: %s",
	       (unsigned long long)vm->generation,
	       death.asked ? "" : " unasked", death.detail);
	events_add(&vm->host->events, vm, "died", death.detail);
	vm_raise(vm, VM_DIED);
	/* unless the event did it: the next process doesn't wait for these */
	vm_settle(vm);
	(void)waitid(WAIT_PIDFD, (id_t)ended_fd, &info, WEXITED | WNOHANG);
}

static struct stage1 stage1_of(struct vm *vm, int channel_fd)
{
	struct host *host = vm->host;
	struct stage1 stage1 = {
		.room = &host->room,
		.uid = vm->uid,
		.channel_fd = channel_fd,
		.program_fd = host->vmproc_fd,
		.generation = vm->generation,
		.filter = &host->setup_filter[vm->config.guest],
		.parent = getpid(),
		.threads = bounds_threads(&vm->config),
		.descriptors = bounds_descriptors(&vm->config),
		.file_bytes = bounds_file_bytes(&vm->config),
		.loops = bounds_loops(&vm->config),
		.core_scheduling = vm->config.core_scheduling,
		.proc_fd = host->proc_fd,
	};

	memcpy(stage1.name, vm->config.name, sizeof(stage1.name));
	return stage1;
}

/* Makes the process; on success the channel and the pidfd are there. */
static int make_process(struct vm *vm, struct problem *problem)
{
	struct host *host = vm->host;
	const struct cgroup_limits limits = bounds_of(&vm->config);
	struct stage1 stage1;
	cleanup_fd int cgroup_fd = -1;
	int ends[2], pid_fd = -1;
	int error;
	pid_t pid;

	error = cgroup_open(&host->cgroup, vm->config.name, &limits,
			    &vm->bounded, &cgroup_fd);
	if (error)
		return problem_set(problem, error,
				   "cannot make the cgroup of %s: %s%s",
				   vm->config.name, strerror(-error),
				   error == -EOPNOTSUPP
					   ? " (its limits need cgroup v2 with "
					     "the memory and cpu controllers)"
					   : "");
	error = channel_pair(ends);
	if (error)
		return problem_set(problem, error,
				   "cannot make a channel for %s: %s",
				   vm->config.name, strerror(-error));
	stage1 = stage1_of(vm, ends[1]);
	stage1.handoff_fd = handoff_put(&host->handoff, ends[1], vm);
	pid = host->hooks->make_process(&stage1, cgroup_fd, &pid_fd);
	error = pid < 0 ? pid : 0;
	close(ends[1]);
	if (error) {
		close(ends[0]);
		handoff_forget(&host->handoff, vm);
		return problem_set(problem, error,
				   "cannot make a process for %s: %s (too many "
				   "processes or too little memory)",
				   vm->config.name, strerror(-error));
	}
	vm->process.pid = pid;
	vm->process.pid_fd = pid_fd;
	vm->process.channel.fd = ends[0];
	vm->process.channel.generation = vm->generation;
	return 0;
}

static int send_taps(struct vm *vm)
{
	int error;

	vm->tap.untouched = false;
	error = process_send_fd(vm, FD_ROLE_TAP, 0, vm->tap.fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(vm->tap.queue_fds) && !error;
	     i++)
		error = process_send_fd(vm, FD_ROLE_TAP, i + 1,
					vm->tap.queue_fds[i]);
	return error;
}

/* Tells the process who it is and hands it the manifest: CONFIG, descriptors,
 * START. All of it fits in an empty channel. */
static int introduce(struct vm *vm)
{
	const struct vm_config *config = &vm->config;
	const struct config *common = vm->host->config;
	union msg message = { 0 };
	int error;

	message.config.version = PROTO_VERSION;
	message.config.guest = config->guest;
	memcpy(message.config.name, config->name, sizeof(config->name));
	memcpy(message.config.mac, config->mac, sizeof(config->mac));
	vm->tap.told_mtu = vm->tap.mtu;
	message.config.mtu = vm->tap.mtu > UINT16_MAX ? UINT16_MAX
						      : (uint16_t)vm->tap.mtu;
	message.config.ipv4 = config->ipv4;
	message.config.ipv4_prefix = common->bridge_ipv4_prefix;
	if (config->has_ipv6) {
		message.config.ipv6 = config->ipv6;
		message.config.ipv6_prefix = config->ipv6_prefix;
	}
	if (config->restart.orphan == ORPHAN_STAY)
		message.config.flags |= CONFIG_STAY;
	error = channel_send(&vm->process.channel, MSG_CONFIG, &message, -1);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_FILTER, 0,
					vm->host->filter_fd[config->guest]);
	if (!error)
		error = send_taps(vm);
	if (!error && config->machine)
		error = machine_introduce(vm);
	/* what a supervisor that comes after a crash takes back from it */
	if (!error)
		error = process_send_fd(vm, FD_ROLE_ADOPT, 0,
					vm->process.channel.fd);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_UIDS, 0,
					vm->process.uids_fd);
	return error ? error : channel_signal(&vm->process.channel, MSG_START);
}

/* What the process holds its uid by, once there is no supervisor. */
static int open_lock(struct vm *vm, struct problem *problem)
{
	const struct host *host = vm->host;
	int fd = uids_open(&host->uids, host->proc_fd, vm->uid);

	if (fd < 0)
		return problem_set(problem, fd, "cannot lock uid %u of %s: %s",
				   vm->uid, vm->config.name, strerror(-fd));
	fd_close(&vm->process.uids_fd);
	vm->process.uids_fd = fd;
	return 0;
}

/* What filters the process has once its cage is closed. */
static void expect_filters(struct vm *vm)
{
	const struct host *host = vm->host;
	struct filter_digests *digests = &vm->process.digests;
	bool kvm = vm->config.guest == GUEST_KVM;

	/* that of its set-up, and stage 2's */
	vm->process.filters = host->filters + 2;
	memset(digests, 0, sizeof(*digests));
	memcpy(digests->inherited, host->loaded, sizeof(digests->inherited));
	memcpy(digests->setup,
	       host->digests[kvm ? FILTER_KVM_SETUP : FILTER_BUILTIN_SETUP],
	       sizeof(digests->setup));
	memcpy(digests->running,
	       host->digests[kvm ? FILTER_KVM : FILTER_BUILTIN],
	       sizeof(digests->running));
	if (!kvm)
		return;
	memcpy(digests->vcpu, host->digests[FILTER_VCPU],
	       sizeof(digests->vcpu));
	memcpy(digests->seal, host->seal_digest, sizeof(digests->seal));
}

/* What a later supervisor knows the process by. */
static int identify(struct vm *vm)
{
	struct stat st;

	if (fstat(vm->process.channel.fd, &st) < 0)
		return -errno;
	vm->process.channel_inode = st.st_ino;
	expect_filters(vm);
	vm->process.protocol = PROTO_VERSION;
	return process_started(vm->host->proc_fd, vm->process.pid,
			       &vm->process.started);
}

/* What an earlier generation left. Its descriptors are closed by now. */
static void forget_process(struct vm *vm)
{
	vm->process = VM_PROCESS_NONE;
	vm->heartbeat = (struct vm_heartbeat){
		/* no answer to an earlier one is one to this one's */
		.stats_id = vm->heartbeat.stats_id,
	};
	/* what one generation said too much isn't held against the next */
	vm->log.lines = vm->log.flood = (struct token_bucket){ 0 };
	vm->log.dropped = 0;
}

int vm_watch(struct vm *vm)
{
	struct loop *loop = &vm->host->loop;
	int error;

	bounds_watch(vm);
	error = loop_add(loop, &vm->process.pid_source, vm->process.pid_fd,
			 EPOLLIN, process_ended, vm);
	if (!error)
		error = loop_add(loop, &vm->process.channel_source,
				 vm->process.channel.fd, EPOLLIN,
				 vm_channel_ready, vm);
	if (!error && vm->process.listener_fd >= 0)
		error = loop_add(loop, &vm->process.listener_source,
				 vm->process.listener_fd, EPOLLIN,
				 vm_listener_ready, vm);
	return error;
}

/* What the process will have of its VM, and what it is known by: while it goes
 * through stage 1, on another processor where there is one. */
static int make_ready(struct vm *vm, struct problem *problem)
{
	int error;

	vm_settle(vm); /* before the TAP is the next one's */
	error = vm_renew_tap(vm, problem);
	if (!error)
		error = open_lock(vm, problem);
	if (error)
		return error;
	error = vm_watch(vm);
	if (!error)
		error = identify(vm);
	if (error)
		return problem_set(problem, error, "cannot watch %s: %s",
				   vm->config.name, strerror(-error));
	return 0;
}

int vm_spawn(struct vm *vm, struct problem *problem)
{
	int error;

	forget_process(vm);
	vm->generation++;
	vmlog_turn(&vm->log.kept);
	vm->process.spawned_ns = loop_now_ns();
	error = bounds_check_core(&vm->config, problem);
	if (!error && vm->config.machine)
		error = machine_prepare(vm, problem);
	if (!error)
		error = make_process(vm, problem);
	if (error)
		return error;
	error = make_ready(vm, problem);
	if (error) {
		/* it knows nothing yet: ended and reaped here */
		vm_signal(vm, SIGKILL);
		waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, NULL, WEXITED);
		vm_let_go(vm);
		return error;
	}
	return 0;
}

void vm_introduce(struct vm *vm)
{
	int error = introduce(vm);

	if (error && error != -EPIPE) /* a dead one is heard of anyway */
		vm_kill_for(vm, DEATH_EXIT,
			    "cannot be told its configuration: %s",
			    strerror(-error));
}
