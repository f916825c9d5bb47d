/* SPDX-License-Identifier: ISC */
/*
 * The supervisor's start and end, step by step.
 *
 * Theory of operation: it starts with all of root's rights, takes hold of what
 * needs them (run directory, room, filters, bridge, control socket), and then
 * cuts itself down, before the first VM process is made and the first client
 * is heard. From there on one loop serves everything. It never opens a path
 * that a client named.
 */
#include "supervisor/takeover/upgrade.h"
#include "supervisor/life/life.h"
#include "supervisor/api/waits.h"
#include "supervisor/instance/populate.h"
#include "supervisor/life/process.h"
#include "supervisor/instance/shutdown.h"
#include "supervisor/lib/signals.h"
#include "supervisor/vm/tap.h"
#include "supervisor/api/methods.h"
#include "supervisor/end.h"
#include "supervisor/net/bridge.h"
#include "supervisor/net/prepare.h"
#include "supervisor/net/tap.h"
#include "supervisor/life/verify.h"
#include "supervisor/supervisor.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
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
#include "sandbox/stage2.h"
#include "supervisor/takeover/adopt.h"
#include "supervisor/core.h"
#include "supervisor/state/store.h"
#include "supervisor/start.h"

static const char interface_text[] =
#include "supervisor/api/interface.inc"
	;

/* Where log lines go. */
static void log_sink(void *ctx, enum log_level level, const char *line)
{
	struct supervisor *supervisor = ctx;
	bool starting = !supervisor->settled && level == LOG_LEVEL_ERROR;
	struct pollfd terminal = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (supervisor->host.rundir.dir_fd >= 0)
		rundir_log(&supervisor->host.rundir, log_level_name(level),
			   line);
	/* a terminal that is held, or a full pipe, must not hold the VMs */
	if ((supervisor->foreground || starting) &&
	    poll(&terminal, 1, 0) == 1 && terminal.revents & POLLOUT)
		dprintf(STDERR_FILENO, "vmsup: %s\n", line);
}

/* ---- the start, step by step; each logs what it can't do */

static int report_problem(int error, const struct problem *problem)
{
	if (error)
		log_error("%s", problem->text);
	return error;
}

/* The log of an earlier supervisor is gone on with, if its VMs are. */
static int start_log(struct supervisor *supervisor, const struct stored *stored)
{
	struct problem problem;

	return report_problem(rundir_open_log(&supervisor->host.rundir,
					      stored->instance != NULL,
					      &problem),
			      &problem);
}

/* Every VM costs descriptors: refused here rather than at the 200th. */
static int start_limits(struct supervisor *supervisor)
{
	rlim_t need =
		supervisor->host.config->vm_count * SUPERVISOR_FDS_PER_VM +
		SUPERVISOR_FDS;
	struct rlimit limit;

	for (size_t i = 0; i < supervisor->host.config->vm_count; i++)
		if (supervisor->host.config->vms[i].machine)
			need += SUPERVISOR_FDS_PER_MACHINE;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_max < need) {
		log_error("%zu VMs need %llu descriptors, the limit is %llu "
			  "(ulimit -Hn, or LimitNOFILE= of the unit)",
			  supervisor->host.config->vm_count,
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
	static_assert(sizeof(bridge->mac_domain) == sizeof(config->mac_domain),
		      "the same text");
	memcpy(bridge->mac_domain, config->mac_domain,
	       sizeof(bridge->mac_domain));
}

/* A role's filter as VM processes get it, and what it is known by. */
static int start_filter(struct supervisor *supervisor, enum filter_role role,
			int *fd)
{
	int error;

	*fd = filter_export(role);
	if (*fd < 0)
		return *fd;
	error = filter_digest(*fd, supervisor->host.digests[role]);
	if (error)
		log_error("cannot read a filter back: %s", strerror(-error));
	return error;
}

int start_filters(struct supervisor *supervisor)
{
	static const struct {
		enum filter_role setup, running;
	} roles[GUEST_KINDS] = {
		[GUEST_BUILTIN] = { FILTER_BUILTIN_SETUP, FILTER_BUILTIN },
		[GUEST_KVM] = { FILTER_KVM_SETUP, FILTER_KVM },
	};
	static const struct sock_filter seal[] = STAGE2_SEAL;
	int error;

	for (int kind = 0; kind < GUEST_KINDS; kind++) {
		struct filter_program *setup =
			&supervisor->host.setup_filter[kind];

		error = filter_compile(roles[kind].setup, setup);
		if (error)
			return error;
		filter_digest_of(setup->code, setup->length,
				 supervisor->host.digests[roles[kind].setup]);
		error = start_filter(supervisor, roles[kind].running,
				     &supervisor->host.filter_fd[kind]);
		if (error)
			return error;
	}
	filter_digest_of(seal, ARRAY_SIZE(seal), supervisor->host.seal_digest);
	return start_filter(supervisor, FILTER_VCPU,
			    &supervisor->host.vcpu_filter_fd);
}

static int prepare_links(struct supervisor *supervisor,
			 const struct net_bridge *bridge,
			 struct problem *problem)
{
	const struct config *config = supervisor->host.config;
	cleanup_free struct net_tap *taps = NULL;
	cleanup_free struct net_adopted *adopted = NULL;
	size_t count;
	int error;

	adopted = adopt_links(&supervisor->host, &count);
	taps = calloc(config->vm_count + 1, sizeof(*taps));
	if (!adopted || !taps)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees */
		return problem_set(problem, -ENOMEM, "out of memory");
	for (size_t i = 0; i < config->vm_count; i++)
		memcpy(taps[i].name, config->vms[i].tap, sizeof(taps[i].name));
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	error = net_prepare(&supervisor->host.net, bridge, taps,
			    config->vm_count, adopted, count, problem);
	if (!error)
		adopt_check_links(&supervisor->host, adopted, count);
	return error;
}

/* Updates TAPs that an older vmsup made: they lack groups, or have filters that
 * are in the guard's way. */
static void update_taps(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->host.vm_count; i++) {
		struct vm *vm = supervisor->host.vms[i];
		int error = vm->process.adopting ? vm_update_tap(vm) : 0;

		if (error)
			log_warn("cannot bring %s up to date: %s",
				 vm->config.tap, strerror(-error));
	}
}

/* Looks for everything that is in the way before anything is made. */
static int start_net(struct supervisor *supervisor)
{
	struct net_bridge bridge;
	struct problem problem;
	int error;

	bridge_of(supervisor->host.config, &bridge);
	error = populate_assign(supervisor, &problem);
	if (!error)
		error = net_init(&supervisor->host.net,
				 supervisor->host.rundir.path, &problem);
	if (!error)
		error = prepare_links(supervisor, &bridge, &problem);
	if (!error && supervisor->host.net.bridge_ifindex == 0)
		error = net_bridge_create(&supervisor->host.net, &bridge,
					  &problem);
	if (!error)
		error = firsthop_begin(&supervisor->host, &problem);
	if (!error)
		update_taps(supervisor);
	return report_problem(error, &problem);
}

int start_proc(struct supervisor *supervisor)
{
	supervisor->host.network_inode = net_namespace_inode();
	supervisor->host.proc_fd =
		open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (supervisor->host.proc_fd < 0) {
		log_error("cannot open /proc: %s (mount it)", strerror(errno));
		return -errno;
	}
	return 0;
}

int start_handoff(struct supervisor *supervisor)
{
	int error = handoff_open(&supervisor->host.handoff);

	if (error)
		log_error("cannot make a pair of sockets: %s",
			  strerror(-error));
	return error;
}

static int make_room(struct supervisor *supervisor)
{
	char why[ROOM_WHY_BYTES];
	int error = room_init(&supervisor->host.room, why);

	if (error)
		log_error("cannot build the empty room of VM processes: %s",
			  why);
	return error;
}

/* The room and everything else that VM processes are made with; an earlier
 * supervisor's, where its VM processes are taken over. */
static int start_sandbox(struct supervisor *supervisor,
			 const struct stored *stored)
{
	struct problem problem;
	int error;

	error = report_problem(uids_init(&supervisor->host.uids,
					 supervisor->host.config->uid_first,
					 supervisor->host.config->uid_count,
					 &problem),
			       &problem);
	if (!error)
		error = adopt_sandbox(&supervisor->host, stored);
	if (error == 0)
		error = make_room(supervisor);
	if (error < 0)
		return error;
	cgroup_init(&supervisor->host.cgroup, supervisor->host.rundir.instance);
	return start_filters(supervisor);
}

/* VMs live in the network namespace where they were started. */
static int check_network(const struct supervisor *supervisor,
			 const struct stored *stored)
{
	json_t *network = json_object_get(stored->instance, "network");

	if (stored->count == 0 || (uint64_t)json_integer_value(network) ==
					  supervisor->host.network_inode)
		return 0;
	log_error("the VMs that outlived their supervisor are in another "
		  "network namespace (start it there: ip netns exec, or "
		  "nsenter --net)");
	return -EXDEV;
}

const struct control_config *start_control_config(struct supervisor *supervisor)
{
	static struct control_config config = {
		.interface = "io.vmsup",
		.description = interface_text,
		.vendor = "vmsup",
		.product = "vmsup",
		.version = VMSUP_VERSION,
		.url = "",
	};

	config.methods = methods;
	config.method_count = method_count;
	config.ctx = supervisor;
	return &config;
}

/* The control socket: systemd's, or one of our own. */
static int open_control(struct supervisor *supervisor)
{
	struct problem problem;
	int fd = -1, error = 0;

	if (supervisor->foreground)
		error = notify_listen_fd(&fd, &problem);
	if (error)
		return report_problem(error, &problem);
	supervisor->host.rundir.keep_socket = fd >= 0;
	if (fd >= 0)
		return fd;
	/* by its name in the directory that was checked, whatever the path to
	 * it leads to by now */
	if (fchdir(supervisor->host.rundir.dir_fd) < 0)
		return -errno;
	fd = control_listen(RUNDIR_SOCKET, rundir_group(), &problem);
	if (chdir("/") < 0)
		return -errno;
	return fd < 0 ? report_problem(fd, &problem) : fd;
}

/* Whoever started this as a service hears how it goes. */
static int start_notify(struct supervisor *supervisor)
{
	struct problem problem;

	if (!supervisor->foreground)
		return 0;
	return report_problem(notify_init(&supervisor->notify, &problem),
			      &problem);
}

static int start_control(struct supervisor *supervisor, int *starter_fd)
{
	int fd = open_control(supervisor);

	if (fd < 0)
		return fd;
	supervisor->control = control_new(&supervisor->host.loop, fd,
					  start_control_config(supervisor));
	if (!supervisor->control) {
		log_error("cannot serve %s: %s", RUNDIR_SOCKET,
			  strerror(errno));
		close(fd);
		return -EIO;
	}
	if (*starter_fd < 0)
		return 0;
	fd = fcntl(*starter_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 ||
	    loop_add(&supervisor->host.loop, &supervisor->starter_source, fd,
		     EPOLLRDHUP, supervisor_on_starter_gone, supervisor) < 0 ||
	    control_adopt(supervisor->control, *starter_fd, 0, getppid()) < 0) {
		log_error("cannot serve the command that starts this");
		return -EIO;
	}
	*starter_fd = -1;
	return 0;
}

static int start_monitor(struct supervisor *supervisor)
{
	int error = net_monitor_init(&supervisor->monitor,
				     supervisor_on_link_news, supervisor);

	if (!error)
		error = loop_add(&supervisor->host.loop,
				 &supervisor->monitor_source,
				 net_monitor_fd(&supervisor->monitor), EPOLLIN,
				 supervisor_on_monitor, supervisor);
	if (error)
		log_error("cannot watch links: %s", strerror(-error));
	return error;
}

int start_cut(struct supervisor *supervisor)
{
	char *digest = supervisor->host.digests[FILTER_SUPERVISOR];
	cleanup_fd int fd = -1;
	int error = start_filter(supervisor, FILTER_SUPERVISOR, &fd);

	if (!error)
		error = caps_cut();
	supervisor->caps_dropped = !error;
	if (error)
		return error;
	/* filters stay over execve: the same one twice would only cost time */
	if (strcmp(filter_digests_last(supervisor->host.loaded), digest) != 0) {
		error = filter_load(FILTER_SUPERVISOR);
		if (error)
			return error;
		filter_digests_add(supervisor->host.loaded, digest);
	}
	supervisor->host.filters =
		process_filters(supervisor->host.proc_fd, "self");
	return 0;
}

/* Everything that needs the rights which caps_cut() gives up. */
static int start_privileged(struct supervisor *supervisor,
			    const struct supervisor_options *options)
{
	const struct stored *stored = options->stored;
	uint64_t room[ROOM_NAMESPACES];
	struct problem problem;
	int error;

	adopt_room_inodes(stored, room);
	error = report_problem(upgrade_init(supervisor, &problem), &problem);
	if (!error)
		error = start_log(supervisor, stored);
	if (!error)
		error = start_limits(supervisor);
	if (!error)
		error = start_proc(supervisor);
	if (!error)
		error = start_handoff(supervisor);
	if (!error)
		error = check_network(supervisor, stored);
	if (!error)
		error = adopt_processes(&supervisor->host, stored);
	if (!error)
		error = start_sandbox(supervisor, stored);
	if (!error)
		error = start_net(supervisor);
	if (!error)
		error = adopt_sweep(&supervisor->host, room);
	if (!error)
		error = store_begin(&supervisor->host);
	return error;
}

int start_loop(struct supervisor *supervisor)
{
	int error = loop_init(&supervisor->host.loop);

	if (error)
		return error;
	return signals_open(&supervisor->host.loop, &supervisor->signal_source,
			    supervisor_on_signal, supervisor);
}

static int start_all(struct supervisor *supervisor,
		     const struct supervisor_options *options, int *starter_fd)
{
	int error = start_loop(supervisor);

	if (!error)
		error = start_privileged(supervisor, options);
	if (!error)
		error = start_monitor(supervisor);
	if (!error)
		error = start_notify(supervisor);
	if (!error)
		error = start_control(supervisor, starter_fd);
	if (!error)
		error = start_cut(supervisor);
	if (error)
		return error;
	supervisor->took_over = options->stored->count > 0;
	adopt_resume(&supervisor->host);
	return 0;
}

static const struct vm_hooks hooks = {
	.event = vm_event,
	.stats_arrived = waits_stats_arrived,
	.make_process = process_make,
};

void start_preset(struct supervisor *supervisor, struct config *config)
{
	supervisor->host.hooks = &hooks;
	supervisor->host.hooks_ctx = supervisor;
	supervisor->host.config = config;
	supervisor->started_ns = loop_now_ns();
	supervisor->host.loop.epoll_fd = -1;
	supervisor->host.proc_fd = supervisor->host.uids.lock_fd = -1;
	supervisor->host.vmproc_fd = -1;
	supervisor->host.vcpu_filter_fd = -1;
	supervisor->host.store_fd = supervisor->notify.fd = -1;
	supervisor->upgrade = UPGRADE_NONE;
	supervisor->host.cgroup.dir_fd = supervisor->host.cgroup.parent_fd = -1;
	supervisor->starter_source.fd = supervisor->signal_source.fd = -1;
	supervisor->monitor_source.fd = -1;
	supervisor->host.rundir.dir_fd = supervisor->host.rundir.lock_fd = -1;
	supervisor->host.rundir.log_fd = -1;
	for (int ns = 0; ns < ROOM_NAMESPACES; ns++)
		supervisor->host.room.ns_fd[ns] = -1;
	for (int kind = 0; kind < GUEST_KINDS; kind++)
		supervisor->host.filter_fd[kind] = -1;
	supervisor->populate.fire = populate_some;
	supervisor->populate.ctx = supervisor;
	supervisor->multicast.fire = supervisor_open_multicast;
	supervisor->multicast.ctx = supervisor;
	supervisor->host.review.fire = supervisor_review;
	supervisor->host.review.ctx = supervisor;
	supervisor->watchdog.fire = supervisor_watchdog;
	supervisor->watchdog.ctx = supervisor;
}

void start_logging(struct supervisor *supervisor)
{
	log_set(log_sink, supervisor,
		(enum log_level)supervisor->host.config->log_level);
}

int supervisor_main(struct config *config,
		    const struct supervisor_options *options)
{
	static struct supervisor supervisor;
	int starter_fd = options->starter_fd;
	int error;

	start_preset(&supervisor, config);
	supervisor.foreground = options->foreground;
	supervisor.host.vmproc_fd = options->vmproc_fd;
	supervisor.host.rundir = *options->rundir;
	start_logging(&supervisor);
	error = start_all(&supervisor, options, &starter_fd);
	if (error) {
		/* what outlived the last one stays for the next one */
		supervisor.leave_vms = options->stored->count > 0;
		supervisor_take_down(&supervisor);
		fd_close(&starter_fd);
		return 1;
	}
	if (options->finish)
		shutdown_begin(&supervisor, 0);
	else
		loop_timer_at(&supervisor.host.loop, &supervisor.populate, 0);
	return supervisor_serve(&supervisor);
}
