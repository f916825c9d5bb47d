/* SPDX-License-Identifier: ISC */
/* What the thread of the first vCPU prepares before the guest runs, and how a
 * thread asks for the shutdown. */
#include "vmproc/kvm/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "ipc/error.h"
#include "vmproc/kvm/acpi.h"
#include "vmproc/kvm/cpu.h"

void machine_end(struct machine *machine, enum shutdown reason, const char *why,
		 ...)
{
	static struct lock once;
	const uint64_t one = 1;
	va_list args;

	lock_take(&once);
	if (atomic_load(&machine->shutdown) == SHUTDOWN_NONE) {
		if (why) {
			va_start(args, why);
			vsnprintf(machine->why, sizeof(machine->why), why,
				  args);
			va_end(args);
		}
		atomic_store(&machine->shutdown, (int)reason);
	}
	lock_release(&once);
	if (write(machine->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		_exit(VMPROC_EXIT_OS);
}

static void tables_written(int error)
{
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "tables in memory: %s",
			   error_name(-error));
}

void machine_furnish(struct machine *machine)
{
	const struct memory *memory = &machine->memory;
	int error;

	boot_warm(memory, &machine->boot);
	error = acpi_write(memory, machine->vcpus);
	if (!error)
		error = cpu_tables(memory);
	if (!error)
		error = power_reset_vector(memory);
	tables_written(error);
}

void machine_load(struct machine *machine)
{
	struct boot_entry entry;
	struct boot_problem problem;
	int error =
		boot_load(&machine->memory, &machine->boot, &entry, &problem);

	if (error)
		vmproc_end(error == -EINVAL ? VMPROC_EXIT_CONFIG
					    : VMPROC_EXIT_OS,
			   "%s", problem.text);
	tables_written(cpu_enter(&machine->vcpu[0], &entry));
}

void machine_tell_loaded(struct machine *machine)
{
	const uint64_t one = 1;

	atomic_store(&machine->loaded, true);
	if (write(machine->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		vmproc_end(VMPROC_EXIT_OS, "wake-up: %s", error_name(errno));
}
