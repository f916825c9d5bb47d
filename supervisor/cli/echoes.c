/* SPDX-License-Identifier: ISC */
/* The statistics that ping(8) prints at its end. No I/O. */
#include "supervisor/cli/echoes.h"

#include <stdio.h>

void echoes_reply(struct echoes *echoes, double rtt_ms)
{
	double from_old_mean = rtt_ms - echoes->mean_ms;

	echoes->received++;
	if (echoes->received == 1 || rtt_ms < echoes->min_ms)
		echoes->min_ms = rtt_ms;
	if (echoes->received == 1 || rtt_ms > echoes->max_ms)
		echoes->max_ms = rtt_ms;
	/* Welford's algorithm: a running variance that keeps its precision. */
	echoes->mean_ms += from_old_mean / (double)echoes->received;
	echoes->squares += from_old_mean * (rtt_ms - echoes->mean_ms);
}

/* Newton's method: so the program doesn't need libm. */
static double square_root(double value)
{
	double root = value > 1 ? value : 1, next;

	if (!(value > 0))
		return 0;
	/* From above, the root falls until no more digits change. */
	while ((next = (root + value / root) / 2) < root)
		root = next;
	return root;
}

double echoes_mdev_ms(const struct echoes *echoes)
{
	if (echoes->received == 0)
		return 0;
	return square_root(echoes->squares / (double)echoes->received);
}

double echoes_loss_percent(const struct echoes *echoes)
{
	if (echoes->sent == 0)
		return 0;
	return 100.0 * (double)(echoes->sent - echoes->received) /
	       (double)echoes->sent;
}

const char *echoes_summary(const struct echoes *echoes, double elapsed_ms,
			   char *text, size_t size)
{
	char errors[40] = "";
	int length;

	if (echoes->errors)
		snprintf(errors, sizeof(errors), ", +%lu errors",
			 echoes->errors);
	length = snprintf(text, size,
			  "%lu packets transmitted, %lu received%s, %g%% "
			  "packet loss, time %.0fms\n",
			  echoes->sent, echoes->received, errors,
			  echoes_loss_percent(echoes), elapsed_ms);
	if (echoes->received && length > 0 && (size_t)length < size)
		snprintf(text + length, size - (size_t)length,
			 "rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n",
			 echoes->min_ms, echoes->mean_ms, echoes->max_ms,
			 echoes_mdev_ms(echoes));
	return text;
}
