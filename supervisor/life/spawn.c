/* SPDX-License-Identifier: ISC */
/*
 * A VM's process: it is made, watched, and its end is recorded.
 *
 * Theory of operation: vm_spawn() makes the process of a VM's next generation.
 * The child goes through stage 1 (sandbox/stage1.c), becomes vmproc, and then
 * waits for its first message. Meanwhile the supervisor renews the TAP, takes
 * the lock of the uid, and records by what a later supervisor would know the
 * process: its start time, and the inode of its channel. Only after the VM's
 * document is written does vm_introduce() send CONFIG, the descriptors and
 * START. So no process that can outlive the supervisor is unknown to the next
 * one, and a process that isn't told anything does nothing.
 *
 * Between fork and exec the child has the supervisor's rights. What it needs is
 * in struct stage1, on the stack: the child touches no heap, no lock, no VM.
 *
 * A process's end shows at its pidfd. Its last messages are read first, then
 * its exit status, while its pid cannot be used again. The exit reason is the
 * supervisor's own, if it ended the process, else what the exit status says.
 * The state machine decides what comes after (life.c).
 */
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

/* Adds this generation's counters to the totals. The TAP's counters also have
 * what the process did after its last answer, and the process can't forge
 * them. */
void vm_settle(struct vm *vm)
{
	struct net_counters now;

	if (!vm->unsettled)
		return;
	vm->unsettled = false;
	if (net_tap_alive(vm->tap.fd) && vm_read_tap(vm, &now) == 0) {
		vm_count_by_tap(vm, &now);
		/* what the queue drops from now on counts for the next
		 * generation */
		vm->tap.base = now;
	}
	firsthop_count(vm);
	process_add_up(vm);
}

/* True if the process had a guest, so that its exit status can speak of one. A
 * guest that ended at once was loaded, though its VM never was RUNNING. */
static bool guest_ran(const struct vm *vm)
{
	return vm->config.machine &&
	       (vm->process.running_ns || vm->process.loaded);
}

/* True if a SIGKILL isn't the supervisor's, or the exit status is lost: it may
 * have been the OOM killer's. */
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
	/* its last messages first, while its pid is still its own */
	vm_channel_drain(vm);
	if (waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, &info,
		   WEXITED | WNOHANG | WNOWAIT) < 0) {
		if (errno == EINTR)
			return;
		/* the process isn't our child (it was adopted), or somebody
		 * else reaped it: its exit status is lost */
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
		death.reason = DEATH_EXIT; /* no guest can have caused it */
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
	       death.asked ? "" : ", nobody asked for it", death.detail);
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

/* Sends the process its configuration and its descriptors: CONFIG, FD, START.
 * An empty channel has room for all of them. */
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
	/* the descriptors that a supervisor after a crash takes back */
	if (!error)
		error = process_send_fd(vm, FD_ROLE_ADOPT, 0,
					vm->process.channel.fd);
	if (!error)
		error = process_send_fd(vm, FD_ROLE_UIDS, 0,
					vm->process.uids_fd);
	return error ? error : channel_signal(&vm->process.channel, MSG_START);
}

/* Opens the lock file by which the process holds its uid while there is no
 * supervisor. */
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

/* Records the filters that the process has once its sandbox is closed. */
static void expect_filters(struct vm *vm)
{
	const struct host *host = vm->host;
	struct filter_digests *digests = &vm->process.digests;
	bool kvm = vm->config.guest == GUEST_KVM;

	/* inherited ones, its set-up's and stage 2's */
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

/* Records by what a later supervisor will know the process. */
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

/* Clears what the last generation left. Its descriptors are closed by now. */
static void forget_process(struct vm *vm)
{
	vm->process = VM_PROCESS_NONE;
	vm->heartbeat = (struct vm_heartbeat){
		/* ids go on: no late answer fits a new request */
		.stats_id = vm->heartbeat.stats_id,
	};
	/* each generation starts with full token buckets */
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

/* Prepares the VM's side while the process goes through stage 1, on another
 * processor where there is one. */
static int make_ready(struct vm *vm, struct problem *problem)
{
	int error;

	vm_settle(vm); /* before the next generation uses the TAP */
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
		/* the process wasn't told anything yet: kill and reap it */
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

	if (error && error != -EPIPE) /* its end shows at the pidfd anyway */
		vm_kill_for(vm, DEATH_EXIT,
			    "cannot be told its configuration: %s",
			    strerror(-error));
}
