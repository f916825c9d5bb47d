/* SPDX-License-Identifier: ISC */
/* News of links, as ip(8) makes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "supervisor/net/monitor.h"
#include "tests/unit/supervisor/net/net_bench.h"

static struct host host;

struct seen {
	struct net_news last[64]; /* by index of the link */
	bool known[64];
	unsigned int deletions;
};

static void note(void *ctx, const struct net_news *news)
{
	struct seen *seen = ctx;

	assert_in_range(news->ifindex, 1, 63);
	seen->last[news->ifindex] = *news;
	seen->known[news->ifindex] = true;
	seen->deletions += news->deleted;
}

static void news_of_links(void **state)
{
	struct net_monitor monitor;
	struct seen seen = { 0 };
	struct net_news *tap;

	(void)state;
	host_open(&host, "/run/vmsup");
	assert_int_equal(net_monitor_init(&monitor, note, &seen), 0);
	assert_true(fcntl(net_monitor_fd(&monitor), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(net_monitor_read(&monitor), 0);
	assert_false(seen.known[1]);
	host_start(&host, 2);
	assert_int_equal(net_monitor_read(&monitor), 0);
	tap = &seen.last[host.indices[0]];
	assert_true(seen.known[host.indices[0]]);
	assert_string_equal(tap->name, "vmtap0");
	assert_true(tap->up);
	assert_int_equal(tap->mtu, 1500);
	assert_true(seen.last[host.net.bridge_ifindex].up);

	run("ip link set vmtap0 mtu 1280 down");
	assert_int_equal(net_monitor_read(&monitor), 0);
	assert_int_equal(tap->mtu, 1280);
	assert_false(tap->up);
	/* leaving the bridge is no deletion */
	run("ip link set vmtap0 nomaster name tap7 up");
	assert_int_equal(net_monitor_read(&monitor), 0);
	assert_int_equal(seen.deletions, 0);
	assert_string_equal(tap->name, "tap7");
	run("ip link delete tap7");
	assert_int_equal(net_monitor_read(&monitor), 0);
	assert_int_equal(seen.deletions, 1);
	assert_true(tap->deleted);
	assert_int_equal(monitor.resyncs, 0);
	net_monitor_uninit(&monitor);
	host_close(&host);
}

static void lost_news_is_read_anew(void **state)
{
	struct net_monitor monitor;
	struct seen seen = { 0 };
	int small = 8192;

	(void)state;
	host_open(&host, "/run/vmsup");
	host_start(&host, 30);
	assert_int_equal(net_monitor_init(&monitor, note, &seen), 0);
	assert_int_equal(setsockopt(net_monitor_fd(&monitor), SOL_SOCKET,
				    SO_RCVBUF, &small, sizeof(small)),
			 0);
	run("for i in 1 2 3 4 5; do ip link set vmtap3 down; "
	    "ip link set vmtap3 up; done; ip link set vmtap7 mtu 1300");
	for (int i = 0; i < 10; i++)
		assert_int_equal(net_monitor_read(&monitor), 0);
	assert_int_equal(monitor.resyncs, 1);
	assert_false(monitor.resyncing);
	assert_int_equal(seen.last[host.indices[7]].mtu, 1300);
	assert_true(seen.last[host.indices[3]].up);
	for (size_t i = 0; i < 30; i++)
		assert_true(seen.known[host.indices[i]]);
	/* and it goes on from there */
	run("ip link set vmtap29 down");
	assert_int_equal(net_monitor_read(&monitor), 0);
	assert_false(seen.last[host.indices[29]].up);
	assert_int_equal(monitor.resyncs, 1);
	net_monitor_uninit(&monitor);
	host_close(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_NAMESPACE(news_of_links),
		IN_NAMESPACE(lost_news_is_read_anew),
	};
	const char *why = obstacle();

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (why)
		return cannot_run(why);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
