/* SPDX-License-Identifier: ISC */
/*
 * Structures as JSON objects and back, by tables that name their fields.
 *
 * One table serves both ways, so that what is saved can be loaded. A field
 * that the document lacks keeps the value that is there, a name that no table
 * has is passed over: older and newer programs read each other. The name in
 * the document is that of the member: renaming a member breaks documents that
 * are out there (a unit test holds the names).
 */
#ifndef VMSUP_SUPERVISOR_FIELDS_H
#define VMSUP_SUPERVISOR_FIELDS_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/fd.h"
#include "supervisor/lib/problem.h"

struct kinds_place;

enum field_kind {
	FIELD_KIND_BOOL,
	FIELD_KIND_UINT16, /* numbers: min to max */
	FIELD_KIND_UINT32,
	FIELD_KIND_INT32,
	FIELD_KIND_INT64,
	FIELD_KIND_UINT64, /* saved as INT64_MAX if over that */
	FIELD_KIND_HEX, /* uint64_t, exactly, as "0x..." */
	FIELD_KIND_CHOICE, /* an enum, below count, by name */
	FIELD_KIND_LABEL, /* char[size] that valid() must accept */
	FIELD_KIND_WORDS, /* char[size] for people: cleaned, cut off */
	FIELD_KIND_MAC, /* uint8_t[6] */
	FIELD_KIND_IPV4, /* struct in_addr */
	FIELD_KIND_IPV6, /* struct in6_addr */
	FIELD_KIND_COUNTERS, /* uint64_t[count], as an object */
	FIELD_KIND_GROUP, /* an object within */
	FIELD_KIND_RING, /* the last so many of something */
	FIELD_KINDS
};

struct field_group;
struct field_ring;

struct field {
	const char *name; /* of the document and for messages */
	enum field_kind kind;
	size_t offset; /* in the structure that the group describes */
	int64_t min, max; /* of numbers */
	size_t size; /* of texts: room, NUL included */
	unsigned int count; /* of choices and counters */
	const char *(*name_of)(unsigned int value); /* their names */
	bool (*valid)(const char *text);
	const char *expected; /* what valid() accepts, in words */
	const struct field_group *group;
	const struct field_ring *ring;
	size_t flag; /* offset of the bool that says if there is a value; 0:
			there always is. Loading a value sets it */
	bool (*when)(const void *object); /* only then saved; NULL: always */
};

struct field_group {
	const struct field *fields;
	size_t count;
};

/*
 * A ring is saved as { "count": how many ever, "last": [ those kept, oldest
 * first ] }. Its functions get what the field's offset leads to.
 */
struct field_ring {
	struct field element; /* how one is saved; offset 0 */
	size_t element_size;
	uint32_t most; /* kept */
	int64_t count_max;
	bool gaps; /* fewer than most may be kept of more */
	uint64_t (*count)(const void *ring);
	uint32_t (*kept)(const void *ring);
	/* Copies the i-th of those kept, from 0, the oldest. */
	void (*get)(const void *ring, uint32_t i, void *element);
	/* Empties the ring; the last kept of count follow. 0 or -ENOMEM. */
	int (*restore)(void *ring, uint64_t count, uint32_t kept);
	int (*add)(void *ring, const void *element); /* 0 or -ENOMEM */
};

/* ---- for tables; the kind of a number follows from its type in C */

#define FIELD_MEMBER(type, member) (((type *)0)->member)

#define FIELD_NUMBER_KIND(type, member)               \
	_Generic(FIELD_MEMBER(type, member), uint16_t \
		 : FIELD_KIND_UINT16, uint32_t        \
		 : FIELD_KIND_UINT32, int32_t         \
		 : FIELD_KIND_INT32, int64_t          \
		 : FIELD_KIND_INT64, uint64_t         \
		 : FIELD_KIND_UINT64)

/* The member's offset, if a pointer to it (of arrays: to their first) is of
 * the type given; else an error at compile time. */
#define FIELD_TYPED(type, member, address, pointer)                        \
	(offsetof(type, member) +                                          \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(address), \
						      pointer)             \
				 ? 1                                       \
				 : -1]))
#define FIELD_OFFSET(type, member, pointer) \
	FIELD_TYPED(type, member, &FIELD_MEMBER(type, member), pointer)
#define FIELD_ARRAY_OFFSET(type, member, pointer) \
	FIELD_TYPED(type, member, &FIELD_MEMBER(type, member)[0], pointer)

/* An enum in C, or the uint32_t that holds one. */
#define FIELD_CHOICE_OFFSET(type, member) \
	(offsetof(type, member) +         \
	 0 * sizeof(char[sizeof(FIELD_MEMBER(type, member)) == 4 ? 1 : -1]))

#define FIELD_BOOL_AS(text, type, member)        \
	.name = (text), .kind = FIELD_KIND_BOOL, \
	.offset = FIELD_OFFSET(type, member, bool *)
#define FIELD_BOOL(type, member)                     \
	{                                            \
		FIELD_BOOL_AS(#member, type, member) \
	}
#define FIELD_NUMBER_AS(text, type, member, low, high)           \
	.name = (text), .kind = FIELD_NUMBER_KIND(type, member), \
	.offset = offsetof(type, member), .min = (low), .max = (high)
#define FIELD_NUMBER(type, member, low, high)                         \
	{                                                             \
		FIELD_NUMBER_AS(#member, type, member, (low), (high)) \
	}
/* Times, and what counts up: saved as INT64_MAX if over that. */
#define FIELD_COUNT(type, member) FIELD_NUMBER(type, member, 0, INT64_MAX)
#define FIELD_HEX_AS(text, type, member)        \
	.name = (text), .kind = FIELD_KIND_HEX, \
	.offset = FIELD_OFFSET(type, member, uint64_t *)
#define FIELD_HEX(type, member)                     \
	{                                           \
		FIELD_HEX_AS(#member, type, member) \
	}
#define FIELD_CHOICE_AS(text, type, member, names, number)               \
	.name = (text), .kind = FIELD_KIND_CHOICE,                       \
	.offset = FIELD_CHOICE_OFFSET(type, member), .name_of = (names), \
	.count = (number)
#define FIELD_CHOICE(type, member, names, number)                     \
	{                                                             \
		FIELD_CHOICE_AS(#member, type, member, names, number) \
	}
#define FIELD_LABEL(type, member, check, words)                               \
	{                                                                     \
		.name = #member, .kind = FIELD_KIND_LABEL,                    \
		.offset = FIELD_ARRAY_OFFSET(type, member, char *),           \
		.size = sizeof(FIELD_MEMBER(type, member)), .valid = (check), \
		.expected = (words),                                          \
	}
#define FIELD_WORDS(type, member)                                   \
	{                                                           \
		.name = #member, .kind = FIELD_KIND_WORDS,          \
		.offset = FIELD_ARRAY_OFFSET(type, member, char *), \
		.size = sizeof(FIELD_MEMBER(type, member)),         \
	}
/* Any text that fits. */
#define FIELD_TEXT_AS(text, type, member)                                     \
	.name = (text), .kind = FIELD_KIND_LABEL,                             \
	.offset = FIELD_ARRAY_OFFSET(type, member, char *),                   \
	.size = sizeof(FIELD_MEMBER(type, member)), .valid = fields_any_text, \
	.expected = "a text"
/* A descriptor, which lives through execve; -1: none. */
#define FIELD_FD_AS(text, type, member)           \
	.name = (text), .kind = FIELD_KIND_INT32, \
	.offset = FIELD_OFFSET(type, member, int *), .min = -1, .max = INT_MAX
/* has: the bool that goes with it. */
#define FIELD_MAC_IF(type, member, has)                                \
	{                                                              \
		.name = #member, .kind = FIELD_KIND_MAC,               \
		.offset = FIELD_ARRAY_OFFSET(type, member, uint8_t *), \
		.flag = FIELD_OFFSET(type, has, bool *),               \
	}
#define FIELD_IPV4(type, member)                                        \
	{                                                               \
		.name = #member, .kind = FIELD_KIND_IPV4,               \
		.offset = FIELD_OFFSET(type, member, struct in_addr *), \
	}
#define FIELD_IPV4_IF(type, member, has)                                \
	{                                                               \
		.name = #member, .kind = FIELD_KIND_IPV4,               \
		.offset = FIELD_OFFSET(type, member, struct in_addr *), \
		.flag = FIELD_OFFSET(type, has, bool *),                \
	}
#define FIELD_IPV6_IF(type, member, has)                                 \
	{                                                                \
		.name = #member, .kind = FIELD_KIND_IPV6,                \
		.offset = FIELD_OFFSET(type, member, struct in6_addr *), \
		.flag = FIELD_OFFSET(type, has, bool *),                 \
	}
#define FIELD_COUNTERS_AS(text, type, member, names, number)    \
	.name = (text), .kind = FIELD_KIND_COUNTERS,            \
	.offset = FIELD_ARRAY_OFFSET(type, member, uint64_t *), \
	.name_of = (names), .count = (number)
#define FIELD_COUNTERS(type, member, names, number)                     \
	{                                                               \
		FIELD_COUNTERS_AS(#member, type, member, names, number) \
	}
#define FIELD_GROUP_AS(text, type, member, table) \
	.name = (text), .kind = FIELD_KIND_GROUP, \
	.offset = offsetof(type, member), .group = (table)
#define FIELD_GROUP(type, member, table)                     \
	{                                                    \
		FIELD_GROUP_AS(#member, type, member, table) \
	}
#define FIELD_RING_AS(text, type, member, table) \
	.name = (text), .kind = FIELD_KIND_RING, \
	.offset = offsetof(type, member), .ring = (table)
#define FIELD_RING(type, member, table)                     \
	{                                                   \
		FIELD_RING_AS(#member, type, member, table) \
	}
#define FIELD_GROUP_OF(table)                                 \
	{                                                     \
		.fields = (table), .count = ARRAY_SIZE(table) \
	}

/* ---- saving and loading */

/* A new JSON object with the fields of object; NULL without memory. */
json_t *fields_save(const struct field_group *group, const void *object);
/* Adds them to one that is there. 0 or -ENOMEM. */
int fields_add(const struct field_group *group, const void *object, json_t *to);

/*
 * Loads the fields that are in json. whose: for messages, "vm0". 0; -EINVAL
 * with problem set, naming the field: "state of vm0: restart.delay_min_ms is
 * not a number from 1 to 86400000"; -ENOMEM with problem set. What stands
 * before that field is loaded then.
 */
int fields_load(const struct field_group *group, void *object,
		const json_t *json, const char *whose, struct problem *problem);

/* Visits the descriptors among the fields, -1 for none. */
typedef int fields_visit_fd(void *ctx, int fd);
void fields_each_fd(const struct field_group *group, const void *object,
		    fields_visit_fd *visit, void *ctx);
/* True: what FIELD_TEXT_AS() accepts. */
bool fields_any_text(const char *text);

/* The kinds that hold others: fields.c's. */
json_t *fields_group_save(const struct field *field, const void *value);
int fields_group_load(struct kinds_place *place, const struct field *field,
		      void *value, const json_t *json);
json_t *fields_ring_save(const struct field *field, const void *value);
int fields_ring_load(struct kinds_place *place, const struct field *field,
		     void *value, const json_t *json);

#endif
