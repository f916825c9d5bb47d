/* SPDX-License-Identifier: ISC */
/* The statistics that ping(8) prints at its end. No I/O. */
#ifndef VMSUP_SUPERVISOR_CLI_ECHOES_H
#define VMSUP_SUPERVISOR_CLI_ECHOES_H

#include <stddef.h>

struct echoes {
	unsigned long sent, received, errors;
	double min_ms, max_ms, mean_ms;
	double squares; /* sum of squared distances from the mean */
};

/* Counts a reply, with its round-trip time. */
void echoes_reply(struct echoes *echoes, double rtt_ms);
/* The standard deviation of the round-trip times; ping(8) calls it mdev. */
double echoes_mdev_ms(const struct echoes *echoes);
/* The part of the requests that got no reply, 0 to 100. */
double echoes_loss_percent(const struct echoes *echoes);

/* Writes the lines of the statistics. elapsed_ms: from the first request
 * to the last. Returns text. */
const char *echoes_summary(const struct echoes *echoes, double elapsed_ms,
			   char *text, size_t size);

#endif
