/* SPDX-License-Identifier: ISC */
/* The network device: what it offers, its life, and its TAPs. */
#include "vmproc/virtio/net.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/vmproc.h"

#define CLASS_ETHERNET 0x020000
#define CONTROL_QUEUE  64
/* By edge: a TAP that isn't read, since the guest gives no buffers, wakes
 * nobody but once for each frame that comes. */
#define TAP_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

static_assert(2 * NET_PAIRS_MAX + 1 <= DEVICE_QUEUES_MAX, "pairs and control");
static_assert(NET_PAIRS_MAX == VHOST_PAIRS_MAX, "one for each");

/* Offered always; how many pairs and which MTU decide on the others. */
#define FEATURES                                                               \
	(FEATURE(VIRTIO_NET_F_MAC) | FEATURE(VIRTIO_NET_F_STATUS) |            \
	 FEATURE(VIRTIO_NET_F_CSUM) | FEATURE(VIRTIO_NET_F_HOST_TSO4) |        \
	 FEATURE(VIRTIO_NET_F_HOST_TSO6) | FEATURE(VIRTIO_NET_F_HOST_ECN) |    \
	 FEATURE(VIRTIO_NET_F_GUEST_CSUM) | FEATURE(VIRTIO_NET_F_GUEST_TSO4) | \
	 FEATURE(VIRTIO_NET_F_GUEST_TSO6) | FEATURE(VIRTIO_NET_F_GUEST_ECN) |  \
	 FEATURE(VIRTIO_NET_F_MRG_RXBUF))

static struct net *net_of(struct device *device)
{
	return (struct net *)((char *)device - offsetof(struct net, device));
}

static void config(struct device *device, void *into)
{
	const struct net *net = net_of(device);
	struct virtio_net_config *fields = into;

	memcpy(fields->mac, net->mac, sizeof(net->mac));
	fields->status = atomic_load(&net->link_up) ? VIRTIO_NET_S_LINK_UP : 0;
	fields->max_virtqueue_pairs = (uint16_t)net->pairs;
	fields->mtu = net->mtu;
}

/* ---- offloads of the TAP: what it may hand to us, as negotiated */

static const struct {
	unsigned int feature;
	unsigned long flag;
} offloads[] = {
	{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
	{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
};

static void set_offloads(struct net *net, bool running)
{
	unsigned long flags = 0;

	if (!net->tune)
		return;
	/* the others need the first, ECN one of the next (§5.1.3.1) */
	if (running && net_has(net, VIRTIO_NET_F_GUEST_CSUM)) {
		flags = TUN_F_CSUM;
		for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
			if (net_has(net, offloads[i].feature))
				flags |= offloads[i].flag;
		if (flags == (TUN_F_CSUM | TUN_F_TSO_ECN))
			flags = TUN_F_CSUM;
	}
	if (net->tap_changes >= NET_TAP_CHANGES)
		flags = 0; /* frames that every driver understands */
	if (flags == net->offloads)
		return;
	net->offloads = flags;
	net->tap_changes++;
	/* those of the interface, whichever the descriptor */
	if (ioctl(net->pair[0].tap_fd, TUNSETOFFLOAD, flags) < 0)
		log_warn("offloads %#lx of the TAP: %s", flags,
			 error_name(errno));
}

/* With vhost, frames on a TAP whose pair isn't used would reach nobody: the
 * kernel gives them to the others while it is detached. */
static void attach(struct net *net, unsigned int pair, bool attached)
{
	struct ifreq request = { 0 };

	if (net->pair[pair].detached == !attached)
		return;
	net->pair[pair].detached = !attached;
	request.ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
	/* as it is already: EINVAL */
	if (net->tune && net->pairs > 1 &&
	    ioctl(net->pair[pair].tap_fd, TUNSETQUEUE, &request) < 0 &&
	    errno != EINVAL)
		log_warn("TAP queue %u: %s", pair, error_name(errno));
}

/* ---- vhost */

static bool by_kernel(const struct net_pair *pair)
{
	return pair->net->vhost.pair[pair->index].running;
}

static void on_tap(struct source *source, uint32_t events);

static int watch_tap(struct net_pair *pair, bool watch)
{
	struct loop *loop = pair->net->device.loop;

	if (!watch)
		loop_remove(loop, &pair->tap);
	else if (pair->tap.fd < 0)
		return loop_add(loop, &pair->tap, pair->tap_fd, TAP_EVENTS,
				on_tap, pair);
	return 0;
}

/* Frames and kicks are waited for by the main loop, or by the kernel alone. */
static void watch_pair(struct net_pair *pair, bool watch)
{
	int error = watch_tap(pair, watch);

	if (!error)
		error = device_watch(pair->rx, watch);
	if (!error)
		error = device_watch(pair->tx, watch);
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "queue pair %u: epoll: %s",
			   pair->index, error_name(-error));
}

static void stop_vhost(struct net_pair *pair)
{
	if (pair->index >= pair->net->vhost.pairs || !pair->rx)
		return;
	if (by_kernel(pair))
		vhost_stop(&pair->net->vhost.pair[pair->index]);
	/* also if it has stopped by itself, at an error */
	watch_pair(pair, true);
}

static void start_vhost(struct net_pair *pair)
{
	struct net *net = pair->net;
	int error;

	attach(net, pair->index, pair->index < net->active);
	if (by_kernel(pair) || pair->index >= net->active ||
	    !device_serves(pair->rx) || !device_serves(pair->tx))
		return;
	error = vhost_start(&net->vhost.pair[pair->index], net->device.features,
			    pair->rx, pair->tx, pair->tap_fd);
	if (error) {
		log_warn("vhost-net, queue pair %u: %s: served in user space",
			 pair->index, error_name(-error));
		return;
	}
	watch_pair(pair, false);
}

/* ---- the device's operations: in the worker */

static void serve_pair(struct net_pair *pair)
{
	if (by_kernel(pair))
		return;
	net_receive(pair);
	net_transmit(pair);
}

void net_set_active(struct net *net, unsigned int pairs)
{
	net->active = pairs;
	for (unsigned int i = 0; i < net->vhost.pairs; i++) {
		if (i >= pairs)
			stop_vhost(&net->pair[i]);
		start_vhost(&net->pair[i]);
	}
	for (unsigned int i = 0; i < net->pairs; i++)
		if (net->pair[i].rx)
			serve_pair(&net->pair[i]);
}

/* Which queues there are depends on the features (§5.1.2). */
static void assign_queues(struct net *net)
{
	bool several = net_has(net, VIRTIO_NET_F_MQ);
	unsigned int pairs = several ? net->pairs : 1;
	struct device_queue *queue = net->device.queue;

	for (unsigned int i = 0; i < pairs; i++) {
		net->pair[i].rx = &queue[2 * i];
		net->pair[i].tx = &queue[2 * i + 1];
	}
	if (net_has(net, VIRTIO_NET_F_CTRL_VQ))
		net->control = &queue[2 * pairs];
}

static void start(struct device *device)
{
	struct net *net = net_of(device);

	net->mergeable = net_has(net, VIRTIO_NET_F_MRG_RXBUF);
	assign_queues(net);
	set_offloads(net, true);
	for (unsigned int i = 0; i < net->pairs; i++) {
		struct net_pair *pair = &net->pair[i];

		pair->tap_readable = true; /* as far as we know */
		if (pair->rx && device_serves(pair->rx))
			queue_kicks_off(&pair->rx->ring);
	}
	net_set_active(net, 1);
	if (net->control)
		net_control(net, net->control);
}

static void stop(struct device *device)
{
	struct net *net = net_of(device);

	for (unsigned int i = 0; i < net->pairs; i++) {
		struct net_pair *pair = &net->pair[i];

		stop_vhost(pair);
		net_receive_stop(pair);
		pair->tx_waits = false;
		pair->rx = pair->tx = NULL;
	}
	net->control = NULL;
	net->active = 1;
	set_offloads(net, false);
}

static void kick(struct device *device, struct device_queue *queue)
{
	struct net *net = net_of(device);
	unsigned int index = (unsigned int)(queue - device->queue) / 2;

	if (queue == net->control) {
		net_control(net, queue);
		return;
	}
	if (index >= net->pairs || by_kernel(&net->pair[index]))
		return;
	if (queue == net->pair[index].rx) {
		queue_kicks_off(&queue->ring);
		net_receive(&net->pair[index]);
	} else {
		net_transmit(&net->pair[index]);
	}
}

static void revector(struct device *device)
{
	struct net *net = net_of(device);

	for (unsigned int i = 0; i < net->vhost.pairs; i++)
		if (net->vhost.pair[i].running &&
		    vhost_revector(&net->vhost.pair[i]) < 0)
			log_warn("vhost-net: interrupts of queue pair %u are "
				 "lost",
				 i);
}

static const struct device_ops ops = {
	.type = VIRTIO_ID_NET,
	.class = CLASS_ETHERNET,
	.config = config,
	.start = start,
	.stop = stop,
	.kick = kick,
	.revector = revector,
};

static void on_tap(struct source *source, uint32_t events)
{
	struct net_pair *pair = source->ctx;
	struct net *net = pair->net;
	bool goes_on = events & EPOLLOUT && pair->tx_waits;

	/* remembered for a pair that isn't used now, too: an edge comes once */
	if (events & EPOLLIN)
		pair->tap_readable = true;
	if (goes_on)
		pair->tx_waits = false;
	/* whose queue of the TAP is detached, and may tell an error */
	if (net->vhost.pairs > 0 && pair->index >= net->active)
		return;
	if (events & EPOLLERR)
		net_tap_gone();
	if (goes_on)
		net_transmit(pair);
	if (events & EPOLLIN && !by_kernel(pair))
		net_receive(&net->pair[pair->index % net->active]);
}

/* ---- the main loop's */

void net_pause(struct net *net, bool paused)
{
	device_pause(&net->device, paused);
	for (unsigned int i = 0; i < net->vhost.pairs; i++)
		if (by_kernel(&net->pair[i]) &&
		    vhost_pause(&net->vhost.pair[i], net->pair[i].tap_fd,
				paused) < 0)
			log_warn("vhost-net: queue pair %u doesn't %s", i,
				 paused ? "pause" : "resume");
}

/* Also if the kernel has stopped at an error: the TAP comes back to epoll with
 * the driver's reset. A write that is too short for a frame is refused, by a TAP
 * that is there with EINVAL, and not counted. */
void net_check(const struct net *net)
{
	if (net->pair[0].tap.fd < 0 && write(net->pair[0].tap_fd, "", 1) < 0 &&
	    errno == EBADFD)
		net_tap_gone();
}

_Noreturn void net_tap_gone(void)
{
	vmproc_end(VMPROC_EXIT_TAP_GONE, "the TAP was deleted");
}

void net_set_link(struct net *net, bool up)
{
	if (atomic_exchange(&net->link_up, up) != up)
		device_config_changed(&net->device);
}

void net_count(struct net_pair *pair, enum net_counter counter, uint64_t by)
{
	/* 0: not a frame, or not of interest there */
	static const uint8_t totals[NET_COUNTERS] = {
		[NET_RX_FRAMES] = STAT_RX_FRAMES + 1,
		[NET_RX_BYTES] = STAT_RX_BYTES + 1,
		[NET_RX_DROP_LONG] = STAT_RX_DROP_LONG + 1,
		[NET_RX_DROP_OFFLOAD] = STAT_RX_DROP_MALFORMED + 1,
		[NET_RX_DROP_RESET] = STAT_RX_DROP_QUEUE + 1,
		[NET_TX_FRAMES] = STAT_TX_FRAMES + 1,
		[NET_TX_BYTES] = STAT_TX_BYTES + 1,
		[NET_TX_DROP_SHORT] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_LONG] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_MALFORMED] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_FOREIGN] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_LINK_DOWN] = STAT_TX_DROP_LINK_DOWN + 1,
		[NET_TX_DROP_FULL] = STAT_TX_DROP_FULL + 1,
		[NET_TX_DROP_ERROR] = STAT_TX_DROP_ERROR + 1,
	};

	device_count(&pair->counters[counter], by);
	if (pair->net->totals && totals[counter] != 0)
		pair->net->totals[totals[counter] - 1] += by;
}

const char *net_counter_name(enum net_counter counter)
{
	static const char *const names[] = {
#define X(id, name) [NET_##id] = (name),
		NET_COUNTER_TABLE(X)
#undef X
	};
	static_assert(ARRAY_SIZE(names) == NET_COUNTERS, "a name for each");

	return names[counter];
}

/* ---- making it */

/* A TAP's open file description outlives VM processes, and so would what an
 * earlier one did to it: all of it is set anew. */
static int set_up_tap(struct net *net, unsigned int pair)
{
	const short wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	int fd = net->pair[pair].tap_fd, header = NET_HEADER_BYTES;
	struct ifreq request = { 0 };

	net->pair[pair].detached = true; /* for all we know */
	attach(net, pair, true);
	if (ioctl(fd, TUNGETIFF, &request) < 0)
		return -errno;
	if ((request.ifr_flags & wanted) != wanted)
		return -EINVAL;
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, 0UL) < 0)
		return -errno;
	return 0;
}

static int init_pair(struct net *net, unsigned int index, int fd)
{
	struct net_pair *pair = &net->pair[index];
	int error = 0;

	pair->net = net;
	pair->index = index;
	pair->tap_fd = fd;
	pair->tap.fd = -1;
	net_receive_stop(pair);
	if (net->tune)
		error = set_up_tap(net, index);
	if (!error && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		error = -errno;
	if (!error)
		error = watch_tap(pair, true);
	if (error)
		log_error("cannot use the TAP of queue pair %u: %s%s", index,
			  error_name(-error),
			  error == -EINVAL ? " (made without IFF_VNET_HDR?)"
					   : "");
	return error;
}

static int init_device(struct net *net, struct pci_bus *bus, struct loop *loop,
		       const struct memory *memory)
{
	struct device_setup device = {
		.ops = &ops,
		.memory = memory,
		.loop = loop,
		.features = FEATURES,
		.queues = 2 * net->pairs,
	};
	int error;

	for (unsigned int i = 0; i < net->pairs; i++) {
		device.queue_sizes[2 * i] = NET_RX_QUEUE;
		device.queue_sizes[2 * i + 1] = NET_TX_QUEUE;
	}
	if (net->pairs > 1) {
		device.features |= FEATURE(VIRTIO_NET_F_MQ) |
				   FEATURE(VIRTIO_NET_F_CTRL_VQ);
		device.queue_sizes[device.queues++] = CONTROL_QUEUE;
	}
	if (net->mtu)
		device.features |= FEATURE(VIRTIO_NET_F_MTU);
	error = device_init(&net->device, bus, &device);
	if (error)
		log_error("cannot make a network device: %s",
			  error_name(-error));
	return error;
}

int net_init(struct net *net, struct pci_bus *bus, struct loop *loop,
	     const struct memory *memory, const struct net_setup *setup)
{
	int error;

	if (setup->pairs < 1 || setup->pairs > NET_PAIRS_MAX ||
	    (setup->mtu != 0 && setup->mtu < NET_MTU_MIN)) {
		log_error("a network device of %u queue pairs, MTU %u, cannot "
			  "be (1 to %u, %u or more)",
			  setup->pairs, setup->mtu, NET_PAIRS_MAX, NET_MTU_MIN);
		return -EINVAL;
	}
	memcpy(net->mac, setup->mac, sizeof(net->mac));
	net->mtu = setup->mtu;
	net->pairs = setup->pairs;
	net->active = 1;
	net->tune = !setup->untuned;
	atomic_store(&net->link_up, true);
	error = init_device(net, bus, loop, memory);
	for (unsigned int i = 0; i < net->pairs && !error; i++)
		error = init_pair(net, i, setup->tap_fds[i]);
	if (error || setup->vhost_fds[0] < 0)
		return error;
	error = vhost_init(&net->vhost, loop, memory, setup->vhost_fds,
			   net->pairs);
	net->device.offered = vhost_offer(&net->vhost, net->device.offered);
	return error;
}

void net_uninit(struct net *net)
{
	struct loop *loop = net->device.loop;

	device_uninit(&net->device);
	vhost_uninit(&net->vhost, loop);
	for (unsigned int i = 0; i < net->pairs; i++)
		loop_remove(loop, &net->pair[i].tap);
}
