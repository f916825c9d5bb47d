/* SPDX-License-Identifier: ISC */
/* The supervisor and its VMs in JSON, as io.vmsup shows them. */
#include "supervisor/api/status.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/core.h"
#include "supervisor/state/names.h"
#include "supervisor/vm/counters.h"
#include "supervisor/vm/tap.h"
#include "supervisor/vm/vm_state.h"

static json_t *number(uint64_t value)
{
	/* a VM process may report anything; JSON has no more than 63 bits */
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* An io.vmsup Traffic of the sum of two sets of counters. */
static json_t *traffic_json(const uint64_t a[VM_STATS],
			    const uint64_t b[VM_STATS])
{
	json_t *traffic = json_object(), *drops = json_object();
	uint64_t rx_dropped = 0, tx_dropped = 0;

	for (unsigned int i = 0; i < VM_STATS; i++) {
		uint64_t value = a[i] + (b ? b[i] : 0);

		if (i < STAT_RX_DROP_FIRST) {
			json_object_set_new(traffic, names_stat(i),
					    number(value));
			continue;
		}
		if (i < STAT_TX_DROP_FIRST)
			rx_dropped += value;
		else
			tx_dropped += value;
		if (value)
			json_object_set_new(drops, names_stat(i),
					    number(value));
	}
	json_object_set_new(traffic, "rx_dropped", number(rx_dropped));
	json_object_set_new(traffic, "tx_dropped", number(tx_dropped));
	json_object_set_new(traffic, "drops", drops);
	return traffic;
}

static json_t *seconds_since(uint64_t from_ns)
{
	return json_real((double)(loop_now_ns() - from_ns) /
			 (double)NSEC_PER_SEC);
}

static json_t *ipv6_json(const struct vm *vm)
{
	char text[INET6_ADDRSTRLEN];

	if (!vm->config.has_ipv6)
		return json_null();
	inet_ntop(AF_INET6, &vm->config.ipv6, text, sizeof(text));
	return json_string(text);
}

/* Adds the members that a VM has only with a process or in some states. */
static void add_process(json_t *object, const struct vm *vm)
{
	const struct death *last = deaths_last(&vm->deaths);
	json_t *null = json_null();
	uint64_t now = loop_now_ns();

	json_object_set_new(
		object, "pid",
		vm->process.pid_fd >= 0 ? json_integer(vm->process.pid) : null);
	json_object_set_new(object, "uptime_s",
			    vm->process.pid_fd >= 0 && vm->process.running_ns
				    ? seconds_since(vm->process.running_ns)
				    : null);
	json_object_set_new(
		object, "start_ms",
		vm->process.running_ns
			? json_real((double)(vm->process.running_ns -
					     vm->process.spawned_ns) /
				    (double)NSEC_PER_MSEC)
			: null);
	json_object_set_new(object, "last_exit",
			    last ? death_json(last) : null);
	json_object_set_new(
		object, "next_retry_s",
		vm->state == VM_BACKOFF && vm->timer.due_ns > now
			? json_real((double)(vm->timer.due_ns - now) /
				    (double)NSEC_PER_SEC)
		: vm->state == VM_BACKOFF ? json_real(0)
					  : null);
}

json_t *vm_json(const struct vm *vm)
{
	const struct vm_config *config = &vm->config;
	const struct machine_config *machine = config->machine;
	json_t *object = json_object();
	char mac[18], ipv4[INET_ADDRSTRLEN];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
		 config->mac[0], config->mac[1], config->mac[2], config->mac[3],
		 config->mac[4], config->mac[5]);
	inet_ntop(AF_INET, &config->ipv4, ipv4, sizeof(ipv4));
	json_object_set_new(object, "name", json_string(config->name));
	json_object_set_new(object, "guest",
			    json_string(names_guest(config->guest)));
	json_object_set_new(object, "state",
			    json_string(vm_state_name(vm->state)));
	json_object_set_new(object, "wanted",
			    json_string(vm->wanted ? "up" : "down"));
	json_object_set_new(object, "uid", json_integer(vm->uid));
	json_object_set_new(object, "generation", number(vm->generation));
	json_object_set_new(object, "restarts", number(vm->restarts));
	add_process(object, vm);
	json_object_set_new(object, "mac", json_string(mac));
	json_object_set_new(object, "ipv4", json_string(ipv4));
	json_object_set_new(object, "ipv6", ipv6_json(vm));
	json_object_set_new(object, "tap",
			    config_has_network(&vm->config)
				    ? json_string(config->tap)
				    : json_null());
	json_object_set_new(object, "guarded", json_boolean(vm->tap.guarded));
	json_object_set_new(object, "allow", firsthop_allow_json(vm));
	json_object_set_new(object, "broadcast_rate",
			    number(config->broadcast_rate));
	json_object_set_new(object, "memory_bytes",
			    machine ? number(machine->memory_bytes)
				    : json_null());
	json_object_set_new(object, "vcpus",
			    machine ? number(machine->cpus) : json_null());
	json_object_set_new(object, "devices", counters_json(vm));
	json_object_set_new(object, "stats", traffic_json(vm->stats, NULL));
	json_object_set_new(object, "total",
			    traffic_json(vm->settled, vm->stats));
	return object;
}

json_t *supervisor_json(const struct supervisor *supervisor)
{
	const char *why_off = supervisor->host.firsthop.why_off;

	return json_pack("{s:i, s:s, s:o, s:s, s:s, s:b, s:s?, s:s?}", "pid",
			 (int)getpid(), "version", VMSUP_VERSION, "uptime_s",
			 seconds_since(supervisor->started_ns), "run_dir",
			 supervisor->host.rundir.path, "bridge",
			 supervisor->host.config->bridge, "guard", !why_off[0],
			 "guard_off", why_off[0] ? why_off : NULL,
			 "state_error",
			 supervisor->host.store_error
				 ? strerror(-supervisor->host.store_error)
				 : NULL);
}
