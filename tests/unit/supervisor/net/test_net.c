/* SPDX-License-Identifier: ISC */
/*
 * Links on the host, as ip(8) and bridge(8) see them. Each case has a network
 * namespace of its own, which ends with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "supervisor/net/bridge.h"
#include "supervisor/net/multicast.h"
#include "supervisor/net/tap.h"
#include "tests/unit/supervisor/net/net_bench.h"

#define MANY    200
#define WAIT_MS 2000

/* ---- what is made */

static struct host host; /* too large for the stack under ASan */
static struct host other;

static void the_bridge_is_as_described(void **state)
{
	json_t *links, *link, *data, *addresses, *info;
	char mac[32];

	(void)state;
	host_open(&host, "/run/vmsup");
	host.bridge.has_ipv6 = true;
	inet_pton(AF_INET6, "fd77::1", &host.bridge.ipv6);
	host.bridge.ipv6_prefix = 64;
	host.bridge.mtu = 9000;
	host.taps[0].mtu = 9000;
	assert_int_equal(
		net_bridge_create(&host.net, &host.bridge, &host.problem), 0);
	links = output("ip -j -d link show dev vmsup0");
	link = find(links, NULL, NULL);
	data = json_object_get(json_object_get(link, "linkinfo"), "info_data");
	assert_int_equal(number_at(link, "ifindex"), host.net.bridge_ifindex);
	assert_int_equal(number_at(link, "mtu"), 9000);
	assert_string_equal(text_at(link, "ifalias"), "vmsup:/run/vmsup");
	assert_int_equal(number_at(data, "stp_state"), 0);
	assert_int_equal(number_at(data, "forward_delay"), 0);
	assert_int_equal(number_at(data, "mcast_snooping"), 1);
	strcpy(mac, text_at(link, "address"));
	json_decref(links);

	/* and stays so with a port */
	assert_int_equal(host_tap(&host, 0), 0);
	links = output("ip -j -d link show dev vmsup0");
	link = find(links, NULL, NULL);
	assert_string_equal(text_at(link, "address"), mac);
	assert_int_equal(number_at(link, "mtu"), 9000);
	assert_string_equal(text_at(link, "operstate"), "UP");
	json_decref(links);

	addresses = output("ip -j address show dev vmsup0");
	info = json_object_get(find(addresses, NULL, NULL), "addr_info");
	link = find(info, "local", "10.77.0.1");
	assert_int_equal(number_at(link, "prefixlen"), 16);
	assert_string_equal(text_at(link, "broadcast"), "10.77.255.255");
	link = find(info, "local", "fd77::1");
	assert_int_equal(number_at(link, "prefixlen"), 64);
	assert_null(json_object_get(link, "tentative"));
	link = find(info, "scope", "link");
	assert_int_equal(strncmp(text_at(link, "local"), "fe80::", 6), 0);
	assert_null(json_object_get(link, "tentative"));
	assert_int_equal(json_array_size(info), 3);
	json_decref(addresses);
	assert_int_equal(run("cd /proc/sys/net && ! grep -v 0 "
			     "ipv6/conf/vmsup0/accept_ra "
			     "ipv[46]/conf/vmsup0/accept_redirects"),
			 0);
	assert_int_equal(net_destroy(&host.net), 0);
	assert_false(exists("vmsup0"));
	host_close(&host);
}

static void a_bridge_has_the_same_mac_each_time(void **state)
{
	json_t *first, *second;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 1);
	first = output("ip -j link show dev vmsup0");
	assert_int_equal(net_destroy(&host.net), 0);
	host_close(&host);
	host_open(&host, "/run/vmsup");
	host_start(&host, 2);
	second = output("ip -j link show dev vmsup0");
	assert_string_equal(text_at(find(first, NULL, NULL), "address"),
			    text_at(find(second, NULL, NULL), "address"));
	json_decref(first);
	json_decref(second);
	host_close(&host);
}

static void cloned_hosts_have_another_mac_by_their_domain(void **state)
{
	struct net_bridge clone;
	uint8_t macs[3][6];

	(void)state;
	host_open(&host, "/run/vmsup");
	clone = host.bridge;
	net_bridge_mac(&host.net, &clone, macs[0]);
	strcpy(clone.mac_domain, "a");
	net_bridge_mac(&host.net, &clone, macs[1]);
	strcpy(clone.mac_domain, "b");
	net_bridge_mac(&host.net, &clone, macs[2]);
	assert_memory_not_equal(macs[0], macs[1], 6);
	assert_memory_not_equal(macs[0], macs[2], 6);
	assert_memory_not_equal(macs[1], macs[2], 6);
	host_close(&host);
}

static bool floods_multicast(const char *tap)
{
	char command[64];
	json_t *links, *info;
	bool floods;

	snprintf(command, sizeof(command), "ip -j -d link show dev %s", tap);
	links = output("%s", command);
	info = json_object_get(find(links, NULL, NULL), "linkinfo");
	floods = json_is_true(json_object_get(
		json_object_get(info, "info_slave_data"), "mcast_flood"));
	json_decref(links);
	return floods;
}

static void multicast_is_opened_once_all_are_there(void **state)
{
	json_t *links, *info;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 2);
	assert_false(floods_multicast("vmtap1"));
	assert_int_equal(net_multicast_query(&host.net), 0);
	links = output("ip -j -d link show dev vmsup0");
	info = json_object_get(find(links, NULL, NULL), "linkinfo");
	assert_int_equal(
		number_at(json_object_get(info, "info_data"), "mcast_querier"),
		1);
	json_decref(links);
	assert_int_equal(net_multicast_open(&host.net, host.indices, 2), 0);
	assert_true(floods_multicast("vmtap0"));
	assert_true(floods_multicast("vmtap1"));
	/* one that comes later */
	assert_int_equal(host_tap(&host, 2), 0);
	assert_true(floods_multicast("vmtap2"));
	host_close(&host);
}

static void expect_group(json_t *list, const char *tap, const char *group)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (strcmp(text_at(entry, "port"), tap) == 0 &&
		    strcmp(text_at(entry, "grp"), group) == 0) {
			assert_string_equal(text_at(entry, "state"),
					    "permanent");
			return;
		}
	fail_msg("%s isn't in %s", tap, group);
}

static void a_tap_is_as_described(void **state)
{
	json_t *links, *link, *port, *list, *entry, *groups;

	(void)state;
	host_open(&host, "/run/vmsup");
	host.bridge.mtu = host.taps[0].mtu = host.taps[1].mtu = 4000;
	inet_pton(AF_INET6, "fd77::2", &host.taps[0].guest_ipv6);
	host_start(&host, 2);
	assert_true(fcntl(host.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(host.fds[0], F_GETFL) & O_NONBLOCK);
	assert_true(net_tap_alive(host.fds[0]));

	links = output("ip -j -d link show dev vmtap0");
	link = find(links, NULL, NULL);
	port = json_object_get(json_object_get(link, "linkinfo"),
			       "info_slave_data");
	assert_int_equal(number_at(link, "ifindex"), host.indices[0]);
	assert_int_equal(number_at(link, "mtu"), 4000);
	assert_string_equal(text_at(link, "master"), "vmsup0");
	assert_string_not_equal(text_at(link, "operstate"), "DOWN");
	assert_string_equal(text_at(link, "ifalias"), "vmsup:/run/vmsup");
	assert_string_equal(text_at(link, "inet6_addr_gen_mode"), "none");
	assert_string_equal(text_at(port, "state"), "forwarding");
	assert_true(json_is_false(json_object_get(port, "learning")));
	assert_true(json_is_false(json_object_get(port, "flood")));
	assert_true(json_is_true(json_object_get(port, "bcast_flood")));
	assert_true(json_is_false(json_object_get(port, "mcast_flood")));
	assert_false(json_is_false(json_object_get(port, "locked")));
	json_decref(links);
	links = output("ip -j address show dev vmtap0");
	link = find(links, NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(link, "addr_info")),
			 0);
	json_decref(links);

	list = output("bridge -j fdb show dev vmtap0");
	entry = find(list, "mac", "02:76:6d:73:00:00");
	assert_string_equal(text_at(entry, "master"), "vmsup0");
	assert_string_equal(text_at(entry, "state"), "static");
	json_decref(list);

	list = output("bridge -j mdb show dev vmsup0");
	groups = json_object_get(json_array_get(list, 0), "mdb");
	expect_group(groups, "vmtap0", "ff02::1:ff73:0");
	expect_group(groups, "vmtap0", "ff02::1:ff00:2");
	expect_group(groups, "vmtap1", "ff02::1:ff73:1");
	json_decref(list);

	list = output("ip -j neigh show dev vmsup0");
	entry = find(list, "dst", "10.77.0.2");
	assert_string_equal(text_at(entry, "lladdr"), "02:76:6d:73:00:00");
	assert_non_null(find(list, "dst", "fd77::2"));
	assert_non_null(find(list, "dst", "fe80::76:6dff:fe73:0"));
	assert_non_null(find(list, "dst", "fe80::76:6dff:fe73:1"));
	json_decref(list);
	host_close(&host);
}

/* ---- frames */

static void send_frame(size_t from, const uint8_t *source,
		       const uint8_t *destination, uint8_t mark)
{
	uint8_t frame[60] = { 0 };

	memcpy(frame, destination, 6);
	memcpy(frame + 6, source, 6);
	frame[12] = 0x88; /* local experimental, IEEE 802 */
	frame[13] = 0xb5;
	frame[14] = mark;
	assert_int_equal(write(host.fds[from], frame, sizeof(frame)),
			 sizeof(frame));
}

/* The mark of the next of our frames, -1 if none comes. */
static int next_mark(size_t to, int wait_ms)
{
	uint8_t frame[2048];

	for (;;) {
		struct pollfd ready = { host.fds[to], POLLIN, 0 };

		if (poll(&ready, 1, wait_ms) <= 0)
			return -1;
		if (read(host.fds[to], frame, sizeof(frame)) >= 15 &&
		    frame[12] == 0x88 && frame[13] == 0xb5)
			return frame[14];
	}
}

static void frames_reach_their_vm_only(void **state)
{
	static const uint8_t unknown[6] = { 2, 9, 9, 9, 9, 9 };
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	const uint8_t *mac[3];

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 3);
	for (size_t i = 0; i < 3; i++)
		mac[i] = host.taps[i].guest_mac;
	send_frame(0, mac[0], mac[1], 1);
	assert_int_equal(next_mark(1, WAIT_MS), 1);
	send_frame(0, mac[0], unknown, 2); /* to nobody: not flooded */
	send_frame(0, mac[0], all, 3);
	assert_int_equal(next_mark(1, WAIT_MS), 3);
	assert_int_equal(next_mark(2, WAIT_MS), 3);
	/* 0 pretends to be 2; 2 still gets what is for it, 0 doesn't */
	send_frame(0, mac[2], mac[1], 4);
	send_frame(1, mac[1], mac[2], 5);
	assert_int_equal(next_mark(2, WAIT_MS), 5);
	send_frame(1, mac[1], mac[0], 6);
	assert_int_equal(next_mark(0, WAIT_MS), 6);
	host_close(&host);
}

/* ---- groups */

static uint16_t checksum(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A report of MLD version 1 (RFC 2710) for the group of that number. */
static void join_group(size_t from, uint16_t number)
{
	uint8_t frame[14 + 40 + 8 + 24] = {
		[0] = 0x33,  [1] = 0x33,  [2] = 1,     [12] = 0x86,
		[13] = 0xdd, [14] = 0x60, [19] = 32,   [20] = 0,
		[21] = 1,    [22] = 0xfe, [23] = 0x80, [37] = 1, /* from */
		[38] = 0xff, [39] = 2,    [50] = 1, /* to the group */
		[54] = 58,   [56] = 5,    [57] = 2, /* router alert */
		[62] = 131,  [70] = 0xff, [71] = 2,    [82] = 1,
	};
	const size_t length = 24;
	uint16_t sum;

	frame[4] = frame[52] = frame[84] = (uint8_t)(number >> 8);
	frame[5] = frame[53] = frame[85] = (uint8_t)number;
	memcpy(frame + 6, host.taps[from].guest_mac, 6);
	sum = checksum(frame + 62, length, 0);
	sum = checksum(frame + 22, 32,
		       (uint32_t)(uint16_t)~sum + (uint32_t)length + 58);
	frame[64] = (uint8_t)(sum >> 8);
	frame[65] = (uint8_t)sum;
	assert_int_equal(write(host.fds[from], frame, sizeof(frame)),
			 sizeof(frame));
}

static int groups_of(const char *tap)
{
	json_t *list = output("bridge -j mdb show dev vmsup0"), *entry;
	int count = 0;
	size_t i;

	json_array_foreach(json_object_get(json_array_get(list, 0), "mdb"), i,
			   entry)
		count += strcmp(text_at(entry, "port"), tap) == 0;
	json_decref(list);
	return count;
}

static void a_vm_has_its_share_of_groups(void **state)
{
	struct utsname kernel;
	int major, minor;

	(void)state;
	assert_int_equal(uname(&kernel), 0);
	assert_int_equal(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
	if (major < 6 || (major == 6 && minor < 3)) {
		print_message("a kernel without shares of the table\n");
		skip();
	}
	host_open(&host, "/run/vmsup");
	host_start(&host, 2);
	for (uint16_t i = 1; i <= 30; i++)
		join_group(0, i);
	/* its own, for the host knows its address, and these */
	assert_int_equal(groups_of("vmtap0"), 1 + 30);
	for (uint16_t i = 31; i <= 300; i++)
		join_group(0, i);
	assert_int_equal(groups_of("vmtap0"), 64);
	join_group(1, 1); /* nobody else's loss */
	assert_int_equal(groups_of("vmtap1"), 1 + 1);
	host_close(&host);
}

static void counters_are_the_vms_view(void **state)
{
	struct net_counters from, to;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 2);
	while (next_mark(1, 0) >= 0)
		;
	assert_int_equal(net_tap_counters(&host.net, host.indices[1], &to), 0);
	for (uint8_t i = 0; i < 5; i++)
		send_frame(0, host.taps[0].guest_mac, host.taps[1].guest_mac,
			   i);
	for (int i = 0; i < 5; i++)
		assert_int_equal(next_mark(1, WAIT_MS), i);
	assert_int_equal(net_tap_counters(&host.net, host.indices[0], &from),
			 0);
	assert_int_equal(from.tx_frames, 5);
	assert_int_equal(from.tx_bytes, 300);
	from = to;
	assert_int_equal(net_tap_counters(&host.net, host.indices[1], &to), 0);
	assert_in_range(to.rx_frames - from.rx_frames, 5, 10);
	assert_int_equal(to.tx_frames, 0);
	assert_int_equal(net_tap_counters(&host.net, 9999, &to), -ENODEV);
	host_close(&host);
}

/* ---- what is in the way */

static void taken_names_are_refused(void **state)
{
	json_t *links;

	(void)state;
	host_open(&host, "/run/vmsup");
	make_stranger("vmsup0");
	assert_int_equal(host_prepare(&host, 2), -EEXIST);
	expect_problem(&host, "cannot use the name vmsup0");
	assert_int_equal(
		net_bridge_create(&host.net, &host.bridge, &host.problem),
		-EEXIST);
	expect_problem(&host, "vmsup0");
	expect_problem(&host, "choose another name");
	links = output("ip -j link show dev vmsup0");
	assert_string_equal(text_at(find(links, NULL, NULL), "ifalias"), "");
	json_decref(links);
	run("ip link set vmsup0 name innocent");
	run("ip link property add dev innocent altname vmtap1");
	assert_int_equal(host_prepare(&host, 1), 0);
	assert_int_equal(host_prepare(&host, 2), -EEXIST);
	expect_problem(&host, "vmtap1");
	run("ip link set innocent name vmtap0");
	run("ip link set vmtap0 alias vmsup:/run/vmsup"); /* no TAP: not ours */
	assert_int_equal(host_prepare(&host, 1), -EEXIST);
	assert_true(exists("vmtap0"));
	host_close(&host);
}

static void another_instance_is_named(void **state)
{
	(void)state;
	host_open(&other, "/run/other");
	host_start(&other, 2);
	host_open(&host, "/run/vmsup");
	assert_int_equal(host_prepare(&host, 2), -EEXIST);
	expect_problem(&host, "/run/other");
	strcpy(host.bridge.name, "vmsup1");
	inet_pton(AF_INET, "10.78.0.1", &host.bridge.ipv4);
	for (size_t i = 0; i < 2; i++)
		snprintf(host.taps[i].name, IFNAMSIZ, "second%zu", i);
	host_start(&host, 2);
	assert_int_equal(net_destroy(&other.net), 0);
	assert_false(exists("vmtap0"));
	assert_true(exists("second1"));
	assert_true(exists("vmsup1"));
	host_close(&host);
	host_close(&other);
}

static void taken_addresses_are_refused(void **state)
{
	(void)state;
	host_open(&host, "/run/vmsup");
	host.bridge.has_ipv6 = true;
	inet_pton(AF_INET6, "fd77::1", &host.bridge.ipv6);
	host.bridge.ipv6_prefix = 64;
	make_stranger("eth7");
	run("ip address add 10.76.255.254/16 dev eth7");
	run("ip address add fd76::1/64 dev eth7");
	assert_int_equal(host_prepare(&host, 1), 0);
	run("ip address add 10.77.9.9/24 dev eth7");
	assert_int_equal(host_prepare(&host, 1), -EADDRINUSE);
	expect_problem(&host, "eth7 has 10.77.9.9/24 already");
	run("ip address del 10.77.9.9/24 dev eth7");
	run("ip address add 10.1.2.3/8 dev eth7");
	assert_int_equal(host_prepare(&host, 1), -EADDRINUSE);
	run("ip address del 10.1.2.3/8 dev eth7");
	run("ip address add 192.0.2.1 peer 10.77.0.0/30 dev eth7");
	assert_int_equal(host_prepare(&host, 1), -EADDRINUSE);
	run("ip address flush dev eth7");
	run("ip address add fd77::9/64 nodad dev eth7");
	assert_int_equal(host_prepare(&host, 1), -EADDRINUSE);
	expect_problem(&host, "fd77::9/64");
	expect_problem(&host, "choose another subnet");
	host_close(&host);
}

static void leftovers_are_taken_over(void **state)
{
	(void)state;
	host_open(&other, "/run/vmsup");
	host_start(&other, 20); /* its supervisor dies; VMs hold the TAPs */
	host_open(&host, "/run/vmsup");
	make_stranger("eth7");
	run("ip link set eth7 group %u", other.net.group);
	run("ip link set vmtap3 group 0");
	host_start(&host, 3);
	for (size_t i = 0; i < 20; i++)
		assert_false(net_tap_alive(other.fds[i]));
	assert_true(net_tap_alive(host.fds[2]));
	assert_false(exists("vmtap19"));
	assert_true(exists("eth7"));
	host_close(&host);
	host_close(&other);
}

/* ---- what others do */

static void the_bridge_deleted_by_others(void **state)
{
	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 3);
	run("ip link delete vmsup0");
	assert_int_equal(host_tap(&host, 3), -ENODEV);
	expect_problem(&host, "putting it on the bridge");
	expect_problem(&host, "deleted");
	assert_false(exists("vmtap3"));
	assert_int_equal(net_destroy(&host.net), 0);
	for (size_t i = 0; i < 3; i++)
		assert_false(net_tap_alive(host.fds[i]));
	assert_int_equal(net_destroy(&host.net), 0);
	host_close(&host);
}

static void a_tap_deleted_by_others(void **state)
{
	struct net_counters counters;
	int before;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 2);
	run("ip link delete vmtap1");
	assert_false(net_tap_alive(host.fds[1]));
	assert_true(net_tap_alive(host.fds[0]));
	before = host.indices[1];
	assert_int_equal(net_tap_counters(&host.net, before, &counters),
			 -ENODEV);
	fd_close(&host.fds[1]);
	assert_int_equal(host_tap(&host, 1), 0);
	assert_int_not_equal(host.indices[1], before);
	assert_true(net_tap_alive(host.fds[1]));
	host_close(&host);
}

static void strangers_survive_the_end(void **state)
{
	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 5);
	make_stranger("eth7");
	run("ip link set eth7 master vmsup0 group %u", host.net.group);
	run("ip link set lo group %u", host.net.group);
	run("ip link set vmtap2 group 7");
	run("ip link set vmsup0 alias mine");
	assert_int_equal(net_destroy(&host.net), 0);
	for (size_t i = 0; i < 5; i++)
		assert_false(net_tap_alive(host.fds[i]));
	assert_false(exists("vmsup0"));
	assert_true(exists("eth7"));
	assert_true(exists("lo"));
	host_close(&host);
}

static void many_go_at_once(void **state)
{
	json_t *links;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, MANY);
	assert_int_equal(net_destroy(&host.net), 0);
	links = output("ip -j link show");
	assert_int_equal(json_array_size(links), 1); /* lo */
	json_decref(links);
	for (size_t i = 0; i < MANY; i++)
		assert_false(net_tap_alive(host.fds[i]));
	host_close(&host);
}

/* ---- failures leave nothing */

static void expect_only(size_t count)
{
	json_t *links = output("ip -j link show");

	assert_int_equal(json_array_size(links), count);
	json_decref(links);
}

static void failed_taps_leave_nothing(void **state)
{
	static const char *const names[] = { "", "vm%d", "a/b", "a b" };
	struct rlimit limit, none;
	json_t *list;

	(void)state;
	host_open(&host, "/run/vmsup");
	assert_int_equal(host_tap(&host, 0), -ENODEV);
	host_start(&host, 1);
	host.taps[1].mtu = 65535;
	assert_int_equal(host_tap(&host, 1), -EINVAL);
	expect_problem(&host, "cannot create TAP vmtap1: setting its MTU");
	host.taps[1].mtu = 1500;
	memset(host.taps[1].guest_mac, 0, 6);
	assert_int_equal(host_tap(&host, 1), -EINVAL);
	expect_problem(&host, "guest's MAC");
	memcpy(host.taps[1].guest_mac, "\x02vms\0\1", 6);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		strcpy(host.taps[1].name, names[i]);
		assert_int_equal(host_tap(&host, 1), -EINVAL);
	}
	strcpy(host.taps[1].name, "vmtap0");
	assert_int_equal(host_tap(&host, 1), -EBUSY);
	expect_problem(&host, "choose another name");
	strcpy(host.taps[1].name, "vmtap1");
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(host_tap(&host, 1), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	expect_problem(&host, "ulimit -n");
	expect_only(3);
	list = output("ip -j neigh show dev vmsup0");
	assert_null(find(list, "dst", "10.77.0.3"));
	json_decref(list);
	host_close(&host);
}

static void failed_bridges_leave_nothing(void **state)
{
	(void)state;
	host_open(&host, "/run/vmsup");
	host.bridge.mtu = 10;
	assert_int_equal(
		net_bridge_create(&host.net, &host.bridge, &host.problem),
		-EINVAL);
	expect_problem(&host, "cannot create bridge vmsup0");
	host.bridge.mtu = 1500;
	strcpy(host.bridge.name, "br%d");
	assert_int_equal(
		net_bridge_create(&host.net, &host.bridge, &host.problem),
		-EINVAL);
	strcpy(host.bridge.name, "vmsup0");
	host.bridge.has_ipv6 = true;
	inet_pton(AF_INET6, "fd77::1", &host.bridge.ipv6);
	host.bridge.ipv6_prefix = 64;
	run("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	assert_true(net_bridge_create(&host.net, &host.bridge, &host.problem) <
		    0);
	expect_problem(&host, "is IPv6 off here?");
	expect_only(1);
	host.bridge.has_ipv6 = false; /* without, it works */
	host_start(&host, 2);
	host_close(&host);
}

static void the_bridge_takes_1023_ports(void **state)
{
	struct rlimit limit = { 4096, 4096 };

	(void)state;
	host_open(&host, "/run/vmsup");
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		print_message("cannot raise the limit of open files\n");
		host_close(&host);
		skip();
	}
	assert_int_equal(host_prepare(&host, 1024), -EXFULL);
	expect_problem(&host, "1023 ports");
	host_start(&host, 1023);
	assert_int_equal(host_tap(&host, 1023), -EXFULL);
	expect_problem(&host, "cannot create TAP vmtap1023: putting it on the "
			      "bridge: Exchange full");
	expect_problem(&host, "start fewer VMs");
	assert_false(exists("vmtap1023"));
	assert_int_equal(net_destroy(&host.net), 0);
	expect_only(1);
	host_close(&host);
}

/* In a child: as nobody, one thing is tried. */
static void rights_are_asked_for(void **state)
{
	int status;
	pid_t child;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 1);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		int error = setgid(65534) < 0 || setuid(65534) < 0;

		strcpy(host.bridge.name, "vmsup1");
		error |= net_bridge_create(&host.net, &host.bridge,
					   &host.problem) != -EPERM;
		error |= !strstr(host.problem.text,
				 "run as root, or give vmsup CAP_NET_ADMIN");
		error |= host_tap(&host, 1) >= 0;
		error |= !strstr(host.problem.text,
				 "run as root, or give vmsup CAP_NET_ADMIN");
		_exit(error);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	host_close(&host);
}

static void long_run_directories_are_refused(void **state)
{
	char owner[200];

	(void)state;
	memset(owner, 'x', sizeof(owner) - 1);
	owner[sizeof(owner) - 1] = '\0';
	assert_int_equal(net_init(&host.net, owner, &host.problem),
			 -ENAMETOOLONG);
	expect_problem(&host, "at most 121 characters");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_NAMESPACE(the_bridge_is_as_described),
		IN_NAMESPACE(a_bridge_has_the_same_mac_each_time),
		IN_NAMESPACE(cloned_hosts_have_another_mac_by_their_domain),
		IN_NAMESPACE(a_tap_is_as_described),
		IN_NAMESPACE(multicast_is_opened_once_all_are_there),
		IN_NAMESPACE(frames_reach_their_vm_only),
		IN_NAMESPACE(a_vm_has_its_share_of_groups),
		IN_NAMESPACE(counters_are_the_vms_view),
		IN_NAMESPACE(taken_names_are_refused),
		IN_NAMESPACE(another_instance_is_named),
		IN_NAMESPACE(taken_addresses_are_refused),
		IN_NAMESPACE(leftovers_are_taken_over),
		IN_NAMESPACE(the_bridge_deleted_by_others),
		IN_NAMESPACE(a_tap_deleted_by_others),
		IN_NAMESPACE(strangers_survive_the_end),
		IN_NAMESPACE(many_go_at_once),
		IN_NAMESPACE(failed_taps_leave_nothing),
		IN_NAMESPACE(failed_bridges_leave_nothing),
		IN_NAMESPACE(the_bridge_takes_1023_ports),
		IN_NAMESPACE(rights_are_asked_for),
		IN_NAMESPACE(long_run_directories_are_refused),
	};
	const char *why = obstacle();

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (why)
		return cannot_run(why);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
