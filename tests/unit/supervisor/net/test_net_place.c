/* SPDX-License-Identifier: ISC */
/* Where a guest lives, with several hosts on one Ethernet: what the bridge has
 * learned of them, and what others have told it. */
#include <errno.h>

#include "tests/unit/supervisor/net/net_bench.h"

static struct host host; /* too large for the stack under ASan */

#define GUEST "02:76:6d:73:00:00"

/* The bridge has a port to other hosts, and an entry there of the guest. */
static void open_uplink(const char *kind)
{
	host_open(&host, "/run/vmsup");
	host_start(&host, 0);
	make_stranger("far");
	assert_int_equal(run("ip link set far master vmsup0 up && "
			     "ip link set peer up"),
			 0);
	if (kind)
		assert_int_equal(run("bridge fdb replace " GUEST
				     " dev far master %s",
				     kind),
				 0);
}

static bool is_behind(const char *port, const char *state)
{
	json_t *list = output("bridge -j fdb show br vmsup0");
	json_t *entry = find(list, "mac", GUEST);
	bool is = entry && strcmp(text_at(entry, "ifname"), port) == 0 &&
		  strcmp(text_at(entry, "state"), state) == 0;

	json_decref(list);
	return is;
}

static void a_mac_that_was_learned_from_another_host_gives_way(void **state)
{
	(void)state;
	open_uplink("dynamic");
	assert_true(is_behind("far", ""));
	if (host_tap(&host, 0) < 0)
		fail_msg("%s", host.problem.text);
	assert_true(is_behind("vmtap0", "static"));
	/* said again, as for each VM after an upgrade */
	assert_int_equal(net_tap_introduce(&host.net, &host.taps[0],
					   host.indices[0], &host.problem),
			 0);
	host_close(&host);
}

static void a_mac_that_somebody_pinned_does_not(void **state)
{
	static const char *const kinds[] = { "static", "dynamic sticky" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(new_namespace(NULL), 0);
		open_uplink(kinds[i]);
		assert_int_equal(host_tap(&host, 0), -EADDRINUSE);
		assert_non_null(strstr(host.problem.text,
				       "bridge fdb del " GUEST
				       " dev far master"));
		assert_false(is_behind("vmtap0", "static"));
		host_close(&host);
	}
}

static void a_mac_of_a_link_on_the_bridge_does_not(void **state)
{
	static const char *const links[] = { "far", "vmsup0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		assert_int_equal(new_namespace(NULL), 0);
		open_uplink(NULL);
		assert_int_equal(run("ip link set %s address " GUEST, links[i]),
				 0);
		assert_int_equal(host_tap(&host, 0), -EADDRINUSE);
		assert_non_null(strstr(host.problem.text, "that of"));
		assert_non_null(strstr(host.problem.text, links[i]));
		host_close(&host);
	}
}

static bool host_knows(const char *address)
{
	return run("ip neigh show dev vmsup0 nud permanent | grep -q '^%s '",
		   address) == 0;
}

static void who_is_down_may_come_up_elsewhere(void **state)
{
	(void)state;
	open_uplink(NULL);
	assert_int_equal(host_tap(&host, 0), 0);
	assert_int_equal(host_tap(&host, 1), 0);
	net_tap_withdraw(&host.net, &host.taps[0], host.indices[0]);
	assert_false(is_behind("vmtap0", "static"));
	assert_false(host_knows("10.77.0.2"));
	assert_false(host_knows("fe80::76:6dff:fe73:0"));
	/* it has come up there: nobody takes that back */
	assert_int_equal(
		run("bridge fdb replace " GUEST " dev far master dynamic"), 0);
	net_tap_withdraw(&host.net, &host.taps[0], host.indices[0]);
	assert_true(is_behind("far", ""));
	/* of the other VM, all is as it was */
	assert_true(host_knows("10.77.0.3"));
	assert_int_equal(run("bridge fdb show dev vmtap1 | grep -q "
			     "02:76:6d:73:00:01"),
			 0);
	host_close(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_NAMESPACE(
			a_mac_that_was_learned_from_another_host_gives_way),
		IN_NAMESPACE(a_mac_that_somebody_pinned_does_not),
		IN_NAMESPACE(a_mac_of_a_link_on_the_bridge_does_not),
		IN_NAMESPACE(who_is_down_may_come_up_elsewhere),
	};

	const char *why = obstacle();

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (why)
		return cannot_run(why);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
