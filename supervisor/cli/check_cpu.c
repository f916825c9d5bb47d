/* SPDX-License-Identifier: ISC */
/* vmsup check: what VMs can learn of each other through a shared
 * processor or shared memory. */
#include "supervisor/cli/check_cpu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "supervisor/cli/proc.h"

#define CPU_DIR "/sys/devices/system/cpu"

/* Reads the first line of a file of sysfs. False:
 * this kernel lacks the file. */
static bool read_line(const char *path, char *line, size_t size)
{
	if (proc_read(AT_FDCWD, path, line, size) < 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static bool core_scheduling(void)
{
	unsigned long cookie;

	return prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0,
		     PR_SCHED_CORE_SCOPE_THREAD, &cookie) == 0;
}

bool check_smt(struct finding *finding)
{
	char active[16];

	if (!read_line(CPU_DIR "/smt/active", active, sizeof(active)))
		return finding_there(finding, "this kernel knows of none");
	if (strcmp(active, "0") == 0)
		return finding_there(finding, "off: no two VMs share a core at "
					      "one time");
	if (core_scheduling())
		return finding_missing(
			finding, "on: VMs that run on one core at one time "
				 "can learn of each other (core_scheduling "
				 "= true, or boot with nosmt)");
	return finding_missing(
		finding, "on: VMs that run on one core at one time can "
			 "learn of each other, and this kernel has no core "
			 "scheduling (boot with nosmt)");
}

bool check_mitigations(struct finding *finding)
{
	static const char path[] = CPU_DIR "/vulnerabilities";
	char names[96] = "";
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return finding_missing(
			finding,
			"%s: %s: this kernel doesn't say which of "
			"the processor's holes are open",
			path, strerror(errno));
	while ((entry = readdir(dir))) {
		char file[sizeof(path) + 64], state[256];
		size_t length = strlen(names);

		snprintf(file, sizeof(file), "%s/%.60s", path, entry->d_name);
		if (entry->d_name[0] == '.' ||
		    !read_line(file, state, sizeof(state)) ||
		    !strstr(state, "ulnerable"))
			continue;
		snprintf(names + length, sizeof(names) - length, "%s%.40s",
			 length ? ", " : "", entry->d_name);
	}
	closedir(dir);
	if (names[0])
		return finding_missing(finding,
				       "open to guests: %s (new microcode and "
				       "kernel, no mitigations=off)",
				       names);
	return finding_there(finding, "none of the processor's holes that this "
				      "kernel knows is open");
}

bool check_ksm(struct finding *finding)
{
	char run[16];

	if (!read_line("/sys/kernel/mm/ksm/run", run, sizeof(run)) ||
	    strcmp(run, "1") != 0)
		return finding_there(finding, "off: the host merges no pages");
	return finding_there(finding, "on, for those who ask: VM processes "
				      "don't");
}
