/* SPDX-License-Identifier: ISC */
/*
 * Plays the supervisor for one kvm guest: opens what it needs, starts vmproc
 * on a channel, and shows what comes back. A driver for development: no room,
 * no identity of its own, but all filters: the supervisor's, that of set-up,
 * and what these bound.
 *
 *	solo [OPTION...] VMPROC
 *	-k FILE -i FILE -a CMDLINE -m MIB -c CPUS -H (huge pages)
 *	-t TAP[:QUEUES] -v (vhost) -d DISK[:ro|:direct] -n (no inherited filter)
 *
 * The console is standard output; lines of standard input are commands: pause,
 * resume, stop, kill, counters, stats, mtu N, wait MS, expect TEXT (on the
 * console, from here on), sh COMMAND, else what is typed to the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "ipc/channel.h"
#include "ipc/fd.h"
#include "sandbox/filter.h"
#include "sandbox/stage2.h"

static struct solo {
	const char *kernel, *initrd, *vmproc, *tap;
	const char *disk[FD_INDEX_MAX];
	unsigned int disks, queues;
	bool vhost, bare;
	struct msg_machine machine;
	struct channel channel;
	int console_fd, listener_fd;
	int filter_fd, vcpu_filter_fd;
	struct filter_program setup;
	struct sock_filter inherited[STAGE2_MAX_FILTER];
	unsigned short inherited_length;
	pid_t pid;
	uint64_t started_ns;
	unsigned int unanswered;
	char expected[128]; /* empty: nothing */
	char seen[8192]; /* the end of the console's output */
} solo = { .queues = 1, .listener_fd = -1 };

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

#define say(...)                                                     \
	do {                                                         \
		fprintf(stderr, "solo %7.3f: ",                      \
			(double)(now_ns() - solo.started_ns) / 1e9); \
		fprintf(stderr, __VA_ARGS__);                        \
		fputc('\n', stderr);                                 \
	} while (0)

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "solo: %s: %s\n", what, strerror(errno));
	exit(99);
}

static int must_open(const char *path, int flags)
{
	int fd = path ? open(path, flags | O_CLOEXEC) : -1;

	if (fd < 0)
		die(path);
	return fd;
}

static void must_send(enum msg_type type, union msg *message, int fd)
{
	int error = channel_send(&solo.channel, type, message, fd);

	if (error)
		fprintf(stderr, "solo: send %s: %s\n", msg_specs[type].name,
			strerror(-error));
}

static void give(enum fd_role role, unsigned int index, int fd)
{
	union msg message = { .fd = { .role = role, .index = index } };

	must_send(MSG_FD, &message, fd);
	close(fd);
}

static int open_tap(void)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI |
						      IFF_VNET_HDR) };
	int fd = must_open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (solo.queues > 1)
		request.ifr_flags =
			(short)(request.ifr_flags | IFF_MULTI_QUEUE);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", solo.tap);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		die(solo.tap);
	return fd;
}

static void give_disk(unsigned int index)
{
	char *path = strdup(solo.disk[index]);
	char *option = strchr(path, ':');
	int flags = O_RDWR;

	if (option)
		*option++ = '\0';
	if (option && strcmp(option, "ro") == 0)
		flags = O_RDONLY;
	if (option && strcmp(option, "direct") == 0)
		flags |= O_DIRECT;
	give(FD_ROLE_DISK, index, must_open(path, flags));
	free(path);
}

static void tell_all(int console_fd)
{
	union msg message = { 0 };
	int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	message.config.version = PROTO_VERSION;
	message.config.guest = GUEST_KVM;
	snprintf(message.config.name, sizeof(message.config.name), "solo");
	memcpy(message.config.mac, "\x02\x77\0\0\0\1", 6);
	/* several machines side by side: a MAC for each */
	if (solo.tap)
		message.config.mac[5] = (uint8_t)solo.tap[strlen(solo.tap) - 1];
	message.config.mtu = 1500;
	must_send(MSG_CONFIG, &message, -1);
	message.machine = solo.machine;
	must_send(MSG_MACHINE, &message, -1);
	give(FD_ROLE_FILTER, 0, solo.filter_fd);
	give(FD_ROLE_FILTER_VCPU, 0, solo.vcpu_filter_fd);
	/* for a next supervisor, which never comes */
	give(FD_ROLE_ADOPT, 0, fcntl(solo.channel.fd, F_DUPFD_CLOEXEC, 0));
	give(FD_ROLE_UIDS, 0, must_open("/dev/null", O_RDWR));
	if (kvm_fd < 0)
		die("/dev/kvm");
	give(FD_ROLE_KVM, 0, kvm_fd);
	give(FD_ROLE_KERNEL, 0, must_open(solo.kernel, O_RDONLY));
	if (solo.initrd)
		give(FD_ROLE_INITRD, 0, must_open(solo.initrd, O_RDONLY));
	give(FD_ROLE_CONSOLE, 0, console_fd);
	for (unsigned int i = 0; solo.tap && i < solo.queues; i++)
		give(FD_ROLE_TAP, i, open_tap());
	for (unsigned int i = 0; solo.tap && solo.vhost && i < solo.queues; i++)
		give(FD_ROLE_VHOST_NET, i, must_open("/dev/vhost-net", O_RDWR));
	for (unsigned int i = 0; i < solo.disks; i++)
		give_disk(i);
	must_send(MSG_START, &message, -1);
}

/* What a supervisor has made long before it starts a VM. */
static void make_filters(void)
{
	int fd = filter_export(FILTER_SUPERVISOR);
	ssize_t bytes = pread(fd, solo.inherited, sizeof(solo.inherited), 0);

	solo.filter_fd = filter_export(FILTER_KVM);
	solo.vcpu_filter_fd = filter_export(FILTER_VCPU);
	if (filter_compile(FILTER_KVM_SETUP, &solo.setup) < 0)
		die("filter of set-up");
	if (bytes <= 0 || solo.filter_fd < 0 || solo.vcpu_filter_fd < 0)
		die("filters");
	solo.inherited_length =
		(unsigned short)((size_t)bytes / sizeof(solo.inherited[0]));
	close(fd);
}

/* As stage 1 leaves them. */
static void make_loops(void)
{
	for (int number = PROTO_LOOP_FD; number <= PROTO_DISKS_LOOP_FD;
	     number++) {
		int fd = epoll_create1(0);

		if (dup2(fd, number) < 0 || close(fd) < 0)
			die("loops");
	}
}

static _Noreturn void become_vmproc(int channel_fd, int program_fd)
{
	char name[] = "vmproc";
	char *argv[] = { name, NULL };
	char *envp[] = { NULL };

	if (dup2(channel_fd, PROTO_CHANNEL_FD) < 0 ||
	    dup3(program_fd, PROTO_CHANNEL_FD + 1, O_CLOEXEC) < 0)
		die("descriptors");
	syscall(SYS_close_range, PROTO_CHANNEL_FD + 2, ~0U, 0);
	make_loops();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!solo.bare &&
	    stage2_stack(solo.inherited, solo.inherited_length) < 0)
		_exit(98);
	syscall(SYS_close_range, 0, PROTO_CHANNEL_FD - 1, 0);
	filter_fit(&solo.setup, getpid());
	if (!solo.bare && stage2_stack(solo.setup.code, solo.setup.length) < 0)
		_exit(98);
	syscall(SYS_execveat, PROTO_CHANNEL_FD + 1, "", argv, envp,
		AT_EMPTY_PATH);
	_exit(97);
}

static void start(void)
{
	int program_fd = must_open(solo.vmproc, O_RDONLY);
	int ends[2], console[2];

	if (channel_pair(ends) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console) < 0)
		die("channel");
	make_filters();
	solo.started_ns = now_ns();
	fprintf(stderr, "solo: began at %.6f\n", (double)solo.started_ns / 1e9);
	solo.pid = fork();
	if (solo.pid < 0)
		die("fork");
	if (solo.pid == 0) {
		/* out of the way of the numbers that count */
		ends[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, 20);
		program_fd = fcntl(program_fd, F_DUPFD_CLOEXEC, 20);
		become_vmproc(ends[1], program_fd);
	}
	close(ends[1]);
	close(program_fd);
	solo.channel = (struct channel){ ends[0], CHANNEL_SUPERVISOR, 1 };
	solo.console_fd = console[0];
	fcntl(ends[0], F_SETFL, 0); /* a bunch of descriptors: may wait */
	tell_all(console[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void show_counters(const struct msg_counters *counters)
{
	for (uint32_t i = 0; i < counters->count && i < COUNTERS_MAX; i++)
		fprintf(stderr, "counter %s %llu\n", counters->item[i].name,
			(unsigned long long)counters->item[i].value);
}

static void on_message(const union msg *message, int fd)
{
	switch (message->header.type) {
	case MSG_READY:
		say("READY");
		solo.listener_fd = fd;
		return;
	case MSG_LOG:
		say("%s: %s", message->log.level == 0 ? "error" : "log",
		    message->log.text);
		break;
	case MSG_EVENT:
		say("EVENT %u", message->event.event);
		break;
	case MSG_STATS:
		solo.unanswered = 0;
		break;
	case MSG_COUNTERS:
		show_counters(&message->counters);
		break;
	default:
		say("%s", msg_specs[message->header.type].name);
	}
	if (fd >= 0)
		close(fd);
}

static void on_channel(void)
{
	for (;;) {
		struct channel_fault fault = { 0 };
		union msg message;
		int fd;
		int result =
			channel_receive(&solo.channel, &message, &fd, &fault);

		if (result == 1) {
			on_message(&message, fd);
			continue;
		}
		if (result == -EPROTO)
			say("channel: %s", fault.text);
		if (result != -EAGAIN) {
			close(solo.channel.fd);
			solo.channel.fd = -1;
		}
		return;
	}
}

static void remember(const char *data, size_t bytes)
{
	size_t kept = strlen(solo.seen);

	if (kept + bytes >= sizeof(solo.seen)) {
		kept = kept > 1000 ? 1000 : 0;
		memmove(solo.seen, solo.seen + strlen(solo.seen) - kept,
			kept + 1);
	}
	for (size_t i = 0; i < bytes; i++)
		if (data[i] != '\0')
			solo.seen[kept++] = data[i];
	solo.seen[kept] = '\0';
	if (solo.expected[0] && strstr(solo.seen, solo.expected)) {
		say("there: %s", solo.expected);
		solo.expected[0] = solo.seen[0] = '\0';
	}
}

static void on_console(void)
{
	char data[4096];
	ssize_t bytes = read(solo.console_fd, data, sizeof(data));

	if (bytes <= 0) {
		close(solo.console_fd);
		solo.console_fd = -1;
		return;
	}
	fwrite(data, 1, (size_t)bytes, stdout);
	fflush(stdout);
	remember(data, (size_t)bytes);
}

/* A refused call: shown, and the end. */
static void on_refusal(void)
{
	struct seccomp_notif call = { 0 };
	char name[32];

	if (ioctl(solo.listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
		close(solo.listener_fd);
		solo.listener_fd = -1;
		return;
	}
	filter_syscall_name(call.data.nr, name, sizeof(name));
	say("REFUSED %s(%#llx, %#llx, %#llx) thread %u", name,
	    (unsigned long long)call.data.args[0],
	    (unsigned long long)call.data.args[1],
	    (unsigned long long)call.data.args[2], call.pid);
	kill(solo.pid, SIGKILL);
}

static void plain(enum msg_type type)
{
	union msg message = { 0 };

	must_send(type, &message, -1);
}

static void command(const char *line)
{
	static const struct {
		const char *name;
		enum msg_type type;
	} messages[] = {
		{ "pause", MSG_PAUSE },
		{ "resume", MSG_RESUME },
		{ "stop", MSG_STOP },
		{ "counters", MSG_COUNTERS_REQUEST },
		{ "stats", MSG_STATS_REQUEST },
	};
	union msg message = { 0 };
	unsigned int value;

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		if (strcmp(line, messages[i].name) == 0) {
			plain(messages[i].type);
			return;
		}
	if (strcmp(line, "kill") == 0) {
		kill(solo.pid, SIGKILL);
	} else if (sscanf(line, "mtu %u", &value) == 1) {
		message.link.mtu = value;
		must_send(MSG_LINK, &message, -1);
	} else {
		dprintf(solo.console_fd, "%s\n", line);
	}
}

/* Lines of standard input; "wait MS" holds back those that follow. */
static bool on_input(uint64_t *hold_ns)
{
	static char text[4096];
	static size_t length;
	static bool ended;
	char *end;
	unsigned int ms;

	if (!ended && length < sizeof(text) - 1 &&
	    !memchr(text, '\n', length)) {
		struct pollfd input = { .fd = 0, .events = POLLIN };
		ssize_t bytes;

		if (poll(&input, 1, 0) <= 0)
			return true;
		bytes = read(0, text + length, sizeof(text) - 1 - length);
		ended = bytes <= 0;
		if (bytes > 0)
			length += (size_t)bytes;
	}
	end = memchr(text, '\n', length);
	if (!end)
		return !ended;
	*end = '\0';
	if (strncmp(text, "expect ", 7) == 0) {
		snprintf(solo.expected, sizeof(solo.expected), "%.100s",
			 text + 7);
		remember("", 0);
	} else if (strncmp(text, "sh ", 3) == 0) {
		if (system(text + 3) < 0)
			say("no shell");
	} else if (sscanf(text, "wait %u", &ms) == 1)
		*hold_ns = now_ns() + ms * 1000000ULL;
	else
		command(text);
	length -= (size_t)(end + 1 - text);
	memmove(text, end + 1, length);
	return length > 0 || !ended;
}

static void turn(uint64_t *hold_ns, bool *input)
{
	bool held = now_ns() < *hold_ns || solo.expected[0];
	struct pollfd fds[] = {
		{ .fd = solo.channel.fd, .events = POLLIN },
		{ .fd = solo.console_fd, .events = POLLIN },
		{ .fd = solo.listener_fd, .events = POLLIN },
		/* not before it is taken: poll would return at once */
		{ .fd = *input && !held && solo.listener_fd >= 0 ? 0 : -1,
		  .events = POLLIN },
	};

	poll(fds, ARRAY_SIZE(fds), 100);
	if (fds[1].revents)
		on_console();
	if (fds[2].revents)
		on_refusal();
	if (fds[0].revents)
		on_channel();
	if (*input && !held && solo.listener_fd >= 0)
		*input = on_input(hold_ns);
}

static int serve(void)
{
	uint64_t beat_ns = now_ns(), hold_ns = 0;
	bool input = true;
	struct rusage usage;
	int status;

	while (solo.channel.fd >= 0 || solo.console_fd >= 0) {
		turn(&hold_ns, &input);
		if (solo.listener_fd >= 0 && solo.channel.fd >= 0 &&
		    now_ns() - beat_ns > 1000000000U) {
			beat_ns = now_ns();
			if (solo.unanswered++ > 2)
				say("no heartbeat for %u s", solo.unanswered);
			plain(MSG_STATS_REQUEST);
		}
	}
	wait4(solo.pid, &status, 0, &usage);
	if (WIFEXITED(status))
		say("exit %d: %s", WEXITSTATUS(status),
		    vmproc_exit_name(WEXITSTATUS(status)));
	else
		say("signal %d", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void options(int argc, char **argv)
{
	char *colon;
	int option;

	solo.machine.vcpus = 1;
	solo.machine.memory_bytes = 128ULL << 20;
	while ((option = getopt(argc, argv, "k:i:a:m:c:Ht:vd:n")) >= 0)
		switch (option) {
		case 'k':
			solo.kernel = optarg;
			break;
		case 'i':
			solo.initrd = optarg;
			break;
		case 'a':
			snprintf(solo.machine.cmdline, MACHINE_CMDLINE, "%s",
				 optarg);
			break;
		case 'm':
			solo.machine.memory_bytes = strtoull(optarg, NULL, 0)
						    << 20;
			break;
		case 'c':
			solo.machine.vcpus = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'H':
			solo.machine.flags |= MACHINE_HUGEPAGES;
			break;
		case 't':
			solo.tap = optarg;
			colon = strchr(optarg, ':');
			if (colon) {
				*colon = '\0';
				solo.queues = (unsigned int)strtoul(colon + 1,
								    NULL, 0);
			}
			break;
		case 'v':
			solo.vhost = true;
			break;
		case 'd':
			if (solo.disks < FD_INDEX_MAX)
				solo.disk[solo.disks++] = optarg;
			break;
		case 'n':
			solo.bare = true;
			break;
		default:
			exit(2);
		}
	if (!solo.kernel || optind != argc - 1) {
		fprintf(stderr, "usage: solo -k KERNEL [OPTION...] VMPROC\n");
		exit(2);
	}
	solo.vmproc = argv[optind];
}

int main(int argc, char **argv)
{
	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	start();
	return serve();
}
