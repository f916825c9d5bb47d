/* SPDX-License-Identifier: ISC */
/* The table of messages: the size of each, and its descriptors. */
#include "ipc/proto.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "ipc/fd.h"

const struct msg_spec msg_specs[MSG_TYPES] = {
	[MSG_CONFIG] = { "CONFIG", sizeof(struct msg_config), 0, true },
	[MSG_FD] = { "FD", sizeof(struct msg_fd), 1, true },
	[MSG_START] = { "START", sizeof(struct msg_plain), 0, true },
	[MSG_STATS_REQUEST] = { "STATS?", sizeof(struct msg_stats_request), 0,
				true },
	[MSG_PING] = { "PING", sizeof(struct msg_ping), 0, true },
	[MSG_LINK] = { "LINK", sizeof(struct msg_link), 0, true },
	[MSG_PAUSE] = { "PAUSE", sizeof(struct msg_plain), 0, true },
	[MSG_RESUME] = { "RESUME", sizeof(struct msg_plain), 0, true },
	[MSG_STOP] = { "STOP", sizeof(struct msg_plain), 0, true },
	[MSG_MACHINE] = { "MACHINE", sizeof(struct msg_machine), 0, true },
	[MSG_COUNTERS_REQUEST] = { "COUNTERS?", sizeof(struct msg_plain), 0,
				   true },
	[MSG_READY] = { "READY", sizeof(struct msg_plain), 1, false },
	[MSG_LOADED] = { "LOADED", sizeof(struct msg_plain), 0, false },
	[MSG_STATS] = { "STATS", sizeof(struct msg_stats), 0, false },
	[MSG_PING_RESULT] = { "PING-RESULT", sizeof(struct msg_ping_result), 0,
			      false },
	[MSG_EVENT] = { "EVENT", sizeof(struct msg_event), 0, false },
	[MSG_LOG] = { "LOG", sizeof(struct msg_log), 0, false },
	[MSG_COUNTERS] = { "COUNTERS", sizeof(struct msg_counters), 0, false },
};

/* No padding: it would carry memory of the sender across the boundary. */
static_assert(sizeof(struct msg_header) == 16, "header");
static_assert(sizeof(struct msg_config) == 16 + 8 + 32 + 8 + 8 + 16 + 8,
	      "CONFIG has no padding");
static_assert(sizeof(struct msg_stats) == 16 + 16 + 8 * STATS, "STATS");
static_assert(sizeof(struct msg_ping) == 16 + 16 + 16, "PING has no padding");
static_assert(sizeof(struct msg_ping_result) == 16 + 24, "PING-RESULT");
static_assert(sizeof(struct msg_machine) == 16 + 16 + MACHINE_CMDLINE,
	      "MACHINE");
static_assert(sizeof(struct msg_counters) ==
		      16 + 8 + COUNTERS_MAX * (COUNTER_NAME + 8),
	      "COUNTERS");
static_assert(sizeof(struct msg_log) == 16 + 8 + MSG_LOG_TEXT, "LOG");

static const char *const stat_names[] = {
#define X(id, name) [STAT_##id] = (name),
	STATS_TABLE(X)
#undef X
};
static_assert(ARRAY_SIZE(stat_names) == STATS, "a name per counter");

const char *stat_name(enum counter counter)
{
	return (unsigned int)counter < STATS ? stat_names[counter] : "?";
}

const char *vmproc_exit_name(int status)
{
	static const struct {
		int status;
		const char *name;
	} exits[] = {
		{ VMPROC_EXIT_OK, "done" },
		{ VMPROC_EXIT_TAP_GONE, "TAP deleted" },
		{ VMPROC_EXIT_OS, "refused by the kernel" },
		{ VMPROC_EXIT_ORPHAN, "supervisor gone" },
		{ VMPROC_EXIT_CAGE, "cage not closed" },
		{ VMPROC_EXIT_PROTOCOL, "protocol error" },
		{ VMPROC_EXIT_CONFIG, "bad configuration" },
		{ VMPROC_EXIT_POWEROFF, "guest powered off" },
		{ VMPROC_EXIT_REBOOT, "guest rebooted" },
		{ VMPROC_EXIT_PANIC, "guest panicked" },
		{ VMPROC_EXIT_TRIPLE_FAULT, "guest crashed: triple fault" },
		{ VMPROC_EXIT_MACHINE, "machine failed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(exits); i++)
		if (exits[i].status == status)
			return exits[i].name;
	return NULL;
}

bool vm_name_valid(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length > 0 && length <= VM_NAME_MAX && name[length] == '\0' &&
	       name[0] != '-';
}

bool proto_is_known(uint32_t version)
{
	return version >= PROTO_OLDEST && version <= PROTO_VERSION;
}

struct place {
	int first;
	unsigned int most;
};

/* The numbers of version 2, kept for as long as version 2 is served. */
static const struct place places_2[FD_ROLES] = {
	[FD_ROLE_ADOPT] = { 10, 1 },
	[FD_ROLE_UIDS] = { 11, 1 },
	[FD_ROLE_TAP] = { 12, FD_INDEX_MAX },
	[FD_ROLE_DISK] = { 20, FD_INDEX_MAX },
	[FD_ROLE_VHOST_NET] = { 28, FD_INDEX_MAX },
	[FD_ROLE_CONSOLE] = { 36, 1 },
	[FD_ROLE_KERNEL] = { 37, 1 },
	[FD_ROLE_INITRD] = { 38, 1 },
	[FD_ROLE_CONSOLE_ADOPT] = { 39, 1 },
};

static const struct place places[FD_ROLES] = {
	[FD_ROLE_ADOPT] = { PROTO_ADOPT_FD, 1 },
	[FD_ROLE_UIDS] = { PROTO_UIDS_FD, 1 },
	[FD_ROLE_KERNEL] = { PROTO_KERNEL_FD, 1 },
	[FD_ROLE_INITRD] = { PROTO_INITRD_FD, 1 },
	[FD_ROLE_CONSOLE_ADOPT] = { PROTO_CONSOLE_ADOPT_FD, 1 },
	[FD_ROLE_FILTER] = { PROTO_PASSING_FD, 1 },
	[FD_ROLE_FILTER_VCPU] = { PROTO_PASSING_FD + 1, 1 },
	[FD_ROLE_KVM] = { PROTO_PASSING_FD + 2, 1 },
	[FD_ROLE_DISK] = { PROTO_DISK_FD, PROTO_DISK_FDS },
	[FD_ROLE_TAP] = { PROTO_TAP_FD, PROTO_TAP_FDS },
	[FD_ROLE_VHOST_NET] = { PROTO_VHOST_FD, PROTO_VHOST_FDS },
	[FD_ROLE_CONSOLE] = { PROTO_CONSOLE_FD, 1 },
};

int proto_fd_number(uint32_t protocol, enum fd_role role, unsigned int index)
{
	const struct place *plan = protocol < PROTO_PLAN ? places_2 : places;

	if (!proto_is_known(protocol) || role >= FD_ROLES ||
	    index >= plan[role].most)
		return 0;
	return plan[role].first + (int)index;
}

#define ALIGNED(block)                                                       \
	static_assert((PROTO_##block##_FDS & (PROTO_##block##_FDS - 1)) ==   \
				      0 &&                                   \
			      PROTO_##block##_FD % PROTO_##block##_FDS == 0, \
		      "a block is aligned at its size")
ALIGNED(PASSING);
ALIGNED(LOOP);
ALIGNED(DISK);
ALIGNED(TAP);
ALIGNED(VHOST);
ALIGNED(VM);
ALIGNED(VCPU);
ALIGNED(EVENT);
static_assert(FD_INDEX_MAX <= PROTO_DISK_FDS && FD_INDEX_MAX <= PROTO_TAP_FDS,
	      "a number for each");
static_assert(PROTO_CONSOLE_ADOPT_FD < PROTO_PASSING_FD, "none twice");
