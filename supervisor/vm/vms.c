/* SPDX-License-Identifier: ISC */
/* The VMs of the supervisor: found, added, counted. */
#include "supervisor/vm/vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/vm/host.h"

struct vm *vms_find(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->vm_count; i++)
		if (strcmp(host->vms[i]->config.name, name) == 0)
			return host->vms[i];
	return NULL;
}

int vms_add(struct host *host, struct vm *vm)
{
	struct vm **vms = reallocarray(host->vms, host->vm_count + 1,
				       sizeof(struct vm *));

	if (!vms)
		return -ENOMEM;
	host->vms = vms;
	vm->index = host->vm_count;
	vms[host->vm_count++] = vm;
	return 0;
}

size_t vms_in(const struct host *host, enum vm_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < host->vm_count; i++)
		count += host->vms[i]->state == state;
	return count;
}

void vms_changed(struct host *host)
{
	/* from the loop, and once for all changes of this turn */
	if (!host->review.armed)
		loop_timer_at(&host->loop, &host->review, 0);
}
