/* SPDX-License-Identifier: ISC */
/* Finds values that two VMs share: sorts them, and compares neighbours. */
#include "supervisor/config/config_unique.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"

/* A value that must be unique, as bytes, and the index of its VM. */
struct entry {
	uint8_t bytes[VM_NAME_MAX + 1]; /* room for the longest; zero-padded */
	size_t index;
};
static_assert(sizeof(((struct entry *)0)->bytes) >= IFNAMSIZ, "TAP name");

void config_unique_tap(const struct config *config, size_t index,
		       char tap[IFNAMSIZ])
{
	const struct vm_config *vm = &config->vms[index];

	if (vm->tap[0])
		memcpy(tap, vm->tap, IFNAMSIZ);
	else
		snprintf(tap, IFNAMSIZ, "%.11s%u", config->tap_prefix,
			 (unsigned int)index % 10000);
}

/* Copies a value of the VM at index into bytes. False: the VM has none. */
typedef bool extract_fn(const struct config *config, size_t index,
			uint8_t *bytes);

static bool extract_name(const struct config *config, size_t index,
			 uint8_t *bytes)
{
	memcpy(bytes, config->vms[index].name, strlen(config->vms[index].name));
	return config->vms[index].name[0] != '\0';
}

static bool extract_tap(const struct config *config, size_t index,
			uint8_t *bytes)
{
	char tap[IFNAMSIZ] = { 0 };

	config_unique_tap(config, index, tap);
	memcpy(bytes, tap, strlen(tap));
	return true;
}

static bool extract_mac(const struct config *config, size_t index,
			uint8_t *bytes)
{
	memcpy(bytes, config->vms[index].mac, sizeof(config->vms[index].mac));
	return config->vms[index].has_mac;
}

static bool extract_ipv4(const struct config *config, size_t index,
			 uint8_t *bytes)
{
	memcpy(bytes, &config->vms[index].ipv4, sizeof(struct in_addr));
	return config->vms[index].has_ipv4;
}

static bool extract_ipv6(const struct config *config, size_t index,
			 uint8_t *bytes)
{
	memcpy(bytes, &config->vms[index].ipv6, sizeof(struct in6_addr));
	return config->vms[index].has_ipv6;
}

static const struct {
	const char *setting;
	extract_fn *extract;
} keys[] = {
	[CONFIG_KEY_NAME] = { "name", extract_name },
	[CONFIG_KEY_TAP] = { "tap", extract_tap },
	[CONFIG_KEY_MAC] = { "mac", extract_mac },
	[CONFIG_KEY_IPV4] = { "address", extract_ipv4 },
	[CONFIG_KEY_IPV6] = { "address6", extract_ipv6 },
};
static_assert(ARRAY_SIZE(keys) == CONFIG_KEYS, "a row per key");

const char *config_unique_setting(enum config_key key)
{
	return (unsigned int)key < CONFIG_KEYS ? keys[key].setting : "?";
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));

	if (order)
		return order;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Sorts the entries of one key: equal ones are together, the earliest first. */
static void check_key(const struct config *config, enum config_key key,
		      struct entry *entries, config_unique_fn *found, void *ctx)
{
	size_t count = 0, first = 0;

	for (size_t i = 0; i < config->vm_count; i++) {
		entries[count] = (struct entry){ .index = i };
		if (keys[key].extract(config, i, entries[count].bytes))
			count++;
	}
	qsort(entries, count, sizeof(*entries), compare);
	for (size_t i = 1; i < count; i++)
		if (memcmp(entries[first].bytes, entries[i].bytes,
			   sizeof(entries[i].bytes)))
			first = i;
		else
			found(ctx, key, entries[first].index, entries[i].index);
}

int config_unique_check(const struct config *config, config_unique_fn *found,
			void *ctx)
{
	cleanup_free struct entry *entries = NULL;

	if (config->vm_count < 2)
		return 0;
	entries = calloc(config->vm_count, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (int key = 0; key < CONFIG_KEYS; key++)
		check_key(config, (enum config_key)key, entries, found, ctx);
	return 0;
}
