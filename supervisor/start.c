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
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <grp.h>
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
#include "supervisor/core.h"

#define GROUP "vmsup"

static const char interface_text[] =
#include "supervisor/interface.inc"
	;

/* Where log lines go. */
static void log_sink(void *ctx, enum log_level level, const char *line)
{
	struct supervisor *supervisor = ctx;
	bool starting = !supervisor->settled && level == LOG_LEVEL_ERROR;
	struct pollfd terminal = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (supervisor->rundir.dir_fd >= 0)
		rundir_log(&supervisor->rundir, log_level_name(level), line);
	/* a terminal that is held, or a full pipe, must not hold the VMs */
	if ((supervisor->foreground || starting) &&
	    poll(&terminal, 1, 0) == 1 && terminal.revents & POLLOUT)
		dprintf(STDERR_FILENO, "vmsup: %s\n", line);
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
	error = supervisor_assign(supervisor, &problem);
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
	int fd;

	config.methods = methods;
	config.method_count = method_count;
	config.ctx = supervisor;
	config.group = find_group();
	/* by its name in the directory that was checked, whatever the path to
	 * it leads to by now */
	if (fchdir(supervisor->rundir.dir_fd) < 0)
		return -errno;
	fd = control_listen(RUNDIR_SOCKET, config.group, &problem);
	if (chdir("/") < 0)
		return -errno;
	if (fd < 0)
		return report(fd, &problem);
	supervisor->control = control_new(&supervisor->loop, fd, &config);
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
	    loop_add(&supervisor->loop, &supervisor->starter_source, fd,
		     EPOLLRDHUP, supervisor_on_starter_gone, supervisor) < 0 ||
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
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a write says so itself */
	signal(SIGXFSZ, SIG_IGN); /* and so does this one */
	signal(SIGALRM, SIG_IGN); /* of no meaning here */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, children would reap themselves */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return loop_add(&supervisor->loop, &supervisor->signal_source, fd,
			EPOLLIN, supervisor_on_signal, supervisor);
}

static int start_monitor(struct supervisor *supervisor)
{
	int error = net_monitor_init(&supervisor->monitor,
				     supervisor_on_link_news, supervisor);

	if (!error)
		error = loop_add(&supervisor->loop, &supervisor->monitor_source,
				 net_monitor_fd(&supervisor->monitor), EPOLLIN,
				 supervisor_on_monitor, supervisor);
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
	supervisor->populate.fire = supervisor_populate;
	supervisor->populate.ctx = supervisor;
	supervisor->multicast.fire = supervisor_open_multicast;
	supervisor->multicast.ctx = supervisor;
	supervisor->review.fire = supervisor_review;
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
