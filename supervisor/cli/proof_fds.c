/* SPDX-License-Identifier: ISC */
/* The proof of a cage: each descriptor is compared with the manifest. */
#include "supervisor/cli/proof_fds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/proc.h"
#include "supervisor/lib/dir.h"

#define ENTRIES_MAX 512

/* The descriptors that there should be, and how many of each were found. */
struct manifest {
	struct proof *proof;
	int dir_fd;
	int channel_fd; /* the number of the channel */
	bool channel_seen;
	json_t *entries[ENTRIES_MAX]; /* type Descriptor; borrowed */
	json_int_t seen[ENTRIES_MAX];
	size_t count;
};

/* Reads, from fdinfo, the interface that a TAP descriptor is attached to. */
static void read_interface(int dir_fd, const char *fd, char *name, size_t size)
{
	char path[32], text[1024];

	snprintf(path, sizeof(path), "fdinfo/%s", fd);
	proc_read(dir_fd, path, text, sizeof(text));
	proc_value(text, "iff", name, size);
}

/* Whether the target of a link is of a kind. "socket:[123]" is a "socket";
 * "anon_inode:[eventpoll]" is an "anon_inode:[eventpoll]" and an "eventpoll";
 * "/dev/net/tun" is a "/dev/net/tun" and a "tun". */
static bool is_kind(const char *target, const char *kind)
{
	const char *found = strstr(target, kind);
	const char *end = found ? found + strlen(kind) : NULL;

	if (!found || !*kind)
		return false;
	if (found > target && !strchr("/[:", found[-1]))
		return false;
	return *end == '\0' || strchr(":]", *end) || end[-1] == ':';
}

/* Whether the descriptor is the one of that entry. */
static bool matches(const struct manifest *manifest, const json_t *entry,
		    const char *fd, const char *target)
{
	const char *link = field_text(entry, "link");
	const json_t *number = json_object_get(entry, "fd");
	char name[64];

	bool file = strcmp(field_text(entry, "kind"), "file") == 0;

	if (!(file || is_kind(target, field_text(entry, "kind"))) ||
	    (json_is_integer(number) &&
	     json_integer_value(number) != strtol(fd, NULL, 10)))
		return false;
	if (file || !*link || strcmp(target, link) == 0)
		return file ? strcmp(target, link) == 0 : true;
	read_interface(manifest->dir_fd, fd, name, sizeof(name));
	return strcmp(name, link) == 0;
}

static int check_fd(void *ctx, const char *fd)
{
	struct manifest *manifest = ctx;
	char path[32], check[48], target[256];
	size_t i;

	snprintf(path, sizeof(path), "fd/%s", fd);
	if (proc_link(manifest->dir_fd, path, target, sizeof(target)))
		snprintf(target, sizeof(target), "unreadable");
	if (atoi(fd) == manifest->channel_fd && is_kind(target, "socket"))
		manifest->channel_seen = true;
	for (i = 0; i < manifest->count; i++) {
		if (manifest->seen[i] <
			    field_int(manifest->entries[i], "count") &&
		    matches(manifest, manifest->entries[i], fd, target)) {
			manifest->seen[i]++;
			return 0;
		}
	}
	snprintf(check, sizeof(check), "descriptor %s", fd);
	proof_add(manifest->proof, check, "none", target, false);
	return 0;
}

static void read_manifest(struct manifest *manifest, const json_t *cage)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(cage, "descriptors"), i, entry)
		if (manifest->count < ENTRIES_MAX)
			manifest->entries[manifest->count++] = entry;
}

void proof_fds(struct proof *proof, const json_t *cage, int dir_fd)
{
	struct manifest manifest = {
		.proof = proof,
		.dir_fd = dir_fd,
		.channel_fd = (int)field_int(cage, "channel_fd"),
	};
	char check[96], wanted[128], found[32];

	read_manifest(&manifest, cage);
	if (dir_each(dir_fd, "fd", check_fd, &manifest) < 0)
		proof_add(proof, "descriptors", "the manifest", "unreadable",
			  false);
	snprintf(check, sizeof(check), "descriptor %d", manifest.channel_fd);
	proof_compare(proof, check, "the channel",
		      manifest.channel_seen ? "the channel" : "something else");
	for (size_t i = 0; i < manifest.count; i++) {
		const json_t *entry = manifest.entries[i];
		const char *link = field_text(entry, "link");
		bool at_most = json_is_true(json_object_get(entry, "at_most"));

		snprintf(check, sizeof(check), "role %s",
			 field_text(entry, "role"));
		snprintf(wanted, sizeof(wanted),
			 "%s%" JSON_INTEGER_FORMAT " of %s%s%s",
			 at_most ? "at most " : "", field_int(entry, "count"),
			 field_text(entry, "kind"), *link ? " " : "", link);
		snprintf(found, sizeof(found), "%" JSON_INTEGER_FORMAT,
			 manifest.seen[i]);
		proof_add(proof, check, wanted, found,
			  at_most || manifest.seen[i] ==
					     field_int(entry, "count"));
	}
}
