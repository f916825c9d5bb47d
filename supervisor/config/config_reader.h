/* SPDX-License-Identifier: ISC */
/* Reads the values of a configuration file into a struct config. */
#ifndef VMSUP_SUPERVISOR_CONFIG_READER_H
#define VMSUP_SUPERVISOR_CONFIG_READER_H

#include "supervisor/config/config.h"
#include "supervisor/config/config_errors.h"
#include "supervisor/config/config_tree.h"

struct config_reader {
	struct config *config; /* at first without VMs */
	struct config_errors errors;
	struct config_node root;
	struct config_node *vms; /* the node of each of config->vms; owned */
	/* the file's name: paths are relative to its directory */
	const char *file;
	char path[96]; /* of the group that is read, such as "bridge." */
};

/* Reads each setting of the file at root. Errors are noted, and their settings
 * are marked as wrong in the tree. */
void config_reader_run(struct config_reader *reader);

#endif
