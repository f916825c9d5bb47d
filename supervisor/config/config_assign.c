/* SPDX-License-Identifier: ISC */
/* Assigns TAP, MAC and IPv4 address to each VM that doesn't name its own. */
#include "supervisor/config/config_assign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/config/config.h"
#include "supervisor/config/config_check.h"
#include "supervisor/config/config_unique.h"
#include "supervisor/lib/siphash.h"

/* ---- TAP names */

static void assign_taps(struct config *config)
{
	for (size_t i = 0; i < config->vm_count; i++) {
		char tap[IFNAMSIZ];

		config_unique_tap(config, i, tap);
		memcpy(config->vms[i].tap, tap, sizeof(tap));
	}
}

/* ---- IPv4 addresses: the lowest free ones, in the order of the VMs */

static int compare_addresses(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* Walks up the subnet, beside the sorted list of the addresses that are taken.
 * There are enough addresses: check_assigned() has run before. */
static int assign_ipv4(struct config *config, struct problem *problem)
{
	cleanup_free uint32_t *taken =
		calloc(config->vm_count + 1, sizeof(*taken));
	uint32_t bridge = ntohl(config->bridge_ipv4.s_addr);
	uint32_t mask = ~UINT32_C(0) << (32 - config->bridge_ipv4_prefix);
	uint32_t address = (bridge & mask) + 1;
	size_t count = 0, next = 0;

	if (!taken)
		return problem_set(problem, -ENOMEM, "out of memory");
	taken[count++] = bridge;
	for (size_t i = 0; i < config->vm_count; i++)
		if (config->vms[i].has_ipv4)
			taken[count++] = ntohl(config->vms[i].ipv4.s_addr);
	qsort(taken, count, sizeof(*taken), compare_addresses);
	for (size_t i = 0; i < config->vm_count; i++) {
		struct vm_config *vm = &config->vms[i];

		if (vm->has_ipv4)
			continue;
		for (; next < count && taken[next] <= address; next++)
			address += taken[next] == address;
		vm->ipv4.s_addr = htonl(address++);
		vm->has_ipv4 = true;
	}
	return 0;
}

/* ---- MACs */

/* No secret: it makes these hashes differ from other uses of the machine ID. */
static const uint8_t mac_key[16] = "vmsup MAC v1";

/* A set of MACs by open addressing, at most a quarter full. */
#define MAC_SLOTS 4096
struct mac_set {
	uint64_t slots[MAC_SLOTS]; /* 0: the slot is empty */
};

/* Adds a MAC. False: it was there already. */
static bool mac_set_add(struct mac_set *set, const uint8_t mac[6])
{
	uint64_t value = 0;
	size_t slot;

	memcpy(&value, mac, 6);
	slot = siphash(mac_key, mac, 6) % MAC_SLOTS;
	while (set->slots[slot] && set->slots[slot] != value)
		slot = (slot + 1) % MAC_SLOTS;
	if (set->slots[slot])
		return false;
	set->slots[slot] = value;
	return true;
}

/*
 * A MAC is derived from: machine_id, NUL, instance, NUL, the domain and NUL if
 * there is one, VM name, NUL, counter. The counter is 0, unless that MAC is
 * taken. The machine ID is confidential (machine-id(5)): only five bytes of a
 * hash of it can be seen.
 */
struct mac_seed {
	uint8_t *bytes;
	size_t fixed; /* the bytes before the VM name */
};

static void derive_mac(const struct mac_seed *seed, const char *name,
		       uint8_t counter, uint8_t mac[6])
{
	size_t length = seed->fixed;
	uint64_t hash;

	memcpy(seed->bytes + length, name, strlen(name) + 1);
	length += strlen(name) + 1;
	seed->bytes[length++] = counter;
	hash = siphash(mac_key, seed->bytes, length);
	mac[0] = 0x02; /* locally administered, unicast */
	for (size_t i = 1; i < 6; i++, hash >>= 8)
		mac[i] = (uint8_t)hash;
}

/* MACs that VMs name themselves come first: a
 * derived MAC makes way for them. */
static int derive_macs(struct config *config, const struct mac_seed *seed,
		       struct mac_set *set, struct problem *problem)
{
	for (size_t i = 0; i < config->vm_count; i++)
		if (config->vms[i].has_mac)
			mac_set_add(set, config->vms[i].mac);
	for (size_t i = 0; i < config->vm_count; i++) {
		struct vm_config *vm = &config->vms[i];
		unsigned int counter = 0;

		if (vm->has_mac)
			continue;
		do
			derive_mac(seed, vm->name, (uint8_t)counter, vm->mac);
		while (!mac_set_add(set, vm->mac) && ++counter <= UINT8_MAX);
		if (counter > UINT8_MAX)
			return problem_set(problem, -EINVAL,
					   "VM %s: no free MAC found (give it "
					   "one)",
					   vm->name);
		vm->has_mac = true;
	}
	return 0;
}

static int assign_macs(struct config *config, const char *machine_id,
		       const char *instance, struct problem *problem)
{
	size_t id_bytes = strlen(machine_id) + 1;
	size_t instance_bytes = strlen(instance) + 1;
	size_t domain_bytes = strlen(config->mac_domain);
	uint8_t *bytes = malloc(id_bytes + instance_bytes + CONFIG_MAC_DOMAIN +
				VM_NAME_MAX + 2);
	struct mac_set *set = calloc(1, sizeof(*set));
	struct mac_seed seed = { .bytes = bytes,
				 .fixed = id_bytes + instance_bytes };
	int error;

	/* without one, MACs are what they were before there were any */
	if (domain_bytes)
		domain_bytes++;
	seed.fixed += domain_bytes;

	if (bytes && set) {
		memcpy(bytes, machine_id, id_bytes);
		memcpy(bytes + id_bytes, instance, instance_bytes);
		memcpy(bytes + id_bytes + instance_bytes, config->mac_domain,
		       domain_bytes);
		error = derive_macs(config, &seed, set, problem);
	} else {
		error = problem_set(problem, -ENOMEM, "out of memory");
	}
	free(set);
	free(bytes);
	return error;
}

/* ---- refusals */

struct first_clash {
	const struct config *config;
	struct problem *problem;
	int error;
};

static void note_clash(void *ctx, enum config_key key, size_t earlier,
		       size_t later)
{
	struct first_clash *clash = ctx;

	if (clash->error)
		return;
	clash->error = problem_set(
		clash->problem, -EINVAL,
		"VMs %s and %s have the same %s (give each its own)",
		clash->config->vms[earlier].name,
		clash->config->vms[later].name, config_unique_setting(key));
}

static int check_unique(const struct config *config, struct problem *problem)
{
	struct first_clash clash = { .config = config, .problem = problem };

	if (config_unique_check(config, note_clash, &clash))
		return problem_set(problem, -ENOMEM, "out of memory");
	return clash.error;
}

/* Puts where before the text of problem. */
static int prefix_problem(const char *where, int error, struct problem *problem)
{
	struct problem said = *problem;

	return problem_set(problem, error, "%s: %s", where, said.text);
}

static int check_vm(const struct config *config, size_t index,
		    struct problem *problem)
{
	const struct vm_config *vm = &config->vms[index];
	char tap[IFNAMSIZ], where[VM_NAME_MAX + 4];
	int error = 0;

	config_unique_tap(config, index, tap);
	if (!strcmp(tap, config->bridge))
		error = problem_set(problem, -EINVAL,
				    "its TAP %s has the bridge's name (choose "
				    "another)",
				    tap);
	if (!error && vm->has_mac)
		error = config_check_mac(vm->mac, problem);
	if (!error)
		error = config_check_vm_ipv4(config, vm, problem);
	if (!error)
		error = config_check_vm_ipv6(config, vm, problem);
	for (size_t i = 0; i < CONFIG_ORDERS && !error; i++)
		error = config_check_order(&config_check_orders[i], vm,
					   problem);
	snprintf(where, sizeof(where), "VM %s", vm->name);
	return error ? prefix_problem(where, error, problem) : 0;
}

/* Checks the whole. A file was checked before; VMs of options weren't. */
static int check_assigned(const struct config *config, struct problem *problem)
{
	static const struct {
		const char *where; /* NULL: the text of the problem has it */
		int (*check)(const struct config *config,
			     struct problem *problem);
	} checks[] = {
		{ "bridge.address", config_check_bridge_ipv4 },
		{ "bridge.address6", config_check_bridge_ipv6 },
		{ "bridge.mtu", config_check_mtu },
		{ "uids", config_check_uids },
		{ NULL, config_check_uid_count },
		{ NULL, config_check_hosts },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !error; i++) {
		error = checks[i].check(config, problem);
		if (error && checks[i].where)
			return prefix_problem(checks[i].where, error, problem);
	}
	for (size_t i = 0; i < config->vm_count && !error; i++)
		error = check_vm(config, i, problem);
	return error ? error : check_unique(config, problem);
}

int config_assign(struct config *config, const char *machine_id,
		  const char *instance, struct problem *problem)
{
	int error = check_assigned(config, problem);

	if (!error)
		error = assign_ipv4(config, problem);
	if (!error)
		error = assign_macs(config, machine_id, instance, problem);
	if (!error)
		assign_taps(config);
	return error;
}
