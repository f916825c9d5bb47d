/* SPDX-License-Identifier: ISC */
/* Times as text. */
#ifndef VMSUP_SUPERVISOR_TIME_FORMAT_H
#define VMSUP_SUPERVISOR_TIME_FORMAT_H

#include <time.h>

/* RFC 3339 in UTC with milliseconds; text has room for 32 bytes. */
void time_format(char text[32], const struct timespec *time);

#endif
