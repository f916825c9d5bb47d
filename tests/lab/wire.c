/* SPDX-License-Identifier: ISC */
/*
 * The lab's own tool, the same in guest and host: runs commands in a guest,
 * sends and compares bytes over TCP, counts small frames, times a disk.
 *
 *	wire serve                      in the guest: answers the others
 *	wire run GUEST COMMAND          runs it there; its output, its status
 *	wire send|get GUEST MIB [plain] TCP, compared byte for byte unless plain
 *	wire flood to|from GUEST SECONDS small UDP frames: how many arrived
 *	wire raw PROTOCOL ADDRESS[%IF] COUNT HEX  IP packets of that protocol
 *	wire disk PATH MODE SECONDS     4 KiB or 1 MiB, O_DIRECT, one at a time
 *	wire await FILE TEXT SECONDS    until a file has the text; prints when,
 * in
 *	                                seconds of the monotonic clock
 *	wire now                        that clock
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 7000,
	FLOOD_PORT = 7001,
	CHUNK = 256 * 1024,
	SMALL = 18, /* bytes of UDP payload that make a frame of 60 */
	BURST = 32,
	MIB = 1024 * 1024,
	LINE = 2000,
	CONNECT_MS = 5000,
	SILENCE_MS = 30000,
};

static unsigned char chunk[CHUNK] __attribute__((aligned(4096)));
static unsigned char expected[CHUNK];

static void die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The bytes that both ends know; *state goes on from one chunk to the next. */
static void fill(unsigned char *to, size_t bytes, uint64_t *state)
{
	for (size_t at = 0; at + sizeof(*state) <= bytes;
	     at += sizeof(*state)) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		memcpy(to + at, state, sizeof(*state));
	}
}

static void write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t wrote = write(fd, at, bytes);

		if (wrote < 0)
			die("write");
		at += wrote;
		bytes -= (size_t)wrote;
	}
}

static void read_all(int fd, void *data, size_t bytes)
{
	char *at = data;

	while (bytes > 0) {
		ssize_t got = read(fd, at, bytes);

		if (got <= 0) {
			errno = got == 0 ? ECONNRESET : errno;
			die("read");
		}
		at += got;
		bytes -= (size_t)got;
	}
}

static void put_bytes(int fd, long mib, int plain)
{
	uint64_t state = 88172645463325252;

	fill(chunk, sizeof(chunk), &state);
	state = 88172645463325252;
	for (long left = mib * (MIB / CHUNK); left > 0; left--) {
		if (!plain)
			fill(chunk, sizeof(chunk), &state);
		write_all(fd, chunk, sizeof(chunk));
	}
}

static long take_bytes(int fd, long mib, int plain)
{
	uint64_t state = 88172645463325252;
	long wrong = 0;

	for (long left = mib * (MIB / CHUNK); left > 0; left--) {
		read_all(fd, chunk, sizeof(chunk));
		if (plain)
			continue;
		fill(expected, sizeof(expected), &state);
		wrong += memcmp(chunk, expected, sizeof(chunk)) != 0;
	}
	return wrong;
}

/* ---- floods: UDP frames of the least size, counted where they arrive */

static int udp_to(struct sockaddr_in peer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	peer.sin_port = htons(FLOOD_PORT);
	if (fd < 0 || connect(fd, (void *)&peer, sizeof(peer)) < 0)
		die("UDP");
	return fd;
}

static int udp_listen(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(FLOOD_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int room = 8 * MIB;

	if (fd < 0 || bind(fd, (void *)&here, sizeof(here)) < 0)
		die("UDP port");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

static long flood(int fd, double seconds)
{
	struct iovec part = { chunk, SMALL };
	struct mmsghdr many[BURST];
	double until = now_s() + seconds;
	long sent = 0;

	memset(many, 0, sizeof(many));
	for (int i = 0; i < BURST; i++) {
		many[i].msg_hdr.msg_iov = &part;
		many[i].msg_hdr.msg_iovlen = 1;
	}
	while (now_s() < until) {
		int did = sendmmsg(fd, many, BURST, 0);

		if (did > 0)
			sent += did;
	}
	return sent;
}

/* Until the channel says that the other side is done and nothing more comes. */
static long count_frames(int fd, int channel_fd)
{
	struct pollfd waits[] = { { .fd = fd, .events = POLLIN },
				  { .fd = channel_fd, .events = POLLIN } };
	struct iovec parts[BURST];
	struct mmsghdr many[BURST];
	long frames = 0;

	memset(many, 0, sizeof(many));
	for (int i = 0; i < BURST; i++) {
		parts[i] = (struct iovec){ chunk + 64 * i, 64 };
		many[i].msg_hdr.msg_iov = &parts[i];
		many[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		int got;

		poll(waits, 2, -1);
		got = recvmmsg(fd, many, BURST, MSG_DONTWAIT, NULL);
		if (got > 0)
			frames += got;
		else if (waits[1].revents)
			return frames;
	}
}

/* ---- the guest's end */

static void serve_run(int fd, const char *command)
{
	char last[64];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	status = WIFEXITED(status) ? WEXITSTATUS(status)
				   : 128 + WTERMSIG(status);
	write_all(fd, last, (size_t)sprintf(last, "%c%d\n", 0, status));
}

static void serve_flood(int fd, const char *direction, double seconds)
{
	struct sockaddr_in peer;
	socklen_t bytes = sizeof(peer);
	char answer[64];
	long frames;

	if (!strcmp(direction, "from")) {
		getpeername(fd, (void *)&peer, &bytes);
		frames = flood(udp_to(peer), seconds);
	} else {
		int udp_fd = udp_listen();

		write_all(fd, "+", 1);
		frames = count_frames(udp_fd, fd);
	}
	write_all(fd, answer, (size_t)sprintf(answer, "%ld\n", frames));
}

static void serve_one(int fd)
{
	char line[LINE + 1] = "", word[16] = "", second[16] = "";
	double number = 0;
	size_t got = 0;

	while (got < LINE) {
		read_all(fd, line + got, 1);
		if (line[got] == '\0')
			break;
		got++;
	}
	line[got] = '\0';
	if (!strncmp(line, "run ", 4)) {
		serve_run(fd, line + 4);
	} else if (sscanf(line, "flood %15s %lf", second, &number) == 2) {
		serve_flood(fd, second, number);
	} else if (sscanf(line, "%15s %lf %15s", word, &number, second) >= 2) {
		if (!strcmp(word, "send")) {
			long wrong = take_bytes(fd, (long)number,
						!strcmp(second, "plain"));
			write_all(fd, line,
				  (size_t)sprintf(line, "%ld\n", wrong));
		} else if (!strcmp(word, "get")) {
			put_bytes(fd, (long)number, !strcmp(second, "plain"));
		}
	}
}

static int serve(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(PORT) };
	int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listen_fd, (void *)&here, sizeof(here)) < 0 ||
	    listen(listen_fd, 64) < 0)
		die("port 7000");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && fork() == 0) {
			signal(SIGCHLD, SIG_DFL);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes,
				   sizeof(yes));
			serve_one(fd);
			shutdown(fd, SHUT_WR);
			_exit(0);
		}
		close(fd);
	}
}

/* ---- the host's end */

static int reach(const char *guest, struct sockaddr_in *peer)
{
	struct timeval limit = { .tv_sec = CONNECT_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*peer = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_port = htons(PORT) };
	if (inet_pton(AF_INET, guest, &peer->sin_addr) != 1) {
		errno = EINVAL;
		die(guest);
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (void *)peer, sizeof(*peer)) < 0)
		die(guest);
	limit.tv_sec = SILENCE_MS / 1000;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static int run(const char *guest, const char *command)
{
	struct sockaddr_in peer;
	int fd = reach(guest, &peer);
	char line[LINE];
	ssize_t got;

	dprintf(fd, "run %s%c", command, 0);
	while ((got = read(fd, line, sizeof(line) - 1)) > 0) {
		char *end = memchr(line, 0, (size_t)got);

		line[got] = '\0';
		if (!end) {
			write_all(1, line, (size_t)got);
			continue;
		}
		write_all(1, line, (size_t)(end - line));
		if (end + 1 == line + got) /* the status is still on its way */
			read_all(fd, end + 1, 2);
		return atoi(end + 1);
	}
	die("the guest's answer");
	return 1;
}

static int transfer(const char *way, const char *guest, long mib, int plain)
{
	struct sockaddr_in peer;
	int fd = reach(guest, &peer);
	char answer[64] = "";
	double start = now_s();
	long wrong;

	dprintf(fd, "%s %ld %s%c", way, mib, plain ? "plain" : "compared", 0);
	if (!strcmp(way, "send")) {
		put_bytes(fd, mib, plain);
		read_all(fd, answer, 2);
		wrong = atol(answer);
	} else {
		wrong = take_bytes(fd, mib, plain);
	}
	printf("%.1f Mbit/s\n",
	       (double)mib * MIB * 8 / 1e6 / (now_s() - start));
	if (wrong)
		fprintf(stderr, "wire: %ld of the chunks differ\n", wrong);
	return wrong != 0;
}

static int flood_guest(const char *way, const char *guest, double seconds)
{
	struct sockaddr_in peer;
	int fd = reach(guest, &peer);
	long sent = 0, arrived = 0;
	double start;

	if (!strcmp(way, "to")) {
		char answer[32] = "";

		dprintf(fd, "flood to %f%c", seconds, 0);
		read_all(fd, answer, 1);
		start = now_s();
		sent = flood(udp_to(peer), seconds);
		write_all(fd, "-", 1);
		if (read(fd, answer, sizeof(answer) - 1) > 0)
			arrived = atol(answer);
	} else {
		int udp_fd = udp_listen();

		start = now_s();
		dprintf(fd, "flood from %f%c", seconds, 0);
		arrived = count_frames(udp_fd, fd);
	}
	printf("%.0f frames/s arrived", (double)arrived / (now_s() - start));
	if (sent)
		printf(", %.0f sent", (double)sent / seconds);
	printf("; %ld\n", arrived);
	return arrived == 0;
}

/* ---- disks */

static int disk(const char *path, const char *mode, double seconds)
{
	int writes = strstr(mode, "write") != NULL;
	int sequential = !strncmp(mode, "seq", 3);
	size_t bytes = sequential ? MIB : 4096;
	int fd =
		open(path, (writes ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	uint64_t size = 0, state = 1234567, at = 0;
	double start = now_s(), took;
	void *buffer;
	long did = 0;

	if (fd < 0 || posix_memalign(&buffer, 4096, bytes) != 0)
		die(path);
	memset(buffer, 0x5a, bytes);
	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		size = (uint64_t)lseek(fd, 0, SEEK_END);
	if (size < bytes) {
		errno = ENOSPC;
		die(path);
	}
	while ((took = now_s() - start) < seconds) {
		ssize_t done;

		if (!sequential)
			fill((void *)&at, sizeof(at), &state);
		at %= size / bytes;
		done = writes ? pwrite(fd, buffer, bytes, (off_t)(at * bytes))
			      : pread(fd, buffer, bytes, (off_t)(at * bytes));
		if (done != (ssize_t)bytes)
			die(path);
		at++;
		did++;
	}
	printf("%.0f/s %.1f us %.1f MiB/s\n", (double)did / took,
	       took / (double)did * 1e6,
	       (double)did * (double)bytes / MIB / took);
	return 0;
}

static int await(const char *path, const char *text, double seconds)
{
	double until = now_s() + seconds;
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };

	do {
		FILE *file = fopen(path, "re");
		char line[LINE];

		while (file && fgets(line, sizeof(line), file)) {
			if (strstr(line, text)) {
				printf("%.6f\n", now_s());
				return 0;
			}
		}
		if (file)
			fclose(file);
		nanosleep(&pause, NULL);
	} while (now_s() < until);
	fprintf(stderr, "wire: no \"%s\" in %s\n", text, path);
	return 1;
}

/* "10.77.0.1", or "ff02::1%eth0". Its length, 0: neither. */
static socklen_t parse_address(char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *ipv4 = (void *)address;
	struct sockaddr_in6 *ipv6 = (void *)address;
	char *scope = strchr(text, '%');

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		return sizeof(*ipv4);
	}
	if (scope) {
		*scope = '\0';
		ipv6->sin6_scope_id = if_nametoindex(scope + 1);
	}
	ipv6->sin6_family = AF_INET6;
	return inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1 ? sizeof(*ipv6)
								: 0;
}

/* Packets that no other tool here makes. The kernel adds IP's header, and
 * ICMPv6's checksum. */
static int raw(int protocol, char *to, long count, const char *hex)
{
	static const int hops = 255, on = 1;
	struct sockaddr_storage address;
	socklen_t bytes = parse_address(to, &address);
	unsigned char packet[LINE];
	size_t length = 0;
	unsigned int byte;
	int used, fd;

	for (; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
		if (length < sizeof(packet))
			packet[length++] = (unsigned char)byte;
	fd = bytes ? socket(address.ss_family, SOCK_RAW, protocol) : -1;
	if (fd < 0)
		die(to);
	setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	for (long i = 0; i < count; i++)
		if (sendto(fd, packet, length, 0, (void *)&address, bytes) < 0)
			die("sendto");
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "serve"))
		return serve();
	if (!strcmp(what, "run") && argc == 4)
		return run(argv[2], argv[3]);
	if ((!strcmp(what, "send") || !strcmp(what, "get")) && argc >= 4)
		return transfer(what, argv[2], atol(argv[3]), argc > 4);
	if (!strcmp(what, "flood") && argc == 5)
		return flood_guest(argv[2], argv[3], atof(argv[4]));
	if (!strcmp(what, "raw") && argc == 6)
		return raw(atoi(argv[2]), argv[3], atol(argv[4]), argv[5]);
	if (!strcmp(what, "disk") && argc == 5)
		return disk(argv[2], argv[3], atof(argv[4]));
	if (!strcmp(what, "await") && argc == 5)
		return await(argv[2], argv[3], atof(argv[4]));
	if (!strcmp(what, "now"))
		return printf("%.6f\n", now_s()) < 0;
	fprintf(stderr,
		"usage: wire serve|run|send|get|flood|raw|disk|await|now ...\n");
	return 2;
}
