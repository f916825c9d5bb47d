/* SPDX-License-Identifier: ISC */
/*
 * From a command to the last of its VMs that answers.
 *
 *   sweep FIRST COUNT MILLISECONDS [COMMAND ARGUMENT...]
 *
 * Runs COMMAND, and when it has ended pings COUNT addresses from FIRST on, all
 * at once through one socket and again where no reply came, until every one has
 * answered or MILLISECONDS are over. The clock runs from just before the fork.
 * Prints one JSON object; fails if COMMAND does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/echo.h"

#define COUNT_MAX     1024
#define AGAIN_MS      20
#define RECEIVE_BYTES (8 << 20)

struct sweep {
	int fd;
	uint16_t id;
	uint32_t first; /* host byte order */
	size_t count, answered, sent;
	bool done[COUNT_MAX];
};

static void run(char **command)
{
	posix_spawn_file_actions_t actions;
	int status = 0, error;
	pid_t pid;

	/* stdout is for the result alone */
	error = posix_spawn_file_actions_init(&actions);
	if (!error)
		error = posix_spawn_file_actions_addopen(
			&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn(&pid, command[0], &actions, NULL, command,
				    environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		errx(1, "%s: %s", command[0], strerror(error));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "%s failed: status %#x", command[0],
		     (unsigned int)status);
}

static int open_socket(void)
{
	struct icmp_filter filter = { ~(1U << ICMP_ECHOREPLY) };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_ICMP);
	int bytes = RECEIVE_BYTES;

	if (fd < 0 ||
	    setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) <
		    0)
		err(1, "raw socket");
	return fd;
}

static void take_replies(struct sweep *sweep)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
	} reply;

	while (recv(sweep->fd, &reply, sizeof(reply), 0) ==
	       (ssize_t)sizeof(reply)) {
		size_t index = ntohl(reply.ip.saddr) - sweep->first;

		if (reply.icmp.un.echo.id != sweep->id ||
		    index >= sweep->count || sweep->done[index])
			continue;
		sweep->done[index] = true;
		sweep->answered++;
	}
}

static void ask(struct sweep *sweep, size_t index)
{
	struct icmphdr request = {
		.type = ICMP_ECHO,
		.un.echo.id = sweep->id,
		.un.echo.sequence = htons((uint16_t)index),
	};
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(sweep->first + (uint32_t)index),
	};

	request.checksum = echo_checksum(&request, sizeof(request));
	if (sendto(sweep->fd, &request, sizeof(request), 0,
		   (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EAGAIN && errno != ENOBUFS && errno != EHOSTUNREACH)
		err(1, "send");
	sweep->sent++;
}

/* One request to each that hasn't answered, then time to do so. */
static void ask_all(struct sweep *sweep)
{
	struct pollfd polled = { .fd = sweep->fd, .events = POLLIN };
	uint64_t again_ns;

	for (size_t i = 0; i < sweep->count; i++)
		if (!sweep->done[i])
			ask(sweep, i);
	again_ns = echo_now_ns() + AGAIN_MS * NSEC_PER_MSEC;
	take_replies(sweep);
	while (sweep->answered < sweep->count && echo_now_ns() < again_ns) {
		if (poll(&polled, 1, AGAIN_MS) < 0 && errno != EINTR)
			err(1, "poll");
		take_replies(sweep);
	}
}

static double since_ms(uint64_t then_ns)
{
	return (double)(echo_now_ns() - then_ns) / (double)NSEC_PER_MSEC;
}

int main(int argc, char **argv)
{
	static struct sweep sweep;
	double command_ms, all_ms;
	struct in_addr first;
	uint64_t begin_ns, end_ns, limit_ns;

	if (argc < 4)
		errx(2, "usage: sweep FIRST COUNT MILLISECONDS "
			"[COMMAND ARGUMENT...]");
	if (inet_pton(AF_INET, argv[1], &first) != 1)
		errx(2, "%s: no IPv4 address", argv[1]);
	sweep.first = ntohl(first.s_addr);
	sweep.count = echo_number(argv[2], "COUNT", 1, COUNT_MAX);
	limit_ns =
		echo_number(argv[3], "MILLISECONDS", 1, 60000) * NSEC_PER_MSEC;
	sweep.id = (uint16_t)getpid();
	sweep.fd = open_socket();

	begin_ns = echo_now_ns();
	if (argc > 4)
		run(argv + 4);
	command_ms = since_ms(begin_ns);
	end_ns = echo_now_ns() + limit_ns;
	while (sweep.answered < sweep.count && echo_now_ns() < end_ns)
		ask_all(&sweep);
	all_ms = since_ms(begin_ns);
	printf("{\"command_ms\": %.3f, \"all_ms\": %.3f, \"answered\": %zu, "
	       "\"requests\": %zu}\n",
	       command_ms, all_ms, sweep.answered, sweep.sent);
	close(sweep.fd);
	return 0;
}
