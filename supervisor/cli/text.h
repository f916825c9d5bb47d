/* SPDX-License-Identifier: ISC */
/* Numbers and times as people write and read them. No I/O. */
#ifndef VMSUP_SUPERVISOR_CLI_TEXT_H
#define VMSUP_SUPERVISOR_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any text that is made here. */
#define TEXT_SIZE 32

/* "0.4s", "42s", "3m12s", "5h03m", "12d04h". Returns text. */
const char *text_duration(double seconds, char text[TEXT_SIZE]);
/* "0", "999", "1.2K", "12K", "3.4M": powers of 1024. Returns text. */
const char *text_bytes(uint64_t bytes, char text[TEXT_SIZE]);
/* "0.031", "4.12", "31.5", "250": at least three digits, as
 * in ping(8). Returns text. */
const char *text_ms(double ms, char text[TEXT_SIZE]);

/* Reads a whole number of decimal digits. False: text is none,
 * or is outside min to max. */
bool text_number(const char *text, long min, long max, long *number);
/* Reads seconds, with or without a fraction ("0.2"), as milliseconds. False:
 * text is none, or is outside min_ms to max_ms. */
bool text_seconds(const char *text, long min_ms, long max_ms, long *ms);

#endif
