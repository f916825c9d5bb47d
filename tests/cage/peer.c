/* SPDX-License-Identifier: ISC */
/*
 * Stands in the supervisor's place, and breaks the rules towards a real vmproc.
 *
 *	peer VMPROC CASE      prints what the process logs, then "exit STATUS"
 *	peer --cases          the names of the cases, each with what must come
 *
 * The process is not in stage 1 of its cage here, and never gets to stage 2:
 * all of it is refused before.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/fd.h"

static struct channel channel = { .fd = -1,
				  .side = CHANNEL_SUPERVISOR,
				  .generation = 7 };

static void send_config(uint32_t version, uint32_t guest)
{
	union msg message = { 0 };

	message.config.version = version;
	message.config.guest = guest;
	memcpy(message.config.name, "peer", sizeof("peer"));
	message.config.mac[0] = 2;
	message.config.mtu = 1500;
	message.config.ipv4.s_addr = htonl(0x0a4d0009); /* 10.77.0.9 */
	message.config.ipv4_prefix = 16;
	channel_send(&channel, MSG_CONFIG, &message, -1);
}

static void config(void)
{
	send_config(PROTO_VERSION, GUEST_BUILTIN);
}

static void send_fd(uint32_t role, uint32_t index)
{
	cleanup_fd int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	union msg message = { .fd = { .role = role, .index = index } };

	channel_send(&channel, MSG_FD, &message, fd);
}

static void send_plain(enum msg_type type)
{
	union msg message = { 0 };

	channel_send(&channel, type, &message, -1);
}

static void send_raw(uint16_t type, size_t bytes, uint16_t reserved)
{
	union {
		struct msg_header header;
		char bytes[4096];
	} packet = { .header = { .type = type,
				 .reserved = reserved,
				 .size = (uint32_t)bytes,
				 .generation = channel.generation } };

	send(channel.fd, &packet, bytes, MSG_NOSIGNAL);
}

static void version(void)
{
	send_config(PROTO_VERSION + 1, GUEST_BUILTIN);
}

static void guest(void)
{
	send_config(PROTO_VERSION, GUEST_KINDS);
}

static void config_twice(void)
{
	config();
	config();
}

static void fd_early(void)
{
	send_fd(FD_ROLE_TAP, 0);
}

static void start_early(void)
{
	send_plain(MSG_START);
}

static void stats_early(void)
{
	config();
	send_plain(MSG_STATS_REQUEST);
}

static void pause_early(void)
{
	config();
	send_plain(MSG_PAUSE);
}

static void stop_early(void)
{
	config();
	send_plain(MSG_STOP);
}

static void role_unknown(void)
{
	config();
	send_fd(FD_ROLES, 0);
}

static void role_unwanted(void)
{
	config();
	send_fd(FD_ROLE_LISTENER, 0);
}

static void role_huge(void)
{
	config();
	send_fd(UINT32_MAX, 0);
}

static void index_one(void)
{
	config();
	send_fd(FD_ROLE_TAP, 1);
}

static void fd_twice(void)
{
	config();
	send_fd(FD_ROLE_FILTER, 0);
	send_fd(FD_ROLE_FILTER, 0);
}

static void start_without(void)
{
	config();
	send_fd(FD_ROLE_FILTER, 0);
	send_plain(MSG_START);
}

/* All that it needs, /dev/null each, but one. */
static void start_but(uint32_t missing)
{
	config();
	for (uint32_t role = FD_ROLE_TAP; role < FD_ROLE_LISTENER; role++)
		if (role != missing)
			send_fd(role, 0);
	send_plain(MSG_START);
}

static void no_tap(void)
{
	start_but(FD_ROLES);
}

static void start_without_adopt(void)
{
	start_but(FD_ROLE_ADOPT);
}

static void start_without_uids(void)
{
	start_but(FD_ROLE_UIDS);
}

static void adopt_twice(void)
{
	config();
	send_fd(FD_ROLE_ADOPT, 0);
	send_fd(FD_ROLE_ADOPT, 0);
}

static void generation(void)
{
	config();
	channel.generation++;
	send_plain(MSG_START);
}

static void direction(void)
{
	send_raw(MSG_STATS, sizeof(struct msg_stats), 0);
}

static void type_none(void)
{
	send_raw(MSG_NONE, sizeof(struct msg_plain), 0);
}

static void type_unknown(void)
{
	send_raw(MSG_TYPES, sizeof(struct msg_plain), 0);
}

static void size_short(void)
{
	send_raw(MSG_CONFIG, sizeof(struct msg_config) - 8, 0);
}

static void too_long(void)
{
	send_raw(MSG_CONFIG, 4096, 0);
}

static void tiny(void)
{
	send_raw(MSG_CONFIG, 3, 0);
}

static void reserved(void)
{
	send_raw(MSG_CONFIG, sizeof(struct msg_config), 1);
}

static void without_fd(void)
{
	config();
	send_raw(MSG_FD, sizeof(struct msg_fd), 0);
}

static void gone(void)
{
	config();
}

static const struct {
	const char *name;
	void (*act)(void);
	int status; /* enum vmproc_exit */
	const char *says; /* regular expression of its last line */
} cases[] = {
	{ "version", version, 76, "supervisor speaks protocol 3, .*" },
	{ "guest", guest, 78, "unknown guest [0-9]+" },
	{ "config-twice", config_twice, 76, "CONFIG in state 1" },
	{ "fd-early", fd_early, 76, "FD in state 0" },
	{ "start-early", start_early, 76, "START in state 0" },
	{ "stats-early", stats_early, 76, "STATS[?] in state 1" },
	{ "pause-early", pause_early, 76, "PAUSE in state 1" },
	{ "stop-early", stop_early, 76, "STOP in state 1" },
	{ "role-unknown", role_unknown, 76, "descriptor of role .*" },
	{ "role-unwanted", role_unwanted, 76, "descriptor of role .*" },
	{ "role-huge", role_huge, 76, "descriptor of role .*" },
	{ "index-one", index_one, 76, "descriptor of role .*" },
	{ "fd-twice", fd_twice, 76, "descriptor of role .*" },
	{ "start-without", start_without, 76,
	  "START without descriptor of role [0-9]+" },
	{ "start-without-adopt", start_without_adopt, 76,
	  "START without descriptor of role 3" },
	{ "start-without-uids", start_without_uids, 76,
	  "START without descriptor of role 4" },
	{ "adopt-twice", adopt_twice, 76,
	  "descriptor of role 3, index 0: not wanted" },
	{ "no-tap", no_tap, 71, "the TAP: .*" },
	{ "generation", generation, 76,
	  "channel: START of generation 8 \\(7 wanted\\)" },
	{ "direction", direction, 76, "channel: STATS in the wrong direction" },
	{ "type-none", type_none, 76, "channel: message type 0" },
	{ "type-unknown", type_unknown, 76, "channel: message type [0-9]+" },
	{ "size-short", size_short, 76, "channel: CONFIG of [0-9]+ bytes .*" },
	{ "too-long", too_long, 76, "channel: message too long" },
	{ "tiny", tiny, 76, "channel: message of 3 bytes" },
	{ "reserved", reserved, 76, "channel: CONFIG with reserved bits" },
	{ "without-fd", without_fd, 76,
	  "channel: FD with 0 descriptors \\(1 wanted\\)" },
	{ "gone", gone, 72, "supervisor gone" },
};

/* What it logs until it hangs up, a line each. */
static void print_logs(void)
{
	struct channel_fault fault;
	union msg message;
	int fd, result;

	channel.generation = 0; /* whichever it takes itself for */
	fcntl(channel.fd, F_SETFL, 0);
	for (;;) {
		char probe;

		/* channel_receive() never waits */
		(void)!recv(channel.fd, &probe, 1, MSG_PEEK);
		result = channel_receive(&channel, &message, &fd, &fault);
		if (result == -ECONNRESET)
			continue;
		if (result != 1)
			break;
		if (message.header.type == MSG_LOG &&
		    message.log.length < MSG_LOG_TEXT)
			printf("%.*s\n", (int)message.log.length,
			       message.log.text);
	}
}

static int run(const char *vmproc, size_t index)
{
	char program[] = "vmproc";
	char *argv[] = { program, NULL }, *envp[] = { NULL };
	int ends[2], status;
	pid_t pid;

	if (channel_pair(ends) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		int fd = fcntl(ends[1], F_DUPFD, 16);

		if (dup2(fd, PROTO_CHANNEL_FD) < 0 || close(fd) < 0)
			_exit(1);
		execve(vmproc, argv, envp);
		_exit(127);
	}
	close(ends[1]);
	channel.fd = ends[0];
	cases[index].act();
	if (cases[index].act == gone)
		shutdown(channel.fd, SHUT_WR);
	print_logs();
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	if (WIFEXITED(status))
		printf("exit %d\n", WEXITSTATUS(status));
	else
		printf("signal %d\n", WTERMSIG(status));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--cases") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			printf("%s\t%d\t%s\n", cases[i].name, cases[i].status,
			       cases[i].says);
		return 0;
	}
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(cases); i++)
		if (strcmp(argv[2], cases[i].name) == 0)
			return run(argv[1], i);
	return 2;
}
