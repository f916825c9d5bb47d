/* SPDX-License-Identifier: ISC */
/* The configuration file: opened by who is asked to, read, checked whole. */
#ifndef VMSUP_SUPERVISOR_CONFIG_FILE_H
#define VMSUP_SUPERVISOR_CONFIG_FILE_H

#include <stdio.h>

#include "supervisor/config/config.h"

/*
 * Reads a configuration from file, whose name is for messages. Everything in
 * it is checked: syntax, unknown settings, types, ranges, names and addresses
 * used twice, addresses outside the bridge's subnet. Paths in it that don't
 * begin with / are taken from the directory that name is in. Writes every error
 * found to errors, one "FILE:LINE: what (remedy)" each. config is fresh from
 * config_init(). Returns 0 or -EINVAL; config is to be uninited either way.
 */
int config_read(struct config *config, FILE *file, const char *name,
		FILE *errors) CONFIG_SYMBOL(config_read);

#endif
