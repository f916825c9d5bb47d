/* SPDX-License-Identifier: ISC */
/* vmsup run: a new VM by options. */
#include "supervisor/cli/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/proto.h"
#include "supervisor/cli/act.h"
#include "supervisor/cli/cmdline.h"
#include "supervisor/cli/conn.h"
#include "supervisor/cli/conn_call.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/interrupt.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/run_machine.h"
#include "supervisor/cli/stream.h"
#include "supervisor/cli/text.h"

enum {
	OPT_MAC,
	OPT_ADDRESS,
	OPT_ADDRESS6,
	OPT_ALLOW,
	OPT_ATTACH,
	OPT_NO_WAIT,
	OPT_KERNEL,
	OPT_INITRD,
	OPT_CMDLINE,
	OPT_MEMORY,
	OPT_CPUS,
	OPT_DISK,
	OPT_NIC,
	OPT_QUEUES,
	OPT_VHOST,
	OPT_HUGEPAGES,
};

static const struct cli_option options[] = {
	[OPT_MAC] = { "mac", 'm', "MAC", false, "its MAC address (derived)" },
	[OPT_ADDRESS] = { "address", 'a', "IPV4", false,
			  "its IPv4 address (the lowest free)" },
	[OPT_ADDRESS6] = { "address6", '6', "IPV6/LEN", false,
			   "an IPv6 address besides the link-local one" },
	[OPT_ALLOW] = { "allow", 0, "WHAT,...", false,
			"it may send ra, redirect, mld-query, dhcp-server" },
	[OPT_ATTACH] = { "attach", 0, NULL, false,
			 "stay: show events and log; Ctrl-C stops the VM" },
	[OPT_NO_WAIT] = { "no-wait", 0, NULL, false,
			  "return when it is under way" },
	[OPT_KERNEL] = { "kernel", 'k', "FILE", false,
			 "guest kvm: boot this kernel (bzImage or ELF)" },
	[OPT_INITRD] = { "initrd", 'i', "FILE", false, "with this initrd" },
	[OPT_CMDLINE] = { "cmdline", 'c', "TEXT", false,
			  "and this command line" },
	[OPT_MEMORY] = { "memory", 0, "SIZE", false, "its memory (256M)" },
	[OPT_CPUS] = { "cpus", 0, "N", false, "its processors (1)" },
	[OPT_DISK] = { "disk", 'd', "FILE[,ro][,direct][,raw]", false,
		       "a disk: raw image or block device; up to 8" },
	[OPT_NIC] = { "nic", 0, NULL, false, "a network device" },
	[OPT_QUEUES] = { "queues", 0, "N", false,
			 "a network device of N queue pairs (1)" },
	[OPT_VHOST] = { "vhost", 0, "auto|on|off", false,
			"frames by the host's vhost-net (auto)" },
	[OPT_HUGEPAGES] = { "hugepages", 0, NULL, false,
			    "memory of the host's huge pages" },
	{ 0 },
};

static bool is_ipv6_prefix(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct in6_addr ipv6;
	long prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	return inet_pton(AF_INET6, address, &ipv6) == 1 &&
	       text_number(slash + 1, 1, 128, &prefix);
}

static bool is_mac(const char *text)
{
	for (int i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':'
			       : !memchr("0123456789abcdefABCDEF", text[i], 22))
			return false;
	return text[17] == '\0';
}

/* Checks the form of the options. The supervisor checks the values. */
static int check_form(const struct cli_args *args)
{
	const char *const *values = args->values;
	struct in_addr ipv4;

	if (!vm_name_valid(args->names[0]))
		return report_usage(
			"run",
			"\"%s\" is no name for a VM (a to z, 0 to 9 "
			"and -, 31 at most, not - first)",
			args->names[0]);
	if (values[OPT_MAC] && !is_mac(values[OPT_MAC]))
		return report_usage("run",
				    "--mac: \"%s\" is no MAC address (such as "
				    "02:00:00:00:00:01)",
				    values[OPT_MAC]);
	if (values[OPT_ADDRESS] &&
	    inet_pton(AF_INET, values[OPT_ADDRESS], &ipv4) != 1)
		return report_usage(
			"run",
			"--address: \"%s\" is no IPv4 address (such "
			"as 10.77.0.9)",
			values[OPT_ADDRESS]);
	if (values[OPT_ADDRESS6] && !is_ipv6_prefix(values[OPT_ADDRESS6]))
		return report_usage(
			"run",
			"--address6: \"%s\" is no IPv6 address with "
			"its prefix length (such as fd77::9/64)",
			values[OPT_ADDRESS6]);
	return CLI_OK;
}

static int make_machine(const struct cli_args *args,
			struct machine_config **machine)
{
	const struct run_machine given = {
		.kernel = args->values[OPT_KERNEL],
		.initrd = args->values[OPT_INITRD],
		.cmdline = args->values[OPT_CMDLINE],
		.memory = args->values[OPT_MEMORY],
		.cpus = args->values[OPT_CPUS],
		.queues = args->values[OPT_QUEUES],
		.vhost = args->values[OPT_VHOST],
		.nic = args->values[OPT_NIC],
		.hugepages = args->values[OPT_HUGEPAGES],
		.disks = args->repeated,
		.disk_count = args->repeated_count,
	};

	return run_machine_make(&given, args->names[0], machine);
}

/* An array of the words between commas; NULL for NULL. */
static json_t *split_words(const char *words)
{
	json_t *array = words ? json_array() : NULL;

	while (array) {
		size_t length = strcspn(words, ",");

		json_array_append_new(array, json_stringn(words, length));
		if (!words[length])
			break;
		words += length + 1;
	}
	return array;
}

static int call_define(struct conn *conn, const struct cli_args *args,
		       const struct machine_config *machine)
{
	int fds[CONN_MAX_FDS];
	json_t *parameters = json_pack(
		"{s:s, s:s*, s:s*, s:s*, s:o*}", "name", args->names[0], "mac",
		args->values[OPT_MAC], "ipv4", args->values[OPT_ADDRESS],
		"ipv6", args->values[OPT_ADDRESS6], "allow",
		split_words(args->values[OPT_ALLOW]));
	int error;

	if (machine) {
		size_t count;

		if (json_object_set_new(
			    parameters, "machine",
			    run_machine_json(machine, fds, &count)) < 0) {
			json_decref(parameters);
			return report_error(
				"--cmdline or the name of a file is "
				"no UTF-8 (or memory ran out)");
		}
		error = conn_settle(conn);
		if (error) {
			json_decref(parameters);
			return conn_report_loss(conn, error);
		}
		conn->fds = fds;
		conn->fd_count = count;
	}
	return conn_call(conn, "Define", parameters, CONN_TIMEOUT_MS, NULL);
}

static void tell_hint(void *ctx, const char *hint)
{
	const char *vm = ctx;

	report_warn("%s: %s", vm, hint);
}

static int define_vm(const struct cli *cli, const struct cli_args *args)
{
	struct machine_config *machine;
	struct conn conn;
	int status = conn_open(&conn, cli);

	if (status)
		return status;
	status = make_machine(args, &machine);
	if (!status)
		status = call_define(&conn, args, machine);
	if (!status && machine)
		cmdline_hints(machine->cmdline, tell_hint, args->names[0]);
	machine_free(machine);
	conn_close(&conn);
	return status;
}

/* ---- --attach: the VM's events and its log, until it ends */

struct attached {
	const struct cli *cli;
	char **names; /* the name of the VM, as an array of one */
	struct conn events, logs;
	bool ended, failed;
};

static void take_events(struct attached *vm, const json_t *parameters)
{
	const char *name;
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(parameters, "events"), i, event) {
		if (strcmp(field_text(event, "vm"), vm->names[0]) != 0)
			continue;
		stream_event(event, false);
		name = field_text(event, "event");
		vm->failed = strcmp(name, "failed") == 0;
		vm->ended = vm->failed || strcmp(name, "stopped") == 0;
	}
}

static void take_lines(const json_t *parameters)
{
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(parameters, "lines"), i, line)
		stream_log_line(line);
}

/* Takes a reply of either connection. Returns what conn_receive() does. */
static int take_reply(struct attached *vm)
{
	struct conn *const both[] = { &vm->events, &vm->logs };
	int which = conn_wait(both, ARRAY_SIZE(both), CONN_FOREVER);
	struct reply reply;
	int result;

	if (which < 0)
		return which;
	result = conn_receive(both[which], 0, &reply);
	if (result == -EAGAIN)
		return 1; /* the reply isn't complete yet */
	if (result != 1)
		return result;
	if (reply.error[0]) {
		conn_report(which ? "logs" : "events", &reply);
		result = -ECANCELED;
	} else if (!reply.continues) {
		result = 0; /* the supervisor ends */
	} else if (which == 0) {
		take_events(vm, reply.parameters);
	} else {
		take_lines(reply.parameters);
	}
	conn_reply_free(&reply);
	return result;
}

/* Asks the VM to stop. */
static int stop_vm(const struct attached *vm)
{
	return conn_ask(vm->cli, "Stop",
			json_pack("{s:o}", "names", conn_names(vm->names, 1)),
			NULL);
}

static int follow_attached(struct attached *vm)
{
	bool stopping = false;
	int result;

	while (!vm->ended) {
		result = take_reply(vm);
		if (report_flush())
			return CLI_FAILED;
		if (interrupt_take() && !vm->ended) {
			if (stopping)
				/* the second Ctrl-C: leave the VM */
				return CLI_FAILED;
			stopping = true;
			if (stop_vm(vm))
				return CLI_FAILED;
		} else if (result != 1 && result != -EINTR) {
			return conn_report_loss(&vm->events, result);
		}
	}
	return vm->failed ? CLI_FAILED : CLI_OK;
}

static int attach_vm(const struct cli *cli, const struct cli_args *args)
{
	struct attached vm = {
		.cli = cli,
		.names = args->names,
		.events = CONN_NONE,
		.logs = CONN_NONE,
	};
	int status, error;

	interrupt_catch();
	status = act_subscribe(&vm.events, cli);
	if (!status)
		status = define_vm(cli, args);
	if (!status)
		status = conn_open(&vm.logs, cli);
	if (!status) {
		error = conn_send(&vm.logs, "Logs",
				  json_pack("{s:s, s:b}", "name",
					    args->names[0], "follow", 1),
				  true);
		status = error ? conn_report_loss(&vm.logs, error)
			       : follow_attached(&vm);
	}
	conn_close(&vm.logs);
	conn_close(&vm.events);
	return status;
}

/* ---- without --attach: until the VM runs */

static int define_and_wait(const struct cli *cli, const struct cli_args *args)
{
	struct conn events = CONN_NONE;
	struct await await;
	int status, result;

	if (await_init(&await, AWAIT_RUNNING, (const char *const *)args->names,
		       1))
		return report_error("out of memory");
	status = act_subscribe(&events, cli);
	if (!status)
		status = define_vm(cli, args);
	if (!status && !args->values[OPT_NO_WAIT]) {
		result = await_follow(&await, &events, cli);
		status = result == 1 ? await_report(&await)
				     : conn_report_loss(&events, result);
		if (!status && isatty(STDOUT_FILENO))
			printf("%s is running\n", args->names[0]);
	}
	conn_close(&events);
	await_uninit(&await);
	return status;
}

static int run_run(const struct cli *cli, const struct cli_args *args)
{
	int status = check_form(args);

	if (status)
		return status;
	if (args->values[OPT_ATTACH] && args->values[OPT_NO_WAIT])
		return report_usage("run", "--attach waits, --no-wait doesn't");
	return args->values[OPT_ATTACH] ? attach_vm(cli, args)
					: define_and_wait(cli, args);
}

const struct cli_command run_command = {
	.name = "run",
	.usage = "[OPTION...] NAME",
	.summary = "define a new VM and start it",
	.options = options,
	.repeats = OPT_DISK,
	.min_args = 1,
	.max_args = 1,
	.missing = "no name for the VM",
	.run = run_run,
};
