/* SPDX-License-Identifier: ISC */
/* What the next image must know of the sandbox, in the upgrade's document. */
#include "supervisor/state/state_sandbox.h"

#include <assert.h>

#include "ipc/fd.h"
#include "sandbox/cgroup.h"
#include "sandbox/room.h"

json_t *state_sandbox_namespaces(const struct room *room)
{
	json_t *object = json_object();

	for (int ns = 0; ns < ROOM_NAMESPACES; ns++)
		json_object_set_new(
			object, room_namespace_name(ns),
			json_integer((json_int_t)room_inode(room, ns)));
	return object;
}

static const struct field state_sandbox_room_table[] = {
	{ FIELD_FD_AS("room.ns_fd[ROOM_NET]", struct room, ns_fd[ROOM_NET]) },
	{ FIELD_FD_AS("room.ns_fd[ROOM_IPC]", struct room, ns_fd[ROOM_IPC]) },
	{ FIELD_FD_AS("room.ns_fd[ROOM_UTS]", struct room, ns_fd[ROOM_UTS]) },
	{ FIELD_FD_AS("room.ns_fd[ROOM_MNT]", struct room, ns_fd[ROOM_MNT]) },
};
static_assert(ROOM_NAMESPACES == ARRAY_SIZE(state_sandbox_room_table),
	      "all of the room's");
const struct field_group state_sandbox_room =
	FIELD_GROUP_OF(state_sandbox_room_table);

static const struct field state_sandbox_cgroup_table[] = {
	{ FIELD_TEXT_AS("cgroup.path", struct cgroup, path) },
	{ FIELD_FD_AS("cgroup.dir_fd", struct cgroup, dir_fd) },
	{ FIELD_FD_AS("cgroup.parent_fd", struct cgroup, parent_fd) },
};
const struct field_group state_sandbox_cgroup =
	FIELD_GROUP_OF(state_sandbox_cgroup_table);
