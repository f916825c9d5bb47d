/* SPDX-License-Identifier: ISC */
/* The guest's physical address space and its ports: who lives where. */
#ifndef VMSUP_VMPROC_KVM_LAYOUT_H
#define VMSUP_VMPROC_KVM_LAYOUT_H

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* RAM lies below the hole and goes on above it. */
#define LAYOUT_HOLE     (3 * GIB)
#define LAYOUT_HOLE_END (4 * GIB)

/* In the first MiB, RAM but for the last part, which no guest takes for RAM. */
#define LAYOUT_GDT       0x500ULL
#define LAYOUT_BOOT_INFO 0x7000ULL /* boot_params, or hvm_start_info */
#define LAYOUT_STACK     0x8ff0ULL
#define LAYOUT_TABLES    0x9000ULL /* page tables: 6 pages */
#define LAYOUT_CMDLINE   0x20000ULL
#define LAYOUT_LOW_END   0x9fc00ULL
#define LAYOUT_ACPI      0xe0000ULL /* found there by those who search */
#define LAYOUT_ACPI_END  0xffff0ULL
#define LAYOUT_RESET     0xffff0ULL /* where a processor begins in real mode */
#define LAYOUT_HIGH      0x100000ULL /* RAM again */
#define LAYOUT_KERNEL    0x1000000ULL /* 16 MiB, unless the kernel says so */

/* In the hole. */
#define LAYOUT_BARS     0xc0000000ULL /* PCI memory, 32-bit as well */
#define LAYOUT_BARS_END 0xe0000000ULL
#define LAYOUT_ECAM     0xe0000000ULL /* configuration space of bus 0 */
#define LAYOUT_ECAM_END 0xe0100000ULL
#define LAYOUT_IOAPIC   0xfec00000ULL
#define LAYOUT_LAPIC    0xfee00000ULL
/* Intel's KVM needs three pages for a TSS and one for a page table; here the
 * guest never looks. */
#define LAYOUT_IDENTITY 0xfeffc000ULL
#define LAYOUT_TSS      0xfeffd000ULL

/* The last page below 4 GiB is that below 1 MiB once more: the first processor
 * begins up there when it is reset by an INIT. */
#define LAYOUT_TOP       0xfffff000ULL
#define LAYOUT_TOP_BYTES (4 * KIB)

/* Ports. */
#define PORT_KEYBOARD       0x64 /* the keyboard controller's commands */
#define PORT_UART           0x3f8
#define PORT_PANIC          0x505
#define PORT_SLEEP_CONTROL  0x600
#define PORT_SLEEP_STATUS   0x601
#define PORT_RESET          0x602
#define PORT_CONFIG_ADDRESS 0xcf8
#define PORT_RESET_CONTROL  0xcf9 /* the chipset's; a byte */
#define PORT_CONFIG_DATA    0xcfc
#define LAYOUT_PORTS        0x1000ULL /* PCI's */
#define LAYOUT_PORTS_END    0x10000ULL

/* Interrupts: global system interrupts of the IOAPIC's 24 pins, then one for
 * each MSI-X vector. */
#define GSI_UART      4
#define GSI_BUTTON    5
#define GSI_PINS      24
#define GSI_MSI       GSI_PINS
#define GSI_MSI_COUNT 512

#endif
