/* SPDX-License-Identifier: ISC */
/*
 * The tree of settings, by libconfig. Only this file includes libconfig's
 * header: in all others, config_init() and config_read() are our own.
 */
#include "supervisor/config/config_tree.h"

#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/config/config_text.h"

/* No path below this one can be opened, if an @include should get through. */
#define NO_DIRECTORY "/dev/null"
#define FIRST_ROOM   (16 * 1024)

struct config_tree {
	config_t config;
};

static void fail_reading(struct config_tree_error *error, const char *text)
{
	error->line = 0;
	snprintf(error->text, sizeof(error->text), "%s", text);
}

/* Reads a whole file, and adds a NUL. The caller's; NULL with error set. */
static char *read_all(FILE *file, size_t *length,
		      struct config_tree_error *error)
{
	cleanup_free char *bytes = NULL;
	size_t room = 0, got;

	*length = 0;
	errno = 0;
	do {
		char *larger;

		if (*length == room) {
			room = room ? 2 * room : FIRST_ROOM;
			larger = realloc(bytes, room + 1);
			if (!larger) {
				fail_reading(error, "out of memory");
				return NULL;
			}
			bytes = larger;
		}
		got = fread(bytes + *length, 1, room - *length, file);
		*length += got;
	} while (got > 0 && *length <= CONFIG_TEXT_MAX_BYTES);
	if (ferror(file)) {
		snprintf(error->text, sizeof(error->text),
			 "cannot be read: %s (name a text file)",
			 strerror(errno ? errno : EIO));
		error->line = 0;
		return NULL;
	}
	if (*length > CONFIG_TEXT_MAX_BYTES) {
		fail_reading(error,
			     "too large to be a configuration (at most 4 MiB)");
		return NULL;
	}
	bytes[*length] = '\0';
	return steal_mem(&bytes);
}

/* Puts an error of libconfig into a user's words. */
static void explain(const config_t *config, struct config_tree_error *error)
{
	static const struct {
		const char *said, *meant;
	} meanings[] = {
		{ "syntax error",
		  "syntax error (look for a missing quote, "
		  "semicolon or bracket, here or just before)" },
		{ "duplicate setting name",
		  "a setting given twice (remove one of the two)" },
		{ "memory exhausted", "nested too deeply (remove brackets)" },
	};
	const char *said = config_error_text(config);

	error->line = config_error_line(config) > 0
			      ? (unsigned int)config_error_line(config)
			      : 1;
	for (size_t i = 0; said && i < ARRAY_SIZE(meanings); i++)
		if (!strcmp(said, meanings[i].said))
			said = meanings[i].meant;
	snprintf(error->text, sizeof(error->text), "%s",
		 said ? said : "cannot be parsed (see vmsup.conf(5))");
}

struct config_tree *config_tree_read(FILE *file,
				     struct config_tree_error *error)
{
	struct config_tree *tree;
	cleanup_free char *bytes = NULL, *text = NULL;
	size_t length;

	bytes = read_all(file, &length, error);
	if (!bytes)
		return NULL;
	text = config_text_prepare(bytes, length, error);
	if (!text)
		return NULL;
	tree = malloc(sizeof(*tree));
	if (!tree) {
		fail_reading(error, "out of memory");
		return NULL;
	}
	config_init(&tree->config);
	config_set_include_dir(&tree->config, NO_DIRECTORY);
	if (config_read_string(&tree->config, text) != CONFIG_TRUE) {
		explain(&tree->config, error);
		config_tree_free(tree);
		return NULL;
	}
	return tree;
}

void config_tree_free(struct config_tree *tree)
{
	if (!tree)
		return;
	config_destroy(&tree->config);
	free(tree);
}

static struct config_node node_of(const struct config_setting_t *setting)
{
	struct config_node node = { .setting = setting,
				    .name = config_setting_name(setting),
				    .line = setting->line ? setting->line : 1 };

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
	case CONFIG_TYPE_LIST:
	case CONFIG_TYPE_ARRAY:
		node.type = config_setting_is_group(setting)  ? NODE_GROUP
			    : config_setting_is_list(setting) ? NODE_LIST
							      : NODE_ARRAY;
		node.count = (size_t)config_setting_length(setting);
		break;
	case CONFIG_TYPE_BOOL:
		node.type = NODE_BOOL;
		node.value.truth = config_setting_get_bool(setting);
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		node.type = NODE_INTEGER;
		node.value.integer = config_setting_get_int64(setting);
		break;
	case CONFIG_TYPE_FLOAT:
		node.type = NODE_FLOAT;
		node.value.number = config_setting_get_float(setting);
		break;
	default:
		node.type = NODE_STRING;
		node.value.string = config_setting_get_string(setting);
		if (!node.value.string)
			node.value.string = "";
	}
	return node;
}

struct config_node config_tree_root(const struct config_tree *tree)
{
	return node_of(config_root_setting(&tree->config));
}

struct config_node config_tree_child(const struct config_node *node,
				     size_t index)
{
	return node_of(
		config_setting_get_elem(node->setting, (unsigned int)index));
}

/* Finds the member of group that the first length bytes of path name. */
static const struct config_setting_t *
member(const struct config_setting_t *group, const char *path, size_t length)
{
	if (!config_setting_is_group(group))
		return NULL;
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *child =
			config_setting_get_elem(group, (unsigned int)i);

		if (!strncmp(child->name, path, length) &&
		    child->name[length] == '\0')
			return child;
	}
	return NULL;
}

bool config_tree_find(const struct config_node *group, const char *path,
		      struct config_node *found)
{
	const struct config_setting_t *at = group->setting;
	size_t length;

	for (; at && *path; path += length + (path[length] == '.')) {
		length = strcspn(path, ".");
		at = member(at, path, length);
	}
	if (at)
		*found = node_of(at);
	return at != NULL;
}

void config_tree_mark_wrong(const struct config_node *node)
{
	/* A hook is libconfig's field for data of its user: here, the mark. */
	union {
		const struct config_setting_t *read_only;
		struct config_setting_t *setting;
	} writable = { .read_only = node->setting };

	config_setting_set_hook(writable.setting, writable.setting);
}

bool config_tree_sound(const struct config_node *group, const char *path)
{
	const struct config_setting_t *at = group->setting;
	size_t length;

	for (; *path; path += length + (path[length] == '.')) {
		length = strcspn(path, ".");
		at = member(at, path, length);
		if (!at)
			return true;
		if (config_setting_get_hook(at))
			return false;
	}
	return true;
}
