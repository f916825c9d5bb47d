/* SPDX-License-Identifier: ISC */
/* The changes of VMs: the last ones kept, and sent to who listens. */
#include "supervisor/vm/events.h"

#include <stdio.h>
#include <stdlib.h>
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

void events_add(struct events *events, const struct vm *vm, const char *name,
		const char *detail)
{
	struct event *event = &events->ring[events->count++ % EVENTS_KEPT];

	clock_gettime(CLOCK_REALTIME, &event->time);
	memcpy(event->vm, vm->config.name, sizeof(event->vm));
	snprintf(event->name, sizeof(event->name), "%s", name);
	event->state = vm->state;
	event->generation = vm->generation;
	event->pid = vm->process.pid_fd >= 0 ? vm->process.pid : 0;
	snprintf(event->detail, sizeof(event->detail), "%s",
		 detail ? detail : "");
	for (struct listener *l = events->listeners, *next; l; l = next) {
		next = l->next; /* call_more() may cut the client off */
		if (!call_has_room(l->call)) {
			l->lost++;
			continue;
		}
		json_t *message = json_pack("{s:[o]}", "events",
					    event_json(event, l->lost));

		l->lost = message ? 0 : l->lost + 1;
		if (message)
			call_more(l->call, message);
	}
}

static void unlink_listener(struct listener **list, struct listener *gone)
{
	while (*list && *list != gone)
		list = &(*list)->next;
	if (*list)
		*list = gone->next;
}

/* ctx of a call that listens is a struct subscription. */
struct subscription {
	struct listener listener; /* first: the lists know only this */
	struct listener **list;
};

static void listener_gone(struct call *call)
{
	struct subscription *subscription = call->ctx;

	unlink_listener(subscription->list, &subscription->listener);
	free(subscription);
}

/* NULL (with the call answered) without memory. */
static struct listener *subscribe(struct listener **list, struct call *call)
{
	struct subscription *subscription = calloc(1, sizeof(*subscription));

	if (!subscription) {
		call_error(call, "io.vmsup.Failed",
			   json_pack("{s:s}", "message", "out of memory"));
		return NULL;
	}
	subscription->list = list;
	subscription->listener.call = call;
	subscription->listener.next = *list;
	*list = &subscription->listener;
	call->ctx = subscription;
	call->gone = listener_gone;
	return &subscription->listener;
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
	const struct subscription *subscription = call->ctx;

	return json_pack("{s:I}", "lost",
			 (json_int_t)subscription->listener.lost);
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
	for (struct listener *l = events->followers, *next; l; l = next) {
		json_t *message;

		next = l->next;
		if (strcmp(l->vm, vm) != 0)
			continue;
		if (!call_has_room(l->call)) {
			l->lost++;
			continue;
		}
		message = json_pack("{s:[o], s:I}", "lines",
				    vmlog_line_json(line), "dropped",
				    (json_int_t)l->lost);
		l->lost = message ? 0 : l->lost + 1;
		if (message)
			call_more(l->call, message);
	}
}

void vm_log(struct vm *vm, enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_BYTES];
	const struct vmlog_line *line;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_clean(text);
	log_line(level, "%s: %s", vm->config.name, text);
	line = vmlog_add(&vm->log.kept, level, vm->generation, text);
	if (line)
		events_log(&vm->host->events, vm->config.name, line);
}

static void end_list(struct listener **list, const char *field)
{
	while (*list) {
		struct listener *listener = *list;
		struct call *call = listener->call;
		json_t *last = json_pack("{s:[]}", field);

		if (strcmp(field, "lines") == 0)
			json_object_set_new(last, "dropped", json_integer(0));
		*list = listener->next;
		call->gone = NULL;
		free(call->ctx);
		call_reply(call, last);
	}
}

void events_end(struct events *events)
{
	end_list(&events->listeners, "events");
	end_list(&events->followers, "lines");
}
