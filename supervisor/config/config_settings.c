/* SPDX-License-Identifier: ISC */
/* All settings of the configuration file, in one table for each group. */
#include "supervisor/config/config_settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)
/* The longest of a TAP: 65,535 bytes, less the Ethernet header. */
#define MTU_MAX 65521
#define MTU_MIN 68 /* RFC 791 */
/* IFNAMSIZ leaves four digits for the VM's index. */
#define TAP_PREFIX_LENGTH 11
/* The supervisor remembers the last 100 deaths of a VM. */
#define DEATHS_MAX     100
#define MEMORY_MIN     (UINT64_C(1) << 20)
#define CPUS_MAX       1024
#define CPU_WEIGHT_MAX 10000 /* Linux, Documentation cgroup-v2, cpu.weight */
/* More than any bridge forwards. */
#define BROADCAST_RATE_MAX 10000000

#define GROUP(table)                     \
	{                                \
		table, ARRAY_SIZE(table) \
	}

const char *const config_settings_guests[] = {
	[GUEST_BUILTIN] = "builtin",
	[GUEST_KVM] = "kvm",
	[GUEST_KINDS] = NULL,
};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVELS] = NULL,
};

#define IN_VM(field)     .offset = offsetof(struct vm_config, field)
#define IN_CONFIG(field) .offset = offsetof(struct config, field)
#define IN_MACHINE(field) \
	.of_machine = true, .offset = offsetof(struct machine_config, field)
#define IN_DISK(field)   .offset = offsetof(struct machine_disk, field)
#define IN_WHOLE         .offset = 0
#define RANGE(low, high) .min = (low), .max = (high)

static const char *const orphan_names[] = {
	[ORPHAN_STAY] = "stay",
	[ORPHAN_END] = "end",
	[ORPHAN_POLICIES] = NULL,
};

static const char *const vhost_names[] = {
	[VHOST_AUTO] = "auto",
	[VHOST_ON] = "on",
	[VHOST_OFF] = "off",
	[VHOST_POLICIES] = NULL,
};

static const char *const guard_names[] = {
	[GUARD_POLICY_ON] = "on",
	[GUARD_POLICY_OFF] = "off",
	[GUARD_POLICY_REQUIRED] = "required",
	[GUARD_POLICIES] = NULL,
};

const char *const config_allow_names[ALLOWS + 1] = {
	[ALLOW_RA] = "ra",
	[ALLOW_REDIRECT] = "redirect",
	[ALLOW_MLD_QUERY] = "mld-query",
	[ALLOW_DHCP_SERVER] = "dhcp-server",
	[ALLOWS] = NULL,
};

static const struct setting restart_settings[] = {
	{ "enabled", SETTING_BOOL, IN_VM(restart.enabled) },
	{ "steady", SETTING_DURATION, IN_VM(restart.steady_ms),
	  RANGE(0, DAY_MS) },
	{ "delay_min", SETTING_DURATION, IN_VM(restart.delay_min_ms),
	  RANGE(1, DAY_MS) },
	{ "delay_max", SETTING_DURATION, IN_VM(restart.delay_max_ms),
	  RANGE(1, DAY_MS) },
	{ "jitter", SETTING_UINT32, IN_VM(restart.jitter_percent),
	  RANGE(0, 100) },
	{ "forget", SETTING_DURATION, IN_VM(restart.forget_ms),
	  RANGE(0, DAY_MS) },
	{ "crash_deaths", SETTING_UINT32, IN_VM(restart.crash_deaths),
	  RANGE(0, DEATHS_MAX) },
	{ "crash_window", SETTING_DURATION, IN_VM(restart.crash_window_ms),
	  RANGE(1, DAY_MS) },
	{ "orphan", SETTING_CHOICE, IN_VM(restart.orphan),
	  .choices = orphan_names },
};
static const struct setting_group restart_group = GROUP(restart_settings);

static const struct setting timeouts_settings[] = {
	{ "start", SETTING_DURATION, IN_VM(timeouts.start_ms),
	  RANGE(10, HOUR_MS) },
	{ "heartbeat", SETTING_DURATION, IN_VM(timeouts.heartbeat_ms),
	  RANGE(10, HOUR_MS) },
	{ "watchdog", SETTING_DURATION, IN_VM(timeouts.watchdog_ms),
	  RANGE(20, DAY_MS) },
	{ "abort", SETTING_DURATION, IN_VM(timeouts.abort_ms),
	  RANGE(0, HOUR_MS) },
	{ "stop_guest", SETTING_DURATION, IN_VM(timeouts.stop_guest_ms),
	  RANGE(0, HOUR_MS) },
	{ "stop_process", SETTING_DURATION, IN_VM(timeouts.stop_process_ms),
	  RANGE(0, HOUR_MS) },
};
static const struct setting_group timeouts_group = GROUP(timeouts_settings);

static const struct setting limits_settings[] = {
	{ "memory", SETTING_SIZE, IN_VM(limits.memory_bytes),
	  RANGE(MEMORY_MIN, INT64_MAX) },
	{ "cpu", SETTING_UINT32, IN_VM(limits.cpu_percent),
	  RANGE(0, 100 * CPUS_MAX) },
	{ "cpu_weight", SETTING_UINT32, IN_VM(limits.cpu_weight),
	  RANGE(1, CPU_WEIGHT_MAX) },
};
static const struct setting_group limits_group = GROUP(limits_settings);

static const struct setting disk_settings[] = {
	{ "path", SETTING_PATH, IN_DISK(path), RANGE(1, MACHINE_PATH - 1) },
	{ "read_only", SETTING_BOOL, IN_DISK(read_only) },
	{ "direct", SETTING_BOOL, IN_DISK(direct) },
};
const struct setting_group config_settings_disk = GROUP(disk_settings);

/* Settings that both a VM and the defaults have: not
 * those that must be unique. */
#define INHERITED(X)                                                           \
	X("guest", SETTING_CHOICE, IN_VM(guest),                               \
	  .choices = config_settings_guests)                                   \
	X("autostart", SETTING_BOOL, IN_VM(autostart))                         \
	X("allow", SETTING_FLAGS, IN_VM(allow), .choices = config_allow_names) \
	X("broadcast_rate", SETTING_UINT32, IN_VM(broadcast_rate),             \
	  RANGE(0, BROADCAST_RATE_MAX))                                        \
	X("restart", SETTING_GROUP, .group = &restart_group)                   \
	X("timeouts", SETTING_GROUP, .group = &timeouts_group)                 \
	X("limits", SETTING_GROUP, .group = &limits_group)                     \
	X("core_scheduling", SETTING_BOOL, IN_VM(core_scheduling))             \
	X("kernel", SETTING_PATH, IN_MACHINE(kernel),                          \
	  RANGE(1, MACHINE_PATH - 1))                                          \
	X("initrd", SETTING_PATH, IN_MACHINE(initrd), .max = MACHINE_PATH - 1) \
	X("cmdline", SETTING_TEXT, IN_MACHINE(cmdline),                        \
	  .max = MACHINE_CMDLINE - 1)                                          \
	X("memory", SETTING_MEMORY, IN_MACHINE(memory_bytes),                  \
	  RANGE(MACHINE_MEMORY_MIN, MACHINE_MEMORY_MAX))                       \
	X("cpus", SETTING_UINT32, IN_MACHINE(cpus),                            \
	  RANGE(1, MACHINE_CPUS_MAX))                                          \
	X("hugepages", SETTING_BOOL, IN_MACHINE(hugepages))                    \
	X("queues", SETTING_UINT32, IN_MACHINE(queues),                        \
	  RANGE(0, MACHINE_QUEUES))                                            \
	X("vhost", SETTING_CHOICE, IN_MACHINE(vhost), .choices = vhost_names)
#define ELEMENT(...) { __VA_ARGS__ },

static const struct setting vm_settings[] = {
	{ "name", SETTING_VM_NAME, IN_VM(name) },
	{ "mac", SETTING_VM_MAC, IN_WHOLE },
	{ "address", SETTING_VM_IPV4, IN_WHOLE },
	{ "address6", SETTING_VM_IPV6, IN_WHOLE },
	{ "tap", SETTING_LINK_NAME, IN_VM(tap), .max = IFNAMSIZ - 1 },
	{ "disks", SETTING_DISKS, .of_machine = true },
	INHERITED(ELEMENT) /* the last */
};
const struct setting_group config_settings_vm = GROUP(vm_settings);

static const struct setting bridge_settings[] = {
	{ "name", SETTING_LINK_NAME, IN_CONFIG(bridge), .max = IFNAMSIZ - 1 },
	{ "address", SETTING_BRIDGE_IPV4, IN_WHOLE },
	{ "address6", SETTING_BRIDGE_IPV6, IN_WHOLE },
	{ "mtu", SETTING_UINT16, IN_CONFIG(mtu), RANGE(MTU_MIN, MTU_MAX) },
};
static const struct setting_group bridge_group = GROUP(bridge_settings);

static const struct setting uids_settings[] = {
	{ "first", SETTING_UINT32, IN_CONFIG(uid_first),
	  RANGE(1, UINT32_MAX - 1) },
	{ "count", SETTING_UINT32, IN_CONFIG(uid_count),
	  RANGE(1, UINT32_MAX - 1) },
};
static const struct setting_group uids_group = GROUP(uids_settings);

static const struct setting defaults_settings[] = { INHERITED(ELEMENT) };
static const struct setting_group defaults_group = GROUP(defaults_settings);

/* The bridge and the defaults come before the VMs, which depend on them. */
static const struct setting root_settings[] = {
	{ "bridge", SETTING_GROUP, .group = &bridge_group },
	{ "tap_prefix", SETTING_LINK_NAME, IN_CONFIG(tap_prefix),
	  .max = TAP_PREFIX_LENGTH },
	{ "mac_domain", SETTING_TEXT, IN_CONFIG(mac_domain),
	  .max = CONFIG_MAC_DOMAIN - 1 },
	{ "uids", SETTING_GROUP, .group = &uids_group },
	{ "log_level", SETTING_CHOICE, IN_CONFIG(log_level),
	  .choices = level_names },
	{ "guard", SETTING_CHOICE, IN_CONFIG(guard), .choices = guard_names },
	{ "defaults", SETTING_GROUP, IN_CONFIG(defaults),
	  .group = &defaults_group },
	{ "vms", SETTING_VMS, IN_WHOLE },
};
const struct setting_group config_settings_root = GROUP(root_settings);

static_assert(sizeof(enum guest_kind) == sizeof(uint32_t), "SETTING_CHOICE");

/* ---- the values of settings, in words */

static void expect_range(const struct setting *setting, char *text, size_t size)
{
	snprintf(text, size, "a whole number from %llu to %llu",
		 (unsigned long long)setting->min,
		 (unsigned long long)setting->max);
}

static void expect_duration(const struct setting *setting, char *text,
			    size_t size)
{
	snprintf(text, size,
		 "seconds, as in 1.5, or \"100ms\", \"30s\", \"2m\", \"1h\"; "
		 "from %llums to %lluh",
		 (unsigned long long)setting->min,
		 (unsigned long long)(setting->max / HOUR_MS));
}

static void expect_memory(const struct setting *setting, char *text,
			  size_t size)
{
	snprintf(text, size,
		 "whole MiB, as in \"512M\" or \"2G\", or bytes; at least "
		 "\"%lluM\"",
		 (unsigned long long)(setting->min >> 20));
}

static void expect_text(const struct setting *setting, char *text, size_t size)
{
	snprintf(text, size, "a string of up to %llu characters, in UTF-8",
		 (unsigned long long)setting->max);
}

static void expect_path(const struct setting *setting, char *text, size_t size)
{
	snprintf(text, size,
		 "a string: the name of a file, up to %llu characters with its "
		 "directory, in UTF-8",
		 (unsigned long long)setting->max);
}

static void expect_choice(const struct setting *setting, char *text,
			  size_t size)
{
	size_t length = 0;

	for (size_t i = 0; setting->choices[i] && length < size; i++)
		length += (size_t)snprintf(text + length, size - length,
					   "%s\"%s\"", i ? " or " : "",
					   setting->choices[i]);
}

static void expect_flags(const struct setting *setting, char *text, size_t size)
{
	size_t length = (size_t)snprintf(text, size, "a list of some of ");

	for (size_t i = 0; setting->choices[i] && length < size; i++)
		length += (size_t)snprintf(text + length, size - length,
					   "%s\"%s\"", i ? ", " : "",
					   setting->choices[i]);
	if (length < size)
		snprintf(text + length, size - length, ", as in ( \"%s\" )",
			 setting->choices[0]);
}

static void expect_link_name(const struct setting *setting, char *text,
			     size_t size)
{
	snprintf(text, size,
		 "a string of up to %llu letters, digits, _, - and ., the "
		 "first a letter or digit; not all, default or lo",
		 (unsigned long long)setting->max);
}

static const struct {
	const char *words;
	void (*describe)(const struct setting *setting, char *text,
			 size_t size);
} expected[] = {
	[SETTING_GROUP] = { .words = "a group, as in { ... }" },
	[SETTING_VMS] = { .words = "a list of groups, as in "
				   "( { name = \"web\"; } )" },
	[SETTING_BOOL] = { .words = "true or false" },
	[SETTING_UINT16] = { .describe = expect_range },
	[SETTING_UINT32] = { .describe = expect_range },
	[SETTING_DURATION] = { .describe = expect_duration },
	[SETTING_SIZE] = { .words = "bytes, or \"512K\", \"64M\", \"2G\"; at "
				    "least \"1M\", or 0 for no limit" },
	[SETTING_MEMORY] = { .describe = expect_memory },
	[SETTING_CHOICE] = { .describe = expect_choice },
	[SETTING_FLAGS] = { .describe = expect_flags },
	[SETTING_TEXT] = { .describe = expect_text },
	[SETTING_PATH] = { .describe = expect_path },
	[SETTING_DISKS] = { .words = "a list of groups, as in "
				     "( { path = \"web.img\"; } ), 8 at most" },
	[SETTING_LINK_NAME] = { .describe = expect_link_name },
	[SETTING_VM_NAME] = { .words = "a string of up to 31 of a-z, 0-9 and "
				       "-, the first not -" },
	[SETTING_BRIDGE_IPV4] = { .words = "a string: the address and prefix "
					   "length, as in \"10.77.0.1/16\"" },
	[SETTING_BRIDGE_IPV6] = { .words = "a string: the address and prefix "
					   "length, as in \"fd77::1/64\"" },
	[SETTING_VM_MAC] = { .words = "a string: six bytes, as in "
				      "\"02:00:00:00:00:01\"" },
	[SETTING_VM_IPV4] = { .words = "a string: an address of the bridge's "
				       "subnet, as in \"10.77.0.9\"" },
	[SETTING_VM_IPV6] = { .words = "a string: the address and prefix "
				       "length, as in \"fd77::9/64\"" },
};
static_assert(ARRAY_SIZE(expected) == SETTING_KINDS, "a row per kind");
static_assert(VM_NAME_MAX == 31, "as said of SETTING_VM_NAME");
static_assert(MACHINE_DISKS == 8, "as said of SETTING_DISKS");

void config_settings_expected(const struct setting *setting, char *text,
			      size_t size)
{
	if (expected[setting->kind].describe)
		expected[setting->kind].describe(setting, text, size);
	else
		snprintf(text, size, "%s", expected[setting->kind].words);
}

void config_settings_names(const struct setting_group *group, char *text,
			   size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < group->count && length < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%s%s",
					   i ? ", " : "",
					   group->settings[i].name);
}
