/* SPDX-License-Identifier: ISC */
/* Events of VMs: the last ones are kept, and each is sent to its listeners. */
#include "supervisor/vm/events.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/lib/time_format.h"
#include "supervisor/vm/host.h"
#include "supervisor/vm/vm_state.h"

static json_t *event_json(const struct event *event, uint64_t lost)
{
	char time[32];

	time_format(time, &event->time);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:s*, s:I}", "time",
			 time, "vm", event->vm, "event", event->name, "state",
			 vm_state_name(event->state), "generation",
			 (json_int_t)event->generation, "pid",
			 event->pid ? json_integer(event->pid) : json_null(),
			 "detail", event->detail[0] ? event->detail : NULL,
			 "lost", (json_int_t)lost);
}

json_t *events_past(const struct events *events)
{
	uint64_t kept = events->count < EVENTS_KEPT ? events->count
						    : EVENTS_KEPT;
	json_t *past = json_array();

	for (uint64_t i = events->count - kept; i < events->count; i++)
		json_array_append_new(
			past, event_json(&events->ring[i % EVENTS_KEPT], 0));
	return past;
}

/* message: NULL if there is no room for it, or no memory. */
static void send_or_count(struct listener *listener, json_t *message)
{
	listener->lost = message ? 0 : listener->lost + 1;
	if (message)
		call_more(listener->waiting.call, message);
}

void events_add(struct events *events, const struct vm *vm, const char *name,
		const char *detail)
{
	struct event *event = &events->ring[events->count++ % EVENTS_KEPT];
	struct waiting *waiting;

	clock_gettime(CLOCK_REALTIME, &event->time);
	memcpy(event->vm, vm->config.name, sizeof(event->vm));
	snprintf(event->name, sizeof(event->name), "%s", name);
	event->state = vm->state;
	event->generation = vm->generation;
	event->pid = vm->process.pid_fd >= 0 ? vm->process.pid : 0;
	snprintf(event->detail, sizeof(event->detail), "%s",
		 detail ? detail : "");
	for (waiting = LIST_FIRST(&events->listeners); waiting;
	     waiting = LIST_NEXT(waiting, entry)) {
		struct listener *l = (struct listener *)waiting;
		json_t *message = NULL;

		if (call_has_space(waiting->call))
			message = json_pack("{s:[o]}", "events",
					    event_json(event, l->lost));
		send_or_count(l, message);
	}
}

/* NULL without memory, with the call answered. */
static struct listener *subscribe(struct call_list *list, struct call *call)
{
	struct listener *listener = waiting_add(list, call, sizeof(*listener));

	if (!listener)
		call_failed(call, "out of memory");
	return listener;
}

void events_listen(struct events *events, struct call *call, bool past)
{
	if (!subscribe(&events->listeners, call))
		return;
	/* at once, even if empty: the client knows that it listens */
	call_more(call, json_pack("{s:o}", "events",
				  past ? events_past(events) : json_array()));
}

void events_follow(struct events *events, struct call *call, const char *vm)
{
	struct listener *follower = subscribe(&events->followers, call);

	if (follower)
		snprintf(follower->vm, sizeof(follower->vm), "%s", vm);
}

json_t *events_save(const struct call *call)
{
	const struct listener *listener = call->ctx;

	return json_pack("{s:I}", "lost", (json_int_t)listener->lost);
}

void events_resume(struct events *events, struct call *call, const char *vm,
		   const json_t *saved)
{
	json_int_t lost = json_integer_value(json_object_get(saved, "lost"));
	struct listener *listener;

	listener =
		subscribe(vm ? &events->followers : &events->listeners, call);
	if (!listener)
		return;
	listener->lost = lost > 0 ? (uint64_t)lost : 0;
	if (vm)
		snprintf(listener->vm, sizeof(listener->vm), "%s", vm);
}

void events_log(struct events *events, const char *vm,
		const struct vmlog_line *line)
{
	struct waiting *waiting;

	for (waiting = LIST_FIRST(&events->followers); waiting;
	     waiting = LIST_NEXT(waiting, entry)) {
		struct listener *l = (struct listener *)waiting;
		json_t *message = NULL;

		if (strcmp(l->vm, vm) != 0)
			continue;
		if (call_has_space(waiting->call))
			message = json_pack("{s:[o], s:I}", "lines",
					    vmlog_line_json(line), "dropped",
					    (json_int_t)l->lost);
		send_or_count(l, message);
	}
}

void vm_keep_line(struct vm *vm, enum vmlog_source source, enum log_level level,
		  const char *text)
{
	const struct vmlog_line *line =
		vmlog_add(&vm->log.kept, source, level, vm->generation, text);

	if (line)
		events_log(&vm->host->events, vm->config.name, line);
}

void vm_log(struct vm *vm, enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_clean(text);
	log_line(level, "%s: %s", vm->config.name, text);
	vm_keep_line(vm, VMLOG_SUPERVISOR, level, text);
}

void vm_log_process(struct vm *vm, enum log_level level, char *text)
{
	log_clean(text);
	log_line(level, "%s: process: %s", vm->config.name, text);
	vm_keep_line(vm, VMLOG_PROCESS, level, text);
}

void events_end(struct events *events)
{
	waiting_reply(&events->listeners, json_pack("{s:[]}", "events"));
	waiting_reply(&events->followers,
		      json_pack("{s:[], s:i}", "lines", "dropped", 0));
}
