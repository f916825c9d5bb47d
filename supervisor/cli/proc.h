/* SPDX-License-Identifier: ISC */
/* What /proc says of a process, through a descriptor of its directory, which
 * never becomes that of another process with the same number. */
#ifndef VMSUP_SUPERVISOR_CLI_PROC_H
#define VMSUP_SUPERVISOR_CLI_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* /proc/PID; the caller's, or -errno. */
int proc_open(pid_t pid);

/* Reads a small file into text (cut off if longer). 0 or -errno. */
int proc_read(int dir_fd, const char *name, char *text, size_t size);

/* Copies what stands behind "KEY:" in the text of such a file, white space
 * folded to single blanks. False if there is no such line. */
bool proc_value(const char *text, const char *key, char *value, size_t size);

/* Copies the soft and the hard limit of a line of /proc/PID/limits ("Max open
 * files") as "soft/hard". False if there is no such line. */
bool proc_limit(const char *text, const char *key, char *value, size_t size);

/* The inode behind a link such as "ns/net"; 0: it can't be told. */
uint64_t proc_inode(int dir_fd, const char *name);

/* The target of a link ("fd/3"). 0 or -errno. */
int proc_link(int dir_fd, const char *name, char *target, size_t size);

/* Calls each() for every entry of a directory but . and .., until it returns
 * non-zero, which is the result then; else 0, or -errno. */
int proc_each(int dir_fd, const char *name,
	      int (*each)(void *ctx, const char *entry), void *ctx);

/* True if this kernel is of that version or later. */
bool proc_kernel_is(unsigned int major, unsigned int minor);

/* Where cgroup v2 is mounted. False if it isn't. */
bool proc_cgroup_mount(char *where, size_t size);

#endif
