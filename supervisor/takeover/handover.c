/* SPDX-License-Identifier: ISC */
/* The document that one image of the supervisor hands to the next. */
#include "supervisor/takeover/handover.h"

#include <fcntl.h>
#include <stddef.h>
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
#include "supervisor/state/state_sandbox.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/pings.h"
#include "supervisor/vm/vms.h"

/* ---- what each room says of its part */

static const struct field own_fields[] = {
	FIELD_COUNT(struct supervisor, started_ns),
	{ FIELD_TEXT_AS("program", struct supervisor, program) },
	FIELD_NUMBER(struct supervisor, ping_id, 0, UINT32_MAX),
	FIELD_BOOL(struct supervisor, foreground),
	FIELD_BOOL(struct supervisor, querying),
	FIELD_BOOL(struct supervisor, settled),
	FIELD_BOOL(struct supervisor, took_over),
	{ FIELD_FD_AS("starter_source.fd", struct supervisor,
		      starter_source.fd) },
	{ FIELD_FD_AS("upgrade.guard_fd", struct supervisor,
		      upgrade.guard_fd) },
	{ FIELD_FD_AS("upgrade.guard_pid_fd", struct supervisor,
		      upgrade.guard_pid_fd) },
};
static const struct field_group own_group = FIELD_GROUP_OF(own_fields);

static const struct field host_fields[] = {
	{ FIELD_TEXT_AS("boot_id", struct host, boot_id) },
	FIELD_COUNT(struct host, network_inode),
	FIELD_LABEL(struct host, loaded, filter_digests_valid,
		    "a list of digests"),
	{ FIELD_FD_AS("keep_fd", struct host, store_fd) },
};
static const struct field_group host_group = FIELD_GROUP_OF(host_fields);

/* The tables of fields that make up the document's object "supervisor". */
static const struct part {
	const struct field_group *fields;
	size_t offset; /* in struct supervisor, of what they describe */
} parts[] = {
	{ &own_group, 0 },
	{ &host_group, offsetof(struct supervisor, host) },
	{ &rundir_fields, offsetof(struct supervisor, host.rundir) },
	{ &uids_fields, offsetof(struct supervisor, host.uids) },
	{ &net_fields, offsetof(struct supervisor, host.net) },
	{ &firsthop_fields, offsetof(struct supervisor, host.firsthop) },
	{ &state_sandbox_room, offsetof(struct supervisor, host.room) },
	{ &state_sandbox_cgroup, offsetof(struct supervisor, host.cgroup) },
};

/* NULL without memory. */
static json_t *parts_save(const struct supervisor *supervisor)
{
	const char *base = (const char *)supervisor;
	json_t *object = json_object();

	for (size_t i = 0; object && i < ARRAY_SIZE(parts); i++)
		if (fields_add(parts[i].fields, base + parts[i].offset,
			       object) < 0) {
			json_decref(object);
			object = NULL;
		}
	return object;
}

static int parts_load(struct supervisor *supervisor, const json_t *object,
		      struct problem *problem)
{
	char *base = (char *)supervisor;
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(parts); i++)
		error = fields_load(parts[i].fields, base + parts[i].offset,
				    object, "supervisor", problem);
	return error;
}

/* ---- descriptors */

/* Calls visit for every descriptor that the document names. */
static void each_fd(const struct supervisor *supervisor, fields_visit_fd *visit,
		    void *ctx)
{
	const char *base = (const char *)supervisor;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		fields_each_fd(parts[i].fields, base + parts[i].offset, visit,
			       ctx);
	for (size_t i = 0; i < supervisor->host.vm_count; i++) {
		state_vm_each_fd(supervisor->host.vms[i], visit, ctx);
		visit(ctx, console_fd(supervisor->host.vms[i]));
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

/* A VM and the calls that wait for its process. NULL without memory. */
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

static json_t *document_of(const struct supervisor *supervisor)
{
	/* each of the values may be NULL, and so is all of it then */
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i}",
			 "version", STATE_VERSION, "supervisor",
			 parts_save(supervisor), "config",
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
	error = parts_load(supervisor, json_object_get(read, "supervisor"),
			   problem);
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
