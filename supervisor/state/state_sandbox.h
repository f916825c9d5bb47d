/* SPDX-License-Identifier: ISC */
/* What the next image must know of the sandbox, in the upgrade's document. */
#ifndef VMSUP_SUPERVISOR_STATE_SANDBOX_H
#define VMSUP_SUPERVISOR_STATE_SANDBOX_H

#include "supervisor/lib/fields.h"

struct room;

/* An object: the inode of each namespace of the room, by its name. */
json_t *state_sandbox_namespaces(const struct room *room);

/* Of a struct room. */
extern const struct field_group state_sandbox_room;
/* Of a struct cgroup. */
extern const struct field_group state_sandbox_cgroup;

#endif
