/* SPDX-License-Identifier: ISC */
/* The links of this network namespace: which are ours, and their end. */
#ifndef VMSUP_SUPERVISOR_NET_LINKS_H
#define VMSUP_SUPERVISOR_NET_LINKS_H

#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/net/net.h"

/* A link as its RTM_NEWLINK or RTM_DELLINK says; texts point into that. */
struct link_news {
	int ifindex;
	int master; /* 0: none */
	uint32_t mtu, group;
	bool up;
	const char *name, *alias, *kind; /* "" where the kernel gave none */
	const uint8_t *mac; /* 6 bytes, or NULL */
	struct nlattr *alternatives; /* IFLA_PROP_LIST or NULL */
};

struct link {
	int ifindex, master;
	uint32_t group;
	char name[IFNAMSIZ];
	bool ours; /* has our alias, and is a TAP or a bridge; see below */
	bool bridge;
};

/* { .alias = ... } is an empty list; links_uninit() ends it. */
struct links {
	const char *alias; /* what ours have */
	/* Of a bridge that is ours without any alias, as who made it was killed
	 * before it gave it one; or NULL. */
	const uint8_t *bridge_mac;
	/* Names that must be free, sorted by strcmp(), or NULL; the first that
	 * a link that isn't ours has is copied to taken, its alias to taker. */
	const char *const *wanted;
	size_t wanted_count;
	char taken[IFNAMSIZ];
	char taker[128];
	struct link *list; /* owned */
	size_t count, size;
};

/* False for messages about something else, as a bridge port's. */
bool links_parse(struct nlmsghdr *message, struct link_news *link);

/* Fills links. 0 or -errno. */
int links_read(struct nl_sock *sock, struct links *links);
void links_uninit(struct links *links);
/* The link of that index, or NULL. */
struct link *links_find(const struct links *links, int ifindex);

/* Deletes all that are ours, in one request. 0 or -errno. */
int links_delete_ours(struct nl_sock *sock, const struct links *links);

#endif
