/* SPDX-License-Identifier: ISC */
/*
 * Our IPv6 addresses, and duplicate address detection (RFC 4862 §5.4): after a
 * random delay, join the address's solicited-node group and ask once whether
 * somebody has it; a second without an answer later it is ours. Until then
 * nothing is answered at it and nothing is sent from it.
 */
#include "vmproc/builtin/dad.h"

#include <arpa/inet.h>

#include "ipc/log.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/mld.h"
#include "vmproc/builtin/ndp.h"

/* RFC 4861 §10: MAX_RTR_SOLICITATION_DELAY and RETRANS_TIMER */
#define DELAY_MAX_NS NS_PER_S
#define WAIT_NS      NS_PER_S

static bool has_address(const struct dad_address *own)
{
	return own->state != DAD_NONE;
}

bool dad_is_valid(const struct dad_address *own)
{
	return own->state == DAD_VALID;
}

bool dad_is_hoped(const struct dad_address *own)
{
	return has_address(own) && own->state != DAD_DUPLICATE;
}

struct dad_address *dad_find(struct builtin *guest, const uint8_t *address)
{
	for (size_t i = 0; i < DAD_ADDRESSES; i++) {
		struct dad_address *own = &guest->ipv6[i];

		if (dad_is_hoped(own) && memcmp(own->address, address, 16) == 0)
			return own;
	}
	return NULL;
}

void dad_init(struct builtin *guest, const struct builtin_config *config)
{
	const uint8_t *mac = guest->mac;
	const uint8_t link_local[16] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0,
		/* The universal bit is inverted (RFC 4291 appendix A). */
		mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]
	};
	struct dad_address *own = &guest->ipv6[DAD_LINK_LOCAL];

	memcpy(own->address, link_local, sizeof(own->address));
	own->prefix = DAD_LINK_LOCAL_PREFIX;
	own->state = DAD_START;
	if (!IN6_IS_ADDR_UNSPECIFIED(&config->ipv6) &&
	    memcmp(&config->ipv6, link_local, sizeof(link_local)) != 0) {
		own = &guest->ipv6[DAD_GIVEN];
		memcpy(own->address, &config->ipv6, sizeof(own->address));
		own->prefix = (uint8_t)config->ipv6_prefix;
		own->state = DAD_START;
	}
	guest_wake(guest, 0);
}

void dad_restart(struct builtin *guest)
{
	for (size_t i = 0; i < DAD_ADDRESSES; i++)
		if (has_address(&guest->ipv6[i]))
			guest->ipv6[i].state = DAD_START;
	guest_wake(guest, 0);
}

void dad_conflict(struct builtin *guest, struct dad_address *own,
		  uint64_t now_ns)
{
	char text[INET6_ADDRSTRLEN];

	own->state = DAD_DUPLICATE;
	inet_ntop(AF_INET6, own->address, text, sizeof(text));
	log_warn("IPv6 address %s is in use by another host; this VM does "
		 "without it (give the VM another one)",
		 text);
	ping_addresses_changed(guest, now_ns);
}

static void enter(struct builtin *guest, struct dad_address *own,
		  enum dad_state state, uint64_t deadline_ns)
{
	own->state = (uint8_t)state;
	own->deadline_ns = deadline_ns;
	guest_wake(guest, deadline_ns);
}

static void address_tick(struct builtin *guest, struct dad_address *own,
			 uint64_t now_ns)
{
	bool due = now_ns >= own->deadline_ns;

	if (own->state == DAD_START) {
		enter(guest, own, DAD_DELAY,
		      guest_after(now_ns, guest_random(guest) % DELAY_MAX_NS));
	} else if (own->state == DAD_DELAY && due) {
		/* The join first: a switch that snoops may hold back the
		 * answer otherwise (RFC 4862 §5.4.2). */
		mld_send_report(guest, now_ns);
		ndp_solicit_tentative(guest, own->address);
		enter(guest, own, DAD_TENTATIVE, guest_after(now_ns, WAIT_NS));
	} else if (own->state == DAD_TENTATIVE && due) {
		own->state = DAD_VALID;
		/* Once more, now from a real source (RFC 3590 §4). */
		if (own == &guest->ipv6[DAD_LINK_LOCAL])
			mld_send_report(guest, now_ns);
		ping_addresses_changed(guest, now_ns);
	} else if (own->state == DAD_DELAY || own->state == DAD_TENTATIVE) {
		guest_wake(guest, own->deadline_ns);
	}
}

void dad_tick(struct builtin *guest, uint64_t now_ns)
{
	if (!guest_has_ipv6(guest))
		return;
	for (size_t i = 0; i < DAD_ADDRESSES; i++)
		address_tick(guest, &guest->ipv6[i], now_ns);
}
