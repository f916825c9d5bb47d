/* SPDX-License-Identifier: ISC */
/* For tests of supervisor/net: network namespaces, an instance of vmsup in one,
 * and ip(8) to see what became of it. */
#ifndef VMSUP_TESTS_NET_BENCH_H
#define VMSUP_TESTS_NET_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/bridge.h"
#include "supervisor/net/net.h"
#include "supervisor/net/prepare.h"
#include "supervisor/net/tap.h"
#include "supervisor/net/tap_place.h"

/* One instance of vmsup, as far as links go. */
struct host {
	struct net net;
	struct net_bridge bridge;
	struct net_tap taps[1024];
	int fds[1024], indices[1024];
	size_t count;
	struct problem problem;
};

/* ---- the bench */

__attribute__((format(printf, 1, 2))) static inline int run(const char *format,
							    ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

/* The JSON that a command prints; an array of no length if it fails. */
__attribute__((format(printf, 1, 2))) static inline json_t *
output(const char *format, ...)
{
	char command[512];
	va_list args;
	json_t *json;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	json = json_loadf(pipe, 0, NULL);
	pclose(pipe);
	return json ? json : json_array();
}

/* The first element in which key has that text (key NULL: any), or NULL. */
static inline json_t *find(json_t *array, const char *key, const char *text)
{
	json_t *element;
	size_t i;

	json_array_foreach(array, i, element) {
		const char *value =
			key ? json_string_value(json_object_get(element, key))
			    : NULL;

		if (!key || (value && strcmp(value, text) == 0))
			return element;
	}
	return NULL;
}

static inline const char *text_at(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline int number_at(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value ? (int)json_integer_value(value) : -1;
}

static inline bool exists(const char *link)
{
	return run("ip link show dev %s >/dev/null 2>&1", link) == 0;
}

/* A link that isn't ours, and its peer. */
static inline void make_stranger(const char *name)
{
	assert_int_equal(run("ip link add %s type veth peer name peer", name),
			 0);
}

static inline void host_open(struct host *host, const char *owner)
{
	memset(host, 0, sizeof(*host));
	assert_int_equal(net_init(&host->net, owner, &host->problem), 0);
	strcpy(host->bridge.name, "vmsup0");
	inet_pton(AF_INET, "10.77.0.1", &host->bridge.ipv4);
	host->bridge.ipv4_prefix = 16;
	host->bridge.mtu = 1500;
	for (size_t i = 0; i < ARRAY_SIZE(host->taps); i++) {
		struct net_tap *tap = &host->taps[i];

		snprintf(tap->name, sizeof(tap->name), "vmtap%zu", i);
		tap->mtu = 1500;
		memcpy(tap->guest_mac, "\x02vms", 4);
		tap->guest_mac[4] = (uint8_t)(i >> 8);
		tap->guest_mac[5] = (uint8_t)i;
		tap->guest_ipv4.s_addr = htonl(0x0a4d0002 + (uint32_t)i);
		host->fds[i] = -1;
	}
}

static inline int host_prepare(struct host *host, size_t count)
{
	return net_prepare(&host->net, &host->bridge, host->taps, count, NULL,
			   0, &host->problem);
}

static inline int host_tap(struct host *host, size_t i)
{
	int error = net_tap_create(&host->net, &host->taps[i], &host->fds[i],
				   &host->indices[i], &host->problem);

	if (error)
		return error;
	error = net_tap_introduce(&host->net, &host->taps[i], host->indices[i],
				  &host->problem);
	if (error)
		fd_close(&host->fds[i]);
	return error;
}

static inline void host_start(struct host *host, size_t count)
{
	assert_int_equal(host_prepare(host, count), 0);
	assert_int_equal(
		net_bridge_create(&host->net, &host->bridge, &host->problem),
		0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(host_tap(host, i), 0);
	host->count = count;
}

static inline void host_close(struct host *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(host->fds); i++)
		fd_close(&host->fds[i]);
	net_uninit(&host->net);
}

static inline int new_namespace(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET) < 0 ? -1 : run("ip link set lo up");
}

static inline void expect_problem(const struct host *host, const char *part)
{
	if (!strstr(host->problem.text, part))
		fail_msg("\"%s\" isn't in \"%s\"", part, host->problem.text);
	assert_null(strchr(host->problem.text, '\n'));
}

/* ---- where it can run */

static inline int cannot_run(const char *why)
{
	const char *must = getenv("MUST_RUN");

	if (must && strcmp(must, "1") == 0) {
		printf("1..1\nnot ok 1 - %s\n", why);
		return 1;
	}
	printf("1..0 # SKIP %s\n", why);
	return 0;
}

/* Why the tests can't run here, or NULL; enters a namespace. */
static inline const char *obstacle(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return "no network namespaces for us (run as root)";
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return "no /dev/net/tun (modprobe tun)";
	if (run("ip -V >/dev/null 2>&1 && bridge -V >/dev/null 2>&1") != 0)
		return "no ip and bridge (apt install iproute2)";
	return NULL;
}

#define IN_NAMESPACE(test) cmocka_unit_test_setup(test, new_namespace)

#endif
