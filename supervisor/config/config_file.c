/* SPDX-License-Identifier: ISC */
/*
 * Reads and checks a configuration file: its syntax (config_tree.c), each
 * setting (config_reader.c), and here the settings against each other.
 */
#include "supervisor/config/config_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/config/config_check.h"
#include "supervisor/config/config_errors.h"
#include "supervisor/config/config_reader.h"
#include "supervisor/config/config_tree.h"
#include "supervisor/config/config_unique.h"

/* The line of the first of two paths that is in the
 * file; else the line of group. */
static unsigned int line_of(const struct config_node *group, const char *path,
			    const char *other)
{
	struct config_node node;

	if (config_tree_find(group, path, &node) ||
	    (other && config_tree_find(group, other, &node)))
		return node.line;
	return group->line;
}

/* Makes the checks of the whole file. Each is skipped if a setting that
 * it uses was found wrong. An error is reported at the line of the
 * first setting that is there. */
static void check_whole(struct config_reader *reader)
{
	static const struct {
		int (*check)(const struct config *config,
			     struct problem *problem);
		const char *path, *other;
		const char *where;
	} checks[] = {
		{ config_check_mtu, "bridge.mtu", "bridge.address6",
		  "bridge.mtu: " },
		{ config_check_uids, "uids.first", "uids.count", "uids: " },
		{ config_check_uid_count, "uids.count", "vms", "" },
		{ config_check_hosts, "bridge.address", "vms", "" },
	};
	struct problem problem;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (config_tree_sound(&reader->root, checks[i].path) &&
		    config_tree_sound(&reader->root, checks[i].other) &&
		    checks[i].check(reader->config, &problem))
			config_errors_add(&reader->errors,
					  line_of(&reader->root, checks[i].path,
						  checks[i].other),
					  "%s%s", checks[i].where,
					  problem.text);
}

/* Checks the pairs of which node, a VM or the defaults, has a setting. */
static void check_orders(struct config_reader *reader,
			 const struct config_node *node,
			 const struct vm_config *vm, const char *where)
{
	struct config_node defaults = *node, found;
	struct problem problem;

	config_tree_find(&reader->root, "defaults", &defaults);
	for (size_t i = 0; i < CONFIG_ORDERS; i++) {
		const struct config_order *order = &config_check_orders[i];

		if ((config_tree_find(node, order->low, &found) ||
		     config_tree_find(node, order->high, &found)) &&
		    config_tree_sound(node, order->low) &&
		    config_tree_sound(node, order->high) &&
		    config_tree_sound(&defaults, order->low) &&
		    config_tree_sound(&defaults, order->high) &&
		    config_check_order(order, vm, &problem))
			config_errors_add(
				&reader->errors,
				line_of(node, order->high, order->low), "%s%s",
				where, problem.text);
	}
}

static void check_vms(struct config_reader *reader)
{
	const struct config *config = reader->config;
	struct config_node defaults;

	if (config_tree_find(&reader->root, "defaults", &defaults))
		check_orders(reader, &defaults, &config->defaults, "defaults.");
	for (size_t i = 0; i < config->vm_count; i++) {
		const struct vm_config *vm = &config->vms[i];
		const struct config_node *node = &reader->vms[i];
		char where[VM_NAME_MAX + 8], tap[IFNAMSIZ];

		snprintf(where, sizeof(where), "VM %s: ", vm->name);
		check_orders(reader, node, vm, where);
		config_unique_tap(config, i, tap);
		if (!strcmp(tap, config->bridge))
			config_errors_add(&reader->errors,
					  line_of(node, "tap", NULL),
					  "%sits TAP %s has the bridge's name "
					  "(choose another)",
					  where, tap);
	}
}

/* A config_unique_fn. */
static void note_shared(void *ctx, enum config_key key, size_t earlier,
			size_t later)
{
	struct config_reader *reader = ctx;
	const char *setting = config_unique_setting(key);
	const struct vm_config *first = &reader->config->vms[earlier];
	const struct config_node *node = &reader->vms[later];

	/* A TAP that a VM has by its index depends on the prefix, too. */
	if (key == CONFIG_KEY_TAP &&
	    !config_tree_sound(&reader->root, "tap_prefix"))
		return;
	config_errors_add(&reader->errors, line_of(node, setting, NULL),
			  "VM %s: its %s is that of VM %s in line %u already "
			  "(give each VM its own)",
			  reader->config->vms[later].name, setting, first->name,
			  line_of(&reader->vms[earlier], setting, NULL));
}

int config_read(struct config *config, FILE *file, const char *name,
		FILE *errors)
{
	struct config_tree_error error;
	struct config_tree *tree = config_tree_read(file, &error);
	struct config_reader reader = { .config = config, .file = name };
	int result = 0;

	config_errors_init(&reader.errors);
	if (!tree) {
		config_errors_add(&reader.errors, error.line, "%s", error.text);
	} else {
		reader.root = config_tree_root(tree);
		config_reader_run(&reader);
		check_whole(&reader);
		check_vms(&reader);
		if (config_unique_check(config, note_shared, &reader))
			config_errors_add(&reader.errors, 0, "out of memory");
	}
	if (config_errors_any(&reader.errors)) {
		config_errors_write(&reader.errors, name, errors);
		result = -EINVAL;
	}
	config_errors_uninit(&reader.errors);
	free(reader.vms);
	config_tree_free(tree);
	return result;
}
