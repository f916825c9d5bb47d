/* SPDX-License-Identifier: ISC */
/* The supervisor's messages: in which state each may come, and its handler. */
#include "vmproc/messages.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/stage2.h"
#include "vmproc/builtin/port.h"
#include "vmproc/kvm/kvm.h"
#include "vmproc/vmproc.h"

/* Messages handled in a row; frames get their turn afterwards. */
#define MESSAGE_BUDGET 16

/* Roles that every guest needs: the filter of stage 2, and what the next
 * supervisor takes over. */
#define COMMON_NEEDS \
	(1U << FD_ROLE_FILTER | 1U << FD_ROLE_ADOPT | 1U << FD_ROLE_UIDS)

static const struct guest *const guests[] = {
	[GUEST_BUILTIN] = &builtin_guest,
	[GUEST_KVM] = &kvm_guest,
};
static_assert(ARRAY_SIZE(guests) == GUEST_KINDS, "a guest of each kind");

static void on_config(struct vmproc *vm, const union msg *message, int *fd)
{
	const struct msg_config *config = &message->config;

	(void)fd;
	/* CONFIG, the first message, says which generation this process is. */
	vm->channel.generation = config->header.generation;
	if (config->version != PROTO_VERSION)
		vmproc_end(VMPROC_EXIT_PROTOCOL,
			   "supervisor speaks protocol %u, this vmproc %u",
			   config->version, PROTO_VERSION);
	if (config->guest >= GUEST_KINDS)
		vmproc_end(VMPROC_EXIT_CONFIG, "unknown guest %u",
			   config->guest);
	vm->config = *config;
	vm->config.name[VM_NAME_MAX] = '\0';
	vm->guest = guests[config->guest];
	vm->state = VMPROC_SETUP;
}

static unsigned int needs(const struct vmproc *vm)
{
	return vm->guest->needs | COMMON_NEEDS;
}

/* True if the guest takes the descriptor, and the one of the index before has
 * come. */
static bool wanted(const struct vmproc *vm, const struct msg_fd *msg)
{
	unsigned int most;

	if (msg->role >= FD_ROLES || msg->index >= FD_INDEX_MAX)
		return false;
	most = (needs(vm) & 1U << msg->role ? 1 : 0) +
	       vm->guest->takes[msg->role];
	return msg->index < most && vmproc_fd(vm, msg->role, msg->index) < 0 &&
	       (msg->index == 0 ||
		vmproc_fd(vm, msg->role, msg->index - 1) >= 0);
}

static void on_fd(struct vmproc *vm, const union msg *message, int *fd)
{
	const struct msg_fd *msg = &message->fd;
	int moved, number;

	if (!wanted(vm, msg))
		vmproc_end(VMPROC_EXIT_PROTOCOL,
			   "descriptor of role %u, index %u: not wanted",
			   msg->role, msg->index);
	number = proto_fd_number(PROTO_VERSION, msg->role, msg->index);
	moved = dup3(*fd, number, O_CLOEXEC);
	if (moved < 0)
		vmproc_end(VMPROC_EXIT_OS, "descriptor of role %u: %s",
			   msg->role, error_name(errno));
	if (msg->index == 0)
		vm->fds[msg->role] = moved;
	else
		vm->more_fds[msg->role][msg->index - 1] = moved;
}

/* Closes stage 2, and sends the filter's listener with READY, which proves
 * it. */
static void close_cage(struct vmproc *vm)
{
	cleanup_fd int listener_fd = -1;
	union msg message = { 0 };
	const char *step;
	int error;

	listener_fd = stage2_close(vm->fds[FD_ROLE_FILTER],
				   vm->config.flags & CONFIG_STAY, &step);
	if (listener_fd < 0)
		vmproc_end(VMPROC_EXIT_CAGE, "cage, stage 2: %s: %s", step,
			   error_name(-listener_fd));
	fd_close(&vm->fds[FD_ROLE_FILTER]);
	error = channel_send(&vm->channel, MSG_READY, &message, listener_fd);
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "cannot report READY: %s",
			   error_name(-error));
	/* The listener is closed on return, before anything else runs: with it,
	 * this process could approve its own calls. */
}

static void on_start(struct vmproc *vm, const union msg *message, int *fd)
{
	enum vmproc_exit status;

	(void)message;
	(void)fd;
	for (unsigned int role = 0; role < FD_ROLES; role++)
		if (needs(vm) & 1U << role && vm->fds[role] < 0)
			vmproc_end(VMPROC_EXIT_PROTOCOL,
				   "START without descriptor of role %u", role);
	status = vm->guest->setup(vm);
	if (status != VMPROC_EXIT_OK)
		_exit(status);
	close_cage(vm);
	vm->state = VMPROC_LOADING;
	vm->guest->start(vm);
}

static void on_stats_request(struct vmproc *vm, const union msg *message,
			     int *fd)
{
	union msg answer = { 0 };

	(void)fd;
	if (vm->guest->healthy && !vm->guest->healthy(vm))
		return; /* for the watchdog to see */
	answer.stats.id = message->stats_request.id;
	answer.stats.paused = vm->state == VMPROC_PAUSED;
	memcpy(answer.stats.counters, vm->counters, sizeof(vm->counters));
	vmproc_send(vm, MSG_STATS, &answer);
}

static void on_ping(struct vmproc *vm, const union msg *message, int *fd)
{
	union msg answer = { 0 };

	(void)fd;
	if (vm->state == VMPROC_RUNNING) {
		vm->guest->ping(vm, &message->ping);
		return;
	}
	answer.ping_result.id = message->ping.id;
	answer.ping_result.status = PING_BUSY;
	vmproc_send(vm, MSG_PING_RESULT, &answer);
}

static void on_link(struct vmproc *vm, const union msg *message, int *fd)
{
	(void)fd;
	vm->guest->link(vm, message->link.mtu);
}

static void tell(const struct vmproc *vm, enum guest_event event)
{
	union msg message = { 0 };

	message.event.event = event;
	vmproc_send(vm, MSG_EVENT, &message);
}

static void on_pause(struct vmproc *vm, const union msg *message, int *fd)
{
	(void)message;
	(void)fd;
	vm->guest->pause(vm);
	vm->state = VMPROC_PAUSED;
	tell(vm, GUEST_PAUSED);
}

static void on_resume(struct vmproc *vm, const union msg *message, int *fd)
{
	(void)message;
	(void)fd;
	vm->state = VMPROC_RUNNING;
	vm->guest->resume(vm);
	tell(vm, GUEST_RESUMED);
}

static void on_stop(struct vmproc *vm, const union msg *message, int *fd)
{
	(void)message;
	(void)fd;
	if (!vm->guest->stop || !vm->guest->stop(vm))
		_exit(VMPROC_EXIT_OK);
}

static void on_machine(struct vmproc *vm, const union msg *message, int *fd)
{
	enum vmproc_exit status;

	(void)fd;
	if (!vm->guest->machine)
		vmproc_end(VMPROC_EXIT_PROTOCOL, "MACHINE for guest %s",
			   vm->guest->name);
	status = vm->guest->machine(vm, &message->machine);
	if (status != VMPROC_EXIT_OK)
		_exit(status);
}

static void on_counters_request(struct vmproc *vm, const union msg *message,
				int *fd)
{
	union msg answer = { .counters.last = 1 };

	(void)message;
	(void)fd;
	if (vm->guest->counters)
		vm->guest->counters(vm);
	else
		vmproc_send(vm, MSG_COUNTERS, &answer);
}

#define IN(state) (1U << VMPROC_##state)

static const struct {
	unsigned int states; /* in which it may come */
	/* *fd: the descriptor that came with the message, closed afterwards
	 * unless the handler has taken it */
	void (*handle)(struct vmproc *vm, const union msg *message, int *fd);
} handlers[MSG_TYPES] = {
	[MSG_CONFIG] = { IN(NEW), on_config },
	[MSG_FD] = { IN(SETUP), on_fd },
	[MSG_START] = { IN(SETUP), on_start },
	[MSG_STATS_REQUEST] = { IN(RUNNING) | IN(PAUSED), on_stats_request },
	[MSG_PING] = { IN(RUNNING) | IN(PAUSED), on_ping },
	[MSG_LINK] = { IN(RUNNING) | IN(PAUSED), on_link },
	[MSG_PAUSE] = { IN(RUNNING), on_pause },
	[MSG_RESUME] = { IN(PAUSED), on_resume },
	[MSG_MACHINE] = { IN(SETUP), on_machine },
	[MSG_COUNTERS_REQUEST] = { IN(RUNNING) | IN(PAUSED),
				   on_counters_request },
	[MSG_STOP] = { IN(RUNNING) | IN(PAUSED), on_stop },
};

static void handle(struct vmproc *vm, const union msg *message, int *fd)
{
	unsigned int type = message->header.type;

	if (!handlers[type].handle ||
	    !(handlers[type].states & 1U << vm->state))
		vmproc_end(VMPROC_EXIT_PROTOCOL, "%s in state %d",
			   msg_specs[type].name, vm->state);
	handlers[type].handle(vm, message, fd);
}

void messages_ready(struct source *source, uint32_t events)
{
	struct vmproc *vm = source->ctx;

	(void)events;
	for (int i = 0; i < MESSAGE_BUDGET && vm->state != VMPROC_LOADING;
	     i++) {
		struct channel_fault fault = { 0 };
		union msg message;
		int fd;
		int result =
			channel_receive(&vm->channel, &message, &fd, &fault);

		if (result == -EAGAIN)
			return;
		if (result == 0 || result == -ECONNRESET)
			vmproc_end(VMPROC_EXIT_ORPHAN, "supervisor gone");
		if (result < 0)
			vmproc_end(VMPROC_EXIT_PROTOCOL, "channel: %s",
				   result == -EPROTO ? fault.text
						     : error_name(-result));
		handle(vm, &message, &fd);
		fd_close(&fd);
	}
	/* While the guest is loaded, messages wait for vmproc_loaded(). So each
	 * answer proves that the guest is there, and a supervisor that took
	 * this process over needs no other proof. */
	if (vm->state == VMPROC_LOADING)
		loop_modify(&vm->loop, source, 0);
}
