/* SPDX-License-Identifier: ISC */
/* Numbers and times as people write and read them. No I/O. */
#include "supervisor/cli/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60UL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const char *text_duration(double seconds, char text[TEXT_SIZE])
{
	unsigned long s;

	if (!(seconds > 0))
		seconds = 0;
	if (seconds > 1e12)
		seconds = 1e12;
	s = (unsigned long)seconds;
	if (seconds < 9.95)
		snprintf(text, TEXT_SIZE, "%.1fs", seconds);
	else if (s < MINUTE)
		snprintf(text, TEXT_SIZE, "%lus", s);
	else if (s < HOUR)
		snprintf(text, TEXT_SIZE, "%lum%02lus", s / MINUTE, s % MINUTE);
	else if (s < DAY)
		snprintf(text, TEXT_SIZE, "%luh%02lum", s / HOUR,
			 s % HOUR / MINUTE);
	else
		snprintf(text, TEXT_SIZE, "%lud%02luh", s / DAY,
			 s % DAY / HOUR);
	return text;
}

const char *text_bytes(uint64_t bytes, char text[TEXT_SIZE])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(text, TEXT_SIZE, "%u", (unsigned int)bytes);
		return text;
	}
	/* 999.5 would be written with four digits. */
	for (value /= 1024; value >= 999.5 && unit < sizeof(units) - 2; unit++)
		value /= 1024;
	snprintf(text, TEXT_SIZE, "%.*f%c", value < 9.95 ? 1 : 0, value,
		 units[unit]);
	return text;
}

const char *text_ms(double ms, char text[TEXT_SIZE])
{
	int decimals = ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0;

	snprintf(text, TEXT_SIZE, "%.*f", decimals, ms);
	return text;
}

bool text_number(const char *text, long min, long max, long *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' && *number >= min && *number <= max;
}

bool text_seconds(const char *text, long min_ms, long max_ms, long *ms)
{
	double seconds;

	/* strtod() would also take "inf", "0x1p3" and " 1". */
	if (!*text || strspn(text, "0123456789.") != strlen(text) ||
	    strlen(text) >= TEXT_SIZE ||
	    strchr(text, '.') != strrchr(text, '.') || strcmp(text, ".") == 0)
		return false;
	seconds = strtod(text, NULL);
	if (seconds * 1000 > (double)max_ms)
		return false;
	*ms = (long)(seconds * 1000 + 0.5);
	return *ms >= min_ms;
}
