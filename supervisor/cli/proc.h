/* SPDX-License-Identifier: ISC */
/* Reads /proc of a process, through a descriptor of its directory. The
 * directory stays that of one process, even if its number is used again. */
#ifndef VMSUP_SUPERVISOR_CLI_PROC_H
#define VMSUP_SUPERVISOR_CLI_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens /proc/PID. The descriptor is the caller's; or -errno. */
int proc_open(pid_t pid);

/* Reads a small file into text; a longer one is cut off. 0 or -errno. */
int proc_read(int dir_fd, const char *name, char *text, size_t size);

/* Copies what follows "KEY:" in the text of such a file, with white space
 * folded to single blanks. False: there is no such line. */
bool proc_value(const char *text, const char *key, char *value, size_t size);

/* Copies both limits of a line of /proc/PID/limits ("Max open files") as
 * "soft/hard". False: there is no such line. */
bool proc_limit(const char *text, const char *key, char *value, size_t size);

/* The inode that a link such as "ns/net" leads to. 0: it can't be read. */
uint64_t proc_inode(int dir_fd, const char *name);

/* Reads the target of a link ("fd/3"). 0 or -errno. */
int proc_link(int dir_fd, const char *name, char *target, size_t size);

/* True: this kernel has that version or a later one. */
bool proc_kernel_is(unsigned int major, unsigned int minor);

/* Copies the mount point of cgroup v2. False: it isn't mounted. */
bool proc_cgroup_mount(char *where, size_t size);

#endif
