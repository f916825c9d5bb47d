/* SPDX-License-Identifier: ISC */
/* The VMs of the supervisor: found, added, counted. */
#include "supervisor/vm/vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/core.h"

struct vm *vms_find(const struct supervisor *supervisor, const char *name)
{
	for (size_t i = 0; i < supervisor->vm_count; i++)
		if (strcmp(supervisor->vms[i]->config.name, name) == 0)
			return supervisor->vms[i];
	return NULL;
}

int vms_add(struct supervisor *supervisor, struct vm *vm)
{
	struct vm **vms = reallocarray(
		supervisor->vms, supervisor->vm_count + 1, sizeof(struct vm *));

	if (!vms)
		return -ENOMEM;
	supervisor->vms = vms;
	vm->index = supervisor->vm_count;
	vms[supervisor->vm_count++] = vm;
	return 0;
}

size_t vms_in(const struct supervisor *supervisor, enum vm_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < supervisor->vm_count; i++)
		count += supervisor->vms[i]->state == state;
	return count;
}

void vms_changed(struct supervisor *supervisor)
{
	/* from the loop, and once for all changes of this turn */
	if (!supervisor->review.armed)
		loop_timer_at(&supervisor->loop, &supervisor->review, 0);
}
