/* SPDX-License-Identifier: ISC */
/*
 * What vmsup is measured against: the least that can answer ARP and echo
 * requests on a TAP. No supervisor, no cage, no statistics, no checks but those
 * without which the host would get no valid reply.
 *
 *   baseline block|drain TAP MAC IPV4
 *
 * block: blocking read and write, one frame after the other. drain: poll, then
 * non-blocking reads until there is nothing left. Makes the TAP, prints "ready"
 * and runs until it is killed or its parent ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ether.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
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
	swap_macs(host, &echo->ethernet);
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

static _Noreturn void run_draining(struct host *host)
{
	struct pollfd polled = { .fd = host->tap_fd, .events = POLLIN };

	for (;;) {
		ssize_t bytes;

		if (poll(&polled, 1, -1) < 0 && errno != EINTR)
			err(1, "poll");
		while ((bytes = read(host->tap_fd, host->frame,
				     sizeof(host->frame))) > 0)
			answer(host, (size_t)bytes);
		if (errno != EAGAIN && errno != EINTR && errno != EIO)
			err(1, "read");
	}
}

int main(int argc, char **argv)
{
	static struct host host;
	struct ether_addr mac;
	bool drain;

	if (argc != 5 || (strcmp(argv[1], "block") && strcmp(argv[1], "drain")))
		errx(2, "usage: baseline block|drain TAP MAC IPV4");
	drain = strcmp(argv[1], "drain") == 0;
	if (!ether_aton_r(argv[3], &mac))
		errx(2, "%s: no MAC address", argv[3]);
	if (inet_pton(AF_INET, argv[4], &host.ipv4) != 1)
		errx(2, "%s: no IPv4 address", argv[4]);
	memcpy(host.mac, &mac, sizeof(host.mac));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_tap(&host, argv[2], drain ? O_NONBLOCK : 0);
	puts("ready");
	fflush(stdout);
	if (drain)
		run_draining(&host);
	run_blocking(&host);
}
