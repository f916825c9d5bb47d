/* SPDX-License-Identifier: ISC */
/*
 * Frames from a TAP that aren't from its guest's MAC: dropped, and counted.
 *
 * Theory of operation: a locked port drops them as well, but tells nobody. So
 * where the VM process doesn't see the frames, two traffic control filters on
 * the TAP's ingress judge them first: what is from the guest's MAC goes on, all
 * else is dropped, and the queueing discipline that holds the filters counts
 * it. They go away with the TAP. The second filter is only made when the first
 * one is there: alone it would drop everything.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <netlink/attr.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/internal.h"
#include "supervisor/net/netlink.h"

/* Not "clsact", which has every frame that the host sends looked at as well. */
#define KIND        "ingress"
#define HANDLE      TC_H_MAKE(TC_H_INGRESS, 0)
#define SOURCE      (-8) /* from the network header: Ethernet's source */
#define SOURCE_REST (-4) /* its last two bytes, and the type */
#define KEYS_MAX    2 /* as many as it takes to compare a MAC */

enum {
	PRIORITY_OWN = 1,
	PRIORITY_OTHERS
};

static void put_qdisc(struct netlink_batch *batch, int type, int flags,
		      int ifindex)
{
	struct tcmsg which = {
		.tcm_ifindex = ifindex,
		.tcm_parent = TC_H_INGRESS,
		.tcm_handle = HANDLE,
	};

	netlink_add(batch, type, flags, "counting foreign frames", &which,
		    sizeof(which));
	netlink_put_text(batch, TCA_KIND, KIND);
}

static void put_selector(struct netlink_batch *batch,
			 const struct tc_u32_key *keys, uint8_t count)
{
	const struct tc_u32_sel head = {
		.flags = TC_U32_TERMINAL,
		.nkeys = count,
	};
	uint8_t selector[sizeof(head) + KEYS_MAX * sizeof(keys[0])];

	memcpy(selector, &head, sizeof(head));
	memcpy(selector + sizeof(head), keys, count * sizeof(keys[0]));
	netlink_put(batch, TCA_U32_SEL, selector,
		    sizeof(head) + count * sizeof(keys[0]));
}

/* Starts a filter, to be ended as a nest. What matches all of count keys,
 * KEYS_MAX at most, goes on, unless the filter has an action. */
static struct nlattr *begin_filter(struct netlink_batch *batch, int ifindex,
				   uint32_t priority,
				   const struct tc_u32_key *keys, uint8_t count)
{
	struct tcmsg which = {
		.tcm_ifindex = ifindex,
		.tcm_parent = HANDLE,
		.tcm_info = TC_H_MAKE(priority << 16, htons(ETH_P_ALL)),
	};
	struct nlattr *options;

	netlink_add(batch, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL,
		    "counting foreign frames", &which, sizeof(which));
	netlink_put_text(batch, TCA_KIND, "u32");
	options = netlink_nest(batch, TCA_OPTIONS);
	put_selector(batch, keys, count);
	return options;
}

static void put_own(struct netlink_batch *batch, int ifindex,
		    const uint8_t mac[6])
{
	struct tc_u32_key keys[] = {
		{ .mask = htonl(0xffffffff), .off = SOURCE },
		{ .mask = htonl(0xffff0000), .off = SOURCE_REST },
	};

	memcpy(&keys[0].val, mac, 4);
	memcpy(&keys[1].val, mac + 4, 2);
	netlink_nest_end(batch, begin_filter(batch, ifindex, PRIORITY_OWN, keys,
					     ARRAY_SIZE(keys)));
}

static void put_others(struct netlink_batch *batch, int ifindex)
{
	static const struct tc_u32_key any = { .mask = 0 };
	static const struct tc_gact drop = { .action = TC_ACT_SHOT };
	struct nlattr *filter, *actions, *first, *options;

	filter = begin_filter(batch, ifindex, PRIORITY_OTHERS, &any, 1);
	actions = netlink_nest(batch, TCA_U32_ACT);
	first = netlink_nest(batch, 1);
	netlink_put_text(batch, TCA_ACT_KIND, "gact");
	options = netlink_nest(batch, TCA_ACT_OPTIONS);
	netlink_put(batch, TCA_GACT_PARMS, &drop, sizeof(drop));
	netlink_nest_end(batch, options);
	netlink_nest_end(batch, first);
	netlink_nest_end(batch, actions);
	netlink_nest_end(batch, filter);
}

int net_sources_watch(struct net *net, int ifindex, const uint8_t mac[6])
{
	struct netlink_batch batch = { 0 };
	int error;

	put_qdisc(&batch, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
	error = netlink_send(net->sock, &batch);
	if (error)
		return error;
	put_own(&batch, ifindex, mac);
	error = netlink_send(net->sock, &batch);
	if (!error) {
		put_others(&batch, ifindex);
		error = netlink_send(net->sock, &batch);
	}
	if (error) { /* what is there goes, without touching the reason */
		put_qdisc(&batch, RTM_DELQDISC, 0, ifindex);
		(void)netlink_send(net->sock, &batch);
	}
	return error;
}

struct reading {
	uint32_t *frames;
	bool found;
};

static int take_drops(void *ctx, struct nlmsghdr *row)
{
	struct reading *reading = ctx;
	const struct nlattr *stats, *queue;
	struct gnet_stats_queue counters;

	if (row->nlmsg_type != RTM_NEWQDISC)
		return 0;
	stats = nlmsg_find_attr(row, sizeof(struct tcmsg), TCA_STATS2);
	if (!stats)
		return 0;
	queue = nla_find(nla_data(stats), nla_len(stats), TCA_STATS_QUEUE);
	if (!queue)
		return 0;
	memset(&counters, 0, sizeof(counters));
	nla_memcpy(&counters, queue, sizeof(counters));
	*reading->frames = counters.drops;
	reading->found = true;
	return 0;
}

int net_sources_foreign(struct net *net, int ifindex, uint32_t *frames)
{
	struct reading reading = { .frames = frames };
	struct netlink_batch batch = { .row = take_drops, .ctx = &reading };
	int error;

	/* who doesn't ask for the echo gets no answer: it is news for all */
	put_qdisc(&batch, RTM_GETQDISC, NLM_F_ECHO, ifindex);
	error = netlink_send(net->sock, &batch);
	if (!error && !reading.found)
		error = -ENOENT;
	return error;
}
