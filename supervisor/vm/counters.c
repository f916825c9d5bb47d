/* SPDX-License-Identifier: ISC */
/*
 * Counters of a kvm guest's devices and exits.
 *
 * Theory of operation: a process tells them on request only, in as many
 * messages as it takes, the last of which says so. Names and number are its
 * own, so both are checked and bounded. A set is shown when it is whole.
 */
#include "supervisor/vm/counters.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/control/waiting.h"
#include "supervisor/vm/firsthop.h"
#include "supervisor/vm/vm.h"

struct counters {
	json_t *whole, *partial; /* owned; NULL: none */
	bool asked;
	bool due; /* must arrive before the STATS requested after them */
	uint32_t told; /* how many came since the request */
	struct call_list calls; /* calls of Stats that wait for counters */
};

static struct counters *counters_of(struct vm *vm)
{
	if (!vm->counters)
		vm->counters = calloc(1, sizeof(*vm->counters));
	return vm->counters;
}

int counters_ask(struct vm *vm)
{
	struct counters *counters = counters_of(vm);
	int error;

	if (!counters)
		return -ENOMEM;
	if (counters->asked)
		return 0;
	error = channel_signal(&vm->process.channel, MSG_COUNTERS_REQUEST);
	if (error)
		return error;
	counters->asked = true;
	counters->due = false;
	counters->told = 0;
	json_decref(counters->partial);
	counters->partial = json_object();
	return counters->partial ? 0 : -ENOMEM;
}

static bool is_name(const char name[COUNTER_NAME])
{
	size_t length = strnlen(name, COUNTER_NAME);

	return length > 0 && length < COUNTER_NAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._") == length;
}

static void answer(struct vm *vm)
{
	struct counters *counters = vm->counters;
	json_t *all;

	if (LIST_EMPTY(&counters->calls))
		return;
	all = json_copy(counters->whole);
	firsthop_add_counters(vm, all);
	waiting_reply(&counters->calls, json_pack("{s:o}", "counters", all));
}

const char *counters_take(struct vm *vm, const struct msg_counters *message)
{
	struct counters *counters = vm->counters;

	if (!counters || !counters->asked)
		return "COUNTERS without a request";
	if (message->count > COUNTERS_MAX || message->last > 1 ||
	    (message->count == 0 && !message->last))
		return "COUNTERS malformed";
	for (uint32_t i = 0; i < message->count; i++) {
		uint64_t value = message->item[i].value;

		if (!is_name(message->item[i].name))
			return "COUNTERS of a bad name";
		/* those of a name that was told already count as well: it
		 * would go on for ever */
		if (counters->told++ >= COUNTERS_NAMES)
			return "too many COUNTERS";
		json_object_set_new(counters->partial, message->item[i].name,
				    json_integer(value > INT64_MAX
							 ? INT64_MAX
							 : (json_int_t)value));
	}
	if (!message->last)
		return NULL;
	json_decref(counters->whole);
	counters->whole = counters->partial;
	counters->partial = NULL;
	counters->asked = false;
	answer(vm);
	return NULL;
}

json_t *counters_json(const struct vm *vm)
{
	if (vm->counters && vm->counters->whole)
		return json_incref(vm->counters->whole);
	return json_object();
}

void counters_call(struct vm *vm, struct call *call)
{
	if (counters_ask(vm) < 0)
		call_failed(call, "the VM process doesn't listen");
	else if (!waiting_add(&vm->counters->calls, call,
			      sizeof(struct waiting)))
		call_failed(call, "out of memory");
}

json_t *counters_save(const struct vm *vm)
{
	return json_boolean(vm->counters && vm->counters->asked);
}

int counters_load(struct vm *vm, const json_t *saved)
{
	struct counters *counters;

	if (!json_is_true(saved))
		return 0;
	/* the first part may have come already: this set is not shown */
	counters = counters_of(vm);
	if (!counters)
		return -ENOMEM;
	counters->asked = true;
	counters->partial = json_object();
	return counters->partial ? 0 : -ENOMEM;
}

void counters_expect(struct vm *vm)
{
	if (vm->counters)
		vm->counters->due = vm->counters->asked;
}

void counters_check(struct vm *vm)
{
	struct counters *counters = vm->counters;

	if (!counters || !counters->due || !counters->asked)
		return;
	/* the channel was full, or the process didn't send them */
	counters->asked = false;
	json_decref(steal_mem(&counters->partial));
	waiting_fail(&counters->calls,
		     "the VM process didn't tell its counters");
}

void counters_abandon(struct vm *vm)
{
	struct counters *counters = vm->counters;

	if (!counters)
		return;
	counters->asked = false;
	json_decref(steal_mem(&counters->partial));
	json_decref(steal_mem(&counters->whole));
	waiting_fail(&counters->calls, "the VM process died");
}

void counters_uninit(struct vm *vm)
{
	counters_abandon(vm);
	free(vm->counters);
	vm->counters = NULL;
}
