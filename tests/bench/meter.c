/* SPDX-License-Identifier: ISC */
/*
 * Round trips of echo requests, one after the other, each timed.
 *
 *   meter ADDRESS SECONDS_MS PACE_US
 *
 * PACE_US 0: the next request goes out as soon as the reply is there (a flood
 * in a closed loop); else one every so often. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/echo.h"

#define SAMPLES_MAX   2000000
#define PAYLOAD_BYTES 56 /* as ping(8) has it */
#define PATIENCE_US   200000

struct request {
	struct icmphdr icmp;
	uint8_t payload[PAYLOAD_BYTES];
};

struct meter {
	int fd;
	uint16_t id, sequence;
	uint64_t *rtt_ns; /* of each reply */
	size_t replies, lost;
};

static int open_socket(const char *address)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	/* a set bit is a type that isn't wanted */
	struct icmp_filter filter = { ~(1U << ICMP_ECHOREPLY) };
	struct timeval patience = { .tv_usec = PATIENCE_US };
	int fd;

	if (inet_pton(AF_INET, address, &peer.sin_addr) != 1)
		errx(2, "%s: no IPv4 address", address);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		err(1, "raw socket");
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		err(1, "%s", address);
	return fd;
}

/* True once the reply to the last request is there. */
static bool await_reply(struct meter *meter)
{
	struct {
		struct iphdr ip;
		struct request request;
	} __attribute__((packed)) reply;

	for (;;) {
		ssize_t bytes = recv(meter->fd, &reply, sizeof(reply), 0);

		if (bytes < 0 && errno == EAGAIN)
			return false;
		if (bytes < 0 && errno != EINTR)
			err(1, "recv");
		if (bytes == (ssize_t)sizeof(reply) &&
		    reply.request.icmp.un.echo.id == meter->id &&
		    reply.request.icmp.un.echo.sequence == meter->sequence)
			return true;
	}
}

static void measure_one(struct meter *meter)
{
	struct request request = {
		.icmp.type = ICMP_ECHO,
		.icmp.un.echo.id = meter->id,
		.icmp.un.echo.sequence = ++meter->sequence,
	};
	uint64_t sent_ns;

	request.icmp.checksum = echo_checksum(&request, sizeof(request));
	sent_ns = echo_now_ns();
	if (send(meter->fd, &request, sizeof(request), 0) < 0)
		err(1, "send");
	if (await_reply(meter))
		meter->rtt_ns[meter->replies++] = echo_now_ns() - sent_ns;
	else
		meter->lost++;
}

static void wait_until(uint64_t due_ns)
{
	struct timespec due = {
		.tv_sec = (time_t)(due_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(due_ns % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL))
		;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static double percentile_us(const struct meter *meter, unsigned int percent)
{
	size_t rank;

	if (meter->replies == 0)
		return 0;
	rank = (meter->replies - 1) * percent / 100;
	return (double)meter->rtt_ns[rank] / (double)NSEC_PER_USEC;
}

static void report(struct meter *meter, uint64_t took_ns)
{
	double seconds = (double)took_ns / (double)NSEC_PER_SEC;

	qsort(meter->rtt_ns, meter->replies, sizeof(*meter->rtt_ns), compare);
	printf("{\"replies\": %zu, \"lost\": %zu, \"seconds\": %.6f, "
	       "\"rate\": %.1f, \"rtt_us\": {\"min\": %.3f, \"median\": %.3f, "
	       "\"p99\": %.3f}}\n",
	       meter->replies, meter->lost, seconds,
	       (double)meter->replies / seconds, percentile_us(meter, 0),
	       percentile_us(meter, 50), percentile_us(meter, 99));
}

int main(int argc, char **argv)
{
	struct meter meter = { .id = (uint16_t)getpid() };
	uint64_t begin_ns, end_ns, pace_ns, due_ns;

	if (argc != 4)
		errx(2, "usage: meter ADDRESS MILLISECONDS PACE_US");
	pace_ns = echo_number(argv[3], "PACE_US", 0, 1000000) * NSEC_PER_USEC;
	meter.fd = open_socket(argv[1]);
	meter.rtt_ns = calloc(SAMPLES_MAX, sizeof(*meter.rtt_ns));
	if (!meter.rtt_ns)
		err(1, "samples");
	begin_ns = due_ns = echo_now_ns();
	end_ns = begin_ns +
		 echo_number(argv[2], "MILLISECONDS", 1, 60000) * NSEC_PER_MSEC;
	while (echo_now_ns() < end_ns && meter.replies < SAMPLES_MAX) {
		if (pace_ns)
			wait_until(due_ns += pace_ns);
		measure_one(&meter);
	}
	report(&meter, echo_now_ns() - begin_ns);
	free(meter.rtt_ns);
	return 0;
}
