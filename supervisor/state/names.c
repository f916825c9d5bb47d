/* SPDX-License-Identifier: ISC */
/* What enumerators are called in documents: for tables of fields. */
#include "supervisor/state/names.h"

#include <assert.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "ipc/proto.h"
#include "supervisor/config/config.h"
#include "supervisor/config/config_settings.h"
#include "supervisor/vm/death.h"
#include "supervisor/vm/vm.h"
#include "supervisor/vm/vm_state.h"
#include "supervisor/vm/vmlog.h"

static const char *const orphans[] = {
	[ORPHAN_STAY] = "stay",
	[ORPHAN_END] = "end",
};
static_assert(ARRAY_SIZE(orphans) == ORPHAN_POLICIES, "a name per policy");

static const char *const stop_steps[] = {
	[STOP_ASKED] = "asked",
	[STOP_TERMINATED] = "terminated",
	[STOP_KILLED] = "killed",
};
static_assert(ARRAY_SIZE(stop_steps) == NAMES_STOP_STEPS, "a name per step");

static const char *const vhosts[] = {
	[VHOST_AUTO] = "auto",
	[VHOST_ON] = "on",
	[VHOST_OFF] = "off",
};
static_assert(ARRAY_SIZE(vhosts) == VHOST_POLICIES, "a name per policy");

static const char *const guard_policies[] = {
	[GUARD_POLICY_ON] = "on",
	[GUARD_POLICY_OFF] = "off",
	[GUARD_POLICY_REQUIRED] = "required",
};
static_assert(ARRAY_SIZE(guard_policies) == GUARD_POLICIES, "a name each");

/* Those of the guard, as they stand among a VM's counters. */
static const char *const guard_stats[] = {
	[GUARD_FOREIGN] = "tx_drop_foreign",
	[GUARD_FLOOD] = "tx_drop_flood",
	[GUARD_RA] = "tx_drop_ra",
	[GUARD_REDIRECT] = "tx_drop_redirect",
	[GUARD_MLD_QUERY] = "tx_drop_mld_query",
	[GUARD_DHCP_SERVER] = "tx_drop_dhcp_server",
	[GUARD_HIDDEN] = "tx_drop_hidden",
};
static_assert(ARRAY_SIZE(guard_stats) == GUARD_REASONS, "a name each");

const char *names_guard(unsigned int policy)
{
	return guard_policies[policy];
}

const char *names_allow(unsigned int what)
{
	return config_allow_names[what];
}

const char *names_guard_reason(unsigned int reason)
{
	return guard_reason_name((enum guard_reason)reason);
}

const char *names_vhost(unsigned int policy)
{
	return vhosts[policy];
}

const char *names_guest(unsigned int kind)
{
	return config_settings_guests[kind];
}

const char *names_orphan(unsigned int policy)
{
	return orphans[policy];
}

const char *names_level(unsigned int level)
{
	return log_level_name((enum log_level)level);
}

const char *names_log_source(unsigned int source)
{
	return vmlog_source_name((enum vmlog_source)source);
}

const char *names_state(unsigned int state)
{
	return vm_state_name((enum vm_state)state);
}

const char *names_stop_step(unsigned int step)
{
	return stop_steps[step];
}

const char *names_death(unsigned int reason)
{
	return death_reason_name((enum death_reason)reason);
}

const char *names_stat(unsigned int counter)
{
	if (counter >= VM_STAT_GUARD_FIRST)
		return guard_stats[counter - VM_STAT_GUARD_FIRST];
	return stat_name((enum counter)counter);
}
