/* SPDX-License-Identifier: ISC */
/* What ping(8) says at its end: echoes counted, their times summed up. Pure. */
#ifndef VMSUP_SUPERVISOR_CLI_ECHOES_H
#define VMSUP_SUPERVISOR_CLI_ECHOES_H

#include <stddef.h>

struct echoes {
	unsigned long sent, received, errors;
	double min_ms, max_ms, mean_ms;
	double squares; /* sum of squared distances from the mean */
};

/* One reply that took that long. */
void echoes_reply(struct echoes *echoes, double rtt_ms);
/* Standard deviation of the replies' times, which ping(8) calls mdev. */
double echoes_mdev_ms(const struct echoes *echoes);
/* Of those sent, 0 to 100. */
double echoes_loss_percent(const struct echoes *echoes);

/* Both lines of the statistics block; elapsed_ms from the first request to the
 * last. Returns text. */
const char *echoes_summary(const struct echoes *echoes, double elapsed_ms,
			   char *text, size_t size);

#endif
