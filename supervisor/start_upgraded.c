/* SPDX-License-Identifier: ISC */
/*
 * The new image of a supervisor, in an upgrade.
 *
 * Theory of operation: the new image runs in the old one's process. The old
 * image's filter is in force and its capabilities are dropped, so that the new
 * one can open no socket and enter no namespace; all that it needs came as
 * descriptors. It checks and watches all of them before it serves any, and
 * tells the guard to end only when nothing can fail any more.
 */
#include "supervisor/start_upgraded.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/control/control_save.h"
#include "supervisor/core.h"
#include "supervisor/end.h"
#include "supervisor/lib/signals.h"
#include "supervisor/life/process.h"
#include "supervisor/life/spawn.h"
#include "supervisor/life/protocol.h"
#include "supervisor/life/verify.h"
#include "supervisor/net/multicast.h"
#include "supervisor/start.h"
#include "supervisor/state/store.h"
#include "supervisor/supervisor.h"
#include "supervisor/takeover/handover.h"
#include "supervisor/takeover/upgrade.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/tap.h"
#include "supervisor/vm/vms.h"

/* The supervisor of this image. */
static struct supervisor successor;
static struct config config;

static int load(int state_fd, json_t **document, struct problem *problem)
{
	config_init(&config);
	start_preset(&successor, &config);
	return handover_load(&successor, state_fd, document, problem);
}

/* Checks that the old image's room is empty. The old filter forbids to make
 * another room, and no VM may start in one that isn't empty. An earlier version
 * made such rooms in a chroot. */
static int check_room(struct problem *problem)
{
	cleanup_fd int proc_fd =
		open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < successor.host.vm_count; i++) {
		const struct vm *vm = successor.host.vms[i];

		/* one that is just starting may be on its way there */
		if (vm->process.pid_fd >= 0 && vm->process.running_ns &&
		    process_in_room(proc_fd, vm->process.pid) == 0)
			return problem_set(
				problem, -EPERM,
				"%s, of an earlier version, has the host's "
				"root directory, and a new room takes a new "
				"supervisor (vmsup detach && vmsup start: it "
				"starts such VMs anew)",
				vm->config.name);
	}
	return 0;
}

int takeover_check(int state_fd, int vmproc_fd)
{
	struct problem problem;
	json_t *document = NULL;
	int error = load(state_fd, &document, &problem);

	json_decref(document);
	if (!error && vmproc_fd < 0)
		error = problem_set(&problem, -ENOENT,
				    "it finds no vmproc beside itself");
	if (!error)
		error = check_room(&problem);
	if (error)
		fprintf(stderr, "vmsup: %s\n", problem.text);
	return error ? 1 : HANDOVER_AGREED;
}

/* ---- VMs */

static int attach_vm(struct vm *vm)
{
	uint64_t timer_ns = vm->timer.due_ns,
		 beat_ns = vm->heartbeat.timer.due_ns;
	int error = vm->process.pid_fd >= 0 ? vm_watch(vm) : 0;

	if (!error && vm->process.pid_fd >= 0)
		(void)vm_restore_sockets(vm);
	if (!error && vm->process.pid_fd >= 0 && vm->config.machine)
		error = console_resume(vm);

	if (timer_ns)
		loop_timer_at(&vm->host->loop, &vm->timer, timer_ns);
	if (beat_ns)
		vm_heartbeat_resume(vm, beat_ns);
	return error;
}

/* True if the VM's process must end: its channel isn't read any more. */
static bool is_ending(const struct vm *vm)
{
	return vm->process.exit.reason != DEATH_NONE ||
	       vm->process.channel_ended;
}

static int attach_vms(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->host.vm_count; i++) {
		struct vm *vm = supervisor->host.vms[i];
		int error = attach_vm(vm);

		if (error) {
			log_error("cannot watch %s: %s", vm->config.name,
				  strerror(-error));
			return error;
		}
		if (is_ending(vm))
			loop_remove(&supervisor->host.loop,
				    &vm->process.channel_source);
	}
	return 0;
}

/* ---- the rest */

static int attach_net(struct supervisor *supervisor, const json_t *document)
{
	const json_t *requests = json_object_get(document, "net_fd");
	const json_t *news = json_object_get(document, "monitor_fd");
	const json_t *guard = json_object_get(document, "guard_fd");
	int net_fd = (int)json_integer_value(requests);
	int monitor_fd = (int)json_integer_value(news);
	int error;

	if (!json_is_integer(requests) || !json_is_integer(news))
		return -EBADMSG;
	error = firsthop_go_on(
		&supervisor->host,
		json_is_integer(guard) ? (int)json_integer_value(guard) : -1);
	if (!error)
		error = net_attach(&supervisor->host.net, net_fd);
	if (!error)
		error = net_monitor_attach(&supervisor->monitor, monitor_fd,
					   supervisor_on_link_news, supervisor);
	if (!error)
		error = loop_add(&supervisor->host.loop,
				 &supervisor->monitor_source, monitor_fd,
				 EPOLLIN, supervisor_on_monitor, supervisor);
	if (error)
		log_error("cannot go on with links: %s", strerror(-error));
	return error;
}

static int attach_starter(struct supervisor *supervisor)
{
	int fd = supervisor->starter_source.fd;

	supervisor->starter_source.fd = -1;
	if (fd < 0)
		return 0;
	return loop_add(&supervisor->host.loop, &supervisor->starter_source, fd,
			EPOLLRDHUP, supervisor_on_starter_gone, supervisor);
}

static int attach_control(struct supervisor *supervisor, const json_t *document)
{
	const json_t *saved = json_object_get(document, "control");
	int fd = control_saved_listener(saved);

	if (fd < 0) {
		log_error("the state names no control socket");
		return fd;
	}
	supervisor->control = control_new(&supervisor->host.loop, fd,
					  start_control_config(supervisor));
	if (!supervisor->control) {
		close(fd);
		return -EIO;
	}
	return 0;
}

/* Sets FD_CLOEXEC again on the inherited descriptors. */
static void set_close_on_exec(const struct supervisor *supervisor, int state_fd)
{
	handover_keep_open(supervisor, state_fd, false);
}

/* An earlier build handed its own descriptor of the locks to VM processes. */
static int renew_locks(struct supervisor *supervisor)
{
	cleanup_free uid_t *uids = NULL;
	int error;

	uids = calloc(supervisor->host.vm_count + 1, sizeof(*uids));
	for (size_t i = 0; uids && i < supervisor->host.vm_count; i++)
		uids[i] = supervisor->host.vms[i]->uid;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees it */
	error = uids ? uids_renew(&supervisor->host.uids,
				  supervisor->host.proc_fd, uids,
				  supervisor->host.vm_count)
		     : -ENOMEM;
	if (error)
		log_error("cannot take over the locks on uids: %s",
			  strerror(-error));
	return error;
}

/* Moves the descriptor of vmproc, which was opened last, to the lowest free
 * number: a child copies all descriptors below it. */
static void lower_program(struct supervisor *supervisor)
{
	int fd = fcntl(supervisor->host.vmproc_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return;
	close(supervisor->host.vmproc_fd);
	supervisor->host.vmproc_fd = fd;
}

static int take_over(struct supervisor *supervisor, const json_t *document)
{
	int error = start_loop(supervisor);

	if (!error)
		error = start_proc(supervisor);
	if (!error)
		error = start_handoff(supervisor);
	if (!error)
		lower_program(supervisor);
	if (!error)
		error = renew_locks(supervisor);
	if (!error)
		error = attach_net(supervisor, document);
	if (!error)
		error = attach_vms(supervisor);
	if (!error)
		error = attach_starter(supervisor);
	if (!error)
		error = attach_control(supervisor, document);
	if (!error)
		error = start_filters(supervisor);
	if (!error)
		error = start_cut(supervisor);
	return error;
}

int takeover_go(int state_fd, int vmproc_fd)
{
	struct supervisor *supervisor = &successor;
	struct problem problem;
	json_t *document = NULL;
	int error = load(state_fd, &document, &problem);

	start_logging(supervisor);
	supervisor->host.vmproc_fd = vmproc_fd;
	if (error)
		log_error("%s", problem.text);
	else
		error = take_over(supervisor, document);
	if (error || vmproc_fd < 0)
		return 1; /* the guard goes on */
	(void)notify_restore(&supervisor->notify,
			     json_object_get(document, "notify"));
	set_close_on_exec(supervisor, state_fd);
	fd_close(&state_fd);
	upgrade_done(supervisor);
	/* from here on, what was asked of the old image is answered */
	(void)control_restore(supervisor->control,
			      json_object_get(document, "control"));
	json_decref(document);
	if (supervisor->querying && !supervisor->host.net.multicast)
		loop_timer_in(&supervisor->host.loop, &supervisor->multicast,
			      NET_MULTICAST_QUERY_MS);
	for (size_t i = 0; i < supervisor->host.vm_count; i++)
		vm_resume_tap(supervisor->host.vms[i]);
	store_resume(&supervisor->host);
	vms_changed(&supervisor->host);
	return supervisor_serve(supervisor);
}
