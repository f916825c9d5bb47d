/* SPDX-License-Identifier: ISC */
/*
 * Sends echo requests as fast as sendmmsg(2) can, past the host's IP, and
 * counts how many of them were handled.
 *
 *   blaster LINK TAP MAC SOURCE DESTINATION BYTES MILLISECONDS
 *
 * The frames leave through LINK (a bridge) for the VM at MAC and DESTINATION,
 * behind TAP. Handled is what the kernel counted on TAP: frames that were read,
 * and frames that were written back. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/echo.h"

#define BATCH      64
#define FRAMES_MAX UINT64_C(100000000)
/* Until queues and caches are as they will stay. */
#define WARM_UP_NS (50 * NSEC_PER_MSEC)

struct counters {
	uint64_t at_ns;
	uint32_t read, written, dropped; /* these wrap */
};

static int open_socket(const char *link, uint8_t own_mac[ETH_ALEN])
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct ifreq request = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "packet socket");
	address.sll_ifindex = (int)if_nametoindex(link);
	if (!address.sll_ifindex)
		err(1, "%s", link);
	strncpy(request.ifr_name, link, IFNAMSIZ - 1);
	/* without a protocol: it receives nothing */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s", link);
	memcpy(own_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	return fd;
}

static void make_frame(uint8_t *bytes, size_t count, const char *mac_text,
		       const char *source, const char *destination)
{
	struct echo_frame *frame = (struct echo_frame *)bytes;
	struct ether_addr mac;

	if (!ether_aton_r(mac_text, &mac))
		errx(2, "%s: no MAC address", mac_text);
	memcpy(frame->ethernet.ether_dhost, &mac, ETH_ALEN);
	frame->ethernet.ether_type = htons(ETHERTYPE_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.ttl = 64;
	frame->ip.protocol = IPPROTO_ICMP;
	frame->ip.tot_len = htons((uint16_t)(count - ETH_HLEN));
	if (inet_pton(AF_INET, source, &frame->ip.saddr) != 1 ||
	    inet_pton(AF_INET, destination, &frame->ip.daddr) != 1)
		errx(2, "%s, %s: no IPv4 addresses", source, destination);
	frame->ip.check = echo_checksum(bytes + ETH_HLEN, sizeof(frame->ip));
	frame->icmp.type = ICMP_ECHO;
	frame->icmp.checksum =
		echo_checksum(bytes + ETH_HLEN + sizeof(frame->ip),
			      count - ETH_HLEN - sizeof(frame->ip));
}

/* The TAP's counters in the VM's view: what the host sends, the VM reads. */
static struct counters count(const char *tap)
{
	struct counters counters = { 0 };
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		err(1, "getifaddrs");
	counters.at_ns = echo_now_ns();
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		const struct rtnl_link_stats *stats = i->ifa_data;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET ||
		    !stats || strcmp(i->ifa_name, tap) != 0)
			continue;
		counters.read = stats->tx_packets;
		counters.written = stats->rx_packets;
		counters.dropped = stats->tx_dropped;
		found = true;
	}
	freeifaddrs(list);
	if (!found)
		errx(1, "%s: no such link", tap);
	return counters;
}

/* Blasts until then; returns how many frames went out. */
static uint64_t blast(int fd, struct mmsghdr *batch, uint64_t until_ns)
{
	uint64_t sent = 0;

	while (echo_now_ns() < until_ns && sent < FRAMES_MAX) {
		int result = sendmmsg(fd, batch, BATCH, 0);

		/* ENOBUFS: dropped on the way out, as is meant to happen */
		if (result < 0 && errno != ENOBUFS && errno != EINTR)
			err(1, "sendmmsg");
		if (result > 0)
			sent += (uint64_t)result;
	}
	return sent;
}

static void report(const struct counters *from, const struct counters *to,
		   uint64_t sent)
{
	double seconds =
		(double)(to->at_ns - from->at_ns) / (double)NSEC_PER_SEC;

	printf("{\"sent\": %llu, \"read\": %u, \"written\": %u, "
	       "\"dropped\": %u, \"seconds\": %.6f, \"rate\": %.1f}\n",
	       (unsigned long long)sent, to->read - from->read,
	       to->written - from->written, to->dropped - from->dropped,
	       seconds, (double)(to->written - from->written) / seconds);
}

int main(int argc, char **argv)
{
	static uint8_t frame[ETH_FRAME_LEN];
	struct mmsghdr batch[BATCH] = { 0 };
	struct iovec part = { .iov_base = frame };
	struct counters from, to;
	uint64_t time_ns, sent;
	int fd;

	if (argc != 8)
		errx(2, "usage: blaster LINK TAP MAC SOURCE DESTINATION BYTES "
			"MILLISECONDS");
	part.iov_len = echo_number(argv[6], "BYTES", sizeof(struct echo_frame),
				   sizeof(frame));
	time_ns =
		echo_number(argv[7], "MILLISECONDS", 1, 60000) * NSEC_PER_MSEC;
	fd = open_socket(argv[1], ((struct ether_header *)frame)->ether_shost);
	make_frame(frame, part.iov_len, argv[3], argv[4], argv[5]);
	for (int i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &part;
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	blast(fd, batch, echo_now_ns() + WARM_UP_NS);
	from = count(argv[2]);
	sent = blast(fd, batch, from.at_ns + time_ns);
	to = count(argv[2]);
	report(&from, &to, sent);
	close(fd);
	return 0;
}
