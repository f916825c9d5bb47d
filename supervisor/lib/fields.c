/* SPDX-License-Identifier: ISC */
/* Structures as JSON objects and back, by tables that name their fields. */
#include "supervisor/lib/fields.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/lib/kinds.h"

/* ---- groups */

static bool has_value(const struct field *field, const void *object)
{
	const char *base = object;

	if (field->flag && !*(const bool *)(base + field->flag))
		return false;
	return !field->when || field->when(object);
}

int fields_add(const struct field_group *group, const void *object, json_t *to)
{
	const char *base = object;

	for (size_t i = 0; i < group->count; i++) {
		const struct field *field = &group->fields[i];

		if (!has_value(field, object))
			continue;
		/* takes NULL for what it is: no memory */
		if (json_object_set_new(to, field->name,
					kinds[field->kind].save(
						field, base + field->offset)) <
		    0)
			return -ENOMEM;
	}
	return 0;
}

json_t *fields_save(const struct field_group *group, const void *object)
{
	json_t *to = json_object();

	if (to && fields_add(group, object, to) < 0) {
		json_decref(to);
		return NULL;
	}
	return to;
}

void fields_each_fd(const struct field_group *group, const void *object,
		    fields_visit_fd *visit, void *ctx)
{
	const char *base = object;

	for (size_t i = 0; i < group->count; i++) {
		const struct field *field = &group->fields[i];

		if (field->kind == FIELD_KIND_INT32 && field->min == -1)
			visit(ctx, *(const int *)(base + field->offset));
	}
}

bool fields_any_text(const char *text)
{
	(void)text;
	return true;
}

json_t *fields_group_save(const struct field *field, const void *value)
{
	return fields_save(field->group, value);
}

static int load_group(struct kinds_place *place,
		      const struct field_group *group, void *object,
		      const json_t *json)
{
	char *base = object;

	if (!json_is_object(json))
		return kinds_refuse(place, "an object");
	for (size_t i = 0; i < group->count; i++) {
		const struct field *field = &group->fields[i];
		const json_t *value = json_object_get(json, field->name);
		size_t before;
		int error;

		if (!value)
			continue;
		before = kinds_enter(place, field->name);
		error = kinds[field->kind].load(place, field,
						base + field->offset, value);
		if (error)
			return error;
		place->length = before;
		if (field->flag)
			*(bool *)(base + field->flag) = true;
	}
	return 0;
}

int fields_group_load(struct kinds_place *place, const struct field *field,
		      void *value, const json_t *json)
{
	return load_group(place, field->group, value, json);
}

int fields_load(const struct field_group *group, void *object,
		const json_t *json, const char *whose, struct problem *problem)
{
	struct kinds_place place = { .whose = whose, .problem = problem };

	return load_group(&place, group, object, json);
}

/* ---- rings */

/* The array of those kept; NULL without memory. element: room for one. */
static json_t *save_last(const struct field_ring *ring, const void *value,
			 void *element)
{
	const struct kind *kind = &kinds[ring->element.kind];
	uint32_t kept = ring->kept(value);
	json_t *last = json_array();

	for (uint32_t i = 0; i < kept; i++) {
		ring->get(value, i, element);
		if (json_array_append_new(
			    last, kind->save(&ring->element, element)) < 0) {
			json_decref(last);
			return NULL;
		}
	}
	return last;
}

json_t *fields_ring_save(const struct field *field, const void *value)
{
	const struct field_ring *ring = field->ring;
	const uint64_t most = (uint64_t)ring->count_max;
	uint64_t count = ring->count(value);
	void *element = malloc(ring->element_size);
	json_t *object = json_object();
	json_t *last = element ? save_last(ring, value, element) : NULL;

	free(element);
	if (count > most)
		count = most;
	if (json_object_set_new(object, "count",
				json_integer((json_int_t)count)) == 0) {
		if (json_object_set_new(object, "last", last) == 0)
			return object;
	} else {
		json_decref(last);
	}
	json_decref(object);
	return NULL;
}

/* How many there were ever, of which some are in the document. */
static int load_count(struct kinds_place *place, const struct field_ring *ring,
		      const json_t *json, size_t there, uint64_t *count)
{
	const struct field field = { .max = ring->count_max };
	const json_t *number = json_object_get(json, "count");
	size_t before = kinds_enter(place, "count");
	uint64_t claimed = there;
	int error = 0;

	if (number)
		error = kinds[FIELD_KIND_UINT64].load(place, &field, &claimed,
						      number);
	if (error)
		return error;
	place->length = before;
	*count = claimed > there ? claimed : there;
	/* where each place up to the count must be filled, those that aren't in
	 * the document can't be counted */
	if (!ring->gaps && there < ring->most)
		*count = there;
	return 0;
}

/* Adds the items of an array from first on; element: room for one. */
static int load_items(struct kinds_place *place, const struct field_ring *ring,
		      void *value, const json_t *last, size_t first,
		      void *element)
{
	const struct kind *kind = &kinds[ring->element.kind];

	for (size_t i = first; i < json_array_size(last); i++) {
		size_t before = kinds_enter_at(place, "last", i);
		int error;

		memset(element, 0, ring->element_size);
		error = kind->load(place, &ring->element, element,
				   json_array_get(last, i));
		if (error)
			return error;
		if (ring->add(value, element) < 0)
			return kinds_no_memory(place);
		place->length = before;
	}
	return 0;
}

static int load_last(struct kinds_place *place, const struct field_ring *ring,
		     void *value, const json_t *last, uint64_t count)
{
	size_t there = json_array_size(last);
	uint32_t kept = there < ring->most ? (uint32_t)there : ring->most;
	void *element = malloc(ring->element_size);
	int error;

	if (!element || ring->restore(value, count, kept) < 0)
		error = kinds_no_memory(place);
	else
		error = load_items(place, ring, value, last, there - kept,
				   element);
	free(element);
	return error;
}

int fields_ring_load(struct kinds_place *place, const struct field *field,
		     void *value, const json_t *json)
{
	const struct field_ring *ring = field->ring;
	const json_t *last = json_object_get(json, "last");
	uint64_t count;
	int error;

	if (!json_is_object(json))
		return kinds_refuse(place, "an object");
	if (last && !json_is_array(last)) {
		kinds_enter(place, "last");
		return kinds_refuse(place, "an array");
	}
	error = load_count(place, ring, json, json_array_size(last), &count);
	if (error)
		return error;
	return load_last(place, ring, value, last, count);
}
