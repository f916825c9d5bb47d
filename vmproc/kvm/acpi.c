/* SPDX-License-Identifier: ISC */
/*
 * The tables by which a guest finds its machine (ACPI 6.4): a hardware-reduced
 * one, so that there is no power management block, no SCI and no timer to
 * emulate: a sleep and a reset register, and a generic event device.
 */
#include "vmproc/kvm/acpi.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ipc/fd.h"
#include "vmproc/kvm/layout.h"
#include "vmproc/kvm/power.h"

#define PACKED __attribute__((packed))

static const uint8_t dsdt[] = {
#include "vmproc/kvm/dsdt.inc"
};

/* §5.2.6 */
struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} PACKED;
static_assert(sizeof(struct header) == 36, "ACPI 6.4 §5.2.6");

/* §5.2.3.2 */
struct address {
	uint8_t space, bits, offset, access;
	uint64_t address;
} PACKED;
#define ADDRESS_PORT 1
#define ACCESS_BYTE  1

/* §5.2.5.3 */
struct root {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} PACKED;
#define ROOT_FIRST_PART 20 /* bytes that the first checksum is over */
static_assert(sizeof(struct root) == 36, "ACPI 6.4 §5.2.5.3");

/* §5.2.9; what hardware-reduced ACPI ignores is zero */
struct fadt {
	struct header header;
	uint32_t firmware_control, dsdt;
	uint8_t reserved0, profile;
	uint8_t fixed_hardware[63];
	uint16_t boot_flags;
	uint8_t reserved1;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_firmware_control, x_dsdt;
	struct address x_fixed_hardware[8];
	struct address sleep_control, sleep_status;
	uint64_t hypervisor;
} PACKED;
static_assert(offsetof(struct fadt, boot_flags) == 109 &&
		      offsetof(struct fadt, x_dsdt) == 140 &&
		      sizeof(struct fadt) == 276,
	      "ACPI 6.4 §5.2.9");
#define BOOT_NO_VGA          (1U << 2)
#define BOOT_NO_CMOS_CLOCK   (1U << 5)
#define FADT_WBINVD          (1U << 0)
#define FADT_BUTTON_IN_DSDT  (1U << 4)
#define FADT_NO_SLEEP_BUTTON (1U << 5)
#define FADT_RESET           (1U << 10)
#define FADT_HW_REDUCED      (1U << 20)

/* §5.2.12 */
struct madt {
	struct header header;
	uint32_t lapic, flags; /* no 8259 */
} PACKED;
struct madt_lapic {
	uint8_t type, length, uid, id;
	uint32_t flags;
} PACKED;
struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} PACKED;
enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1
};
#define LAPIC_ENABLED 1

/* PCI Firmware 3.2 §4.1.2 */
struct mcfg {
	struct header header;
	uint64_t reserved0;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved1;
} PACKED;

/* Where tables are being written. */
struct writer {
	const struct memory *memory;
	uint64_t next; /* gpa */
};

static uint8_t sum(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint8_t total = 0;

	for (size_t i = 0; i < bytes; i++)
		total = (uint8_t)(total + at[i]);
	return (uint8_t)-total;
}

/* Room for bytes more; NULL: there is none. */
static void *reserve(struct writer *writer, size_t bytes, uint64_t *gpa)
{
	*gpa = writer->next;
	if (bytes > LAYOUT_ACPI_END - writer->next)
		return NULL;
	writer->next = (writer->next + bytes + 15) & ~15ULL;
	return guest_ptr(writer->memory, *gpa, bytes);
}

/* Fills in a table's header and puts it in place; returns its gpa, or 0. */
static uint64_t put(struct writer *writer, void *table, size_t bytes,
		    const char *signature, uint8_t revision)
{
	struct header *header = table;
	uint64_t gpa;
	void *at = reserve(writer, bytes, &gpa);

	if (!at)
		return 0;
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = (uint32_t)bytes;
	header->revision = revision;
	memcpy(header->oem, "VMSUP ", sizeof(header->oem));
	memcpy(header->oem_table, "MACHINE ", sizeof(header->oem_table));
	memcpy(header->creator, "VMSP", sizeof(header->creator));
	header->oem_revision = header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = sum(table, bytes);
	memcpy(at, table, bytes);
	return gpa;
}

static uint64_t put_dsdt(struct writer *writer)
{
	uint64_t gpa;
	void *at = reserve(writer, sizeof(dsdt), &gpa);

	if (!at)
		return 0;
	memcpy(at, dsdt, sizeof(dsdt));
	return gpa;
}

static struct address port(uint16_t number)
{
	return (struct address){
		.space = ADDRESS_PORT,
		.bits = 8,
		.access = ACCESS_BYTE,
		.address = number,
	};
}

static uint64_t put_fadt(struct writer *writer, uint64_t dsdt_gpa)
{
	struct fadt fadt = {
		.boot_flags = BOOT_NO_VGA | BOOT_NO_CMOS_CLOCK,
		.flags = FADT_WBINVD | FADT_BUTTON_IN_DSDT |
			 FADT_NO_SLEEP_BUTTON | FADT_RESET | FADT_HW_REDUCED,
		.reset = port(PORT_RESET),
		.reset_value = POWER_RESET_VALUE,
		.minor = 4,
		.dsdt = (uint32_t)dsdt_gpa,
		.x_dsdt = dsdt_gpa,
		.sleep_control = port(PORT_SLEEP_CONTROL),
		.sleep_status = port(PORT_SLEEP_STATUS),
	};

	return put(writer, &fadt, sizeof(fadt), "FACP", 6);
}

static uint64_t put_madt(struct writer *writer, unsigned int vcpus)
{
	struct {
		struct madt madt;
		struct madt_ioapic ioapic;
		struct madt_lapic lapic[256];
	} PACKED table = {
		.madt.lapic = LAYOUT_LAPIC,
		.ioapic = {
			.type = MADT_IOAPIC,
			.length = sizeof(struct madt_ioapic),
			.address = LAYOUT_IOAPIC,
		},
	};

	if (vcpus > ARRAY_SIZE(table.lapic))
		return 0;
	for (unsigned int i = 0; i < vcpus; i++)
		table.lapic[i] = (struct madt_lapic){
			.type = MADT_LAPIC,
			.length = sizeof(struct madt_lapic),
			.uid = (uint8_t)i,
			.id = (uint8_t)i,
			.flags = LAPIC_ENABLED,
		};
	return put(writer, &table,
		   sizeof(table) - sizeof(table.lapic) +
			   vcpus * sizeof(table.lapic[0]),
		   "APIC", 5);
}

static uint64_t put_mcfg(struct writer *writer)
{
	struct mcfg mcfg = { .base = LAYOUT_ECAM }; /* bus 0 alone */

	return put(writer, &mcfg, sizeof(mcfg), "MCFG", 1);
}

static void make_root(struct root *root, uint64_t xsdt)
{
	*root = (struct root){ .revision = 2, .xsdt = xsdt };
	memcpy(root->signature, "RSD PTR ", sizeof(root->signature));
	memcpy(root->oem, "VMSUP ", sizeof(root->oem));
	root->length = sizeof(*root);
	root->checksum = sum(root, ROOT_FIRST_PART);
	root->extended_checksum = sum(root, sizeof(*root));
}

int acpi_write(const struct memory *memory, unsigned int vcpus)
{
	struct writer writer = { memory, LAYOUT_ACPI };
	struct {
		struct header header;
		uint64_t table[3];
	} PACKED xsdt = { 0 };
	struct root *at;
	struct root root;
	uint64_t gpa;

	at = reserve(&writer, sizeof(*at), &gpa);
	xsdt.table[0] = put_fadt(&writer, put_dsdt(&writer));
	xsdt.table[1] = put_madt(&writer, vcpus);
	xsdt.table[2] = put_mcfg(&writer);
	gpa = put(&writer, &xsdt, sizeof(xsdt), "XSDT", 1);
	if (!at || !xsdt.table[0] || !xsdt.table[1] || !xsdt.table[2] || !gpa)
		return -ENOSPC;
	make_root(&root, gpa);
	memcpy(at, &root, sizeof(root));
	return 0;
}
