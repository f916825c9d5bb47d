/* SPDX-License-Identifier: ISC */
/* Bytes as text that JSON can hold (RFC 4648, section 4). */
#include "supervisor/lib/base64.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
/* Where the character for nothing stands. */
#define PADDING 64

void base64_encode(char *text, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)from[i] << 16;

		if (left > 1)
			group |= (uint32_t)from[i + 1] << 8;
		if (left > 2)
			group |= from[i + 2];
		*text++ = digits[group >> 18];
		*text++ = digits[group >> 12 & 63];
		*text++ = digits[left > 1 ? group >> 6 & 63 : PADDING];
		*text++ = digits[left > 2 ? group & 63 : PADDING];
	}
	*text = '\0';
}

/* -1: none. */
static int value_of(char digit)
{
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at && *at != '=' ? (int)(at - digits) : -1;
}

int base64_decode(void *bytes, size_t size, const char *text)
{
	size_t length = strlen(text), used = 0;
	uint8_t *to = bytes;

	if (length % 4 != 0 || length > INT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i += 4) {
		bool last = i + 4 == length;
		unsigned int pad = 0;
		uint32_t group = 0;

		if (last)
			pad = (text[i + 3] == '=') + (text[i + 2] == '=');
		for (size_t k = 0; k < 4; k++) {
			int value = k >= 4 - pad ? 0 : value_of(text[i + k]);

			if (value < 0)
				return -EINVAL;
			group = group << 6 | (uint32_t)value;
		}
		if (last && pad == 2 && text[i + 3] != '=')
			return -EINVAL;
		for (unsigned int k = 0; k < 3 - pad; k++) {
			if (used == size)
				return -EINVAL;
			to[used++] = (uint8_t)(group >> (16 - 8 * k));
		}
	}
	return (int)used;
}
