/* SPDX-License-Identifier: ISC */
/* The document that one image of the supervisor hands to the next. */
#include "supervisor/takeover/handover.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/control/control_save.h"
#include "supervisor/lib/fields.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_config.h"
#include "supervisor/state/state_events.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/pings.h"
#include "supervisor/vm/vms.h"

/* ---- the supervisor's own fields */

static bool is_text(const char *text)
{
	(void)text;
	return true;
}

#define TEXT(type, member)       FIELD_LABEL(type, member, is_text, "a text")
#define DESCRIPTOR(type, member) FIELD_NUMBER(type, member, -1, INT_MAX)

static const struct field host_fields[] = {
	TEXT(struct host, boot_id),
	FIELD_COUNT(struct host, network_inode),
	FIELD_LABEL(struct host, loaded, filter_digests_valid,
		    "a list of digests"),
	TEXT(struct host, rundir.path),
	TEXT(struct host, rundir.instance),
	FIELD_BOOL(struct host, rundir.made),
	FIELD_BOOL(struct host, rundir.keep_socket),
	FIELD_BOOL(struct host, rundir.log_torn),
	FIELD_COUNT(struct host, rundir.log_bytes),
	TEXT(struct host, cgroup.path),
	FIELD_NUMBER(struct host, uids.first, 0, UINT32_MAX),
	FIELD_NUMBER(struct host, uids.next, 0, UINT32_MAX),
	FIELD_NUMBER(struct host, uids.end, 0, UINT32_MAX),
	FIELD_NUMBER(struct host, net.bridge_ifindex, 0, INT_MAX),
	FIELD_NUMBER(struct host, net.group, 0, UINT32_MAX),
	FIELD_BOOL(struct host, net.multicast),
	TEXT(struct host, net.alias),
	TEXT(struct host, firsthop.why_off),
	FIELD_NUMBER(struct host, firsthop.guard.flags, 0, UINT32_MAX),
	FIELD_BOOL(struct host, firsthop.guard.limits),
	DESCRIPTOR(struct host, rundir.dir_fd),
	DESCRIPTOR(struct host, rundir.lock_fd),
	DESCRIPTOR(struct host, rundir.log_fd),
	DESCRIPTOR(struct host, keep_fd),
	DESCRIPTOR(struct host, room.ns_fd[ROOM_NET]),
	DESCRIPTOR(struct host, room.ns_fd[ROOM_IPC]),
	DESCRIPTOR(struct host, room.ns_fd[ROOM_UTS]),
	DESCRIPTOR(struct host, room.ns_fd[ROOM_MNT]),
	DESCRIPTOR(struct host, cgroup.dir_fd),
	DESCRIPTOR(struct host, cgroup.parent_fd),
	DESCRIPTOR(struct host, uids.lock_fd),
};
static_assert(ROOM_NAMESPACES == 4, "all of the room's");
static const struct field_group host_group = FIELD_GROUP_OF(host_fields);

static const struct field own_fields[] = {
	FIELD_COUNT(struct supervisor, started_ns),
	TEXT(struct supervisor, program),
	FIELD_NUMBER(struct supervisor, ping_id, 0, UINT32_MAX),
	FIELD_BOOL(struct supervisor, foreground),
	FIELD_BOOL(struct supervisor, querying),
	FIELD_BOOL(struct supervisor, settled),
	FIELD_BOOL(struct supervisor, took_over),
	DESCRIPTOR(struct supervisor, starter_source.fd),
	DESCRIPTOR(struct supervisor, upgrade.guard_fd),
	DESCRIPTOR(struct supervisor, upgrade.guard_pid_fd),
};
static const struct field_group own_group = FIELD_GROUP_OF(own_fields);

/* ---- descriptors */

typedef int visit_fd(void *ctx, int fd);

static void each_machine_fd(const struct vm *vm, visit_fd *visit, void *ctx)
{
	const struct machine_config *machine = vm->config.machine;

	for (size_t i = 0; i < ARRAY_SIZE(vm->tap.queue_fds); i++)
		visit(ctx, vm->tap.queue_fds[i]);
	visit(ctx, console_fd(vm));
	if (!machine)
		return;
	visit(ctx, machine->kernel_fd);
	visit(ctx, machine->initrd_fd);
	for (uint32_t i = 0; i < machine->disk_count; i++)
		visit(ctx, machine->disks[i].fd);
}

/* The descriptors among the fields of a group. */
static void each_field_fd(const struct field_group *group, const void *object,
			  visit_fd *visit, void *ctx)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct field *field = &group->fields[i];

		if (field->kind == FIELD_KIND_INT32 && field->min == -1)
			visit(ctx, *(const int *)((const char *)object +
						  field->offset));
	}
}

/* Every descriptor that the document names. */
static void each_fd(const struct supervisor *supervisor, visit_fd *visit,
		    void *ctx)
{
	each_field_fd(&host_group, &supervisor->host, visit, ctx);
	each_field_fd(&own_group, supervisor, visit, ctx);
	for (size_t i = 0; i < supervisor->host.vm_count; i++) {
		const struct vm *vm = supervisor->host.vms[i];

		visit(ctx, vm->tap.fd);
		visit(ctx, vm->process.pid_fd);
		visit(ctx, vm->process.channel.fd);
		visit(ctx, vm->process.listener_fd);
		visit(ctx, vm->process.uids_fd);
		each_machine_fd(vm, visit, ctx);
	}
	visit(ctx, net_fd(&supervisor->host.net));
	visit(ctx, firsthop_fd(&supervisor->host));
	visit(ctx, net_monitor_fd(&supervisor->monitor));
	visit(ctx, supervisor->notify.fd);
	control_each_fd(supervisor->control, visit, ctx);
}

static int set_flag(void *ctx, int fd)
{
	const bool *keep = ctx;

	if (fd >= 0)
		fcntl(fd, F_SETFD, *keep ? 0 : FD_CLOEXEC);
	return 0;
}

void handover_keep_open(const struct supervisor *supervisor, int state_fd,
			bool keep)
{
	each_fd(supervisor, set_flag, &keep);
	set_flag(&keep, state_fd);
}

/* ---- saved */

/* A VM with what waits for its word. NULL without memory. */
static json_t *vm_document(const struct vm *vm)
{
	json_t *object = state_vm_save(vm, STATE_UPGRADE);

	if (object &&
	    (json_object_set_new(object, "pings", pings_save(vm)) < 0 ||
	     json_object_set_new(object, "counters", counters_save(vm)) < 0 ||
	     json_object_set_new(object, "console", console_save(vm)) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *vms_document(const struct supervisor *supervisor)
{
	json_t *vms = json_array();

	for (size_t i = 0; i < supervisor->host.vm_count; i++)
		if (json_array_append_new(
			    vms, vm_document(supervisor->host.vms[i])) < 0) {
			json_decref(vms);
			return NULL;
		}
	return vms;
}

/* The supervisor's own fields and its host's, in one object. */
static json_t *own_document(const struct supervisor *supervisor)
{
	json_t *object = fields_save(&own_group, supervisor);

	if (object && fields_add(&host_group, &supervisor->host, object) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *document_of(const struct supervisor *supervisor)
{
	/* each of the values may be NULL, and so is all of it then */
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i}",
			 "version", STATE_VERSION, "supervisor",
			 own_document(supervisor), "config",
			 state_config_save(supervisor->host.config), "vms",
			 vms_document(supervisor), "events",
			 state_events_save(&supervisor->host.events), "control",
			 control_save(supervisor->control), "notify",
			 notify_save(&supervisor->notify), "net_fd",
			 net_fd(&supervisor->host.net), "monitor_fd",
			 net_monitor_fd(&supervisor->monitor), "guard_fd",
			 firsthop_fd(&supervisor->host));
}

static int write_whole(int fd, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t written = write(fd, text, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		bytes -= (size_t)written;
	}
	return 0;
}

int handover_save(const struct supervisor *supervisor)
{
	json_t *document = document_of(supervisor);
	cleanup_free char *text = document ? json_dumps(document, JSON_COMPACT)
					   : NULL;
	cleanup_fd int fd = -1;
	int error;

	json_decref(document);
	if (!text)
		return -ENOMEM;
	fd = memfd_create("vmsup-state", MFD_CLOEXEC);
	error = fd < 0 ? -errno : write_whole(fd, text, strlen(text));
	return error ? error : steal_fd(&fd);
}

/* ---- loaded */

static json_t *read_document(int state_fd, struct problem *problem)
{
	json_error_t error;
	json_t *document;
	struct stat st;
	char *text;

	if (fstat(state_fd, &st) < 0 || st.st_size <= 0) {
		problem_set(problem, -EBADF, "there is no state to take over");
		return NULL;
	}
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, state_fd,
		    0);
	if (text == MAP_FAILED) {
		problem_set(problem, -errno, "cannot read the state: %s",
			    strerror(errno));
		return NULL;
	}
	document = json_loadb(text, (size_t)st.st_size, JSON_REJECT_DUPLICATES,
			      &error);
	munmap(text, (size_t)st.st_size);
	if (!document)
		problem_set(problem, -EINVAL, "the state isn't JSON: %s",
			    error.text);
	return document;
}

static int load_vm(struct supervisor *supervisor, const json_t *object,
		   struct problem *problem)
{
	struct vm *vm = vm_alloc(&supervisor->host, problem);
	int error;

	if (!vm)
		return -ENOMEM;
	/* what an older program's document doesn't say */
	vm->config = supervisor->host.config->defaults;
	vm->config.machine = NULL;
	error = state_vm_load(vm, object, problem);
	if (!error && vm->process.pid_fd >= 0 &&
	    !proto_is_known(vm->process.protocol))
		error = problem_set(problem, -EPROTO,
				    "%s speaks protocol %u, this vmsup %u (end "
				    "the supervisor with 'vmsup stop', then "
				    "start the new one)",
				    vm->config.name, vm->process.protocol,
				    PROTO_VERSION);
	if (!error)
		error = pings_restore(vm, json_object_get(object, "pings"));
	if (!error)
		error = counters_load(vm, json_object_get(object, "counters"));
	if (!error)
		error = console_load(vm, json_object_get(object, "console"));
	if (!error)
		error = vms_add(&supervisor->host, vm);
	if (error)
		vm_free(vm);
	return error;
}

/* Each VM, and its entry in the configuration. */
static int load_vms(struct supervisor *supervisor, const json_t *vms,
		    struct problem *problem)
{
	json_t *object;
	int error = 0;
	size_t i;

	json_array_foreach(vms, i, object) {
		struct vm_config *config;

		error = load_vm(supervisor, object, problem);
		if (error)
			return error;
		config = config_add_unnamed(supervisor->host.config, problem);
		if (!config)
			return -ENOMEM;
		*config = supervisor->host.vms[i]->config;
	}
	supervisor->populated = supervisor->host.vm_count;
	return 0;
}

int handover_load(struct supervisor *supervisor, int state_fd,
		  json_t **document, struct problem *problem)
{
	json_t *read = read_document(state_fd, problem);
	json_int_t version;
	int error;

	*document = read;
	if (!read)
		return -EINVAL;
	version = json_integer_value(json_object_get(read, "version"));
	if (version < 1 || version > STATE_VERSION)
		return problem_set(problem, -EPROTO,
				   "the state is of version %lld, this vmsup "
				   "reads up to %d (vmsup stop, then start)",
				   (long long)version, STATE_VERSION);
	error = fields_load(&own_group, supervisor,
			    json_object_get(read, "supervisor"), "supervisor",
			    problem);
	if (!error)
		error = fields_load(&host_group, &supervisor->host,
				    json_object_get(read, "supervisor"),
				    "supervisor", problem);
	if (!error)
		error = state_config_load(supervisor->host.config,
					  json_object_get(read, "config"),
					  problem);
	if (!error)
		error = load_vms(supervisor, json_object_get(read, "vms"),
				 problem);
	if (!error)
		error = state_events_load(&supervisor->host.events,
					  json_object_get(read, "events"),
					  problem);
	return error;
}
