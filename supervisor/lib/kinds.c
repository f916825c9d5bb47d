/* SPDX-License-Identifier: ISC */
/* One value of a structure as JSON and back, for each kind of field. */
#include "supervisor/lib/kinds.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/lib/value.h"

#define HEX_DIGITS_MAX 16 /* of 64 bits */

static size_t add_to_path(struct kinds_place *place, const char *name,
			  const char *index)
{
	size_t before = place->length;
	size_t room = sizeof(place->path) - before;
	size_t length = (size_t)snprintf(place->path + before, room, "%s%s%s",
					 before ? "." : "", name, index);

	place->length += length < room ? length : room - 1;
	return before;
}

size_t kinds_enter(struct kinds_place *place, const char *name)
{
	return add_to_path(place, name, "");
}

size_t kinds_enter_at(struct kinds_place *place, const char *name, size_t i)
{
	char index[24];

	snprintf(index, sizeof(index), "[%zu]", i);
	return add_to_path(place, name, index);
}

int kinds_refuse(const struct kinds_place *place, const char *expected)
{
	return problem_set(place->problem, -EINVAL,
			   "state of %s%s%.*s is not %s", place->whose,
			   place->length ? ": " : "", (int)place->length,
			   place->path, expected);
}

int kinds_no_memory(const struct kinds_place *place)
{
	return problem_set(place->problem, -ENOMEM,
			   "state of %s: out of memory", place->whose);
}

/* ---- bool and numbers */

static json_t *save_bool(const struct field *field, const void *value)
{
	(void)field;
	return json_boolean(*(const bool *)value);
}

static int load_bool(struct kinds_place *place, const struct field *field,
		     void *value, const json_t *json)
{
	(void)field;
	if (!json_is_boolean(json))
		return kinds_refuse(place, "true or false");
	*(bool *)value = json_is_true(json);
	return 0;
}

static int load_integer(const struct kinds_place *place,
			const struct field *field, json_int_t *number,
			const json_t *json)
{
	char expected[80];

	*number = json_integer_value(json);
	if (json_is_integer(json) && *number >= field->min &&
	    *number <= field->max)
		return 0;
	snprintf(expected, sizeof(expected),
		 "a number from %" PRId64 " to %" PRId64, field->min,
		 field->max);
	return kinds_refuse(place, expected);
}

/* save_NAME() and load_NAME() of an integer type within json_int_t. */
#define INTEGER(name, type)                                            \
	static json_t *save_##name(const struct field *field,          \
				   const void *value)                  \
	{                                                              \
		(void)field;                                           \
		return json_integer(*(const type *)value);             \
	}                                                              \
	static int load_##name(struct kinds_place *place,              \
			       const struct field *field, void *value, \
			       const json_t *json)                     \
	{                                                              \
		json_int_t number;                                     \
		int error = load_integer(place, field, &number, json); \
                                                                       \
		if (!error)                                            \
			*(type *)value = (type)number;                 \
		return error;                                          \
	}
INTEGER(uint16, uint16_t)
INTEGER(uint32, uint32_t)
INTEGER(int32, int32_t)
INTEGER(int64, int64_t)
INTEGER(unsigned63, uint64_t)

/* JSON's integers are signed: better the most it can say than a negative. */
static json_t *save_uint64(const struct field *field, const void *value)
{
	const uint64_t most = INT64_MAX;

	return save_unsigned63(field,
			       *(const uint64_t *)value < most ? value : &most);
}

static json_t *save_hex(const struct field *field, const void *value)
{
	char text[2 + HEX_DIGITS_MAX + 1];

	(void)field;
	snprintf(text, sizeof(text), "0x%" PRIx64, *(const uint64_t *)value);
	return json_string(text);
}

static int load_hex(struct kinds_place *place, const struct field *field,
		    void *value, const json_t *json)
{
	const char *text = json_string_value(json);
	size_t digits;

	(void)field;
	if (!text || strncmp(text, "0x", 2) != 0)
		return kinds_refuse(place, "a text like 0x1f");
	digits = strspn(text + 2, "0123456789abcdef");
	if (digits == 0 || digits > HEX_DIGITS_MAX || text[2 + digits])
		return kinds_refuse(place, "a text like 0x1f");
	*(uint64_t *)value = strtoull(text, NULL, 16);
	return 0;
}

/* ---- texts */

static json_t *save_choice(const struct field *field, const void *value)
{
	uint32_t number = *(const uint32_t *)value;

	return number < field->count ? json_string(field->name_of(number))
				     : NULL;
}

static int load_choice(struct kinds_place *place, const struct field *field,
		       void *value, const json_t *json)
{
	const char *text = json_string_value(json);
	char expected[160] = "one of";
	size_t length = strlen(expected);

	for (unsigned int i = 0; text && i < field->count; i++) {
		if (strcmp(text, field->name_of(i)) == 0) {
			*(uint32_t *)value = i;
			return 0;
		}
	}
	for (unsigned int i = 0; i < field->count && length < sizeof(expected);
	     i++)
		length += (size_t)snprintf(expected + length,
					   sizeof(expected) - length, "%s %s",
					   i ? "," : "", field->name_of(i));
	return kinds_refuse(place, expected);
}

static json_t *save_label(const struct field *field, const void *value)
{
	(void)field;
	return json_string(value);
}

static int load_label(struct kinds_place *place, const struct field *field,
		      void *value, const json_t *json)
{
	const char *text = json_string_value(json);
	size_t length = json_string_length(json);

	if (!text || length >= field->size || strlen(text) != length ||
	    !field->valid(text))
		return kinds_refuse(place, field->expected);
	memset(value, 0, field->size);
	memcpy(value, text, length);
	return 0;
}

static json_t *save_words(const struct field *field, const void *value)
{
	char text[LOG_LINE_BYTES];

	(void)field;
	/* whatever it is, it must be a JSON text: UTF-8 */
	snprintf(text, sizeof(text), "%s", (const char *)value);
	log_clean(text);
	return json_string(text);
}

static int load_words(struct kinds_place *place, const struct field *field,
		      void *value, const json_t *json)
{
	if (!json_is_string(json))
		return kinds_refuse(place, "a text");
	memset(value, 0, field->size);
	snprintf(value, field->size, "%s", json_string_value(json));
	log_clean(value);
	return 0;
}

/* ---- addresses */

static json_t *save_mac(const struct field *field, const void *value)
{
	const uint8_t *mac = value;
	char text[18];

	(void)field;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
	return json_string(text);
}

static int load_mac(struct kinds_place *place, const struct field *field,
		    void *value, const json_t *json)
{
	const char *text = json_string_value(json);

	(void)field;
	if (!text || value_mac(text, value) < 0)
		return kinds_refuse(place, "a MAC address");
	return 0;
}

static json_t *save_ipv4(const struct field *field, const void *value)
{
	char text[INET_ADDRSTRLEN];

	(void)field;
	return json_string(inet_ntop(AF_INET, value, text, sizeof(text)));
}

static int load_ipv4(struct kinds_place *place, const struct field *field,
		     void *value, const json_t *json)
{
	const char *text = json_string_value(json);

	(void)field;
	if (!text || inet_pton(AF_INET, text, value) != 1)
		return kinds_refuse(place, "an IPv4 address");
	return 0;
}

static json_t *save_ipv6(const struct field *field, const void *value)
{
	char text[INET6_ADDRSTRLEN];

	(void)field;
	return json_string(inet_ntop(AF_INET6, value, text, sizeof(text)));
}

static int load_ipv6(struct kinds_place *place, const struct field *field,
		     void *value, const json_t *json)
{
	const char *text = json_string_value(json);

	(void)field;
	if (!text || inet_pton(AF_INET6, text, value) != 1)
		return kinds_refuse(place, "an IPv6 address");
	return 0;
}

/* ---- counters: each under its name, so that some may come and go */

static json_t *save_counters(const struct field *field, const void *value)
{
	const uint64_t *counters = value;
	json_t *object = json_object();

	for (unsigned int i = 0; i < field->count; i++) {
		if (json_object_set_new(object, field->name_of(i),
					save_uint64(field, &counters[i])) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static int load_counters(struct kinds_place *place, const struct field *field,
			 void *value, const json_t *json)
{
	static const struct field counter = { .max = INT64_MAX };
	uint64_t *counters = value;

	if (!json_is_object(json))
		return kinds_refuse(place, "an object");
	for (unsigned int i = 0; i < field->count; i++) {
		const json_t *number = json_object_get(json, field->name_of(i));
		size_t before = kinds_enter(place, field->name_of(i));
		int error = 0;

		if (number)
			error = load_unsigned63(place, &counter, &counters[i],
						number);
		if (error)
			return error;
		place->length = before;
	}
	return 0;
}

const struct kind kinds[] = {
	[FIELD_KIND_BOOL] = { save_bool, load_bool },
	[FIELD_KIND_UINT16] = { save_uint16, load_uint16 },
	[FIELD_KIND_UINT32] = { save_uint32, load_uint32 },
	[FIELD_KIND_INT32] = { save_int32, load_int32 },
	[FIELD_KIND_INT64] = { save_int64, load_int64 },
	[FIELD_KIND_UINT64] = { save_uint64, load_unsigned63 },
	[FIELD_KIND_HEX] = { save_hex, load_hex },
	[FIELD_KIND_CHOICE] = { save_choice, load_choice },
	[FIELD_KIND_LABEL] = { save_label, load_label },
	[FIELD_KIND_WORDS] = { save_words, load_words },
	[FIELD_KIND_MAC] = { save_mac, load_mac },
	[FIELD_KIND_IPV4] = { save_ipv4, load_ipv4 },
	[FIELD_KIND_IPV6] = { save_ipv6, load_ipv6 },
	[FIELD_KIND_COUNTERS] = { save_counters, load_counters },
	[FIELD_KIND_GROUP] = { fields_group_save, fields_group_load },
	[FIELD_KIND_RING] = { fields_ring_save, fields_ring_load },
};
static_assert(ARRAY_SIZE(kinds) == FIELD_KINDS, "a row per kind");
