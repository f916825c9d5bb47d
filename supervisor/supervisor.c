/* SPDX-License-Identifier: ISC */
/*
 * The supervisor: what it is made of, its start and its end.
 *
 * Theory of operation: it starts with all of root's rights, takes hold of what
 * needs them (run directory, room, filters, bridge, control socket), and then
 * cuts itself down, before the first VM process is made and the first client
 * is heard. From there on one loop serves everything. It never opens a path
 * that a client named.
 */
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/caps.h"
#include "supervisor/core.h"

#define GROUP "vmsup"
/* VMs made in one turn of the loop: those made before get their turn. */
#define POPULATE_BATCH 8

static const char interface_text[] =
#include "supervisor/interface.inc"
	;

struct vm *supervisor_find(const struct supervisor *supervisor,
			   const char *name)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (strcmp(supervisor->vms[i]->config.name, name) == 0)
			return supervisor->vms[i];
	return NULL;
}

/* ---- where log lines go */

static void log_sink(void *ctx, enum log_level level, const char *line)
{
	struct supervisor *supervisor = ctx;
	bool starting = !supervisor->settled && level == LOG_LEVEL_ERROR;

	if (supervisor->rundir.log_fd >= 0)
		rundir_log(&supervisor->rundir, log_level_name(level), line);
	if (supervisor->foreground || starting)
		dprintf(STDERR_FILENO, "vmsup: %s\n", line);
}

/* ---- VMs */

/* Makes a VM of config and, if it is to, starts it. */
static int add_vm(struct supervisor *supervisor, const struct vm_config *config,
		  struct problem *problem)
{
	struct vm **vms = supervisor->vms;
	struct vm *vm;

	vms = realloc(vms, (supervisor->vm_count + 1) * sizeof(struct vm *));
	if (!vms)
		return problem_set(problem, -ENOMEM, "out of memory");
	supervisor->vms = vms;
	vm = vm_new(supervisor, config, problem);
	if (!vm)
		return -EIO;
	vms[supervisor->vm_count++] = vm;
	events_add(&supervisor->events, vm, "defined", NULL);
	if (config->autostart)
		vm_event(vm, VM_START);
	return 0;
}

static int assign(struct supervisor *supervisor, struct problem *problem)
{
	char machine_id[64] = "";
	cleanup_fd int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);

	/* without one, MACs are the same on every such host: the instance and
	 * the VM's name still tell them apart on this one */
	if (fd >= 0 && read(fd, machine_id, sizeof(machine_id) - 1) > 0)
		machine_id[strcspn(machine_id, "\n")] = '\0';
	return config_assign(supervisor->config, machine_id,
			     supervisor->rundir.instance, problem);
}

int supervisor_define(struct supervisor *supervisor, const char *name,
		      const char *mac, const char *ipv4, const char *ipv6,
		      struct problem *problem)
{
	struct config *config = supervisor->config;
	struct vm_config *vm;
	int error;

	if (supervisor->ending)
		return problem_set(problem, -ESHUTDOWN,
				   "the supervisor is stopping");
	if (supervisor->populated < config->vm_count)
		return problem_set(problem, -EAGAIN,
				   "the supervisor is still starting its VMs");
	vm = config_add_vm(config, name, problem);
	if (!vm)
		return -EINVAL;
	vm->autostart = true;
	error = mac ? config_set_mac(vm, mac, problem) : 0;
	if (!error && ipv4)
		error = config_set_ipv4(config, vm, ipv4, problem);
	if (!error && ipv6)
		error = config_set_ipv6(vm, ipv6, problem);
	if (!error)
		error = assign(supervisor, problem);
	if (!error)
		error = add_vm(supervisor, vm, problem);
	if (error)
		config->vm_count--; /* the one just appended */
	else
		supervisor->populated++;
	return error;
}

/* The start is over: from now on nobody waits at the other end of stderr. */
static void settle(struct supervisor *supervisor)
{
	int null_fd;

	supervisor->settled = true;
	if (supervisor->starter_source.fd >= 0) {
		int fd = supervisor->starter_source.fd;

		loop_remove(&supervisor->loop, &supervisor->starter_source);
		close(fd);
	}
	if (supervisor->foreground)
		return;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	fd_close(&null_fd);
}

static bool any_is(const struct supervisor *supervisor, enum vm_state state)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (supervisor->vms[i]->state == state)
			return true;
	return false;
}

/* True once every VM has got where its intent leads, or has failed. */
static bool all_settled(const struct supervisor *supervisor)
{
	return supervisor->populated == supervisor->config->vm_count &&
	       !any_is(supervisor, VM_STARTING) &&
	       !any_is(supervisor, VM_BACKOFF) &&
	       !any_is(supervisor, VM_STOPPING);
}

static bool all_gone(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (supervisor->vms[i]->state != VM_STOPPED)
			return false;
	return true;
}

/* Opens multicast between VMs in two steps: see net/multicast.c. */
static void open_multicast(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	cleanup_free int *ifindexes = NULL;
	int error;

	ifindexes = calloc(supervisor->vm_count + 1, sizeof(*ifindexes));
	for (size_t i = 0; ifindexes && i < supervisor->vm_count; i++)
		ifindexes[i] = supervisor->vms[i]->tap_ifindex;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	error = ifindexes ? net_multicast_open(&supervisor->net, ifindexes,
					       supervisor->vm_count)
			  : -ENOMEM;
	if (error)
		log_warn("cannot open multicast between VMs: %s (IPv6 between "
			 "them may not work)",
			 strerror(-error));
}

/* The first step, once the configured VMs have come up. */
static void query_multicast(struct supervisor *supervisor)
{
	if (supervisor->querying ||
	    supervisor->populated < supervisor->config->vm_count ||
	    any_is(supervisor, VM_STARTING))
		return;
	supervisor->querying = true;
	if (net_multicast_query(&supervisor->net) < 0)
		log_warn("the bridge can't be a multicast querier: multicast "
			 "goes to every VM");
	loop_timer_in(&supervisor->loop, &supervisor->multicast,
		      NET_MULTICAST_QUERY_MS);
}

static void review(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;

	if (supervisor->ending) {
		if (all_gone(supervisor))
			loop_stop(&supervisor->loop);
		return;
	}
	query_multicast(supervisor);
	if (!supervisor->settled && all_settled(supervisor))
		settle(supervisor);
}

void supervisor_vm_changed(struct supervisor *supervisor)
{
	/* from the loop, and once for all changes of this turn */
	if (!supervisor->review.armed)
		loop_timer_at(&supervisor->loop, &supervisor->review, 0);
}

void supervisor_end(struct supervisor *supervisor, int exit_status)
{
	if (supervisor->ending)
		return;
	supervisor->ending = true;
	supervisor->exit_status = exit_status;
	log_info("stopping %zu VMs", supervisor->vm_count);
	loop_timer_cancel(&supervisor->loop, &supervisor->populate);
	for (size_t i = 0; i < supervisor->vm_count; i++)
		vm_event(supervisor->vms[i], VM_STOP);
	supervisor_vm_changed(supervisor);
}

/* Makes the next few VMs of the configuration. */
static void populate(struct timer *timer)
{
	struct supervisor *supervisor = timer->ctx;
	struct config *config = supervisor->config;
	struct problem problem;

	for (int i = 0; i < POPULATE_BATCH; i++) {
		if (supervisor->populated == config->vm_count)
			break;
		if (add_vm(supervisor, &config->vms[supervisor->populated],
			   &problem) < 0) {
			log_error("%s", problem.text);
			supervisor_end(supervisor, 1);
			return;
		}
		supervisor->populated++;
	}
	if (supervisor->populated < config->vm_count)
		loop_timer_at(&supervisor->loop, timer, loop_now_ns());
	supervisor_vm_changed(supervisor);
}

/* ---- what the loop hears beside VMs and clients */

static void on_signal(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !supervisor->foreground)
			continue;
		if (supervisor->ending) /* asked again: no more patience */
			for (size_t i = 0; i < supervisor->vm_count; i++)
				vm_signal(supervisor->vms[i], SIGKILL);
		/* a start that was interrupted did not succeed */
		supervisor_end(supervisor, supervisor->settled ? 0 : 1);
	}
}

static void starter_gone(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	int fd = source->fd;

	(void)events;
	loop_remove(&supervisor->loop, source);
	close(fd);
	log_info("the start was interrupted: undoing it");
	supervisor_end(supervisor, 1);
}

static void on_link_news(void *ctx, const struct net_news *news)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->ending)
		return;
	if (news->ifindex == supervisor->net.bridge_ifindex && news->deleted)
		log_error("the bridge %s was deleted from outside: the VMs are "
			  "cut off (vmsup stop, then vmsup start)",
			  supervisor->config->bridge);
	for (size_t i = 0; i < supervisor->vm_count; i++) {
		struct vm *vm = supervisor->vms[i];
		union msg message = { .link.mtu = news->mtu };

		if (vm->tap_ifindex != news->ifindex || news->deleted ||
		    vm->tap_mtu == news->mtu)
			continue;
		vm->tap_mtu = news->mtu;
		if (vm->state == VM_RUNNING || vm->state == VM_PAUSED)
			channel_send(&vm->channel, MSG_LINK, &message, -1);
	}
}

static void on_monitor(struct source *source, uint32_t events)
{
	struct supervisor *supervisor = source->ctx;
	int error = net_monitor_read(&supervisor->monitor);

	(void)events;
	if (error)
		log_warn("link news: %s", strerror(-error));
}

/* ---- the start, step by step; each logs what it can't do */

static int report(int error, const struct problem *problem)
{
	if (error)
		log_error("%s", problem->text);
	return error;
}

static gid_t find_group(void)
{
	struct group *group = getgrnam(GROUP);

	return group ? group->gr_gid : (gid_t)-1;
}

static int start_rundir(struct supervisor *supervisor, const char *path)
{
	struct problem problem;

	return report(
		rundir_init(&supervisor->rundir, path, find_group(), &problem),
		&problem);
}

/* Every VM costs descriptors: refused here rather than at the 200th. */
static int start_limits(struct supervisor *supervisor)
{
	rlim_t need = supervisor->config->vm_count * SUPERVISOR_FDS_PER_VM +
		      SUPERVISOR_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_max < need) {
		log_error("%zu VMs need %llu descriptors, the limit is %llu "
			  "(ulimit -Hn, or LimitNOFILE= of the unit)",
			  supervisor->config->vm_count,
			  (unsigned long long)need,
			  (unsigned long long)limit.rlim_max);
		return -EMFILE;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static void bridge_of(const struct config *config, struct net_bridge *bridge)
{
	*bridge = (struct net_bridge){
		.ipv4 = config->bridge_ipv4,
		.ipv4_prefix = config->bridge_ipv4_prefix,
		.has_ipv6 = config->has_bridge_ipv6,
		.ipv6 = config->bridge_ipv6,
		.ipv6_prefix = config->bridge_ipv6_prefix,
		.mtu = config->mtu,
	};
	memcpy(bridge->name, config->bridge, sizeof(bridge->name));
}

/* Looks for everything that is in the way before anything is made. */
static int start_net(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;
	cleanup_free struct net_tap *taps = NULL;
	struct net_bridge bridge;
	struct problem problem;
	int error;

	bridge_of(config, &bridge);
	error = assign(supervisor, &problem);
	if (!error)
		error = net_init(&supervisor->net, supervisor->rundir.path,
				 &problem);
	if (error)
		return report(error, &problem);
	taps = calloc(config->vm_count + 1, sizeof(*taps));
	if (!taps)
		return -ENOMEM;
	for (size_t i = 0; i < config->vm_count; i++)
		memcpy(taps[i].name, config->vms[i].tap, sizeof(taps[i].name));
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	error = net_prepare(&supervisor->net, &bridge, taps, config->vm_count,
			    &problem);
	if (!error)
		error = net_bridge_create(&supervisor->net, &bridge, &problem);
	return report(error, &problem);
}

static int start_cage(struct supervisor *supervisor)
{
	struct problem problem;
	int error;

	error = report(uids_init(&supervisor->uids,
				 supervisor->config->uid_first,
				 supervisor->config->uid_count, &problem),
		       &problem);
	if (!error)
		error = room_init(&supervisor->room, supervisor->rundir.path);
	if (error)
		return error;
	cgroup_init(&supervisor->cgroup, supervisor->rundir.instance);
	supervisor->filter_fd[GUEST_BUILTIN] = filter_export(FILTER_BUILTIN);
	if (supervisor->filter_fd[GUEST_BUILTIN] < 0)
		return supervisor->filter_fd[GUEST_BUILTIN];
	supervisor->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (supervisor->proc_fd < 0) {
		log_error("cannot open /proc: %s (mount it)", strerror(errno));
		return -errno;
	}
	return 0;
}

static int start_control(struct supervisor *supervisor, int *starter_fd)
{
	static struct control_config config = {
		.interface = "io.vmsup",
		.description = interface_text,
		.vendor = "vmsup",
		.product = "vmsup",
		.version = VMSUP_VERSION,
		.url = "",
	};
	struct problem problem;
	char path[108];
	int fd;

	config.methods = methods;
	config.method_count = method_count;
	config.ctx = supervisor;
	config.group = find_group();
	rundir_file(&supervisor->rundir, RUNDIR_SOCKET, path, sizeof(path));
	fd = control_listen(path, config.group, &problem);
	if (fd < 0)
		return report(fd, &problem);
	supervisor->control = control_new(&supervisor->loop, fd, &config);
	if (!supervisor->control) {
		log_error("cannot serve %s: %s", path, strerror(errno));
		close(fd);
		return -EIO;
	}
	if (*starter_fd < 0)
		return 0;
	fd = fcntl(*starter_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 ||
	    loop_add(&supervisor->loop, &supervisor->starter_source, fd,
		     EPOLLRDHUP, starter_gone, supervisor) < 0 ||
	    control_adopt(supervisor->control, *starter_fd, 0, getppid()) < 0) {
		log_error("cannot serve the command that starts this");
		return -EIO;
	}
	*starter_fd = -1;
	return 0;
}

static int start_signals(struct supervisor *supervisor)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a write says so itself */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return loop_add(&supervisor->loop, &supervisor->signal_source, fd,
			EPOLLIN, on_signal, supervisor);
}

static int start_monitor(struct supervisor *supervisor)
{
	int error = net_monitor_init(&supervisor->monitor, on_link_news,
				     supervisor);

	if (!error)
		error = loop_add(&supervisor->loop, &supervisor->monitor_source,
				 net_monitor_fd(&supervisor->monitor), EPOLLIN,
				 on_monitor, supervisor);
	if (error)
		log_error("cannot watch links: %s", strerror(-error));
	return error;
}

static int start_all(struct supervisor *supervisor,
		     const struct supervisor_options *options, int *starter_fd)
{
	int error = loop_init(&supervisor->loop);

	if (!error)
		error = start_signals(supervisor);
	if (!error)
		error = start_rundir(supervisor, options->run_dir);
	if (!error)
		error = start_limits(supervisor);
	if (!error)
		error = start_cage(supervisor);
	if (!error)
		error = start_net(supervisor);
	if (!error)
		error = start_monitor(supervisor);
	if (!error)
		error = start_control(supervisor, starter_fd);
	if (!error)
		error = caps_cut();
	supervisor->cut = !error;
	if (!error)
		error = filter_load(FILTER_SUPERVISOR);
	return error;
}

/* Takes down what there is, in any stage of the start. */
static void end_all(struct supervisor *supervisor)
{
	/* in one batch, while the TAPs are still held: see net.h */
	if (supervisor->net.sock)
		net_destroy(&supervisor->net);
	for (size_t i = 0; i < supervisor->vm_count; i++)
		vm_free(supervisor->vms[i]);
	free(supervisor->vms);
	if (supervisor->monitor.sock) {
		loop_remove(&supervisor->loop, &supervisor->monitor_source);
		net_monitor_uninit(&supervisor->monitor);
	}
	if (supervisor->net.sock)
		net_uninit(&supervisor->net);
	if (supervisor->cut)
		caps_raise_last();
	cgroup_uninit(&supervisor->cgroup);
	room_uninit(&supervisor->room);
	for (int kind = 0; kind < GUEST_KINDS; kind++)
		fd_close(&supervisor->filter_fd[kind]);
	fd_close(&supervisor->proc_fd);
	fd_close(&supervisor->vmproc_fd);
	uids_uninit(&supervisor->uids);
	rundir_uninit(&supervisor->rundir);
	if (supervisor->control) {
		events_end(&supervisor->events);
		methods_answer_shutdown(supervisor);
		control_free(supervisor->control);
	}
	loop_uninit(&supervisor->loop);
}

static void init(struct supervisor *supervisor, struct config *config,
		 const struct supervisor_options *options)
{
	supervisor->config = config;
	supervisor->foreground = options->foreground;
	supervisor->vmproc_fd = options->vmproc_fd;
	supervisor->started_ns = loop_now_ns();
	supervisor->proc_fd = supervisor->uids.lock_fd = -1;
	supervisor->cgroup.dir_fd = supervisor->cgroup.parent_fd = -1;
	supervisor->starter_source.fd = -1;
	supervisor->rundir.dir_fd = supervisor->rundir.lock_fd = -1;
	supervisor->rundir.log_fd = -1;
	for (int ns = 0; ns < ROOM_NAMESPACES; ns++)
		supervisor->room.ns_fd[ns] = -1;
	for (int kind = 0; kind < GUEST_KINDS; kind++)
		supervisor->filter_fd[kind] = -1;
	supervisor->populate.fire = populate;
	supervisor->populate.ctx = supervisor;
	supervisor->multicast.fire = open_multicast;
	supervisor->multicast.ctx = supervisor;
	supervisor->review.fire = review;
	supervisor->review.ctx = supervisor;
	log_set(log_sink, supervisor, (enum log_level)config->log_level);
}

int supervisor_main(struct config *config,
		    const struct supervisor_options *options)
{
	static struct supervisor supervisor;
	int starter_fd = options->starter_fd;
	int error;

	init(&supervisor, config, options);
	error = start_all(&supervisor, options, &starter_fd);
	if (!error) {
		loop_timer_at(&supervisor.loop, &supervisor.populate, 0);
		error = loop_run(&supervisor.loop);
		if (error)
			log_error("event loop: %s", strerror(-error));
	}
	end_all(&supervisor);
	fd_close(&starter_fd);
	return error ? 1 : supervisor.exit_status;
}
