/* SPDX-License-Identifier: ISC */
/*
 * A driver for virtio devices, for tests and fuzz harnesses: guest memory, a
 * PCI bus without a hypervisor, and the other side of queues. It shares no code
 * with the devices.
 */
#ifndef VMSUP_TESTS_UNIT_VMPROC_VIRTIO_DRIVER_H
#define VMSUP_TESTS_UNIT_VMPROC_VIRTIO_DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/loop.h"
#include "vmproc/kvm/layout.h"
#include "vmproc/kvm/memory.h"
#include "vmproc/kvm/msix.h"
#include "vmproc/virtio/device.h"
#include "vmproc/virtio/transport.h"

#define DRIVER_FN static inline __attribute__((unused))

/* RAM with a hole: the second part begins where no first part's address
 * ends. */
#ifndef RAM_LOW
#define RAM_LOW  (4 * MIB)
#define RAM_HIGH (1 * MIB)
#endif
#define RAM_HIGH_GPA (4 * GIB)
/* Queues lie at the beginning, each in so many bytes; buffers come after. */
#ifndef RING_BYTES
#define RING_BYTES 0x10000ULL
#endif
#define BUFFERS_GPA (20 * RING_BYTES)

struct part {
	uint64_t gpa;
	uint32_t bytes;
	bool write; /* for the device to write to */
};

struct vq {
	uint16_t index, size;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t next_desc, next_avail, seen_used;
};

struct driver {
	struct loop loop;
	struct memory memory;
	struct pci_bus bus;
	struct device *device;
	struct vq vq[DEVICE_QUEUES_MAX];
	uint64_t next_buffer;
	unsigned int irqfds, ioeventfds;
};

static struct driver driver;

/* ---- a hypervisor that only counts */

DRIVER_FN int hv_irqfd(void *ctx, int fd, uint32_t gsi, bool add)
{
	(void)ctx;
	(void)fd;
	(void)gsi;
	driver.irqfds += add ? 1U : -1U;
	return 0;
}

DRIVER_FN int hv_route(void *ctx, uint32_t gsi, uint64_t address, uint32_t data)
{
	(void)ctx;
	(void)gsi;
	(void)address;
	(void)data;
	return 0;
}

DRIVER_FN int hv_unroute(void *ctx, uint32_t gsi)
{
	(void)ctx;
	(void)gsi;
	return 0;
}

DRIVER_FN int hv_ioeventfd(void *ctx, enum space space, uint64_t address,
			   uint32_t bytes, int fd, bool add)
{
	(void)ctx;
	(void)space;
	(void)address;
	(void)bytes;
	(void)fd;
	driver.ioeventfds += add ? 1U : -1U;
	return 0;
}

static const struct hv_ops driver_hv_ops __attribute__((unused)) = {
	.irqfd = hv_irqfd,
	.route = hv_route,
	.unroute = hv_unroute,
	.ioeventfd = hv_ioeventfd,
};

/* ---- memory */

DRIVER_FN void *ram(uint64_t gpa)
{
	void *at = guest_ptr(&driver.memory, gpa, 1);

	if (!at)
		abort();
	return at;
}

DRIVER_FN uint64_t buffer(uint32_t bytes)
{
	uint64_t gpa = driver.next_buffer;

	driver.next_buffer += (bytes + 15) & ~15U;
	if (driver.next_buffer > RAM_LOW)
		abort();
	return gpa;
}

DRIVER_FN void driver_init(void)
{
	const struct hv hv = { .ops = &driver_hv_ops };

	memset(&driver, 0, sizeof(driver));
	if (loop_init(&driver.loop))
		abort();
	driver.memory.region[0] = (struct memory_region){
		.gpa = 0, .bytes = RAM_LOW, .base = calloc(1, RAM_LOW)
	};
	driver.memory.region[1] =
		(struct memory_region){ .gpa = RAM_HIGH_GPA,
					.bytes = RAM_HIGH,
					.base = calloc(1, RAM_HIGH) };
	pci_init(&driver.bus, &hv);
	driver.next_buffer = BUFFERS_GPA;
}

DRIVER_FN void driver_uninit(void)
{
	loop_uninit(&driver.loop);
	free(driver.memory.region[0].base);
	free(driver.memory.region[1].base);
}

/* Lets the device's worker do all it can. */
DRIVER_FN void run(void)
{
	for (int i = 0; i < 16; i++)
		if (loop_turn(&driver.loop, 0))
			abort();
}

/* ---- registers, by way of the bus */

DRIVER_FN uint64_t mmio(uint64_t gpa, unsigned int bytes, bool write,
			uint64_t value)
{
	uint8_t data[8];

	memcpy(data, &value, sizeof(data));
	if (!write)
		memset(data, 0, sizeof(data));
	if (!pci_mmio(&driver.bus, gpa, data, bytes, write))
		memset(data, 0xee, sizeof(data));
	value = 0;
	memcpy(&value, data, bytes);
	return value;
}

DRIVER_FN uint64_t config_gpa(unsigned int offset)
{
	return LAYOUT_ECAM + ((uint64_t)driver.device->function.slot << 15) +
	       offset;
}

DRIVER_FN uint32_t config_read(unsigned int offset, unsigned int bytes)
{
	return (uint32_t)mmio(config_gpa(offset), bytes, false, 0);
}

DRIVER_FN void config_write(unsigned int offset, unsigned int bytes,
			    uint32_t value)
{
	mmio(config_gpa(offset), bytes, true, value);
}

DRIVER_FN uint64_t bar_gpa(void)
{
	return (config_read(0x10, 4) & ~15U) | (uint64_t)config_read(0x14, 4)
						       << 32;
}

DRIVER_FN uint32_t get_reg(unsigned int offset, unsigned int bytes)
{
	return (uint32_t)mmio(bar_gpa() + offset, bytes, false, 0);
}

DRIVER_FN void set_reg(unsigned int offset, unsigned int bytes, uint32_t value)
{
	mmio(bar_gpa() + offset, bytes, true, value);
}

DRIVER_FN uint8_t get_status(void)
{
	return (uint8_t)get_reg(VIRTIO_PCI_COMMON_STATUS, 1);
}

DRIVER_FN void add_status(uint8_t bits)
{
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, get_status() | bits);
}

/* The port that queue index is notified by. */
DRIVER_FN uint16_t notify_port(unsigned int index)
{
	uint32_t bar = config_read(0x10 + 4 * TRANSPORT_NOTIFY_BAR, 4);

	return (uint16_t)((bar & ~3U) + TRANSPORT_NOTIFY_STEP * index);
}

DRIVER_FN void port_write(uint16_t port, unsigned int bytes, uint32_t value)
{
	uint8_t data[4];

	memcpy(data, &value, sizeof(data));
	pci_port(&driver.bus, port, data, bytes, true);
}

/* Takes a device for the driver's, with decoding of ports and memory on. */
DRIVER_FN void attach(struct device *device)
{
	driver.device = device;
	config_write(4, 2, 7);
}

/* Resets it and waits. */
DRIVER_FN void reset(void)
{
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	run();
	if (get_status() != 0)
		abort();
}

DRIVER_FN uint64_t offered(void)
{
	uint64_t features;

	set_reg(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	features = (uint64_t)get_reg(VIRTIO_PCI_COMMON_DF, 4) << 32;
	set_reg(VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	return features | get_reg(VIRTIO_PCI_COMMON_DF, 4);
}

/* Up to FEATURES_OK: true if the device agreed. */
DRIVER_FN bool negotiate(uint64_t features)
{
	reset();
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(VIRTIO_CONFIG_S_DRIVER);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)features);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> 32));
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
	return get_status() & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* ---- queues */

/* Lays out a queue in fresh memory. */
DRIVER_FN struct vq *vq_make(uint16_t index, uint16_t size)
{
	struct vq *vq = &driver.vq[index];

	*vq = (struct vq){ .index = index, .size = size };
	vq->desc_gpa = RING_BYTES * index;
	vq->avail_gpa = vq->desc_gpa + 16ULL * size;
	vq->used_gpa = (vq->avail_gpa + 6 + 2ULL * size + 3) & ~3ULL;
	memset(ram(vq->desc_gpa), 0, RING_BYTES);
	return vq;
}

DRIVER_FN void set_address(unsigned int low, uint64_t gpa)
{
	set_reg(low, 4, (uint32_t)gpa);
	set_reg(low + 4, 4, (uint32_t)(gpa >> 32));
}

/* Tells the device of a queue; its vector is its index and one. */
DRIVER_FN struct vq *vq_enable(uint16_t index, uint16_t size)
{
	struct vq *vq = vq_make(index, size);

	set_reg(VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	set_reg(VIRTIO_PCI_COMMON_Q_MSIX, 2, index + 1U);
	set_address(VIRTIO_PCI_COMMON_Q_DESCLO, vq->desc_gpa);
	set_address(VIRTIO_PCI_COMMON_Q_AVAILLO, vq->avail_gpa);
	set_address(VIRTIO_PCI_COMMON_Q_USEDLO, vq->used_gpa);
	set_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	return vq;
}

/* The whole of §3.1.1, with all the queues that there are. */
DRIVER_FN void bring_up(uint64_t features, uint16_t size)
{
	uint32_t count;

	if (!negotiate(features | 1ULL << VIRTIO_F_VERSION_1))
		abort();
	set_reg(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	count = get_reg(VIRTIO_PCI_COMMON_NUMQ, 2);
	for (uint32_t i = 0; i < count; i++)
		vq_enable((uint16_t)i, size);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	run();
}

DRIVER_FN struct vring_desc *vq_desc(const struct vq *vq, uint16_t index)
{
	return (struct vring_desc *)ram(vq->desc_gpa) + index;
}

DRIVER_FN struct vring_avail *vq_avail(const struct vq *vq)
{
	return ram(vq->avail_gpa);
}

DRIVER_FN struct vring_used *vq_used(const struct vq *vq)
{
	return ram(vq->used_gpa);
}

DRIVER_FN void vq_offer(struct vq *vq, uint16_t head)
{
	struct vring_avail *avail = vq_avail(vq);

	avail->ring[vq->next_avail++ % vq->size] = head;
	avail->idx = vq->next_avail;
}

/* Makes a chain of parts available; returns its head. */
DRIVER_FN uint16_t vq_add(struct vq *vq, const struct part *parts,
			  unsigned int count)
{
	uint16_t head = vq->next_desc;

	for (unsigned int i = 0; i < count; i++) {
		uint16_t next = (uint16_t)((vq->next_desc + 1) % vq->size);
		bool more = i + 1 < count;

		*vq_desc(vq, vq->next_desc) = (struct vring_desc){
			.addr = parts[i].gpa,
			.len = parts[i].bytes,
			.flags = (uint16_t)((parts[i].write ? 2 : 0) |
					    (more ? 1 : 0)),
			.next = more ? next : 0,
		};
		vq->next_desc = next;
	}
	vq_offer(vq, head);
	return head;
}

DRIVER_FN void vq_kick(const struct vq *vq)
{
	port_write(notify_port(vq->index), 2, vq->index);
}

DRIVER_FN void vq_kick_and_run(const struct vq *vq)
{
	vq_kick(vq);
	run();
}

/* How many chains came back since the last vq_take(). */
DRIVER_FN unsigned int vq_done(const struct vq *vq)
{
	return (uint16_t)(vq_used(vq)->idx - vq->seen_used);
}

/* The next chain that came back; aborts if there is none. */
DRIVER_FN struct vring_used_elem vq_take(struct vq *vq)
{
	if (vq_done(vq) == 0)
		abort();
	return vq_used(vq)->ring[vq->seen_used++ % vq->size];
}

DRIVER_FN uint16_t *vq_used_event(const struct vq *vq)
{
	return &vq_avail(vq)->ring[vq->size];
}

DRIVER_FN uint16_t vq_avail_event(const struct vq *vq)
{
	uint16_t event;

	memcpy(&event, &vq_used(vq)->ring[vq->size], sizeof(event));
	return event;
}

/* How often a vector was raised since the last time this was asked. */
DRIVER_FN uint64_t raised(unsigned int vector)
{
	uint64_t count = 0;
	int fd = msix_vector_fd(&driver.device->function, vector);

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	return count;
}

#endif
