/* SPDX-License-Identifier: ISC */
/* A VM, saved and loaded. */
#include "supervisor/state/state_vm.h"

#include <limits.h>

#include "ipc/fd.h"
#include "supervisor/state/names.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_config.h"
#include "supervisor/state/state_machine.h"
#include "supervisor/state/state_rings.h"
#include "supervisor/vm/vm.h"

static const struct field backoff_fields[] = {
	FIELD_NUMBER(struct backoff, quick, 0, UINT32_MAX),
	{ .name = "deaths",
	  .kind = FIELD_KIND_RING,
	  .ring = &state_rings_backoff },
};
static const struct field_group backoff_group = FIELD_GROUP_OF(backoff_fields);

static const struct field tap_fields[] = {
	FIELD_COUNT(struct net_counters, rx_frames),
	FIELD_COUNT(struct net_counters, rx_bytes),
	FIELD_COUNT(struct net_counters, tx_frames),
	FIELD_COUNT(struct net_counters, tx_bytes),
	FIELD_COUNT(struct net_counters, rx_dropped),
	FIELD_COUNT(struct net_counters, tx_dropped),
	FIELD_NUMBER(struct net_counters, tx_foreign, 0, UINT32_MAX),
};
static const struct field_group tap_group = FIELD_GROUP_OF(tap_fields);

#define DIGEST(member)                                                  \
	FIELD_LABEL(struct filter_digests, member, filter_digest_valid, \
		    "a digest, 64 hexadecimal digits")
static const struct field digest_fields[] = {
	FIELD_LABEL(struct filter_digests, inherited, filter_digests_valid,
		    "a list of digests"),
	DIGEST(setup),
	DIGEST(running),
	DIGEST(vcpu),
	DIGEST(seal),
};
static const struct field_group digest_group = FIELD_GROUP_OF(digest_fields);

static const struct field process_fields[] = {
	{ FIELD_NUMBER_AS("pid", struct vm, process.pid, 1, INT_MAX) },
	{ FIELD_NUMBER_AS("pid_started", struct vm, process.started, 0,
			  INT64_MAX) },
	{ FIELD_HEX_AS("channel_inode", struct vm, process.channel_inode) },
	{ FIELD_NUMBER_AS("filters", struct vm, process.filters, 0,
			  UINT32_MAX) },
	{ FIELD_GROUP_AS("digests", struct vm, process.digests,
			 &digest_group) },
	{ FIELD_NUMBER_AS("protocol", struct vm, process.protocol, 1,
			  UINT32_MAX) },
};
static const struct field_group process_group = FIELD_GROUP_OF(process_fields);

static bool has_process(const void *object)
{
	const struct vm *vm = object;

	return vm->process.pid_fd >= 0;
}

/* The fields that a supervisor after a crash reads, too. */
static const struct field lasting_fields[] = {
	FIELD_GROUP(struct vm, config, &state_config_vm_fields),
	FIELD_NUMBER(struct vm, uid, 0, UINT32_MAX - 1),
	FIELD_CHOICE(struct vm, state, names_state, VM_STATES),
	FIELD_BOOL(struct vm, wanted),
	FIELD_CHOICE(struct vm, stop_step, names_stop_step, NAMES_STOP_STEPS),
	FIELD_COUNT(struct vm, generation),
	FIELD_COUNT(struct vm, restarts),
	FIELD_GROUP(struct vm, backoff, &backoff_group),
	FIELD_RING(struct vm, deaths, &state_rings_deaths),
	{ FIELD_NUMBER_AS("tap_ifindex", struct vm, tap.ifindex, 0, INT_MAX) },
	{ FIELD_NUMBER_AS("tap_mtu", struct vm, tap.mtu, 0, UINT16_MAX) },
	{ FIELD_GROUP_AS("tap_base", struct vm, tap.base, &tap_group) },
	{ FIELD_BOOL_AS("guarded", struct vm, tap.guarded) },
	{ FIELD_COUNTERS_AS("guard_seen", struct vm, tap.guard_seen,
			    names_guard_reason, GUARD_REASONS) },
	{ .name = "process",
	  .kind = FIELD_KIND_GROUP,
	  .group = &process_group,
	  .when = has_process },
	{ FIELD_NUMBER_AS("spawned_ns", struct vm, process.spawned_ns, 0,
			  INT64_MAX) },
	{ FIELD_NUMBER_AS("running_ns", struct vm, process.running_ns, 0,
			  INT64_MAX) },
	FIELD_COUNTERS(struct vm, settled, names_stat, VM_STATS),
	FIELD_COUNTERS(struct vm, stats, names_stat, VM_STATS),
};
static const struct field_group lasting_group = FIELD_GROUP_OF(lasting_fields);

static const struct field log_fields[] = {
	FIELD_RING(struct vmlog, current, &state_rings_log),
	FIELD_RING(struct vmlog, previous, &state_rings_log),
};
static const struct field_group log_group = FIELD_GROUP_OF(log_fields);

static const struct field token_bucket_fields[] = {
	FIELD_COUNT(struct token_bucket, refilled_ns),
	FIELD_NUMBER(struct token_bucket, left, 0, UINT32_MAX),
};
static const struct field_group token_bucket_group =
	FIELD_GROUP_OF(token_bucket_fields);

static bool timer_armed(const void *object)
{
	const struct vm *vm = object;

	return vm->timer.armed;
}

static bool heartbeat_armed(const void *object)
{
	const struct vm *vm = object;

	return vm->heartbeat.timer.armed;
}

/* The fields that only the next program of the same process can use. */
static const struct field passing_fields[] = {
	{ FIELD_NUMBER_AS("timer_due_ns", struct vm, timer.due_ns, 1,
			  INT64_MAX),
	  .when = timer_armed },
	{ FIELD_NUMBER_AS("heartbeat_due_ns", struct vm, heartbeat.timer.due_ns,
			  1, INT64_MAX),
	  .when = heartbeat_armed },
	{ FIELD_NUMBER_AS("tap_fd", struct vm, tap.fd, -1, INT_MAX) },
	{ FIELD_NUMBER_AS("pid_fd", struct vm, process.pid_fd, -1, INT_MAX) },
	{ FIELD_NUMBER_AS("channel_fd", struct vm, process.channel.fd, -1,
			  INT_MAX) },
	{ FIELD_NUMBER_AS("channel_generation", struct vm,
			  process.channel.generation, 0, INT64_MAX) },
	{ FIELD_NUMBER_AS("listener_fd", struct vm, process.listener_fd, -1,
			  INT_MAX) },
	{ FIELD_BOOL_AS("proved", struct vm, process.proved) },
	{ FIELD_BOOL_AS("loaded", struct vm, process.loaded) },
	{ FIELD_NUMBER_AS("uids_fd", struct vm, process.uids_fd, -1, INT_MAX) },
	FIELD_BOOL(struct vm, unsaved),
	{ FIELD_NUMBER_AS("told_mtu", struct vm, tap.told_mtu, 0, UINT16_MAX) },
	{ FIELD_GROUP_AS("doom", struct vm, process.exit,
			 &state_rings_death_fields) },
	{ FIELD_NUMBER_AS("unanswered_ns", struct vm, heartbeat.unanswered_ns,
			  0, INT64_MAX) },
	{ FIELD_BOOL_AS("awaiting_stats", struct vm,
			heartbeat.awaiting_stats) },
	{ FIELD_HEX_AS("stats_id", struct vm, heartbeat.stats_id) },
	{ FIELD_BOOL_AS("adopting", struct vm, process.adopting) },
	{ FIELD_BOOL_AS("aborting", struct vm, heartbeat.aborting) },
	{ FIELD_BOOL_AS("pause_pending", struct vm, process.pause_pending) },
	{ FIELD_BOOL_AS("resume_pending", struct vm, process.resume_pending) },
	{ FIELD_BOOL_AS("channel_ended", struct vm, process.channel_ended) },
	{ FIELD_BOOL_AS("deed_told", struct vm, process.guest_event_told) },
	{ FIELD_CHOICE_AS("deed", struct vm, process.guest_event, names_death,
			  DEATH_REASONS) },
	{ FIELD_BOOL_AS("vhost_used", struct vm, process.vhost_used) },
	{ FIELD_GROUP_AS("log", struct vm, log.kept, &log_group) },
	{ FIELD_GROUP_AS("log_lines", struct vm, log.lines,
			 &token_bucket_group) },
	{ FIELD_GROUP_AS("log_flood", struct vm, log.flood,
			 &token_bucket_group) },
	{ FIELD_NUMBER_AS("log_dropped", struct vm, log.dropped, 0,
			  INT64_MAX) },
};
static const struct field_group passing_group = FIELD_GROUP_OF(passing_fields);

/* The TAP's further queues. */
static json_t *queues_save(const struct vm *vm)
{
	json_t *queues = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(vm->tap.queue_fds); i++)
		json_array_append_new(queues,
				      json_integer(vm->tap.queue_fds[i]));
	return queues;
}

static void queues_load(struct vm *vm, const json_t *queues)
{
	for (size_t i = 0; i < ARRAY_SIZE(vm->tap.queue_fds); i++) {
		const json_t *fd = json_array_get(queues, i);

		vm->tap.queue_fds[i] =
			json_is_integer(fd) ? (int)json_integer_value(fd) : -1;
	}
}

json_t *state_vm_save(const struct vm *vm, enum state_extent extent)
{
	json_t *object = fields_save(&lasting_group, vm);

	if (object &&
	    ((extent == STATE_UPGRADE &&
	      (fields_add(&passing_group, vm, object) < 0 ||
	       json_object_set_new(object, "queue_fds", queues_save(vm)) < 0)) ||
	     json_object_set_new(
		     object, "machine",
		     state_machine_save(vm->config.machine, extent)) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int state_vm_load(struct vm *vm, const json_t *object, struct problem *problem)
{
	const char *whose =
		state_config_whose(json_object_get(object, "config"));
	int error = fields_load(&lasting_group, vm, object, whose, problem);

	if (!error)
		error = fields_load(&passing_group, vm, object, whose, problem);
	if (error)
		return error;
	queues_load(vm, json_object_get(object, "queue_fds"));
	return state_machine_load(&vm->config.machine,
				  json_object_get(object, "machine"),
				  STATE_UPGRADE, whose, problem);
}

void state_vm_each_fd(const struct vm *vm, fields_visit_fd *visit, void *ctx)
{
	fields_each_fd(&passing_group, vm, visit, ctx);
	for (size_t i = 0; i < ARRAY_SIZE(vm->tap.queue_fds); i++)
		visit(ctx, vm->tap.queue_fds[i]);
	if (vm->config.machine)
		state_machine_each_fd(vm->config.machine, visit, ctx);
}
