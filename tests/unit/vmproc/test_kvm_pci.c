/* SPDX-License-Identifier: ISC */
/* PCI as the guest's accesses see it: configuration, BARs, MSI-X. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/vmproc/kvm_hv.h"
#include "vmproc/kvm/msix.h"

#define BAR_BYTES 0x4000ULL
#define TABLE     0x1000
#define PENDING   0x1800
#define NOTIFY    0x2000
#define VECTORS   3
#define PORTS     64
#define RING      8

static struct pci_bus bus;
static struct pci_function card;
static int notify_fd;
static struct {
	unsigned int reads, writes;
	uint64_t offset, value;
	unsigned int bytes;
} seen;

static uint64_t card_read(struct pci_function *function, unsigned int bar,
			  uint64_t offset, unsigned int bytes)
{
	(void)function;
	assert_true(offset + bytes <= (bar == 0 ? BAR_BYTES : PORTS));
	seen.reads++;
	return 0x1122334455667788;
}

static void card_write(struct pci_function *function, unsigned int bar,
		       uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)function;
	assert_true(offset + bytes <= (bar == 0 ? BAR_BYTES : PORTS));
	seen.writes++;
	seen.offset = offset;
	seen.bytes = bytes;
	seen.value = value;
}

static const struct pci_ops card_ops = {
	.bar_read = card_read,
	.bar_write = card_write,
};

static int setup(void **state)
{
	static const struct pci_identity identity = {
		.vendor = 0x1af4,
		.device = 0x1041,
		.class = 0x020000,
	};
	const struct hv hv = hv_fresh();

	(void)state;
	memset(&seen, 0, sizeof(seen));
	notify_fd = eventfd(0, EFD_NONBLOCK);
	pci_init(&bus, &hv);
	assert_int_equal(pci_add(&bus, &card, &identity, &card_ops), 0);
	assert_int_equal(pci_add_bar(&card, 0, BAR_BYTES), 0);
	assert_int_equal(msix_add(&card, VECTORS, 0, TABLE, PENDING), 0);
	assert_int_equal(pci_add_notifier(&card, 0, NOTIFY, 0, notify_fd), 0);
	assert_int_equal(pci_add_ports(&card, 2, PORTS), 0);
	assert_int_equal(pci_add_notifier(&card, 2, RING, 0, notify_fd), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_remove(&card);
	close(notify_fd);
	return 0;
}

static uint64_t ecam(unsigned int slot, unsigned int reg)
{
	return LAYOUT_ECAM + ((uint64_t)slot << 15) + reg;
}

static uint64_t get(uint64_t gpa, unsigned int bytes)
{
	uint8_t data[8] = { 0 };
	uint64_t value = 0;

	pci_mmio(&bus, gpa, data, bytes, false);
	memcpy(&value, data, bytes);
	return value;
}

static void put(uint64_t gpa, unsigned int bytes, uint64_t value)
{
	uint8_t data[8];

	memcpy(data, &value, 8);
	pci_mmio(&bus, gpa, data, bytes, true);
}

static uint64_t bar(void)
{
	return get(ecam(1, 0x10), 4) & ~0xfULL;
}

static void decode(bool on)
{
	put(ecam(1, 4), 2, on ? 2 : 0);
}

static void identity_is_read_only(void **state)
{
	(void)state;
	put(ecam(1, 0), 4, 0xdeadbeef);
	put(ecam(1, 8), 4, 0xdeadbeef);
	assert_int_equal(get(ecam(1, 0), 4), 0x10411af4);
	assert_int_equal(get(ecam(1, 8), 4), 0x02000000);
	assert_int_equal(get(ecam(0, 8), 4) >> 8, 0x060000);
}

static void nobody_answers_with_ones(void **state)
{
	(void)state;
	assert_int_equal(get(ecam(2, 0), 4), 0xffffffff);
	assert_int_equal(get(ecam(1, 0) + 0x1000, 4), 0xffffffff);
	assert_int_equal(get(LAYOUT_ECAM_END - 4, 8), (uint64_t)-1);
	assert_int_equal(get(LAYOUT_BARS, 4), 0xffffffff);
	/* no extended capability */
	assert_int_equal(get(ecam(1, 0x100), 4), 0);
	/* over the end of the first 256 bytes */
	assert_int_equal(get(ecam(1, 0xfc), 8) >> 32, 0);
}

static void bar_tells_its_size(void **state)
{
	(void)state;
	assert_true(bar() >= LAYOUT_BARS && bar() < LAYOUT_BARS_END);
	put(ecam(1, 0x10), 4, 0xffffffff);
	put(ecam(1, 0x14), 4, 0xffffffff);
	assert_int_equal(get(ecam(1, 0x10), 4),
			 (uint32_t)(~(BAR_BYTES - 1) | 4));
	assert_int_equal(get(ecam(1, 0x14), 4), 0xffffffff);
	put(ecam(1, 0x18), 4, 0xffffffff);
	assert_int_equal(get(ecam(1, 0x18), 4), (0xffff & ~(PORTS - 1)) | 1);
	put(ecam(1, 0x1c), 4, 0xffffffff);
	assert_int_equal(get(ecam(1, 0x1c), 4), 0);
}

static void bar_is_there_when_decoded(void **state)
{
	uint64_t at = bar();

	(void)state;
	assert_int_equal(get(at, 4), 0xffffffff);
	decode(true);
	assert_int_equal(get(at, 4), 0x55667788);
	put(at + BAR_BYTES - 1, 1, 0x5a);
	assert_int_equal(seen.offset, BAR_BYTES - 1);
	assert_int_equal(seen.value, 0x5a);
	/* half out of it: nobody's */
	put(at + BAR_BYTES - 1, 2, 0);
	assert_int_equal(seen.writes, 1);
	decode(false);
	assert_int_equal(get(at, 4), 0xffffffff);
	assert_int_equal(seen.reads, 1);
}

static void bar_outside_the_window_is_nowhere(void **state)
{
	static const uint64_t places[] = { 0,
					   0x1000000,
					   LAYOUT_BARS - BAR_BYTES,
					   LAYOUT_BARS_END,
					   LAYOUT_ECAM,
					   LAYOUT_LAPIC,
					   LAYOUT_HOLE_END,
					   ~(BAR_BYTES - 1) };

	(void)state;
	decode(true);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		put(ecam(1, 0x10), 8, places[i]);
		assert_false(card.bar[0].decoded);
		assert_int_equal(hv_memory.ioeventfds, 0);
	}
	put(ecam(1, 0x10), 8, LAYOUT_BARS_END - BAR_BYTES);
	assert_true(card.bar[0].decoded);
}

static uint64_t rung(int fd)
{
	uint64_t count = 0;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	return count;
}

static void notifier_follows_its_bar(void **state)
{
	(void)state;
	decode(true);
	assert_int_equal(hv_memory.ioeventfds, 1);
	assert_int_equal(hv_memory.ioeventfd[0].address, bar() + NOTIFY);
	put(ecam(1, 0x10), 4, LAYOUT_BARS + 0x100000);
	assert_int_equal(hv_memory.ioeventfds, 1);
	assert_int_equal(hv_memory.ioeventfd[0].address,
			 LAYOUT_BARS + 0x100000 + NOTIFY);
	/* what comes through all the same rings, and reaches nobody else */
	put(bar() + NOTIFY, 2, 1);
	assert_int_equal(rung(notify_fd), 1);
	assert_int_equal(seen.writes, 0);
	decode(false);
	assert_int_equal(hv_memory.ioeventfds, 0);
}

/* Each time takes KVM milliseconds, with the bus locked. */
static void notifier_of_a_restless_bar_is_served_here(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 10 * PCI_MOVES_MAX; i++) {
		decode(i % 2 == 0);
		put(ecam(1, 0x10), 4, LAYOUT_BARS + (i % 8 + 1) * 0x100000);
	}
	assert_int_equal(hv_memory.ioeventfd_calls, 2 * PCI_MOVES_MAX);
	assert_int_equal(hv_memory.ioeventfds, 0);
	decode(true);
	assert_int_equal(hv_memory.ioeventfd_calls, 2 * PCI_MOVES_MAX);
	put(bar() + NOTIFY, 2, 1);
	assert_int_equal(rung(notify_fd), 1);
	assert_int_equal(seen.writes, 0);
}

/* Such as that of MSI-X' table, which nobody is notified by. */
static void only_notifiers_make_moves_dear(void **state)
{
	(void)state;
	card.notifiers = 0;
	for (unsigned int i = 0; i < 2 * PCI_MOVES_MAX; i++)
		decode(i % 2 == 0);
	assert_int_equal(card.moves, 0);
}

static uint16_t port(void)
{
	return (uint16_t)(get(ecam(1, 0x18), 4) & ~3ULL);
}

static void decode_ports(bool on)
{
	put(ecam(1, 4), 2, on ? 1 : 0);
}

static void ports_are_there_when_decoded(void **state)
{
	uint8_t data[4] = { 0x5a, 0, 0, 0 };
	uint16_t at = port();

	(void)state;
	assert_true(at >= LAYOUT_PORTS);
	assert_false(pci_port(&bus, at, data, 2, true));
	decode(true); /* that is memory */
	assert_false(pci_port(&bus, at, data, 2, true));
	decode_ports(true);
	assert_false(card.bar[0].decoded);
	assert_true(pci_port(&bus, (uint16_t)(at + PORTS - 1), data, 1, true));
	assert_int_equal(seen.offset, PORTS - 1);
	assert_int_equal(seen.value, 0x5a);
	assert_true(pci_port(&bus, at, data, 4, false));
	assert_memory_equal(data, "\x88\x77\x66\x55", 4);
	/* half out of it, before it, memory of that address: nobody's */
	assert_false(pci_port(&bus, (uint16_t)(at + PORTS - 1), data, 2, true));
	assert_false(pci_port(&bus, (uint16_t)(at - 1), data, 2, true));
	assert_int_equal(get(at, 4), 0xffffffff);
	assert_int_equal(seen.writes, 1);
	assert_int_equal(seen.reads, 1);
}

static void ports_outside_the_window_are_nowhere(void **state)
{
	static const uint32_t places[] = { 0, 0x3c0, 0x500, 0xcc0, 0xfc0 };
	uint8_t data[1] = { 0 };

	(void)state;
	decode_ports(true);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		put(ecam(1, 0x18), 4, places[i]);
		assert_int_equal(port(), places[i]);
		assert_false(card.bar[2].decoded);
		assert_int_equal(hv_memory.ioeventfds, 0);
	}
	put(ecam(1, 0x18), 4, 0xffffffff); /* the last ones */
	assert_true(card.bar[2].decoded);
	assert_true(pci_port(&bus, 0xffff, data, 1, true));
	assert_int_equal(seen.offset, PORTS - 1);
	/* ports are 16 bits */
	put(ecam(1, 0x18), 4, 0x12340);
	assert_int_equal(port(), 0x2340);
}

static void notifier_follows_its_ports(void **state)
{
	uint8_t data[2] = { 0 };

	(void)state;
	decode_ports(true);
	assert_int_equal(hv_memory.ioeventfds, 1);
	assert_int_equal(hv_memory.ioeventfd[0].space, SPACE_PORTS);
	assert_int_equal(hv_memory.ioeventfd[0].address, port() + RING);
	put(ecam(1, 0x18), 4, 0x8000);
	assert_int_equal(hv_memory.ioeventfds, 1);
	assert_int_equal(hv_memory.ioeventfd[0].address, 0x8000 + RING);
	assert_true(pci_port(&bus, 0x8000 + RING, data, 2, true));
	assert_int_equal(rung(notify_fd), 1);
	assert_int_equal(seen.writes, 0);
	put(ecam(1, 4), 2, 3); /* the one in memory as well */
	assert_int_equal(hv_memory.ioeventfds, 2);
	decode_ports(false);
	assert_int_equal(hv_memory.ioeventfds, 0);
}

static void config_ports(void **state)
{
	uint8_t address[4] = { 0, 8, 0, 0x80 }; /* slot 1 */
	uint8_t data[4] = { 0 };

	(void)state;
	assert_true(pci_port(&bus, 0xcf8, address, 4, true));
	assert_true(pci_port(&bus, 0xcfc, data, 4, false));
	assert_memory_equal(data, "\xf4\x1a\x41\x10", 4);
	assert_true(pci_port(&bus, 0xcfe, data, 2, false));
	assert_memory_equal(data, "\x41\x10", 2);
	address[2] = 1; /* another bus */
	assert_true(pci_port(&bus, 0xcf8, address, 4, true));
	assert_false(pci_port(&bus, 0xcfc, data, 4, false));
	assert_memory_equal(data, "\xff\xff\xff\xff", 4);
	assert_false(pci_port(&bus, 0xcfe, data, 4, false));
	assert_false(pci_port(&bus, 0xcf9, data, 1, true));
}

static void enable(uint16_t control)
{
	put(ecam(1, card.msix_capability) + 2, 2, control);
}

static void set_vector(unsigned int index, uint64_t address, uint32_t data,
		       uint32_t masked)
{
	uint64_t entry = bar() + TABLE + 16ULL * index;

	put(entry, 4, (uint32_t)address);
	put(entry + 4, 4, address >> 32);
	put(entry + 8, 8, data | (uint64_t)masked << 32);
}

static void vector_is_an_irqfd_when_on(void **state)
{
	uint32_t gsi = card.vector[1].gsi;

	(void)state;
	decode(true);
	set_vector(1, 0xfee00000, 0x4041, 0);
	assert_int_equal(hv_memory.irqfd[gsi], 0);
	enable(0x8000);
	assert_true(msix_enabled(&card));
	assert_int_equal(hv_memory.irqfd[gsi], msix_vector_fd(&card, 1));
	assert_int_equal(hv_memory.route[gsi].address, 0xfee00000);
	assert_int_equal(hv_memory.route[gsi].data, 0x4041);
	assert_int_equal(hv_memory.irqfd[card.vector[0].gsi], 0);
	enable(0xc000); /* the whole function masked */
	assert_int_equal(hv_memory.irqfd[gsi], 0);
	enable(0x8000);
	set_vector(1, 0xfee01000, 0x4042, 0);
	assert_int_equal(hv_memory.route[gsi].address, 0xfee01000);
	enable(0);
	assert_int_equal(hv_memory.irqfd[gsi], 0);
	/* the size cannot be changed */
	assert_int_equal(get(ecam(1, card.msix_capability) + 2, 2),
			 VECTORS - 1);
}

static void masked_vector_is_pending(void **state)
{
	(void)state;
	decode(true);
	enable(0x8000);
	set_vector(2, 0xfee00000, 0x4041, 1);
	assert_int_equal(get(bar() + PENDING, 8), 0);
	msix_signal(&card, 2);
	msix_signal(&card, VECTORS);
	msix_signal(&card, 0xffff);
	assert_int_equal(get(bar() + PENDING, 8), 4);
	assert_int_equal(get(bar() + PENDING, 1), 4);
	/* it stays in the eventfd, for the hypervisor to find */
	set_vector(2, 0xfee00000, 0x4041, 0);
	assert_int_equal(get(bar() + PENDING, 8), 0);
	assert_int_equal(rung(msix_vector_fd(&card, 2)), 1);
}

static void table_takes_whole_words_only(void **state)
{
	uint64_t entry = bar() + TABLE;

	(void)state;
	decode(true);
	put(entry, 4, 0xfee00003);
	assert_int_equal(get(entry, 4), 0xfee00000);
	put(entry, 1, 0x55);
	put(entry + 2, 4, 0x55);
	put(entry + 4, 8, 0x55);
	assert_int_equal(get(entry, 8), 0xfee00000);
	assert_int_equal(get(entry + 12, 4), 1);
	put(entry + 12, 4, 0xffffffff);
	assert_int_equal(get(entry + 12, 4), 1);
	/* half in the table */
	put(entry + 16ULL * VECTORS - 4, 8, 0);
	get(entry + 16ULL * VECTORS - 4, 8);
	put(bar() + PENDING, 8, 0);
	assert_int_equal(seen.writes + seen.reads, 0);
}

static void limits(void **state)
{
	static struct pci_function more[PCI_SLOTS];
	static const struct pci_identity identity = { .vendor = 1 };
	int error = 0;

	(void)state;
	for (unsigned int i = 0; i < PCI_SLOTS - 2; i++)
		assert_int_equal(pci_add(&bus, &more[i], &identity, &card_ops),
				 0);
	assert_int_equal(
		pci_add(&bus, &more[PCI_SLOTS - 2], &identity, &card_ops),
		-ENOSPC);
	assert_int_equal(pci_add_bar(&more[0], 1, 4096), -EINVAL);
	assert_int_equal(pci_add_bar(&more[0], 0, 4095), -EINVAL);
	assert_int_equal(pci_add_bar(&more[0], 0, 1ULL << 40), -EINVAL);
	assert_int_equal(pci_add_ports(&more[0], 1, 4), -EINVAL);
	assert_int_equal(pci_add_ports(&more[0], 0, 2), -EINVAL);
	assert_int_equal(pci_add_ports(&more[0], 0, 24), -EINVAL);
	assert_int_equal(pci_add_ports(&more[0], 0, 512), -EINVAL);
	assert_int_equal(pci_add_ports(&card, 2, 4), -EINVAL);
	assert_int_equal(msix_add(&more[0], 1, 0, 0, 64), -EINVAL);
	while (error >= 0)
		error = pci_add_capability(&more[0], 9, "abcdefgh", NULL, 8);
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(pci_add_bar(&more[0], 0, 4096), 0);
	assert_int_equal(msix_add(&more[0], PCI_VECTORS_MAX + 1, 0, 0, 2048),
			 -EINVAL);
	assert_int_equal(msix_add(&more[0], 1, 0, 4096 - 8, 0), -EINVAL);
	for (unsigned int i = 0; i < PCI_SLOTS - 2; i++)
		pci_remove(&more[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity_is_read_only),
		TEST(nobody_answers_with_ones),
		TEST(bar_tells_its_size),
		TEST(bar_is_there_when_decoded),
		TEST(bar_outside_the_window_is_nowhere),
		TEST(notifier_follows_its_bar),
		TEST(notifier_of_a_restless_bar_is_served_here),
		TEST(only_notifiers_make_moves_dear),
		TEST(ports_are_there_when_decoded),
		TEST(ports_outside_the_window_are_nowhere),
		TEST(notifier_follows_its_ports),
		TEST(config_ports),
		TEST(vector_is_an_irqfd_when_on),
		TEST(masked_vector_is_pending),
		TEST(table_takes_whole_words_only),
		TEST(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
