/* SPDX-License-Identifier: ISC */
/*
 * Reads the values of a configuration file, by the tables of config_settings.c.
 * An error doesn't end the reading: it is noted, and the setting is marked as
 * wrong, so that no check uses it.
 */
#include "supervisor/config/config_reader.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/config/config_check.h"
#include "supervisor/config/config_settings.h"
#include "supervisor/lib/value.h"

#define MIB (UINT64_C(1) << 20)

/* ---- errors */

static const char *const type_names[] = {
	[NODE_GROUP] = "a group",          [NODE_LIST] = "a list",
	[NODE_ARRAY] = "an array",         [NODE_BOOL] = "true or false",
	[NODE_INTEGER] = "a whole number", [NODE_FLOAT] = "a number",
	[NODE_STRING] = "a string",
};
static_assert(ARRAY_SIZE(type_names) == NODE_TYPES, "a name per type");

static void show(const struct config_node *node, char *text, size_t size)
{
	if (node->type == NODE_INTEGER)
		snprintf(text, size, "%lld", node->value.integer);
	else if (node->type == NODE_FLOAT)
		snprintf(text, size, "%g", node->value.number);
	else if (node->type == NODE_STRING)
		snprintf(text, size, "\"%.64s\"", node->value.string);
	else
		snprintf(text, size, "%s", type_names[node->type]);
}

/* Notes that a setting has the wrong type. */
static void wrong_type(struct config_reader *reader,
		       const struct setting *setting,
		       const struct config_node *node)
{
	char expected[160];

	config_settings_expected(setting, expected, sizeof(expected));
	config_errors_add(&reader->errors, node->line, "%s%s is %s (write %s)",
			  reader->path, setting->name, type_names[node->type],
			  expected);
	config_tree_mark_wrong(node);
}

/* Notes that a setting has the right type, but a value that it can't have. */
static void wrong_value(struct config_reader *reader,
			const struct setting *setting,
			const struct config_node *node)
{
	char expected[160], shown[80];

	config_settings_expected(setting, expected, sizeof(expected));
	show(node, shown, sizeof(shown));
	config_errors_add(&reader->errors, node->line,
			  "%s%s can't be %s (write %s)", reader->path,
			  setting->name, shown, expected);
	config_tree_mark_wrong(node);
}

/* Notes an error of a setting, which problem describes. */
static void wrong(struct config_reader *reader, const struct setting *setting,
		  const struct config_node *node, const struct problem *problem)
{
	config_errors_add(&reader->errors, node->line, "%s%s: %s", reader->path,
			  setting->name, problem->text);
	config_tree_mark_wrong(node);
}

static void out_of_memory(struct config_reader *reader)
{
	config_errors_add(&reader->errors, 0, "out of memory");
}

/* ---- one setting: each reads node into object, or notes an error */

typedef void read_fn(struct config_reader *reader,
		     const struct setting *setting,
		     const struct config_node *node, void *object);

static void *field(const struct setting *setting, void *object)
{
	struct vm_config *vm = object;

	if (setting->of_machine)
		object = vm->machine;
	return (char *)object + setting->offset;
}

static void read_bool(struct config_reader *reader,
		      const struct setting *setting,
		      const struct config_node *node, void *object)
{
	if (node->type != NODE_BOOL)
		wrong_type(reader, setting, node);
	else
		*(bool *)field(setting, object) = node->value.truth;
}

static void read_number(struct config_reader *reader,
			const struct setting *setting,
			const struct config_node *node, void *object)
{
	if (node->type != NODE_INTEGER)
		wrong_type(reader, setting, node);
	else if (node->value.integer < 0 ||
		 (uint64_t)node->value.integer < setting->min ||
		 (uint64_t)node->value.integer > setting->max)
		wrong_value(reader, setting, node);
	else if (setting->kind == SETTING_UINT16)
		*(uint16_t *)field(setting, object) =
			(uint16_t)node->value.integer;
	else
		*(uint32_t *)field(setting, object) =
			(uint32_t)node->value.integer;
}

/* Milliseconds of a number of seconds or of a string. -1: it is
 * neither, or is far out of range. */
static int64_t duration_ms(const struct config_node *node)
{
	const double limit = UINT32_MAX / 1000.0;
	uint32_t ms;

	if (node->type == NODE_STRING)
		return value_duration(node->value.string, &ms) ? -1
							       : (int64_t)ms;
	if (node->type == NODE_INTEGER)
		return node->value.integer >= 0 &&
				       (double)node->value.integer < limit
			       ? node->value.integer * 1000
			       : -1;
	return node->value.number >= 0 && node->value.number < limit
		       ? (int64_t)(node->value.number * 1000 + 0.5)
		       : -1;
}

static void read_duration(struct config_reader *reader,
			  const struct setting *setting,
			  const struct config_node *node, void *object)
{
	int64_t ms;

	if (node->type != NODE_STRING && node->type != NODE_INTEGER &&
	    node->type != NODE_FLOAT) {
		wrong_type(reader, setting, node);
		return;
	}
	ms = duration_ms(node);
	if (ms < 0 || (uint64_t)ms < setting->min ||
	    (uint64_t)ms > setting->max)
		wrong_value(reader, setting, node);
	else
		*(uint32_t *)field(setting, object) = (uint32_t)ms;
}

static void read_size(struct config_reader *reader,
		      const struct setting *setting,
		      const struct config_node *node, void *object)
{
	uint64_t bytes;

	if (node->type == NODE_INTEGER && node->value.integer >= 0) {
		bytes = (uint64_t)node->value.integer;
	} else if (node->type != NODE_INTEGER && node->type != NODE_STRING) {
		wrong_type(reader, setting, node);
		return;
	} else if (node->type == NODE_INTEGER ||
		   value_size(node->value.string, &bytes)) {
		wrong_value(reader, setting, node);
		return;
	}
	if (setting->kind == SETTING_MEMORY
		    ? bytes < setting->min || bytes > setting->max ||
			      bytes % MIB != 0
		    : bytes && (bytes < setting->min || bytes > setting->max))
		wrong_value(reader, setting, node);
	else
		*(uint64_t *)field(setting, object) = bytes ? bytes
							    : VM_LIMIT_NONE;
}

/* A state document has a copy of the configuration: so
 * each text must be UTF-8. */
static bool is_utf8(const char *text)
{
	json_t *json = json_string(text);

	json_decref(json);
	return json != NULL;
}

static void read_text(struct config_reader *reader,
		      const struct setting *setting,
		      const struct config_node *node, void *object)
{
	const char *text = node->value.string;

	if (node->type != NODE_STRING)
		wrong_type(reader, setting, node);
	else if (strlen(text) > setting->max || !is_utf8(text))
		wrong_value(reader, setting, node);
	else
		memcpy(field(setting, object), text, strlen(text) + 1);
}

/* The absolute path of the file's directory. The caller's; NULL: no memory. */
static char *directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *name = slash ? strndup(file, (size_t)(slash - file) + 1)
			   : strdup(".");
	char *whole = name ? realpath(name, NULL) : NULL;

	if (!whole)
		return name;
	free(name);
	return whole;
}

static void read_path(struct config_reader *reader,
		      const struct setting *setting,
		      const struct config_node *node, void *object)
{
	cleanup_free char *directory = NULL, *path = NULL;
	const char *text = node->value.string, *whole;

	if (node->type != NODE_STRING) {
		wrong_type(reader, setting, node);
		return;
	}
	if (text[0] && text[0] != '/') {
		directory = directory_of(reader->file);
		if (!directory ||
		    asprintf(&path, "%s/%s", directory, text) < 0) {
			path = NULL;
			out_of_memory(reader);
			return;
		}
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup frees them */
	whole = path ? path : text;
	if (strlen(text) < setting->min || strlen(whole) > setting->max ||
	    !is_utf8(whole))
		wrong_value(reader, setting, node);
	else
		memcpy(field(setting, object), whole, strlen(whole) + 1);
}

/* The index of text among the choices; -1: it is none of them. */
static int choice_of(const struct setting *setting, const char *text)
{
	for (int i = 0; setting->choices[i]; i++)
		if (!strcmp(text, setting->choices[i]))
			return i;
	return -1;
}

static void read_choice(struct config_reader *reader,
			const struct setting *setting,
			const struct config_node *node, void *object)
{
	int choice;

	if (node->type != NODE_STRING) {
		wrong_type(reader, setting, node);
		return;
	}
	choice = choice_of(setting, node->value.string);
	if (choice < 0)
		wrong_value(reader, setting, node);
	else
		memcpy(field(setting, object), &choice, sizeof(choice));
}

static void read_flags(struct config_reader *reader,
		       const struct setting *setting,
		       const struct config_node *node, void *object)
{
	uint32_t flags = 0;

	if (node->type != NODE_LIST && node->type != NODE_ARRAY) {
		wrong_type(reader, setting, node);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		struct config_node child = config_tree_child(node, i);
		int choice = child.type == NODE_STRING
				     ? choice_of(setting, child.value.string)
				     : -1;

		if (choice < 0) {
			wrong_value(reader, setting, &child);
			return;
		}
		flags |= 1U << choice;
	}
	*(uint32_t *)field(setting, object) = flags;
}

static void read_name(struct config_reader *reader,
		      const struct setting *setting,
		      const struct config_node *node, void *object)
{
	const char *name = node->value.string;
	bool valid;

	if (node->type != NODE_STRING) {
		wrong_type(reader, setting, node);
		return;
	}
	valid = setting->kind == SETTING_VM_NAME
			? vm_name_valid(name)
			: value_link_name(name, setting->max);
	if (!valid)
		wrong_value(reader, setting, node);
	else
		memcpy(field(setting, object), name, strlen(name) + 1);
}

/* ---- addresses */

static int set_bridge_ipv4(struct config_reader *reader, const char *text,
			   void *object, struct problem *problem)
{
	struct config *config = object;

	(void)reader;
	if (value_ipv4_prefix(text, &config->bridge_ipv4,
			      &config->bridge_ipv4_prefix))
		return problem_set(problem, -EINVAL,
				   "\"%.64s\" isn't an IPv4 address with "
				   "prefix length (write one as in "
				   "\"10.77.0.1/16\")",
				   text);
	return config_check_bridge_ipv4(config, problem);
}

static int set_bridge_ipv6(struct config_reader *reader, const char *text,
			   void *object, struct problem *problem)
{
	struct config *config = object;

	(void)reader;
	if (value_ipv6_prefix(text, &config->bridge_ipv6,
			      &config->bridge_ipv6_prefix))
		return problem_set(problem, -EINVAL,
				   "\"%.64s\" isn't an IPv6 address with "
				   "prefix length (write one as in "
				   "\"fd77::1/64\")",
				   text);
	config->has_bridge_ipv6 = true;
	return config_check_bridge_ipv6(config, problem);
}

static int set_vm_mac(struct config_reader *reader, const char *text,
		      void *object, struct problem *problem)
{
	(void)reader;
	return config_set_mac(object, text, problem);
}

static int set_vm_ipv4(struct config_reader *reader, const char *text,
		       void *object, struct problem *problem)
{
	static const struct config any_subnet; /* 0.0.0.0/0 */
	bool sound = config_tree_sound(&reader->root, "bridge.address");

	return config_set_ipv4(sound ? reader->config : &any_subnet, object,
			       text, problem);
}

static int set_vm_ipv6(struct config_reader *reader, const char *text,
		       void *object, struct problem *problem)
{
	int error = config_set_ipv6(object, text, problem);

	if (error || !config_tree_sound(&reader->root, "bridge.address6"))
		return error;
	return config_check_vm_ipv6(reader->config, object, problem);
}

static void read_address(struct config_reader *reader,
			 const struct setting *setting,
			 const struct config_node *node, void *object)
{
	static int (*const setters[])(struct config_reader * reader,
				      const char *text, void *object,
				      struct problem *problem) = {
		[SETTING_BRIDGE_IPV4] = set_bridge_ipv4,
		[SETTING_BRIDGE_IPV6] = set_bridge_ipv6,
		[SETTING_VM_MAC] = set_vm_mac,
		[SETTING_VM_IPV4] = set_vm_ipv4,
		[SETTING_VM_IPV6] = set_vm_ipv6,
	};
	static_assert(ARRAY_SIZE(setters) == SETTING_KINDS, "to the last");
	struct problem problem;

	if (node->type != NODE_STRING)
		wrong_type(reader, setting, node);
	else if (setters[setting->kind](reader, node->value.string, object,
					&problem))
		wrong(reader, setting, node, &problem);
}

/* ---- groups */

static read_fn read_group, read_vms, read_disks;

static read_fn *const read_kind[] = {
	[SETTING_GROUP] = read_group,
	[SETTING_VMS] = read_vms,
	[SETTING_BOOL] = read_bool,
	[SETTING_UINT16] = read_number,
	[SETTING_UINT32] = read_number,
	[SETTING_DURATION] = read_duration,
	[SETTING_SIZE] = read_size,
	[SETTING_MEMORY] = read_size,
	[SETTING_CHOICE] = read_choice,
	[SETTING_FLAGS] = read_flags,
	[SETTING_TEXT] = read_text,
	[SETTING_PATH] = read_path,
	[SETTING_DISKS] = read_disks,
	[SETTING_LINK_NAME] = read_name,
	[SETTING_VM_NAME] = read_name,
	[SETTING_BRIDGE_IPV4] = read_address,
	[SETTING_BRIDGE_IPV6] = read_address,
	[SETTING_VM_MAC] = read_address,
	[SETTING_VM_IPV4] = read_address,
	[SETTING_VM_IPV6] = read_address,
};
static_assert(ARRAY_SIZE(read_kind) == SETTING_KINDS, "a reader per kind");

static void refuse_unknown(struct config_reader *reader,
			   const struct setting_group *group,
			   const struct config_node *node)
{
	char names[256];

	config_settings_names(group, names, sizeof(names));
	for (size_t i = 0; i < node->count; i++) {
		struct config_node child = config_tree_child(node, i);
		size_t known = 0;

		while (known < group->count &&
		       strcmp(group->settings[known].name, child.name) != 0)
			known++;
		if (known == group->count)
			config_errors_add(&reader->errors, child.line,
					  "%s%.64s: no such setting (known "
					  "here: %s)",
					  reader->path, child.name, names);
	}
}

static void read_members(struct config_reader *reader,
			 const struct setting_group *group,
			 const struct config_node *node, void *object)
{
	refuse_unknown(reader, group, node);
	for (size_t i = 0; i < group->count; i++) {
		const struct setting *setting = &group->settings[i];
		struct config_node child;

		if (config_tree_find(node, setting->name, &child))
			read_kind[setting->kind](reader, setting, &child,
						 object);
	}
}

static void read_group(struct config_reader *reader,
		       const struct setting *setting,
		       const struct config_node *node, void *object)
{
	size_t length = strlen(reader->path);

	if (node->type != NODE_GROUP) {
		wrong_type(reader, setting, node);
		return;
	}
	snprintf(reader->path + length, sizeof(reader->path) - length, "%s.",
		 setting->name);
	read_members(reader, setting->group, node, field(setting, object));
	reader->path[length] = '\0';
}

/* ---- guest kvm */

static void read_disk(struct config_reader *reader,
		      const struct config_node *node, struct machine_disk *disk)
{
	struct config_node path;

	if (node->type != NODE_GROUP) {
		config_errors_add(&reader->errors, node->line,
				  "%s%s (write a group, as in { path = "
				  "\"web.img\"; })",
				  reader->path, type_names[node->type]);
		return;
	}
	if (!config_tree_find(node, "path", &path))
		config_errors_add(&reader->errors, node->line,
				  "%sit has no path (add one, as in path = "
				  "\"web.img\")",
				  reader->path);
	read_members(reader, &config_settings_disk, node, disk);
}

static void read_disks(struct config_reader *reader,
		       const struct setting *setting,
		       const struct config_node *node, void *object)
{
	struct machine_config *machine = field(setting, object);
	size_t length = strlen(reader->path);

	if (node->type != NODE_LIST) {
		wrong_type(reader, setting, node);
		return;
	}
	if (node->count > MACHINE_DISKS) {
		config_errors_add(&reader->errors, node->line,
				  "%s%s: %zu are too many (a VM has %d at "
				  "most)",
				  reader->path, setting->name, node->count,
				  MACHINE_DISKS);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		struct config_node child = config_tree_child(node, i);

		snprintf(reader->path + length, sizeof(reader->path) - length,
			 "disk number %zu: ", i + 1);
		read_disk(reader, &child, &machine->disks[i]);
		machine->disk_count++;
	}
	reader->path[length] = '\0';
}

/* Counts the settings for guest kvm that node has, and calls note() for
 * each, unless it is NULL. */
static size_t each_of_machine(struct config_reader *reader,
			      const struct config_node *node,
			      void (*note)(struct config_reader *reader,
					   const struct config_node *child))
{
	size_t count = 0;

	for (size_t i = 0; i < config_settings_vm.count; i++) {
		const struct setting *setting = &config_settings_vm.settings[i];
		struct config_node child;

		if (!setting->of_machine ||
		    !config_tree_find(node, setting->name, &child))
			continue;
		count++;
		if (note)
			note(reader, &child);
	}
	return count;
}

static void refuse_of_machine(struct config_reader *reader,
			      const struct config_node *child)
{
	config_errors_add(&reader->errors, child->line,
			  "%s%s is for a VM with guest kvm (add guest = "
			  "\"kvm\", or remove it)",
			  reader->path, child->name);
}

static bool sound_for(const struct config_reader *reader,
		      const struct config_node *node, const char *setting)
{
	struct config_node defaults = *node;

	config_tree_find(&reader->root, "defaults", &defaults);
	return config_tree_sound(node, setting) &&
	       config_tree_sound(&defaults, setting);
}

/* Checks the settings for guest kvm against the guest, when all were read. */
static void check_machine(struct config_reader *reader,
			  const struct config_node *node, struct vm_config *vm)
{
	struct config_node guest = *node;

	if (!sound_for(reader, node, "guest"))
		return;
	if (vm->guest != GUEST_KVM) {
		each_of_machine(reader, node, refuse_of_machine);
		machine_free(vm->machine);
		vm->machine = NULL;
	} else if (!vm->machine->kernel[0] &&
		   sound_for(reader, node, "kernel")) {
		config_tree_find(node, "guest", &guest);
		config_errors_add(&reader->errors, guest.line,
				  "%sit has guest kvm and no kernel (add one, "
				  "as in kernel = \"/boot/vmlinuz\")",
				  reader->path);
	}
}

/* ---- VMs */

/* Sets the path of a VM: "VM web: "; by its index if it has no valid name. */
static void name_path(struct config_reader *reader,
		      const struct config_node *node, size_t index)
{
	struct config_node name;

	if (config_tree_find(node, "name", &name) && name.type == NODE_STRING &&
	    vm_name_valid(name.value.string))
		snprintf(reader->path, sizeof(reader->path),
			 "VM %s: ", name.value.string);
	else
		snprintf(reader->path, sizeof(reader->path),
			 "VM number %zu: ", index + 1);
}

static void read_vm(struct config_reader *reader,
		    const struct config_node *node, size_t index,
		    struct vm_config *vm)
{
	struct config_node name;

	name_path(reader, node, index);
	if (node->type != NODE_GROUP) {
		config_errors_add(&reader->errors, node->line,
				  "%s%s (write a group, as in { name = "
				  "\"web\"; })",
				  reader->path, type_names[node->type]);
	} else {
		if (!config_tree_find(node, "name", &name))
			config_errors_add(&reader->errors, node->line,
					  "%sit has no name (add one, as in "
					  "name = \"web\")",
					  reader->path);
		vm->machine = machine_copy(reader->config->defaults.machine);
		if (!vm->machine) {
			out_of_memory(reader);
			return;
		}
		read_members(reader, &config_settings_vm, node, vm);
		check_machine(reader, node, vm);
	}
	reader->path[0] = '\0';
}

static void read_vms(struct config_reader *reader,
		     const struct setting *setting,
		     const struct config_node *node, void *object)
{
	struct config *config = object;

	if (node->type != NODE_LIST) {
		wrong_type(reader, setting, node);
		return;
	}
	if (!node->count)
		return;
	reader->vms = calloc(node->count, sizeof(*reader->vms));
	if (!reader->vms) {
		out_of_memory(reader);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		struct config_node child = config_tree_child(node, i);
		struct problem problem;
		struct vm_config *vm = config_add_unnamed(config, &problem);

		if (!vm) {
			config_errors_add(&reader->errors, child.line, "%s",
					  problem.text);
			return;
		}
		reader->vms[i] = child;
		read_vm(reader, &child, i, vm);
	}
}

void config_reader_run(struct config_reader *reader)
{
	struct config_node defaults;

	if (config_tree_find(&reader->root, "defaults", &defaults) &&
	    each_of_machine(reader, &defaults, NULL)) {
		reader->config->defaults.machine = machine_new();
		if (!reader->config->defaults.machine) {
			out_of_memory(reader);
			return;
		}
	}
	read_members(reader, &config_settings_root, &reader->root,
		     reader->config);
}
