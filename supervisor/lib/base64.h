/* SPDX-License-Identifier: ISC */
/* Bytes as text that JSON can hold (RFC 4648, section 4). */
#ifndef VMSUP_SUPERVISOR_BASE64_H
#define VMSUP_SUPERVISOR_BASE64_H

#include <stddef.h>

/* Characters for so many bytes, NUL included. */
#define BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Writes BASE64_LENGTH(length) characters to text. */
void base64_encode(char *text, const void *bytes, size_t length);
/* Reads text into bytes, which has room for size. The number of bytes, or
 * -EINVAL: that is no such text, or of more. */
int base64_decode(void *bytes, size_t size, const char *text);

#endif
