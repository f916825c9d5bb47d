/* SPDX-License-Identifier: ISC */
/*
 * Interrupts and wake-ups by KVM: irqfds, routes, ioeventfds.
 *
 * The interrupt controllers are the kernel's, LAPICs and IOAPIC: a guest's
 * acknowledgements never leave it. With a split one the IOAPIC would be here,
 * and each of its acknowledgements an exit. The 8259s, which come with the
 * kernel's, have no route: nothing reaches the guest by them. There is no PIT.
 */
#include "vmproc/kvm/kvm_irq.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmproc/kvm/machine.h"

#define ROUTES (GSI_PINS + GSI_MSI_COUNT)

/* As KVM_SET_GSI_ROUTING takes it: all of them, each time. */
static union {
	struct kvm_irq_routing table;
	uint8_t room[sizeof(struct kvm_irq_routing) +
		     ROUTES * sizeof(struct kvm_irq_routing_entry)];
} routing;

static int submit(int vm_fd)
{
	return ioctl(vm_fd, KVM_SET_GSI_ROUTING, &routing) < 0 ? -errno : 0;
}

static struct kvm_irq_routing_entry *find_route(uint32_t gsi)
{
	for (uint32_t i = 0; i < routing.table.nr; i++)
		if (routing.table.entries[i].gsi == gsi)
			return &routing.table.entries[i];
	return NULL;
}

int kvm_irq_init(int vm_fd)
{
	memset(&routing, 0, sizeof(routing));
	for (uint32_t pin = 0; pin < GSI_PINS; pin++)
		routing.table.entries[pin] = (struct kvm_irq_routing_entry){
			.gsi = pin,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { KVM_IRQCHIP_IOAPIC, pin },
		};
	routing.table.nr = GSI_PINS;
	return submit(vm_fd);
}

static int kvm_irq_route(void *ctx, uint32_t gsi, uint64_t address,
			 uint32_t data)
{
	const struct machine *machine = ctx;
	struct kvm_irq_routing_entry *entry = find_route(gsi);
	const struct kvm_irq_routing_msi msi = {
		.address_lo = (uint32_t)address,
		.address_hi = (uint32_t)(address >> 32),
		.data = data,
	};

	if (entry && entry->u.msi.address_lo == msi.address_lo &&
	    entry->u.msi.address_hi == msi.address_hi &&
	    entry->u.msi.data == msi.data)
		return 0;
	if (gsi < GSI_MSI)
		return -EINVAL;
	if (!entry) {
		if (routing.table.nr == ROUTES)
			return -ENOSPC;
		entry = &routing.table.entries[routing.table.nr++];
	}
	*entry = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = msi,
	};
	return submit(machine->vm_fd);
}

static int kvm_irq_unroute(void *ctx, uint32_t gsi)
{
	const struct machine *machine = ctx;
	struct kvm_irq_routing_entry *entry = find_route(gsi);

	if (!entry || gsi < GSI_MSI)
		return 0;
	*entry = routing.table.entries[--routing.table.nr];
	return submit(machine->vm_fd);
}

static int kvm_irq_irqfd(void *ctx, int fd, uint32_t gsi, bool add)
{
	const struct machine *machine = ctx;
	struct kvm_irqfd request = {
		.fd = (uint32_t)fd,
		.gsi = gsi,
		.flags = add ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(machine->vm_fd, KVM_IRQFD, &request) < 0 ? -errno : 0;
}

static int kvm_irq_ioeventfd(void *ctx, enum space space, uint64_t address,
			     uint32_t bytes, int fd, bool add)
{
	const struct machine *machine = ctx;
	struct kvm_ioeventfd request = {
		.addr = address,
		.len = bytes,
		.fd = fd,
		.flags = (space == SPACE_PORTS ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return ioctl(machine->vm_fd, KVM_IOEVENTFD, &request) < 0 ? -errno : 0;
}

const struct hv_ops kvm_irq_ops = {
	.irqfd = kvm_irq_irqfd,
	.route = kvm_irq_route,
	.unroute = kvm_irq_unroute,
	.ioeventfd = kvm_irq_ioeventfd,
};
