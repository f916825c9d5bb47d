/* SPDX-License-Identifier: ISC */
/* Echo requests that a VM hasn't reported on, over an upgrade. */
#include "supervisor/pings.h"

#include <errno.h>
#include <stdlib.h>

json_t *pings_save(const struct vm *vm)
{
	json_t *ids = json_array();

	for (const struct vm_ping *ping = vm->pings; ping; ping = ping->next)
		if (json_array_append_new(ids, json_integer(ping->id)) < 0) {
			json_decref(ids);
			return NULL;
		}
	return ids;
}

int pings_restore(struct vm *vm, const json_t *ids)
{
	for (size_t i = json_array_size(ids); i-- > 0;) {
		json_int_t id = json_integer_value(json_array_get(ids, i));
		struct vm_ping *ping = calloc(1, sizeof(*ping));

		if (!ping)
			return -ENOMEM;
		ping->id = (uint32_t)id;
		ping->uid = (uid_t)-1; /* until its call, if any, goes on */
		ping->next = vm->pings;
		vm->pings = ping;
		vm->ping_count++;
	}
	return 0;
}
