/* SPDX-License-Identifier: ISC */
/*
 * Duplicate address detection for our IPv6 addresses (RFC 4862 §5.4). After a
 * random delay we join the address's solicited-node group, and ask once whether
 * somebody has the address. If no answer comes for a second, the address is
 * ours. Until then nothing is answered at it, and nothing is sent from it.
 */
#include "vmproc/builtin/dad.h"

#include <arpa/inet.h>

#include "ipc/log.h"
#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/mld.h"
#include "vmproc/builtin/solicit.h"

/* RFC 4861 §10: MAX_RTR_SOLICITATION_DELAY and RETRANS_TIMER */
#define DELAY_MAX_NS NS_PER_S
#define WAIT_NS      NS_PER_S

void dad_restart(struct builtin *guest)
{
	for (size_t i = 0; i < ADDRESSES; i++)
		if (addresses_is_set(&guest->ipv6[i]))
			guest->ipv6[i].state = DAD_START;
	guest_wake(guest, 0);
}

void dad_conflict(struct builtin *guest, struct own_address *own,
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

static void enter(struct builtin *guest, struct own_address *own,
		  enum dad_state state, uint64_t deadline_ns)
{
	own->state = (uint8_t)state;
	own->deadline_ns = deadline_ns;
	guest_wake(guest, deadline_ns);
}

static void address_tick(struct builtin *guest, struct own_address *own,
			 uint64_t now_ns)
{
	bool due = now_ns >= own->deadline_ns;

	if (own->state == DAD_START) {
		enter(guest, own, DAD_DELAY,
		      guest_after(now_ns, guest_random(guest) % DELAY_MAX_NS));
	} else if (own->state == DAD_DELAY && due) {
		/* We join first, for a switch that snoops may hold back the
		 * answer otherwise (RFC 4862 §5.4.2). */
		mld_send_report(guest, now_ns);
		solicit_tentative(guest, own->address);
		enter(guest, own, DAD_TENTATIVE, guest_after(now_ns, WAIT_NS));
	} else if (own->state == DAD_TENTATIVE && due) {
		own->state = DAD_VALID;
		/* Reports once more, now from a valid source address (RFC 3590
		 * §4). */
		if (own == &guest->ipv6[ADDRESS_LINK_LOCAL])
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
	for (size_t i = 0; i < ADDRESSES; i++)
		address_tick(guest, &guest->ipv6[i], now_ns);
}
