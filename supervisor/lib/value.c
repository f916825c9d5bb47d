/* SPDX-License-Identifier: ISC */
/* Parses single values that people write. */
#include "supervisor/lib/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "ipc/fd.h"

#define DIGITS "0123456789"
/* More digits of a fraction can't change the rounded milliseconds. */
#define FRACTION_DIGITS_MAX 9

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit duration_units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 60 * 60 * 1000 },
};

static const struct unit size_units[] = {
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
};

static const struct unit *find_unit(const struct unit *units, size_t count,
				    const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(units[i].name, name))
			return &units[i];
	return NULL;
}

/* Reads one or more digits at *text, and moves *text behind
 * them. 0, -EINVAL, -ERANGE. */
static int read_digits(const char **text, uint64_t *value)
{
	size_t length = strspn(*text, DIGITS);

	*value = 0;
	for (size_t i = 0; i < length; i++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)((*text)[i] - '0'),
					   value))
			return -ERANGE;
	*text += length;
	return length ? 0 : -EINVAL;
}

int value_duration(const char *text, uint32_t *ms)
{
	const struct unit *unit;
	uint64_t whole, fraction = 0, scale = 1;
	int error = read_digits(&text, &whole);

	if (error)
		return error;
	if (*text == '.') {
		size_t length = strspn(++text, DIGITS);

		if (!length)
			return -EINVAL;
		for (size_t i = 0; i < length && i < FRACTION_DIGITS_MAX; i++) {
			fraction = fraction * 10 + (uint64_t)(text[i] - '0');
			scale *= 10;
		}
		text += length;
	}
	unit = find_unit(duration_units, ARRAY_SIZE(duration_units), text);
	if (!unit)
		return -EINVAL;
	/* No overflow: fraction is below 10^9, and factor below 10^7. */
	fraction = (fraction * unit->factor + scale / 2) / scale;
	if (__builtin_mul_overflow(whole, unit->factor, &whole) ||
	    __builtin_add_overflow(whole, fraction, &whole) ||
	    whole > UINT32_MAX)
		return -ERANGE;
	*ms = (uint32_t)whole;
	return 0;
}

int value_size(const char *text, uint64_t *bytes)
{
	const struct unit *unit;
	uint64_t whole;
	int error = read_digits(&text, &whole);

	if (error)
		return error;
	unit = find_unit(size_units, ARRAY_SIZE(size_units), text);
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit->factor, bytes))
		return -ERANGE;
	return 0;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int value_mac(const char *text, uint8_t mac[6])
{
	uint8_t parsed[6];

	for (size_t i = 0; i < sizeof(parsed); i++, text += 3) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		parsed[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(mac, parsed, sizeof(parsed));
	return 0;
}

/* Splits "ADDRESS/PREFIX", and parses both. */
static int address_prefix(int family, const char *text, void *address,
			  uint32_t *prefix)
{
	char part[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	uint64_t bits;

	if (length >= sizeof(part) || text[length] != '/')
		return -EINVAL;
	memcpy(part, text, length);
	part[length] = '\0';
	text += length + 1;
	if (read_digits(&text, &bits) || *text != '\0' ||
	    bits > (family == AF_INET ? 32 : 128) ||
	    inet_pton(family, part, address) != 1)
		return -EINVAL;
	*prefix = (uint32_t)bits;
	return 0;
}

int value_ipv4_prefix(const char *text, struct in_addr *address,
		      uint32_t *prefix)
{
	return address_prefix(AF_INET, text, address, prefix);
}

int value_ipv6_prefix(const char *text, struct in6_addr *address,
		      uint32_t *prefix)
{
	return address_prefix(AF_INET6, text, address, prefix);
}

bool value_link_name(const char *text, size_t max_length)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	return length > 0 && length <= max_length && text[length] == '\0' &&
	       !strchr("_-.", text[0]) && strcmp(text, "all") != 0 &&
	       strcmp(text, "default") != 0 && strcmp(text, "lo") != 0;
}
