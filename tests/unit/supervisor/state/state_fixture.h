/* SPDX-License-Identifier: ISC */
/* A VM, a configuration and events with a value of its own in each field. */
#ifndef VMSUP_TESTS_STATE_FIXTURE_H
#define VMSUP_TESTS_STATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>

#include "ipc/fd.h"
#include "supervisor/state/state.h"
#include "supervisor/vm/vm.h"

static inline void fixture_vm_config(struct vm_config *vm)
{
	memset(vm, 0, sizeof(*vm));
	strcpy(vm->name, "web-1");
	vm->guest = GUEST_BUILTIN;
	vm->autostart = true;
	vm->has_mac = vm->has_ipv4 = vm->has_ipv6 = true;
	memcpy(vm->mac, "\x02\x00\x5e\x10\x00\xff", 6);
	inet_pton(AF_INET, "10.77.3.9", &vm->ipv4);
	inet_pton(AF_INET6, "fd77::39", &vm->ipv6);
	vm->ipv6_prefix = 64;
	strcpy(vm->tap, "vmtap17");
	vm->restart = (struct restart_policy){ true,  1001,  101,
					       30001, 21,    60001,
					       6,     60002, ORPHAN_END };
	vm->timeouts =
		(struct vm_timeouts){ 10001, 1002, 10002, 2001, 30002, 5001 };
	vm->limits = (struct vm_limits){ UINT64_C(1) << 40, 150, 77 };
	vm->core_scheduling = true;
	vm->allow = 1 << ALLOW_RA | 1 << ALLOW_DHCP_SERVER;
	vm->broadcast_rate = 77;
}

static inline void fixture_config(struct config *config)
{
	memset(config, 0, sizeof(*config));
	strcpy(config->bridge, "vmsup7");
	inet_pton(AF_INET, "10.78.0.1", &config->bridge_ipv4);
	config->bridge_ipv4_prefix = 20;
	config->has_bridge_ipv6 = true;
	inet_pton(AF_INET6, "fd78::1", &config->bridge_ipv6);
	config->bridge_ipv6_prefix = 56;
	config->mtu = 9000;
	strcpy(config->tap_prefix, "seven");
	strcpy(config->mac_domain, "rack 7");
	config->uid_first = 4000000000;
	config->uid_count = 4096;
	config->log_level = LOG_LEVEL_DEBUG;
	config->defaults.autostart = true;
	config->defaults.restart.delay_min_ms = 55;
	config->defaults.restart.delay_max_ms = 66;
	config->defaults.restart.crash_window_ms = 77;
	config->defaults.restart.orphan = ORPHAN_END;
	config->defaults.timeouts =
		(struct vm_timeouts){ 11, 22, 33, 44, 55, 66 };
	config->defaults.limits.cpu_percent = 50;
	config->defaults.allow = 1 << ALLOW_MLD_QUERY;
	config->guard = GUARD_POLICY_REQUIRED;
}

/* As vm_new() leaves it, but for what is the supervisor's. */
static inline void fixture_preset(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	vm->tap.fd = vm->process.pid_fd = vm->process.listener_fd =
		vm->process.channel.fd = -1;
}

/* Its descriptors are numbers only, and nobody's. */
static inline void fixture_machine_free(struct machine_config *machine)
{
	if (!machine)
		return;
	machine->kernel_fd = machine->initrd_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(machine->disks); i++)
		machine->disks[i].fd = -1;
	machine_free(machine);
}

static inline void fixture_uninit(struct vm *vm)
{
	fixture_machine_free(vm->config.machine);
	vm->config.machine = NULL;
	deaths_uninit(&vm->deaths);
	vmlog_uninit(&vm->log.kept);
}

static inline void fixture_process(struct vm *vm)
{
	vm->process.pid = 4711;
	vm->process.started = 123456;
	vm->process.channel_inode = UINT64_MAX;
	vm->process.filters = 2;
	memset(vm->process.digests.inherited, 'a', FILTER_DIGEST_TEXT - 1);
	memset(vm->process.digests.setup, 'b', FILTER_DIGEST_TEXT - 1);
	memset(vm->process.digests.running, 'c', FILTER_DIGEST_TEXT - 1);
	memset(vm->process.digests.vcpu, 'd', FILTER_DIGEST_TEXT - 1);
	memset(vm->process.digests.seal, 'e', FILTER_DIGEST_TEXT - 1);
	vm->process.protocol = 2;
	vm->process.pid_fd = 21;
	vm->tap.fd = 22;
	vm->process.channel.fd = 23;
	vm->process.channel.generation = 3;
	vm->process.listener_fd = 24;
	vm->process.spawned_ns = 8001;
	vm->process.running_ns = 8002;
	vm->timer.due_ns = 9001;
	vm->timer.armed = true;
	vm->heartbeat.timer.due_ns = 9002;
	vm->heartbeat.timer.armed = true;
	vm->heartbeat.unanswered_ns = 8003;
	vm->heartbeat.stats_id = UINT64_MAX - 1;
	vm->heartbeat.awaiting_stats = vm->process.adopting =
		vm->heartbeat.aborting = true;
	vm->process.pause_pending = vm->process.resume_pending =
		vm->process.channel_ended = true;
	vm->tap.told_mtu = 1400;
	vm->process.exit = (struct death){ .reason = DEATH_WATCHDOG,
					   .asked = true,
					   .detail = "no answer",
					   .generation = 3,
					   .uptime_ns = 31,
					   .time = { 32, 33 } };
}

static inline void fixture_vm(struct vm *vm)
{
	const struct death death = { .reason = DEATH_SECCOMP,
				     .detail = "SIGSYS openat",
				     .generation = 2,
				     .uptime_ns = 1500,
				     .time = { 1700000000, 999999999 } };
	const struct timespec time = { 1700000001, 5 };

	fixture_preset(vm);
	fixture_vm_config(&vm->config);
	vm->uid = 1900000017;
	vm->state = VM_STOPPING;
	vm->wanted = true;
	vm->stop_step = STOP_TERMINATED;
	vm->backoff.quick = 4;
	vm->backoff.death_ns[0] = 7001;
	vm->backoff.death_ns[1] = 7002;
	vm->backoff.deaths = 2;
	deaths_add(&vm->deaths, &death);
	vm->generation = 3;
	vm->restarts = 5;
	vm->tap.ifindex = 42;
	vm->tap.mtu = 1500;
	vm->tap.base = (struct net_counters){ 1, 2, 3, 4, 5, 6, 7 };
	vm->tap.guarded = true;
	for (unsigned int i = 0; i < GUARD_REASONS; i++)
		vm->tap.guard_seen[i] = 300 + i;
	fixture_process(vm);
	for (unsigned int i = 0; i < VM_STATS; i++) {
		vm->stats[i] = 100 + i;
		vm->settled[i] = 200 + i;
	}
	vmlog_put(&vm->log.kept.previous, &time, VMLOG_CONSOLE, LOG_LEVEL_ERROR,
		  2, "before");
	vmlog_put(&vm->log.kept.current, &time, VMLOG_PROCESS, LOG_LEVEL_WARN,
		  3, "now");
	vm->log.lines = (struct token_bucket){ 6001, 51 };
	vm->log.flood = (struct token_bucket){ 6002, 1001 };
	vm->log.dropped = 61;
}

#endif
