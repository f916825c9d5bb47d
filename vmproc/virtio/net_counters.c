/* SPDX-License-Identifier: ISC */
/* What the network device counts. */
#include "vmproc/virtio/net_counters.h"

#include <assert.h>

#include "ipc/fd.h"
#include "ipc/proto.h"
#include "vmproc/virtio/net.h"

void net_count(struct net_pair *pair, enum net_counter counter, uint64_t by)
{
	/* The VM's counter plus one; 0: it has none. */
	static const uint8_t totals[NET_COUNTERS] = {
		[NET_RX_FRAMES] = STAT_RX_FRAMES + 1,
		[NET_RX_BYTES] = STAT_RX_BYTES + 1,
		[NET_RX_DROP_LONG] = STAT_RX_DROP_LONG + 1,
		[NET_RX_DROP_OFFLOAD] = STAT_RX_DROP_MALFORMED + 1,
		[NET_RX_DROP_RESET] = STAT_RX_DROP_QUEUE + 1,
		[NET_TX_FRAMES] = STAT_TX_FRAMES + 1,
		[NET_TX_BYTES] = STAT_TX_BYTES + 1,
		[NET_TX_DROP_SHORT] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_LONG] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_MALFORMED] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_FOREIGN] = STAT_TX_DROP_ERROR + 1,
		[NET_TX_DROP_LINK_DOWN] = STAT_TX_DROP_LINK_DOWN + 1,
		[NET_TX_DROP_FULL] = STAT_TX_DROP_FULL + 1,
		[NET_TX_DROP_ERROR] = STAT_TX_DROP_ERROR + 1,
	};

	device_count(&pair->counters[counter], by);
	if (pair->net->totals && totals[counter] != 0)
		pair->net->totals[totals[counter] - 1] += by;
}

const char *net_counter_name(enum net_counter counter)
{
	static const char *const names[] = {
#define X(id, name) [NET_##id] = (name),
		NET_COUNTER_TABLE(X)
#undef X
	};
	static_assert(ARRAY_SIZE(names) == NET_COUNTERS, "a name for each");

	return names[counter];
}
