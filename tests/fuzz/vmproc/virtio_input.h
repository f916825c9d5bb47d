/* SPDX-License-Identifier: ISC */
/*
 * A hostile driver: the input is a list of what it does. It writes registers
 * and configuration space in any order and width, lays out queues right or
 * wrong, and makes available whatever chains it likes. The device must not
 * crash, and must come to rest when the driver does.
 */
#ifndef VMSUP_TESTS_FUZZ_VMPROC_VIRTIO_INPUT_H
#define VMSUP_TESTS_FUZZ_VMPROC_VIRTIO_INPUT_H

#include <linux/virtio_config.h>
#include <poll.h>

#include "tests/fuzz/input.h"

#define RAM_LOW    (512 * KIB)
#define RAM_HIGH   (64 * KIB)
#define RING_BYTES 0x1000ULL
#include "tests/unit/vmproc/virtio_driver.h"

/* Far more than any device needs for what queues of 64 hold. */
#define TURNS_MAX   4096
#define ACTIONS_MAX 256
#define QUEUE_SIZE  64

static inline uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static inline uint64_t take_bytes(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | take(input);
	return value;
}

/* Until nothing is ready any more. */
static inline void rest(void)
{
	struct pollfd ready = { .fd = driver.loop.epoll_fd, .events = POLLIN };
	int turns = 0;

	while (poll(&ready, 1, 0) == 1) {
		CHECK(turns++ < TURNS_MAX);
		CHECK(loop_turn(&driver.loop, 0) == 0);
	}
}

/* An address that is good, or just about not, or nonsense. */
static inline uint64_t take_gpa(struct input *input)
{
	uint64_t offset = take_bytes(input, 2);

	switch (take(input) % 8) {
	case 0:
		return RAM_LOW - offset % 4096;
	case 1:
		return RAM_HIGH_GPA + offset;
	case 2:
		return RAM_HIGH_GPA + RAM_HIGH - offset % 4096;
	case 3:
		return take_bytes(input, 8);
	case 4: /* the rings themselves */
		return offset % (20 * RING_BYTES);
	default:
		return BUFFERS_GPA + offset * 4;
	}
}

static inline uint32_t take_length(struct input *input)
{
	switch (take(input) % 4) {
	case 0:
		return (uint32_t)take_bytes(input, 4);
	case 1:
		return (uint32_t)take_bytes(input, 2);
	default:
		return take(input);
	}
}

static inline struct vq *take_vq(struct input *input)
{
	return &driver.vq[take(input) % driver.device->queues];
}

static inline void do_register(struct input *input)
{
	static const uint32_t pages[] = { TRANSPORT_COMMON, TRANSPORT_ISR,
					  TRANSPORT_CONFIG, TRANSPORT_VECTORS };
	uint8_t kind = take(input);
	unsigned int bytes = 1U << (kind & 3);
	uint64_t offset = pages[(kind >> 2 & 7) % 4] + take(input) % 64;

	if (kind & 0x80)
		offset = take_bytes(input, 2) % TRANSPORT_BYTES;
	mmio(driver.device->function.bar[0].address + offset, bytes,
	     kind & 0x20, take_bytes(input, bytes));
}

/* Puts the BARs where they were, and has them answer. */
static inline void decode(void)
{
	config_write(4, 2, 7);
	config_write(0x10, 4, LAYOUT_BARS);
	config_write(0x14, 4, 0);
	config_write(0x18, 4, LAYOUT_PORTS);
}

/* A write to a port of the device, of any width. */
static inline void do_port(struct input *input)
{
	uint8_t kind = take(input);

	port_write((uint16_t)(LAYOUT_PORTS + (kind & 0x7f)), 1U << (kind >> 7),
		   take(input));
}

static inline void do_config(struct input *input)
{
	uint8_t kind = take(input);
	unsigned int bytes = 1U << (kind & 3);

	mmio(config_gpa(0) + take(input), bytes, kind & 0x20,
	     take_bytes(input, bytes));
	decode(); /* or else no register answers */
}

/* One descriptor, anywhere in a queue's table. */
static inline void do_descriptor(struct input *input)
{
	const struct vq *vq = take_vq(input);
	uint16_t index = take(input) % QUEUE_SIZE;
	struct vring_desc desc = {
		.addr = take_gpa(input),
		.len = take_length(input),
		.flags = take(input) % 8,
		.next = take(input) % (QUEUE_SIZE + 2),
	};

	if (vq->size)
		memcpy(vq_desc(vq, index), &desc, sizeof(desc));
}

/* An index, or a head, or an event index, of the driver's. */
static inline void do_avail(struct input *input)
{
	struct vq *vq = take_vq(input);
	uint8_t kind = take(input);
	uint16_t value = (uint16_t)take_bytes(input, 2);
	uint8_t *at;

	if (!vq->size)
		return;
	at = ram(vq->avail_gpa);
	switch (kind % 4) {
	case 0:
		memcpy(at + 2, &value, 2);
		break;
	case 1:
		memcpy(at, &value, 2);
		break;
	case 2:
		memcpy(at + 4 + 2 * (size_t)(kind >> 2), &value, 2);
		break;
	default:
		vq_offer(vq, value % (QUEUE_SIZE + 1));
		break;
	}
}

/* A chain that keeps the rules, of parts that may not. */
static inline void do_chain(struct input *input)
{
	struct vq *vq = take_vq(input);
	unsigned int readable = take(input) % 4, writable = take(input) % 4;
	struct part parts[8];

	if (!vq->size || readable + writable == 0)
		return;
	for (unsigned int i = 0; i < readable + writable; i++)
		parts[i] = (struct part){ BUFFERS_GPA +
						  take_bytes(input, 2) % 60000,
					  take_length(input), i >= readable };
	vq_add(vq, parts, readable + writable);
}

/* The same in an indirect table, which lies among the buffers. */
static inline void do_indirect(struct input *input)
{
	struct vq *vq = take_vq(input);
	unsigned int different = take(input) % 40;
	unsigned int count = different * (take(input) % 4 ? 1U : 26U);
	uint64_t gpa = BUFFERS_GPA + 0x11000 + take(input);
	uint8_t *at = ram(gpa);
	uint16_t head;

	if (!vq->size)
		return;
	for (unsigned int i = 0; i < different; i++) {
		struct vring_desc desc = {
			.addr = BUFFERS_GPA + take_bytes(input, 2) % 60000,
			.len = take_length(input),
			.flags = take(input) % 4,
		};

		for (unsigned int j = i; j < count; j += different) {
			desc.next = (uint16_t)(j + 1);
			memcpy(at + 16 * (size_t)j, &desc, sizeof(desc));
		}
	}
	head = vq->next_desc;
	vq->next_desc = (uint16_t)((head + 1) % vq->size);
	*vq_desc(vq, head) =
		(struct vring_desc){ gpa, 16 * count + (take(input) % 16 == 0),
				     VRING_DESC_F_INDIRECT, 0 };
	vq_offer(vq, head);
}

/* Bytes of a buffer. */
static inline void do_memory(struct input *input)
{
	uint8_t *at = ram(BUFFERS_GPA + take_bytes(input, 2) % 60000);
	unsigned int bytes = take(input) % 64;

	while (bytes-- > 0)
		*at++ = take(input);
}

/* A queue of any size and place, which is left alone from then on. */
static inline void enable_odd(struct input *input, uint16_t index)
{
	driver.vq[index].size = 0;
	set_reg(VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2, (uint16_t)take_bytes(input, 2));
	set_address(VIRTIO_PCI_COMMON_Q_DESCLO, take_gpa(input));
	set_address(VIRTIO_PCI_COMMON_Q_AVAILLO, take_gpa(input));
	set_address(VIRTIO_PCI_COMMON_Q_USEDLO, take_gpa(input));
	set_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static inline void enable(struct input *input, uint16_t index)
{
	uint8_t kind = take(input);

	if (kind % 16 == 15)
		driver.vq[index].size = 0; /* not at all */
	else if (kind % 16 == 14)
		enable_odd(input, index);
	else
		vq_enable(index, (uint16_t)(QUEUE_SIZE >> kind % 7));
}

/* Brings the device up, as a driver does that wants to be served. */
static inline void do_start(struct input *input)
{
	uint64_t features = offered() &
			    (take_bytes(input, 8) | 1ULL << VIRTIO_F_VERSION_1);

	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	rest();
	CHECK(get_status() == 0);
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)features);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> 32));
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned int i = 0; i < driver.device->queues; i++)
		enable(input, (uint16_t)i);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	rest();
}

static inline void do_kick(struct input *input)
{
	vq_kick(take_vq(input));
}

static inline void do_rest(struct input *input)
{
	(void)input;
	rest();
}

typedef void action_fn(struct input *input);

/* Everything that input says, and what the device does then. special: what only
 * this device's world can do. */
static inline void act(struct input *input, action_fn *special)
{
	action_fn *const actions[] = {
		do_register, do_config, do_descriptor, do_avail,
		do_chain,    do_chain,  do_indirect,   do_memory,
		do_start,    do_kick,   do_port,       do_rest,
		do_rest,     special,   special,       special,
	};

	for (int i = 0; i < ACTIONS_MAX && input->left > 0; i++)
		actions[take(input) % 16](input);
	for (unsigned int i = 0; i < driver.device->queues; i++)
		vq_kick(&driver.vq[i]);
	rest();
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	rest();
	CHECK(get_status() == 0);
}

/* As after power-on, but for counters. */
static inline void power_on(void)
{
	memset(driver.memory.region[0].base, 0, RAM_LOW);
	memset(driver.memory.region[1].base, 0, RAM_HIGH);
	memset(driver.vq, 0, sizeof(driver.vq));
	driver.next_buffer = BUFFERS_GPA;
	decode();
}

#endif
