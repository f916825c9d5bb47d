/* SPDX-License-Identifier: ISC */
/* vmsup ping: one VM pings another one, or any address. */
#include "supervisor/cli/ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ipc/fd.h"
#include "ipc/loop.h"
#include "ipc/proto.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/echoes.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/text.h"

#define IPV4_AND_ICMP_BYTES 28
#define ICMP_BYTES          8

enum {
	OPT_COUNT,
	OPT_INTERVAL,
	OPT_SIZE,
	OPT_TIMEOUT,
	OPT_IPV6,
	OPT_JSON,
};

static const struct cli_option options[] = {
	[OPT_COUNT] = { "count", 'c', "N", false,
			"stop after N requests (at Ctrl-C)" },
	[OPT_INTERVAL] = { "interval", 'i', "SECONDS", false,
			   "between two requests (1)" },
	[OPT_SIZE] = { "size", 's', "BYTES", false,
		       "of payload, up to 65000 (56)" },
	[OPT_TIMEOUT] = { "timeout", 'W', "SECONDS", false,
			  "to wait for each reply (1)" },
	[OPT_IPV6] = { "ipv6", '6', NULL, false, "the target's IPv6 address" },
	[OPT_JSON] = { "json", 'J', NULL, false, "all of it as JSON" },
	{ 0 },
};

struct ping {
	const char *from, *target; /* as typed */
	char from_address[INET6_ADDRSTRLEN], address[INET6_ADDRSTRLEN];
	bool ipv6, json;
	long count, interval_ms, size, timeout_ms;
	struct conn conn;
	struct echoes echoes;
	json_t *replies; /* for --json */
};

static int parse_numbers(const struct cli_args *args, struct ping *ping)
{
	const struct {
		int option;
		bool seconds;
		long min, max, *to;
		const char *range;
	} numbers[] = {
		{ OPT_COUNT, false, 1, 1000000000, &ping->count,
		  "a number from 1 to 1000000000" },
		{ OPT_INTERVAL, true, 0, 86400000, &ping->interval_ms,
		  "a time from 0 to 86400 s" },
		{ OPT_SIZE, false, 0, PING_PAYLOAD_MAX, &ping->size,
		  "a number from 0 to 65000" },
		{ OPT_TIMEOUT, true, 1, 3600000, &ping->timeout_ms,
		  "a time from 0.001 to 3600 s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *text = args->values[numbers[i].option];
		bool good;

		if (!text)
			continue;
		good = numbers[i].seconds
			       ? text_seconds(text, numbers[i].min,
					      numbers[i].max, numbers[i].to)
			       : text_number(text, numbers[i].min,
					     numbers[i].max, numbers[i].to);
		if (!good)
			return report_usage("ping", "--%s: \"%s\" is not %s",
					    options[numbers[i].option].name,
					    text, numbers[i].range);
	}
	return CLI_OK;
}

/* ---- the target */

/* The link-local address: fe80::/64, and the modified EUI-64 of the
 * MAC (RFC 4291 appendix A). */
static void link_local(const char *mac_text, char *text)
{
	unsigned int mac[6] = { 0 };
	struct in6_addr address = { 0 };

	sscanf(mac_text, "%2x:%2x:%2x:%2x:%2x:%2x", &mac[0], &mac[1], &mac[2],
	       &mac[3], &mac[4], &mac[5]);
	address.s6_addr[0] = 0xfe;
	address.s6_addr[1] = 0x80;
	for (size_t i = 0; i < 3; i++) {
		address.s6_addr[8 + i] = (uint8_t)mac[i];
		address.s6_addr[13 + i] = (uint8_t)mac[3 + i];
	}
	address.s6_addr[8] ^= 2;
	address.s6_addr[11] = 0xff;
	address.s6_addr[12] = 0xfe;
	inet_ntop(AF_INET6, &address, text, INET6_ADDRSTRLEN);
}

static void vm_address(const json_t *vm, bool ipv6, char *text)
{
	const char *address = field_text(vm, ipv6 ? "ipv6" : "ipv4");

	if (ipv6 && !*address)
		link_local(field_text(vm, "mac"), text);
	else
		snprintf(text, INET6_ADDRSTRLEN, "%.*s",
			 (int)strcspn(address, "/"), address);
}

static const json_t *find_vm(const json_t *status, const char *name)
{
	json_t *vm;
	size_t i;

	json_array_foreach(json_object_get(status, "vms"), i, vm)
		if (strcmp(field_text(vm, "name"), name) == 0)
			return vm;
	return NULL;
}

static int resolve_in(const json_t *status, struct ping *ping)
{
	const json_t *from = find_vm(status, ping->from);
	const json_t *target = find_vm(status, ping->target);
	struct in6_addr any;

	if (!from) {
		report_error("%s: no such VM (see 'vmsup status')", ping->from);
		return CLI_NO_VM;
	}
	if (target) {
		vm_address(target, ping->ipv6, ping->address);
	} else if (inet_pton(AF_INET6, ping->target, &any) == 1) {
		ping->ipv6 = true;
	} else if (inet_pton(AF_INET, ping->target, &any) != 1) {
		report_error(
			"%s: no such VM, nor an address (see 'vmsup status')",
			ping->target);
		return CLI_NO_VM;
	} else if (ping->ipv6) {
		return report_usage("ping", "%s is no IPv6 address",
				    ping->target);
	}
	if (!target)
		snprintf(ping->address, sizeof(ping->address), "%s",
			 ping->target);
	vm_address(from, ping->ipv6, ping->from_address);
	return CLI_OK;
}

static int resolve_target(const struct cli *cli, struct ping *ping)
{
	json_t *status;
	int result = conn_status(cli, NULL, 0, &status);

	if (result)
		return result;
	result = resolve_in(status, ping);
	json_decref(status);
	return result;
}

/* ---- one request */

static void print_header(const struct ping *ping)
{
	if (ping->json)
		return;
	if (ping->ipv6)
		printf("PING %s(%s) from %s %s: %ld data bytes\n", ping->target,
		       ping->address, ping->from_address, ping->from,
		       ping->size);
	else
		printf("PING %s (%s) from %s %s: %ld(%ld) bytes of data.\n",
		       ping->target, ping->address, ping->from_address,
		       ping->from, ping->size,
		       ping->size + IPV4_AND_ICMP_BYTES);
}

static void print_reply(const struct ping *ping, const json_t *parameters)
{
	char time[TEXT_SIZE];
	json_int_t bytes = field_int(parameters, "payload_bytes");

	printf("%" JSON_INTEGER_FORMAT " bytes from %s: icmp_seq=%lu "
	       "ttl=%" JSON_INTEGER_FORMAT " time=%s ms\n",
	       bytes + ICMP_BYTES, ping->address, ping->echoes.sent,
	       field_int(parameters, "ttl"),
	       text_ms(field_number(parameters, "rtt_ms"), time));
}

/* Takes the result of the request that was sent last. */
static void take_result(struct ping *ping, const json_t *parameters)
{
	static const struct {
		const char *status, *text;
	} refusals[] = {
		{ "unreachable", "Destination Host Unreachable" },
		{ "busy", "too many requests under way" },
	};
	const char *status = field_text(parameters, "status");

	if (ping->json) {
		json_t *reply = json_deep_copy(parameters);

		json_object_set_new(
			reply, "icmp_seq",
			json_integer((json_int_t)ping->echoes.sent));
		json_array_append_new(ping->replies, reply);
	}
	if (strcmp(status, "reply") == 0) {
		echoes_reply(&ping->echoes, field_number(parameters, "rtt_ms"));
		if (!ping->json)
			print_reply(ping, parameters);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (strcmp(status, refusals[i].status) != 0)
			continue;
		ping->echoes.errors++;
		if (!ping->json)
			printf("From %s icmp_seq=%lu %s\n", ping->from_address,
			       ping->echoes.sent, refusals[i].text);
	}
}

/* Takes an error. After the first request, a VM that isn't running
 * was restarted meanwhile: it will answer soon, so the command
 * goes on. An enum cli_exit. */
static int take_error(struct ping *ping, const struct reply *reply)
{
	const char *state = field_text(reply->parameters, "state");
	bool wrong_state = strcmp(reply->error, "io.vmsup.WrongState") == 0;

	if ((!wrong_state && strcmp(reply->error, "io.vmsup.Failed") != 0) ||
	    ping->echoes.sent == 1)
		return conn_report("ping", reply);
	ping->echoes.errors++;
	if (!ping->json)
		printf("From %s icmp_seq=%lu %s%s\n", ping->from_address,
		       ping->echoes.sent, wrong_state ? "VM is " : "",
		       wrong_state ? state
				   : field_text(reply->parameters, "message"));
	return CLI_OK;
}

static int ping_once(struct ping *ping)
{
	struct reply reply;
	int result, status = CLI_OK;

	ping->echoes.sent++;
	result = conn_send(
		&ping->conn, "Ping",
		json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", ping->from,
			  "address", ping->address, "sequence",
			  (json_int_t)(ping->echoes.sent & 0xffff),
			  "payload_bytes", (json_int_t)ping->size, "timeout_ms",
			  (json_int_t)ping->timeout_ms),
		false);
	if (result == 0)
		result = conn_receive(&ping->conn,
				      (int)ping->timeout_ms + CONN_TIMEOUT_MS,
				      &reply);
	if (result == -EINTR)
		return CLI_OK;
	if (result != 1)
		return conn_report_loss(&ping->conn, result);
	if (reply.error[0])
		status = take_error(ping, &reply);
	else
		take_result(ping, reply.parameters);
	conn_reply_free(&reply);
	return status ? status : report_flush();
}

/* ---- all requests */

static void print_json(const struct ping *ping, double elapsed_ms)
{
	const struct echoes *echoes = &ping->echoes;
	json_t *all = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f}", "from", ping->from,
		"target", ping->target, "address", ping->address, "transmitted",
		(json_int_t)echoes->sent, "received",
		(json_int_t)echoes->received, "errors",
		(json_int_t)echoes->errors, "loss_percent",
		echoes_loss_percent(echoes), "time_ms", elapsed_ms);

	json_object_set_new(all, "rtt_ms",
			    echoes->received
				    ? json_pack("{s:f, s:f, s:f, s:f}", "min",
						echoes->min_ms, "avg",
						echoes->mean_ms, "max",
						echoes->max_ms, "mdev",
						echoes_mdev_ms(echoes))
				    : json_null());
	json_object_set(all, "replies", ping->replies);
	if (json_dumpf(all, stdout,
		       JSON_INDENT(2) | JSON_ENSURE_ASCII |
			       JSON_REAL_PRECISION(6)) == 0)
		putchar('\n');
	json_decref(all);
}

static void print_end(const struct ping *ping, uint64_t elapsed_ns)
{
	double elapsed_ms = (double)elapsed_ns / (double)NSEC_PER_MSEC;
	char text[256];

	if (ping->json)
		print_json(ping, elapsed_ms);
	else
		printf("\n--- %s ping statistics ---\n%s", ping->target,
		       echoes_summary(&ping->echoes, elapsed_ms, text,
				      sizeof(text)));
}

/* Waits until due_ns. True: a signal came before. */
static bool wait_until(uint64_t due_ns)
{
	uint64_t now = loop_now_ns();
	struct timespec left = { 0 };

	if (due_ns > now) {
		left.tv_sec = (time_t)((due_ns - now) / NSEC_PER_SEC);
		left.tv_nsec = (long)((due_ns - now) % NSEC_PER_SEC);
		ppoll(NULL, 0, &left, interrupt_mask());
	}
	return interrupt_take();
}

/* Keeps one connection for all requests, unless the interval is longer than the
 * supervisor keeps a silent connection. */
static int ping_all(const struct cli *cli, struct ping *ping)
{
	uint64_t begin = loop_now_ns(), due = begin, last = begin;
	int status = CLI_OK;

	while (!status && !wait_until(due)) {
		if (ping->conn.fd < 0)
			status = conn_open(&ping->conn, cli);
		if (status)
			break;
		last = loop_now_ns();
		status = ping_once(ping);
		if (ping->interval_ms > CONN_TIMEOUT_MS)
			conn_close(&ping->conn);
		if (ping->count &&
		    ping->echoes.sent >= (unsigned long)ping->count)
			break;
		due += (uint64_t)ping->interval_ms * NSEC_PER_MSEC;
		if (due < loop_now_ns())
			due = loop_now_ns();
	}
	conn_close(&ping->conn);
	if (status && ping->echoes.sent <= 1)
		return status;
	print_end(ping, last - begin);
	return status ? status : ping->echoes.received ? CLI_OK : CLI_FAILED;
}

static int run_ping(const struct cli *cli, const struct cli_args *args)
{
	struct ping ping = {
		.from = args->names[0],
		.target = args->names[1],
		.ipv6 = args->values[OPT_IPV6],
		.json = args->values[OPT_JSON],
		.interval_ms = 1000,
		.size = 56,
		.timeout_ms = 1000,
		.conn = CONN_NONE,
	};
	int status = parse_numbers(args, &ping);

	if (!status)
		status = resolve_target(cli, &ping);
	if (status)
		return status;
	ping.replies = json_array();
	interrupt_catch();
	print_header(&ping);
	status = ping_all(cli, &ping);
	json_decref(ping.replies);
	return status;
}

const struct cli_command ping_command = {
	.name = "ping",
	.usage = "[OPTION...] FROM TARGET",
	.summary = "let a VM ping another VM, or an address",
	.details = "TARGET is the name of a VM, or an IPv4 or IPv6 address. "
		   "The exit status is 0 if\nthere was any reply.\n",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.missing = "two are needed: the VM that pings, and its target",
	.names_vms = true,
	.run = run_ping,
};
