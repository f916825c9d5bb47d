/* SPDX-License-Identifier: ISC */
/*
 * What vmsup is measured against: the least that can answer ARP and echo
 * requests on a TAP. No supervisor, no cage, no statistics, no checks but those
 * without which the host would get no valid reply.
 *
 *   baseline block|drain|loop TAP MAC IPV4
 *
 * block: blocking read and write, one frame after the other. drain: poll, then
 * non-blocking reads until there is nothing left. loop: waits as a VM process
 * does, by epoll for its TAP and its channel, and has a system call filter.
 * Makes the TAP, prints "ready" and runs until it is killed or its parent ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ether.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/echo.h"

struct host {
	int tap_fd;
	uint8_t mac[ETH_ALEN];
	uint32_t ipv4;
	uint8_t frame[65536];
};

static void make_tap(struct host *host, const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (strlen(name) >= IFNAMSIZ)
		errx(2, "%s: a name that long is no link's", name);
	memcpy(request.ifr_name, name, strlen(name));
	host->tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | flags);
	if (host->tap_fd < 0)
		err(1, "/dev/net/tun");
	if (ioctl(host->tap_fd, TUNSETIFF, &request) < 0 ||
	    ioctl(host->tap_fd, TUNSETOFFLOAD, 0UL) < 0)
		err(1, "make %s", name);
}

static void swap_macs(struct host *host, struct ether_header *ethernet)
{
	memcpy(ethernet->ether_dhost, ethernet->ether_shost, ETH_ALEN);
	memcpy(ethernet->ether_shost, host->mac, ETH_ALEN);
}

static void send_back(struct host *host, size_t bytes)
{
	/* EIO: the link isn't up yet */
	if (write(host->tap_fd, host->frame, bytes) < 0 && errno != EIO)
		err(1, "write");
}

static void answer_arp(struct host *host, size_t bytes)
{
	struct ether_arp *arp = (struct ether_arp *)(host->frame + ETH_HLEN);

	if (bytes < ETH_HLEN + sizeof(*arp) ||
	    arp->arp_op != htons(ARPOP_REQUEST) ||
	    memcmp(arp->arp_tpa, &host->ipv4, 4) != 0)
		return;
	arp->arp_op = htons(ARPOP_REPLY);
	memcpy(arp->arp_tha, arp->arp_sha, ETH_ALEN);
	memcpy(arp->arp_tpa, arp->arp_spa, 4);
	memcpy(arp->arp_sha, host->mac, ETH_ALEN);
	memcpy(arp->arp_spa, &host->ipv4, 4);
	swap_macs(host, (struct ether_header *)host->frame);
	send_back(host, bytes);
}

static void answer_echo(struct host *host, size_t bytes)
{
	struct echo_frame *echo = (struct echo_frame *)host->frame;
	uint32_t sum;

	if (bytes < sizeof(*echo) || echo->ip.daddr != host->ipv4 ||
	    echo->ip.protocol != IPPROTO_ICMP || echo->icmp.type != ICMP_ECHO)
		return;
	echo->ip.daddr = echo->ip.saddr;
	echo->ip.saddr = host->ipv4;
	echo->icmp.type = ICMP_ECHOREPLY;
	/* RFC 1624: the inverse sum grows by what the word lost */
	sum = (uint32_t)echo->icmp.checksum + htons(ICMP_ECHO << 8);
	echo->icmp.checksum = (uint16_t)(sum + (sum >> 16));
	swap_macs(host, (struct ether_header *)host->frame);
	send_back(host, bytes);
}

static void answer(struct host *host, size_t bytes)
{
	const struct ether_header *ethernet =
		(const struct ether_header *)host->frame;

	if (ethernet->ether_type == htons(ETHERTYPE_IP))
		answer_echo(host, bytes);
	else if (ethernet->ether_type == htons(ETHERTYPE_ARP))
		answer_arp(host, bytes);
}

static _Noreturn void run_blocking(struct host *host)
{
	for (;;) {
		ssize_t bytes =
			read(host->tap_fd, host->frame, sizeof(host->frame));

		if (bytes < 0 && errno != EINTR && errno != EIO)
			err(1, "read");
		if (bytes > 0)
			answer(host, (size_t)bytes);
	}
}

/* Reads and answers until the TAP is empty. */
static void drain(struct host *host)
{
	ssize_t bytes;

	while ((bytes = read(host->tap_fd, host->frame, sizeof(host->frame))) >
	       0)
		answer(host, (size_t)bytes);
	if (errno != EAGAIN && errno != EINTR && errno != EIO)
		err(1, "read");
}

static _Noreturn void run_draining(struct host *host)
{
	struct pollfd polled = { .fd = host->tap_fd, .events = POLLIN };

	for (;;) {
		if (poll(&polled, 1, -1) < 0 && errno != EINTR)
			err(1, "poll");
		drain(host);
	}
}

static void watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

/* As in a VM process, the filter pins no argument of the calls that follow, so
 * the kernel decides on them by its bitmap: however many filters there are. */
static void load_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(*code),
		.filter = code,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		err(1, "seccomp");
}

static _Noreturn void run_loop(struct host *host)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), channel[2];
	struct epoll_event events[8];

	if (epoll_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		err(1, "epoll, channel");
	watch(epoll_fd, host->tap_fd, EPOLLIN | EPOLLET);
	watch(epoll_fd, channel[0], EPOLLIN);
	load_filter();
	for (;;) {
		if (epoll_wait(epoll_fd, events, 8, -1) < 0 && errno != EINTR)
			err(1, "epoll_wait");
		drain(host);
	}
}

static const struct mode {
	const char *name;
	int flags; /* of the TAP's open() */
	void (*run)(struct host *host);
} modes[] = {
	{ "block", 0, run_blocking },
	{ "drain", O_NONBLOCK, run_draining },
	{ "loop", O_NONBLOCK, run_loop },
};

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(name, modes[i].name) == 0)
			return &modes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct mode *mode = argc == 5 ? find_mode(argv[1]) : NULL;
	static struct host host;
	struct ether_addr mac;

	if (!mode)
		errx(2, "usage: baseline block|drain|loop TAP MAC IPV4");
	if (!ether_aton_r(argv[3], &mac))
		errx(2, "%s: no MAC address", argv[3]);
	if (inet_pton(AF_INET, argv[4], &host.ipv4) != 1)
		errx(2, "%s: no IPv4 address", argv[4]);
	memcpy(host.mac, &mac, sizeof(host.mac));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_tap(&host, argv[2], mode->flags);
	puts("ready");
	fflush(stdout);
	mode->run(&host);
	return 1;
}
