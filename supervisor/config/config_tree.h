/* SPDX-License-Identifier: ISC */
/* Parses the text of a configuration into a tree of settings, by libconfig. */
#ifndef VMSUP_SUPERVISOR_CONFIG_TREE_H
#define VMSUP_SUPERVISOR_CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config_tree;
struct config_setting_t; /* libconfig's: one setting */

enum node_type {
	NODE_GROUP, /* { } */
	NODE_LIST, /* ( ) */
	NODE_ARRAY, /* [ ] */
	NODE_BOOL,
	NODE_INTEGER,
	NODE_FLOAT,
	NODE_STRING,
	NODE_TYPES
};

struct config_node {
	const struct config_setting_t *setting;
	const char *name; /* NULL: an element of a list, or the root */
	enum node_type type;
	unsigned int line;
	size_t count; /* the children of a group or list */
	union {
		bool truth;
		long long integer;
		double number;
		const char *string;
	} value;
};

/* Where and why a text can't be parsed. */
struct config_tree_error {
	unsigned int line; /* 0: the file as a whole */
	char text[160];
};

/* Reads file to its end and parses it. The tree is the caller's, for
 * config_tree_free(); NULL with error set. */
struct config_tree *config_tree_read(FILE *file,
				     struct config_tree_error *error);
void config_tree_free(struct config_tree *tree);

struct config_node config_tree_root(const struct config_tree *tree);
/* The child at index, which must be below node->count. */
struct config_node config_tree_child(const struct config_node *node,
				     size_t index);
/* Finds path ("name", "restart.jitter") below a
 * group. False: it isn't there. */
bool config_tree_find(const struct config_node *group, const char *path,
		      struct config_node *found);

/* Marks a setting as wrong, so that no check uses it.
 * config_tree_sound() is true for a setting that is absent, or if
 * neither it nor a group around it is marked. */
void config_tree_mark_wrong(const struct config_node *node);
bool config_tree_sound(const struct config_node *group, const char *path);

#endif
