/* SPDX-License-Identifier: ISC */
/* Echo requests that clients make a VM send, until it reports on them. */
#include "supervisor/vm/pings.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ipc/fd.h"

#define PINGS_PER_VM 64
/* The builtin guest has 16 places for them: one member of the group has at most
 * so many, and all members leave some to root. */
#define PINGS_PER_USER 4
#define PINGS_OF_USERS 12

static void ping_gone(struct call *call)
{
	struct vm_ping *ping = call->ctx;

	ping->call = NULL; /* the VM still reports on it */
}

/* Whether that user may have one more under way: 0, -EBUSY or -EDQUOT. */
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

int pings_ask(struct vm *vm, const struct msg_ping *request, struct call *call)
{
	union msg message = { .ping = *request };
	struct vm_ping *ping;
	int error = may_ping(vm, call->peer_uid);

	if (error)
		return error;
	ping = calloc(1, sizeof(*ping));
	if (!ping)
		return -ENOMEM;
	error = channel_send(&vm->process.channel, MSG_PING, &message, -1);
	if (error) {
		free(ping);
		return error;
	}
	ping->id = request->id;
	ping->uid = call->peer_uid;
	ping->call = call;
	ping->next = vm->pings;
	vm->pings = ping;
	vm->ping_count++;
	call->ctx = ping;
	call->gone = ping_gone;
	return 0;
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
	struct vm_ping **at = &vm->pings, *ping;

	while (*at && (*at)->id != result->id)
		at = &(*at)->next;
	ping = *at;
	if (!ping || result->status >= PING_STATUSES)
		return false;
	*at = ping->next;
	vm->ping_count--;
	if (ping->call) {
		ping->call->gone = NULL;
		call_reply(ping->call, ping_json(result));
	}
	free(ping);
	return true;
}

/* Echo requests that nobody will report on any more. */
void pings_abandon(struct vm *vm)
{
	while (vm->pings) {
		struct vm_ping *ping = vm->pings;

		vm->pings = ping->next;
		if (ping->call) {
			ping->call->gone = NULL;
			call_error(ping->call, "io.vmsup.Failed",
				   json_pack("{s:s}", "message",
					     "the VM process died"));
		}
		free(ping);
	}
	vm->ping_count = 0;
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
		struct vm_ping *ping = calloc(1, sizeof(*ping));

		if (!ping)
			return -ENOMEM;
		ping->id = (uint32_t)id;
		ping->uid = (uid_t)-1; /* until its call, if any, goes on */
		ping->next = vm->pings;
		vm->pings = ping;
		vm->ping_count++;
	}
	return 0;
}

json_t *pings_call_save(const struct call *call)
{
	const struct vm_ping *ping = call->ctx;

	return json_integer(ping->id);
}

bool pings_call_resume(const struct vm *vm, struct call *call,
		       const json_t *saved)
{
	struct vm_ping *ping;

	for (ping = vm->pings; ping; ping = ping->next)
		if (!ping->call && json_integer_value(saved) == ping->id)
			break;
	if (!ping)
		return false;
	ping->call = call;
	ping->uid = call->peer_uid;
	call->ctx = ping;
	call->gone = ping_gone;
	return true;
}
