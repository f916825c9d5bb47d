/* SPDX-License-Identifier: ISC */
/*
 * The proof of a cage, from outside: identity, rights, room, limits.
 *
 * Theory of operation: the supervisor says what the cage should be. What the
 * cage is comes from the kernel alone, by /proc: nothing comes from the VM
 * process or from the supervisor. A property that can't be read is not
 * proved, and so doesn't hold.
 */
#include "supervisor/cli/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ipc/fd.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/proc.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/table.h"
#include "supervisor/lib/dir.h"

#define PROC_FILE_SIZE 8192
#define VALUE_SIZE     256

void proof_init(struct proof *proof)
{
	*proof = (struct proof){ .checks = json_array(),
				 .holds = true,
				 .whole = true };
}

void proof_uninit(struct proof *proof)
{
	json_decref(proof->checks);
	proof->checks = NULL;
}

void proof_add(struct proof *proof, const char *check, const char *wanted,
	       const char *found, bool ok)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:b}", "check", check,
				"wanted", wanted, "found", found, "ok", ok);

	/* Without memory for the row, the proof must not hold. */
	if (json_array_append_new(proof->checks, row) || !ok)
		proof->holds = false;
}

void proof_unknown(struct proof *proof, const char *check, const char *wanted,
		   const char *why)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:n}", "check", check,
				"wanted", wanted, "found", why, "ok");

	proof->whole = false;
	if (json_array_append_new(proof->checks, row))
		proof->holds = false;
}

void proof_compare(struct proof *proof, const char *check, const char *wanted,
		   const char *found)
{
	proof_add(proof, check, wanted, found, strcmp(wanted, found) == 0);
}

static const char *outcome_text(const json_t *ok)
{
	if (json_is_null(ok))
		return "?";
	return json_is_true(ok) ? "yes" : "NO";
}

int proof_print(const struct proof *proof)
{
	struct libscols_table *table = table_new(false, false);
	bool good = table && table_column(table, "CHECK", 0) &&
		    table_column(table, "WANTED", TABLE_WRAP) &&
		    table_column(table, "FOUND", TABLE_WRAP) &&
		    table_column(table, "OK", 0);
	json_t *row;
	size_t i;

	json_array_foreach(proof->checks, i, row) {
		const char *cells[] = {
			field_text(row, "check"),
			field_text(row, "wanted"),
			field_text(row, "found"),
			outcome_text(json_object_get(row, "ok")),
		};

		good = good && table_row(table, cells, ARRAY_SIZE(cells));
	}
	if (good)
		return table_print(table);
	table_free(table);
	return report_error("cannot print the table: out of memory");
}

/* ---- identity and rights: /proc/PID/task/TID/status of each thread */

struct threads {
	struct proof *proof; /* the checks of one thread */
	const json_t *cage;
	int task_fd;
	unsigned int count;
};

/* Checks the real, effective, saved and file system
 * ID: each is the VM's own. */
static void check_id(struct proof *proof, const char *key, const char *text,
		     long long id)
{
	char four[VALUE_SIZE], wanted[64], found[VALUE_SIZE];

	snprintf(four, sizeof(four), "%lld %lld %lld %lld", id, id, id, id);
	snprintf(wanted, sizeof(wanted), "%lld, all four", id);
	proc_value(text, key, found, sizeof(found));
	if (strcmp(found, four) == 0)
		proof_add(proof, key, wanted, wanted, true);
	else
		proof_add(proof, key, wanted, found, false);
}

/* A VM process inherits the filters of its supervisor. It adds those
 * of set-up and of stage 2. */
static void check_filters(struct proof *proof, const json_t *cage,
			  const char *text)
{
	static const char key[] = "Seccomp_filters";
	long long filters = field_int(cage, "filters");
	char wanted[VALUE_SIZE], value[VALUE_SIZE];

	/* a thread may have one more, which allows less */
	snprintf(wanted, sizeof(wanted), "%lld%s", filters,
		 field_int(cage, "threads") > 1 ? " or one more" : "");
	proc_value(text, key, value, sizeof(value));
	proof_add(proof, key, wanted, value,
		  filters > 1 && (atoi(value) == filters ||
				  (field_int(cage, "threads") > 1 &&
				   atoi(value) == filters + 1)));
}

static void check_status(struct proof *proof, const json_t *cage,
			 const char *text)
{
	static const struct {
		const char *key, *wanted;
	} lines[] = {
		{ "Groups", "" },
		{ "CapInh", "0000000000000000" },
		{ "CapPrm", "0000000000000000" },
		{ "CapEff", "0000000000000000" },
		{ "CapBnd", "0000000000000000" },
		{ "CapAmb", "0000000000000000" },
		{ "NoNewPrivs", "1" },
		{ "Seccomp", "2" },
	};
	char value[VALUE_SIZE];

	check_id(proof, "Uid", text, field_int(cage, "uid"));
	check_id(proof, "Gid", text, field_int(cage, "uid"));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		bool there =
			proc_value(text, lines[i].key, value, sizeof(value));

		proof_add(proof, lines[i].key, lines[i].wanted,
			  there ? value : "?",
			  there && strcmp(value, lines[i].wanted) == 0);
	}
	check_filters(proof, cage, text);
}

static int check_thread(void *ctx, const char *tid)
{
	struct threads *threads = ctx;
	char path[64], text[PROC_FILE_SIZE];
	struct proof proof;

	snprintf(path, sizeof(path), "%s/status", tid);
	proc_read(threads->task_fd, path, text, sizeof(text));
	proof_init(&proof);
	check_status(&proof, threads->cage, text);
	threads->count++;
	/* All rows of the first thread are shown; of
	 * the others, the failures. */
	if (threads->count == 1 || !proof.holds) {
		json_array_extend(threads->proof->checks, proof.checks);
		threads->proof->holds &= proof.holds;
	}
	proof_uninit(&proof);
	return 0;
}

void proof_identity(struct proof *proof, const json_t *cage, int dir_fd)
{
	struct threads threads = { .proof = proof, .cage = cage };
	char value[VALUE_SIZE], stat[1024], pid[VALUE_SIZE];
	cleanup_fd int task_fd = -1;
	const char *end;
	int session = 0;

	task_fd = openat(dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	threads.task_fd = task_fd;
	dir_each(dir_fd, "task", check_thread, &threads);
	snprintf(value, sizeof(value), "%u", threads.count);
	proof_add(proof, "threads", "1 or more", value, threads.count > 0);
	/* After the name in parentheses: state, ppid, pgrp, session. */
	proc_read(dir_fd, "stat", stat, sizeof(stat));
	end = strrchr(stat, ')');
	if (end)
		sscanf(end + 1, " %*c %*d %*d %d", &session);
	snprintf(pid, sizeof(pid), "%" JSON_INTEGER_FORMAT,
		 field_int(cage, "pid"));
	snprintf(value, sizeof(value), "%d", session);
	proof_compare(proof, "session", pid, value);
}

/* ---- the room: namespaces and root directory */

static void check_namespace(struct proof *proof, const char *name,
			    uint64_t wanted, int dir_fd)
{
	char path[32], own_path[48], check[48], want[32], found[48];
	uint64_t inode, own;

	snprintf(path, sizeof(path), "ns/%s", name);
	snprintf(own_path, sizeof(own_path), "/proc/self/%s", path);
	inode = proc_inode(dir_fd, path);
	own = proc_inode(AT_FDCWD, own_path);
	snprintf(check, sizeof(check), "namespace %s", name);
	snprintf(want, sizeof(want), "%llu", (unsigned long long)wanted);
	snprintf(found, sizeof(found), "%llu%s", (unsigned long long)inode,
		 inode == own ? ", the host's" : "");
	proof_add(proof, check, want, found,
		  inode != 0 && inode == wanted && inode != own);
}

static void check_mounts(struct proof *proof, int dir_fd)
{
	char text[PROC_FILE_SIZE], found[32];
	unsigned int count = 0;

	proc_read(dir_fd, "mountinfo", text, sizeof(text));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		count++;
	snprintf(found, sizeof(found), "%u", count);
	proof_compare(proof, "mounts", "1", found);
}

static int count_entry(void *ctx, const char *entry)
{
	unsigned int *count = ctx;

	(void)entry;
	(*count)++;
	return 0;
}

static void check_root(struct proof *proof, int dir_fd)
{
	unsigned int count = 0;
	struct statvfs fs;
	char found[80];
	cleanup_fd int fd = -1;
	int error;

	error = dir_each(dir_fd, "root/", count_entry, &count);
	if (error)
		snprintf(found, sizeof(found), "%s", strerror(-error));
	else
		snprintf(found, sizeof(found), "%u entries", count);
	proof_add(proof, "root directory", "0 entries", found,
		  !error && count == 0);
	fd = openat(dir_fd, "root/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		snprintf(found, sizeof(found), "%s", strerror(errno));
	else
		snprintf(found, sizeof(found), "%s",
			 fs.f_flag & ST_RDONLY ? "read-only" : "writable");
	proof_compare(proof, "its file system", "read-only", found);
}

/* wanted may begin with the mount point of cgroup v2. */
static void check_cgroup(struct proof *proof, const char *wanted, int dir_fd)
{
	char text[PROC_FILE_SIZE], found[VALUE_SIZE], mount[VALUE_SIZE];
	size_t length;

	proc_read(dir_fd, "cgroup", text, sizeof(text));
	/* The line of cgroup v2 has the number 0 and no name. */
	proc_value(text, "0:", found, sizeof(found));
	if (proc_cgroup_mount(mount, sizeof(mount))) {
		length = strlen(mount);
		if (strncmp(wanted, mount, length) == 0)
			wanted += length;
	}
	proof_compare(proof, "cgroup", wanted, found);
}

void proof_room(struct proof *proof, const json_t *cage, int dir_fd)
{
	static const char *const names[] = { "mnt", "net", "ipc", "uts" };
	const json_t *inodes = json_object_get(cage, "namespaces");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		check_namespace(proof, names[i],
				(uint64_t)field_int(inodes, names[i]), dir_fd);
	check_root(proof, dir_fd);
	check_mounts(proof, dir_fd);
	if (!field_absent(cage, "cgroup"))
		check_cgroup(proof, field_text(cage, "cgroup"), dir_fd);
}

/* ---- limits */

void proof_limits(struct proof *proof, const json_t *cage, int dir_fd)
{
	const struct {
		const char *line, *check;
		json_int_t most; /* of the soft and the hard limit */
	} limits[] = {
		{ "Max open files", "limit NOFILE",
		  field_int(cage, "open_files") },
		{ "Max processes", "limit NPROC", field_int(cage, "threads") },
		{ "Max core file size", "limit CORE", 0 },
		{ "Max file size", "limit FSIZE",
		  field_int(cage, "file_bytes") },
		{ "Max locked memory", "limit MEMLOCK", 0 },
		{ "Max msgqueue size", "limit MSGQUEUE", 0 },
	};
	char text[PROC_FILE_SIZE], found[64], wanted[32];
	char *end, *hard_end;

	proc_read(dir_fd, "limits", text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		json_int_t most = limits[i].most;
		bool ok =
			proc_limit(text, limits[i].line, found, sizeof(found));

		/* "unlimited" is no number: the check fails. */
		ok = ok && strtoll(found, &end, 10) <= most && *end == '/' &&
		     strtoll(end + 1, &hard_end, 10) <= most &&
		     hard_end != end + 1 && *hard_end == '\0';
		snprintf(wanted, sizeof(wanted),
			 "at most %" JSON_INTEGER_FORMAT, most);
		proof_add(proof, limits[i].check, wanted, found, ok);
	}
}
