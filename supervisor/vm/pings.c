/* SPDX-License-Identifier: ISC */
/* Echo requests that clients make a VM send, until it reports on them. */
#include "supervisor/vm/pings.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ipc/fd.h"
#include "supervisor/control/waiting.h"

#define PINGS_PER_VM 64
/* The builtin guest has 16 places for pings. One member of the group may use
 * PINGS_PER_USER of them; all members together leave some to root. */
#define PINGS_PER_USER 4
#define PINGS_OF_USERS 12

/* A call of Ping. If its client goes away, the VM still reports on the echo. */
struct ping_call {
	struct waiting waiting;
	uint32_t id;
};

/* NULL: no call waits for that echo. */
static struct ping_call *find_call(const struct vm *vm, uint32_t id)
{
	struct waiting *waiting;

	for (waiting = LIST_FIRST(&vm->ping_calls); waiting;
	     waiting = LIST_NEXT(waiting, entry)) {
		struct ping_call *call = (struct ping_call *)waiting;

		if (call->id == id)
			return call;
	}
	return NULL;
}

static int await(struct vm *vm, uint32_t id, struct call *call)
{
	struct ping_call *waits =
		waiting_add(&vm->ping_calls, call, sizeof(*waits));

	if (waits)
		waits->id = id;
	return waits ? 0 : -ENOMEM;
}

static struct vm_ping *add_ping(struct vm *vm, uint32_t id, uid_t uid)
{
	struct vm_ping *ping = calloc(1, sizeof(*ping));

	if (!ping)
		return NULL;
	*ping = (struct vm_ping){ .next = vm->pings, .id = id, .uid = uid };
	vm->pings = ping;
	vm->ping_count++;
	return ping;
}

/* Checks that the user may have one more ping under way: 0, -EBUSY or
 * -EDQUOT. */
static int may_ping(const struct vm *vm, uid_t uid)
{
	unsigned int own = 0, users = 0;

	if (vm->ping_count >= PINGS_PER_VM)
		return -EBUSY;
	if (uid == 0)
		return 0;
	for (const struct vm_ping *ping = vm->pings; ping; ping = ping->next) {
		own += ping->uid == uid;
		users += ping->uid != 0;
	}
	if (own >= PINGS_PER_USER)
		return -EDQUOT;
	return users >= PINGS_OF_USERS ? -EBUSY : 0;
}

static void drop_ping(struct vm *vm, struct vm_ping **at)
{
	struct vm_ping *ping = *at;

	*at = ping->next;
	free(ping);
	vm->ping_count--;
}

int pings_ask(struct vm *vm, const struct msg_ping *request, struct call *call)
{
	union msg message = { .ping = *request };
	int error = may_ping(vm, call->peer_uid);

	if (error)
		return error;
	if (!add_ping(vm, request->id, call->peer_uid))
		return -ENOMEM;
	error = await(vm, request->id, call);
	if (!error) {
		error = channel_send(&vm->process.channel, MSG_PING, &message,
				     -1);
		if (error)
			waiting_end(call->ctx);
	}
	if (error)
		drop_ping(vm, &vm->pings);
	return error;
}

static json_t *ping_json(const struct msg_ping_result *result)
{
	static const char *const names[] = {
		[PING_REPLY] = "reply",
		[PING_TIMEOUT] = "timeout",
		[PING_UNREACHABLE] = "unreachable",
		[PING_BUSY] = "busy",
	};
	static_assert(ARRAY_SIZE(names) == PING_STATUSES, "all of them");

	if (result->status != PING_REPLY)
		return json_pack("{s:s, s:n, s:n, s:n}", "status",
				 names[result->status], "rtt_ms", "ttl",
				 "payload_bytes");
	return json_pack("{s:s, s:f, s:i, s:i}", "status", names[PING_REPLY],
			 "rtt_ms",
			 (double)result->rtt_ns / (double)NSEC_PER_MSEC, "ttl",
			 (int)(result->ttl & 255), "payload_bytes",
			 (int)(result->payload_bytes & 65535));
}

bool pings_take(struct vm *vm, const struct msg_ping_result *result)
{
	struct vm_ping **at = &vm->pings;
	struct ping_call *call;

	while (*at && (*at)->id != result->id)
		at = &(*at)->next;
	if (!*at || result->status >= PING_STATUSES)
		return false;
	drop_ping(vm, at);
	call = find_call(vm, result->id);
	if (call)
		call_reply(waiting_end(&call->waiting), ping_json(result));
	return true;
}

void pings_abandon(struct vm *vm)
{
	while (vm->pings)
		drop_ping(vm, &vm->pings);
	waiting_fail(&vm->ping_calls, "the VM process died");
}

/* ---- over an upgrade */

json_t *pings_save(const struct vm *vm)
{
	json_t *ids = json_array();

	for (const struct vm_ping *ping = vm->pings; ping; ping = ping->next)
		if (json_array_append_new(ids, json_integer(ping->id)) < 0) {
			json_decref(ids);
			return NULL;
		}
	return ids;
}

int pings_restore(struct vm *vm, const json_t *ids)
{
	for (size_t i = json_array_size(ids); i-- > 0;) {
		json_int_t id = json_integer_value(json_array_get(ids, i));

		/* the call, if it is resumed, sets the user */
		if (!add_ping(vm, (uint32_t)id, (uid_t)-1))
			return -ENOMEM;
	}
	return 0;
}

json_t *pings_call_save(const struct call *call)
{
	const struct ping_call *ping = call->ctx;

	return json_integer(ping->id);
}

bool pings_call_resume(struct vm *vm, struct call *call, const json_t *saved)
{
	struct vm_ping *ping = vm->pings;

	while (ping && json_integer_value(saved) != ping->id)
		ping = ping->next;
	if (!ping || find_call(vm, ping->id) || await(vm, ping->id, call) < 0)
		return false;
	ping->uid = call->peer_uid;
	return true;
}
