/* SPDX-License-Identifier: ISC */
/*
 * What every virtio device has: queues, a life, and one worker thread.
 *
 * A device has two sides. vCPU threads, with the PCI bus's lock held, read and
 * write its registers (transport.c): status, features, where the queues lie.
 * Its worker, the one thread whose loop it was given to, moves the data: it
 * alone touches the rings and calls the operations start, stop, kick, revector.
 *
 * Between them stand an eventfd and the life below. A vCPU that sets DRIVER_OK
 * or resets the device only says so, and wakes the worker: it never waits for
 * it, nor ever touches what the worker may be using. From DRIVER_OK until the
 * worker has stopped, what the registers say of the queues doesn't change.
 * Until then a reset isn't complete, and the status reads as before: drivers
 * wait for the zero (virtio 1.2 §4.1.4.3.2, §2.4.2).
 */
#ifndef VMSUP_VMPROC_VIRTIO_DEVICE_H
#define VMSUP_VMPROC_VIRTIO_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/loop.h"
#include "vmproc/kvm/memory.h"
#include "vmproc/kvm/pci.h"
#include "vmproc/virtio/queue.h"

#define DEVICE_QUEUES_MAX 17 /* eight pairs, and a control queue */
#define DEVICE_CONFIG_MAX 256
#define FEATURE(bit)      (UINT64_C(1) << (bit))

struct device;

/* STOPPED: vCPU threads may change all registers. STARTING, STOPPING: the
 * worker has been woken to do so. */
enum device_life {
	DEVICE_STOPPED,
	DEVICE_STARTING,
	DEVICE_RUNNING,
	DEVICE_STOPPING,
};

struct device_queue {
	struct device *device;
	struct source source; /* on kick_fd */
	int kick_fd; /* eventfd: the driver has made something available */
	uint16_t size_max;
	/* the registers */
	struct queue_layout layout;
	bool enabled;
	_Atomic uint16_t vector; /* VIRTIO_MSI_NO_VECTOR: none */
	/* the worker's */
	struct queue ring;
	uint64_t kicks, signals; /* written by the worker, read by any thread */
};

struct device_ops {
	uint16_t type; /* VIRTIO_ID_... */
	uint32_t class; /* PCI: base class, subclass, interface */
	/* Fills in the device's configuration space, which is zeroed
	 * DEVICE_CONFIG_MAX bytes. Called by a vCPU thread. */
	void (*config)(struct device *device, void *config);
	/* Called by the worker: the driver is ready, and every queue that it
	 * enabled has started. */
	void (*start)(struct device *device);
	/* Called by the worker: drops all that belongs to the driver. The
	 * queues stop afterwards. */
	void (*stop)(struct device *device);
	/* Called by the worker while the device runs and isn't paused: a queue
	 * was kicked. */
	void (*kick)(struct device *device, struct device_queue *queue);
	/* Optional, called by the worker: a queue got another vector. */
	void (*revector)(struct device *device);
};

struct device {
	struct pci_function function;
	const struct device_ops *ops;
	const struct memory *memory;
	struct loop *loop; /* the worker's */
	unsigned int queues;
	struct device_queue queue[DEVICE_QUEUES_MAX];
	uint64_t offered; /* features */
	unsigned int access_capability; /* offset of VIRTIO_PCI_CAP_PCI_CFG */

	/* the registers: bus lock */
	uint8_t status;
	bool resetting; /* the worker was told to stop */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select;
	uint64_t features; /* the driver's choice */

	/* between the two sides */
	struct source control;
	int control_fd; /* eventfd: life, or a vector, has changed */
	_Atomic enum device_life life;
	atomic_bool revectored;
	atomic_bool needs_reset;
	_Atomic uint8_t generation; /* of the configuration space */
	_Atomic uint8_t isr;
	_Atomic uint16_t config_vector;

	/* the worker's */
	bool started, paused;
	uint64_t faults[QUEUE_FAULTS]; /* queues broken, by reason */
};

/* What a device is made with. */
struct device_setup {
	const struct device_ops *ops;
	const struct memory *memory; /* outlives it, as ops does */
	struct loop *loop; /* of its worker, which isn't running yet */
	uint64_t features; /* offered besides those of every device */
	unsigned int queues;
	uint16_t queue_sizes[DEVICE_QUEUES_MAX]; /* most; powers of two */
};

/*
 * Makes a device and adds it to bus. To be called before the cage closes, and
 * before the worker and the guest run. 0 or -errno; device_uninit() releases
 * what was made in both cases.
 */
int device_init(struct device *device, struct pci_bus *bus,
		const struct device_setup *setup);
/* Releases its eventfds and vectors: for tests. */
void device_uninit(struct device *device);

/* ---- the worker's */

/* Publishes what was pushed to a queue, and interrupts the driver if it wants
 * that. */
void device_signal(struct device_queue *queue);
/* Has the queue's kick operation called again, after all else that is ready
 * now. */
void device_again(const struct device_queue *queue);
/* Makes the worker wait for the queue's kicks, or not. It shouldn't while the
 * kernel waits for them, since each further waiter costs time at each kick. 0
 * or -errno. */
int device_watch(struct device_queue *queue, bool watch);
/* A queue is broken (ring.fault says how): tells the driver that the device
 * needs a reset, and counts the fault, once for each queue. */
void device_broken(struct device_queue *queue);
/* While the device is paused, no kick is served; kicks that came meanwhile are
 * served when it is resumed. */
void device_pause(struct device *device, bool paused);
/* True if the queue may be served. */
static inline bool device_serves(const struct device_queue *queue)
{
	return queue->device->started && !queue->device->paused &&
	       queue_started(&queue->ring) &&
	       queue->ring.fault == QUEUE_FAULT_NONE;
}

/* ---- any thread's */

/* The configuration space has changed: tells the driver. */
void device_config_changed(struct device *device);
/* Adds to a counter, which one thread does; any thread reads it. */
static inline void device_count(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}
static inline uint64_t device_counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- a vCPU thread's, with the bus's lock (transport.c) */

/* The driver is ready. */
void device_begin(struct device *device);
/* The driver resets the device. The reset is complete when device_settle() says
 * so. */
void device_end(struct device *device);
/* Completes a reset if the worker has done its part. False if a reset is still
 * under way. */
bool device_settle(struct device *device);
/* Sets a queue's vector, or the configuration's (queue NULL). */
void device_set_vector(struct device *device, struct device_queue *queue,
		       uint16_t vector);

#endif
