/* SPDX-License-Identifier: ISC */
/* Times as text. */
#include "supervisor/lib/time_format.h"

#include <stdio.h>

void time_format(char text[32], const struct timespec *time)
{
	struct tm utc;
	size_t length;

	gmtime_r(&time->tv_sec, &utc);
	length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, 32 - length, ".%03ldZ",
		 time->tv_nsec / 1000000);
}
