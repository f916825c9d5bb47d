/* SPDX-License-Identifier: ISC */
/*
 * Stands in the supervisor's place, and breaks the rules towards a real vmproc.
 *
 *	peer VMPROC CASE      prints what the process logs, then "exit STATUS"
 *	peer --cases          the names of the cases, each with what must come
 *
 * The process is not in stage 1 of its cage here, and never gets to stage 2:
 * all of it is refused before. With a kernel and the two filters of guest kvm
 * (tests/cage/filters), where /dev/kvm works, it does, and runs:
 *
 *	peer VMPROC CASE KERNEL FILTER VCPU-FILTER
 *	peer --kvm-cases
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

/* ---- guest kvm */

static void config_kvm(void)
{
	send_config(PROTO_VERSION, GUEST_KVM);
}

static union msg good_machine(void)
{
	return (union msg){
		.machine = { .memory_bytes = 128 << 20,
			     .vcpus = 1,
			     .cmdline = "console=ttyS0" },
	};
}

static void send_machine(union msg machine)
{
	channel_send(&channel, MSG_MACHINE, &machine, -1);
}

static void machine_early(void)
{
	send_machine(good_machine());
}

static void machine_builtin(void)
{
	config();
	send_machine(good_machine());
}

static void machine_twice(void)
{
	config_kvm();
	send_machine(good_machine());
	send_machine(good_machine());
}

static void machine_flags(void)
{
	union msg machine = good_machine();

	machine.machine.flags = MACHINE_FLAGS + 1;
	config_kvm();
	send_machine(machine);
}

static void machine_endless(void)
{
	union msg machine = good_machine();

	memset(machine.machine.cmdline, 'x', MACHINE_CMDLINE);
	config_kvm();
	send_machine(machine);
}

static void machine_short(void)
{
	config_kvm();
	send_raw(MSG_MACHINE, sizeof(struct msg_machine) - 8, 0);
}

static void counters_early(void)
{
	config_kvm();
	send_plain(MSG_COUNTERS_REQUEST);
}

/* All that guest kvm needs, /dev/null each, but one. */
static void start_kvm_but(uint32_t missing)
{
	static const uint32_t roles[] = {
		FD_ROLE_FILTER,      FD_ROLE_ADOPT, FD_ROLE_UIDS,
		FD_ROLE_FILTER_VCPU, FD_ROLE_KVM,   FD_ROLE_KERNEL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (roles[i] != missing)
			send_fd(roles[i], 0);
	send_plain(MSG_START);
}

static void start_kvm(union msg machine)
{
	config_kvm();
	send_machine(machine);
	start_kvm_but(FD_ROLES);
}

static void kvm_without_machine(void)
{
	config_kvm();
	start_kvm_but(FD_ROLES);
}

static void kvm_without_kvm(void)
{
	config_kvm();
	send_machine(good_machine());
	start_kvm_but(FD_ROLE_KVM);
}

static void kvm_without_kernel(void)
{
	config_kvm();
	send_machine(good_machine());
	start_kvm_but(FD_ROLE_KERNEL);
}

static void kvm_without_vcpu_filter(void)
{
	config_kvm();
	send_machine(good_machine());
	start_kvm_but(FD_ROLE_FILTER_VCPU);
}

static void kvm_no_vcpus(void)
{
	union msg machine = good_machine();

	machine.machine.vcpus = 0;
	start_kvm(machine);
}

static void kvm_many_vcpus(void)
{
	union msg machine = good_machine();

	machine.machine.vcpus = UINT32_MAX;
	start_kvm(machine);
}

static void kvm_no_memory(void)
{
	union msg machine = good_machine();

	machine.machine.memory_bytes = 0;
	start_kvm(machine);
}

static void kvm_odd_memory(void)
{
	union msg machine = good_machine();

	machine.machine.memory_bytes = UINT64_MAX;
	start_kvm(machine);
}

static void kvm_no_kvm(void)
{
	start_kvm(good_machine());
}

static void kvm_disk_gap(void)
{
	config_kvm();
	send_fd(FD_ROLE_DISK, 1);
}

static void kvm_disk_nine(void)
{
	config_kvm();
	for (uint32_t i = 0; i <= FD_INDEX_MAX; i++)
		send_fd(FD_ROLE_DISK, i);
}

static void kvm_console_twice(void)
{
	config_kvm();
	send_fd(FD_ROLE_CONSOLE, 0);
	send_fd(FD_ROLE_CONSOLE, 1);
}

static void disk_builtin(void)
{
	config();
	send_fd(FD_ROLE_DISK, 0);
}

static const struct {
	const char *name;
	void (*act)(void);
	int status; /* enum vmproc_exit */
	const char *says; /* regular expression of its last line */
} cases[] = {
	{ "version", version, 76, "supervisor speaks protocol [0-9]+, .*" },
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
	{ "machine-early", machine_early, 76, "MACHINE in state 0" },
	{ "machine-builtin", machine_builtin, 76, "MACHINE for guest builtin" },
	{ "machine-twice", machine_twice, 76, "MACHINE twice" },
	{ "machine-flags", machine_flags, 76, "MACHINE malformed" },
	{ "machine-endless", machine_endless, 76, "MACHINE malformed" },
	{ "machine-short", machine_short, 76,
	  "channel: MACHINE of [0-9]+ bytes .*" },
	{ "counters-early", counters_early, 76, "COUNTERS[?] in state 1" },
	{ "kvm-without-machine", kvm_without_machine, 76,
	  "START without MACHINE" },
	{ "kvm-without-kvm", kvm_without_kvm, 76,
	  "START without descriptor of role 7" },
	{ "kvm-without-kernel", kvm_without_kernel, 76,
	  "START without descriptor of role 8" },
	{ "kvm-without-vcpu-filter", kvm_without_vcpu_filter, 76,
	  "START without descriptor of role 6" },
	{ "kvm-no-vcpus", kvm_no_vcpus, 78, "0 vCPUs: .*" },
	{ "kvm-many-vcpus", kvm_many_vcpus, 78, "4294967295 vCPUs: .*" },
	{ "kvm-no-memory", kvm_no_memory, 78, "0 bytes of memory: .*" },
	{ "kvm-odd-memory", kvm_odd_memory, 78, "[0-9]+ bytes of memory: .*" },
	{ "kvm-no-kvm", kvm_no_kvm, 78, "/dev/kvm: ENOTTY .*" },
	{ "kvm-disk-gap", kvm_disk_gap, 76,
	  "descriptor of role 11, index 1: not wanted" },
	{ "kvm-disk-nine", kvm_disk_nine, 76,
	  "descriptor of role 11, index 8: not wanted" },
	{ "kvm-console-twice", kvm_console_twice, 76,
	  "descriptor of role 10, index 1: not wanted" },
	{ "disk-builtin", disk_builtin, 76,
	  "descriptor of role 11, index 0: not wanted" },
	{ "gone", gone, 72, "supervisor gone" },
};

/* ---- a guest that runs */

static const char *kernel_path, *filter_path, *vcpu_filter_path;

static void send_file(uint32_t role, const char *path, int mode)
{
	cleanup_fd int fd = open(path, mode | O_CLOEXEC);
	union msg message = { .fd = { .role = role } };

	if (fd < 0 || channel_send(&channel, MSG_FD, &message, fd) < 0) {
		perror(path);
		exit(1);
	}
}

/* Up to LOADED. READY's listener is held, so that what is refused hangs. */
static void boot(void)
{
	struct channel_fault fault = { 0 };
	union msg message;
	int fd, result;

	config_kvm();
	send_machine(good_machine());
	send_file(FD_ROLE_FILTER, filter_path, O_RDONLY);
	send_file(FD_ROLE_FILTER_VCPU, vcpu_filter_path, O_RDONLY);
	send_file(FD_ROLE_KVM, "/dev/kvm", O_RDWR);
	send_file(FD_ROLE_KERNEL, kernel_path, O_RDONLY);
	send_fd(FD_ROLE_ADOPT, 0);
	send_fd(FD_ROLE_UIDS, 0);
	send_plain(MSG_START);
	fcntl(channel.fd, F_SETFL, 0);
	do {
		char probe;

		/* channel_receive() never waits */
		(void)!recv(channel.fd, &probe, 1, MSG_PEEK);
		result = channel_receive(&channel, &message, &fd, &fault);
		if (result == 1 && message.header.type == MSG_LOG)
			printf("%.240s\n", message.log.text);
	} while (result == 1 && message.header.type != MSG_LOADED);
}

static void running_config(void)
{
	config_kvm();
}

static void running_machine(void)
{
	send_machine(good_machine());
}

static void running_fd(void)
{
	send_fd(FD_ROLE_KVM, 0);
}

static void running_start(void)
{
	send_plain(MSG_START);
}

static void running_resume(void)
{
	send_plain(MSG_RESUME);
}

static void paused_pause(void)
{
	send_plain(MSG_PAUSE);
	send_plain(MSG_PAUSE);
}

static void running_generation(void)
{
	channel.generation++;
	send_plain(MSG_STATS_REQUEST);
}

/* A descriptor beside what has none. */
static void running_surplus(void)
{
	struct msg_plain pause = {
		.header = { .type = MSG_PAUSE,
			    .size = sizeof(pause),
			    .generation = channel.generation },
	};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec part = { &pause, sizeof(pause) };
	struct msghdr packet = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &channel.fd, sizeof(int));
	/* musl refuses more control data than a few descriptors */
	syscall(SYS_sendmsg, channel.fd, &packet, MSG_NOSIGNAL);
}

/* What it may be asked, more often than there is room for answers; then it
 * must still hear the first STOP, a button, and end at the second. */
static void running_flood(void)
{
	union msg link = { .link.mtu = UINT32_MAX };
	union msg ping = { .ping.family = UINT32_MAX };
	union msg stats = { 0 };

	for (uint32_t i = 0; i < 500; i++) {
		channel_send(&channel, MSG_LINK, &link, -1);
		channel_send(&channel, MSG_PING, &ping, -1);
		channel_send(&channel, MSG_STATS_REQUEST, &stats, -1);
		send_plain(MSG_COUNTERS_REQUEST);
		if (i % 100 == 0) {
			send_plain(MSG_PAUSE);
			send_plain(MSG_RESUME);
		}
	}
	fcntl(channel.fd, F_SETFL, 0);
	for (int i = 0; i < 2; i++)
		send_raw(MSG_STOP, sizeof(struct msg_plain), 0);
}

static void running_noise(void)
{
	send_raw(UINT16_MAX, 4096, UINT16_MAX);
}

static const struct {
	const char *name;
	void (*act)(void);
	int status;
	const char *says;
} kvm_cases[] = {
	{ "config", running_config, 76, "CONFIG in state 3" },
	{ "machine", running_machine, 76, "MACHINE in state 3" },
	{ "fd", running_fd, 76, "FD in state 3" },
	{ "start", running_start, 76, "START in state 3" },
	{ "resume", running_resume, 76, "RESUME in state 3" },
	{ "pause-twice", paused_pause, 76, "PAUSE in state 4" },
	{ "generation", running_generation, 76,
	  "channel: STATS[?] of generation 8 .*" },
	{ "direction", direction, 76, "channel: STATS in the wrong direction" },
	{ "surplus", running_surplus, 76,
	  "channel: PAUSE with 1 descriptors .*" },
	{ "noise", running_noise, 76, "channel: message .*" },
	{ "tiny", tiny, 76, "channel: message of 3 bytes" },
	{ "flood", running_flood, 0, ".*" },
	{ "gone", NULL, 72, "supervisor gone" },
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

/* What the supervisor would do, and then the case. */
static void play(size_t index, bool with_guest)
{
	void (*act)(void) = with_guest ? kvm_cases[index].act
				       : cases[index].act;

	if (with_guest)
		boot();
	if (act)
		act();
	if (!act || act == gone)
		shutdown(channel.fd, SHUT_WR);
}

/* What stage 1 leaves: the channel and the loops at their numbers, no more. */
static void leave_descriptors(int channel_fd)
{
	int fd = fcntl(channel_fd, F_DUPFD, PROTO_CHANNEL_FD + 1);

	if (dup2(fd, PROTO_CHANNEL_FD) < 0)
		_exit(1);
	syscall(SYS_close_range, 0, PROTO_CHANNEL_FD - 1, 0);
	syscall(SYS_close_range, PROTO_CHANNEL_FD + 1, ~0U, 0);
	for (int number = PROTO_LOOP_FD; number <= PROTO_DISKS_LOOP_FD;
	     number++) {
		int loop_fd = epoll_create1(0);

		if (dup2(loop_fd, number) < 0 || close(loop_fd) < 0)
			_exit(1);
	}
}

static int run(const char *vmproc, size_t index, bool with_guest)
{
	char program[] = "vmproc";
	char *argv[] = { program, NULL }, *envp[] = { NULL };
	int ends[2], status;
	pid_t pid;

	if (channel_pair(ends) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		leave_descriptors(ends[1]);
		execve(vmproc, argv, envp);
		_exit(127);
	}
	close(ends[1]);
	channel.fd = ends[0];
	play(index, with_guest);
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
	bool list = argc == 2 && strcmp(argv[1], "--cases") == 0;
	bool list_kvm = argc == 2 && strcmp(argv[1], "--kvm-cases") == 0;

	for (size_t i = 0; list && i < ARRAY_SIZE(cases); i++)
		printf("%s\t%d\t%s\n", cases[i].name, cases[i].status,
		       cases[i].says);
	for (size_t i = 0; list_kvm && i < ARRAY_SIZE(kvm_cases); i++)
		printf("%s\t%d\t%s\n", kvm_cases[i].name, kvm_cases[i].status,
		       kvm_cases[i].says);
	if (list || list_kvm)
		return 0;
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(cases); i++)
		if (strcmp(argv[2], cases[i].name) == 0)
			return run(argv[1], i, false);
	if (argc != 6)
		return 2;
	kernel_path = argv[3];
	filter_path = argv[4];
	vcpu_filter_path = argv[5];
	for (size_t i = 0; i < ARRAY_SIZE(kvm_cases); i++)
		if (strcmp(argv[2], kvm_cases[i].name) == 0)
			return run(argv[1], i, true);
	return 2;
}
