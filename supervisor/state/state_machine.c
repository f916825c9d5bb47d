/* SPDX-License-Identifier: ISC */
/* What a VM with guest kvm is made of, saved and loaded. */
#include "supervisor/state/state_machine.h"

#include <limits.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/config/config.h"
#include "supervisor/lib/fields.h"
#include "supervisor/state/names.h"
#include "supervisor/state/state.h"

#define MIB (UINT64_C(1) << 20)

static bool any_text(const char *text)
{
	(void)text;
	return true;
}

#define TEXT(type, member) \
	FIELD_LABEL(type, member, any_text, "a text that is short enough")

static const struct field machine_fields[] = {
	TEXT(struct machine_config, kernel),
	TEXT(struct machine_config, initrd),
	TEXT(struct machine_config, cmdline),
	FIELD_NUMBER(struct machine_config, memory_bytes, MACHINE_MEMORY_MIN,
		     INT64_MAX),
	FIELD_NUMBER(struct machine_config, cpus, 1, MACHINE_CPUS_MAX),
	FIELD_BOOL(struct machine_config, hugepages),
	FIELD_NUMBER(struct machine_config, queues, 0, MACHINE_QUEUES),
	FIELD_CHOICE(struct machine_config, vhost, names_vhost, VHOST_POLICIES),
};
static const struct field_group machine_group = FIELD_GROUP_OF(machine_fields);

static const struct field machine_fd_fields[] = {
	FIELD_NUMBER(struct machine_config, kernel_fd, -1, INT_MAX),
	FIELD_NUMBER(struct machine_config, initrd_fd, -1, INT_MAX),
};
static const struct field_group machine_fd_group =
	FIELD_GROUP_OF(machine_fd_fields);

static const struct field disk_fields[] = {
	TEXT(struct machine_disk, path),
	FIELD_BOOL(struct machine_disk, read_only),
	FIELD_BOOL(struct machine_disk, direct),
};
static const struct field_group disk_group = FIELD_GROUP_OF(disk_fields);

static const struct field disk_fd_fields[] = {
	FIELD_NUMBER(struct machine_disk, fd, -1, INT_MAX),
};
static const struct field_group disk_fd_group = FIELD_GROUP_OF(disk_fd_fields);

static json_t *disk_save(const struct machine_disk *disk,
			 enum state_extent extent)
{
	json_t *object = fields_save(&disk_group, disk);

	if (object && extent == STATE_UPGRADE &&
	    fields_add(&disk_fd_group, disk, object) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *disks_save(const struct machine_config *machine,
			  enum state_extent extent)
{
	json_t *disks = json_array();

	for (uint32_t i = 0; i < machine->disk_count; i++)
		if (json_array_append_new(
			    disks, disk_save(&machine->disks[i], extent)) < 0) {
			json_decref(disks);
			return NULL;
		}
	return disks;
}

json_t *state_machine_save(const struct machine_config *machine,
			   enum state_extent extent)
{
	json_t *object;

	if (!machine)
		return json_null();
	object = fields_save(&machine_group, machine);
	if (object && ((extent == STATE_UPGRADE &&
			fields_add(&machine_fd_group, machine, object) < 0) ||
		       json_object_set_new(object, "disks",
					   disks_save(machine, extent)) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int load_disks(struct machine_config *machine, const json_t *disks,
		      enum state_extent extent, const char *whose,
		      struct problem *problem)
{
	json_t *object;
	size_t i;

	if (json_array_size(disks) > MACHINE_DISKS)
		return problem_set(problem, -EINVAL,
				   "%s has more than %d disks", whose,
				   MACHINE_DISKS);
	json_array_foreach(disks, i, object) {
		struct machine_disk *disk = &machine->disks[i];
		int error =
			fields_load(&disk_group, disk, object, whose, problem);

		if (!error && extent == STATE_UPGRADE)
			error = fields_load(&disk_fd_group, disk, object, whose,
					    problem);
		if (error)
			return error;
		machine->disk_count++;
	}
	return 0;
}

int state_machine_load(struct machine_config **machine, const json_t *object,
		       enum state_extent extent, const char *whose,
		       struct problem *problem)
{
	int error;

	*machine = NULL;
	if (!json_is_object(object))
		return 0;
	*machine = machine_new();
	if (!*machine)
		return problem_set(problem, -ENOMEM, "out of memory");
	error = fields_load(&machine_group, *machine, object, whose, problem);
	if (!error && extent == STATE_UPGRADE)
		error = fields_load(&machine_fd_group, *machine, object, whose,
				    problem);
	if (!error)
		error = load_disks(*machine, json_object_get(object, "disks"),
				   extent, whose, problem);
	if (!error && (*machine)->memory_bytes % MIB != 0)
		error = problem_set(problem, -EINVAL,
				    "the memory of %s is not a multiple of "
				    "1 MiB",
				    whose);
	return error;
}

void state_machine_each_fd(const struct machine_config *machine,
			   fields_visit_fd *visit, void *ctx)
{
	fields_each_fd(&machine_fd_group, machine, visit, ctx);
	for (uint32_t i = 0; i < machine->disk_count; i++)
		fields_each_fd(&disk_fd_group, &machine->disks[i], visit, ctx);
}
