/* SPDX-License-Identifier: ISC */
/* The configuration file: what it sets, and every error it can have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/config/config.h"
#include "supervisor/config/config_file.h"

#define EXAMPLE_FILE "docs/vmsup.conf.example"

/* Reads length bytes; what was said about them is the caller's. */
static int read_bytes(struct config *config, const char *bytes, size_t length,
		      char **said)
{
	size_t said_length;
	FILE *errors = open_memstream(said, &said_length);
	FILE *file = tmpfile();
	int result;

	assert_non_null(errors);
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	rewind(file);
	config_init(config);
	result = config_read(config, file, "f", errors);
	fclose(file);
	fclose(errors);
	return result;
}

static void read_good(struct config *config, const char *text)
{
	cleanup_free char *said = NULL;
	int result = read_bytes(config, text, strlen(text), &said);

	assert_string_equal(said, "");
	assert_int_equal(result, 0);
}

static void test_empty_file_changes_nothing(void **state)
{
	struct config config, defaults;

	(void)state;
	config_init(&defaults);
	read_good(&config, "");
	assert_memory_equal(&config, &defaults, sizeof(config));
	read_good(&config, "# nothing\nvms = ( );\nbridge = { };");
	assert_memory_equal(&config, &defaults, sizeof(config));
}

static void test_bridge_and_the_like(void **state)
{
	struct config config;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	read_good(
		&config,
		"bridge = { name = \"br-x.1\"; address = \"192.168.4.1/24\";\n"
		"address6 = \"fd00:1::1/48\"; mtu = 65521; };\n"
		"tap_prefix = \"abcdefghijk\"; log_level = \"debug\";\n"
		"uids = { first = 4000000000; count = 0x10; };\n");
	assert_string_equal(config.bridge, "br-x.1");
	assert_string_equal(
		inet_ntop(AF_INET, &config.bridge_ipv4, text, sizeof(text)),
		"192.168.4.1");
	assert_int_equal(config.bridge_ipv4_prefix, 24);
	assert_true(config.has_bridge_ipv6);
	assert_string_equal(
		inet_ntop(AF_INET6, &config.bridge_ipv6, text, sizeof(text)),
		"fd00:1::1");
	assert_int_equal(config.bridge_ipv6_prefix, 48);
	assert_int_equal(config.mtu, 65521);
	assert_string_equal(config.tap_prefix, "abcdefghijk");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config.uid_first, 4000000000);
	assert_int_equal(config.uid_count, 16);
}

static void test_guard(void **state)
{
	struct config config;

	(void)state;
	read_good(&config, "vms = ( { name = \"a\"; } );\n");
	assert_int_equal(config.guard, GUARD_POLICY_ON);
	assert_int_equal(config.vms[0].allow, 0);
	assert_int_equal(config.vms[0].broadcast_rate, 1000);
	config_uninit(&config);
	read_good(&config,
		  "guard = \"required\";\n"
		  "defaults = { allow = ( \"ra\" ); broadcast_rate = 0; };\n"
		  "vms = ( { name = \"a\"; }, { name = \"b\"; allow = (); },\n"
		  "{ name = \"c\"; broadcast_rate = 5;\n"
		  "allow = [ \"dhcp-server\", \"mld-query\", \"redirect\", "
		  "\"dhcp-server\" ]; } );\n");
	assert_int_equal(config.guard, GUARD_POLICY_REQUIRED);
	assert_int_equal(config.vms[0].allow, 1 << ALLOW_RA);
	assert_int_equal(config.vms[0].broadcast_rate, 0);
	assert_int_equal(config.vms[1].allow, 0);
	assert_int_equal(config.vms[2].allow, 1 << ALLOW_DHCP_SERVER |
						      1 << ALLOW_MLD_QUERY |
						      1 << ALLOW_REDIRECT);
	assert_int_equal(config.vms[2].broadcast_rate, 5);
	config_uninit(&config);
}

static void test_vm_over_defaults(void **state)
{
	struct config config;
	const struct vm_config *vm;

	(void)state;
	/* the order in the file doesn't matter */
	read_good(
		&config,
		"vms = ( { name = \"a\"; restart = { jitter = 0; };\n"
		"core_scheduling = true; },\n"
		"{ tap = \"x\"; name = \"b\"; mac = \"02:00:00:00:00:01\";\n"
		"address = \"10.1.0.9\"; address6 = \"fd00::2/64\";\n"
		"limits = { memory = 68719476736; cpu = 0; };\n"
		"timeouts = { start = \"1.5m\"; abort = 0; watchdog = 1e1; };\n"
		"autostart = true; },\n"
		"{ name = \"c\"; limits = { memory = 0; }; } );\n"
		"defaults = { restart = { jitter = 5; steady = 0.25; };\n"
		"limits = { memory = \"1G\"; cpu = 150; cpu_weight = 50; };\n"
		"autostart = false; };\n"
		"bridge = { address = \"10.1.0.1/24\"; };\n");
	assert_int_equal(config.vm_count, 3);
	assert_true(config.vms[2].limits.memory_bytes == VM_LIMIT_NONE);
	vm = &config.vms[0];
	assert_string_equal(vm->name, "a");
	assert_false(vm->autostart);
	assert_int_equal(vm->restart.jitter_percent, 0);
	assert_int_equal(vm->restart.steady_ms, 250);
	assert_int_equal(vm->restart.delay_max_ms, 30000);
	assert_int_equal(vm->limits.memory_bytes, 1 << 30);
	assert_int_equal(vm->limits.cpu_percent, 150);
	assert_int_equal(vm->limits.cpu_weight, 50);
	assert_true(vm->core_scheduling);
	assert_false(vm->has_mac || vm->has_ipv4 || vm->has_ipv6);
	vm = &config.vms[1];
	assert_string_equal(vm->name, "b");
	assert_string_equal(vm->tap, "x");
	assert_true(vm->autostart);
	assert_true(vm->has_mac && vm->has_ipv4 && vm->has_ipv6);
	assert_int_equal(vm->restart.jitter_percent, 5);
	assert_true(vm->limits.memory_bytes == UINT64_C(64) << 30);
	assert_int_equal(vm->limits.cpu_percent, 0);
	assert_false(vm->core_scheduling);
	assert_int_equal(vm->timeouts.start_ms, 90000);
	assert_int_equal(vm->timeouts.abort_ms, 0);
	assert_int_equal(vm->timeouts.watchdog_ms, 10000);
	config_uninit(&config);
}

/* One thing wrong each, and the beginning of all that is said about it. */
static const struct {
	const char *text, *said;
} errors[] = {
	/* syntax */
	{ "bridge = {\n mtu = ;\n};", "f:2: syntax error (" },
	{ "\n\ntap_prefix = \"x",
	  "f:3: a string without an end (add a quote)" },
	{ "log_level = \"info\";\nlog_level = \"info\";",
	  "f:2: a setting given twice (" },
	{ "\n@include \"/etc/passwd\"\n", "f:2: @include isn't allowed" },
	{ "vms = (\n\t @include \"x\"\n);", "f:2: @include isn't allowed" },
	{ "bridge = 1;\n/*/", "f:2: a comment without an end" },
	{ "\n/* no end\n*", "f:2: a comment without an end (add */)" },
	{ "a = 0x10000000000000001;", "f:1: a number too large (write" },
	{ "bridge = {\na={b={c={d={e={f={g={h=1;}}}}}}}};",
	  "f:2: nested too deeply (" },
	/* unknown */
	{ "brige = { };", "f:1: brige: no such setting (known here: bridge, "
			  "tap_prefix, mac_domain, uids, log_level, guard, "
			  "defaults, vms)\n" },
	{ "guard = \"yes\";", "f:1: guard can't be \"yes\" (write \"on\" or "
			      "\"off\" or \"required\")\n" },
	{ "defaults = { allow = \"ra\"; };",
	  "f:1: defaults.allow is a string (write a list of some of \"ra\", "
	  "\"redirect\", \"mld-query\", \"dhcp-server\", as in ( \"ra\" "
	  "))\n" },
	{ "defaults = { allow = ( \"ra\", \"dhcp\" ); };",
	  "f:1: defaults.allow can't be \"dhcp\" (write a list of some of "
	  "\"ra\", \"redirect\", \"mld-query\", \"dhcp-server\", as in ( "
	  "\"ra\" ))\n" },
	{ "defaults = { allow = ( 1 ); };",
	  "f:1: defaults.allow can't be 1 (write a list of some of \"ra\", "
	  "\"redirect\", \"mld-query\", \"dhcp-server\", as in ( \"ra\" "
	  "))\n" },
	{ "defaults = { broadcast_rate = -1; };",
	  "f:1: defaults.broadcast_rate can't be -1 (write a whole number from "
	  "0 to 10000000)\n" },
	{ "bridge = {\n adress = 1; };",
	  "f:2: bridge.adress: no such setting (known here: name, address, "
	  "address6, mtu)\n" },
	{ "defaults = { mac = 1; };", "f:1: defaults.mac: no such setting" },
	{ "vms = ( { name = \"a\";\nrestart = { x = 1; }; } );",
	  "f:2: VM a: restart.x: no such setting" },
	/* types */
	{ "bridge = 1;", "f:1: bridge is a whole number (write a group" },
	{ "vms = { };", "f:1: vms is a group (write a list of groups" },
	{ "vms = [ 1 ];", "f:1: vms is an array (write a list" },
	{ "vms = ( 1 );", "f:1: VM number 1: a whole number (write a group" },
	{ "bridge = { mtu = \"1500\"; };",
	  "f:1: bridge.mtu is a string (write a whole number from 68 to" },
	{ "bridge = { mtu = 1500.0; };", "f:1: bridge.mtu is a number (write" },
	{ "bridge = { name = 1; };", "f:1: bridge.name is a whole number" },
	{ "bridge = { address = 10; };", "f:1: bridge.address is a whole" },
	{ "log_level = 1;", "f:1: log_level is a whole number (write \"error\" "
			    "or \"warning\" or \"info\" or \"debug\")\n" },
	{ "defaults = { autostart = \"yes\"; };",
	  "f:1: defaults.autostart is a string (write true or false)\n" },
	{ "defaults = { limits = { memory = 1.5; }; };",
	  "f:1: defaults.limits.memory is a number (write bytes" },
	{ "defaults = { timeouts = { start = true; }; };",
	  "f:1: defaults.timeouts.start is true or false (write seconds" },
	{ "vms = ( { name = 1; } );", "f:1: VM number 1: name is a whole" },
	{ "vms = ( { } );", "f:1: VM number 1: it has no name (add one" },
	/* ranges */
	{ "bridge = { mtu = 67; };", "f:1: bridge.mtu can't be 67 (write" },
	{ "bridge = { mtu = 65522; };", "f:1: bridge.mtu can't be 65522 (" },
	{ "bridge = { mtu = 4294968796; };",
	  "f:1: bridge.mtu can't be 429496" },
	{ "bridge = { mtu = -1; };", "f:1: bridge.mtu can't be -1 (write" },
	{ "bridge = { mtu = 99999999999999999999; };",
	  "f:1: bridge.mtu can't be 9223372036854775807 (write" },
	{ "bridge = { address6 = \"fd77::1/64\"; mtu = 1279; };",
	  "f:1: bridge.mtu: 1279 is too small for the IPv6 addresses" },
	{ "defaults = { restart = { jitter = 101; }; };",
	  "f:1: defaults.restart.jitter can't be 101 (write a whole number "
	  "from 0 to 100)\n" },
	{ "defaults = { restart = { crash_deaths = 101; }; };",
	  "f:1: defaults.restart.crash_deaths can't be 101 (" },
	{ "defaults = { restart = { delay_min = 0; }; };",
	  "f:1: defaults.restart.delay_min can't be 0 (write seconds, as in "
	  "1.5, or \"100ms\", \"30s\", \"2m\", \"1h\"; from 1ms to 24h)\n" },
	{ "defaults = { timeouts = { start = -1; }; };",
	  "f:1: defaults.timeo" },
	{ "defaults = { timeouts = { start = 1e300; }; };",
	  "f:1: defaults.tim" },
	{ "defaults = { timeouts = { start = 1e999; }; };",
	  "f:1: defaults.tim" },
	{ "defaults = { timeouts = { start = \"10\"; }; };",
	  "f:1: defaults.timeouts.start can't be \"10\" (write" },
	{ "defaults = { timeouts = { start = \"2h\"; }; };",
	  "f:1: defaults.timeouts.start can't be \"2h\" (write" },
	{ "defaults = { limits = { memory = 64; }; };",
	  "f:1: defaults.limits.memory can't be 64 (write bytes" },
	{ "defaults = { limits = { memory = \"64m\"; }; };",
	  "f:1: defaults.limits.memory can't be \"64m\" (write bytes" },
	{ "defaults = { limits = { memory = -1; }; };",
	  "f:1: defaults.limits.memory can't be -1 (write" },
	{ "defaults = { limits = { cpu_weight = 0; }; };",
	  "f:1: defaults.limits.cpu_weight can't be 0 (write a whole number "
	  "from 1 to 10000)" },
	{ "defaults = { core_scheduling = 1; };",
	  "f:1: defaults.core_scheduling is a whole number (write "
	  "true or false)" },
	{ "defaults = { limits = { cpu = 102401; }; };",
	  "f:1: defaults.limits.cpu can't be 102401 (write" },
	{ "log_level = \"loud\";", "f:1: log_level can't be \"loud\" (write" },
	{ "vms = ( { name = \"a\"; guest = \"xen\"; } );",
	  "f:1: VM a: guest can't be \"xen\" (write \"builtin\" or "
	  "\"kvm\")\n" },
	/* names */
	{ "bridge = { name = \"\"; };", "f:1: bridge.name can't be \"\" (" },
	{ "bridge = { name = \"a/b\"; };", "f:1: bridge.name can't be" },
	{ "bridge = { name = \"..\"; };", "f:1: bridge.name can't be" },
	{ "bridge = { name = \"br%d\"; };", "f:1: bridge.name can't be" },
	{ "bridge = { name = \"all\"; };", "f:1: bridge.name can't be" },
	{ "bridge = { name = \"a234567890123456\"; };",
	  "f:1: bridge.name can" },
	{ "tap_prefix = \"abcdefghijkl\";", "f:1: tap_prefix can't be" },
	{ "vms = ( { name = \"Web\"; } );", "f:1: VM number 1: name can't be" },
	{ "vms = ( { name = \"a\\x1b[31m\"; } );",
	  "f:1: VM number 1: name can't be \"a?[31m\" (write" },
	/* addresses */
	{ "bridge = { address = \"10.77.0.1\"; };",
	  "f:1: bridge.address: \"10.77.0.1\" isn't an IPv4 address with" },
	{ "bridge = { address = \"10.77.0.0/16\"; };",
	  "f:1: bridge.address: that is the subnet's own address (" },
	{ "bridge = { address = \"10.77.255.255/16\"; };",
	  "f:1: bridge.address: that is the subnet's broadcast address (" },
	{ "bridge = { address = \"10.77.0.1/31\"; };",
	  "f:1: bridge.address: prefix length 31 is out of range (" },
	{ "bridge = { address = \"10.77.0.1/7\"; };",
	  "f:1: bridge.address: prefix length 7 is out of range (" },
	{ "bridge = { address = \"127.0.0.1/8\"; };",
	  "f:1: bridge.address: no host can have this address (" },
	{ "bridge = { address = \"224.0.0.1/8\"; };",
	  "f:1: bridge.address: no host can have this address (" },
	{ "bridge = { address6 = \"fd77::1\"; };",
	  "f:1: bridge.address6: \"fd77::1\" isn't an IPv6 address with" },
	{ "bridge = { address6 = \"fd77::/64\"; };",
	  "f:1: bridge.address6: that is the subnet's own address (" },
	{ "bridge = { address6 = \"ff02::1/64\"; };",
	  "f:1: bridge.address6: that is a multicast address (" },
	{ "vms = ( { name = \"a\"; address = \"10.77.0.1\"; } );",
	  "f:1: VM a: address: 10.77.0.1 is the bridge's own (choose" },
	{ "vms = ( { name = \"a\"; address = \"10.77.255.255\"; } );",
	  "f:1: VM a: address: 10.77.255.255 is the subnet's own or broad" },
	{ "vms = ( { name = \"a\"; address = \"10.78.0.1\"; } );",
	  "f:1: VM a: address: 10.78.0.1 is outside the bridge's subnet (" },
	{ "vms = ( { name = \"a\"; address = \"10.77.0.9/16\"; } );",
	  "f:1: VM a: address: \"10.77.0.9/16\" isn't an IPv4 address (" },
	{ "bridge = { address6 = \"fd77::1/64\"; };\n"
	  "vms = ( { name = \"a\"; address6 = \"fd78::9/64\"; } );",
	  "f:2: VM a: address6: that is outside the bridge's subnet (choose "
	  "another one in the subnet of fd77::1/64" },
	{ "bridge = { address6 = \"fd77::1/64\"; };\n"
	  "vms = ( { name = \"a\"; address6 = \"fd77::9/65\"; } );",
	  "f:2: VM a: address6: that is outside the bridge's subnet (" },
	{ "bridge = { address6 = \"fd77::1/64\"; };\n"
	  "vms = ( { name = \"a\"; address6 = \"fd77::1/64\"; } );",
	  "f:2: VM a: address6: that is the bridge's own (choose" },
	{ "vms = ( { name = \"a\"; mac = \"03:00:00:00:00:01\"; } );",
	  "f:1: VM a: mac: that is a multicast address (make" },
	{ "vms = ( { name = \"a\"; mac = \"x\"; } );",
	  "f:1: VM a: mac: \"x\" isn't a MAC address (write" },
	/* uids */
	{ "uids = { first = 0; };", "f:1: uids.first can't be 0 (write" },
	{ "uids = { count = 0; };", "f:1: uids.count can't be 0 (write" },
	{ "uids = { first = 4294967295; };", "f:1: uids.first can't be 4294" },
	{ "uids = { first = 1000; count = 1; };",
	  "f:1: uids: uids 1000 to 1000 overlap the range of ordinary users" },
	{ "uids = { first = 65535; count = 1; };", "f:1: uids: uids 65535 to" },
	{ "uids = { first = 65536; count = 458753; };",
	  "f:1: uids: uids 65536 to 524288 overlap the range of containers" },
	{ "uids = { first = 1879048191; };", "f:1: uids: uids 1879048191 to" },
	{ "uids = { first = 2147352575; count = 2; };",
	  "f:1: uids: uids 2147" },
	{ "uids = { first = 4294967290; count = 5; };\nbridge = 1;",
	  "f:2: bridge is" },
	{ "uids = { first = 4294967290; count = 6; };",
	  "f:1: uids: uids 4294" },
	{ "uids = { first = 4294967290; count = 7; };",
	  "f:1: uids: 7 uids from 4294967290 on go beyond 4294967295 (" },
	/* between settings */
	{ "defaults = { timeouts = { watchdog = 1; }; };",
	  "f:1: defaults.timeouts.heartbeat of 1000 ms must be less than "
	  "timeouts.watchdog of 1000 ms (raise timeouts.watchdog)\n" },
	{ "vms = ( { name = \"a\"; timeouts = {\nheartbeat = 20; }; } );",
	  "f:2: VM a: timeouts.heartbeat of 20000 ms must be less" },
	{ "defaults = { restart = { delay_min = 31; }; };",
	  "f:1: defaults.restart.delay_min of 31000 ms must be at most" },
	{ "vms = ( { name = \"a\"; },\n{ name = \"a\"; } );",
	  "f:2: VM a: its name is that of VM a in line 1 already (give" },
	{ "vms = ( { name = \"a\"; mac = \"02:00:00:00:00:01\"; },\n"
	  "{ name = \"b\"; mac = \"02:00:00:00:00:01\"; } );",
	  "f:2: VM b: its mac is that of VM a in line 1 already (give" },
	{ "vms = ( { name = \"a\"; address = \"10.77.0.9\"; },\n"
	  "{ name = \"b\"; address = \"10.77.0.9\"; } );",
	  "f:2: VM b: its address is that of VM a in line 1 already (give" },
	{ "vms = ( { name = \"a\"; address6 = \"fd00::1/64\"; },\n"
	  "{ name = \"b\"; address6 = \"fd00:0::1/64\"; } );",
	  "f:2: VM b: its address6 is that of VM a in line 1 already" },
	{ "vms = ( { name = \"a\"; tap = \"vmtap1\"; },\n{ name = \"b\"; } );",
	  "f:2: VM b: its tap is that of VM a in line 1 already (give" },
	{ "vms = ( { name = \"a\"; tap = \"vmsup0\"; } );",
	  "f:1: VM a: its TAP vmsup0 has the bridge's name (choose" },
	{ "uids = { count = 1; };\nvms = ( { name = \"a\"; }, { name = \"b\"; } );",
	  "f:1: 2 VMs are more than the 1 uids they can have (raise" },
	{ "bridge = { address = \"10.0.0.1/30\"; };\n"
	  "vms = ( { name = \"a\"; }, { name = \"b\"; } );",
	  "f:1: 2 VMs are more than the 1 address that 10.0.0.0/30 has" },
};

static void test_each_error_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		cleanup_free char *said = NULL;
		struct config config;
		int result = read_bytes(&config, errors[i].text,
					strlen(errors[i].text), &said);
		const char *newline = strchr(said, '\n');

		config_uninit(&config);
		/* just that line, which gives a remedy */
		if (result != -EINVAL || !newline || newline[1] ||
		    newline == said || newline[-1] != ')' ||
		    strncmp(said, errors[i].said, strlen(errors[i].said)) != 0)
			fail_msg("%s\ngave %d:\n%s\nnot\n%s", errors[i].text,
				 result, said, errors[i].said);
	}
}

static void test_all_errors_come_at_once_by_line(void **state)
{
	static const char text[] =
		"vms = (\n"
		"  { name = \"a\"; address = \"10.9.0.1\"; },\n"
		"  { name = \"a\"; mac = \"zz\"; },\n"
		"  5,\n"
		"  { tap = \"x y\"; name = \"c\"; cpu = 1; }\n"
		");\n"
		"bridge = {\n"
		"  mtu = 10;\n"
		"  address = \"10.77.0.0/16\";\n"
		"};\n"
		"defaults = { timeouts = { start = \"x\"; }; };\n";
	/* 10.9.0.1 isn't measured against a subnet that is wrong itself */
	static const char *const lines[] = {
		"f:3: VM a: mac: ",
		"f:3: VM a: its name is that of VM a in line 2",
		"f:4: VM number 3: a whole number",
		"f:5: VM c: cpu: no such setting",
		"f:5: VM c: tap can't be",
		"f:8: bridge.mtu can't be 10",
		"f:9: bridge.address: ",
		"f:11: defaults.timeouts.start",
	};
	cleanup_free char *said = NULL;
	struct config config;
	const char *line;

	(void)state;
	assert_int_equal(read_bytes(&config, text, strlen(text), &said),
			 -EINVAL);
	config_uninit(&config);
	line = said;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (strncmp(line, lines[i], strlen(lines[i])) != 0)
			fail_msg("expected %s in:\n%s", lines[i], said);
		line = strchr(line, '\n') + 1;
	}
	assert_string_equal(line, "");
}

static void test_too_many_vms(void **state)
{
	cleanup_free char *text = NULL, *said = NULL;
	struct config config;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	fputs("vms = (\n", file);
	for (int i = 0; i < 3000; i++)
		fprintf(file, "%s{ name = \"v%d\"; }\n", i ? "," : "", i);
	fputs(");\n", file);
	fclose(file);
	assert_int_equal(read_bytes(&config, text, length, &said), -EINVAL);
	assert_non_null(strstr(said, "f:1025: too many VMs: a Linux bridge has "
				     "1,023 ports"));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_int_equal(config.vm_count, CONFIG_MAX_VMS);
	config_uninit(&config);
}

/* Also: in no time, although libconfig is slow with such ones. */
static void test_too_many_settings(void **state)
{
	cleanup_free char *text = NULL, *said = NULL;
	struct config config;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	for (int i = 0; i < 300000; i++)
		fprintf(file, "a%d=1\n", i);
	fclose(file);
	assert_int_equal(read_bytes(&config, text, length, &said), -EINVAL);
	assert_string_equal(said, "f:65: too many settings in one group (see "
				  "vmsup.conf(5) for those that it knows)\n");
}

static void test_not_a_text_file(void **state)
{
	cleanup_free char *said = NULL, *directory_said = NULL;
	struct config config;
	size_t length;
	FILE *out, *directory = fopen(".", "r");

	(void)state;
	assert_int_equal(read_bytes(&config, "a\n\0b", 4, &said), -EINVAL);
	assert_string_equal(said, "f:2: a NUL byte: this isn't a text file "
				  "(see vmsup.conf(5))\n");
	out = open_memstream(&directory_said, &length);
	assert_int_equal(config_read(&config, directory, "f", out), -EINVAL);
	fclose(directory);
	fclose(out);
	assert_string_equal(directory_said,
			    "f: cannot be read: Is a directory (name a text "
			    "file)\n");
}

static void test_huge_and_deep(void **state)
{
	static char text[5 << 20];
	const size_t length = sizeof(text);
	cleanup_free char *said = NULL, *deep_said = NULL;
	struct config config;

	(void)state;
	memset(text, ' ', length);
	assert_int_equal(read_bytes(&config, text, length, &said), -EINVAL);
	assert_non_null(strstr(said, "f: too large"));
	memset(text, '(', length);
	memcpy(text, "vms=", 4);
	assert_int_equal(read_bytes(&config, text, 1 << 20, &deep_said),
			 -EINVAL);
	assert_non_null(strstr(deep_said, "f:1: nested too deeply"));
}

/* What libconfig has to be shielded from mustn't touch strings, comments or
 * numbers that aren't integers. */
static void test_strings_and_comments_stay_as_they_are(void **state)
{
	struct config config;

	(void)state;
	read_good(
		&config,
		"/* @include \"x\" 12 */ // 1 @include\n# 2 \" @include\n"
		"defaults = { restart = { steady = +1.5e-1; forget = 2.5E+0;\n"
		"delay_min = .5; jitter = 0X0a; crash_window = 3.; };\n"
		"autostart = FALSE; limits = { memory = 1048576L; }; };\n"
		"vms = ( { name = \"v12\" \"-34\"; /*\"*/ tap = \"t5e3\"; } );"
		"log_level=\"info\"//\"");
	assert_string_equal(config.vms[0].name, "v12-34");
	assert_string_equal(config.vms[0].tap, "t5e3");
	assert_int_equal(config.vms[0].restart.steady_ms, 150);
	assert_int_equal(config.vms[0].restart.forget_ms, 2500);
	assert_int_equal(config.vms[0].restart.delay_min_ms, 500);
	assert_int_equal(config.vms[0].restart.crash_window_ms, 3000);
	assert_int_equal(config.vms[0].restart.jitter_percent, 10);
	assert_int_equal(config.vms[0].limits.memory_bytes, 1 << 20);
	assert_false(config.vms[0].autostart);
	config_uninit(&config);
}

static void test_example_file(void **state)
{
	struct config config, defaults;
	FILE *file = fopen(EXAMPLE_FILE, "r");

	(void)state;
	if (!file) {
		print_message("# no " EXAMPLE_FILE
			      " here (run from the top)\n");
		skip();
	}
	config_init(&config);
	config_init(&defaults);
	assert_int_equal(config_read(&config, file, EXAMPLE_FILE, stderr), 0);
	fclose(file);
	assert_int_equal(config.vm_count, 2);
	assert_string_equal(config.vms[0].name, "web");
	/* it says that it shows the defaults */
	assert_string_equal(config.bridge, defaults.bridge);
	assert_memory_equal(&config.defaults.restart,
			    &defaults.defaults.restart,
			    sizeof(defaults.defaults.restart));
	assert_memory_equal(&config.defaults.timeouts,
			    &defaults.defaults.timeouts,
			    sizeof(defaults.defaults.timeouts));
	assert_int_equal(config.uid_first, defaults.uid_first);
	assert_int_equal(config.uid_count, defaults.uid_count);
	config_uninit(&config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_file_changes_nothing),
		cmocka_unit_test(test_bridge_and_the_like),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_vm_over_defaults),
		cmocka_unit_test(test_each_error_is_told_with_its_line),
		cmocka_unit_test(test_all_errors_come_at_once_by_line),
		cmocka_unit_test(test_too_many_vms),
		cmocka_unit_test(test_too_many_settings),
		cmocka_unit_test(test_not_a_text_file),
		cmocka_unit_test(test_huge_and_deep),
		cmocka_unit_test(test_strings_and_comments_stay_as_they_are),
		cmocka_unit_test(test_example_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config_file", tests, NULL, NULL);
}
