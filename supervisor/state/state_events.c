/* SPDX-License-Identifier: ISC */
/* The past events, saved and loaded. */
#include "supervisor/state/state_events.h"

#include <limits.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/lib/kinds.h"
#include "supervisor/state/names.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_rings.h"
#include "supervisor/vm/events.h"

static bool no_or_vm_name(const char *text)
{
	return !text[0] || vm_name_valid(text);
}

static const struct field event_fields[] = {
	FIELD_GROUP(struct event, time, &state_rings_time_fields),
	FIELD_LABEL(struct event, vm, no_or_vm_name, "a VM's name"),
	FIELD_WORDS(struct event, name),
	FIELD_CHOICE(struct event, state, names_state, VM_STATES),
	FIELD_COUNT(struct event, generation),
	FIELD_NUMBER(struct event, pid, 0, INT_MAX),
	FIELD_WORDS(struct event, detail),
};
static const struct field_group event_group = FIELD_GROUP_OF(event_fields);

static uint64_t events_ever(const void *ring)
{
	const struct events *events = ring;

	return events->count;
}

static uint32_t count_events(const void *ring)
{
	const struct events *events = ring;

	return events->count < EVENTS_KEPT ? (uint32_t)events->count
					   : EVENTS_KEPT;
}

static void get_event(const void *ring, uint32_t i, void *element)
{
	const struct events *events = ring;
	uint64_t at = events->count - count_events(ring) + i;

	memcpy(element, &events->ring[at % EVENTS_KEPT], sizeof(struct event));
}

static int restore_events(void *ring, uint64_t count, uint32_t kept)
{
	struct events *events = ring;

	memset(events->ring, 0, sizeof(events->ring));
	events->count = count - kept;
	return 0;
}

static int add_event(void *ring, const void *element)
{
	struct events *events = ring;

	memcpy(&events->ring[events->count++ % EVENTS_KEPT], element,
	       sizeof(struct event));
	return 0;
}

static const struct field_ring events_ring = {
	.element = { .kind = FIELD_KIND_GROUP, .group = &event_group },
	.element_size = sizeof(struct event),
	.most = EVENTS_KEPT,
	.count_max = INT64_MAX,
	.count = events_ever,
	.kept = count_events,
	.get = get_event,
	.restore = restore_events,
	.add = add_event,
};
static const struct field events_field = { .ring = &events_ring };

json_t *state_events_save(const struct events *events)
{
	return fields_ring_save(&events_field, events);
}

int state_events_load(struct events *events, const json_t *object,
		      struct problem *problem)
{
	struct kinds_place place = { .whose = "the events",
				     .problem = problem };

	return fields_ring_load(&place, &events_field, events, object);
}
