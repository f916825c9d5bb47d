/* SPDX-License-Identifier: ISC */
/* A configuration's bytes, made safe for libconfig to parse. */
#ifndef VMSUP_SUPERVISOR_CONFIG_TEXT_H
#define VMSUP_SUPERVISOR_CONFIG_TEXT_H

#include <stddef.h>

#include "supervisor/config/config_tree.h"

/* Over a hundred times a full configuration of a small host. */
#define CONFIG_TEXT_MAX_BYTES (4 * 1024 * 1024)

/*
 * Copies the length bytes at raw, behind which is a NUL, with every integer
 * marked as 64 bits wide and the line breaks kept. The copy ends with NUL and
 * is the caller's; NULL with error set for what libconfig must not see: a NUL
 * byte, @include, a number that doesn't fit, a comment without an end, too many
 * settings.
 */
char *config_text_prepare(const char *raw, size_t length,
			  struct config_tree_error *error);

#endif
