/* SPDX-License-Identifier: ISC */
/* The network device's control queue (virtio 1.2 §5.1.6.5): how many pairs the
 * driver uses. */
#include "vmproc/virtio/net_control.h"

#include "vmproc/virtio/iov.h"
#include "vmproc/virtio/net_pair.h"

/* Commands obeyed before others get their turn. Each may serve every pair. */
#define COMMAND_BUDGET 1

struct command {
	struct virtio_net_ctrl_hdr header;
	uint16_t pairs;
} __attribute__((packed));

/* With vhost, queues of the TAP come and go with the pairs. */
static bool may_change(struct net *net, unsigned int pairs)
{
	if (net->vhost.pairs == 0 || pairs == net->active)
		return true;
	if (net->tap_changes >= NET_TAP_CHANGES)
		return false;
	net->tap_changes++;
	return true;
}

static uint8_t obey(struct net *net, const struct command *command,
		    size_t bytes)
{
	if (bytes != sizeof(*command) || !net_has(net, VIRTIO_NET_F_MQ) ||
	    command->header.class != VIRTIO_NET_CTRL_MQ ||
	    command->header.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    command->pairs < 1 || command->pairs > net->pairs ||
	    !may_change(net, command->pairs))
		return VIRTIO_NET_ERR;
	net_pair_use(net, command->pairs);
	return VIRTIO_NET_OK;
}

static void serve(struct net *net, struct device_queue *queue,
		  const struct chain *chain)
{
	struct command command = { 0 };
	/* The command is copied, and the answer's place is kept: to obey may
	 * transmit, which uses the same list. */
	uint8_t *answer = chain->writable > 0
				  ? chain->iov[chain->readable].iov_base
				  : NULL;
	uint8_t said;

	iov_read(chain->iov, chain->readable, 0, &command, sizeof(command));
	said = obey(net, &command, chain->readable_bytes);
	if (answer)
		*answer = said;
	queue_push(&queue->ring, chain->head, answer ? sizeof(*answer) : 0);
}

/* True while there may be more to do. */
static bool control_some(struct net *net, struct device_queue *queue)
{
	for (int i = 0; i < COMMAND_BUDGET; i++) {
		struct chain chain;
		int got = queue_pop(&queue->ring, &chain, net->transmit,
				    QUEUE_CHAIN_MAX);

		if (got < 0) {
			device_broken(queue);
			return false;
		}
		if (got > 0)
			serve(net, queue, &chain);
		else if (!queue_kicks_on(&queue->ring))
			return false;
	}
	return true;
}

void net_control(struct net *net, struct device_queue *queue)
{
	bool more;

	if (!device_serves(queue))
		return;
	more = control_some(net, queue);
	device_signal(queue);
	if (more)
		device_again(queue);
}
