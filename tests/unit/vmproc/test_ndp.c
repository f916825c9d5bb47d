/* SPDX-License-Identifier: ISC */
/* The builtin guest's neighbour discovery and duplicate address detection, as
 * seen from its wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ipc/log.h"
#include "tests/unit/vmproc/host.h"

#define GROUP     "ff02::1:ff00:2" /* of GUEST_IP6 */
#define LL_GROUP  "ff02::1:ff00:1" /* of GUEST_LL */
#define SOLICITED 0x40000000
#define OVERRIDE  0x20000000

static unsigned int lines_logged;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)line;
	lines_logged++;
}

static int setup(void **state)
{
	(void)state;
	log_set(count_line, NULL, LOG_LEVEL_DEBUG);
	lines_logged = 0;
	host_start();
	return 0;
}

static void assert_icmp6_right(size_t i)
{
	const uint8_t *at = host.sent_frame[i];

	assert_int_equal(get16(at + 18), host.sent_bytes[i] - 54);
	assert_int_equal(icmp6_sum(at + 22, at + 54, host.sent_bytes[i] - 54),
			 0xffff);
}

static void assert_advertised(const char *target, const char *to,
			      const uint8_t *mac, uint32_t flags)
{
	const uint8_t *at = host.sent_frame[0];

	assert_int_equal(host_drops(), 0);
	assert_int_equal(host.sent, 1);
	assert_int_equal(host.sent_bytes[0], 54 + 32);
	assert_memory_equal(at, mac, 6);
	assert_memory_equal(at + 6, guest_mac, 6);
	assert_int_equal(at[20], 58);
	assert_int_equal(at[21], 255);
	assert_memory_equal(at + 22, ip6(target), 16);
	assert_memory_equal(at + 38, ip6(to), 16);
	assert_int_equal(at[54], 136);
	assert_int_equal(get32(at + 58), flags);
	assert_memory_equal(at + 62, ip6(target), 16);
	assert_int_equal(at[78], 2);
	assert_int_equal(at[79], 1);
	assert_memory_equal(at + 80, guest_mac, 6);
	assert_icmp6_right(0);
	host_forget();
}

static void answers_for_its_own_addresses(void **state)
{
	(void)state;
	make_nd(group_mac(GROUP), PEER_IP6, GROUP, 135, 0, GUEST_IP6, 1);
	host_give_frame();
	assert_advertised(GUEST_IP6, PEER_IP6, peer_mac, SOLICITED | OVERRIDE);
	make_nd(group_mac(LL_GROUP), PEER_LL, LL_GROUP, 135, 0, GUEST_LL, 1);
	host_give_frame();
	assert_advertised(GUEST_LL, PEER_LL, peer_mac, SOLICITED | OVERRIDE);
	/* by unicast, and without saying his MAC */
	make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 0);
	host_give_frame();
	assert_advertised(GUEST_IP6, PEER_LL, peer_mac, SOLICITED | OVERRIDE);
}

/* RFC 4862 §5.4.3: one who looks for duplicates has no address to answer
 * to. */
static void defends_its_addresses(void **state)
{
	(void)state;
	make_nd(group_mac(GROUP), "::", GROUP, 135, 0, GUEST_IP6, 0);
	host_give_frame();
	assert_advertised(GUEST_IP6, "ff02::1", group_mac("ff02::1"), OVERRIDE);
	/* RFC 4861 §7.1.1: to the group, and without a MAC */
	make_nd(guest_mac, "::", GUEST_IP6, 135, 0, GUEST_IP6, 0);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_nd(group_mac(GROUP), "::", GROUP, 135, 0, GUEST_IP6, 1);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
}

static void silent_for_other_addresses(void **state)
{
	(void)state;
	make_nd(group_mac(GROUP), PEER_IP6, GROUP, 135, 0, "fd00:99::2", 1);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_nd(group_mac("ff02::1:ff00:3"), PEER_IP6, "ff02::1:ff00:3", 135, 0,
		OTHER_IP6, 1);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

static void solicitations_are_checked(void **state)
{
	uint8_t *icmp;

	(void)state;
	make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 1);
	frame.at[21] = 254;
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	icmp = make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 1);
	icmp[1] = 1; /* code */
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, "ff02::1", 1);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 1);
	frame.at[70] ^= 1;
	give_and_assert_dropped(STAT_RX_DROP_CHECKSUM);
	/* option lengths: zero, over the end, not that of a MAC */
	for (unsigned int length = 0; length < 256; length++) {
		icmp = make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6,
			       1);
		if (length == 1)
			continue;
		icmp[25] = (uint8_t)length;
		fix_icmp6(icmp);
		give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	}
	/* a group's MAC */
	icmp = make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 1);
	icmp[26] = 0x33;
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	/* our own: the answer would be to ourselves */
	icmp = make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 1);
	memcpy(icmp + 26, guest_mac, 6);
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	/* cut within its header, with everything else right */
	put_eth(guest_mac, peer_mac, 0x86dd);
	put_ip6(PEER_LL, GUEST_IP6, 58, 255, 20);
	icmp = put(20);
	icmp[0] = 135;
	fix_icmp6(icmp);
	give_and_assert_dropped(STAT_RX_DROP_SHORT);
}

/* An option that isn't known is no reason to stay silent. */
static void unknown_options_are_passed_over(void **state)
{
	uint8_t *icmp;

	(void)state;
	icmp = make_nd(guest_mac, PEER_LL, GUEST_IP6, 135, 0, GUEST_IP6, 14);
	host_give_frame();
	assert_advertised(GUEST_IP6, PEER_LL, peer_mac, SOLICITED | OVERRIDE);
	assert_int_equal(icmp[24], 14);
}

static void advertisements_are_checked(void **state)
{
	(void)state;
	make_nd(guest_mac, PEER_IP6, GUEST_IP6, 136, SOLICITED, PEER_IP6, 2);
	give_and_assert_dropped(STAT_RX_DROP_PROTOCOL); /* nobody asked */
	make_nd(guest_mac, PEER_IP6, GUEST_IP6, 136, 0, PEER_IP6, 2);
	frame.at[21] = 64;
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	make_nd(group_mac("ff02::1"), PEER_IP6, "ff02::1", 136, SOLICITED,
		PEER_IP6, 2);
	give_and_assert_dropped(STAT_RX_DROP_MALFORMED);
	/* somebody claims what is ours already: that takes nothing away */
	make_nd(group_mac("ff02::1"), PEER_IP6, "ff02::1", 136, OVERRIDE,
		GUEST_IP6, 2);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_ping6(128, 56);
	host_give_frame();
	assert_answered6(56);
}

/* A question whether somebody has an address. */
static void assert_solicited_tentative(size_t i, const char *address,
				       const char *group)
{
	const uint8_t *at = host.sent_frame[i];

	assert_int_equal(host.sent_bytes[i], 54 + 24);
	assert_memory_equal(at, group_mac(group), 6);
	assert_int_equal(at[20], 58);
	assert_int_equal(at[21], 255);
	assert_memory_equal(at + 22, ip6("::"), 16);
	assert_memory_equal(at + 38, ip6(group), 16);
	assert_int_equal(at[54], 135);
	assert_memory_equal(at + 62, ip6(address), 16);
	assert_icmp6_right(i);
}

/* What the guest sends while it finds out whether its addresses are free: for
 * each, after a random delay, the joins (of all) and then the question. */
static void detects_duplicates_as_specified(void **state)
{
	uint64_t start_ns;

	(void)state;
	host_start_fresh();
	start_ns = host.now_ns;
	assert_int_equal(host.sent, 0);
	host_pass(SECOND_NS);
	assert_int_equal(host.now_ns - start_ns, SECOND_NS);
	assert_int_equal(host.sent, 6);
	for (size_t i = 0; i < host.sent; i += 3) {
		assert_int_equal(check_report(i, "::", LL_GROUP), 0);
		assert_int_equal(check_report(i + 1, "::", GROUP), 0);
		if (host.sent_frame[i + 2][77] == 1)
			assert_solicited_tentative(i + 2, GUEST_LL, LL_GROUP);
		else
			assert_solicited_tentative(i + 2, GUEST_IP6, GROUP);
	}
	assert_memory_not_equal(host.sent_frame[2] + 62,
				host.sent_frame[5] + 62, 16);
	host_forget();
	/* once more, now that there is an address to report from */
	host_pass(SECOND_NS);
	assert_int_equal(host.sent, 2);
	assert_int_equal(check_report(0, GUEST_LL, LL_GROUP), 0);
	assert_int_equal(check_report(1, GUEST_LL, GROUP), 0);
	host_forget();
	host_pass(1000 * SECOND_NS);
	assert_int_equal(host.sent, 0);
	assert_true(builtin_deadline_ns(host.guest) == UINT64_MAX);
}

static void assert_given_up(void)
{
	assert_int_equal(host_drops(), 0);
	assert_int_equal(lines_logged, 1);
	host_pass(10 * SECOND_NS);
	host_forget();
	make_ping6(128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	make_nd(guest_mac, PEER_LL, GUEST_LL, 135, 0, GUEST_IP6, 1);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	/* the other address is not concerned */
	make_ping6_to(guest_mac, PEER_LL, GUEST_LL, 128, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
	assert_int_equal(lines_logged, 1);
}

static void gives_up_an_address_somebody_has(void **state)
{
	(void)state;
	host_start_fresh();
	host_pass(SECOND_NS - 1);
	host_forget();
	/* its owner speaks from the very address */
	make_nd(group_mac("ff02::1"), GUEST_IP6, "ff02::1", 136, OVERRIDE,
		GUEST_IP6, 2);
	host_give_frame();
	assert_given_up();
}

static void gives_up_an_address_said_to_be_taken(void **state)
{
	(void)state;
	host_start_fresh();
	make_nd(group_mac("ff02::1"), PEER_LL, "ff02::1", 136, OVERRIDE,
		GUEST_IP6, 2);
	host_give_frame();
	assert_given_up();
}

/* Then it is another host's, and that is a host like any other. */
static void given_up_address_may_speak(void **state)
{
	(void)state;
	host_start_fresh();
	make_nd(group_mac("ff02::1"), GUEST_IP6, "ff02::1", 136, OVERRIDE,
		GUEST_IP6, 2);
	host_give_frame();
	host_pass(3 * SECOND_NS);
	host_forget();
	make_nd(guest_mac, GUEST_IP6, GUEST_LL, 135, 0, GUEST_LL, 1);
	host_give_frame();
	assert_advertised(GUEST_LL, GUEST_IP6, peer_mac, SOLICITED | OVERRIDE);
	make_ping6_to(guest_mac, GUEST_IP6, GUEST_LL, 128, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
	assert_memory_equal(host.sent_frame[0] + 38, ip6(GUEST_IP6), 16);
}

static void gives_up_an_address_somebody_wants(void **state)
{
	(void)state;
	host_start_fresh();
	make_nd(group_mac(GROUP), "::", GROUP, 135, 0, GUEST_IP6, 0);
	host_give_frame();
	assert_given_up();
}

/* Somebody looking for it, from an address of his own, is no conflict. */
static void keeps_an_address_somebody_looks_for(void **state)
{
	(void)state;
	host_start_fresh();
	make_nd(group_mac(GROUP), PEER_IP6, GROUP, 135, 0, GUEST_IP6, 1);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
	host_pass(2 * SECOND_NS);
	host_forget();
	make_ping6(128, 56);
	host_give_frame();
	assert_answered6(56);
	assert_int_equal(lines_logged, 0);
}

static void link_local_alone(void **state)
{
	struct builtin_config config = host_config();

	(void)state;
	memset(&config.ipv6, 0, sizeof(config.ipv6));
	assert_int_equal(host_start_with(&config), 0);
	host_pass(SECOND_NS);
	assert_int_equal(host.sent, 2);
	assert_int_equal(check_report(0, "::", LL_GROUP), 0);
	assert_solicited_tentative(1, GUEST_LL, LL_GROUP);
	host_pass(2 * SECOND_NS);
	host_forget();
	make_ping6_to(guest_mac, PEER_LL, GUEST_LL, 128, 56);
	host_give_frame();
	assert_int_equal(host.sent, 1);
	host_forget();
	make_ping6(128, 56);
	give_and_assert_dropped(STAT_RX_DROP_FOREIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_for_its_own_addresses, setup),
		cmocka_unit_test_setup(defends_its_addresses, setup),
		cmocka_unit_test_setup(silent_for_other_addresses, setup),
		cmocka_unit_test_setup(solicitations_are_checked, setup),
		cmocka_unit_test_setup(unknown_options_are_passed_over, setup),
		cmocka_unit_test_setup(advertisements_are_checked, setup),
		cmocka_unit_test_setup(detects_duplicates_as_specified, setup),
		cmocka_unit_test_setup(gives_up_an_address_somebody_has, setup),
		cmocka_unit_test_setup(gives_up_an_address_said_to_be_taken,
				       setup),
		cmocka_unit_test_setup(given_up_address_may_speak, setup),
		cmocka_unit_test_setup(gives_up_an_address_somebody_wants,
				       setup),
		cmocka_unit_test_setup(keeps_an_address_somebody_looks_for,
				       setup),
		cmocka_unit_test_setup(link_local_alone, setup),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_forget();
	return failed;
}
