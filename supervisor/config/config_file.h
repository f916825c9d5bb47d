/* SPDX-License-Identifier: ISC */
/* The configuration file, read and checked. */
#ifndef VMSUP_SUPERVISOR_CONFIG_FILE_H
#define VMSUP_SUPERVISOR_CONFIG_FILE_H

#include <stdio.h>

#include "supervisor/config/config.h"

/*
 * Reads a configuration from file. All of it is checked: syntax, unknown
 * settings, types, ranges, names and addresses that two VMs have, addresses
 * outside the bridge's subnet. name is the file's, for messages; relative paths
 * in the file start at its directory. Writes each error to errors, as
 * "FILE:LINE: what (remedy)". config comes from config_init(), and goes to
 * config_uninit() in any case. Returns 0 or -EINVAL.
 */
int config_read(struct config *config, FILE *file, const char *name,
		FILE *errors) CONFIG_SYMBOL(config_read);

#endif
