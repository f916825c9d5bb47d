/* SPDX-License-Identifier: ISC */
/* The configuration, saved and loaded: no narrower than what its file takes. */
#include "supervisor/state/state_config.h"

#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/net/net.h"
#include "supervisor/state/names.h"
#include "supervisor/state/state.h"
#include "supervisor/vm/backoff.h"

#define HOUR_MS (3600 * 1000)
#define DAY_MS  (24 * HOUR_MS)
/* Of a TAP: 65,535 bytes less the Ethernet header; RFC 791. */
#define MTU_MAX            65521
#define MTU_MIN            68
#define BROADCAST_RATE_MAX 10000000

/* None yet: it follows from the prefix and the VM's index. */
static bool no_or_link_name(const char *text)
{
	return !text[0] || net_valid_name(text);
}

/* Leaves IFNAMSIZ four digits for the VM's index. */
static bool tap_prefix(const char *text)
{
	return strlen(text) <= IFNAMSIZ - 1 - 4 && net_valid_name(text);
}

static const struct field restart_fields[] = {
	FIELD_BOOL(struct restart_policy, enabled),
	FIELD_NUMBER(struct restart_policy, steady_ms, 0, DAY_MS),
	FIELD_NUMBER(struct restart_policy, delay_min_ms, 1, DAY_MS),
	FIELD_NUMBER(struct restart_policy, delay_max_ms, 1, DAY_MS),
	FIELD_NUMBER(struct restart_policy, jitter_percent, 0, 100),
	FIELD_NUMBER(struct restart_policy, forget_ms, 0, DAY_MS),
	FIELD_NUMBER(struct restart_policy, crash_deaths, 0,
		     BACKOFF_MAX_DEATHS),
	FIELD_NUMBER(struct restart_policy, crash_window_ms, 1, DAY_MS),
	FIELD_CHOICE(struct restart_policy, orphan, names_orphan,
		     ORPHAN_POLICIES),
};
static const struct field_group restart_group = FIELD_GROUP_OF(restart_fields);

static const struct field timeouts_fields[] = {
	FIELD_NUMBER(struct vm_timeouts, start_ms, 10, HOUR_MS),
	FIELD_NUMBER(struct vm_timeouts, heartbeat_ms, 10, HOUR_MS),
	FIELD_NUMBER(struct vm_timeouts, watchdog_ms, 20, DAY_MS),
	FIELD_NUMBER(struct vm_timeouts, abort_ms, 0, HOUR_MS),
	FIELD_NUMBER(struct vm_timeouts, stop_guest_ms, 0, HOUR_MS),
	FIELD_NUMBER(struct vm_timeouts, stop_process_ms, 0, HOUR_MS),
};
static const struct field_group timeouts_group =
	FIELD_GROUP_OF(timeouts_fields);

static const struct field limits_fields[] = {
	FIELD_NUMBER(struct vm_limits, memory_bytes, 0, INT64_MAX),
	FIELD_NUMBER(struct vm_limits, cpu_percent, 0, 100 * 1024),
	FIELD_NUMBER(struct vm_limits, cpu_weight, 0, 10000),
};
static const struct field_group limits_group = FIELD_GROUP_OF(limits_fields);

/* What the defaults have as well; the rest no two VMs can share. */
#define SHARED                                                               \
	FIELD_CHOICE(struct vm_config, guest, names_guest, GUEST_KINDS),     \
		FIELD_BOOL(struct vm_config, autostart),                     \
		FIELD_NUMBER(struct vm_config, allow, 0, (1 << ALLOWS) - 1), \
		FIELD_NUMBER(struct vm_config, broadcast_rate, 0,            \
			     BROADCAST_RATE_MAX),                            \
		FIELD_GROUP(struct vm_config, restart, &restart_group),      \
		FIELD_GROUP(struct vm_config, timeouts, &timeouts_group),    \
		FIELD_GROUP(struct vm_config, limits, &limits_group),        \
		FIELD_BOOL(struct vm_config, core_scheduling)

static const struct field shared_fields[] = { SHARED };
static const struct field_group shared_group = FIELD_GROUP_OF(shared_fields);

static const struct field vm_fields[] = {
	FIELD_LABEL(struct vm_config, name, vm_name_valid, "a VM's name"),
	FIELD_MAC_IF(struct vm_config, mac, has_mac),
	FIELD_IPV4_IF(struct vm_config, ipv4, has_ipv4),
	FIELD_IPV6_IF(struct vm_config, ipv6, has_ipv6),
	FIELD_NUMBER(struct vm_config, ipv6_prefix, 0, 128),
	FIELD_LABEL(struct vm_config, tap, no_or_link_name, "a link's name"),
	SHARED,
};
const struct field_group state_config_vm_fields = FIELD_GROUP_OF(vm_fields);

static const struct field config_fields[] = {
	FIELD_LABEL(struct config, bridge, net_valid_name, "a link's name"),
	FIELD_IPV4(struct config, bridge_ipv4),
	FIELD_NUMBER(struct config, bridge_ipv4_prefix, 8, 30),
	FIELD_IPV6_IF(struct config, bridge_ipv6, has_bridge_ipv6),
	FIELD_NUMBER(struct config, bridge_ipv6_prefix, 0, 128),
	FIELD_NUMBER(struct config, mtu, MTU_MIN, MTU_MAX),
	FIELD_LABEL(struct config, tap_prefix, tap_prefix,
		    "a link's name of up to 11 characters"),
	{ FIELD_TEXT_AS("mac_domain", struct config, mac_domain) },
	FIELD_NUMBER(struct config, uid_first, 1, UINT32_MAX - 1),
	FIELD_NUMBER(struct config, uid_count, 1, UINT32_MAX - 1),
	FIELD_CHOICE(struct config, log_level, names_level, LOG_LEVELS),
	FIELD_CHOICE(struct config, guard, names_guard, GUARD_POLICIES),
	FIELD_GROUP(struct config, defaults, &shared_group),
};
static const struct field_group config_group = FIELD_GROUP_OF(config_fields);

json_t *state_config_save(const struct config *config)
{
	return fields_save(&config_group, config);
}

int state_config_load(struct config *config, const json_t *object,
		      struct problem *problem)
{
	return fields_load(&config_group, config, object, "the configuration",
			   problem);
}

json_t *state_vm_config_save(const struct vm_config *vm)
{
	return fields_save(&state_config_vm_fields, vm);
}

int state_vm_config_load(struct vm_config *vm, const json_t *object,
			 struct problem *problem)
{
	return fields_load(&state_config_vm_fields, vm, object,
			   state_config_whose(object), problem);
}

const char *state_config_whose(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "name"));

	return name && vm_name_valid(name) ? name : "a VM";
}
