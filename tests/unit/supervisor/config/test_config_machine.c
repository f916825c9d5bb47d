/* SPDX-License-Identifier: ISC */
/* The configuration file: VMs with guest kvm, and what others can't have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "supervisor/config/config.h"
#include "supervisor/config/config_file.h"

/* What was said is the caller's. */
static int read_text(struct config *config, const char *name, const char *text,
		     char **said)
{
	size_t length;
	FILE *errors = open_memstream(said, &length);
	FILE *file = tmpfile();
	int result;

	assert_non_null(errors);
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	rewind(file);
	config_init(config);
	result = config_read(config, file, name, errors);
	fclose(file);
	fclose(errors);
	return result;
}

static void read_good(struct config *config, const char *text)
{
	cleanup_free char *said = NULL;
	int result = read_text(config, "/etc/f", text, &said);

	assert_string_equal(said, "");
	assert_int_equal(result, 0);
}

static void all_that_can_be_said(void **state)
{
	const struct machine_config *machine;
	struct config config;

	(void)state;
	read_good(
		&config,
		"vms = ( { name = \"a\"; guest = \"kvm\"; kernel = \"/k\";\n"
		"initrd = \"boot/i\"; cmdline = \"a=\\\"b\\\" c\";\n"
		"memory = \"2G\"; cpus = 254; hugepages = true; queues = 8;\n"
		"vhost = \"off\"; disks = ( { path = \"../x\"; },\n"
		"{ direct = true; path = \"/y\"; read_only = true; } ); } );");
	assert_int_equal(config.vms[0].guest, GUEST_KVM);
	machine = config.vms[0].machine;
	assert_string_equal(machine->kernel, "/k");
	assert_string_equal(machine->initrd, "/etc/boot/i");
	assert_string_equal(machine->cmdline, "a=\"b\" c");
	assert_true(machine->memory_bytes == UINT64_C(2) << 30);
	assert_int_equal(machine->cpus, 254);
	assert_true(machine->hugepages);
	assert_int_equal(machine->queues, 8);
	assert_int_equal(machine->vhost, VHOST_OFF);
	assert_int_equal(machine->disk_count, 2);
	assert_string_equal(machine->disks[0].path, "/etc/../x");
	assert_false(machine->disks[0].read_only || machine->disks[0].direct);
	assert_string_equal(machine->disks[1].path, "/y");
	assert_true(machine->disks[1].read_only && machine->disks[1].direct);
	assert_int_equal(machine->kernel_fd, -1);
	assert_int_equal(machine->disks[1].fd, -1);
	assert_null(config.defaults.machine);
	config_uninit(&config);
}

static void what_is_not_said_has_defaults(void **state)
{
	const struct machine_config *machine;
	struct config config;

	(void)state;
	read_good(&config, "vms = ( { name = \"a\"; guest = \"kvm\";\n"
			   "kernel = \"/k\"; }, { name = \"b\"; } );");
	machine = config.vms[0].machine;
	assert_string_equal(machine->initrd, "");
	assert_string_equal(machine->cmdline, "");
	assert_true(machine->memory_bytes == MACHINE_MEMORY_DEFAULT);
	assert_int_equal(machine->cpus, 1);
	assert_int_equal(machine->queues, 1);
	assert_int_equal(machine->vhost, VHOST_AUTO);
	assert_int_equal(machine->disk_count, 0);
	assert_null(config.vms[1].machine);
	config_uninit(&config);
}

static const char with_defaults[] =
	"defaults = { guest = \"kvm\"; kernel = \"/k\"; initrd = \"/i\";\n"
	"memory = \"64M\"; cpus = 3; queues = 0; };\n"
	"vms = ( { name = \"a\"; }, { name = \"b\"; cpus = 4; initrd = \"\"; },\n"
	"{ name = \"c\"; guest = \"builtin\"; } );";

static void defaults_are_taken_over_not_shared(void **state)
{
	struct problem problem = { "" };
	struct config config;
	const struct vm_config *vms;

	(void)state;
	read_good(&config, with_defaults);
	assert_int_equal(config_add_vms(&config, 2, &problem), 0);
	assert_int_equal(config.vm_count, 5);
	vms = config.vms;
	assert_string_equal(vms[0].machine->kernel, "/k");
	assert_string_equal(vms[0].machine->initrd, "/i");
	assert_int_equal(vms[0].machine->cpus, 3);
	assert_int_equal(vms[0].machine->queues, 0);
	assert_int_equal(vms[1].machine->cpus, 4);
	assert_string_equal(vms[1].machine->initrd, "");
	assert_true(vms[1].machine->memory_bytes == 64 << 20);
	assert_null(vms[2].machine);
	assert_string_equal(vms[3].machine->kernel, "/k");
	for (size_t i = 0; i < config.vm_count; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(
				!vms[i].machine ||
				(vms[i].machine != vms[k].machine &&
				 vms[i].machine != config.defaults.machine));
	/* one that the caller gives its machine has none */
	assert_null(config_add_vm(&config, "d", &problem)->machine);
	assert_null(config_add_unnamed(&config, &problem)->machine);
	config_uninit(&config);
	assert_null(config.defaults.machine);
}

static void more_vms_need_a_kernel_of_the_defaults(void **state)
{
	struct problem problem = { "" };
	struct config config;

	(void)state;
	read_good(&config, "defaults = { guest = \"kvm\"; };");
	assert_int_equal(config_add_vms(&config, 2, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "no kernel"));
	config_uninit(&config);
}

static void paths_are_of_the_files_directory(void **state)
{
	static const struct {
		const char *file, *path;
	} cases[] = {
		{ "/usr/../etc/f", "/etc/k" },
		{ "/f", "//k" },
		{ "/no/such/directory/f", "/no/such/directory//k" },
	};
	char here[512];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here) - 2));
	for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
		bool last = i == ARRAY_SIZE(cases);
		cleanup_free char *said = NULL;
		struct config config;
		int result =
			read_text(&config, last ? "f" : cases[i].file,
				  "vms = ( { name = \"a\"; guest = \"kvm\"; "
				  "kernel = \"k\"; } );",
				  &said);

		assert_int_equal(result, 0);
		assert_string_equal(config.vms[0].machine->kernel,
				    last ? strcat(here, "/k") : cases[i].path);
		config_uninit(&config);
	}
}

#define KVM(more)                                                          \
	"vms = (\n{ name = \"a\"; guest = \"kvm\"; kernel = \"/k\"; " more \
	"} );"

/* One thing wrong each, and the beginning of what is said. */
static const struct {
	const char *text, *said;
} errors[] = {
	{ "vms = (\n{ name = \"a\";\nguest = \"kvm\"; } );",
	  "f:3: VM a: it has guest kvm and no kernel (add one, as in kernel" },
	{ "defaults = { guest = \"kvm\"; };\nvms = ( { name = \"a\"; } );",
	  "f:2: VM a: it has guest kvm and no kernel" },
	{ "vms = ( { name = \"a\";\ncpus = 1; } );",
	  "f:2: VM a: cpus is for a VM with guest kvm (add guest" },
	{ "vms = ( { name = \"a\";\ndisks = ( ); } );",
	  "f:2: VM a: disks is for a VM with guest kvm" },
	{ "defaults = { guest = \"kvm\"; kernel = \"/k\"; };\n"
	  "vms = ( { name = \"a\"; guest = \"builtin\";\nvhost = \"on\"; } );",
	  "f:3: VM a: vhost is for a VM with guest kvm" },
	{ "defaults = { disks = ( ); };",
	  "f:1: defaults.disks: no such setting (known here: guest, " },
	{ KVM("memory = \"15M\"; "), "f:2: VM a: memory can't be \"15M\"" },
	{ KVM("memory = 16777217; "), "f:2: VM a: memory can't be 16777217" },
	{ KVM("memory = \"9T\"; "), "f:2: VM a: memory can't be \"9T\"" },
	{ KVM("memory = 0; "), "f:2: VM a: memory can't be 0" },
	{ KVM("memory = \"4096T\"; "), "f:2: VM a: memory can't be \"4096T\"" },
	{ KVM("memory = true; "), "f:2: VM a: memory is true or false" },
	{ KVM("cpus = 0; "), "f:2: VM a: cpus can't be 0 (write a whole "
			     "number from 1 to 254)" },
	{ KVM("cpus = 255; "), "f:2: VM a: cpus can't be 255" },
	{ KVM("queues = 9; "), "f:2: VM a: queues can't be 9" },
	{ KVM("vhost = \"yes\"; "),
	  "f:2: VM a: vhost can't be \"yes\" (write \"auto\" or \"on\" or "
	  "\"off\")" },
	{ KVM("vhost = true; "), "f:2: VM a: vhost is true or false" },
	{ KVM("hugepages = 1; "), "f:2: VM a: hugepages is a whole number" },
	{ KVM("cmdline = 1; "), "f:2: VM a: cmdline is a whole number" },
	{ KVM("cmdline = \"\xff\"; "), "f:2: VM a: cmdline can't be" },
	{ KVM("initrd = \"\xff\"; "), "f:2: VM a: initrd can't be" },
	{ "vms = ( { name = \"a\"; guest = \"kvm\"; kernel = \"\"; } );",
	  "f:1: VM a: kernel can't be \"\" (write a string: the name" },
	{ KVM("disks = \"x\"; "),
	  "f:2: VM a: disks is a string (write a list" },
	{ KVM("disks = ( { path = \"x\"; },\n{ } ); "),
	  "f:3: VM a: disk number 2: it has no path (add one" },
	{ KVM("disks = ( 1 ); "),
	  "f:2: VM a: disk number 1: a whole number (write a group" },
	{ KVM("disks = ( { path = \"x\"; ro = true; } ); "),
	  "f:2: VM a: disk number 1: ro: no such setting (known here: path, "
	  "read_only, direct)" },
	{ KVM("disks = ( { path = \"x\"; direct = 1; } ); "),
	  "f:2: VM a: disk number 1: direct is a whole number" },
	{ KVM("disks = ( {},{},{},{},{},{},{},{},{} ); "),
	  "f:2: VM a: disks: 9 are too many (a VM has 8 at most)" },
};

static void each_error_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		cleanup_free char *said = NULL;
		struct config config;
		int result = read_text(&config, "f", errors[i].text, &said);

		if (result != -EINVAL ||
		    strncmp(said, errors[i].said, strlen(errors[i].said)) !=
			    0 ||
		    strchr(said, '\n') != said + strlen(said) - 1)
			fail_msg("%s\ngave %d: %s\nnot %s", errors[i].text,
				 result, said, errors[i].said);
		config_uninit(&config);
	}
}

/* As long as they can be, and one longer. */
static void texts_have_a_largest_length(void **state)
{
	static const struct {
		const char *setting;
		int length;
		const char *start;
	} cases[] = {
		{ "kernel", MACHINE_PATH - 1, "/" },
		{ "initrd", MACHINE_PATH - 1, "/" },
		{ "cmdline", MACHINE_CMDLINE - 1, "c" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		cleanup_free char *said = NULL, *text = NULL;
		struct config config;
		int length = cases[i / 2].length + (int)(i % 2);

		assert_true(asprintf(&text,
				     "vms = ( { name = \"a\"; guest = \"kvm\"; "
				     "%s%s = \"%s%0*d\"; } );",
				     i < 2 ? "" : "kernel = \"/k\"; ",
				     cases[i / 2].setting, cases[i / 2].start,
				     length - 1, 0) > 0);
		assert_int_equal(read_text(&config, "f", text, &said),
				 i % 2 ? -EINVAL : 0);
		config_uninit(&config);
	}
}

static void a_copy_has_nothing_opened(void **state)
{
	struct machine_config *machine = machine_new(), *copy;

	(void)state;
	machine->kernel_fd = machine->initrd_fd = machine->disks[7].fd = 12345;
	machine->cpus = 9;
	copy = machine_copy(machine);
	assert_int_equal(copy->cpus, 9);
	assert_int_equal(copy->kernel_fd, -1);
	assert_int_equal(copy->initrd_fd, -1);
	assert_int_equal(copy->disks[7].fd, -1);
	machine->kernel_fd = machine->initrd_fd = machine->disks[7].fd = -1;
	machine_free(machine);
	machine_free(copy);
	machine_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_can_be_said),
		cmocka_unit_test(what_is_not_said_has_defaults),
		cmocka_unit_test(defaults_are_taken_over_not_shared),
		cmocka_unit_test(more_vms_need_a_kernel_of_the_defaults),
		cmocka_unit_test(paths_are_of_the_files_directory),
		cmocka_unit_test(each_error_is_told_with_its_line),
		cmocka_unit_test(texts_have_a_largest_length),
		cmocka_unit_test(a_copy_has_nothing_opened),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config_machine", tests, NULL, NULL);
}
