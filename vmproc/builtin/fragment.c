/* SPDX-License-Identifier: ISC */
/*
 * Reassembly of IPv4 and IPv6 datagrams.
 *
 * There are a few slots, each with a buffer for the longest datagram and a bit
 * for each 8 bytes of it. A fragment that overlaps another one ends its
 * datagram, and the fragments of it that still come are refused (RFC 5722, here
 * for IPv4 as well). An exact duplicate alone is dropped (RFC 8200 §4.5). A
 * new datagram always gets a slot: the oldest of its own source, if that source
 * has its share of slots, else the oldest of all. The frames of a datagram that
 * ends unanswered are counted as drops then.
 */
#include "vmproc/builtin/fragment.h"

#include "vmproc/builtin/guest.h"

/* RFC 1122 §3.3.2 leaves 60 to 120 s; Linux waits 30 s. */
#define TIMEOUT_IPV4_NS (30 * NS_PER_S)
#define TIMEOUT_IPV6_NS (60 * NS_PER_S) /* RFC 8200 §4.5 */

static_assert(sizeof(((struct fragment_buffer *)0)->headroom) == GUEST_HEADROOM,
	      "a reply is built in the buffer");

static struct fragment_buffer *buffer_of(struct builtin *guest,
					 const struct fragment_slot *slot)
{
	return &guest->buffers[slot - guest->slots];
}

/* The bits from *at on that lie in *at's word. Moves *at past them. */
static uint64_t next_bits(size_t *at, size_t end)
{
	size_t shift = *at % 64;
	size_t count = end - *at < 64 - shift ? end - *at : 64 - shift;

	*at += count;
	return (UINT64_MAX >> (64 - count)) << shift;
}

static bool any_set(const uint64_t *map, size_t at, size_t end)
{
	while (at < end) {
		size_t word = at / 64;

		if (map[word] & next_bits(&at, end))
			return true;
	}
	return false;
}

static bool all_set(const uint64_t *map, size_t at, size_t end)
{
	while (at < end) {
		size_t word = at / 64;
		uint64_t bits = next_bits(&at, end);

		if ((map[word] & bits) != bits)
			return false;
	}
	return true;
}

static void set(uint64_t *map, size_t at, size_t end)
{
	while (at < end) {
		size_t word = at / 64;

		map[word] |= next_bits(&at, end);
	}
}

static void drop_frames(struct builtin *guest, struct fragment_slot *slot)
{
	guest->counters[STAT_RX_DROP_FRAGMENT] += slot->frames;
	slot->frames = 0;
}

static void discard(struct builtin *guest, struct fragment_slot *slot)
{
	drop_frames(guest, slot);
	slot->used = false;
}

static bool same_source(const struct fragment_slot *slot,
			const struct fragment *piece)
{
	return slot->used && address_equal(&slot->source, &piece->source);
}

/* The slot that a new datagram takes. A slot in use loses its datagram. */
static struct fragment_slot *choose(struct builtin *guest,
				    const struct fragment *piece)
{
	struct fragment_slot *oldest = NULL, *own = NULL, *unused = NULL;
	size_t owned = 0;

	for (size_t i = 0; i < FRAGMENT_SLOTS; i++) {
		struct fragment_slot *slot = &guest->slots[i];

		if (!slot->used) {
			unused = unused != NULL ? unused : slot;
			continue;
		}
		if (oldest == NULL || slot->began_ns < oldest->began_ns)
			oldest = slot;
		if (!same_source(slot, piece))
			continue;
		owned++;
		if (own == NULL || slot->began_ns < own->began_ns)
			own = slot;
	}
	if (owned >= FRAGMENT_SLOTS_SOURCE)
		return own;
	return unused != NULL ? unused : oldest;
}

static struct fragment_slot *find(struct builtin *guest,
				  const struct fragment *piece, uint64_t now_ns)
{
	bool ipv4 = piece->source.family == AF_INET;
	struct fragment_slot *slot;

	for (slot = guest->slots; slot < guest->slots + FRAGMENT_SLOTS; slot++)
		if (same_source(slot, piece) && slot->id == piece->id &&
		    address_equal(&slot->destination, &piece->destination))
			return slot;
	slot = choose(guest, piece);
	if (slot->used)
		discard(guest, slot);
	*slot = (struct fragment_slot){
		.used = true,
		.source = piece->source,
		.destination = piece->destination,
		.id = piece->id,
		.began_ns = now_ns,
		.deadline_ns = guest_after(now_ns, ipv4 ? TIMEOUT_IPV4_NS
							: TIMEOUT_IPV6_NS),
	};
	memset(buffer_of(guest, slot)->filled, 0,
	       sizeof(buffer_of(guest, slot)->filled));
	memset(buffer_of(guest, slot)->starts, 0,
	       sizeof(buffer_of(guest, slot)->starts));
	guest_wake(guest, slot->deadline_ns);
	return slot;
}

/* True if the same fragment was there before. */
static bool is_duplicate(const struct fragment_slot *slot,
			 const struct fragment_buffer *buffer,
			 const struct fragment *piece,
			 const struct packet *packet)
{
	size_t first = piece->offset / 8;
	size_t end = (piece->offset + packet->bytes + 7) / 8;

	/* A fragment that says that it is the last one is a duplicate only if
	 * the end was known. */
	if ((!piece->more && slot->total_bytes == 0) ||
	    !all_set(buffer->filled, first, end) ||
	    !any_set(buffer->starts, first, first + 1) ||
	    any_set(buffer->starts, first + 1, end))
		return false;
	if (end < FRAGMENT_UNITS && any_set(buffer->filled, end, end + 1) &&
	    !any_set(buffer->starts, end, end + 1))
		return false;
	return memcmp(buffer->bytes + piece->offset, packet->data,
		      packet->bytes) == 0;
}

/* True if a fragment agrees with what is known of the datagram's length. */
static bool length_fits(const struct fragment_slot *slot,
			const struct fragment *piece, size_t end_bytes)
{
	if (slot->total_bytes != 0)
		return piece->more ? end_bytes < slot->total_bytes
				   : end_bytes == slot->total_bytes;
	return piece->more || end_bytes >= slot->end_bytes;
}

static void store(struct fragment_slot *slot, struct fragment_buffer *buffer,
		  const struct fragment *piece, const struct packet *packet)
{
	size_t first = piece->offset / 8;
	size_t end_bytes = piece->offset + packet->bytes;

	memcpy(buffer->bytes + piece->offset, packet->data, packet->bytes);
	set(buffer->filled, first, (end_bytes + 7) / 8);
	set(buffer->starts, first, first + 1);
	slot->frames++;
	slot->received_bytes += (uint32_t)packet->bytes;
	if (end_bytes > slot->end_bytes)
		slot->end_bytes = (uint32_t)end_bytes;
	if (!piece->more)
		slot->total_bytes = (uint32_t)end_bytes;
	if (piece->offset == 0) {
		slot->next = piece->next;
		slot->service = packet->service;
	}
}

enum counter fragment_add(struct builtin *guest, const struct fragment *piece,
			  struct packet *packet)
{
	size_t end_bytes = piece->offset + packet->bytes;
	struct fragment_buffer *buffer;
	struct fragment_slot *slot;

	if (packet->bytes == 0 || (piece->more && packet->bytes % 8 != 0) ||
	    piece->header_bytes + end_bytes > IPV4_PACKET_MAX)
		return STAT_RX_DROP_MALFORMED;
	slot = find(guest, piece, guest_now_ns(guest));
	buffer = buffer_of(guest, slot);
	if (slot->refused)
		return STAT_RX_DROP_FRAGMENT;
	if (length_fits(slot, piece, end_bytes) &&
	    is_duplicate(slot, buffer, piece, packet))
		return STAT_RX_DROP_FRAGMENT;
	if (!length_fits(slot, piece, end_bytes) ||
	    any_set(buffer->filled, piece->offset / 8, (end_bytes + 7) / 8)) {
		slot->refused = true;
		drop_frames(guest, slot);
		return STAT_RX_DROP_FRAGMENT;
	}
	store(slot, buffer, piece, packet);
	if (slot->received_bytes != slot->total_bytes)
		return RX_DONE;

	packet->data = buffer->bytes;
	packet->bytes = slot->total_bytes;
	packet->headroom = sizeof(buffer->headroom);
	packet->frames = slot->frames;
	packet->service = slot->service;
	packet->fragmented = true;
	packet->whole = slot;
	return RX_DELIVER;
}

void fragment_release(struct fragment_slot *slot)
{
	slot->used = false;
}

void fragment_tick(struct builtin *guest, uint64_t now_ns)
{
	for (size_t i = 0; i < FRAGMENT_SLOTS; i++) {
		struct fragment_slot *slot = &guest->slots[i];

		if (slot->used && now_ns >= slot->deadline_ns)
			discard(guest, slot);
		else if (slot->used)
			guest_wake(guest, slot->deadline_ns);
	}
}
