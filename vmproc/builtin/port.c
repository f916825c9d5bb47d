/* SPDX-License-Identifier: ISC */
/* The builtin guest's port: frames between the TAP and the network stack. */
#include "vmproc/builtin/port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "ipc/error.h"
#include "vmproc/builtin/builtin.h"

/* Frames handled in a row; the channel and the timers get their turn
 * afterwards. */
#define FRAME_BUDGET 256
/* Edge-triggered. Level-triggered, epoll_wait() would look once more, before it
 * sleeps, at a TAP that was read until it was empty: for each frame that comes
 * alone. */
#define TAP_EVENTS (EPOLLIN | EPOLLET)

static struct port {
	struct vmproc *vm;
	struct source tap;
	struct timer tick;
	/* one byte more than the longest frame, so that a longer one is
	 * noticed */
	uint8_t frame[BUILTIN_FRAME_BYTES + 1];
} port;

static void port_transmit(void *ctx, const uint8_t *frame, size_t bytes)
{
	struct vmproc *vm = ctx;

	if (write(vm->fds[FD_ROLE_TAP], frame, bytes) >= 0) {
		vm->counters[STAT_TX_FRAMES]++;
		vm->counters[STAT_TX_BYTES] += bytes;
		return;
	}
	switch (errno) {
	case EIO: /* the link is down: the frame is lost, the VM isn't */
		vm->counters[STAT_TX_DROP_LINK_DOWN]++;
		return;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		vm->counters[STAT_TX_DROP_FULL]++;
		return;
	case EBADFD:
		vmproc_end(VMPROC_EXIT_TAP_GONE, "the TAP was deleted");
	default:
		vm->counters[STAT_TX_DROP_ERROR]++;
	}
}

static uint64_t port_now_ns(void *ctx)
{
	(void)ctx;
	return loop_now_ns();
}

static void port_ping_result(void *ctx, const struct msg_ping_result *result)
{
	union msg message = { .ping_result = *result };

	vmproc_send(ctx, MSG_PING_RESULT, &message);
}

/* Sets the timer to the guest's deadline. */
static void follow_deadline(void)
{
	uint64_t due_ns = builtin_deadline_ns(builtin_instance());

	if (due_ns == UINT64_MAX)
		loop_timer_cancel(&port.vm->loop, &port.tick);
	else if (!port.tick.armed || port.tick.due_ns != due_ns)
		loop_timer_at(&port.vm->loop, &port.tick, due_ns);
}

static void on_tick(struct timer *timer)
{
	(void)timer;
	builtin_tick(builtin_instance(), loop_now_ns());
	follow_deadline();
}

static void on_tap(struct source *source, uint32_t events)
{
	struct vmproc *vm = source->ctx;
	int i;

	(void)events;
	for (i = 0; i < FRAME_BUDGET; i++) {
		ssize_t bytes =
			read(source->fd, port.frame, sizeof(port.frame));

		if (bytes < 0 && errno == EAGAIN)
			break;
		if (bytes < 0 && errno == EBADFD)
			vmproc_end(VMPROC_EXIT_TAP_GONE, "the TAP was deleted");
		if (bytes < 0 && errno != EINTR && errno != EIO)
			vmproc_end(VMPROC_EXIT_OS, "read from the TAP: %s",
				   error_name(errno));
		if (bytes < 0)
			continue;
		vm->counters[STAT_RX_FRAMES]++;
		vm->counters[STAT_RX_BYTES] += (uint64_t)bytes;
		if ((size_t)bytes > BUILTIN_FRAME_BYTES)
			vm->counters[STAT_RX_DROP_LONG]++;
		else
			builtin_receive(builtin_instance(), port.frame,
					(size_t)bytes);
	}
	if (i == FRAME_BUDGET) /* more may wait, without an edge */
		loop_modify(&vm->loop, source, TAP_EVENTS);
	follow_deadline();
}

/* The TAP's open file description outlives VM processes, with all that an
 * earlier process has set. So all of it is set anew. */
static enum vmproc_exit set_up_tap(int tap_fd)
{
	struct ifreq request = { 0 };

	if (ioctl(tap_fd, TUNGETIFF, &request) < 0)
		vmproc_end(errno == EBADFD ? VMPROC_EXIT_TAP_GONE
					   : VMPROC_EXIT_OS,
			   "the TAP: %s", error_name(errno));
	if ((request.ifr_flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) !=
	    (IFF_TAP | IFF_NO_PI))
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "the TAP carries more than bare frames (flags %#x)",
			   (unsigned int)(unsigned short)request.ifr_flags);
	if (ioctl(tap_fd, TUNSETOFFLOAD, 0UL) < 0 ||
	    fcntl(tap_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		vmproc_end(VMPROC_EXIT_OS, "set up the TAP: %s",
			   error_name(errno));
	return VMPROC_EXIT_OK;
}

static enum vmproc_exit port_setup(struct vmproc *vm)
{
	const struct msg_config *config = &vm->config;
	const struct builtin_ops ops = {
		.transmit = port_transmit,
		.now_ns = port_now_ns,
		.ping_result = port_ping_result,
		.ctx = vm,
	};
	struct builtin_config host = {
		.mtu = config->mtu,
		.ipv4 = config->ipv4,
		.ipv4_prefix = config->ipv4_prefix,
		.ipv6 = config->ipv6,
		.ipv6_prefix = config->ipv6_prefix,
	};

	port.vm = vm;
	port.tick.fire = on_tick;
	memcpy(host.mac, config->mac, sizeof(host.mac));
	if (getrandom(&host.seed, sizeof(host.seed), 0) < 0)
		vmproc_end(VMPROC_EXIT_OS, "getrandom: %s", error_name(errno));
	if (builtin_init(builtin_instance(), &host, &ops, vm->counters,
			 loop_now_ns()) < 0)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "MAC, address or MTU not usable");
	set_up_tap(vm->fds[FD_ROLE_TAP]);
	/* Watched from port_start() on: no frame is touched before the cage
	 * closes. */
	if (loop_add(&vm->loop, &port.tap, vm->fds[FD_ROLE_TAP], 0, on_tap, vm))
		vmproc_end(VMPROC_EXIT_OS, "watch the TAP: %s",
			   error_name(errno));
	return VMPROC_EXIT_OK;
}

static void port_resume(struct vmproc *vm)
{
	loop_modify(&vm->loop, &port.tap, TAP_EVENTS);
	follow_deadline();
}

/* There is nothing to load. */
static void port_start(struct vmproc *vm)
{
	port_resume(vm);
	vmproc_loaded(vm);
}

/* EPOLLERR can't be masked, so the deletion of the TAP is noticed all the
 * same. */
static void port_pause(struct vmproc *vm)
{
	loop_modify(&vm->loop, &port.tap, 0);
	loop_timer_cancel(&vm->loop, &port.tick);
}

static void port_ping(struct vmproc *vm, const struct msg_ping *request)
{
	(void)vm;
	builtin_ping(builtin_instance(), request, loop_now_ns());
	follow_deadline();
}

static void port_link(struct vmproc *vm, uint32_t mtu)
{
	(void)vm;
	builtin_set_mtu(builtin_instance(), mtu);
}

const struct guest builtin_guest = {
	.name = "builtin",
	.needs = 1U << FD_ROLE_TAP,
	.setup = port_setup,
	.start = port_start,
	.pause = port_pause,
	.resume = port_resume,
	.ping = port_ping,
	.link = port_link,
};
