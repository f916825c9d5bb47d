/* SPDX-License-Identifier: ISC */
/* Queue pairs: which of them are in use, and who moves their frames: the main
 * loop, or the kernel (vhost). */
#include "vmproc/virtio/net_pair.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "ipc/error.h"
#include "ipc/log.h"
#include "vmproc/virtio/net_receive.h"
#include "vmproc/virtio/net_transmit.h"
#include "vmproc/vmproc.h"

/* Edge-triggered: while the guest gives no buffers, a TAP isn't read. It wakes
 * the loop once for each frame that comes, and not all the time. */
#define TAP_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

static_assert(NET_PAIRS_MAX == VHOST_PAIRS_MAX, "one for each");

void net_pair_attach(struct net *net, unsigned int pair, bool attached)
{
	struct ifreq request = { 0 };

	if (net->pair[pair].detached == !attached)
		return;
	net->pair[pair].detached = !attached;
	request.ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
	/* EINVAL: it is so already */
	if (net->tune && net->pairs > 1 &&
	    ioctl(net->pair[pair].tap_fd, TUNSETQUEUE, &request) < 0 &&
	    errno != EINVAL)
		log_warn("TAP queue %u: %s", pair, error_name(errno));
}

static void on_tap(struct source *source, uint32_t events)
{
	struct net_pair *pair = source->ctx;
	struct net *net = pair->net;
	bool goes_on = events & EPOLLOUT && pair->tx_waits;

	/* Remembered for a pair that isn't used now, too: an edge comes
	 * once. */
	if (events & EPOLLIN)
		pair->tap_readable = true;
	if (goes_on)
		pair->tx_waits = false;
	/* A detached queue of a TAP may report an error. */
	if (net->vhost.pairs > 0 && pair->index >= net->active)
		return;
	if (events & EPOLLERR)
		net_tap_gone();
	if (goes_on)
		net_transmit(pair);
	if (events & EPOLLIN && !net_pair_by_kernel(pair))
		net_receive(&net->pair[pair->index % net->active]);
}

int net_pair_watch(struct net_pair *pair, bool watch)
{
	struct loop *loop = pair->net->device.loop;

	if (!watch)
		loop_remove(loop, &pair->tap);
	else if (pair->tap.fd < 0)
		return loop_add(loop, &pair->tap, pair->tap_fd, TAP_EVENTS,
				on_tap, pair);
	return 0;
}

/* Makes the main loop wait for frames and kicks, or leaves that to the
 * kernel. */
static void watch_pair(struct net_pair *pair, bool watch)
{
	int error = net_pair_watch(pair, watch);

	if (!error)
		error = device_watch(pair->rx, watch);
	if (!error)
		error = device_watch(pair->tx, watch);
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "queue pair %u: epoll: %s",
			   pair->index, error_name(-error));
}

void net_pair_stop(struct net_pair *pair)
{
	if (pair->index >= pair->net->vhost.pairs || !pair->rx)
		return;
	if (net_pair_by_kernel(pair))
		vhost_stop(&pair->net->vhost.pair[pair->index]);
	/* The kernel may also have stopped by itself, at an error. */
	watch_pair(pair, true);
}

static void start_vhost(struct net_pair *pair)
{
	struct net *net = pair->net;
	int error;

	net_pair_attach(net, pair->index, pair->index < net->active);
	if (net_pair_by_kernel(pair) || pair->index >= net->active ||
	    !device_serves(pair->rx) || !device_serves(pair->tx))
		return;
	error = vhost_start(&net->vhost.pair[pair->index], net->device.features,
			    pair->rx, pair->tx, pair->tap_fd);
	if (error) {
		log_warn("vhost-net, queue pair %u: %s: served in user space",
			 pair->index, error_name(-error));
		return;
	}
	pair->was_by_kernel = true;
	watch_pair(pair, false);
}

static void serve_pair(struct net_pair *pair)
{
	if (net_pair_by_kernel(pair))
		return;
	net_receive(pair);
	net_transmit(pair);
}

void net_pair_use(struct net *net, unsigned int pairs)
{
	net->active = pairs;
	for (unsigned int i = 0; i < net->vhost.pairs; i++) {
		if (i >= pairs)
			net_pair_stop(&net->pair[i]);
		start_vhost(&net->pair[i]);
	}
	for (unsigned int i = 0; i < net->pairs; i++)
		if (net->pair[i].rx)
			serve_pair(&net->pair[i]);
}
