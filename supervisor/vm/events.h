/* SPDX-License-Identifier: ISC */
/* Events of VMs: the last ones are kept, and each is sent to its listeners. */
#ifndef VMSUP_SUPERVISOR_EVENTS_H
#define VMSUP_SUPERVISOR_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "supervisor/control/waiting.h"
#include "supervisor/vm/vm.h"

#define EVENTS_KEPT 1024

struct event {
	struct timespec time; /* CLOCK_REALTIME */
	char vm[VM_NAME_MAX + 1];
	char name[16];
	enum vm_state state;
	uint64_t generation;
	pid_t pid; /* 0: none */
	char detail[200];
};

/* A call of Events, or of Logs with follow. */
struct listener {
	struct waiting waiting;
	char vm[VM_NAME_MAX + 1]; /* for logs: whose */
	uint64_t lost; /* not sent: the client reads too slowly */
};

struct events {
	struct event ring[EVENTS_KEPT];
	uint64_t count; /* ever */
	struct call_list listeners; /* to events */
	struct call_list followers; /* to the logs of one VM each */
};

/* Records an event of vm and tells who listens. detail may be NULL. */
void events_add(struct events *events, const struct vm *vm, const char *name,
		const char *detail);

/* Answers a call of Events: those of the past, then each to come. Takes over
 * the call. */
void events_listen(struct events *events, struct call *call, bool past);
/* The same for Logs with follow. */
void events_follow(struct events *events, struct call *call, const char *vm);
/* What is to be known of either of them after an upgrade, new; NULL without
 * memory. */
json_t *events_save(const struct call *call);
/* Goes on with a call that was under way before the upgrade, from the first
 * event (vm: NULL) or line of that VM which is still to come. */
void events_resume(struct events *events, struct call *call, const char *vm,
		   const json_t *saved);
/* Sends a line to those who follow that VM's log. */
void events_log(struct events *events, const char *vm,
		const struct vmlog_line *line);
/* Adds a line to the VM's log and to the supervisor's. */
void vm_log(struct vm *vm, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for what the VM process says: nobody takes it for the supervisor's.
 * Control characters of text are replaced. */
void vm_log_process(struct vm *vm, enum log_level level, char *text);
/* Adds a line, without control characters, to the VM's log alone. */
void vm_keep_line(struct vm *vm, enum vmlog_source source, enum log_level level,
		  const char *text);
/* An io.vmsup Event array of the last events. */
json_t *events_past(const struct events *events);

/* Ends every subscription: the streams get their final reply. */
void events_end(struct events *events);

#endif
