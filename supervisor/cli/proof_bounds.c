/* SPDX-License-Identifier: ISC */
/* The proof of a cage: what the VM may use of the host, by its cgroup. */
#include "supervisor/cli/proof_bounds.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/field.h"
#include "supervisor/cli/proc.h"

#define SCORE "oom_score_adj"

/* Reads the first line of a file; "?" if it can't be read. */
static void first_line(int dir_fd, const char *name, char *line, size_t size)
{
	if (proc_read(dir_fd, name, line, size) < 0)
		snprintf(line, size, "?");
	line[strcspn(line, "\n")] = '\0';
}

static void check_score(struct proof *proof, const json_t *bounds, int dir_fd)
{
	long long least = field_int(bounds, SCORE);
	char wanted[48], found[64];

	snprintf(wanted, sizeof(wanted), "%lld or more", least);
	first_line(dir_fd, SCORE, found, sizeof(found));
	proof_add(proof, SCORE, wanted, found,
		  found[0] != '?' && strtoll(found, NULL, 10) >= least);
}

void proof_bounds(struct proof *proof, const json_t *cage, int dir_fd)
{
	json_t *bounds = json_object_get(cage, "bounds");
	const char *key;
	json_t *value;

	json_object_foreach(bounds, key, value) {
		char path[512], wanted[32], found[64];

		if (strcmp(key, SCORE) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s",
			 field_text(cage, "cgroup"), key);
		snprintf(wanted, sizeof(wanted), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		first_line(AT_FDCWD, path, found, sizeof(found));
		proof_compare(proof, key, wanted, found);
	}
	if (json_object_get(bounds, SCORE))
		check_score(proof, bounds, dir_fd);
}
