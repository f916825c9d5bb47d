/* SPDX-License-Identifier: ISC */
/* The counters of the machine, by name, in as many messages as are needed. */
#include "vmproc/kvm/counters.h"

#include <stdio.h>
#include <string.h>

#include "vmproc/virtio/devices.h"

static const char *const exit_names[EXITS] = {
#define X(id, name, reason) [EXIT_##id] = "exits." name,
	EXIT_TABLE(X)
#undef X
		[EXIT_OTHER] = "exits.other",
};

struct teller {
	struct vmproc *vm;
	union msg message;
};

static void send_counters(struct teller *teller, bool last)
{
	teller->message.counters.last = last;
	vmproc_send(teller->vm, MSG_COUNTERS, &teller->message);
	memset(&teller->message, 0, sizeof(teller->message));
}

static void tell(void *ctx, const char *name, uint64_t value)
{
	struct teller *teller = ctx;
	struct msg_counters *counters = &teller->message.counters;

	if (counters->count == COUNTERS_MAX)
		send_counters(teller, false);
	snprintf(counters->item[counters->count].name, COUNTER_NAME, "%s",
		 name);
	counters->item[counters->count].value = value;
	counters->count++;
}

void counters_tell(struct vmproc *vm, struct machine *machine)
{
	struct uart_counts console = uart_counts(&machine->board.uart);
	struct teller teller = { .vm = vm };

	for (unsigned int kind = 0; kind < EXITS; kind++) {
		uint64_t sum = 0;

		for (unsigned int i = 0; i < machine->vcpus; i++)
			sum += machine->vcpu[i].exits[kind];
		tell(&teller, exit_names[kind], sum);
	}
	tell(&teller, "console.bytes", console.bytes);
	tell(&teller, "console.lost", console.lost);
	devices_counters(tell, &teller);
	send_counters(&teller, true);
}
