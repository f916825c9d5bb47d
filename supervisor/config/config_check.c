/* SPDX-License-Identifier: ISC */
/* Checks values of a configuration against each other. */
#include "supervisor/config/config_check.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"

#define IPV4_PREFIX_MIN 8
#define IPV4_PREFIX_MAX 30
#define IPV6_PREFIX_MAX 127
#define IPV6_MTU_MIN    1280

static uint32_t ipv4_mask(uint32_t prefix)
{
	return prefix ? ~UINT32_C(0) << (32 - prefix) : 0;
}

static const char *ipv4_text(uint32_t address, char text[INET_ADDRSTRLEN])
{
	struct in_addr network_order = { .s_addr = htonl(address) };

	return inet_ntop(AF_INET, &network_order, text, INET_ADDRSTRLEN);
}

/* What an address is that no host of its subnet can
 * have: its name; else NULL. */
static const char *ipv4_special(uint32_t address, uint32_t mask)
{
	if ((address & ~mask) == 0)
		return "the subnet's own address";
	if ((address | mask) == UINT32_MAX)
		return "the subnet's broadcast address";
	return NULL;
}

int config_check_bridge_ipv4(const struct config *config,
			     struct problem *problem)
{
	uint32_t address = ntohl(config->bridge_ipv4.s_addr);
	uint32_t prefix = config->bridge_ipv4_prefix;
	uint32_t first_byte = address >> 24;
	const char *special;

	if (prefix < IPV4_PREFIX_MIN || prefix > IPV4_PREFIX_MAX)
		return problem_set(problem, -EINVAL,
				   "prefix length %u is out of range "
				   "(choose one from %d to %d)",
				   prefix, IPV4_PREFIX_MIN, IPV4_PREFIX_MAX);
	/* RFC 6890: this network, loopback; multicast and above. */
	if (first_byte == 0 || first_byte == 127 || first_byte >= 224)
		return problem_set(problem, -EINVAL,
				   "no host can have this address "
				   "(choose a private one, as in "
				   "10.77.0.1/16)");
	special = ipv4_special(address, ipv4_mask(prefix));
	if (special)
		return problem_set(problem, -EINVAL,
				   "that is %s (choose one within it, as in "
				   "10.77.0.1/16)",
				   special);
	return 0;
}

int config_check_vm_ipv4(const struct config *config,
			 const struct vm_config *vm, struct problem *problem)
{
	uint32_t bridge = ntohl(config->bridge_ipv4.s_addr);
	uint32_t mask = ipv4_mask(config->bridge_ipv4_prefix);
	uint32_t address = ntohl(vm->ipv4.s_addr);
	const char *special = NULL;
	char text[INET_ADDRSTRLEN], from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];

	if (!vm->has_ipv4)
		return 0;
	ipv4_text(address, text);
	ipv4_text((bridge & mask) + 1, from);
	ipv4_text((bridge | ~mask) - 1, to);
	if ((address & mask) != (bridge & mask))
		special = "is outside the bridge's subnet";
	else if (address == bridge)
		special = "is the bridge's own";
	else if (ipv4_special(address, mask))
		special = "is the subnet's own or broadcast address";
	if (special)
		return problem_set(problem, -EINVAL,
				   "%s %s (choose one from %s to %s)", text,
				   special, from, to);
	return 0;
}

/* True: both addresses begin with the same prefix bits. */
static bool ipv6_same_subnet(const struct in6_addr *a, const struct in6_addr *b,
			     uint32_t prefix)
{
	uint32_t bytes = prefix / 8, bits = prefix % 8;

	if (memcmp(a->s6_addr, b->s6_addr, bytes))
		return false;
	return !bits ||
	       (a->s6_addr[bytes] ^ b->s6_addr[bytes]) >> (8 - bits) == 0;
}

/* True: no bit is set after the prefix. That is the anycast address of the
 * subnet's routers (RFC 4291 §2.6.1). */
static bool ipv6_is_subnet(const struct in6_addr *address, uint32_t prefix)
{
	for (uint32_t bit = prefix; bit < 128; bit++)
		if (address->s6_addr[bit / 8] & 0x80 >> bit % 8)
			return false;
	return true;
}

int config_check_ipv6(const struct in6_addr *address, uint32_t prefix,
		      struct problem *problem)
{
	const char *kind = NULL;

	if (prefix < 1 || prefix > IPV6_PREFIX_MAX)
		return problem_set(problem, -EINVAL,
				   "prefix length %u is out of range (choose "
				   "one from 1 to %d, mostly 64)",
				   prefix, IPV6_PREFIX_MAX);
	if (IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address))
		kind = "no address of a link";
	else if (IN6_IS_ADDR_MULTICAST(address))
		kind = "a multicast address";
	else if (IN6_IS_ADDR_V4MAPPED(address))
		kind = "an IPv4-mapped address";
	else if (IN6_IS_ADDR_LINKLOCAL(address))
		kind = "a link-local address, of which each link gets one "
		       "by itself";
	/* A /127 has no anycast address for routers (RFC 6164). */
	else if (prefix < IPV6_PREFIX_MAX && ipv6_is_subnet(address, prefix))
		kind = "the subnet's own address";
	if (kind)
		return problem_set(problem, -EINVAL,
				   "that is %s (choose another, as in "
				   "fd77::1/64)",
				   kind);
	return 0;
}

int config_check_bridge_ipv6(const struct config *config,
			     struct problem *problem)
{
	if (!config->has_bridge_ipv6)
		return 0;
	return config_check_ipv6(&config->bridge_ipv6,
				 config->bridge_ipv6_prefix, problem);
}

int config_check_vm_ipv6(const struct config *config,
			 const struct vm_config *vm, struct problem *problem)
{
	char text[INET6_ADDRSTRLEN];
	const char *wrong = NULL;
	int error;

	if (!vm->has_ipv6)
		return 0;
	error = config_check_ipv6(&vm->ipv6, vm->ipv6_prefix, problem);
	if (error || !config->has_bridge_ipv6)
		return error;
	if (vm->ipv6_prefix != config->bridge_ipv6_prefix ||
	    !ipv6_same_subnet(&vm->ipv6, &config->bridge_ipv6,
			      config->bridge_ipv6_prefix))
		wrong = "outside the bridge's subnet";
	else if (IN6_ARE_ADDR_EQUAL(&vm->ipv6, &config->bridge_ipv6))
		wrong = "the bridge's own";
	if (!wrong)
		return 0;
	inet_ntop(AF_INET6, &config->bridge_ipv6, text, sizeof(text));
	return problem_set(problem, -EINVAL,
			   "that is %s (choose another one in the subnet of "
			   "%s/%u, with that prefix length)",
			   wrong, text, config->bridge_ipv6_prefix);
}

int config_check_mac(const uint8_t mac[6], struct problem *problem)
{
	static const uint8_t zero[6];

	if (mac[0] & 1)
		return problem_set(problem, -EINVAL,
				   "that is a multicast address (make the "
				   "first byte even, as in 02:00:00:00:00:01)");
	if (!memcmp(mac, zero, sizeof(zero)))
		return problem_set(problem, -EINVAL,
				   "no interface can have this address (choose "
				   "another, as in 02:00:00:00:00:01)");
	return 0;
}

int config_check_mtu(const struct config *config, struct problem *problem)
{
	bool ipv6 = config->has_bridge_ipv6;

	for (size_t i = 0; i < config->vm_count && !ipv6; i++)
		ipv6 = config->vms[i].has_ipv6;
	if (ipv6 && config->mtu < IPV6_MTU_MIN)
		return problem_set(problem, -EINVAL,
				   "%u is too small for the IPv6 addresses "
				   "given (write at least %d, or remove them)",
				   config->mtu, IPV6_MTU_MIN);
	return 0;
}

/* Ranges of uids with another use: systemd's "Users, Groups, UIDs and GIDs". */
static const struct {
	uint32_t first, last;
	const char *whose;
} taken_uids[] = {
	{ 0, 999, "root and system users" },
	{ 1000, 60000, "ordinary users" },
	{ 60001, 65535, "homes, dynamic users of services, and nobody" },
	{ 524288, 1879048191, "containers" },
	{ 2147352576, 2147418111, "foreign disk images" },
	{ UINT32_MAX, UINT32_MAX, "no user at all: it means -1" },
};

int config_check_uids(const struct config *config, struct problem *problem)
{
	uint32_t first = config->uid_first, last;

	if (!config->uid_count)
		return problem_set(
			problem, -EINVAL,
			"a range without uids (write count = 65536)");
	if (__builtin_add_overflow(first, config->uid_count - 1, &last))
		return problem_set(problem, -EINVAL,
				   "%u uids from %u on go beyond 4294967295 "
				   "(write a smaller count)",
				   config->uid_count, first);
	for (size_t i = 0; i < ARRAY_SIZE(taken_uids); i++)
		if (first <= taken_uids[i].last && last >= taken_uids[i].first)
			return problem_set(
				problem, -EINVAL,
				"uids %u to %u overlap the range of %s, %u to "
				"%u (choose a range that is free, as in first "
				"= 1900000000)",
				first, last, taken_uids[i].whose,
				taken_uids[i].first, taken_uids[i].last);
	return 0;
}

int config_check_uid_count(const struct config *config, struct problem *problem)
{
	if (config->vm_count > config->uid_count)
		return problem_set(problem, -E2BIG,
				   "%zu VMs are more than the %u uids they can "
				   "have (raise uids.count, or start fewer)",
				   config->vm_count, config->uid_count);
	return 0;
}

int config_check_hosts(const struct config *config, struct problem *problem)
{
	uint32_t mask = ipv4_mask(config->bridge_ipv4_prefix);
	/* without the broadcast address and the bridge's */
	uint32_t hosts = ~mask - 2;
	char text[INET_ADDRSTRLEN];

	if (config->vm_count <= hosts)
		return 0;
	ipv4_text(ntohl(config->bridge_ipv4.s_addr) & mask, text);
	return problem_set(problem, -E2BIG,
			   "%zu VMs are more than the %u address%s that %s/%u "
			   "has for them (give the bridge a larger subnet, as "
			   "in address = \"10.77.0.1/16\", or start fewer)",
			   config->vm_count, hosts, hosts == 1 ? "" : "es",
			   text, config->bridge_ipv4_prefix);
}

const struct config_order config_check_orders[] = {
	{ "timeouts.heartbeat", "timeouts.watchdog",
	  offsetof(struct vm_config, timeouts.heartbeat_ms),
	  offsetof(struct vm_config, timeouts.watchdog_ms), false },
	{ "restart.delay_min", "restart.delay_max",
	  offsetof(struct vm_config, restart.delay_min_ms),
	  offsetof(struct vm_config, restart.delay_max_ms), true },
};
static_assert(ARRAY_SIZE(config_check_orders) == CONFIG_ORDERS, "all pairs");

int config_check_order(const struct config_order *order,
		       const struct vm_config *vm, struct problem *problem)
{
	uint32_t low, high;

	memcpy(&low, (const char *)vm + order->low_offset, sizeof(low));
	memcpy(&high, (const char *)vm + order->high_offset, sizeof(high));
	if (low < high || (low == high && order->equal_ok))
		return 0;
	return problem_set(problem, -EINVAL,
			   "%s of %u ms must be %s %s of %u ms (raise %s)",
			   order->low, low,
			   order->equal_ok ? "at most" : "less than",
			   order->high, high, order->high);
}
