/* SPDX-License-Identifier: ISC */
/*
 * One neighbour cache for ARP and for neighbour discovery, with the states of
 * RFC 4861 §7.3.2 for both.
 *
 * Our own pings and requests to us make entries; nothing else does. An entry
 * that a request made never takes the place of one that a ping wanted: so a
 * flood of requests can only push out entries of its own kind. An entry that
 * pings wait for is never pushed out. No unasked claim changes a MAC: if the
 * claim differs, the entry is dropped, and the next ping asks.
 */
#include "vmproc/builtin/neighbour.h"

#include "vmproc/builtin/guest.h"
#include "vmproc/builtin/solicit.h"

/* RFC 4861 §10 */
#define SOLICITATIONS_MAX 3
#define RETRANSMIT_NS     NS_PER_S
#define REACHABLE_NS      (30 * NS_PER_S)
#define DELAY_NS          (5 * NS_PER_S)
/* RFC 1122 §2.3.2.1 wants old entries gone, and leaves the time open. */
#define STALE_NS (600 * NS_PER_S)

static bool same_mac(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, MAC_BYTES) == 0;
}

static void set_state(struct builtin *guest, struct neighbour *entry,
		      enum neighbour_state state, uint64_t deadline_ns)
{
	entry->state = (uint8_t)state;
	entry->deadline_ns = deadline_ns;
	entry->solicitations = 0;
	/* Entries in other states are looked at when they are used. */
	if (state == NEIGHBOUR_DELAY)
		guest_wake(guest, deadline_ns);
}

static void set_reachable(struct builtin *guest, struct neighbour *entry,
			  const uint8_t *mac, uint64_t now_ns)
{
	/* Between half and one and a half (RFC 4861 §6.3.2). */
	uint64_t jitter = guest_random(guest) % REACHABLE_NS;

	memcpy(entry->mac, mac, MAC_BYTES);
	set_state(guest, entry, NEIGHBOUR_REACHABLE,
		  guest_after(now_ns, REACHABLE_NS / 2 + jitter));
}

static void set_stale(struct builtin *guest, struct neighbour *entry,
		      const uint8_t *mac, uint64_t now_ns)
{
	memcpy(entry->mac, mac, MAC_BYTES);
	set_state(guest, entry, NEIGHBOUR_STALE, guest_after(now_ns, STALE_NS));
}

/* Makes an entry stale, or drops it, if its time is over. */
static void age(struct builtin *guest, struct neighbour *entry, uint64_t now_ns)
{
	if (entry->state == NEIGHBOUR_REACHABLE && now_ns >= entry->deadline_ns)
		set_state(guest, entry, NEIGHBOUR_STALE,
			  guest_after(entry->deadline_ns, STALE_NS));
	if (entry->state == NEIGHBOUR_STALE && now_ns >= entry->deadline_ns)
		entry->state = NEIGHBOUR_FREE;
}

static struct neighbour *find(struct builtin *guest,
			      const struct address *address)
{
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		struct neighbour *entry = &guest->neighbours[i];

		if (entry->state != NEIGHBOUR_FREE &&
		    address_equal(&entry->address, address))
			return entry;
	}
	return NULL;
}

/* The worth of an entry: the one that is worth least makes room. */
enum rank {
	RANK_FREE,
	RANK_LEARNT,
	RANK_STALE,
	RANK_USED,
	RANK_WAITED_FOR,
};

static enum rank rank(const struct neighbour *entry)
{
	static const enum rank ranks[] = {
		[NEIGHBOUR_FREE] = RANK_FREE,
		[NEIGHBOUR_INCOMPLETE] = RANK_STALE,
		[NEIGHBOUR_REACHABLE] = RANK_USED,
		[NEIGHBOUR_STALE] = RANK_STALE,
		[NEIGHBOUR_DELAY] = RANK_USED,
		[NEIGHBOUR_PROBE] = RANK_USED,
	};

	static_assert(sizeof(ranks) / sizeof(*ranks) == NEIGHBOUR_STATES,
		      "each state has its rank");
	if (entry->state == NEIGHBOUR_STALE && !entry->wanted)
		return RANK_LEARNT;
	if (entry->state == NEIGHBOUR_INCOMPLETE && entry->waiting > 0)
		return RANK_WAITED_FOR;
	return ranks[entry->state];
}

/* Makes room for a new entry, in the place of the longest unused one of the
 * lowest rank, if that rank is at most rank_max. NULL: there is none. */
static struct neighbour *make_room(struct builtin *guest,
				   const struct address *address,
				   enum rank rank_max, uint64_t now_ns)
{
	struct neighbour *victim = NULL;
	enum rank victim_rank = rank_max;

	for (size_t i = 0; i < NEIGHBOURS; i++) {
		struct neighbour *entry = &guest->neighbours[i];
		enum rank entry_rank;

		age(guest, entry, now_ns);
		entry_rank = rank(entry);
		if (entry_rank > victim_rank)
			continue;
		if (victim == NULL || entry_rank < victim_rank ||
		    entry->used_ns < victim->used_ns) {
			victim = entry;
			victim_rank = entry_rank;
		}
	}
	if (victim != NULL)
		*victim = (struct neighbour){ .address = *address,
					      .used_ns = now_ns };
	return victim;
}

/* Asks once more: everybody; in PROBE, only the neighbour itself. */
static void solicit(struct builtin *guest, struct neighbour *entry,
		    uint64_t now_ns)
{
	const uint8_t *mac = entry->state == NEIGHBOUR_PROBE ? entry->mac
							     : NULL;

	entry->solicitations++;
	entry->deadline_ns = guest_after(now_ns, RETRANSMIT_NS);
	guest_wake(guest, entry->deadline_ns);
	if (entry->address.family == AF_INET)
		solicit_ipv4(guest, address_to_ipv4(&entry->address), mac);
	else
		solicit_ipv6(guest, entry->address.bytes, mac);
}

const uint8_t *neighbour_resolve(struct builtin *guest,
				 const struct address *address, uint64_t now_ns)
{
	struct neighbour *entry = find(guest, address);

	if (entry != NULL)
		age(guest, entry, now_ns);
	if (entry == NULL || entry->state == NEIGHBOUR_FREE) {
		static_assert(PINGS < NEIGHBOURS, "there is always room");
		entry = make_room(guest, address, RANK_USED, now_ns);
		if (entry == NULL)
			return NULL;
		entry->wanted = true;
		entry->waiting = 1;
		set_state(guest, entry, NEIGHBOUR_INCOMPLETE, 0);
		solicit(guest, entry, now_ns);
		return NULL;
	}
	entry->wanted = true;
	entry->used_ns = now_ns;
	if (entry->state == NEIGHBOUR_INCOMPLETE) {
		entry->waiting++;
		return NULL;
	}
	if (entry->state == NEIGHBOUR_STALE)
		set_state(guest, entry, NEIGHBOUR_DELAY,
			  guest_after(now_ns, DELAY_NS));
	return entry->mac;
}

void neighbour_cancel(struct builtin *guest, const struct address *address)
{
	struct neighbour *entry = find(guest, address);

	if (entry != NULL && entry->state == NEIGHBOUR_INCOMPLETE &&
	    entry->waiting > 0)
		entry->waiting--;
}

void neighbour_learn(struct builtin *guest, const struct address *address,
		     const uint8_t *mac, uint64_t now_ns)
{
	struct neighbour *entry = find(guest, address);
	struct address resolved = *address;

	if (entry != NULL)
		age(guest, entry, now_ns);
	if (entry == NULL || entry->state == NEIGHBOUR_FREE) {
		entry = make_room(guest, address, RANK_LEARNT, now_ns);
		if (entry != NULL)
			set_stale(guest, entry, mac, now_ns);
	} else if (entry->state == NEIGHBOUR_INCOMPLETE) {
		set_stale(guest, entry, mac, now_ns);
		guest->neighbour_ops->resolved(guest, &resolved, now_ns);
	} else if (!same_mac(entry->mac, mac)) {
		entry->state = NEIGHBOUR_FREE;
	} else {
		entry->used_ns = now_ns;
		if (entry->state == NEIGHBOUR_STALE)
			set_stale(guest, entry, mac, now_ns);
	}
}

bool neighbour_answer(struct builtin *guest, const struct address *address,
		      const uint8_t *mac, uint64_t now_ns)
{
	struct neighbour *entry = find(guest, address);
	bool waiting;

	if (entry == NULL)
		return false;
	waiting = entry->state == NEIGHBOUR_INCOMPLETE;
	if (!waiting && entry->state != NEIGHBOUR_PROBE) {
		neighbour_claim(guest, address, mac);
		return false;
	}
	set_reachable(guest, entry, mac, now_ns);
	if (waiting)
		guest->neighbour_ops->resolved(guest, address, now_ns);
	return true;
}

void neighbour_claim(struct builtin *guest, const struct address *address,
		     const uint8_t *mac)
{
	struct neighbour *entry = find(guest, address);

	/* An entry that is being asked for has no MAC to contradict. */
	if (entry != NULL && entry->state != NEIGHBOUR_INCOMPLETE &&
	    !same_mac(entry->mac, mac))
		entry->state = NEIGHBOUR_FREE;
}

void neighbour_confirm(struct builtin *guest, const struct address *address,
		       const uint8_t *mac, uint64_t now_ns)
{
	struct neighbour *entry = find(guest, address);

	if (entry != NULL && entry->state != NEIGHBOUR_INCOMPLETE &&
	    same_mac(entry->mac, mac))
		set_reachable(guest, entry, mac, now_ns);
}

static void entry_tick(struct builtin *guest, struct neighbour *entry,
		       uint64_t now_ns)
{
	struct address address = entry->address;
	bool waiting = entry->state == NEIGHBOUR_INCOMPLETE;

	if (!waiting && entry->state != NEIGHBOUR_DELAY &&
	    entry->state != NEIGHBOUR_PROBE)
		return;
	if (now_ns < entry->deadline_ns) {
		guest_wake(guest, entry->deadline_ns);
		return;
	}
	if (entry->state == NEIGHBOUR_DELAY)
		set_state(guest, entry, NEIGHBOUR_PROBE, 0);
	if (entry->solicitations < SOLICITATIONS_MAX) {
		solicit(guest, entry, now_ns);
		return;
	}
	entry->state = NEIGHBOUR_FREE;
	if (waiting)
		guest->neighbour_ops->unreachable(guest, &address);
}

void neighbour_tick(struct builtin *guest, uint64_t now_ns)
{
	for (size_t i = 0; i < NEIGHBOURS; i++)
		entry_tick(guest, &guest->neighbours[i], now_ns);
}
