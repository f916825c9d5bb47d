/* SPDX-License-Identifier: ISC */
/* A hypervisor that only remembers: for tests of the machine without KVM. */
#ifndef VMSUP_TESTS_KVM_HV_H
#define VMSUP_TESTS_KVM_HV_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "vmproc/kvm/hv.h"
#include "vmproc/kvm/layout.h"

#define HV_IOEVENTFDS 64

static struct hv_memory {
	int irqfd[GSI_MSI + GSI_MSI_COUNT]; /* by gsi; 0: none */
	struct {
		uint64_t address;
		uint32_t data;
	} route[GSI_MSI + GSI_MSI_COUNT];
	unsigned int routes; /* calls */
	struct {
		enum space space;
		uint64_t address;
		int fd;
	} ioeventfd[HV_IOEVENTFDS];
	unsigned int ioeventfds;
	unsigned int ioeventfd_calls;
} hv_memory;

static int hv_irqfd(void *ctx, int fd, uint32_t gsi, bool add)
{
	struct hv_memory *memory = ctx;

	if (gsi >= GSI_MSI + GSI_MSI_COUNT)
		return -EINVAL;
	if (add ? memory->irqfd[gsi] != 0 : memory->irqfd[gsi] != fd)
		return -EBUSY;
	memory->irqfd[gsi] = add ? fd : 0;
	return 0;
}

static int hv_route(void *ctx, uint32_t gsi, uint64_t address, uint32_t data)
{
	struct hv_memory *memory = ctx;

	if (gsi < GSI_MSI || gsi >= GSI_MSI + GSI_MSI_COUNT)
		return -EINVAL;
	memory->route[gsi].address = address;
	memory->route[gsi].data = data;
	memory->routes++;
	return 0;
}

static int hv_unroute(void *ctx, uint32_t gsi)
{
	(void)ctx;
	(void)gsi;
	return 0;
}

/* As KVM: one place, one eventfd. */
static int hv_ioeventfd(void *ctx, enum space space, uint64_t address,
			uint32_t bytes, int fd, bool add)
{
	struct hv_memory *memory = ctx;

	(void)bytes;
	memory->ioeventfd_calls++;
	for (unsigned int i = 0; i < memory->ioeventfds; i++) {
		if (memory->ioeventfd[i].space != space ||
		    memory->ioeventfd[i].address != address)
			continue;
		if (add)
			return -EEXIST;
		if (memory->ioeventfd[i].fd != fd)
			continue;
		memory->ioeventfd[i] = memory->ioeventfd[--memory->ioeventfds];
		return 0;
	}
	if (!add)
		return -ENOENT;
	if (memory->ioeventfds == HV_IOEVENTFDS)
		return -ENOSPC;
	memory->ioeventfd[memory->ioeventfds].space = space;
	memory->ioeventfd[memory->ioeventfds].address = address;
	memory->ioeventfd[memory->ioeventfds++].fd = fd;
	return 0;
}

static const struct hv_ops hv_memory_ops = {
	.irqfd = hv_irqfd,
	.route = hv_route,
	.unroute = hv_unroute,
	.ioeventfd = hv_ioeventfd,
};

/* One that has forgotten everything. */
static struct hv hv_fresh(void)
{
	memset(&hv_memory, 0, sizeof(hv_memory));
	return (struct hv){ &hv_memory_ops, &hv_memory };
}

#endif
