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
#include "vmproc/virtio/net_control.h"
#include "vmproc/virtio/net_pair.h"
#include "vmproc/virtio/net_receive.h"
#include "vmproc/virtio/net_transmit.h"

#define CLASS_ETHERNET 0x020000
#define CONTROL_QUEUE  64

static_assert(2 * NET_PAIRS_MAX + 1 <= DEVICE_QUEUES_MAX, "pairs and control");

/* The features that are always offered. The number of pairs and the MTU decide
 * on others. */
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

static void net_config(struct device *device, void *into)
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
	/* TSO needs CSUM, ECN needs a TSO (§5.1.3.1) */
	if (running && net_has(net, VIRTIO_NET_F_GUEST_CSUM)) {
		flags = TUN_F_CSUM;
		for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
			if (net_has(net, offloads[i].feature))
				flags |= offloads[i].flag;
		if (flags == (TUN_F_CSUM | TUN_F_TSO_ECN))
			flags = TUN_F_CSUM;
	}
	if (net->tap_changes >= NET_TAP_CHANGES)
		flags = 0; /* every driver understands such frames */
	if (flags == net->offloads)
		return;
	net->offloads = flags;
	net->tap_changes++;
	/* offloads are the interface's, whichever the descriptor */
	if (ioctl(net->pair[0].tap_fd, TUNSETOFFLOAD, flags) < 0)
		log_warn("offloads %#lx of the TAP: %s", flags,
			 error_name(errno));
}

/* ---- the device's operations: in the worker */

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

static void net_start(struct device *device)
{
	struct net *net = net_of(device);

	net->mergeable = net_has(net, VIRTIO_NET_F_MRG_RXBUF);
	assign_queues(net);
	set_offloads(net, true);
	for (unsigned int i = 0; i < net->pairs; i++) {
		struct net_pair *pair = &net->pair[i];

		pair->tap_readable = true; /* perhaps */
		if (pair->rx && device_serves(pair->rx))
			queue_kicks_off(&pair->rx->ring);
	}
	net_pair_use(net, 1);
	if (net->control)
		net_control(net, net->control);
}

static void net_stop(struct device *device)
{
	struct net *net = net_of(device);

	for (unsigned int i = 0; i < net->pairs; i++) {
		struct net_pair *pair = &net->pair[i];

		net_pair_stop(pair);
		net_receive_stop(pair);
		pair->tx_waits = false;
		pair->rx = pair->tx = NULL;
	}
	net->control = NULL;
	net->active = 1;
	set_offloads(net, false);
}

static void net_kick(struct device *device, struct device_queue *queue)
{
	struct net *net = net_of(device);
	unsigned int index = (unsigned int)(queue - device->queue) / 2;

	if (queue == net->control) {
		net_control(net, queue);
		return;
	}
	if (index >= net->pairs || net_pair_by_kernel(&net->pair[index]))
		return;
	if (queue == net->pair[index].rx) {
		queue_kicks_off(&queue->ring);
		net_receive(&net->pair[index]);
	} else {
		net_transmit(&net->pair[index]);
	}
}

static void net_revector(struct device *device)
{
	struct net *net = net_of(device);

	for (unsigned int i = 0; i < net->vhost.pairs; i++)
		if (net->vhost.pair[i].running &&
		    vhost_revector(&net->vhost.pair[i]) < 0)
			log_warn("vhost-net: interrupts of queue pair %u are "
				 "lost",
				 i);
}

static const struct device_ops net_ops = {
	.type = VIRTIO_ID_NET,
	.class = CLASS_ETHERNET,
	.config = net_config,
	.start = net_start,
	.stop = net_stop,
	.kick = net_kick,
	.revector = net_revector,
};

/* ---- the main loop's */

void net_pause(struct net *net, bool paused)
{
	device_pause(&net->device, paused);
	for (unsigned int i = 0; i < net->vhost.pairs; i++)
		if (net_pair_by_kernel(&net->pair[i]) &&
		    vhost_pause(&net->vhost.pair[i], net->pair[i].tap_fd,
				paused) < 0)
			log_warn("vhost-net: queue pair %u doesn't %s", i,
				 paused ? "pause" : "resume");
}

/* The TAP may also be out of epoll since the kernel stopped at an error, until
 * the driver's reset. A TAP refuses a write that is too short for a frame with
 * EINVAL, and doesn't count it; if the TAP was deleted, with EBADFD. */
void net_check(const struct net *net)
{
	if (net->pair[0].tap.fd < 0 && write(net->pair[0].tap_fd, "", 1) < 0 &&
	    errno == EBADFD)
		net_tap_gone();
}

void net_set_link(struct net *net, bool up)
{
	if (atomic_exchange(&net->link_up, up) != up)
		device_config_changed(&net->device);
}

/* ---- making it */

/* A TAP's open file description outlives VM processes, with all that an earlier
 * process has set. So all of it is set anew. */
static int set_up_tap(struct net *net, unsigned int pair)
{
	const short wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	int fd = net->pair[pair].tap_fd, header = NET_HEADER_BYTES;
	struct ifreq request = { 0 };

	net->pair[pair].detached = true; /* perhaps */
	net_pair_attach(net, pair, true);
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
		error = net_pair_watch(pair, true);
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
		.ops = &net_ops,
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
