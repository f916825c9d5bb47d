/* SPDX-License-Identifier: ISC */
/* Makes a supervisor: forks it, shows the progress of
 * its start, or undoes it. */
#include "supervisor/cli/launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/loop.h"
#include "supervisor/cli/await.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"
#include "supervisor/lib/pidfd.h"
#include "supervisor/start.h"
#include "supervisor/supervisor.h"

/* A supervisor whose start was complete doesn't end when the command hangs up.
 * One that is still there after this long is asked to shut down. */
#define UNDO_ASK_MS 1000

/* A start that is under way. */
struct launch {
	const struct cli *cli;
	struct config *config;
	const struct launch_place *place;
	struct conn starter;
	struct await await;
	size_t started; /* how many VMs start by themselves */
	pid_t pid;
	bool tty;
};

int launch_open_vmproc(bool quiet)
{
	static const char *const places[] = {
		"vmproc",
		"../libexec/vmsup/vmproc",
	};
	char self[PATH_MAX], path[PATH_MAX + 32];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct stat st;
	int fd;

	if (length < 0) {
		if (!quiet)
			report_error("/proc/self/exe: %s (mount /proc)",
				     strerror(errno));
		return -1;
	}
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s/%s", self, places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mode & S_IXUSR)
			return fd;
		fd_close(&fd);
	}
	if (!quiet)
		report_error("vmproc: not in %s, nor in %s/../libexec/vmsup "
			     "(run 'make', or install both programs)",
			     self, self);
	return -1;
}

/* For a start that made nothing: removes the run directory, unless VMs of an
 * earlier supervisor need it. */
static int leave_place(const struct launch_place *place)
{
	if (!place->stored->instance)
		rundir_uninit(place->rundir);
	return CLI_FAILED;
}

static void show_progress(const struct await *await)
{
	/* The cursor goes back to column 1: an error overwrites the line. */
	fprintf(stderr, "starting %zu/%zu\r", await->count - await->pending,
		await->count);
}

static void clear_progress(const struct launch *launch)
{
	if (launch->tty)
		fputs("\033[K", stderr);
}

static int compare_fds(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

/* Closes all descriptors but these and the standard ones: the supervisor must
 * not keep what the caller had open. */
static void close_others(int *fds, size_t count)
{
	unsigned int next = STDERR_FILENO + 1;

	qsort(fds, count, sizeof(*fds), compare_fds);
	for (size_t i = 0; i < count; i++) {
		if ((unsigned int)fds[i] > next)
			close_range(next, (unsigned int)fds[i] - 1, 0);
		next = (unsigned int)fds[i] + 1;
	}
	close_range(next, ~0U, 0);
}

/* Lists the open files of all machines, with room for
 * four more. NULL: no memory. */
static int *list_fds(const struct config *config, size_t *count)
{
	int *fds = calloc(config->vm_count * (MACHINE_DISKS + 2) + 4,
			  sizeof(*fds));

	*count = 0;
	for (size_t i = 0; fds && i < config->vm_count; i++) {
		const struct machine_config *machine = config->vms[i].machine;

		if (!machine)
			continue;
		if (machine->kernel_fd >= 0)
			fds[(*count)++] = machine->kernel_fd;
		if (machine->initrd_fd >= 0)
			fds[(*count)++] = machine->initrd_fd;
		for (uint32_t k = 0; k < machine->disk_count; k++)
			if (machine->disks[k].fd >= 0)
				fds[(*count)++] = machine->disks[k].fd;
	}
	return fds;
}

/* In the child: becomes the supervisor. */
static _Noreturn void be_supervisor(const struct launch *launch, int starter_fd,
				    int vmproc_fd)
{
	const struct supervisor_options options = {
		.rundir = launch->place->rundir,
		.stored = launch->place->stored,
		.starter_fd = starter_fd,
		.vmproc_fd = vmproc_fd,
	};
	size_t count = 0;
	cleanup_free int *kept_fds = list_fds(launch->config, &count);
	cleanup_fd int null_fd = -1;

	/* Before signals are let through: those of the
	 * terminal are not for it. */
	setsid();
	interrupt_release();
	/* A reader of the command's output must not wait for the supervisor.
	 * stderr stays open for errors of the start. */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(null_fd, STDOUT_FILENO) < 0 || chdir("/") < 0) {
		report_error("cannot leave the terminal: %s (is there a "
			     "/dev/null?)",
			     strerror(errno));
		_exit(CLI_FAILED);
	}
	fd_close(&null_fd);
	if (!kept_fds) {
		report_error("out of memory");
		_exit(CLI_FAILED);
	}
	kept_fds[count++] = starter_fd;
	kept_fds[count++] = vmproc_fd;
	kept_fds[count++] = options.rundir->dir_fd;
	kept_fds[count++] = options.rundir->lock_fd;
	close_others(kept_fds, count);
	_exit(supervisor_main(launch->config, &options));
}

static int fork_supervisor(struct launch *launch, int vmproc_fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return report_error("cannot make a socket pair: %s",
				    strerror(errno));
	fflush(stdout);
	launch->pid = fork();
	if (launch->pid < 0) {
		report_error("cannot fork: %s (end some processes)",
			     strerror(errno));
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return CLI_FAILED;
	}
	if (launch->pid == 0) {
		close(ends[0]);
		be_supervisor(launch, ends[1], vmproc_fd);
	}
	close(ends[1]);
	conn_adopt(&launch->starter, ends[0]);
	return CLI_OK;
}

/* For a supervisor that ended by itself. It has said why. */
static int reap_supervisor(struct launch *launch)
{
	int status = 0;

	conn_close(&launch->starter);
	while (waitpid(launch->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return report_error(
			"the supervisor was killed during the start "
			"(SIG%s); what it made may be left: start "
			"again, then 'vmsup stop'",
			sigabbrev_np(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 0)
		return report_error(
			"the supervisor was stopped during the start");
	return CLI_FAILED;
}

/* Hangs up, which undoes the start, and waits for the supervisor's end. */
static int undo_start(struct launch *launch)
{
	cleanup_fd int pid_fd = pidfd_of(launch->pid);
	struct problem problem;
	struct conn conn;

	conn_close(&launch->starter);
	if (pid_fd >= 0 &&
	    !pidfd_wait(pid_fd, loop_now_ns() + UNDO_ASK_MS * NSEC_PER_MSEC) &&
	    conn_connect(&conn, launch->cli->run_dir, &problem) == 0) {
		conn_send(&conn, "Shutdown", NULL, false);
		(void)pidfd_wait(pid_fd, PIDFD_FOREVER);
		conn_close(&conn);
	}
	while (waitpid(launch->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return report_error("interrupted: start undone");
}

/* Leaves the supervisor running: its VMs ran before this start. */
static int leave_start(const struct launch *launch)
{
	return report_error("interrupted: supervisor %d goes on (vmsup status)",
			    launch->pid);
}

static void say_adopted(const struct launch *launch)
{
	size_t adopted = 0, restarted = 0;

	for (size_t i = 0; i < launch->place->stored->count; i++) {
		const struct await_vm *vm = &launch->await.vms[i];

		adopted += vm->adopted;
		restarted += !vm->adopted && !vm->defined_will_do &&
			     vm->verdict == AWAIT_DONE;
	}
	printf("adopted %zu running VM%s, restarted %zu\n", adopted,
	       adopted == 1 ? "" : "s", restarted);
}

static int say_running(const struct launch *launch)
{
	const struct config *config = launch->config;
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &config->bridge_ipv4, address, sizeof(address));
	printf("%zu VM%s running on %s (%s/%u), supervisor %d\n",
	       launch->started, launch->started == 1 ? "" : "s", config->bridge,
	       address, config->bridge_ipv4_prefix, launch->pid);
	if (isatty(STDOUT_FILENO))
		printf("'vmsup status' shows them, 'vmsup stop' ends all\n");
	return report_flush();
}

/* Waits until the start is complete, fails, or is
 * interrupted. An enum cli_exit. */
static int follow_start(struct launch *launch)
{
	int result;

	result = conn_send(&launch->starter, "Events",
			   json_pack("{s:b}", "past", 1), true);
	if (result == 0)
		result = await_follow(&launch->await, &launch->starter,
				      launch->cli);
	clear_progress(launch);
	switch (result) {
	case 1:
		if (launch->place->stored->count)
			say_adopted(launch);
		result = await_report(&launch->await);
		return result ? result : say_running(launch);
	case -EINTR:
		return launch->place->stored->count ? leave_start(launch)
						    : undo_start(launch);
	case 0:
	case -EPIPE:
		return reap_supervisor(launch);
	default:
		conn_report_loss(&launch->starter, result);
		return launch->place->stored->count ? leave_start(launch)
						    : undo_start(launch);
	}
}

/* Whether a VM is to run. Kept VMs come first; the intent of
 * each is in its document. */
static bool is_wanted(const struct launch *launch, size_t index)
{
	const struct stored *stored = launch->place->stored;

	if (index < stored->count)
		return json_is_true(
			json_object_get(stored->vms[index], "wanted"));
	return launch->config->vms[index].autostart;
}

/* Waits for all VMs: each must be defined, and run if it starts by itself. */
static int await_autostart(struct launch *launch)
{
	const struct config *config = launch->config;
	cleanup_free const char **names = NULL;
	int error;

	names = calloc(config->vm_count + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < config->vm_count; i++)
		names[i] = config->vms[i].name;
	error = await_init(&launch->await, AWAIT_ALL_RUNNING, names,
			   config->vm_count);
	for (size_t i = 0; i < config->vm_count && !error; i++) {
		bool wanted = is_wanted(launch, i);

		launch->await.vms[i].defined_will_do = !wanted;
		launch->started += wanted;
	}
	return error;
}

int launch_background(const struct cli *cli, struct config *config,
		      const struct launch_place *place)
{
	struct launch launch = {
		.cli = cli,
		.config = config,
		.place = place,
		.starter = CONN_NONE,
		.tty = isatty(STDERR_FILENO),
	};
	cleanup_fd int vmproc_fd = launch_open_vmproc(false);
	int status;

	if (vmproc_fd < 0)
		return leave_place(place);
	if (await_autostart(&launch))
		return report_error("out of memory");
	if (launch.tty)
		launch.await.progress = show_progress;
	interrupt_catch();
	status = fork_supervisor(&launch, vmproc_fd);
	if (!status)
		status = follow_start(&launch);
	conn_close(&launch.starter);
	await_uninit(&launch.await);
	return status;
}

int launch_foreground(struct config *config, const struct launch_place *place)
{
	const struct supervisor_options options = {
		.rundir = place->rundir,
		.stored = place->stored,
		.foreground = true,
		.starter_fd = -1,
		.vmproc_fd = launch_open_vmproc(false),
	};

	if (options.vmproc_fd < 0)
		return leave_place(place);
	return supervisor_main(config, &options);
}

/* In the child: takes over the sockets that systemd passed to the parent, but
 * not its notifications, which the parent sends. */
static void take_listener(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (getenv("LISTEN_PID"))
		setenv("LISTEN_PID", pid, 1);
	unsetenv("NOTIFY_SOCKET");
}

int launch_finish(const struct launch_place *place)
{
	struct supervisor_options options = {
		.rundir = place->rundir,
		.stored = place->stored,
		.foreground = true,
		.finish = true,
		.starter_fd = -1,
		.vmproc_fd = launch_open_vmproc(false),
	};
	struct problem problem;
	struct config config;
	int status = 0;
	pid_t pid;

	if (options.vmproc_fd < 0)
		return CLI_FAILED;
	pid = fork();
	if (pid == 0) {
		take_listener();
		config_init(&config);
		if (store_merge(place->stored, &config, &problem))
			_exit(report_error("%s", problem.text));
		config.log_level = LOG_LEVEL_ERROR;
		_exit(supervisor_main(&config, &options));
	}
	fd_close(&options.vmproc_fd);
	if (pid < 0)
		return report_error("cannot fork: %s (end some processes)",
				    strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}
