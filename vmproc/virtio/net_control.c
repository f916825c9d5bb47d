/* SPDX-License-Identifier: ISC */
/* The network device's control queue (virtio 1.2 §5.1.6.5): how many pairs the
 * driver uses. */
#include "vmproc/virtio/iov.h"
#include "vmproc/virtio/net.h"

#define COMMAND_BUDGET 16

struct command {
	struct virtio_net_ctrl_hdr header;
	uint16_t pairs;
} __attribute__((packed));

static uint8_t obey(struct net *net, const struct command *command,
		    size_t bytes)
{
	if (bytes != sizeof(*command) || !net_has(net, VIRTIO_NET_F_MQ) ||
	    command->header.class != VIRTIO_NET_CTRL_MQ ||
	    command->header.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    command->pairs < 1 || command->pairs > net->pairs)
		return VIRTIO_NET_ERR;
	net_set_active(net, command->pairs);
	return VIRTIO_NET_OK;
}

static void serve(struct net *net, struct device_queue *queue,
		  const struct chain *chain)
{
	struct command command = { 0 };
	uint8_t answer;

	iov_read(chain->iov, chain->readable, 0, &command, sizeof(command));
	answer = obey(net, &command, chain->readable_bytes);
	queue_push(&queue->ring, chain->head,
		   (uint32_t)iov_write(chain->iov + chain->readable,
				       chain->writable, 0, &answer,
				       sizeof(answer)));
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
