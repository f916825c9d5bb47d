/* SPDX-License-Identifier: ISC */
/* The options of vmsup run that make a VM one with guest kvm. */
#include "supervisor/cli/run_machine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/cli/files.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/text.h"
#include "supervisor/lib/value.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_machine.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

/* Makes the path absolute: so Status tells which file it is. */
static int set_path(char path[MACHINE_PATH], const char *given)
{
	cleanup_free char *whole = realpath(given, NULL);
	const char *text = whole ? whole : given;

	if (strlen(text) >= MACHINE_PATH)
		return report_error("%s: longer than %d characters", text,
				    MACHINE_PATH - 1);
	memcpy(path, text, strlen(text) + 1);
	return CLI_OK;
}

static int set_memory(struct machine_config *machine, const char *text)
{
	if (!text)
		return CLI_OK;
	if (value_size(text, &machine->memory_bytes) < 0 ||
	    machine->memory_bytes < MACHINE_MEMORY_MIN ||
	    machine->memory_bytes > MACHINE_MEMORY_MAX ||
	    machine->memory_bytes % MIB != 0)
		return report_usage(
			"run",
			"--memory: \"%s\" is no size such as 512M or "
			"2G (whole MiB, %llu MiB to %llu TiB)",
			text, MACHINE_MEMORY_MIN / MIB,
			MACHINE_MEMORY_MAX / TIB);
	return CLI_OK;
}

static int set_number(uint32_t *number, const char *option, const char *text,
		      long max)
{
	long value;

	if (!text)
		return CLI_OK;
	if (!text_number(text, 1, max, &value))
		return report_usage("run",
				    "--%s: \"%s\" is no number from 1 to %ld",
				    option, text, max);
	*number = (uint32_t)value;
	return CLI_OK;
}

static int set_vhost(struct machine_config *machine, const char *text)
{
	static const char *const names[] = {
		[VHOST_AUTO] = "auto",
		[VHOST_ON] = "on",
		[VHOST_OFF] = "off",
	};

	for (uint32_t i = 0; text && i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0) {
			machine->vhost = i;
			return CLI_OK;
		}
	return text ? report_usage(
			      "run",
			      "--vhost: \"%s\" is none of auto, on and off",
			      text)
		    : CLI_OK;
}

/* Parses "web.img,ro,direct". */
static int set_disk(struct machine_config *machine, const char *given)
{
	struct machine_disk *disk = &machine->disks[machine->disk_count];
	char text[PATH_MAX + 32], *word;

	if (machine->disk_count == MACHINE_DISKS)
		return report_usage("run", "--disk: a VM has %d at most",
				    MACHINE_DISKS);
	if (strlen(given) >= sizeof(text))
		return report_usage("run", "--disk: the path is too long");
	memcpy(text, given, strlen(given) + 1);
	while ((word = strrchr(text, ','))) {
		if (strcmp(word, ",ro") == 0)
			disk->read_only = true;
		else if (strcmp(word, ",direct") == 0)
			disk->direct = true;
		else if (strcmp(word, ",raw") == 0)
			disk->raw = true;
		else
			break; /* the comma is a part of the name */
		*word = '\0';
	}
	machine->disk_count++;
	return set_path(disk->path, text);
}

static int refuse_without_kernel(const struct run_machine *options)
{
	const struct {
		const char *name;
		bool given;
	} others[] = {
		{ "initrd", options->initrd },
		{ "cmdline", options->cmdline },
		{ "memory", options->memory },
		{ "cpus", options->cpus },
		{ "queues", options->queues },
		{ "vhost", options->vhost },
		{ "disk", options->disk_count },
		{ "nic", options->nic },
		{ "hugepages", options->hugepages },
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].given)
			return report_usage("run",
					    "--%s is for a VM with a --kernel",
					    others[i].name);
	return CLI_OK;
}

static int fill_machine(struct machine_config *machine,
			const struct run_machine *options)
{
	int status = set_path(machine->kernel, options->kernel);

	if (!status && options->initrd)
		status = set_path(machine->initrd, options->initrd);
	if (!status && options->cmdline &&
	    strlen(options->cmdline) >= MACHINE_CMDLINE)
		status = report_usage("run",
				      "--cmdline: longer than %d characters",
				      MACHINE_CMDLINE - 1);
	if (!status && options->cmdline)
		memcpy(machine->cmdline, options->cmdline,
		       strlen(options->cmdline) + 1);
	if (!status)
		status = set_memory(machine, options->memory);
	if (!status)
		status = set_number(&machine->cpus, "cpus", options->cpus,
				    MACHINE_CPUS_MAX);
	machine->queues = options->nic || options->queues ? 1 : 0;
	if (!status)
		status = set_number(&machine->queues, "queues", options->queues,
				    MACHINE_QUEUES);
	if (!status)
		status = set_vhost(machine, options->vhost);
	machine->hugepages = options->hugepages;
	for (size_t i = 0; i < options->disk_count && !status; i++)
		status = set_disk(machine, options->disks[i]);
	return status;
}

int run_machine_make(const struct run_machine *options, const char *vm,
		     struct machine_config **machine)
{
	struct problem problem;
	int status;

	*machine = NULL;
	if (!options->kernel)
		return refuse_without_kernel(options);
	*machine = machine_new();
	if (!*machine)
		return report_error("out of memory");
	status = fill_machine(*machine, options);
	if (!status && files_open(*machine, vm, &problem) < 0)
		status = report_error("%s", problem.text);
	return status;
}

json_t *run_machine_json(const struct machine_config *machine, int *fds,
			 size_t *count)
{
	*count = 0;
	fds[(*count)++] = machine->kernel_fd;
	if (machine->initrd[0])
		fds[(*count)++] = machine->initrd_fd;
	for (uint32_t i = 0; i < machine->disk_count; i++)
		fds[(*count)++] = machine->disks[i].fd;
	return state_machine_save(machine, STATE_CRASH);
}
