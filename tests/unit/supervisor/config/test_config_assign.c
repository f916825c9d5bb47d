/* SPDX-License-Identifier: ISC */
/* What VMs get that name none: TAPs, IPv4 addresses, MACs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "supervisor/config/config.h"
#include "supervisor/config/config_assign.h"
#include "supervisor/lib/siphash.h"

#define MACHINE_ID "0123456789abcdef0123456789abcdef"
#define INSTANCE   "/run/vmsup"

static int setup(void **state)
{
	static struct config config;

	config_init(&config);
	*state = &config;
	return 0;
}

static int teardown(void **state)
{
	config_uninit(*state);
	return 0;
}

static struct vm_config *add(struct config *config, const char *name)
{
	struct problem problem;
	struct vm_config *vm = config_add_vm(config, name, &problem);

	assert_non_null(vm);
	return vm;
}

static void add_many(struct config *config, size_t count)
{
	struct problem problem;

	assert_int_equal(config_add_vms(config, count, &problem), 0);
}

static void assign(struct config *config)
{
	struct problem problem = { .text = "" };
	int error = config_assign(config, MACHINE_ID, INSTANCE, &problem);

	assert_string_equal(problem.text, "");
	assert_int_equal(error, 0);
}

static void assert_refused(struct config *config, int error, const char *text)
{
	struct problem problem;

	assert_int_equal(config_assign(config, MACHINE_ID, INSTANCE, &problem),
			 error);
	if (!strstr(problem.text, text))
		fail_msg("\"%s\" isn't in \"%s\"", text, problem.text);
}

static void assert_ipv4(const struct vm_config *vm, const char *text)
{
	char address[INET_ADDRSTRLEN];

	assert_true(vm->has_ipv4);
	inet_ntop(AF_INET, &vm->ipv4, address, sizeof(address));
	assert_string_equal(address, text);
}

static void test_taps_by_index(void **state)
{
	struct config *config = *state;

	add_many(config, 3);
	strcpy(config->vms[1].tap, "web0");
	assign(config);
	assert_string_equal(config->vms[0].tap, "vmtap0");
	assert_string_equal(config->vms[1].tap, "web0");
	assert_string_equal(config->vms[2].tap, "vmtap2");
}

static void test_longest_taps(void **state)
{
	struct config *config = *state;

	strcpy(config->tap_prefix, "abcdefghijk");
	add_many(config, CONFIG_MAX_VMS);
	assign(config);
	assert_string_equal(config->vms[1022].tap, "abcdefghijk1022");
}

static void test_ipv4_lowest_free(void **state)
{
	struct config *config = *state;
	struct problem problem;

	add_many(config, 5);
	assert_int_equal(
		config_set_ipv4(config, &config->vms[4], "10.77.0.3", &problem),
		0);
	assert_int_equal(config_set_ipv4(config, &config->vms[0], "10.77.200.9",
					 &problem),
			 0);
	assign(config);
	assert_ipv4(&config->vms[0], "10.77.200.9");
	assert_ipv4(&config->vms[1], "10.77.0.2");
	assert_ipv4(&config->vms[2], "10.77.0.4");
	assert_ipv4(&config->vms[3], "10.77.0.5");
	assert_ipv4(&config->vms[4], "10.77.0.3");
}

static void test_ipv4_around_the_bridge(void **state)
{
	struct config *config = *state;

	inet_pton(AF_INET, "192.168.7.254", &config->bridge_ipv4);
	config->bridge_ipv4_prefix = 24;
	add_many(config, 253);
	assign(config);
	assert_ipv4(&config->vms[0], "192.168.7.1");
	assert_ipv4(&config->vms[252], "192.168.7.253");
}

static void test_full_subnet_is_refused(void **state)
{
	struct config *config = *state;

	inet_pton(AF_INET, "10.0.0.2", &config->bridge_ipv4);
	config->bridge_ipv4_prefix = 30;
	add_many(config, 1);
	assign(config);
	assert_ipv4(&config->vms[0], "10.0.0.1");
	add_many(config, 1);
	assert_refused(config, -E2BIG,
		       "2 VMs are more than the 1 address that 10.0.0.0/30 "
		       "has for them (give the bridge a larger subnet");
}

static void test_more_vms_than_uids(void **state)
{
	struct config *config = *state;

	config->uid_count = 2;
	add_many(config, 3);
	assert_refused(config, -E2BIG, "uids.count");
}

static void test_macs_are_stable_and_unicast(void **state)
{
	struct config *config = *state;
	struct config other;
	struct problem problem;
	uint8_t web[6];

	add(config, "web");
	add(config, "db");
	assign(config);
	memcpy(web, config->vms[0].mac, sizeof(web));
	for (size_t i = 0; i < 2; i++) {
		assert_true(config->vms[i].has_mac);
		assert_int_equal(config->vms[i].mac[0], 0x02);
	}
	assert_memory_not_equal(web, config->vms[1].mac, sizeof(web));

	/* the same name gets the same MAC, whatever stands around it */
	config_init(&other);
	add(&other, "first");
	add(&other, "web");
	assign(&other);
	assert_memory_equal(web, other.vms[1].mac, sizeof(web));
	config_uninit(&other);

	/* and another one elsewhere */
	config_init(&other);
	add(&other, "web");
	assert_int_equal(config_assign(&other, MACHINE_ID, "/run/b", &problem),
			 0);
	assert_memory_not_equal(web, other.vms[0].mac, sizeof(web));
	config_uninit(&other);
	config_init(&other);
	add(&other, "web");
	assert_int_equal(config_assign(&other, "f00", INSTANCE, &problem), 0);
	assert_memory_not_equal(web, other.vms[0].mac, sizeof(web));
	config_uninit(&other);
}

/* Cloned hosts: one machine id, one run directory, one name. */
static void test_a_domain_keeps_macs_apart(void **state)
{
	static const char *const domains[] = { "", "a", "b", "ab" };
	uint8_t macs[ARRAY_SIZE(domains)][6];
	struct config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		config_init(&config);
		strcpy(config.mac_domain, domains[i]);
		add(&config, "web");
		assign(&config);
		memcpy(macs[i], config.vms[0].mac, sizeof(macs[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(macs[i], macs[j],
						sizeof(macs[i]));
		config_uninit(&config);
	}
}

static void test_derived_mac_makes_way(void **state)
{
	struct config *config = *state;
	struct config again;
	uint8_t web[6];

	add(config, "web");
	assign(config);
	memcpy(web, config->vms[0].mac, sizeof(web));

	config_init(&again);
	add(&again, "web");
	memcpy(add(&again, "db")->mac, web, sizeof(web));
	again.vms[1].has_mac = true;
	assign(&again);
	assert_memory_equal(again.vms[1].mac, web, sizeof(web));
	assert_memory_not_equal(again.vms[0].mac, web, sizeof(web));
	assert_int_equal(again.vms[0].mac[0], 0x02);
	config_uninit(&again);
}

static void test_assign_is_idempotent(void **state)
{
	struct config *config = *state;
	struct vm_config before[4];

	add_many(config, 4);
	assign(config);
	memcpy(before, config->vms, sizeof(before));
	assign(config);
	assert_memory_equal(before, config->vms, sizeof(before));
}

static void test_shared_things_are_refused(void **state)
{
	struct config *config = *state;
	struct vm_config *a, *b;
	struct problem problem;

	add_many(config, 2);
	a = &config->vms[0];
	b = &config->vms[1];
	strcpy(a->tap, "vmtap1");
	assert_refused(config, -EINVAL, "VMs vm0 and vm1 have the same tap");
	strcpy(a->tap, "vmsup0");
	assert_refused(config, -EINVAL,
		       "VM vm0: its TAP vmsup0 has the bridge");
	a->tap[0] = '\0';
	config_set_mac(a, "02:00:00:00:00:01", &problem);
	config_set_mac(b, "02:00:00:00:00:01", &problem);
	assert_refused(config, -EINVAL, "VMs vm0 and vm1 have the same mac");
	b->has_mac = false;
	config_set_ipv4(config, a, "10.77.0.9", &problem);
	config_set_ipv4(config, b, "10.77.0.9", &problem);
	assert_refused(config, -EINVAL, "vm1 have the same address (");
	b->has_ipv4 = false;
	config_set_ipv6(a, "fd77::9/64", &problem);
	config_set_ipv6(b, "fd77::9/64", &problem);
	assert_refused(config, -EINVAL, "vm1 have the same address6 (");
	b->has_ipv6 = false;
	assign(config);
}

static void test_what_options_set_is_checked(void **state)
{
	struct config *config = *state;
	struct problem problem;

	add_many(config, 1);
	config->vms[0].mac[0] = 0x01;
	config->vms[0].has_mac = true;
	assert_refused(config, -EINVAL, "VM vm0: that is a multicast address");
	config->vms[0].has_mac = false;
	inet_pton(AF_INET, "10.9.9.9", &config->vms[0].ipv4);
	config->vms[0].has_ipv4 = true;
	assert_refused(config, -EINVAL, "VM vm0: 10.9.9.9 is outside");
	config->vms[0].has_ipv4 = false;
	config_set_ipv6(&config->vms[0], "fd77::9/64", &problem);
	config->mtu = 1279;
	assert_refused(config, -EINVAL, "bridge.mtu: 1279 is too small");
	config->mtu = 1280;
	config->vms[0].timeouts.watchdog_ms = 500;
	assert_refused(config, -EINVAL, "timeouts.watchdog");
	config->vms[0].timeouts.watchdog_ms = 5000;
	config->uid_first = 1000;
	assert_refused(config, -EINVAL, "uids: uids 1000 to");
	config->uid_first = 1900000000;
	inet_pton(AF_INET, "10.77.0.0", &config->bridge_ipv4);
	assert_refused(config, -EINVAL, "bridge.address: that is the subnet's");
}

static void test_full_house_is_fast(void **state)
{
	struct config *config = *state;
	struct timespec from, to;
	double ms;

	add_many(config, CONFIG_MAX_VMS);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assign(config);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	ms = (double)(to.tv_sec - from.tv_sec) * 1e3 +
	     (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	print_message("# %d VMs assigned in %.2f ms\n", CONFIG_MAX_VMS, ms);
	assert_string_equal(config->vms[1022].tap, "vmtap1022");
	assert_ipv4(&config->vms[1022], "10.77.4.0");
	/* generous: also for sanitizers on a busy machine */
	assert_true(ms < 1000);
}

static void test_siphash_vectors(void **state)
{
	uint8_t key[16], bytes[15];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	/* appendix A of the paper */
	assert_true(siphash(key, bytes, 15) == 0xa129ca6149be45e5);
	/* its authors' table, lengths 0 and 8 */
	assert_true(siphash(key, bytes, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(key, bytes, 8) == 0x93f5f5799a932462);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_taps_by_index),
		CASE(test_longest_taps),
		CASE(test_ipv4_lowest_free),
		CASE(test_ipv4_around_the_bridge),
		CASE(test_full_subnet_is_refused),
		CASE(test_more_vms_than_uids),
		CASE(test_macs_are_stable_and_unicast),
		CASE(test_a_domain_keeps_macs_apart),
		CASE(test_derived_mac_makes_way),
		CASE(test_assign_is_idempotent),
		CASE(test_shared_things_are_refused),
		CASE(test_what_options_set_is_checked),
		CASE(test_full_house_is_fast),
		CASE(test_siphash_vectors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config_assign", tests, NULL, NULL);
}
