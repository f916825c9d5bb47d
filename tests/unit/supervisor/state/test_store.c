/* SPDX-License-Identifier: ISC */
/*
 * The state store: what a supervisor writes for the one after a crash, what it
 * does when it can't, and what of it the next one takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/state/store.h"
#include "supervisor/state/state.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/vms.h"

static struct host host;
static struct config config;
static uint64_t now_ns;
static char dir[64];
static unsigned int lines; /* logged */
static char last_line[LOG_LINE_BYTES];

uint64_t loop_now_ns(void)
{
	return now_ns;
}

static void note_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	lines++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void add_to_config(const char *name)
{
	struct problem problem;

	assert_non_null(config_add_vm(&config, name, &problem));
}

static struct vm *add_vm(const char *name)
{
	struct problem problem;
	struct vm *vm = vm_alloc(&host, &problem);

	assert_non_null(vm);
	vm->config = config.defaults;
	snprintf(vm->config.name, sizeof(vm->config.name), "%s", name);
	assert_int_equal(vms_add(&host, vm), 0);
	return vm;
}

static int set_up(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	lines = 0;
	now_ns = 1000 * NSEC_PER_SEC;
	log_set(note_line, NULL, LOG_LEVEL_INFO);
	snprintf(dir, sizeof(dir), "/tmp/vmsup-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	config_init(&config);
	host.config = &config;
	host.store_fd = -1;
	snprintf(host.rundir.path, sizeof(host.rundir.path), "%s", dir);
	host.rundir.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int ns = 0; ns < ROOM_NAMESPACES; ns++)
		host.room.ns_fd[ns] = -1;
	return loop_init(&host.loop);
}

static int remove_one(const char *path, const struct stat *st, int kind,
		      struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < host.vm_count; i++)
		vm_free(host.vms[i]);
	free(host.vms);
	fd_close(&host.store_fd);
	fd_close(&host.rundir.dir_fd);
	loop_uninit(&host.loop);
	config_uninit(&config);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

#define KEEP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- its files, seen from outside */

static const char *path_of(const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/" STORE_DIRECTORY "/%s", dir, file);
	return path;
}

static bool there_is(const char *file)
{
	return access(path_of(file), F_OK) == 0;
}

/* A member of a document, new; NULL: there is none. */
static json_t *member(const char *file, const char *group, const char *name)
{
	json_t *document = json_load_file(path_of(file), 0, NULL);
	json_t *object = group ? json_object_get(document, group) : document;
	json_t *value = json_incref(json_object_get(object, name));

	json_decref(document);
	return value;
}

static void expect_state(const char *file, const char *state)
{
	json_t *value = member(file, "vm", "state");

	assert_string_equal(json_string_value(value), state);
	json_decref(value);
}

static void put_file(const char *file, const char *text)
{
	FILE *opened = fopen(path_of(file), "we");

	assert_non_null(opened);
	assert_true(fputs(text, opened) >= 0);
	assert_int_equal(fclose(opened), 0);
}

/* Takes over value. */
static void change_instance(const char *name, json_t *value)
{
	json_t *document = json_load_file(path_of("instance.json"), 0, NULL);

	assert_non_null(document);
	json_object_set_new(document, name, value);
	assert_int_equal(json_dump_file(document, path_of("instance.json"), 0),
			 0);
	json_decref(document);
}

/* What the next supervisor finds; for store_uninit(). */
static struct stored found(size_t count)
{
	struct problem problem = { "" };
	struct stored stored;

	assert_int_equal(store_read(&stored, &host.rundir, &problem), 0);
	assert_int_equal(stored.count, count);
	return stored;
}

static const char *found_name(const struct stored *stored, size_t i)
{
	return json_string_value(json_object_get(
		json_object_get(stored->vms[i], "config"), "name"));
}

/* ---- written and read */

static void what_was_begun_is_found(void **state)
{
	struct stored stored;

	(void)state;
	add_to_config("zeta");
	add_to_config("alpha");
	assert_int_equal(store_begin(&host), 0);
	stored = found(2);
	/* in the order of the configuration, not of the files */
	assert_string_equal(found_name(&stored, 0), "zeta");
	assert_string_equal(found_name(&stored, 1), "alpha");
	assert_false(store_was_ending(&stored));
	store_uninit(&stored);
	host.ending = true;
	assert_int_equal(store_instance(&host), 0);
	stored = found(2);
	assert_true(store_was_ending(&stored));
	store_uninit(&stored);
}

static void nothing_there_is_nothing_found(void **state)
{
	struct stored stored;

	(void)state;
	stored = found(0);
	assert_null(stored.instance);
	store_uninit(&stored);
}

static void without_a_directory_nothing_is_kept(void **state)
{
	struct problem problem;
	struct vm *vm = add_vm("vm0");

	(void)state;
	add_to_config("vm0");
	assert_int_equal(store_instance(&host), 0);
	assert_int_equal(store_vm(vm), 0);
	assert_int_equal(store_defined(&host, 0, &problem), 0);
	store_drop(&host, "vm0");
	assert_false(there_is("vm-vm0.json"));
}

static void a_vm_is_written_as_it_is(void **state)
{
	struct vm *vm = add_vm("vm0");

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	vm->state = VM_FAILED;
	assert_int_equal(store_vm(vm), 0);
	assert_true(vm->stored);
	expect_state("vm-vm0.json", "failed");
	assert_false(there_is("unfinished"));
}

static void a_vm_to_come_is_wanted_if_it_starts_by_itself(void **state)
{
	struct problem problem;
	json_t *wanted;

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	add_to_config("vm0");
	for (int autostart = 0; autostart <= 1; autostart++) {
		config.vms[0].autostart = autostart;
		assert_int_equal(store_defined(&host, 0, &problem), 0);
		wanted = member("vm-vm0.json", "vm", "wanted");
		assert_int_equal(json_is_true(wanted), autostart);
		json_decref(wanted);
	}
	store_drop(&host, "vm0");
	assert_false(there_is("vm-vm0.json"));
}

static void all_of_it_is_forgotten(void **state)
{
	(void)state;
	add_to_config("vm0");
	assert_int_equal(store_begin(&host), 0);
	store_forget(&host.rundir);
	assert_false(there_is(""));
}

/* Those that are told to stop, so that nobody is told twice; no others. */
static void at_the_end_only_stops_are_written(void **state)
{
	struct vm *vm = add_vm("vm0");

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	host.ending = true;
	vm->state = VM_STOPPED;
	assert_int_equal(store_vm(vm), 0);
	assert_false(there_is("vm-vm0.json"));
	vm->state = VM_STOPPING;
	assert_int_equal(store_vm(vm), 0);
	expect_state("vm-vm0.json", "stopping");
}

/* ---- what can't be written */

/* Room for so many bytes in a file. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The next try, of which there is one a second. */
static void await_next_try(void)
{
	assert_true(host.store_again.armed);
	assert_int_equal(host.store_again.due_ns - now_ns, NSEC_PER_SEC);
	now_ns += NSEC_PER_SEC - 1;
	assert_int_equal(loop_turn(&host.loop, 0), 0);
	assert_true(host.store_again.armed);
	now_ns++;
	assert_int_equal(loop_turn(&host.loop, 0), 0);
}

static void half_a_document_replaces_none(void **state)
{
	struct vm *vm = add_vm("vm0");

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	assert_int_equal(store_vm(vm), 0);
	vm->state = VM_FAILED;
	limit_files(100);
	assert_int_equal(store_vm(vm), -ENOSPC);
	limit_files(RLIM_INFINITY);
	expect_state("vm-vm0.json", "stopped");
	assert_false(there_is("unfinished"));
	assert_true(vm->unsaved);
}

static void it_is_said_once_and_tried_again(void **state)
{
	struct vm *first = add_vm("vm0"), *second = add_vm("vm1");

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	limit_files(0);
	first->state = second->state = VM_FAILED;
	assert_int_equal(store_vm(first), -EFBIG);
	assert_int_equal(store_vm(second), -EFBIG);
	assert_int_equal(lines, 1);
	assert_non_null(strstr(last_line, "cannot keep the state of VMs in "));
	assert_non_null(strstr(last_line, "(make room there; "));
	assert_int_equal(host.events.count, 1);
	assert_string_equal(host.events.ring[0].name, "unsaved");
	assert_int_equal(host.store_error, -EFBIG);
	await_next_try();
	assert_int_equal(lines, 1);
	assert_true(first->unsaved && second->unsaved);
	limit_files(RLIM_INFINITY);
	await_next_try();
	assert_false(first->unsaved || second->unsaved);
	assert_int_equal(host.store_error, 0);
	assert_false(host.store_again.armed);
	expect_state("vm-vm0.json", "failed");
	expect_state("vm-vm1.json", "failed");
	assert_string_equal(last_line, "the state of VMs can be saved again");
}

static void the_instance_is_tried_again_as_well(void **state)
{
	json_t *ending;

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	host.ending = true;
	limit_files(0);
	assert_int_equal(store_instance(&host), -EFBIG);
	limit_files(RLIM_INFINITY);
	await_next_try();
	assert_false(host.unsaved);
	ending = member("instance.json", NULL, "ending");
	assert_true(json_is_true(ending));
	json_decref(ending);
}

/* A new program of the process writes what the one before couldn't. */
static void it_goes_on_over_an_upgrade(void **state)
{
	struct vm *unsaved = add_vm("vm0"), *saved = add_vm("vm1");

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	unsaved->unsaved = true;
	store_resume(&host);
	assert_false(unsaved->unsaved || saved->unsaved);
	assert_true(there_is("vm-vm0.json"));
	assert_false(there_is("vm-vm1.json"));
}

static void a_vm_that_cant_be_kept_is_refused(void **state)
{
	struct problem problem = { "" };

	(void)state;
	assert_int_equal(store_begin(&host), 0);
	add_to_config("vm0");
	limit_files(0);
	assert_int_equal(store_defined(&host, 0, &problem), -EFBIG);
	limit_files(RLIM_INFINITY);
	assert_false(there_is("vm-vm0.json"));
	assert_non_null(strstr(problem.text, "cannot keep the state of vm0"));
	assert_non_null(strstr(problem.text, "(make room there)"));
}

static void nor_is_anything_begun(void **state)
{
	(void)state;
	limit_files(0);
	assert_int_equal(store_begin(&host), -EFBIG);
	limit_files(RLIM_INFINITY);
}

static void descriptors_have_a_remedy_of_their_own(void **state)
{
	(void)state;
	assert_string_equal(store_remedy(-ENOSPC), "make room there");
	assert_string_equal(store_remedy(-EMFILE),
			    "raise LimitNOFILE or ulimit -n");
	assert_string_equal(store_remedy(-ENFILE), store_remedy(-EMFILE));
}

/* ---- what counts for nothing */

static void begin_with(const char *name)
{
	add_to_config(name);
	assert_int_equal(store_begin(&host), 0);
}

static void what_is_older_than_the_boot_counts_for_nothing(void **state)
{
	struct stored stored;

	(void)state;
	begin_with("vm0");
	change_instance("boot", json_string("00000000-0000-4000-8000-"
					    "000000000000"));
	stored = found(0);
	assert_null(stored.instance);
	assert_false(there_is("")); /* and it is gone */
	store_uninit(&stored);
}

static void so_does_what_is_no_document(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "null",
					     "{\"a\":1,\"a\":2}" };

	(void)state;
	add_to_config("vm0");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct stored stored;

		fd_close(&host.store_fd);
		assert_int_equal(store_begin(&host), 0);
		put_file("instance.json", texts[i]);
		stored = found(0);
		assert_null(stored.instance);
		assert_false(there_is(""));
		store_uninit(&stored);
	}
}

/* A newer vmsup knows what to do with it: it stays. */
static void what_is_newer_is_refused(void **state)
{
	struct problem problem;
	struct stored stored;

	(void)state;
	begin_with("vm0");
	change_instance("version", json_integer(STATE_VERSION + 1));
	assert_int_equal(store_read(&stored, &host.rundir, &problem), -EPROTO);
	assert_non_null(strstr(problem.text, "newer vmsup (start that "));
	assert_int_equal(stored.count, 0);
	assert_true(there_is("vm-vm0.json"));
}

static void one_bad_vm_costs_no_other(void **state)
{
	struct stored stored;

	(void)state;
	add_to_config("good");
	begin_with("bad");
	put_file("vm-bad.json", "{\"vm\":[]}");
	put_file("vm-none.json", "");
	put_file("readme", "{}");
	stored = found(1);
	assert_string_equal(found_name(&stored, 0), "good");
	assert_int_equal(lines, 2);
	assert_non_null(strstr(last_line, "a process of that VM is ended"));
	store_uninit(&stored);
}

static void a_link_is_not_followed(void **state)
{
	struct stored stored;

	(void)state;
	begin_with("vm0");
	assert_int_equal(renameat(host.store_fd, "vm-vm0.json", host.store_fd,
				  "elsewhere"),
			 0);
	assert_int_equal(symlinkat("elsewhere", host.store_fd, "vm-vm0.json"),
			 0);
	stored = found(0);
	store_uninit(&stored);
}

/* One mebibyte is far more than any has; blanks change nothing else. */
static void nor_is_a_document_of_any_size_read(void **state)
{
	static char blanks[1 << 20];
	struct stored stored;
	FILE *file;

	(void)state;
	begin_with("vm0");
	memset(blanks, ' ', sizeof(blanks) - 1);
	file = fopen(path_of("vm-vm0.json"), "ae");
	assert_non_null(file);
	assert_true(fputs(blanks, file) >= 0);
	assert_int_equal(fclose(file), 0);
	stored = found(0);
	store_uninit(&stored);
}

/* Which of the two would count is anybody's guess. */
static void nor_is_one_that_says_a_thing_twice(void **state)
{
	char text[4096] = "{\"version\":1,";
	size_t begun = strlen(text);
	struct stored stored;
	FILE *file;

	(void)state;
	begin_with("vm0");
	file = fopen(path_of("vm-vm0.json"), "re");
	assert_non_null(file);
	assert_int_equal(fgetc(file), '{');
	assert_true(fread(text + begun, 1, sizeof(text) - 1 - begun, file) > 0);
	assert_int_equal(fclose(file), 0);
	put_file("vm-vm0.json", text);
	stored = found(0);
	store_uninit(&stored);
}

/* ---- merged with what the user asks for now */

static struct stored kept_of(const char *bridge)
{
	snprintf(config.bridge, sizeof(config.bridge), "%s", bridge);
	add_to_config("first");
	begin_with("second");
	config.vms[0].broadcast_rate = 77;
	fd_close(&host.store_fd);
	assert_int_equal(store_begin(&host), 0);
	return found(2);
}

static void kept_vms_come_first_and_unchanged(void **state)
{
	struct stored stored = kept_of("kept0");
	struct problem problem;
	struct config asked;

	(void)state;
	config_init(&asked);
	snprintf(asked.bridge, sizeof(asked.bridge), "asked0");
	asked.log_level = LOG_LEVEL_DEBUG;
	asked.guard = GUARD_POLICY_OFF;
	assert_non_null(config_add_vm(&asked, "third", &problem));
	config_add_vm(&asked, "first", &problem)->broadcast_rate = 1;
	assert_int_equal(store_merge(&stored, &asked, &problem), 0);
	assert_int_equal(asked.vm_count, 3);
	assert_string_equal(asked.vms[0].name, "first");
	assert_string_equal(asked.vms[1].name, "second");
	assert_string_equal(asked.vms[2].name, "third");
	assert_int_equal(asked.vms[0].broadcast_rate, 77);
	/* what VMs have in common is theirs; what touches none is asked for */
	assert_string_equal(asked.bridge, "kept0");
	assert_int_equal(asked.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(asked.guard, GUARD_POLICY_OFF);
	config_uninit(&asked);
	store_uninit(&stored);
}

/* A document of a version that didn't know of a setting yet. */
static void what_isnt_said_is_by_default(void **state)
{
	struct stored stored = kept_of("kept0");
	struct problem problem;
	struct config asked;

	(void)state;
	assert_int_equal(
		json_object_del(json_object_get(stored.vms[0], "config"),
				"broadcast_rate"),
		0);
	json_object_set_new(
		json_object_get(json_object_get(stored.instance, "config"),
				"defaults"),
		"broadcast_rate", json_integer(55));
	config_init(&asked);
	assert_int_equal(store_merge(&stored, &asked, &problem), 0);
	assert_int_equal(asked.vms[0].broadcast_rate, 55);
	config_uninit(&asked);
	store_uninit(&stored);
}

static void a_bad_configuration_says_what_to_remove(void **state)
{
	struct stored stored = kept_of("kept0");
	struct problem problem;
	struct config asked;

	(void)state;
	json_object_set_new(json_object_get(stored.vms[1], "config"), "tap",
			    json_integer(5));
	config_init(&asked);
	assert_int_equal(store_merge(&stored, &asked, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "second"));
	assert_non_null(strstr(problem.text, "remove its file in "));
	assert_int_equal(asked.vm_count, 0); /* as it was */
	config_uninit(&asked);
	store_uninit(&stored);
}

static void a_name_is_kept_once(void **state)
{
	struct stored stored = kept_of("kept0");
	struct problem problem;
	struct config asked;

	(void)state;
	json_object_set_new(json_object_get(stored.vms[1], "config"), "name",
			    json_string("first"));
	config_init(&asked);
	assert_int_equal(store_merge(&stored, &asked, &problem), -EINVAL);
	config_uninit(&asked);
	store_uninit(&stored);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		KEEP_TEST(what_was_begun_is_found),
		KEEP_TEST(nothing_there_is_nothing_found),
		KEEP_TEST(without_a_directory_nothing_is_kept),
		KEEP_TEST(a_vm_is_written_as_it_is),
		KEEP_TEST(a_vm_to_come_is_wanted_if_it_starts_by_itself),
		KEEP_TEST(all_of_it_is_forgotten),
		KEEP_TEST(at_the_end_only_stops_are_written),
		KEEP_TEST(half_a_document_replaces_none),
		KEEP_TEST(it_is_said_once_and_tried_again),
		KEEP_TEST(the_instance_is_tried_again_as_well),
		KEEP_TEST(it_goes_on_over_an_upgrade),
		KEEP_TEST(a_vm_that_cant_be_kept_is_refused),
		KEEP_TEST(nor_is_anything_begun),
		KEEP_TEST(descriptors_have_a_remedy_of_their_own),
		KEEP_TEST(what_is_older_than_the_boot_counts_for_nothing),
		KEEP_TEST(so_does_what_is_no_document),
		KEEP_TEST(what_is_newer_is_refused),
		KEEP_TEST(one_bad_vm_costs_no_other),
		KEEP_TEST(a_link_is_not_followed),
		KEEP_TEST(nor_is_a_document_of_any_size_read),
		KEEP_TEST(nor_is_one_that_says_a_thing_twice),
		KEEP_TEST(kept_vms_come_first_and_unchanged),
		KEEP_TEST(what_isnt_said_is_by_default),
		KEEP_TEST(a_bad_configuration_says_what_to_remove),
		KEEP_TEST(a_name_is_kept_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
