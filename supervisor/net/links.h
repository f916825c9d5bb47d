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

/* A link as RTM_NEWLINK or RTM_DELLINK describes it;
 * texts point into the message. */
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
	/* it is a TAP or a bridge with our alias, or has bridge_mac */
	bool ours;
	bool bridge;
};

/* The links of this namespace. { .alias = ... } is an empty list;
 * links_uninit() frees it. */
struct links {
	const char *alias; /* the alias of our links */
	/* The MAC of a bridge that is ours even without alias: its supervisor
	 * may have been killed before it set the alias. NULL: none. */
	const uint8_t *bridge_mac;
	/* Names that must be free, sorted by strcmp(), or NULL. The
	 * first one that another's link has is copied to taken, and
	 * that link's alias to taker. */
	const char *const *wanted;
	size_t wanted_count;
	char taken[IFNAMSIZ];
	char taker[128];
	struct link *list; /* owned */
	size_t count, size;
};

/* Parses a message. False: it isn't about a link, as
 * one about a bridge port. */
bool links_parse(struct nlmsghdr *message, struct link_news *link);

/* Reads all links into the list. 0 or -errno. */
int links_read(struct nl_sock *sock, struct links *links);
void links_uninit(struct links *links);
/* Finds the link of that index; NULL: none. */
struct link *links_find(const struct links *links, int ifindex);

/* Deletes all of our links in one request. 0 or -errno. */
int links_delete_ours(struct nl_sock *sock, const struct links *links);

#endif
