/* SPDX-License-Identifier: ISC */
/* Values of a configuration file, setting by setting, into a struct config. */
#ifndef VMSUP_SUPERVISOR_CONFIG_READER_H
#define VMSUP_SUPERVISOR_CONFIG_READER_H

#include "supervisor/config/config.h"
#include "supervisor/config/config_errors.h"
#include "supervisor/config/config_tree.h"

struct config_reader {
	struct config *config; /* without VMs at first */
	struct config_errors errors;
	struct config_node root;
	struct config_node *vms; /* one for each of config->vms; owned */
	const char *file; /* its name: paths are relative to its directory */
	char path[96]; /* of the group being read, as in "bridge." */
};

/* Takes over what the file at root says of each setting. Errors are noted, and
 * their settings marked as wrong in the tree. */
void config_reader_run(struct config_reader *reader);

#endif
