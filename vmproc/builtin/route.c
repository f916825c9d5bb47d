/* SPDX-License-Identifier: ISC */
/*
 * The one next-hop rule, for both families: an address within our prefix is on
 * link, and its own next hop. There is no router for other addresses.
 */
#include "vmproc/builtin/route.h"

#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/ipv4.h"
#include "vmproc/builtin/ipv6.h"

const struct own_address *route_source(const struct builtin *guest,
				       const uint8_t *target)
{
	const struct own_address *tentative = NULL;

	for (size_t i = 0; i < ADDRESSES; i++) {
		const struct own_address *own = &guest->ipv6[i];

		if (!addresses_is_ours(own) ||
		    !ipv6_same_prefix(own->address, target, own->prefix))
			continue;
		if (addresses_is_valid(own))
			return own;
		if (tentative == NULL)
			tentative = own;
	}
	return tentative;
}

bool route_on_link(const struct builtin *guest, const uint8_t *address)
{
	return route_source(guest, address) != NULL;
}

static enum route find_ipv4(const struct builtin *guest, uint32_t target)
{
	if (target == guest->ipv4)
		return ROUTE_SELF;
	if (!ipv4_is_host(guest, target) || !ipv4_on_link(guest, target))
		return ROUTE_NONE;
	return ROUTE_DIRECT;
}

static enum route find_ipv6(struct builtin *guest, const uint8_t *target)
{
	const struct own_address *own = addresses_find(guest, target);

	if (!guest_has_ipv6(guest))
		return ROUTE_NONE;
	if (own != NULL)
		return addresses_is_valid(own) ? ROUTE_SELF : ROUTE_WAIT;
	if (!ipv6_is_host(guest, target))
		return ROUTE_NONE;
	own = route_source(guest, target);
	if (own == NULL)
		return ROUTE_NONE;
	return addresses_is_valid(own) ? ROUTE_DIRECT : ROUTE_WAIT;
}

enum route route_find(struct builtin *guest, const struct address *target)
{
	if (target->family == AF_INET)
		return find_ipv4(guest, address_to_ipv4(target));
	return find_ipv6(guest, target->bytes);
}
