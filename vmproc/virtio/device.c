/* SPDX-License-Identifier: ISC */
/* A virtio device's life, and the hand-over between its two sides. */
#include "vmproc/virtio/device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "vmproc/kvm/msix.h"
#include "vmproc/place.h"
#include "vmproc/virtio/transport.h"

/* Edge-triggered: every write to an eventfd is an edge, so that nobody needs to
 * read it. */
#define WAKE_EVENTS (EPOLLIN | EPOLLET)

#define ISR_QUEUE  1
#define ISR_CONFIG 2

static void wake(int fd)
{
	static const uint64_t one = 1;

	/* EAGAIN: the counter is full, so a wake-up is pending */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- the worker */

static void signal_config(struct device *device)
{
	atomic_fetch_or(&device->isr, ISR_CONFIG);
	msix_signal(&device->function, atomic_load(&device->config_vector));
}

void device_config_changed(struct device *device)
{
	atomic_fetch_add(&device->generation, 1);
	signal_config(device);
}

void device_signal(struct device_queue *queue)
{
	uint16_t vector;

	if (!queue_wants_signal(&queue->ring))
		return;
	device_count(&queue->signals, 1);
	vector = atomic_load_explicit(&queue->vector, memory_order_relaxed);
	if (vector == VIRTIO_MSI_NO_VECTOR)
		atomic_fetch_or(&queue->device->isr, ISR_QUEUE);
	else
		msix_signal(&queue->device->function, vector);
}

void device_again(const struct device_queue *queue)
{
	wake(queue->kick_fd);
}

void device_broken(struct device_queue *queue)
{
	struct device *device = queue->device;

	device_count(&device->faults[queue->ring.fault], 1);
	if (!atomic_exchange(&device->needs_reset, true))
		signal_config(device);
}

void device_pause(struct device *device, bool paused)
{
	device->paused = paused;
	for (unsigned int i = 0; i < device->queues && !paused; i++)
		if (device_serves(&device->queue[i]))
			device_again(&device->queue[i]);
}

static void on_kick(struct source *source, uint32_t events)
{
	struct device_queue *queue = source->ctx;

	(void)events;
	device_count(&queue->kicks, 1);
	if (device_serves(queue))
		queue->device->ops->kick(queue->device, queue);
}

int device_watch(struct device_queue *queue, bool watch)
{
	struct loop *loop = queue->device->loop;

	if (!watch)
		loop_remove(loop, &queue->source);
	else if (queue->source.fd < 0)
		return loop_add(loop, &queue->source, queue->kick_fd,
				WAKE_EVENTS, on_kick, queue);
	return 0;
}

static void start(struct device *device)
{
	for (unsigned int i = 0; i < device->queues; i++) {
		struct device_queue *queue = &device->queue[i];

		if (!queue->enabled)
			continue;
		if (queue_start(&queue->ring, device->memory, &queue->layout,
				device->features) < 0)
			device_broken(queue);
	}
	device->started = true;
	device->ops->start(device);
}

static void stop(struct device *device)
{
	if (device->started)
		device->ops->stop(device);
	device->started = false;
	for (unsigned int i = 0; i < device->queues; i++)
		queue_stop(&device->queue[i].ring);
}

static void on_control(struct source *source, uint32_t events)
{
	struct device *device = source->ctx;
	enum device_life life = DEVICE_STARTING;

	(void)events;
	if (atomic_load(&device->life) == DEVICE_STARTING) {
		start(device);
		/* unless it was reset meanwhile */
		atomic_compare_exchange_strong(&device->life, &life,
					       DEVICE_RUNNING);
	}
	if (atomic_load(&device->life) == DEVICE_STOPPING) {
		stop(device);
		atomic_store(&device->life, DEVICE_STOPPED);
	}
	if (atomic_exchange(&device->revectored, false) && device->started &&
	    device->ops->revector)
		device->ops->revector(device);
}

/* ---- the vCPU threads */

static void reset_queue(struct device_queue *queue)
{
	queue->layout = (struct queue_layout){ .size = queue->size_max };
	queue->enabled = false;
	atomic_store(&queue->vector, VIRTIO_MSI_NO_VECTOR);
}

/* Gives all registers their first values (virtio 1.2 §2.4.1). */
static void reset(struct device *device)
{
	device->status = 0;
	device->device_feature_select = 0;
	device->driver_feature_select = 0;
	device->features = 0;
	device->queue_select = 0;
	device->resetting = false;
	atomic_store(&device->config_vector, VIRTIO_MSI_NO_VECTOR);
	atomic_store(&device->needs_reset, false);
	atomic_store(&device->isr, 0);
	for (unsigned int i = 0; i < device->queues; i++)
		reset_queue(&device->queue[i]);
}

void device_begin(struct device *device)
{
	atomic_store(&device->life, DEVICE_STARTING);
	wake(device->control_fd);
}

void device_end(struct device *device)
{
	if (device->resetting)
		return;
	if (atomic_load(&device->life) == DEVICE_STOPPED) {
		reset(device);
		return;
	}
	device->resetting = true;
	atomic_store(&device->life, DEVICE_STOPPING);
	wake(device->control_fd);
}

bool device_settle(struct device *device)
{
	if (device->resetting && atomic_load(&device->life) == DEVICE_STOPPED)
		reset(device);
	return !device->resetting;
}

void device_set_vector(struct device *device, struct device_queue *queue,
		       uint16_t vector)
{
	if (vector >= device->function.vectors)
		vector = VIRTIO_MSI_NO_VECTOR;
	if (!queue) {
		atomic_store(&device->config_vector, vector);
		return;
	}
	if (atomic_exchange(&queue->vector, vector) == vector)
		return;
	atomic_store(&device->revectored, true);
	if (atomic_load(&device->life) == DEVICE_RUNNING)
		wake(device->control_fd);
}

/* ---- */

/* Makes an eventfd that wakes the worker. Its descriptor or -errno. */
static int add_source(struct device *device, struct source *source,
		      source_fn *ready, void *ctx)
{
	cleanup_fd int fd = place_eventfd();
	int error;

	if (fd < 0)
		return fd;
	error = loop_add(device->loop, source, fd, WAKE_EVENTS, ready, ctx);
	return error ? error : steal_fd(&fd);
}

int device_init(struct device *device, struct pci_bus *bus,
		const struct device_setup *setup)
{
	int fd;

	memset(device, 0, sizeof(*device));
	device->ops = setup->ops;
	device->memory = setup->memory;
	device->loop = setup->loop;
	device->offered = setup->features | FEATURE(VIRTIO_F_VERSION_1) |
			  FEATURE(VIRTIO_RING_F_EVENT_IDX) |
			  FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	device->control_fd = -1;
	for (unsigned int i = 0; i < DEVICE_QUEUES_MAX; i++)
		device->queue[i].kick_fd = -1;
	fd = add_source(device, &device->control, on_control, device);
	if (fd < 0)
		return fd;
	device->control_fd = fd;
	for (unsigned int i = 0; i < setup->queues; i++) {
		struct device_queue *queue = &device->queue[i];

		queue->device = device;
		queue->size_max = setup->queue_sizes[i];
		fd = add_source(device, &queue->source, on_kick, queue);
		if (fd < 0)
			return fd;
		queue->kick_fd = fd;
		device->queues++;
	}
	reset(device);
	return transport_init(device, bus);
}

void device_uninit(struct device *device)
{
	if (device->started)
		stop(device);
	if (device->function.bus)
		pci_remove(&device->function);
	loop_remove(device->loop, &device->control);
	fd_close(&device->control_fd);
	for (unsigned int i = 0; i < DEVICE_QUEUES_MAX; i++) {
		loop_remove(device->loop, &device->queue[i].source);
		fd_close(&device->queue[i].kick_fd);
	}
}
