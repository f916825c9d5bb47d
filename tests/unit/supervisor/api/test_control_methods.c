/* SPDX-License-Identifier: ISC */
/* Calls of io.vmsup that are under way during an upgrade in place. */
#include "supervisor/api/methods.h"
#include "supervisor/api/waits.h"
#include "supervisor/control/control_save.h"
#include "supervisor/core.h"
#include "supervisor/life/life.h"
#include "supervisor/life/protocol.h"
#include "supervisor/vm/pings.h"
#include "tests/unit/supervisor/control/control_fixture.h"

static struct supervisor supervisor;
static struct vm vm;
static struct vm *vms[] = { &vm };
static struct channel vmproc; /* the other end */

static struct control_config real_config;
static const struct vm_hooks hooks = {
	.event = vm_event,
	.stats_arrived = waits_stats_arrived,
};

static int set_up_vm(void **state)
{
	int ends[2];

	if (set_up(state) < 0)
		return -1;
	memset(&supervisor, 0, sizeof(supervisor));
	supervisor.host.hooks = &hooks;
	memset(&vm, 0, sizeof(vm));
	real_config = config;
	real_config.methods = methods;
	real_config.method_count = method_count;
	real_config.ctx = &supervisor;
	test.control->config = &real_config;
	assert_int_equal(channel_pair(ends), 0);
	supervisor.host.vms = vms;
	supervisor.host.vm_count = 1;
	supervisor.control = test.control;
	vm.host = &supervisor.host;
	snprintf(vm.config.name, sizeof(vm.config.name), "vm0");
	vm.state = VM_RUNNING;
	vm.generation = 1;
	vm.process.pid_fd = vm.tap.fd = vm.process.listener_fd = -1;
	vm.process.channel = (struct channel){ .fd = ends[0],
					       .side = CHANNEL_SUPERVISOR,
					       .generation = 1 };
	vm.process.channel_source =
		(struct source){ .fd = ends[0], .ctx = &vm };
	vmproc = (struct channel){ .fd = ends[1],
				   .side = CHANNEL_VMPROC,
				   .generation = 1 };
	return 0;
}

static void drop_pings(void)
{
	while (vm.pings) {
		struct vm_ping *ping = vm.pings;

		vm.pings = ping->next;
		free(ping);
	}
	vm.ping_count = 0;
}

static int tear_down_vm(void **state)
{
	int result = 0;

	control_free(test.control);
	test.control = NULL;
	assert_true(LIST_EMPTY(&supervisor.host.events.listeners));
	assert_true(LIST_EMPTY(&supervisor.host.events.followers));
	drop_pings();
	vmlog_uninit(&vm.log.kept);
	fd_close(&vm.process.channel.fd);
	fd_close(&vmproc.fd);
	result = tear_down(state);
	return result;
}

/* Takes over both. */
static void restore_all(json_t *saved, json_t *pings)
{
	drop_pings();
	assert_int_equal(pings_restore(&vm, pings), 0);
	json_decref(pings);
	begin_image(saved, &real_config);
	assert_int_equal(control_restore(test.control, saved), 0);
	json_decref(saved);
}

static void upgrade_all(void)
{
	json_t *pings = pings_save(&vm);

	assert_non_null(pings);
	restore_all(end_image(), pings);
}

/* Nothing is left of the calls that were under way, but a new one is served. */
static void is_free_again(struct peer *peer)
{
	peer_call(peer, "io.vmsup.Deaths",
		  ",\"parameters\":{\"name\":\"vm0\"}");
	json_decref(peer_next(peer));
	expect_silence(peer);
}

/* ---- streams */

/* The next message of a stream holds one entry of list, in which key is text,
 * after so many that were lost. */
static void expect_entry(struct peer *peer, const char *list, const char *key,
			 const char *text, int lost)
{
	json_t *message = peer_next(peer);
	const json_t *entries = get(message, list), *entry;

	assert_non_null(message);
	assert_true(json_is_true(json_object_get(message, "continues")));
	assert_int_equal(json_array_size(entries), 1);
	entry = json_array_get(entries, 0);
	assert_string_equal(json_string_value(json_object_get(entry, key)),
			    text);
	assert_int_equal(
		json_integer_value(strcmp(list, "events") == 0
					   ? json_object_get(entry, "lost")
					   : get(message, "dropped")),
		lost);
	json_decref(message);
}

static void expect_count(struct peer *peer, const char *list, size_t count)
{
	json_t *message = peer_next(peer);

	assert_int_equal(json_array_size(get(message, list)), count);
	json_decref(message);
}

static void events_go_on(void **state)
{
	struct peer peer = peer_connect(), past = peer_connect();

	(void)state;
	events_add(&supervisor.host.events, &vm, "defined", NULL);
	peer_call(&peer, "io.vmsup.Events", ",\"more\":true");
	expect_count(&peer, "events", 0);
	peer_call(&past, "io.vmsup.Events",
		  ",\"more\":true,\"parameters\":{\"past\":true}");
	expect_count(&past, "events", 1);
	events_add(&supervisor.host.events, &vm, "running", NULL);
	expect_entry(&peer, "events", "event", "running", 0);
	expect_entry(&past, "events", "event", "running", 0);
	/* one that is on its way, and one in the new image */
	events_add(&supervisor.host.events, &vm, "paused", NULL);
	upgrade_all();
	events_add(&supervisor.host.events, &vm, "resumed", NULL);
	for (struct peer *each = &peer;; each = &past) {
		expect_entry(each, "events", "event", "paused", 0);
		expect_entry(each, "events", "event", "resumed", 0);
		expect_silence(each);
		if (each == &past)
			break;
	}
	peer_close(&peer);
	peer_close(&past);
}

static void set_lost(struct call_list *list, uint64_t lost)
{
	((struct listener *)LIST_FIRST(list))->lost = lost;
}

static void lost_events_are_still_told_of(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	peer_call(&peer, "io.vmsup.Events", ",\"more\":true");
	expect_count(&peer, "events", 0);
	set_lost(&supervisor.host.events.listeners, 7);
	upgrade_all();
	upgrade_all();
	expect_silence(&peer);
	events_add(&supervisor.host.events, &vm, "died", "SIGKILL");
	expect_entry(&peer, "events", "event", "died", 7);
	events_add(&supervisor.host.events, &vm, "running", NULL);
	expect_entry(&peer, "events", "event", "running", 0);
	peer_close(&peer);
}

static void streams_end_as_ever(void **state)
{
	struct peer peer = peer_connect();
	json_t *message;

	(void)state;
	peer_call(&peer, "io.vmsup.Events", ",\"more\":true");
	expect_count(&peer, "events", 0);
	upgrade_all();
	events_end(&supervisor.host.events);
	message = peer_next(&peer);
	assert_null(json_object_get(message, "continues"));
	assert_int_equal(json_array_size(get(message, "events")), 0);
	json_decref(message);
	is_free_again(&peer);
	peer_close(&peer);
}

static void logs_go_on(void **state)
{
	struct peer peer = peer_connect();

	(void)state;
	vm_log(&vm, LOG_LEVEL_INFO, "one");
	vm_log(&vm, LOG_LEVEL_INFO, "two");
	peer_call(&peer, "io.vmsup.Logs",
		  ",\"more\":true,"
		  "\"parameters\":{\"name\":\"vm0\",\"follow\":true}");
	expect_count(&peer, "lines", 2);
	upgrade_all();
	expect_silence(&peer);
	vm_log(&vm, LOG_LEVEL_INFO, "three");
	expect_entry(&peer, "lines", "text", "three", 0);
	set_lost(&supervisor.host.events.followers, 3);
	upgrade_all();
	vm_log(&vm, LOG_LEVEL_INFO, "four");
	expect_entry(&peer, "lines", "text", "four", 3);
	peer_close(&peer);
	wait_for_clients(0);
}

/* Its file may have lost it. */
static void logs_of_a_vm_that_is_gone_end(void **state)
{
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	peer_call(&peer, "io.vmsup.Logs",
		  ",\"more\":true,"
		  "\"parameters\":{\"name\":\"vm0\",\"follow\":true}");
	expect_count(&peer, "lines", 0);
	saved = end_image();
	supervisor.host.vm_count = 0;
	restore_all(saved, json_array());
	expect_error(&peer, "io.vmsup.NoSuchVm", "name", "vm0");
	expect_silence(&peer);
	peer_close(&peer);
}

static void a_stream_without_its_count_goes_on(void **state)
{
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	peer_call(&peer, "io.vmsup.Events", ",\"more\":true");
	expect_count(&peer, "events", 0);
	saved = end_image();
	json_object_set_new(
		json_array_get(json_object_get(saved, "clients"), 0), "saved",
		json_string("?"));
	restore_all(saved, json_array());
	events_add(&supervisor.host.events, &vm, "died", NULL);
	expect_entry(&peer, "events", "event", "died", 0);
	peer_close(&peer);
}

/* ---- Ping */

static void start_ping(const struct peer *peer)
{
	peer_call(peer, "io.vmsup.Ping",
		  ",\"parameters\":{\"name\":\"vm0\","
		  "\"address\":\"10.77.0.1\"}");
}

/* The next echo that the VM is asked for: its id. */
static uint32_t asked_for_echo(void)
{
	struct channel_fault fault;
	union msg message;
	int fd, result;

	for (int i = 0; i < 100; i++) {
		result = recv(vmproc.fd, &message, 1, MSG_PEEK | MSG_DONTWAIT) <
					 0
				 ? -EAGAIN
				 : channel_receive(&vmproc, &message, &fd,
						   &fault);
		if (result == 1)
			return message.ping.id;
		turn();
	}
	fail_msg("no PING");
	return 0;
}

static void report_echo(uint32_t id)
{
	union msg message = { .ping_result = { .id = id,
					       .status = PING_REPLY,
					       .ttl = 64,
					       .payload_bytes = 56 } };

	assert_int_equal(channel_send(&vmproc, MSG_PING_RESULT, &message, -1),
			 0);
	vm_channel_ready(&vm.process.channel_source, EPOLLIN);
}

static void expect_reply(struct peer *peer)
{
	json_t *message = peer_next(peer);

	assert_string_equal(json_string_value(get(message, "status")), "reply");
	json_decref(message);
}

static void ping_is_answered(void **state)
{
	struct peer peers[3];
	uint32_t ids[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		peers[i] = peer_connect();
		start_ping(&peers[i]);
		ids[i] = asked_for_echo();
	}
	report_echo(ids[1]);
	expect_reply(&peers[1]);
	upgrade_all();
	assert_int_equal(vm.ping_count, 2);
	upgrade_all();
	assert_int_equal(vm.ping_count, 2);
	for (int i = 0; i < 3; i++)
		expect_silence(&peers[i]);
	report_echo(ids[2]);
	expect_reply(&peers[2]);
	expect_silence(&peers[0]);
	report_echo(ids[0]);
	expect_reply(&peers[0]);
	assert_int_equal(vm.ping_count, 0);
	assert_int_equal(vm.process.exit.reason, DEATH_NONE);
	for (int i = 0; i < 3; i++) {
		is_free_again(&peers[i]);
		peer_close(&peers[i]);
	}
}

/* The VM reports on it all the same, and must not be taken for a liar. */
static void ping_without_a_client_is_reported(void **state)
{
	struct peer before = peer_connect(), meanwhile = peer_connect();
	struct peer after = peer_connect();
	uint32_t ids[3];
	json_t *saved, *pings;

	(void)state;
	start_ping(&before);
	ids[0] = asked_for_echo();
	start_ping(&meanwhile);
	ids[1] = asked_for_echo();
	start_ping(&after);
	ids[2] = asked_for_echo();
	peer_close(&before);
	wait_for_clients(2);
	pings = pings_save(&vm);
	saved = end_image();
	/* this one's document is broken */
	json_object_del(json_array_get(json_object_get(saved, "clients"), 0),
			"in");
	restore_all(saved, pings);
	expect_end(&meanwhile);
	peer_close(&meanwhile);
	assert_int_equal(vm.ping_count, 3);
	peer_close(&after);
	wait_for_clients(0);
	for (int i = 0; i < 3; i++)
		report_echo(ids[i]);
	assert_int_equal(vm.process.exit.reason, DEATH_NONE);
	assert_int_equal(vm.ping_count, 0);
}

static void ping_of_a_vm_that_died_fails(void **state)
{
	struct peer peer = peer_connect();
	json_t *saved;

	(void)state;
	start_ping(&peer);
	asked_for_echo();
	saved = end_image();
	restore_all(saved, json_array());
	expect_error(&peer, "io.vmsup.Failed", "message",
		     "the VM process died");
	is_free_again(&peer);
	peer_close(&peer);
}

/* Two clients that claim the same echo: the first has it. */
static void ping_has_one_client(void **state)
{
	struct peer one = peer_connect(), two = peer_connect();
	json_t *saved, *pings, *clients;
	uint32_t id;

	(void)state;
	start_ping(&one);
	id = asked_for_echo();
	start_ping(&two);
	asked_for_echo();
	pings = pings_save(&vm);
	saved = end_image();
	clients = json_object_get(saved, "clients");
	json_object_set_new(json_array_get(clients, 1), "saved",
			    json_integer(id));
	restore_all(saved, pings);
	expect_error(&two, "io.vmsup.Failed", NULL, NULL);
	expect_silence(&one);
	report_echo(id);
	expect_reply(&one);
	peer_close(&one);
	peer_close(&two);
}

#define TEST_VM(name) \
	cmocka_unit_test_setup_teardown(name, set_up_vm, tear_down_vm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_VM(events_go_on),
		TEST_VM(lost_events_are_still_told_of),
		TEST_VM(streams_end_as_ever),
		TEST_VM(logs_go_on),
		TEST_VM(logs_of_a_vm_that_is_gone_end),
		TEST_VM(a_stream_without_its_count_goes_on),
		TEST_VM(ping_is_answered),
		TEST_VM(ping_without_a_client_is_reported),
		TEST_VM(ping_of_a_vm_that_died_fails),
		TEST_VM(ping_has_one_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
