/* SPDX-License-Identifier: ISC */
/*
 * VM processes that outlived a supervisor.
 *
 * Theory of operation: every VM process also holds the supervisor's end of its
 * channel, and the file whose locks say which uids are in use. The process
 * never uses them. A supervisor that finds the state of a dead one takes both,
 * and the TAP, out of the process with pidfd_getfd(2). That needs no help of
 * the process, which may be stopped, hung or hostile. Nothing that the process
 * says is believed; the kernel says what it is: its start time and uid, its
 * room, its filters and capabilities, the inode of the channel, the name and
 * network namespace of the TAP. A process that fails one of these checks, or
 * doesn't answer afterwards, is killed. Its VM starts anew, with the reason as
 * its last exit.
 *
 * No other process may be left in the room, which only VM processes enter: one
 * that wasn't taken over is killed.
 */
#include "supervisor/takeover/adopt.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/lib/dir.h"
#include "supervisor/lib/pidfd.h"
#include "supervisor/life/life.h"
#include "supervisor/life/machine.h"
#include "supervisor/life/process.h"
#include "supervisor/life/spawn.h"
#include "supervisor/life/protocol.h"
#include "supervisor/life/verify.h"
#include "supervisor/net/tap.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/tap.h"
#include "supervisor/vm/vms.h"

/* How long killed processes may take to end; and one that ends by itself. */
#define SWEEP_MS 10000
#define DYING_MS 100

void adopt_room_inodes(const struct stored *stored,
		       uint64_t inodes[ROOM_NAMESPACES])
{
	const json_t *room = json_object_get(stored->instance, "room");

	for (int ns = 0; ns < ROOM_NAMESPACES; ns++)
		inodes[ns] = (uint64_t)json_integer_value(
			json_object_get(room, room_namespace_name(ns)));
}

/* ---- processes */

/* A copy of the process's descriptor number, close-on-exec; -1: none. */
static int take_fd(const struct vm *vm, int number)
{
	return (int)syscall(SYS_pidfd_getfd, vm->process.pid_fd, number, 0);
}

/* A copy of the first descriptor of a role: its number follows from the
 * process's protocol. */
static int take_role(const struct vm *vm, enum fd_role role)
{
	return take_fd(vm, proto_fd_number(vm->process.protocol, role, 0));
}

static bool is_channel(int fd, uint64_t inode)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_ino == inode;
}

static const char refused[] =
	"the kernel lets nobody take it over (see 'vmsup check')";

/* NULL, or why the process isn't what the document says. */
static const char *verify(const struct vm *vm,
			  const uint64_t room[ROOM_NAMESPACES],
			  struct problem *problem)
{
	char process[16];
	uint64_t started;
	int error;

	/* the pidfd is open by now: this is about the process that it means */
	if (process_started(vm->host->proc_fd, vm->process.pid, &started) < 0 ||
	    started != vm->process.started)
		return "ended while there was no supervisor";
	error = vm_verify(vm, vm->host->proc_fd, problem);
	if (error == -ESRCH)
		return "ended while there was no supervisor";
	if (error)
		return problem->text;
	snprintf(process, sizeof(process), "%d", vm->process.pid);
	if (!room_holds(vm->host->proc_fd, process, room))
		return errno == EACCES || errno == EPERM
			       ? refused
			       : "it isn't in its room";
	return NULL;
}

static const char *take_descriptors(struct vm *vm)
{
	const char *why = NULL;

	vm->process.channel.fd = take_role(vm, FD_ROLE_ADOPT);
	if (vm->process.channel.fd < 0 && errno == EPERM)
		return refused;
	if (!is_channel(vm->process.channel.fd, vm->process.channel_inode))
		return "it doesn't hold the channel that it was given";
	if (vm->config.machine)
		why = machine_adopt(vm, take_fd);
	if (why || !config_has_network(&vm->config))
		return why;
	vm->tap.fd = take_role(vm, FD_ROLE_TAP);
	if (!net_tap_is(vm->tap.fd, vm->config.tap, vm->host->network_inode))
		return "it doesn't hold the TAP that it was given";
	return NULL;
}

/* Records why a saved VM has no process any more. */
static void reject(struct vm *vm, const char *why)
{
	bool ended = strncmp(why, "ended", strlen("ended")) == 0;

	vm->process.exit.reason = ended ? DEATH_LOST : DEATH_PROTOCOL;
	snprintf(vm->process.exit.detail, sizeof(vm->process.exit.detail),
		 "%s%s", ended ? "" : "not adopted: ", why);
	vm_event(vm, VM_LOST);
	vm_close_tap(vm);
	vm_let_go(vm);
}

/* Kills a process that can't be taken over, if it is the one that was made for
 * the VM. adopt_sweep() may not find it, where the kernel doesn't show a
 * process's room. Returns why the VM has no process. */
static const char *kill_rejected(const struct vm *vm, const char *why)
{
	uint64_t now_ns = loop_now_ns(), started;
	int proc_fd = vm->host->proc_fd;

	/* one that is just ending fails any check */
	if (pidfd_wait(vm->process.pid_fd, now_ns + DYING_MS * NSEC_PER_MSEC))
		return "ended while there was no supervisor";
	if (process_started(proc_fd, vm->process.pid, &started) < 0 ||
	    started != vm->process.started ||
	    !process_has_uid(proc_fd, vm->process.pid, vm->uid))
		return why;
	(void)pidfd_signal(vm->process.pid_fd, SIGKILL);
	(void)pidfd_wait(vm->process.pid_fd, now_ns + SWEEP_MS * NSEC_PER_MSEC);
	return why;
}

static void take_process(struct vm *vm, const uint64_t room[ROOM_NAMESPACES])
{
	const char *why = "ended while there was no supervisor";
	struct problem problem;

	vm->process.pid_fd = pidfd_of(vm->process.pid);
	if (vm->process.pid_fd >= 0)
		why = verify(vm, room, &problem);
	if (!why && !proto_is_known(vm->process.protocol))
		why = "it speaks another version of the protocol";
	if (!why)
		why = take_descriptors(vm);
	if (why) {
		reject(vm,
		       vm->process.pid_fd >= 0 ? kill_rejected(vm, why) : why);
		return;
	}
	vm->process.channel.generation = vm->generation;
	vm_event(vm, VM_TAKEN_OVER);
}

int adopt_processes(struct host *host, const struct stored *stored)
{
	uint64_t room[ROOM_NAMESPACES];
	struct problem problem;

	adopt_room_inodes(stored, room);
	for (size_t i = 0; i < stored->count; i++) {
		struct vm *vm = vm_alloc(host, &problem);
		int error = vm ? state_vm_load(vm, stored->vms[i], &problem)
			       : -ENOMEM;

		/* the configuration's own: it has the descriptors */
		if (vm) {
			machine_free(vm->config.machine);
			vm->config = host->config->vms[i];
		}

		if (!error)
			error = vms_add(host, vm);
		if (error) {
			log_error("%s", problem.text);
			if (vm)
				vm_free(vm);
			return error;
		}
		if (vm->process.pid > 0)
			take_process(vm, room);
		else
			vm_event(vm, VM_LOST);
	}
	return 0;
}

/* ---- uids and room */

static int compare_uids(const void *left, const void *right)
{
	const uid_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Takes each adopted process's lock on its uid into fds, -1 where there is
 * none. A process without it is rejected: its uid could be given to another VM
 * as soon as there is no supervisor. */
static void take_locks(struct host *host, int *fds, bool *shared)
{
	for (size_t i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[i];

		fds[i] = vm->process.adopting ? take_role(vm, FD_ROLE_UIDS)
					      : -1;
		if (!vm->process.adopting ||
		    uids_is_lock_file(&host->uids, fds[i], &shared[i]))
			continue;
		fd_close(&fds[i]);
		shared[i] = false;
		reject(vm, "it doesn't hold the lock of its uid that it was "
			   "given");
	}
}

/* Processes of an earlier build share one open file, with the locks of all VMs
 * of the instance. The locks of those that are adopted stay. */
static int settle_shared(const struct host *host, const int *fds,
			 const bool *shared)
{
	cleanup_free uid_t *uids = NULL;
	size_t count = 0;
	int fd = -1;

	uids = calloc(host->vm_count + 1, sizeof(*uids));
	if (!uids)
		return -ENOMEM;
	for (size_t i = 0; i < host->vm_count; i++) {
		if (!shared[i])
			continue;
		fd = fds[i];
		uids[count++] = host->vms[i]->uid;
	}
	if (count == 0)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees */
		return 0;
	qsort(uids, count, sizeof(*uids), compare_uids);
	return uids_settle_shared(fd, uids, count);
}

/* Takes the uids of all VMs, or other uids in their place. */
static int claim_uids(struct host *host, const int *fds)
{
	struct problem problem;

	for (size_t i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[i];
		int error = vm->uid ? uids_claim(&host->uids, vm->uid, fds[i])
				    : -EAGAIN;

		if (error && vm->process.adopting)
			reject(vm, "another instance has its uid");
		if (error)
			error = uids_take(&host->uids, &vm->uid, &problem);
		if (error) {
			log_error("%s", problem.text);
			return error;
		}
	}
	return 0;
}

static int adopt_uids(struct host *host)
{
	size_t count = host->vm_count;
	cleanup_free int *fds = calloc(count + 1, sizeof(*fds));
	cleanup_free bool *shared = calloc(count + 1, sizeof(*shared));
	int error;

	if (!fds || !shared)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees */
		return -ENOMEM;
	take_locks(host, fds, shared);
	error = settle_shared(host, fds, shared);
	if (error)
		log_error("cannot take over the locks on uids: %s",
			  strerror(-error));
	else
		error = claim_uids(host, fds);
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	return error;
}

int adopt_sandbox(struct host *host, const struct stored *stored)
{
	uint64_t inodes[ROOM_NAMESPACES];
	int error = adopt_uids(host);

	if (error)
		return error;
	adopt_room_inodes(stored, inodes);
	for (size_t i = 0; i < host->vm_count; i++)
		if (host->vms[i]->process.adopting &&
		    room_adopt(&host->room, host->proc_fd,
			       host->vms[i]->process.pid, inodes) == 0)
			return 1;
	return 0;
}

/* ---- links */

struct net_adopted *adopt_links(const struct host *host, size_t *count)
{
	struct net_adopted *links = calloc(host->vm_count + 1, sizeof(*links));

	*count = 0;
	for (size_t i = 0; links && i < host->vm_count; i++) {
		const struct vm *vm = host->vms[i];

		if (!vm->process.adopting || !config_has_network(&vm->config))
			continue;
		memcpy(links[*count].name, vm->config.tap,
		       sizeof(links[*count].name));
		links[(*count)++].ifindex = vm->tap.ifindex;
	}
	return links;
}

void adopt_check_links(struct host *host, const struct net_adopted *links,
		       size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < host->vm_count && at < count; i++)
		if (host->vms[i]->process.adopting &&
		    config_has_network(&host->vms[i]->config) &&
		    !links[at++].found)
			reject(host->vms[i],
			       "its TAP is no port of the bridge any more");
}

/* ---- other processes in the room */

static bool is_ours(const struct host *host, pid_t pid)
{
	for (size_t i = 0; i < host->vm_count; i++)
		if (host->vms[i]->process.adopting &&
		    host->vms[i]->process.pid == pid)
			return true;
	return false;
}

/* Kills a process if it is in the room and wasn't adopted. Its pidfd; -1: it
 * wasn't killed. */
static int kill_stranger(const struct host *host, const char *process,
			 const uint64_t inodes[ROOM_NAMESPACES])
{
	pid_t pid = (pid_t)strtol(process, NULL, 10);
	cleanup_fd int pid_fd = -1;

	if (pid <= 0 || !room_holds(host->proc_fd, process, inodes) ||
	    is_ours(host, pid))
		return -1;
	pid_fd = pidfd_of(pid);
	/* once more: only now is it sure whom the number means */
	if (pid_fd < 0 || !room_holds(host->proc_fd, process, inodes) ||
	    pidfd_signal(pid_fd, SIGKILL) < 0)
		return -1;
	log_info("killed process %d, which an earlier supervisor left and "
		 "which isn't adopted",
		 pid);
	return steal_fd(&pid_fd);
}

/* Removes cgroups that belong to no VM. */
static void sweep_cgroups(const struct host *host)
{
	const struct cgroup *cgroup = &host->cgroup;
	struct dirent *entry;
	int fd = cgroup->dir_fd < 0
			 ? -1
			 : openat(cgroup->dir_fd, ".",
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    !vms_find(host, entry->d_name))
			cgroup_remove(cgroup, entry->d_name);
	if (dir)
		closedir(dir);
}

struct sweep {
	const struct host *host;
	const uint64_t *inodes; /* of the room */
	uint64_t deadline_ns;
};

/* -ETIMEDOUT: it is one to end, and doesn't. */
static int sweep_process(void *ctx, const char *process)
{
	const struct sweep *sweep = ctx;
	cleanup_fd int pid_fd =
		kill_stranger(sweep->host, process, sweep->inodes);

	if (pid_fd < 0 || pidfd_wait(pid_fd, sweep->deadline_ns))
		return 0;
	log_error("process %s, which an earlier supervisor left, doesn't end "
		  "(a system call of it hangs; see /proc/%s/stack)",
		  process, process);
	return -ETIMEDOUT;
}

int adopt_sweep(struct host *host, const uint64_t inodes[ROOM_NAMESPACES])
{
	struct sweep sweep = {
		host,
		inodes,
		loop_now_ns() + SWEEP_MS * NSEC_PER_MSEC,
	};
	int error;

	if (!inodes[ROOM_MNT])
		return 0;
	error = dir_each(host->proc_fd, ".", sweep_process, &sweep);
	if (!error)
		sweep_cgroups(host);
	else if (error != -ETIMEDOUT)
		log_error("cannot look for processes that an earlier "
			  "supervisor left: %s (start again)",
			  strerror(-error));
	return error;
}

/* ---- life goes on */

void adopt_resume(struct host *host)
{
	for (size_t i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[i];
		int error;

		if (!vm->process.adopting)
			continue;
		error = vm_watch(vm);
		if (!error && vm->config.machine)
			error = console_resume(vm);
		if (!error && !vm_restore_sockets(vm))
			continue;
		if (!error)
			error = vm_ask_sign_of_life(vm);
		if (error) /* its end is heard of in the loop */
			vm_kill_for(vm, DEATH_PROTOCOL, "not adopted: %s",
				    error == -EAGAIN
					    ? "it doesn't read its channel"
					    : strerror(-error));
		loop_timer_in(&host->loop, &vm->timer,
			      vm->config.timeouts.start_ms);
	}
}

/* Records the end of a process that no supervisor saw. */
static void record_end(struct vm *vm)
{
	struct death death = vm->process.exit;

	death.generation = vm->generation;
	death.uptime_ns = loop_now_ns() - vm->process.spawned_ns;
	clock_gettime(CLOCK_REALTIME, &death.time);
	deaths_add(&vm->deaths, &death);
	process_add_up(vm);
	memset(&vm->process.exit, 0, sizeof(vm->process.exit));
	vm->process.pid = 0;
	vm_log(vm, LOG_LEVEL_WARN, "generation %llu: %s",
	       (unsigned long long)vm->generation, death.detail);
	events_add(&vm->host->events, vm, "died", death.detail);
}

int adopt_revive(struct vm *vm, struct problem *problem)
{
	bool ended = vm->process.exit.reason != DEATH_NONE &&
		     vm->process.pid_fd < 0;
	int error;

	if (vm->tap.fd >= 0 || vm->taken_over) /* whatever became of it since */
		return 0;
	error = vm_make_tap(vm, problem);
	if (error)
		return error;
	memset(&vm->tap.base, 0, sizeof(vm->tap.base));
	if (ended)
		record_end(vm);
	events_add(&vm->host->events, vm, "defined", NULL);
	if (vm->state != VM_FAILED && ended && !vm->config.restart.enabled)
		vm->wanted = false; /* its policy is not to restart */
	vm_event(vm, VM_REVIVED);
	return 0;
}
