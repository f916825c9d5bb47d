/* SPDX-License-Identifier: ISC */
/*
 * Any JSON as the state of a VM, of the configuration and of the events. What
 * is accepted can be saved and is accepted again, the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/state/state.h"
#include "supervisor/state/state_config.h"
#include "supervisor/state/state_events.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load(struct vm *vm, const json_t *json)
{
	struct problem problem = { .text = "" };
	int error;

	memset(vm, 0, sizeof(*vm));
	vm->tap.fd = vm->process.pid_fd = vm->process.listener_fd =
		vm->process.channel.fd = -1;
	/* the least that a document must say to be loaded again */
	strcpy(vm->config.name, "vm0");
	vm->uid = 1;
	vm->config.restart.delay_min_ms = vm->config.restart.delay_max_ms = 1;
	vm->config.restart.crash_window_ms = 1;
	vm->config.timeouts.start_ms = vm->config.timeouts.heartbeat_ms = 10;
	vm->config.timeouts.watchdog_ms = 20;
	vm->process.pid = 1;
	vm->process.protocol = 1;
	error = state_vm_load(vm, json, &problem);
	if (!error != !problem.text[0])
		abort();
	vm->timer.armed = vm->timer.due_ns != 0;
	vm->heartbeat.timer.armed = vm->heartbeat.timer.due_ns != 0;
	return error;
}

static void uninit(struct vm *vm)
{
	struct machine_config *machine = vm->config.machine;

	/* numbers only, and nobody's */
	if (machine) {
		machine->kernel_fd = machine->initrd_fd = -1;
		for (int i = 0; i < MACHINE_DISKS; i++)
			machine->disks[i].fd = -1;
	}
	machine_free(machine);
	vm->config.machine = NULL;
	deaths_uninit(&vm->deaths);
	vmlog_uninit(&vm->log.kept);
}

static void try_vm(const json_t *json)
{
	json_t *saved, *again;
	struct vm vm;

	if (load(&vm, json) < 0) {
		uninit(&vm);
		return;
	}
	saved = state_vm_save(&vm, STATE_UPGRADE);
	uninit(&vm);
	if (!saved || load(&vm, saved) < 0)
		abort();
	again = state_vm_save(&vm, STATE_UPGRADE);
	if (!json_equal(saved, again))
		abort();
	uninit(&vm);
	json_decref(saved);
	json_decref(again);
}

static void try_config(const json_t *json)
{
	struct problem problem;
	struct config config;
	json_t *saved;

	config_init(&config);
	if (state_config_load(&config, json, &problem) == 0) {
		saved = state_config_save(&config);
		if (!saved || state_config_load(&config, saved, &problem) < 0)
			abort();
		json_decref(saved);
	}
	config_uninit(&config);
}

static void try_events(const json_t *json)
{
	static struct events events;
	struct problem problem;
	json_t *saved, *again;

	if (state_events_load(&events, json, &problem) < 0)
		return;
	saved = state_events_save(&events);
	if (!saved || state_events_load(&events, saved, &problem) < 0)
		abort();
	again = state_events_save(&events);
	if (!json_equal(saved, again))
		abort();
	json_decref(saved);
	json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size,
				  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	try_vm(json);
	try_config(json);
	try_events(json);
	json_decref(json);
	return 0;
}
