/* SPDX-License-Identifier: ISC */
/*
 * A TAP is set anew, whatever a holder of its descriptors has done to it: each
 * request of the driver, on a TAP of one queue and on one of several. Each case
 * has a network namespace of its own, which ends with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "supervisor/net/tap_renew.h"
#include "tests/unit/supervisor/net/net_bench.h"

#define QUEUES  4
#define WAIT_MS 2000
/* What a struct virtio_net_hdr takes before each frame. */
#define HEADER 10

static struct host host; /* too large for the stack under ASan */
static int fds[QUEUES];
static uint32_t queues;

/* ---- changes */

static void set_number(unsigned long request, unsigned long value)
{
	assert_int_equal(ioctl(fds[0], request, value), 0);
}

static void set_int(unsigned long request, int value)
{
	assert_int_equal(ioctl(fds[0], request, &value), 0);
}

static void persist(void)
{
	set_number(TUNSETPERSIST, 1);
}

static void own(void)
{
	set_number(TUNSETOWNER, 4242);
	set_number(TUNSETGROUP, 4242);
}

static void drop_all(void)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &drop };

	assert_int_equal(ioctl(fds[0], TUNATTACHFILTER, &program), 0);
}

static void set_mac_to(const uint8_t mac[6])
{
	struct ifreq request = { 0 };

	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	assert_int_equal(ioctl(fds[0], SIOCSIFHWADDR, &request), 0);
}

static void change_mac(void)
{
	set_mac_to((const uint8_t[]){ 2, 1, 1, 1, 1, 1 });
}

/* Its guest's: the bridge then takes frames for it as its own. */
static void take_guest_mac(void)
{
	set_mac_to(host.taps[0].guest_mac);
}

static void cut_carrier(void)
{
	set_int(TUNSETCARRIER, 0);
}

static void shrink_buffer(void)
{
	set_int(TUNSETSNDBUF, 1);
}

static void filter_addresses(void)
{
	static const uint8_t address[6] = { 2, 1, 1, 1, 1, 1 };
	/* words, so that the kernel's struct lies as it should */
	uint16_t space[(sizeof(struct tun_filter) + sizeof(address)) / 2];
	struct tun_filter *filter = (struct tun_filter *)space;

	*filter = (struct tun_filter){ .count = 1 };
	memcpy(filter->addr, address, sizeof(address));
	/* how many addresses it compares exactly */
	assert_int_equal(ioctl(fds[0], TUNSETTXFILTER, filter), 1);
}

static void change_header(void)
{
	set_int(TUNSETVNETHDRSZ, 64);
	set_int(TUNSETVNETLE, 1);
}

static void ask_for_offloads(void)
{
	set_number(TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
}

static void wait_in_reads(void)
{
	for (uint32_t i = 0; i < queues; i++)
		assert_int_equal(fcntl(fds[i], F_SETFL, O_RDWR | O_ASYNC), 0);
}

static void detach_queue(uint32_t i)
{
	struct ifreq request = { .ifr_flags = IFF_DETACH_QUEUE };

	if (queues > 1)
		assert_int_equal(ioctl(fds[i], TUNSETQUEUE, &request), 0);
}

static void detach_all(void)
{
	for (uint32_t i = 0; i < queues; i++)
		detach_queue(i);
}

/* One that is detached keeps its filter, and gets it back. */
static void detach_with_filter(void)
{
	drop_all();
	for (uint32_t i = 1; i < queues; i++)
		detach_queue(i);
}

static void all_of_it(void)
{
	persist();
	own();
	filter_addresses();
	change_header();
	ask_for_offloads();
	shrink_buffer();
	cut_carrier();
	take_guest_mac();
	wait_in_reads();
	detach_with_filter();
}

static const struct {
	const char *name;
	void (*act)(void);
} changes[] = {
	{ "nothing", NULL },
	{ "persist", persist },
	{ "owner and group", own },
	{ "filter", drop_all },
	{ "MAC", change_mac },
	{ "its guest's MAC", take_guest_mac },
	{ "carrier", cut_carrier },
	{ "send buffer", shrink_buffer },
	{ "address filter", filter_addresses },
	{ "header", change_header },
	{ "offloads", ask_for_offloads },
	{ "flags of the open file", wait_in_reads },
	{ "queues", detach_all },
	{ "queues with a filter", detach_with_filter },
	{ "all of it", all_of_it },
};

/* ---- how it is */

static int number_of(unsigned long request)
{
	int value = -1;

	assert_int_equal(ioctl(fds[0], request, &value), 0);
	return value;
}

static void expect_as_made(void)
{
	json_t *links = output("ip -j -d link show dev vmtap0");
	json_t *link = find(links, NULL, NULL), *data;

	data = json_object_get(json_object_get(link, "linkinfo"), "info_data");
	assert_int_equal(number_at(link, "ifindex"), host.indices[0]);
	assert_string_equal(text_at(link, "address"), "fe:76:6d:73:00:00");
	assert_string_not_equal(text_at(link, "operstate"), "DOWN");
	assert_true(json_is_false(json_object_get(data, "persist")));
	assert_string_equal(text_at(data, "user"), "root");
	assert_string_equal(text_at(data, "group"), "root");
	if (queues > 1) {
		assert_int_equal(number_at(data, "numqueues"), queues);
		assert_int_equal(number_at(data, "numdisabled"), 0);
	}
	json_decref(links);
	assert_int_equal(number_of(TUNGETSNDBUF), INT_MAX);
	assert_int_equal(number_of(TUNGETVNETHDRSZ), HEADER);
	assert_int_equal(number_of(TUNGETVNETLE), 0);
	for (uint32_t i = 0; i < queues; i++)
		assert_int_equal(fcntl(fds[i], F_GETFL) &
					 (O_NONBLOCK | O_ASYNC),
				 O_NONBLOCK);
}

/* A frame of ours, from one TAP to the guest of another. */
static void send_frame(int fd, size_t header, const uint8_t *source,
		       const uint8_t *destination)
{
	uint8_t frame[HEADER + 60] = { 0 };

	memcpy(frame + header, destination, 6);
	memcpy(frame + header + 6, source, 6);
	frame[header + 12] = 0x88; /* local experimental, IEEE 802 */
	frame[header + 13] = 0xb5;
	assert_int_equal(write(fd, frame, header + 60), header + 60);
}

/* Whether one comes to any of these. */
static bool frame_comes(const int *from, uint32_t count, size_t header)
{
	struct pollfd polled[QUEUES];
	uint8_t frame[2048];

	for (uint32_t i = 0; i < count; i++)
		polled[i] = (struct pollfd){ from[i], POLLIN, 0 };
	while (poll(polled, count, WAIT_MS) > 0)
		for (uint32_t i = 0; i < count; i++)
			if (polled[i].revents &&
			    read(from[i], frame, sizeof(frame)) >=
				    (ssize_t)header + 14 &&
			    frame[header + 12] == 0x88 &&
			    frame[header + 13] == 0xb5)
				return true;
	return false;
}

static void expect_frames(void)
{
	size_t header = host.taps[0].vnet_header ? HEADER : 0;

	send_frame(host.fds[1], 0, host.taps[1].guest_mac,
		   host.taps[0].guest_mac);
	assert_true(frame_comes(fds, queues, header));
	for (uint32_t i = 0; i < queues; i++) {
		send_frame(fds[i], header, host.taps[0].guest_mac,
			   host.taps[1].guest_mac);
		assert_true(frame_comes(&host.fds[1], 1, 0));
	}
}

/* ---- cases */

static void open_host(uint32_t count)
{
	queues = count;
	host_open(&host, "/run/vmsup");
	host.taps[0].queues = count;
	host.taps[0].vnet_header = count > 1;
	host_start(&host, 0);
	assert_int_equal(net_tap_create(&host.net, &host.taps[0], fds,
					&host.indices[0], &host.problem),
			 0);
	assert_int_equal(net_tap_introduce(&host.net, &host.taps[0],
					   host.indices[0], &host.problem),
			 0);
	assert_int_equal(host_tap(&host, 1), 0);
}

static void close_host(void)
{
	assert_int_equal(net_destroy(&host.net), 0);
	for (uint32_t i = 0; i < queues; i++)
		fd_close(&fds[i]);
	fd_close(&host.fds[1]);
	net_uninit(&host.net);
}

static void every_change_is_undone(uint32_t count)
{
	open_host(count);
	expect_as_made();
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		int error;

		if (changes[i].act)
			changes[i].act();
		error = net_tap_renew(&host.net, &host.taps[0], fds,
				      host.indices[0]);
		if (error)
			fail_msg("%s: %d", changes[i].name, error);
		print_message("%s, %u queues\n", changes[i].name, count);
		assert_int_equal(net_tap_forward(&host.net, &host.taps[0],
						 host.indices[0]),
				 0);
		expect_as_made();
		expect_frames();
	}
	close_host();
}

static void a_tap_of_one_queue(void **state)
{
	(void)state;
	every_change_is_undone(1);
}

static void a_tap_of_several_queues(void **state)
{
	(void)state;
	every_change_is_undone(QUEUES);
}

/* In a child without a privilege, with a /dev/net/tun that all may open. */
static int attach_as_nobody(int tun_fd)
{
	struct ifreq request = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
			     IFF_MULTI_QUEUE,
	};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		memcpy(request.ifr_name, "vmtap0", sizeof("vmtap0"));
		if (setresgid(4242, 4242, 4242) < 0 ||
		    setresuid(4242, 4242, 4242) < 0)
			_exit(1);
		_exit(ioctl(tun_fd, TUNSETIFF, &request) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void nobody_else_may_attach(void **state)
{
	int tun_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	(void)state;
	open_host(QUEUES);
	assert_int_equal(attach_as_nobody(tun_fd), EPERM);
	own();
	assert_int_equal(
		net_tap_renew(&host.net, &host.taps[0], fds, host.indices[0]),
		0);
	assert_int_equal(attach_as_nobody(tun_fd), EPERM);
	close(tun_fd);
	close_host();
}

/* Then no queue takes the request that takes the filter off. */
static void what_can_not_be_undone_is_told(void **state)
{
	int error;

	(void)state;
	open_host(QUEUES);
	drop_all();
	detach_all();
	error = net_tap_renew(&host.net, &host.taps[0], fds, host.indices[0]);
	if (error == 0)
		expect_frames();
	else
		assert_int_equal(net_tap_delete(&host.net, host.indices[0]), 0);
	close_host();
}

static void a_tap_that_is_gone_is_told(void **state)
{
	(void)state;
	open_host(1);
	assert_int_equal(run("ip link del vmtap0"), 0);
	assert_int_equal(
		net_tap_renew(&host.net, &host.taps[0], fds, host.indices[0]),
		-EBADFD);
	close_host();
}

#define FORWARDED "bridge fdb show dev vmtap1 | grep -q 02:76:6d:73:00:01"

/* A TAP that had a sibling's MAC, if only for a moment, has cut the sibling
 * off: the bridge forgets where that lives. */
static void a_siblings_entry_is_put_back(void **state)
{
	uint8_t own_mac[6];

	(void)state;
	open_host(1);
	net_tap_mac(&host.taps[0], own_mac);
	set_mac_to(host.taps[1].guest_mac);
	set_mac_to(own_mac);
	assert_int_not_equal(run(FORWARDED), 0);
	assert_int_equal(
		net_tap_forward(&host.net, &host.taps[1], host.indices[1]), 0);
	assert_int_equal(run(FORWARDED), 0);
	send_frame(fds[0], 0, host.taps[0].guest_mac, host.taps[1].guest_mac);
	assert_true(frame_comes(&host.fds[1], 1, 0));
	close_host();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_NAMESPACE(a_tap_of_one_queue),
		IN_NAMESPACE(a_tap_of_several_queues),
		IN_NAMESPACE(nobody_else_may_attach),
		IN_NAMESPACE(what_can_not_be_undone_is_told),
		IN_NAMESPACE(a_tap_that_is_gone_is_told),
		IN_NAMESPACE(a_siblings_entry_is_put_back),
	};
	const char *why = obstacle();

	if (why)
		return cannot_run(why);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
