/* SPDX-License-Identifier: ISC */
/* Documents of others: older, newer, damaged. */
#include "tests/unit/supervisor/state/state_fixture.h"
#include "supervisor/state/state_config.h"
#include "supervisor/state/state_events.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/events.h"

/* What version 1 wrote, ' for ". To be added to, never to be changed: programs
 * that are out there wrote it, and read it. */
static const char vm_text[] =
	"{ 'config': {'name': 'web-1', 'mac': '02:00:5e:10:00:ff', "
	"'ipv4': '10.77.3.9', 'ipv6': 'fd77::39', 'ipv6_prefix': 64, "
	"'tap': 'vmtap17', 'guest': 'builtin', 'autostart': true, "
	"'restart': {'enabled': true, 'steady_ms': 1001, "
	"'delay_min_ms': 101, 'delay_max_ms': 30001, 'jitter_percent': 21, "
	"'forget_ms': 60001, 'crash_deaths': 6, 'crash_window_ms': 60002, "
	"'orphan': 'end'}, 'timeouts': {'start_ms': 10001, "
	"'heartbeat_ms': 1002, 'watchdog_ms': 10002, 'abort_ms': 2001, "
	"'stop_guest_ms': 30002, 'stop_process_ms': 5001}, "
	"'limits': {'memory_bytes': 1099511627776, 'cpu_percent': 150, "
	"'cpu_weight': 77}, 'core_scheduling': true, "
	"'allow': 9, 'broadcast_rate': 77}, "
	"'uid': 1900000017, "
	"'state': 'stopping', "
	"'wanted': true, "
	"'stop_step': 'terminated', "
	"'generation': 3, "
	"'restarts': 5, "
	"'backoff': {'quick': 4, 'deaths': {'count': 2, 'last': [7001, "
	"7002]}}, "
	"'deaths': {'count': 1, 'last': [{'reason': 'seccomp', "
	"'asked': false, 'detail': 'SIGSYS openat', 'generation': 2, "
	"'uptime_ns': 1500, 'time': {'sec': 1700000000, "
	"'nsec': 999999999}}]}, "
	"'tap_ifindex': 42, "
	"'tap_mtu': 1500, "
	"'tap_base': {'rx_frames': 1, 'rx_bytes': 2, 'tx_frames': 3, "
	"'tx_bytes': 4, 'rx_dropped': 5, 'tx_dropped': 6, "
	"'tx_foreign': 7}, "
	"'guarded': true, 'guard_seen': {'foreign': 300, 'flood': 301, "
	"'ra': 302, 'redirect': 303, 'mld-query': 304, 'dhcp-server': 305, "
	"'hidden': 306}, "
	"'process': {'pid': 4711, 'pid_started': 123456, "
	"'channel_inode': '0xffffffffffffffff', 'filters': 2, "
	"'digests': {'inherited': "
	"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', "
	"'setup': "
	"'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', "
	"'running': "
	"'cccccccccccccccccccccccccccccccc"
	"cccccccccccccccccccccccccccccccc', "
	"'vcpu': "
	"'dddddddddddddddddddddddddddddddd"
	"dddddddddddddddddddddddddddddddd', "
	"'seal': "
	"'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'}, "
	"'protocol': 2}, "
	"'spawned_ns': 8001, "
	"'running_ns': 8002, "
	"'settled': {'rx_frames': 200, 'rx_bytes': 201, 'tx_frames': 202, "
	"'tx_bytes': 203, 'rx_drop_queue': 204, 'rx_drop_short': 205, "
	"'rx_drop_long': 206, 'rx_drop_foreign': 207, "
	"'rx_drop_ethertype': 208, 'rx_drop_protocol': 209, "
	"'rx_drop_malformed': 210, 'rx_drop_checksum': 211, "
	"'rx_drop_fragment': 212, 'tx_drop_link_down': 213, "
	"'tx_drop_full': 214, 'tx_drop_error': 215, "
	"'tx_drop_unresolved': 216, 'tx_drop_foreign': 217, "
	"'tx_drop_flood': 218, 'tx_drop_ra': 219, 'tx_drop_redirect': 220, "
	"'tx_drop_mld_query': 221, 'tx_drop_dhcp_server': 222, "
	"'tx_drop_hidden': 223}, "
	"'stats': {'rx_frames': 100, 'rx_bytes': 101, 'tx_frames': 102, "
	"'tx_bytes': 103, 'rx_drop_queue': 104, 'rx_drop_short': 105, "
	"'rx_drop_long': 106, 'rx_drop_foreign': 107, "
	"'rx_drop_ethertype': 108, 'rx_drop_protocol': 109, "
	"'rx_drop_malformed': 110, 'rx_drop_checksum': 111, "
	"'rx_drop_fragment': 112, 'tx_drop_link_down': 113, "
	"'tx_drop_full': 114, 'tx_drop_error': 115, "
	"'tx_drop_unresolved': 116, 'tx_drop_foreign': 117, "
	"'tx_drop_flood': 118, 'tx_drop_ra': 119, 'tx_drop_redirect': 120, "
	"'tx_drop_mld_query': 121, 'tx_drop_dhcp_server': 122, "
	"'tx_drop_hidden': 123}, "
	"'timer_due_ns': 9001, "
	"'heartbeat_due_ns': 9002, "
	"'tap_fd': 22, "
	"'pid_fd': 21, "
	"'channel_fd': 23, "
	"'channel_generation': 3, "
	"'listener_fd': 24, "
	"'told_mtu': 1400, "
	"'doom': {'reason': 'watchdog', 'asked': true, "
	"'detail': 'no answer', 'generation': 3, 'uptime_ns': 31, "
	"'time': {'sec': 32, 'nsec': 33}}, "
	"'unanswered_ns': 8003, "
	"'awaiting_stats': true, "
	"'stats_id': '0xfffffffffffffffe', "
	"'adopting': true, "
	"'aborting': true, "
	"'pause_pending': true, "
	"'resume_pending': true, "
	"'channel_ended': true, "
	"'log': {'current': {'count': 1, "
	"'last': [{'time': {'sec': 1700000001, 'nsec': 5}, "
	"'generation': 3, 'level': 'warning', 'text': 'now'}]}, "
	"'previous': {'count': 1, 'last': [{'time': {'sec': 1700000001, "
	"'nsec': 5}, 'generation': 2, 'level': 'error', "
	"'text': 'before'}]}}, "
	"'log_lines': {'refilled_ns': 6001, 'left': 51}, "
	"'log_flood': {'refilled_ns': 6002, 'left': 1001}, "
	"'log_dropped': 61 }";

static const char config_text[] =
	"{ 'bridge': 'vmsup7', "
	"'bridge_ipv4': '10.78.0.1', "
	"'bridge_ipv4_prefix': 20, "
	"'bridge_ipv6': 'fd78::1', "
	"'bridge_ipv6_prefix': 56, "
	"'mtu': 9000, "
	"'tap_prefix': 'seven', "
	"'uid_first': 4000000000, "
	"'uid_count': 4096, "
	"'log_level': 'debug', 'guard': 'required', "
	"'defaults': {'guest': 'builtin', 'autostart': true, "
	"'restart': {'enabled': false, 'steady_ms': 0, 'delay_min_ms': 55, "
	"'delay_max_ms': 66, 'jitter_percent': 0, 'forget_ms': 0, "
	"'crash_deaths': 0, 'crash_window_ms': 77, 'orphan': 'end'}, "
	"'timeouts': {'start_ms': 11, 'heartbeat_ms': 22, "
	"'watchdog_ms': 33, 'abort_ms': 44, 'stop_guest_ms': 55, "
	"'stop_process_ms': 66}, 'limits': {'memory_bytes': 0, "
	"'cpu_percent': 50, 'cpu_weight': 0}, 'core_scheduling': false, "
	"'allow': 4, 'broadcast_rate': 0} }";

typedef int load_fn(const json_t *json, struct problem *problem);

static int load_vm(const json_t *json, struct problem *problem)
{
	struct vm vm;
	int error;

	fixture_preset(&vm);
	error = state_vm_load(&vm, json, problem);
	fixture_uninit(&vm);
	return error;
}

static int load_config(const json_t *json, struct problem *problem)
{
	struct config config;
	int error;

	config_init(&config);
	error = state_config_load(&config, json, problem);
	config_uninit(&config);
	return error;
}

static int load_events(const json_t *json, struct problem *problem)
{
	static struct events events;

	return state_events_load(&events, json, problem);
}

static json_t *parse(const char *quoted)
{
	char *text = strdup(quoted);
	json_t *json;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(json);
	free(text);
	return json;
}

/* ---- names */

/* All that is in old is in new, the same. */
static void assert_within(json_t *old, const json_t *new, const char *key)
{
	json_t *element;
	size_t i;

	if (json_is_array(old) &&
	    json_array_size(old) == json_array_size(new)) {
		json_array_foreach(old, i, element)
			assert_within(element, json_array_get(new, i), key);
		return;
	}
	if (!json_is_object(old) || !json_is_object(new)) {
		if (!json_equal(old, new))
			fail_msg("%s isn't what it was", key);
		return;
	}
	for (void *at = json_object_iter(old); at;
	     at = json_object_iter_next(old, at)) {
		const char *name = json_object_iter_key(at);

		assert_within(json_object_iter_value(at),
			      json_object_get(new, name), name);
	}
}

static void names_are_as_they_were(void **state)
{
	json_t *old = parse(vm_text), *new;
	struct config config;
	struct vm vm;

	(void)state;
	fixture_vm(&vm);
	new = state_vm_save(&vm, STATE_UPGRADE);
	assert_within(old, new, "the VM");
	json_decref(old);
	json_decref(new);
	fixture_config(&config);
	old = parse(config_text);
	new = state_config_save(&config);
	assert_within(old, new, "the configuration");
	json_decref(old);
	json_decref(new);
	fixture_uninit(&vm);
}

/* ---- every place of a document in turn */

struct visit {
	json_t *root;
	load_fn *load;
	const json_t *replacement; /* NULL: taken out */
	unsigned int refused;
};

static bool same_type(const json_t *a, const json_t *b)
{
	return json_typeof(a) == json_typeof(b) ||
	       (json_is_boolean(a) && json_is_boolean(b));
}

/* What is the like of value may be refused, anything else must be. */
static void try_load(struct visit *visit, const json_t *value, const char *key)
{
	struct problem problem = { "" };
	int error = visit->load(visit->root, &problem);

	assert_true(error == 0 || error == -EINVAL);
	assert_int_equal(error != 0, problem.text[0] != '\0');
	if (visit->replacement && !same_type(value, visit->replacement))
		assert_int_equal(error, -EINVAL);
	if (!visit->replacement)
		assert_int_equal(error, 0);
	if (error && !strstr(problem.text, key))
		fail_msg("%s isn't named: %s", key, problem.text);
	visit->refused += error != 0;
}

static void visit_all(struct visit *visit, json_t *json);

static void visit_member(struct visit *visit, json_t *object, const char *key)
{
	json_t *value = json_incref(json_object_get(object, key));

	visit_all(visit, value);
	if (visit->replacement)
		json_object_set_new(object, key,
				    json_deep_copy(visit->replacement));
	else
		json_object_del(object, key);
	try_load(visit, value, key);
	json_object_set_new(object, key, value);
}

static void visit_element(struct visit *visit, json_t *array, size_t i)
{
	json_t *value = json_incref(json_array_get(array, i));

	visit_all(visit, value);
	if (visit->replacement)
		json_array_set_new(array, i,
				   json_deep_copy(visit->replacement));
	else
		json_array_remove(array, i);
	try_load(visit, value, "last[");
	if (visit->replacement)
		json_array_set_new(array, i, value);
	else
		json_array_insert_new(array, i, value);
}

static void visit_all(struct visit *visit, json_t *json)
{
	json_t *copy = json_copy(json);

	for (size_t i = 0; i < json_array_size(copy); i++)
		visit_element(visit, json, i);
	for (void *at = json_object_iter(copy); at;
	     at = json_object_iter_next(copy, at))
		visit_member(visit, json, json_object_iter_key(at));
	json_decref(copy);
}

static const struct {
	const char *text;
	load_fn *load;
} documents[] = {
	{ vm_text, load_vm },
	{ config_text, load_config },
	{ "{'count': 9, 'last': [{'time': {'sec': 1, 'nsec': 2}, 'vm': 'vm0', "
	  "'name': 'died', 'state': 'backoff', 'generation': 3, 'pid': 4, "
	  "'detail': 'SIGKILL'}, {'pid': 7}]}",
	  load_events },
};

/* Everywhere in every document; how often it was refused. */
static unsigned int replace_each(const json_t *replacement)
{
	unsigned int refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		struct visit visit = { .root = parse(documents[i].text),
				       .load = documents[i].load,
				       .replacement = replacement };

		visit_all(&visit, visit.root);
		refused += visit.refused;
		json_decref(visit.root);
	}
	return refused;
}

static void any_field_may_be_absent(void **state)
{
	(void)state;
	assert_int_equal(replace_each(NULL), 0);
}

static void a_wrong_type_is_refused_by_name(void **state)
{
	static const char *const values[] = {
		"null",
		"true",
		"false",
		"0",
		"-2",
		"4e3",
		"9223372036854775807",
		"'x'",
		"''",
		"'0x'",
		"[]",
		"{}",
		"[[]]",
		"[{}]",
		"'vm-0'",
		"'02:00:00:00:00:1g'",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		json_t *replacement = parse(values[i]);

		assert_true(replace_each(replacement) > 0);
		json_decref(replacement);
	}
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const values[] = { "null", "[]", "'x'", "7" };
	struct problem problem;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			json_t *json = parse(values[j]);

			assert_int_equal(documents[i].load(json, &problem),
					 -EINVAL);
			json_decref(json);
		}
		/* what the parser gives for a document that was cut off */
		assert_int_equal(documents[i].load(NULL, &problem), -EINVAL);
	}
	assert_string_equal(problem.text,
			    "state of the events is not an object");
}

/* ---- ages */

static void an_older_document_keeps_what_was_preset(void **state)
{
	json_t *json = parse("{'config': {'name': 'vm0'}, 'state': 'running'}");
	struct problem problem;
	struct config config;
	struct vm vm;

	(void)state;
	config_init(&config);
	fixture_preset(&vm);
	vm.config = config.defaults;
	vm.restarts = 9;
	assert_int_equal(state_vm_load(&vm, json, &problem), 0);
	assert_string_equal(vm.config.name, "vm0");
	assert_int_equal(vm.state, VM_RUNNING);
	assert_int_equal(vm.restarts, 9);
	assert_int_equal(vm.config.timeouts.start_ms, 10000);
	assert_int_equal(vm.config.restart.crash_deaths, 5);
	assert_false(vm.config.has_ipv4);
	assert_int_equal(vm.tap.fd, -1);
	json_decref(json);
	json = json_object();
	assert_int_equal(state_config_load(&config, json, &problem), 0);
	assert_string_equal(config.bridge, "vmsup0");
	json_decref(json);
	config_uninit(&config);
	fixture_uninit(&vm);
}

static void a_newer_document_may_say_more(void **state)
{
	json_t *json = parse("{'colour': 'red', 'config': {'name': 'vm0', "
			     "'restart': {'moon': 1, 'jitter_percent': 7}}, "
			     "'stats': {'rx_frames': 5, 'rx_new': 'x'}, "
			     "'process': {'pid': 5, 'threads': []}, "
			     "'deaths': {'count': 1, 'more': 0, "
			     "'last': [{'core': true, 'generation': 4}]}}");
	struct problem problem;
	struct vm vm;

	(void)state;
	fixture_preset(&vm);
	assert_int_equal(state_vm_load(&vm, json, &problem), 0);
	assert_int_equal(vm.config.restart.jitter_percent, 7);
	assert_int_equal(vm.stats[STAT_RX_FRAMES], 5);
	assert_int_equal(vm.process.pid, 5);
	assert_int_equal(deaths_last(&vm.deaths)->generation, 4);
	json_decref(json);
	fixture_uninit(&vm);
}

/* ---- messages and limits */

static void errors_name_the_field(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "{'config': {'name': 'vm0', 'restart': {'delay_min_ms': 0}}}",
		  "state of vm0: config.restart.delay_min_ms is not a number "
		  "from 1 to 86400000" },
		{ "{'config': {'name': 'vm0'}, 'state': 'asleep'}",
		  "state of vm0: state is not one of stopped, starting, "
		  "running, paused, backoff, failed, stopping" },
		{ "{'config': {'name': 'vm0', 'restart': {'orphan': 'x'}}}",
		  "state of vm0: config.restart.orphan is not one of stay, "
		  "end" },
		{ "{'config': {'name': 'Vm0'}}",
		  "state of a VM: config.name is not a VM's name" },
		{ "{'config': {'name': 'vm0', 'tap': 'a/b'}}",
		  "state of vm0: config.tap is not a link's name" },
		{ "{'config': {'name': 'vm0', 'tap': 'abcdefghijklmnop'}}",
		  "state of vm0: config.tap is not a link's name" },
		{ "{'config': {'name': 'vm0', 'ipv4': '10.0.0'}}",
		  "state of vm0: config.ipv4 is not an IPv4 address" },
		{ "{'config': {'name': 'vm0'}, 'uid': -1}",
		  "state of vm0: uid is not a number from 0 to 4294967294" },
		{ "{'config': {'name': 'vm0'}, 'stats': {'tx_bytes': -1}}",
		  "state of vm0: stats.tx_bytes is not a number from 0 to "
		  "9223372036854775807" },
		{ "{'config': {'name': 'vm0'}, "
		  "'deaths': {'last': [{}, {'reason': 'old age'}]}}",
		  "state of vm0: deaths.last[1].reason is not one of none, "
		  "signal, exit, seccomp, watchdog, protocol, start-timeout, "
		  "lost, poweroff, reboot, panic, crash, "
		  "out-of-memory" },
		{ "{'stats_id': '0x10000000000000000'}",
		  "state of a VM: stats_id is not a text like 0x1f" },
		{ "{'timer_due_ns': 0}",
		  "state of a VM: timer_due_ns is not a number from 1 to "
		  "9223372036854775807" },
		{ "{'tap_fd': -2}",
		  "state of a VM: tap_fd is not a number from -1 to "
		  "2147483647" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *json = parse(cases[i].text);
		struct problem problem = { "" };

		assert_int_equal(load_vm(json, &problem), -EINVAL);
		assert_string_equal(problem.text, cases[i].said);
		json_decref(json);
	}
}

static json_t *many(unsigned int count, const char *key)
{
	json_t *last = json_array();

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(last, key ? json_pack("{s:i}", key, i)
						: json_integer(i));
	return json_pack("{s:i, s:o}", "count", count * 2, "last", last);
}

static void of_more_than_fits_the_last_are_kept(void **state)
{
	static struct events events;
	json_t *json = json_pack("{s:o, s:{s:o}, s:{s:o}}", "deaths",
				 many(1000, "generation"), "backoff", "deaths",
				 many(1000, NULL), "log", "current",
				 many(1000, "generation"));
	struct problem problem;
	struct vm vm;

	(void)state;
	fixture_preset(&vm);
	assert_int_equal(state_vm_load(&vm, json, &problem), 0);
	assert_int_equal(vm.deaths.count, 2000);
	assert_int_equal(deaths_kept(&vm.deaths), DEATHS_KEPT);
	assert_int_equal(deaths_at(&vm.deaths, 0)->generation, 900);
	assert_int_equal(deaths_last(&vm.deaths)->generation, 999);
	assert_int_equal(vm.backoff.deaths, 2000);
	assert_int_equal(vm.backoff.death_ns[0], 900);
	assert_int_equal(vm.log.kept.current.count, 2000);
	assert_int_equal(vmlog_at(&vm.log.kept.current, 0)->generation, 936);
	assert_int_equal(vmlog_at(&vm.log.kept.current, 63)->generation, 999);
	json_decref(json);
	fixture_uninit(&vm);
	json = many(5000, "generation");
	assert_int_equal(state_events_load(&events, json, &problem), 0);
	assert_int_equal(events.count, 10000);
	assert_int_equal(events.ring[9999 % EVENTS_KEPT].generation, 4999);
	json_decref(json);
}

static void a_count_without_entries_counts_nothing(void **state)
{
	json_t *json = parse("{'deaths': {'count': 50, 'last': [{}]}, "
			     "'backoff': {'deaths': {'count': 50}}, "
			     "'log': {'current': {'count': 50}}}");
	struct problem problem;
	struct vm vm;

	(void)state;
	fixture_preset(&vm);
	assert_int_equal(state_vm_load(&vm, json, &problem), 0);
	assert_int_equal(vm.deaths.count, 1);
	assert_int_equal(vm.backoff.deaths, 0);
	assert_int_equal(vm.log.kept.current.count, 50);
	assert_null(vmlog_at(&vm.log.kept.current, 63));
	json_decref(json);
	fixture_uninit(&vm);
}

static void a_second_load_replaces_the_first(void **state)
{
	json_t *json = parse(vm_text);
	struct problem problem;
	struct vm vm;

	(void)state;
	fixture_vm(&vm);
	assert_int_equal(state_vm_load(&vm, json, &problem), 0);
	assert_int_equal(vm.deaths.count, 1);
	assert_int_equal(vm.log.kept.current.count, 1);
	json_decref(json);
	fixture_uninit(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_as_they_were),
		cmocka_unit_test(any_field_may_be_absent),
		cmocka_unit_test(a_wrong_type_is_refused_by_name),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(an_older_document_keeps_what_was_preset),
		cmocka_unit_test(a_newer_document_may_say_more),
		cmocka_unit_test(errors_name_the_field),
		cmocka_unit_test(of_more_than_fits_the_last_are_kept),
		cmocka_unit_test(a_count_without_entries_counts_nothing),
		cmocka_unit_test(a_second_load_replaces_the_first),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
