/* SPDX-License-Identifier: ISC */
/* Makes the bytes of a configuration safe for libconfig. */
#ifndef VMSUP_SUPERVISOR_CONFIG_TEXT_H
#define VMSUP_SUPERVISOR_CONFIG_TEXT_H

#include <stddef.h>

#include "supervisor/config/config_tree.h"

/* More than a hundred times the configuration of a small host. */
#define CONFIG_TEXT_MAX_BYTES (4 * 1024 * 1024)

/*
 * Copies length bytes at raw, after which there is a NUL. In the copy
 * each integer is marked as 64 bits wide; lines keep their numbers. The
 * copy ends with NUL and is the caller's. NULL with error set: the text
 * has a NUL byte, @include, a number that doesn't fit, a comment without
 * end, or too many settings.
 */
char *config_text_prepare(const char *raw, size_t length,
			  struct config_tree_error *error);

#endif
