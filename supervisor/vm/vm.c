/* SPDX-License-Identifier: ISC */
/* One VM, as the supervisor knows it: made and freed. */
#include "supervisor/vm/vm.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/vm/console.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/tap.h"

int vm_raise(struct vm *vm, enum vm_event event)
{
	return vm->host->hooks->event(vm, event);
}

static void on_timeout(struct timer *timer)
{
	vm_raise(timer->ctx, VM_TIMEOUT);
}

struct vm *vm_alloc(struct host *host, struct problem *problem)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		problem_set(problem, -ENOMEM,
			    "cannot make a VM: out of memory");
		return NULL;
	}
	vm->host = host;
	vm->tap.fd = vm->kvm_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(vm->tap.queue_fds); i++)
		vm->tap.queue_fds[i] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(vm->vhost_fds); i++)
		vm->vhost_fds[i] = -1;
	vm->process = VM_PROCESS_NONE;
	vm->timer = (struct timer){ .fire = on_timeout, .ctx = vm };
	return vm;
}

struct vm *vm_new(struct host *host, const struct vm_config *config,
		  struct problem *problem)
{
	struct vm *vm = vm_alloc(host, problem);

	if (!vm)
		return NULL;
	vm->config = *config;
	if (uids_take(&host->uids, &vm->uid, problem) < 0) {
		free(vm);
		return NULL;
	}
	if (vm_open_tap(vm, problem) < 0) {
		uids_give(&host->uids, vm->uid);
		free(vm);
		return NULL;
	}
	return vm;
}

void vm_free(struct vm *vm)
{
	loop_timer_cancel(&vm->host->loop, &vm->timer);
	loop_timer_cancel(&vm->host->loop, &vm->heartbeat.timer);
	deaths_uninit(&vm->deaths);
	vmlog_uninit(&vm->log.kept);
	vm_close_tap(vm);
	console_uninit(vm);
	counters_uninit(vm);
	free(vm);
}
