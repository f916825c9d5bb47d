/* SPDX-License-Identifier: ISC */
/* Our IPv6 addresses: which there are, and which of them may be used. */
#include "vmproc/builtin/addresses.h"

#include "vmproc/builtin/guest.h"

bool addresses_is_set(const struct own_address *own)
{
	return own->state != DAD_NONE;
}

bool addresses_is_valid(const struct own_address *own)
{
	return own->state == DAD_VALID;
}

bool addresses_is_ours(const struct own_address *own)
{
	return addresses_is_set(own) && own->state != DAD_DUPLICATE;
}

struct own_address *addresses_find(struct builtin *guest,
				   const uint8_t *address)
{
	for (size_t i = 0; i < ADDRESSES; i++) {
		struct own_address *own = &guest->ipv6[i];

		if (addresses_is_ours(own) &&
		    memcmp(own->address, address, 16) == 0)
			return own;
	}
	return NULL;
}

void addresses_init(struct builtin *guest, const struct builtin_config *config)
{
	const uint8_t *mac = guest->mac;
	const uint8_t link_local[16] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0,
		/* The universal bit is inverted (RFC 4291 appendix A). */
		mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]
	};
	struct own_address *own = &guest->ipv6[ADDRESS_LINK_LOCAL];

	memcpy(own->address, link_local, sizeof(own->address));
	own->prefix = ADDRESS_LINK_LOCAL_PREFIX;
	own->state = DAD_START;
	if (!IN6_IS_ADDR_UNSPECIFIED(&config->ipv6) &&
	    memcmp(&config->ipv6, link_local, sizeof(link_local)) != 0) {
		own = &guest->ipv6[ADDRESS_GIVEN];
		memcpy(own->address, &config->ipv6, sizeof(own->address));
		own->prefix = (uint8_t)config->ipv6_prefix;
		own->state = DAD_START;
	}
}
