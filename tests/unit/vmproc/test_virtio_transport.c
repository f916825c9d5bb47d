/* SPDX-License-Identifier: ISC */
/* Virtio over PCI: capabilities, registers, a device's life; and the entropy
 * device, on which all of it is tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/virtio_ids.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/rng.h"

#define VERSION_1 FEATURE(VIRTIO_F_VERSION_1)
#define EVENT     FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define OK_BITS   15 /* acknowledge, driver, driver ok, features ok */

static struct rng rng;

static int setup(void **state)
{
	(void)state;
	driver_init();
	if (rng_init(&rng, &driver.bus, &driver.loop, &driver.memory))
		return -1;
	attach(&rng.device);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rng_uninit(&rng);
	driver_uninit();
	return 0;
}

/* Offset in configuration space of the capability of a type; 0: none. */
static unsigned int find_capability(unsigned int type)
{
	unsigned int at = config_read(0x34, 1);

	for (int i = 0; i < 48 && at != 0; i++) {
		if (config_read(at, 1) == 9 && config_read(at + 3, 1) == type)
			return at;
		at = config_read(at + 1, 1);
	}
	return 0;
}

static void has_the_capabilities(void **state)
{
	static const struct {
		unsigned int type, bar, offset, length, bytes;
	} cases[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, 0, TRANSPORT_COMMON, 56, 16 },
		{ VIRTIO_PCI_CAP_ISR_CFG, 0, TRANSPORT_ISR, 1, 16 },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, 0, TRANSPORT_CONFIG, 256, 16 },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, 2, 0, 68, 20 },
		{ VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0, 20 },
	};

	(void)state;
	assert_int_equal(config_read(0, 2), 0x1af4);
	assert_int_equal(config_read(2, 2), 0x1040 + VIRTIO_ID_RNG);
	assert_true(config_read(8, 1) >= 1);
	assert_true(config_read(0x2e, 2) >= 0x40);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned int at = find_capability(cases[i].type);

		assert_int_not_equal(at, 0);
		assert_int_equal(config_read(at + 2, 1), cases[i].bytes);
		assert_int_equal(config_read(at + 4, 1), cases[i].bar);
		assert_int_equal(config_read(at + 8, 4), cases[i].offset);
		assert_int_equal(config_read(at + 12, 4), cases[i].length);
	}
	assert_int_equal(
		config_read(find_capability(VIRTIO_PCI_CAP_NOTIFY_CFG) + 16, 4),
		TRANSPORT_NOTIFY_STEP);
	assert_int_equal(driver.ioeventfds, 1);
}

static void negotiates_features(void **state)
{
	(void)state;
	assert_true(offered() & VERSION_1);
	set_reg(VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_DF, 4), 0);
	assert_false(negotiate(0)); /* no legacy */
	assert_false(negotiate(VERSION_1 | 1ULL << 40)); /* not offered */
	assert_false(negotiate(VERSION_1 | 1));
	assert_true(negotiate(VERSION_1));
	/* no more changes after the agreement */
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, UINT32_MAX);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_GF, 4), 0);
	set_reg(VIRTIO_PCI_COMMON_GFSELECT, 4, UINT32_MAX);
	set_reg(VIRTIO_PCI_COMMON_GF, 4, UINT32_MAX);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_GF, 4), 0);
	assert_int_equal(rng.device.features, VERSION_1);
}

static void follows_the_order_of_the_status(void **state)
{
	(void)state;
	reset();
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		   VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(get_status(), 3);
	assert_true(negotiate(VERSION_1));
	assert_int_equal(get_status(), 11);
	/* no bit goes away, none that is unknown comes */
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0x70);
	assert_int_equal(get_status(), 11);
	vq_enable(0, 8);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(get_status(), OK_BITS);
	run();
	assert_true(rng.device.started);
	/* again: nothing */
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	run();
	assert_int_equal(get_status(), OK_BITS);
	reset();
	assert_false(rng.device.started);
}

static void queue_registers_are_checked(void **state)
{
	static const uint32_t bad_sizes[] = { 0, 3, 65, 128, 0xffff };

	(void)state;
	assert_true(negotiate(VERSION_1));
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_NUMQ, 2), 1);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	for (size_t i = 0; i < sizeof(bad_sizes) / sizeof(*bad_sizes); i++) {
		set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2, bad_sizes[i]);
		assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	}
	/* no vector beyond those that there are */
	set_reg(VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	set_reg(VIRTIO_PCI_COMMON_MSIX, 2, 1);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_MSIX, 2), 1);
	/* 64 bits at once */
	mmio(bar_gpa() + VIRTIO_PCI_COMMON_Q_DESCLO, 8, true,
	     0x123456789abcdef0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0x9abcdef0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_DESCHI, 4), 0x12345678);
	vq_enable(0, 8);
	/* enabled: nothing changes any more, nor is it switched off */
	set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2, 16);
	set_reg(VIRTIO_PCI_COMMON_Q_DESCLO, 4, 4096);
	set_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 8);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	/* a queue that isn't there */
	set_reg(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	set_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	/* and all is as before after a reset */
	reset();
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
}

/* Fields have their natural width; other writes change nothing, and reads of
 * any width and alignment give what is there. */
static void widths_are_checked(void **state)
{
	uint32_t word;

	(void)state;
	assert_true(negotiate(VERSION_1));
	set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 4, 8);
	set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 1, 8);
	set_reg(VIRTIO_PCI_COMMON_Q_SIZE + 1, 2, 8);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	set_reg(VIRTIO_PCI_COMMON_STATUS, 2, 0);
	set_reg(VIRTIO_PCI_COMMON_STATUS, 4, 0);
	assert_int_equal(get_status(), 11);
	word = get_reg(VIRTIO_PCI_COMMON_STATUS - 1, 4);
	assert_int_equal(word >> 8 & 0xff, 11);
	for (unsigned int at = 0; at < TRANSPORT_BYTES; at += 3)
		for (unsigned int bytes = 1; bytes <= 8; bytes *= 2) {
			if (at + bytes > TRANSPORT_BYTES)
				continue;
			mmio(bar_gpa() + at, bytes, false, 0);
			if (at >= 56)
				mmio(bar_gpa() + at, bytes, true, UINT64_MAX);
		}
	assert_int_equal(get_status(), 11);
}

static void serves_requests(void **state)
{
	static const uint8_t zero[64];
	struct part parts[] = { { buffer(64), 64, true },
				{ buffer(64), 16, true } };
	struct vring_used_elem used;
	struct vq *vq = &driver.vq[0];
	uint16_t head;

	(void)state;
	bring_up(EVENT | INDIRECT, 8);
	*vq_used_event(vq) = 0;
	head = vq_add(vq, parts, 2);
	vq_kick_and_run(vq);
	assert_int_equal(vq_done(vq), 1);
	used = vq_take(vq);
	assert_int_equal(used.id, head);
	assert_int_equal(used.len, 80);
	assert_memory_not_equal(ram(parts[0].gpa), zero, 64);
	assert_memory_not_equal(ram(parts[1].gpa), zero, 16);
	assert_memory_equal(ram(parts[1].gpa + 16), zero, 48);
	assert_int_equal(raised(1), 1);
	assert_int_equal(rng.bytes, 80);
	/* no more is asked for: no interrupt */
	vq_add(vq, parts, 1);
	vq_kick_and_run(vq);
	assert_int_equal(vq_done(vq), 1);
	assert_int_equal(raised(1), 0);
}

static void what_came_before_the_start_is_served(void **state)
{
	struct part part = { buffer(64), 64, true };
	struct vq *vq;

	(void)state;
	assert_true(negotiate(VERSION_1));
	vq = vq_enable(0, 8);
	vq_add(vq, &part, 1);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	run();
	assert_int_equal(vq_done(vq), 1);
}

/* A reset is complete only when the worker has let go of the queues. */
static void reset_waits_for_the_worker(void **state)
{
	struct part part = { buffer(64), 64, true };
	struct vq *vq = &driver.vq[0];

	(void)state;
	bring_up(0, 8);
	vq_add(vq, &part, 1);
	vq_kick(vq);
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get_status(), OK_BITS);
		/* meanwhile, nothing is heard */
		add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
		set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2, 2);
	}
	assert_true(rng.device.started);
	run();
	assert_false(rng.device.started);
	assert_int_equal(get_status(), 0);
	assert_int_equal(get_reg(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	/* kicks of a device that doesn't run are for nothing */
	vq_kick_and_run(vq);
	bring_up(0, 8);
	vq_add(vq, &part, 1);
	vq_kick_and_run(vq);
	assert_int_equal(vq_done(vq), 1);
}

/* Started and reset before the worker ever ran. */
static void reset_overtakes_the_start(void **state)
{
	(void)state;
	assert_true(negotiate(VERSION_1));
	vq_enable(0, 8);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	set_reg(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	run();
	assert_int_equal(get_status(), 0);
	assert_false(rng.device.started);
	bring_up(0, 8);
	assert_true(rng.device.started);
}

static void broken_queue_needs_a_reset(void **state)
{
	struct part part = { RAM_LOW, 64, true }, good = { buffer(8), 8, true };
	struct vq *vq = &driver.vq[0];

	(void)state;
	bring_up(0, 8);
	vq_add(vq, &part, 1);
	vq_kick_and_run(vq);
	assert_int_equal(get_status(), OK_BITS | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(raised(0), 1);
	assert_int_equal(get_reg(TRANSPORT_ISR, 1), 2);
	assert_int_equal(get_reg(TRANSPORT_ISR, 1), 0); /* read: cleared */
	assert_int_equal(rng.device.faults[QUEUE_FAULT_ADDRESS], 1);
	/* nothing more, and it is counted once */
	vq_add(vq, &good, 1);
	vq_kick_and_run(vq);
	assert_int_equal(vq_done(vq), 0);
	assert_int_equal(rng.device.faults[QUEUE_FAULT_ADDRESS], 1);
	assert_int_equal(raised(0), 0);
	bring_up(0, 8);
	assert_int_equal(get_status(), OK_BITS);
	vq_add(vq, &good, 1);
	vq_kick_and_run(vq);
	assert_int_equal(vq_done(vq), 1);
}

static void ring_outside_of_memory_needs_a_reset(void **state)
{
	(void)state;
	assert_true(negotiate(VERSION_1));
	set_address(VIRTIO_PCI_COMMON_Q_DESCLO, UINT64_MAX & ~15ULL);
	set_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	run();
	assert_int_equal(get_status(), OK_BITS | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(rng.device.faults[QUEUE_FAULT_RING], 1);
	vq_kick_and_run(&driver.vq[0]);
	reset();
}

static void without_a_vector_the_isr_tells(void **state)
{
	struct part part = { buffer(8), 8, true };
	struct vq *vq;

	(void)state;
	assert_true(negotiate(VERSION_1));
	vq = vq_enable(0, 8);
	set_reg(VIRTIO_PCI_COMMON_Q_MSIX, 2, 0xffff);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	run();
	vq_add(vq, &part, 1);
	vq_kick_and_run(vq);
	assert_int_equal(raised(1), 0);
	assert_int_equal(get_reg(TRANSPORT_ISR, 1), 1);
}

static void pauses(void **state)
{
	struct part part = { buffer(8), 8, true };
	struct vq *vq = &driver.vq[0];

	(void)state;
	bring_up(0, 8);
	device_pause(&rng.device, true);
	vq_add(vq, &part, 1);
	vq_kick_and_run(vq);
	assert_int_equal(vq_done(vq), 0);
	device_pause(&rng.device, false);
	run();
	assert_int_equal(vq_done(vq), 1);
}

/* One BAR access through configuration space (§4.1.4.9). */
static uint32_t window(uint32_t bar, uint32_t offset, uint32_t length,
		       bool write, uint32_t value)
{
	unsigned int at = find_capability(VIRTIO_PCI_CAP_PCI_CFG);

	config_write(at + 4, 1, bar);
	config_write(at + 8, 4, offset);
	config_write(at + 12, 4, length);
	if (!write)
		return config_read(at + 16, 4);
	config_write(at + 16, 4, value);
	return 0;
}

/* That the window so set reaches nothing: what was written to it stays. */
static void is_nowhere(uint8_t bar, uint32_t offset, uint32_t length)
{
	const uint32_t mark = 0x5a5a5a5a;

	window(bar, offset, length, true, mark);
	assert_int_equal(window(bar, offset, length, false, 0), mark);
}

static void configuration_space_reaches_the_bar(void **state)
{
	struct part part = { buffer(8), 8, true };
	struct vq *vq = &driver.vq[0];

	(void)state;
	bring_up(0, 8);
	assert_int_equal(window(0, VIRTIO_PCI_COMMON_STATUS, 1, false, 0) &
				 0xff,
			 OK_BITS);
	vq_add(vq, &part, 1);
	window(2, 0, 2, true, 0);
	run();
	assert_int_equal(vq_done(vq), 1);
	/* nowhere, in every way */
	is_nowhere(1, 0, 4);
	is_nowhere(3, 0, 4);
	is_nowhere(6, 0, 4);
	is_nowhere(255, 0, 4);
	is_nowhere(2, 128, 2);
	is_nowhere(0, TRANSPORT_BYTES, 4);
	is_nowhere(0, TRANSPORT_BYTES - 2, 4);
	is_nowhere(0, UINT32_MAX, 1);
	is_nowhere(0, UINT32_MAX - 3, 4);
	is_nowhere(0, 1, 4);
	is_nowhere(0, 0, 3);
	is_nowhere(0, 0, 0);
	is_nowhere(0, 0, UINT32_MAX);
	/* a port has nothing to read */
	assert_int_equal(window(2, 0, 4, false, 0), 0);
	window(0, VIRTIO_PCI_COMMON_STATUS, 1, true, 0);
	run();
	assert_int_equal(get_status(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(has_the_capabilities),
		TEST(negotiates_features),
		TEST(follows_the_order_of_the_status),
		TEST(queue_registers_are_checked),
		TEST(widths_are_checked),
		TEST(serves_requests),
		TEST(what_came_before_the_start_is_served),
		TEST(reset_waits_for_the_worker),
		TEST(reset_overtakes_the_start),
		TEST(broken_queue_needs_a_reset),
		TEST(ring_outside_of_memory_needs_a_reset),
		TEST(without_a_vector_the_isr_tells),
		TEST(pauses),
		TEST(configuration_space_reaches_the_bar),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
