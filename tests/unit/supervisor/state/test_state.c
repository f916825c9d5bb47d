/* SPDX-License-Identifier: ISC */
/* What is saved comes back: all of it, in order, and no more than is kept. */
#include "supervisor/vm/events.h"
#include "supervisor/state/state_config.h"
#include "supervisor/state/state_events.h"
#include "supervisor/state/state_machine.h"
#include "supervisor/state/state_vm.h"
#include "tests/unit/supervisor/state/state_fixture.h"

#include "supervisor/config/config_settings.h"

/* Through text, as in a file. */
static json_t *through_text(json_t *json)
{
	char *text = json_dumps(json, 0);
	json_t *read = json_loads(text, 0, NULL);

	assert_non_null(read);
	json_decref(json);
	free(text);
	return read;
}

static void reload_vm(const struct vm *vm, enum state_extent extent,
		      struct vm *loaded)
{
	json_t *json = through_text(state_vm_save(vm, extent));
	struct problem problem = { "" };

	fixture_preset(loaded);
	if (state_vm_load(loaded, json, &problem))
		fail_msg("%s", problem.text);
	json_decref(json);
}

static void assert_same_lines(const struct vmlog_part *a,
			      const struct vmlog_part *b)
{
	json_t *lines_a = vmlog_json(a), *lines_b = vmlog_json(b);

	assert_true(json_equal(lines_a, lines_b));
	assert_int_equal(a->count, b->count);
	json_decref(lines_a);
	json_decref(lines_b);
}

static void assert_same_deaths(const struct deaths *a, const struct deaths *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(deaths_kept(a), deaths_kept(b));
	for (uint32_t i = 0; i < deaths_kept(a); i++)
		assert_memory_equal(deaths_at(a, i), deaths_at(b, i),
				    sizeof(struct death));
}

/* Everything else, byte by byte: so that no field is forgotten. */
static void assert_same_rest(const struct vm *a, const struct vm *b)
{
	struct vm copies[2];

	memcpy(&copies[0], a, sizeof(*a));
	memcpy(&copies[1], b, sizeof(*b));
	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		memset(&copies[i].deaths, 0, sizeof(copies[i].deaths));
		memset(&copies[i].log.kept, 0, sizeof(copies[i].log.kept));
		copies[i].timer.armed = false;
		copies[i].heartbeat.timer.armed = false;
	}
	assert_memory_equal(&copies[0], &copies[1], sizeof(copies[0]));
}

static void a_vm_comes_back_after_an_upgrade(void **state)
{
	struct vm vm, loaded;

	(void)state;
	fixture_vm(&vm);
	reload_vm(&vm, STATE_UPGRADE, &loaded);
	assert_same_lines(&vm.log.kept.current, &loaded.log.kept.current);
	assert_same_lines(&vm.log.kept.previous, &loaded.log.kept.previous);
	assert_same_deaths(&vm.deaths, &loaded.deaths);
	assert_same_rest(&vm, &loaded);
	assert_false(loaded.timer.armed);
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void a_vm_comes_back_after_a_crash(void **state)
{
	struct vm vm, loaded;

	(void)state;
	fixture_vm(&vm);
	reload_vm(&vm, STATE_CRASH, &loaded);
	assert_memory_equal(&vm.config, &loaded.config, sizeof(vm.config));
	assert_memory_equal(vm.settled, loaded.settled, sizeof(vm.settled));
	assert_same_deaths(&vm.deaths, &loaded.deaths);
	assert_int_equal(loaded.process.pid, vm.process.pid);
	assert_true(loaded.process.channel_inode == vm.process.channel_inode);
	/* what the process that saved it took with it */
	assert_int_equal(loaded.process.pid_fd, -1);
	assert_int_equal(loaded.tap.fd, -1);
	assert_int_equal(loaded.process.channel.fd, -1);
	assert_int_equal(loaded.process.listener_fd, -1);
	assert_int_equal(loaded.timer.due_ns, 0);
	assert_int_equal(loaded.heartbeat.timer.due_ns, 0);
	assert_int_equal(loaded.process.exit.reason, DEATH_NONE);
	assert_null(loaded.log.kept.current.lines);
	assert_false(loaded.process.adopting);
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void no_process_and_no_timer_are_told_apart(void **state)
{
	struct vm vm, loaded;

	(void)state;
	fixture_vm(&vm);
	vm.process.pid_fd = -1;
	vm.timer.armed = vm.heartbeat.timer.armed = false;
	vm.config.has_ipv6 = false;
	reload_vm(&vm, STATE_UPGRADE, &loaded);
	assert_int_equal(loaded.process.pid, 0);
	assert_int_equal(loaded.process.channel_inode, 0);
	assert_int_equal(loaded.timer.due_ns, 0);
	assert_int_equal(loaded.heartbeat.timer.due_ns, 0);
	assert_false(loaded.config.has_ipv6);
	assert_true(loaded.config.has_ipv4 && loaded.config.has_mac);
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void a_configuration_comes_back(void **state)
{
	struct config config, loaded = { 0 };
	struct vm_config vm, loaded_vm = { 0 };
	struct problem problem;
	json_t *json;

	(void)state;
	fixture_config(&config);
	json = through_text(state_config_save(&config));
	assert_int_equal(state_config_load(&loaded, json, &problem), 0);
	assert_memory_equal(&config, &loaded, sizeof(config));
	json_decref(json);
	fixture_vm_config(&vm);
	json = through_text(state_vm_config_save(&vm));
	assert_int_equal(state_vm_config_load(&loaded_vm, json, &problem), 0);
	assert_memory_equal(&vm, &loaded_vm, sizeof(vm));
	json_decref(json);
}

/* ---- rings: full and overfull */

static void full_rings_keep_order_and_count(void **state)
{
	struct death death = { .reason = DEATH_EXIT };
	struct vm vm, loaded;

	(void)state;
	fixture_preset(&vm);
	fixture_vm_config(&vm.config);
	vm.uid = 1;
	for (uint64_t i = 0; i < 250; i++) {
		const struct timespec time = { (time_t)i, 1 };
		char text[16];

		snprintf(text, sizeof(text), "line %d", (int)i);
		vmlog_put(&vm.log.kept.current, &time, VMLOG_SUPERVISOR,
			  LOG_LEVEL_INFO, i, text);
		death.generation = i;
		deaths_add(&vm.deaths, &death);
		vm.backoff.death_ns[vm.backoff.deaths++ % BACKOFF_MAX_DEATHS] =
			i;
	}
	reload_vm(&vm, STATE_UPGRADE, &loaded);
	assert_same_lines(&vm.log.kept.current, &loaded.log.kept.current);
	assert_same_deaths(&vm.deaths, &loaded.deaths);
	assert_memory_equal(&vm.backoff, &loaded.backoff, sizeof(vm.backoff));
	/* and they go on */
	death.generation = 250;
	deaths_add(&vm.deaths, &death);
	deaths_add(&loaded.deaths, &death);
	vmlog_add(&loaded.log.kept, VMLOG_SUPERVISOR, LOG_LEVEL_INFO, 250,
		  "line 250");
	assert_same_deaths(&vm.deaths, &loaded.deaths);
	assert_int_equal(deaths_at(&loaded.deaths, 0)->generation, 151);
	assert_string_equal(vmlog_at(&loaded.log.kept.current, 0)->text,
			    "line 187");
	assert_string_equal(vmlog_at(&loaded.log.kept.current, 63)->text,
			    "line 250");
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void a_half_full_ring_of_deaths_still_grows(void **state)
{
	struct death death = { .reason = DEATH_EXIT };
	struct vm vm, loaded;

	(void)state;
	fixture_preset(&vm);
	fixture_vm_config(&vm.config);
	vm.uid = 1;
	for (uint64_t i = 0; i < 3; i++) {
		death.generation = i;
		deaths_add(&vm.deaths, &death);
	}
	reload_vm(&vm, STATE_CRASH, &loaded);
	for (uint64_t i = 3; i < 203; i++) {
		death.generation = i;
		deaths_add(&vm.deaths, &death);
		deaths_add(&loaded.deaths, &death);
		assert_same_deaths(&vm.deaths, &loaded.deaths);
	}
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void events_come_back(void **state)
{
	static struct events events, loaded;
	struct problem problem;
	json_t *json;

	(void)state;
	for (unsigned int i = 0; i < EVENTS_KEPT + 10; i++) {
		struct event *event =
			&events.ring[events.count++ % EVENTS_KEPT];

		*event = (struct event){ .time = { i, 7 },
					 .vm = "web-1",
					 .name = "died",
					 .state = VM_BACKOFF,
					 .generation = i,
					 .pid = (pid_t)i,
					 .detail = "SIGKILL" };
	}
	json = through_text(state_events_save(&events));
	assert_int_equal(state_events_load(&loaded, json, &problem), 0);
	assert_memory_equal(&events, &loaded, sizeof(events));
	json_decref(json);
}

/* ---- numbers and texts at their ends */

static void what_is_over_63_bits_is_the_most_that_fits(void **state)
{
	struct vm vm, loaded;

	(void)state;
	fixture_vm(&vm);
	vm.stats[STAT_RX_BYTES] = UINT64_MAX;
	vm.generation = UINT64_MAX;
	reload_vm(&vm, STATE_UPGRADE, &loaded);
	assert_true(loaded.stats[STAT_RX_BYTES] == INT64_MAX);
	assert_true(loaded.generation == INT64_MAX);
	/* these must be exact */
	assert_true(loaded.process.channel_inode == UINT64_MAX);
	assert_true(loaded.heartbeat.stats_id == UINT64_MAX - 1);
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

static void texts_are_cleaned(void **state)
{
	const struct timespec time = { 1, 2 };
	char longer[LOG_LINE_BYTES + 100];
	struct vm vm, loaded;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	fixture_vm(&vm);
	vmlog_put(&vm.log.kept.current, &time, VMLOG_SUPERVISOR, LOG_LEVEL_INFO,
		  3, "\033[2J\xff");
	vmlog_put(&vm.log.kept.current, &time, VMLOG_SUPERVISOR, LOG_LEVEL_INFO,
		  3, longer);
	strcpy(vm.process.exit.detail, "\a\x80");
	reload_vm(&vm, STATE_UPGRADE, &loaded);
	assert_string_equal(vmlog_at(&loaded.log.kept.current, 62)->text,
			    "?[2J?");
	assert_int_equal(strlen(vmlog_at(&loaded.log.kept.current, 63)->text),
			 LOG_LINE_BYTES - 1);
	assert_string_equal(loaded.process.exit.detail, "??");
	fixture_uninit(&vm);
	fixture_uninit(&loaded);
}

/* What settings of a file are of. */
struct subject {
	void *object;
	bool machine; /* a struct machine_config, not the configuration */
};

static void reload_config(const struct config *config,
			  const struct setting *setting)
{
	json_t *json = through_text(state_config_save(config));
	struct config loaded;
	struct problem problem = { "" };

	memset(&loaded, 0, sizeof(loaded));
	if (state_config_load(&loaded, json, &problem))
		fail_msg("%s: %s", setting->name, problem.text);
	assert_memory_equal(config, &loaded, sizeof(loaded));
	json_decref(json);
}

static void reload_machine(const struct machine_config *machine,
			   const struct setting *setting)
{
	json_t *json = through_text(state_machine_save(machine, STATE_UPGRADE));
	struct machine_config *loaded;
	struct problem problem = { "" };

	if (state_machine_load(&loaded, json, STATE_UPGRADE, "web", &problem))
		fail_msg("%s: %s", setting->name, problem.text);
	assert_memory_equal(machine, loaded, sizeof(*loaded));
	json_decref(json);
	fixture_machine_free(loaded);
}

static void try_number(const struct subject *subject, char *base,
		       const struct setting *setting, uint64_t number)
{
	static const size_t widths[SETTING_KINDS] = {
		[SETTING_UINT16] = 2,   [SETTING_UINT32] = 4,
		[SETTING_DURATION] = 4, [SETTING_SIZE] = 8,
		[SETTING_MEMORY] = 8,   [SETTING_CHOICE] = 4,
	};
	size_t room = subject->machine ? sizeof(struct machine_config)
				       : sizeof(struct config);
	char *field = base + setting->offset;

	assert_in_range(field - (char *)subject->object, 0,
			room - widths[setting->kind]);
	/* little-endian, as everything that this runs on */
	memcpy(field, &number, widths[setting->kind]);
	if (subject->machine)
		reload_machine(subject->object, setting);
	else
		reload_config(subject->object, setting);
}

static void try_range(const struct subject *subject, char *base,
		      const struct setting *setting)
{
	if (setting->kind == SETTING_CHOICE) {
		for (size_t j = 0; setting->choices[j]; j++)
			try_number(subject, base, setting, j);
	} else if (setting->kind == SETTING_SIZE) {
		try_number(subject, base, setting, 0);
		try_number(subject, base, setting, setting->max);
	} else if ((setting->kind >= SETTING_UINT16 &&
		    setting->kind <= SETTING_DURATION) ||
		   setting->kind == SETTING_MEMORY) {
		try_number(subject, base, setting, setting->min);
		try_number(subject, base, setting, setting->max);
	}
}

static void try_settings(const struct subject *subject, char *base,
			 const struct setting_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct setting *setting = &group->settings[i];

		if (setting->of_machine != subject->machine)
			continue;
		if (setting->kind == SETTING_GROUP)
			try_settings(subject, base + setting->offset,
				     setting->group);
		else
			try_range(subject, base, setting);
	}
}

static void whatever_the_file_may_say_comes_back(void **state)
{
	struct config config;
	struct subject subject = { .object = &config };

	(void)state;
	fixture_config(&config);
	try_settings(&subject, subject.object, &config_settings_root);
}

static void whatever_the_file_may_say_of_a_machine_comes_back(void **state)
{
	struct subject subject = { machine_new(), .machine = true };

	(void)state;
	assert_non_null(subject.object);
	try_settings(&subject, subject.object, &config_settings_vm);
	fixture_machine_free(subject.object);
}

/* ---- no memory */

static long allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void saves_without_memory_are_null(void **state)
{
	static struct events events = { .count = 2 };
	struct config config;
	struct vm vm;
	json_t *json = NULL;

	(void)state;
	fixture_vm(&vm);
	fixture_config(&config);
	json_set_alloc_funcs(scarce_malloc, free);
	for (long i = 0; !json; i++) {
		allocations_left = i;
		json = state_vm_save(&vm, STATE_UPGRADE);
		assert_true(json || i < 10000);
	}
	json_decref(json);
	allocations_left = 20;
	assert_null(state_config_save(&config));
	allocations_left = 20;
	assert_null(state_events_save(&events));
	json_set_alloc_funcs(malloc, free);
	fixture_uninit(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_comes_back_after_an_upgrade),
		cmocka_unit_test(a_vm_comes_back_after_a_crash),
		cmocka_unit_test(no_process_and_no_timer_are_told_apart),
		cmocka_unit_test(a_configuration_comes_back),
		cmocka_unit_test(full_rings_keep_order_and_count),
		cmocka_unit_test(a_half_full_ring_of_deaths_still_grows),
		cmocka_unit_test(events_come_back),
		cmocka_unit_test(what_is_over_63_bits_is_the_most_that_fits),
		cmocka_unit_test(texts_are_cleaned),
		cmocka_unit_test(whatever_the_file_may_say_comes_back),
		cmocka_unit_test(
			whatever_the_file_may_say_of_a_machine_comes_back),
		cmocka_unit_test(saves_without_memory_are_null),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
