/* SPDX-License-Identifier: ISC */
/* The entries of a directory. */
#ifndef VMSUP_SUPERVISOR_LIB_DIR_H
#define VMSUP_SUPERVISOR_LIB_DIR_H

/* Calls each() for each entry of the directory name, which is below dir_fd, but
 * for "." and "..", until it returns other than 0. Returns that, 0, or -errno:
 * the directory can't be opened, or not be read to its end. */
int dir_each(int dir_fd, const char *name,
	     int (*each)(void *ctx, const char *entry), void *ctx);

#endif
