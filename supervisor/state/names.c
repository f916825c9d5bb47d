/* SPDX-License-Identifier: ISC */
/* What enumerators are called in documents: for tables of fields. */
#include "supervisor/state/names.h"

#include <assert.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "ipc/proto.h"
#include "supervisor/config/config.h"
#include "supervisor/death.h"
#include "supervisor/vm.h"

static const char *const guests[] = {
	[GUEST_BUILTIN] = "builtin",
	[GUEST_KVM] = "kvm",
};
static_assert(ARRAY_SIZE(guests) == GUEST_KINDS, "a name per kind");

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

const char *names_vhost(unsigned int policy)
{
	return vhosts[policy];
}

const char *names_guest(unsigned int kind)
{
	return guests[kind];
}

const char *names_orphan(unsigned int policy)
{
	return orphans[policy];
}

const char *names_level(unsigned int level)
{
	return log_level_name((enum log_level)level);
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
	if (counter == VM_STAT_TX_DROP_FOREIGN)
		return "tx_drop_foreign";
	return stat_name((enum counter)counter);
}
