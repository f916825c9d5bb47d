/* SPDX-License-Identifier: ISC */
/*
 * The first-hop guard, in the kernel: frames are written where a VM's process
 * would write them, and either come to another VM's TAP or are counted. Each
 * case has a network namespace of its own, which ends with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "supervisor/net/guard.h"
#include "tests/unit/supervisor/net/net_bench.h"

#define OWNER   "vmsup:/run/vmsup"
#define WAIT_MS 2000
#define RATE    50
/* Whatever a header says here, a frame that is padded to this has it. */
#define MIN_BYTES 120

static struct host host; /* too large for the stack under ASan */
static struct guard guard;

/* ---- frames */

struct frame {
	uint8_t bytes[256];
	size_t length;
};

static void add(struct frame *frame, const void *bytes, size_t length)
{
	assert_true(frame->length + length <= sizeof(frame->bytes));
	memcpy(frame->bytes + frame->length, bytes, length);
	frame->length += length;
}

/* Bytes as text, in hexadecimal, with blanks between any two of them. */
static void add_hex(struct frame *frame, const char *text)
{
	unsigned int byte;
	int used;

	for (; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
		add(frame, (uint8_t[]){ (uint8_t)byte }, 1);
}

/* To the second VM, or to all; from the first. What follows is hex. */
static struct frame frame_of(const char *to, const char *rest)
{
	struct frame frame = { 0 };

	if (strcmp(to, "peer") == 0)
		add(&frame, host.taps[1].guest_mac, 6);
	else
		add_hex(&frame, to);
	add(&frame, host.taps[0].guest_mac, 6);
	add_hex(&frame, rest);
	while (frame.length < MIN_BYTES)
		add(&frame, "", 1);
	return frame;
}

static void send_frame(const struct frame *frame)
{
	assert_int_equal(write(host.fds[0], frame->bytes, frame->length),
			 frame->length);
}

/* The next frame of the first VM's that comes to the second. */
static void receive(struct frame *frame)
{
	for (;;) {
		struct pollfd ready = { host.fds[1], POLLIN, 0 };
		ssize_t bytes;

		assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
		bytes = read(host.fds[1], frame->bytes, sizeof(frame->bytes));
		assert_true(bytes >= 14);
		frame->length = (size_t)bytes;
		/* the host has its own to say */
		if (memcmp(frame->bytes + 6, host.taps[0].guest_mac, 5) == 0)
			return;
	}
}

static bool is_same(const struct frame *a, const struct frame *b)
{
	return a->length == b->length &&
	       memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Sends a frame and one more, which always passes: whether the first came. */
static bool passes(const struct frame *frame)
{
	struct frame marker = frame_of("peer", "88b5 6d61726b"), got;
	bool came = false;

	send_frame(frame);
	send_frame(&marker);
	for (receive(&got); !is_same(&got, &marker); receive(&got)) {
		assert_true(is_same(&got, frame));
		came = true;
	}
	return came;
}

/* ---- the bench */

static struct guard_port port_of(size_t i, uint32_t allow)
{
	struct guard_port port = {
		.ifindex = host.indices[i],
		.allow = allow,
	};

	memcpy(port.tap, host.taps[i].name, sizeof(port.tap));
	memcpy(port.mac, host.taps[i].guest_mac, sizeof(port.mac));
	return port;
}

/* Two VMs, whose ports take each other's multicast; the first is guarded. */
static void begin(uint32_t allow, uint32_t rate)
{
	struct guard_port port;

	host_open(&host, "/run/vmsup");
	host_start(&host, 2);
	run("bridge link set dev vmtap1 mcast_flood on");
	run("ip link set vmsup0 type bridge mcast_snooping 0");
	/* or the host's own look at IP headers would decide as well */
	run("echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables");
	run("echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables");
	assert_int_equal(guard_open(&guard, OWNER), 0);
	port = port_of(0, allow);
	port.group_rate = rate;
	assert_int_equal(guard_begin(&guard, &port, 1), 0);
}

static void end(void)
{
	assert_int_equal(guard_end(&guard), 0);
	guard_close(&guard);
	host_close(&host);
}

static uint64_t count(enum guard_reason reason)
{
	uint64_t counts[GUARD_REASONS];

	assert_int_equal(guard_count(&guard, host.indices[0], counts), 0);
	return counts[reason];
}

static int ours_in_ruleset(void)
{
	return run("nft list ruleset | grep -q 'table netdev vmsup-'") == 0;
}

/* ---- what passes, what doesn't */

#define NONE (-1)
#define V6   "86dd 60000000 "
/* From fe80::1 to ff02::1. */
#define LL   "fe800000000000000000000000000001 ff020000000000000000000000000001 "
#define ALL6 "333300000001"
#define V4(length, fragment, protocol)                                    \
	"0800 4500" length "0001" fragment "40" protocol "0000 0a4d0002 " \
	"0a4d0003 "
#define ALL4 "01005e000001"
#define HOST "ffffffffffff"

/* From Ethernet's type on. */
static const struct {
	const char *what, *to, *rest;
	int reason; /* NONE: it passes */
} frames[] = {
	/* what a host says */
	{ "ARP", HOST, "0806 0001 0800 06 04 0001 02766d730000", NONE },
	{ "RARP", HOST, "8035 0001 0800 06 04 0003 02766d730000", NONE },
	{ "EAPOL", "peer", "888e 01 01 0000", NONE },
	{ "an unknown type", "peer", "88b6 01", NONE },
	{ "LLC, no SNAP", "peer", "0026 42 42 03 0000", NONE },
	{ "SNAP of Cisco's", "peer", "0026 aa aa 03 00000c 2000", NONE },
	{ "TCP", "peer", V4("0028", "0000", "06") "0044 0044 00000000", NONE },
	{ "echo", "peer", V4("001c", "0000", "01") "08 00 0000 00010001",
	  NONE },
	{ "an unknown protocol", "peer", V4("001c", "0000", "fd") "00", NONE },
	{ "DNS", "peer", V4("001c", "0000", "11") "c001 0035 0008 0000", NONE },
	{ "DHCP, the client", HOST,
	  V4("001c", "0000", "11") "0044 0043 0008 0000", NONE },
	{ "DHCP to a server, off link", "peer",
	  V4("001c", "0000", "11") "0043 0043 0008 0000", NONE },
	{ "IGMP, a report", ALL4, V4("001c", "0000", "02") "16 00 0000", NONE },
	{ "a later fragment with the look of a redirect", "peer",
	  V4("001c", "0001", "01") "05 00 0000 00000000", NONE },
	{ "a later fragment with the look of DHCP", "peer",
	  V4("001c", "0001", "11") "0043 0044 0008 0000", NONE },
	{ "echo, IPv6", "peer", V6 "0008 3a 40" LL "80 00 0000 00010001",
	  NONE },
	{ "a router solicitation", ALL6, V6 "0008 3a ff" LL "85 00 0000 00",
	  NONE },
	{ "a neighbour solicitation", ALL6,
	  V6 "0018 3a ff" LL "87 00 0000 00000000", NONE },
	{ "an MLD report", ALL6,
	  V6 "0010 00 01" LL "3a 00 0502 0000 0100 8f 00 0000 00000000", NONE },
	{ "DHCPv6, the client", ALL6, V6 "0008 11 40" LL "0222 0223 0008 0000",
	  NONE },
	{ "a later fragment of ICMPv6", "peer",
	  V6 "0010 2c 40" LL "3a 00 0009 00000001 86 00 0000 00000000", NONE },
	{ "a whole one that calls itself a fragment", "peer",
	  V6 "0010 2c 40" LL "3a 00 0000 00000001 80 00 0000 00010001", NONE },
	{ "TCP after options", "peer",
	  V6 "001c 3c 40" LL "06 00 0104 00000000 0044 0222", NONE },
	/* who takes it has a key of the sender's */
	{ "an authentication header before ICMPv6", ALL6,
	  V6 "0020 33 ff" LL "3a 04 0000 00000000 00000000 00000000 00000000 "
	     "00000000 86 00 0000 40",
	  NONE },
	{ "nothing more", "peer", V6 "0000 3b 40" LL, NONE },

	/* what only some may say */
	{ "a router advertisement", ALL6, V6 "0010 3a ff" LL "86 00 0000 40",
	  GUARD_RA },
	{ "the same to one host", "peer", V6 "0010 3a ff" LL "86 00 0000 40",
	  GUARD_RA },
	{ "the same of IPv4", ALL4,
	  V4("0024", "0000", "01") "09 00 0000 01 02 0708", GUARD_RA },
	{ "a redirect", "peer", V6 "0010 3a ff" LL "89 00 0000",
	  GUARD_REDIRECT },
	{ "the same of IPv4", "peer",
	  V4("001c", "0000", "01") "05 01 0000 0a4d0009", GUARD_REDIRECT },
	{ "an MLD query", ALL6,
	  V6 "0020 00 01" LL "3a 00 0502 0000 0100 82 00 0000 2710 0000",
	  GUARD_MLD_QUERY },
	{ "the same without the router alert", ALL6,
	  V6 "0018 3a 01" LL "82 00 0000 2710 0000", GUARD_MLD_QUERY },
	{ "an IGMP query with IPv4's options", ALL4,
	  "0800 4600 0020 0001 0000 01 02 0000 0a4d0002 e0000001 94040000 "
	  "11 64 0000 00000000",
	  GUARD_MLD_QUERY },
	{ "an answer of DHCP", HOST,
	  V4("001c", "0000", "11") "0043 0044 0008 0000", GUARD_DHCP_SERVER },
	{ "the same from another port", "peer",
	  V4("001c", "0000", "11") "1000 0044 0008 0000", GUARD_DHCP_SERVER },
	{ "an answer of DHCPv6", "peer",
	  V6 "0008 11 40" LL "0223 0222 0008 0000", GUARD_DHCP_SERVER },

	/* the same, hidden */
	{ "a router advertisement after three headers", ALL6,
	  V6 "0028 00 ff" LL "3c 00 0104 00000000 2b 00 0104 00000000 "
	     "3a 00 0000 00000000 86 00 0000 40",
	  GUARD_RA },
	{ "the same, the first of fragments", ALL6,
	  V6 "0010 2c ff" LL "3a 00 0001 00000001 86 00 0000 40", GUARD_RA },
	{ "the same in VLAN 0", ALL6,
	  "8100 0000 " V6 "0010 3a ff" LL "86 00 0000 40", GUARD_RA },
	{ "the same in VLAN 7, 802.1ad", ALL6,
	  "88a8 0007 " V6 "0010 3a ff" LL "86 00 0000 40", GUARD_RA },
	{ "tags within tags", ALL6,
	  "8100 0000 8100 0000 " V6 "0010 3a ff" LL "86 00 0000 40",
	  GUARD_HIDDEN },
	{ "the same, 802.1ad", ALL6,
	  "88a8 0000 88a8 0000 " V6 "0010 3a ff" LL "86 00 0000 40",
	  GUARD_HIDDEN },
	{ "SNAP", ALL6, "0048 aa aa 03 000000 " V6 "0010 3a ff" LL "86",
	  GUARD_HIDDEN },
	{ "SNAP with other bits", ALL6,
	  "0048 ab ab f3 000000 " V6 "0010 3a ff" LL "86", GUARD_HIDDEN },
	{ "SNAP of 802.1H", ALL6,
	  "0048 aa aa 03 0000f8 " V6 "0010 3a ff" LL "86", GUARD_HIDDEN },
	{ "SNAP in VLAN 0", ALL6,
	  "8100 0000 0048 aa aa 03 000000 " V6 "0010 3a ff" LL "86",
	  GUARD_HIDDEN },
	/* what is behind 16 bytes here is padding, which no host reads */
	{ "a first fragment, its headers seemingly whole", ALL6,
	  V6 "0010 2c ff" LL "3c 00 0001 00000001 3a 00 0104 00000000 80 00",
	  GUARD_HIDDEN },
	{ "the same that seems to be TCP", ALL6,
	  V6 "0010 2c ff" LL "3c 00 0001 00000001 3c 00 0104 00000000 "
	     "06 00 0104 00000000",
	  GUARD_HIDDEN },
	{ "the same with a routing header", ALL6,
	  V6 "0010 2c ff" LL "2b 00 0001 00000001 3a 00 0000 00000000 80 00",
	  GUARD_HIDDEN },
	{ "fragments of fragments", ALL6,
	  V6 "0018 2c ff" LL "2c 00 0000 00000001 3a 00 0001 00000002 86 00",
	  GUARD_HIDDEN },
	{ "a later fragment of options", ALL6,
	  V6 "0010 2c ff" LL "3c 00 0009 00000001 86 00 0000 40",
	  GUARD_HIDDEN },
	{ "DHCPv6, the first of fragments", ALL6,
	  V6 "0010 2c ff" LL "11 00 0001 00000001 0223 0222 0100 0000",
	  GUARD_DHCP_SERVER },
	{ "headers beyond the end", ALL6, V6 "0100 3a ff" LL "86 00 0000",
	  GUARD_HIDDEN },
	{ "no IPv6", ALL6, "86dd 50000000 0010 3a ff" LL "86 00 0000",
	  GUARD_HIDDEN },
	{ "no IPv4", "peer", "0800 4400 001c 0001 0000 40 01 0000",
	  GUARD_HIDDEN },
	{ "IPv4 beyond the end", "peer", V4("0100", "0000", "01") "05 00",
	  GUARD_HIDDEN },
};

/* Frames whose last header is cut off can't be padded. */
static void send_as_it_is(const char *to, const char *rest)
{
	struct frame frame = { 0 };

	add_hex(&frame, to);
	add(&frame, host.taps[0].guest_mac, 6);
	add_hex(&frame, rest);
	send_frame(&frame);
}

static int reason_since(const uint64_t before[GUARD_REASONS])
{
	uint64_t after[GUARD_REASONS];

	guard_count(&guard, host.indices[0], after);
	for (int reason = 0; reason < GUARD_REASONS; reason++)
		if (after[reason] != before[reason])
			return reason;
	return NONE;
}

static void frames_are_judged(void **state)
{
	uint64_t before[GUARD_REASONS];
	int bad = 0;

	(void)state;
	begin(0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		struct frame frame = frame_of(frames[i].to, frames[i].rest);
		bool came;
		int found;

		guard_count(&guard, host.indices[0], before);
		came = passes(&frame);
		found = reason_since(before);
		if (found == frames[i].reason && came == (found == NONE))
			continue;
		print_message("%s: %s, counted as %s\n", frames[i].what,
			      came ? "came" : "did not come",
			      found == NONE ? "nothing"
					    : guard_reason_name((
						      enum guard_reason)found));
		bad++;
	}
	assert_int_equal(bad, 0);
	end();
}

static void cut_off_headers_are_hidden(void **state)
{
	(void)state;
	begin(0, 0);
	send_as_it_is(ALL6, V6 "0000 3a ff" LL);
	send_as_it_is(ALL6, V6 "0000 11 ff" LL);
	send_as_it_is(ALL6, V6 "0001 00 ff" LL "3a");
	send_as_it_is(ALL4, V4("0014", "0000", "01"));
	send_as_it_is(ALL4, V4("0014", "0000", "02"));
	send_as_it_is(ALL4, V4("0016", "2000", "11") "0043");
	assert_int_equal(count(GUARD_HIDDEN), 6);
	end();
}

/* What can't be allowed is dropped, whatever is asked. */
static void what_is_allowed_passes(void **state)
{
	(void)state;
	for (int allow = 0; allow < GUARD_REASONS; allow++) {
		assert_int_equal(new_namespace(NULL), 0);
		begin(1U << allow, 0);
		for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
			struct frame frame =
				frame_of(frames[i].to, frames[i].rest);
			int reason = frames[i].reason;

			assert_int_equal(
				passes(&frame),
				reason == NONE ||
					(reason == allow &&
					 GUARD_ALLOWABLE & 1U << allow));
		}
		end();
	}
}

static void only_the_own_source_passes(void **state)
{
	struct frame frame;

	(void)state;
	begin(GUARD_ALLOWABLE, 0);
	for (int byte = 6; byte < 12; byte++) {
		frame = frame_of("peer", "88b5");
		frame.bytes[byte] ^= 4;
		assert_false(passes(&frame));
	}
	frame = frame_of(ALL6, "0806");
	memcpy(frame.bytes + 6, host.taps[1].guest_mac, 6);
	assert_false(passes(&frame));
	assert_int_equal(count(GUARD_FOREIGN), 7);
	end();
}

static void groups_are_bounded(void **state)
{
	struct frame frame;
	uint64_t over;

	(void)state;
	begin(0, RATE);
	frame = frame_of(HOST, "88b5");
	for (int i = 0; i < 3 * RATE; i++)
		send_frame(&frame);
	frame = frame_of(ALL6, "88b5");
	for (int i = 0; i < RATE; i++)
		send_frame(&frame);
	over = count(GUARD_FLOOD);
	/* a slow machine grants some more in the meantime */
	assert_in_range(over, RATE, 3 * RATE);
	/* and one host's are nobody else's burden */
	frame = frame_of("peer", "88b5 ff");
	for (int i = 0; i < 4 * RATE; i++)
		send_frame(&frame);
	assert_int_equal(count(GUARD_FLOOD), over);
	end();
}

/* ---- its life */

static void another_supervisor_goes_on(void **state)
{
	struct guard_port ports[2];
	struct frame frame;

	(void)state;
	begin(0, 0);
	frame = frame_of(ALL6, V6 "0010 3a ff" LL "86 00 0000 40");
	send_frame(&frame);
	assert_int_equal(count(GUARD_RA), 1);
	guard_close(&guard); /* as who is killed */
	send_frame(&frame);
	assert_int_equal(guard_open(&guard, OWNER), 0);
	ports[0] = port_of(0, 0);
	assert_int_equal(guard_begin(&guard, ports, 1), 0);
	send_frame(&frame);
	assert_int_equal(count(GUARD_RA), 3);
	/* a third one, by whose configuration it may */
	guard_close(&guard);
	assert_int_equal(guard_open(&guard, OWNER), 0);
	ports[0].allow = 1U << GUARD_RA;
	assert_int_equal(guard_begin(&guard, ports, 1), 0);
	assert_true(passes(&frame));
	end();
	assert_false(ours_in_ruleset());
}

static void what_is_left_is_swept(void **state)
{
	(void)state;
	begin(0, 0);
	guard_close(&guard);
	host_close(&host); /* the TAPs go */
	assert_int_equal(guard_open(&guard, OWNER), 0);
	assert_int_equal(guard_begin(&guard, NULL, 0), 0);
	assert_int_not_equal(run("nft list ruleset | grep -q 'hook ingress'"),
			     0);
	assert_int_equal(guard_end(&guard), 0);
	assert_false(ours_in_ruleset());
	assert_int_equal(guard_end(&guard), 0); /* and once more */
	guard_close(&guard);
}

static void others_rules_stay(void **state)
{
	static const char rules[] =
		"add table inet theirs; "
		"add chain inet theirs in { type filter hook input priority 0; }; "
		"add rule inet theirs in counter drop; "
		"add table netdev vmsup; add chain netdev vmsup trial; "
		"add table netdev guarded; "
		"add chain netdev guarded c { type filter hook ingress device lo priority 7; }; "
		"add rule netdev guarded c meta l4proto icmp accept";
	static const char list[] = "nft -s list ruleset";
	char before[40];

	(void)state;
	assert_int_equal(run("nft '%s'", rules), 0);
	snprintf(before, sizeof(before), "/tmp/vmsup-rules-%d", getpid());
	assert_int_equal(run("%s >%s", list, before), 0);
	begin(0, RATE);
	guard_close(&guard);
	assert_int_equal(guard_open(&guard, OWNER), 0);
	end();
	assert_int_equal(guard_try(), 0);
	assert_int_equal(run("%s | diff %s -", list, before), 0);
	unlink(before);
}

static void instances_have_their_own(void **state)
{
	struct guard other;
	struct guard_port port;

	(void)state;
	begin(0, 0);
	port = port_of(1, 0);
	assert_int_equal(guard_open(&other, OWNER "2"), 0);
	assert_string_not_equal(other.table, guard.table);
	assert_int_equal(guard_begin(&other, &port, 1), 0);
	assert_int_equal(guard_end(&other), 0);
	assert_true(ours_in_ruleset());
	guard_close(&other);
	end();
}

/* A firewall that is loaded anew flushes everything first. */
static void a_flush_of_others_spares_it(void **state)
{
	struct frame frame;

	(void)state;
	begin(0, 0);
	frame = frame_of(ALL6, V6 "0010 3a ff" LL "86 00 0000 40");
	run("nft flush ruleset 2>/dev/null");
	if (guard.flags) {
		send_frame(&frame);
		assert_int_equal(count(GUARD_RA), 1);
	} else {
		assert_false(guard_there(&guard));
	}
	end();
}

static void a_tap_made_anew_is_guarded(void **state)
{
	struct guard_port port;
	struct frame frame;

	(void)state;
	begin(0, 0);
	port = port_of(0, 1U << GUARD_RA);
	frame = frame_of("peer", "88b5");
	frame.bytes[11] ^= 1;
	send_frame(&frame);
	assert_int_equal(count(GUARD_FOREIGN), 1);
	fd_close(&host.fds[0]);
	guard_forget(&guard, &port);
	assert_int_equal(host_tap(&host, 0), 0);
	port = port_of(0, 0);
	assert_int_equal(guard_add(&guard, &port, 1), 0);
	send_frame(&frame);
	send_frame(&frame);
	assert_int_equal(count(GUARD_FOREIGN), 2);
	assert_int_equal(run("nft list ruleset | grep -c 'hook ingress' | "
			     "grep -qx 1"),
			 0);
	end();
}

/* In a child: as nobody, one thing is tried. */
static void rights_are_asked_for(void **state)
{
	int status;
	pid_t child;

	(void)state;
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(setgid(65534) < 0 || setuid(65534) < 0 ||
		      guard_open(&guard, OWNER) != 0 ||
		      guard_begin(&guard, NULL, 0) != -EPERM);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_thousand_in_one_transaction(void **state)
{
	static struct guard_port ports[1000];

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, ARRAY_SIZE(ports));
	assert_int_equal(guard_open(&guard, OWNER), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		ports[i] = port_of(i, GUARD_ALLOWABLE);
		ports[i].group_rate = RATE;
	}
	assert_int_equal(guard_begin(&guard, ports, ARRAY_SIZE(ports)), 0);
	assert_int_equal(run("nft list ruleset | grep -c 'hook ingress' | "
			     "grep -qx 1000"),
			 0);
	assert_int_equal(net_destroy(&host.net), 0);
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_NAMESPACE(frames_are_judged),
		IN_NAMESPACE(cut_off_headers_are_hidden),
		IN_NAMESPACE(what_is_allowed_passes),
		IN_NAMESPACE(only_the_own_source_passes),
		IN_NAMESPACE(groups_are_bounded),
		IN_NAMESPACE(another_supervisor_goes_on),
		IN_NAMESPACE(what_is_left_is_swept),
		IN_NAMESPACE(others_rules_stay),
		IN_NAMESPACE(instances_have_their_own),
		IN_NAMESPACE(a_flush_of_others_spares_it),
		IN_NAMESPACE(a_tap_made_anew_is_guarded),
		IN_NAMESPACE(rights_are_asked_for),
		IN_NAMESPACE(a_thousand_in_one_transaction),
	};
	const char *why = obstacle();

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!why && run("nft --version >/dev/null 2>&1") != 0)
		why = "no nft (apt install nftables)";
	if (!why && guard_try() < 0)
		why = "no netdev chains in this kernel";
	if (why)
		return cannot_run(why);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
