/* SPDX-License-Identifier: ISC */
/* The network device's queues, served by vhost-net. */
#include "vmproc/virtio/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/kvm/msix.h"
#include "vmproc/place.h"

/* The features that vhost implements; the TAP implements the others. */
#define VHOST_MATTERS                                                     \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_RING_F_EVENT_IDX) | \
	 FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |                           \
	 FEATURE(VIRTIO_NET_F_MRG_RXBUF))

static int result(int returned)
{
	return returned < 0 ? -errno : 0;
}

static int set_memory(int fd, const struct memory *memory)
{
	union {
		struct vhost_memory header;
		uint8_t space[sizeof(struct vhost_memory) +
			      MEMORY_REGIONS *
				      sizeof(struct vhost_memory_region)];
	} table = { .space = { 0 } };

	for (int i = 0; i < MEMORY_REGIONS; i++) {
		const struct memory_region *from = &memory->region[i];

		if (from->bytes == 0)
			continue;
		table.header.regions[table.header.nregions++] =
			(struct vhost_memory_region){
				.guest_phys_addr = from->gpa,
				.memory_size = from->bytes,
				.userspace_addr = (uintptr_t)from->base,
			};
	}
	return result(ioctl(fd, VHOST_SET_MEM_TABLE, &table));
}

/* The kernel has found an error in a ring. */
static void on_error(struct source *source, uint32_t events)
{
	struct vhost_pair *pair = source->ctx;

	(void)events;
	if (!pair->running)
		return;
	for (int i = 0; i < 2; i++) {
		queue_break(&pair->queue[i]->ring, QUEUE_FAULT_RING);
		device_broken(pair->queue[i]);
	}
	vhost_stop(pair);
}

static int init_pair(struct vhost_pair *pair, struct loop *loop,
		     const struct memory *memory, uint64_t *features)
{
	int error = result(ioctl(pair->fd, VHOST_SET_OWNER));

	if (!error)
		error = result(ioctl(pair->fd, VHOST_GET_FEATURES, features));
	if (!error)
		error = set_memory(pair->fd, memory);
	if (error)
		return error;
	pair->error_fd = place_eventfd();
	if (pair->error_fd < 0)
		return pair->error_fd;
	return loop_add(loop, &pair->error_source, pair->error_fd,
			EPOLLIN | EPOLLET, on_error, pair);
}

int vhost_init(struct vhost *vhost, struct loop *loop,
	       const struct memory *memory, const int *fds, unsigned int pairs)
{
	vhost->features = UINT64_MAX;
	for (unsigned int i = 0; i < pairs; i++) {
		struct vhost_pair *pair = &vhost->pair[i];
		uint64_t features = 0;
		int error;

		pair->fd = fds[i];
		pair->error_fd = -1;
		vhost->pairs++;
		error = init_pair(pair, loop, memory, &features);
		if (error) {
			log_error("cannot use vhost-net for queue pair %u: %s "
				  "(vhost = off does without)",
				  i, error_name(-error));
			return error;
		}
		vhost->features &= features;
	}
	return 0;
}

void vhost_uninit(struct vhost *vhost, struct loop *loop)
{
	for (unsigned int i = 0; i < vhost->pairs; i++) {
		loop_remove(loop, &vhost->pair[i].error_source);
		fd_close(&vhost->pair[i].error_fd);
	}
	vhost->pairs = 0;
}

uint64_t vhost_offer(const struct vhost *vhost, uint64_t offered)
{
	return offered & (vhost->features | ~VHOST_MATTERS);
}

/* The eventfd of the queue's interrupt; -1: none. */
static int call_fd(const struct device_queue *queue)
{
	return msix_vector_fd(&queue->device->function,
			      atomic_load(&queue->vector));
}

static int set_file(int fd, unsigned long request, unsigned int index,
		    int file_fd)
{
	struct vhost_vring_file file = { .index = index, .fd = file_fd };

	return result(ioctl(fd, request, &file));
}

static int set_ring(const struct vhost_pair *pair, unsigned int index)
{
	const struct device_queue *queue = pair->queue[index];
	const struct queue *ring = &queue->ring;
	struct vhost_vring_state state = { .index = index, .num = ring->size };
	struct vhost_vring_addr address = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	int error = result(ioctl(pair->fd, VHOST_SET_VRING_NUM, &state));

	state.num = ring->next_avail;
	if (!error)
		error = result(ioctl(pair->fd, VHOST_SET_VRING_BASE, &state));
	if (!error)
		error = result(ioctl(pair->fd, VHOST_SET_VRING_ADDR, &address));
	if (!error)
		error = set_file(pair->fd, VHOST_SET_VRING_ERR, index,
				 pair->error_fd);
	if (!error)
		error = set_file(pair->fd, VHOST_SET_VRING_CALL, index,
				 call_fd(queue));
	if (!error)
		error = set_file(pair->fd, VHOST_SET_VRING_KICK, index,
				 queue->kick_fd);
	return error;
}

static int set_backend(const struct vhost_pair *pair, int tap_fd)
{
	int error = set_file(pair->fd, VHOST_NET_SET_BACKEND, 0, tap_fd);

	return error ? error
		     : set_file(pair->fd, VHOST_NET_SET_BACKEND, 1, tap_fd);
}

int vhost_start(struct vhost_pair *pair, uint64_t features,
		struct device_queue *receive, struct device_queue *transmit,
		int tap_fd)
{
	uint64_t known = features & VHOST_MATTERS;
	int error = result(ioctl(pair->fd, VHOST_SET_FEATURES, &known));

	pair->queue[0] = receive;
	pair->queue[1] = transmit;
	for (unsigned int i = 0; i < 2 && !error; i++)
		error = set_ring(pair, i);
	if (!error)
		error = set_backend(pair, tap_fd);
	pair->running = true;
	if (error)
		vhost_stop(pair);
	return error;
}

/* Makes our side of a ring go on where the kernel left it. */
static void take_back(const struct vhost_pair *pair, unsigned int index)
{
	struct vhost_vring_state state = { .index = index };

	if (ioctl(pair->fd, VHOST_GET_VRING_BASE, &state) == 0)
		queue_resync(&pair->queue[index]->ring, (uint16_t)state.num);
}

void vhost_stop(struct vhost_pair *pair)
{
	/* the kernel completes what is under way before it gives up the
	 * backend */
	set_backend(pair, -1);
	for (unsigned int i = 0; i < 2; i++) {
		take_back(pair, i);
		set_file(pair->fd, VHOST_SET_VRING_KICK, i, -1);
		set_file(pair->fd, VHOST_SET_VRING_CALL, i, -1);
	}
	pair->running = false;
}

int vhost_pause(struct vhost_pair *pair, int tap_fd, bool paused)
{
	int error = set_backend(pair, paused ? -1 : tap_fd);

	/* for kicks that came meanwhile */
	for (unsigned int i = 0; i < 2 && !paused; i++)
		device_again(pair->queue[i]);
	return error;
}

int vhost_revector(const struct vhost_pair *pair)
{
	int error = 0;

	for (unsigned int i = 0; i < 2 && !error; i++)
		error = set_file(pair->fd, VHOST_SET_VRING_CALL, i,
				 call_fd(pair->queue[i]));
	return error;
}
