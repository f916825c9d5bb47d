/* SPDX-License-Identifier: ISC */
/*
 * For tests of the room life: one VM whose process, clock and /proc are the
 * test's own.
 *
 * The process is a child that waits for signals and says nothing. What a VM
 * process says is said by the test, which holds the other end of the channel.
 * The clock stands still but for pass(). Nothing here takes a privilege.
 */
#ifndef VMSUP_TESTS_VM_FIXTURE_H
#define VMSUP_TESTS_VM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "sandbox/stage1.h"
#include "supervisor/vm/host.h"
#include "supervisor/state/store.h"
#include "supervisor/life/life.h"
#include "supervisor/net/netlink.h"
#include "supervisor/life/process.h"
#include "supervisor/vm/vms.h"

/* A test that waits for longer waits for what never comes. */
#define TEST_SECONDS 30

static struct host host;
static struct config config;
static struct vm *vm;

static struct {
	uint64_t now_ns;
	char dir[64]; /* holds proc/ and state/ */
	struct channel process; /* the VM process's end; fd owned */
	int tap_fd;
	ino_t tap_inode;
	int *exit_status; /* what the child exits with, at SIGUSR1 */
	unsigned int spawned; /* processes made */
	int refused; /* no process is made: why, -errno */
	bool stubborn; /* the next process takes no SIGTERM, and no SIGABRT */
	unsigned int stats_arrived;
	uint64_t deaths_awaited;
	char last_line[LOG_LINE_BYTES];
} test;

/* ---- the clock */

uint64_t loop_now_ns(void)
{
	return test.now_ns;
}

static inline void turn(void)
{
	assert_int_equal(loop_turn(&host.loop, 0), 0);
}

/* Time goes on to the end, from one timer to the next. */
static inline void pass_ns(uint64_t ns)
{
	uint64_t end = test.now_ns + ns;

	turn();
	while (host.loop.timers && host.loop.timers->due_ns <= end) {
		if (host.loop.timers->due_ns > test.now_ns)
			test.now_ns = host.loop.timers->due_ns;
		turn();
	}
	test.now_ns = end;
	turn();
}

static inline void pass(uint64_t ms)
{
	pass_ns(ms * NSEC_PER_MSEC);
}

/* ---- the process */

#define TAP_NAME "vmtap7"

static inline bool is_tap(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_ino == test.tap_inode;
}

/* The TAP is a file: its descriptors answer as those of a TAP in the network
 * namespace that has the file's own number. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int ioctl(int fd, unsigned long request, ...)
{
	struct ifreq tap = { .ifr_name = TAP_NAME, .ifr_flags = IFF_TAP };
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (request == TUNGETIFF && is_tap(fd)) {
		memcpy(argument, &tap, sizeof(tap));
		return 0;
	}
	if (request == TUNGETDEVNETNS && is_tap(fd))
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

static inline void exit_as_told(int signal)
{
	(void)signal;
	_exit(*test.exit_status);
}

static inline void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", test.dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline _Noreturn void be_process(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
	for (;;)
		pause();
}

/* What /proc shows of a process in its cage. */
#define CAGED                                                      \
	"Name:\tvm0\nState:\tS (sleeping)\nUid:\t%u\t%u\t%u\t%u\n" \
	"Gid:\t%u\t%u\t%u\t%u\nCapInh:\t0000000000000000\n"        \
	"CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"   \
	"CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n"   \
	"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n"
#define ROOM_MOUNT \
	"1 1 0:1 / / ro,nosuid,nodev,noexec,relatime - tmpfs vmsup ro\n"

/* /proc/PID/status, but that one line is another; NULL: none is. */
static inline void show_status(pid_t pid, const char *line, const char *instead)
{
	char path[64], status[1024], text[2048];
	uid_t uid = vm->uid;
	const char *at;

	snprintf(status, sizeof(status), CAGED, uid, uid, uid, uid, uid, uid,
		 uid, uid);
	at = line ? strstr(status, line) : status;
	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - status), status,
		 line ? instead : "", line ? at + strlen(line) : at);
	snprintf(path, sizeof(path), "proc/%d/status", pid);
	write_file(path, text);
}

static inline void show_changed(const char *line, const char *instead)
{
	show_status(vm->process.pid, line, instead);
}

static inline void show_process(pid_t pid)
{
	char path[160], to[64];

	snprintf(path, sizeof(path), "%s/proc/%d", test.dir, pid);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/proc/%d/stat", test.dir, pid);
	snprintf(to, sizeof(to), "/proc/%d/stat", pid);
	assert_int_equal(symlink(to, path), 0);
	snprintf(path, sizeof(path), "proc/%d/mountinfo", pid);
	write_file(path, ROOM_MOUNT);
	show_status(pid, NULL, NULL);
}

static inline pid_t make_process(const struct stage1 *stage, int cgroup_fd,
				 int *pid_fd)
{
	sigset_t asked, before;
	pid_t pid;

	if (test.refused)
		return test.refused;
	sigemptyset(&asked);
	sigaddset(&asked, SIGTERM);
	sigaddset(&asked, SIGABRT);
	sigprocmask(test.stubborn ? SIG_BLOCK : SIG_UNBLOCK, &asked, &before);
	pid = process_clone(0, cgroup_fd, pid_fd);
	if (pid == 0)
		be_process();
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_true(pid > 0);
	test.spawned++;
	fd_close(&test.process.fd);
	test.process = (struct channel){
		.fd = fcntl(stage->channel_fd, F_DUPFD_CLOEXEC, 0),
		.side = CHANNEL_VMPROC,
		.generation = stage->generation,
	};
	assert_true(test.process.fd >= 0);
	show_process(pid);
	return pid;
}

/* The next message to the process, MSG_NONE: there is none. */
static inline enum msg_type heard_message(union msg *message)
{
	struct channel_fault fault;
	int fd, result;

	result = channel_receive(&test.process, message, &fd, &fault);
	fd_close(&fd);
	if (result == -EAGAIN || result == 0 || result == -ECONNRESET)
		return MSG_NONE;
	assert_int_equal(result, 1);
	return message->header.type;
}

static inline enum msg_type heard(void)
{
	union msg message;

	return heard_message(&message);
}

/* Its introduction is over. */
static inline void hear_start(void)
{
	enum msg_type type;

	do {
		type = heard();
		assert_int_not_equal(type, MSG_NONE);
	} while (type != MSG_START);
}

/* Serves the loop until a death is recorded that wasn't waited for yet. */
static inline void await_end(void)
{
	while (vm->deaths.count == test.deaths_awaited)
		assert_int_equal(loop_turn(&host.loop, -1), 0);
	test.deaths_awaited = vm->deaths.count;
}

/* The process ends by that signal, which the VM didn't send. */
static inline void end_by(int signal)
{
	vm_signal(vm, signal);
	await_end();
}

static inline void end_with(int status)
{
	*test.exit_status = status;
	end_by(SIGUSR1);
}

/* ---- what the VM tells of itself */

/* The last event of it; NULL: none since nothing_told(). */
static uint64_t told_before;

static inline void nothing_told(void)
{
	told_before = host.events.count;
}

static inline const struct event *last_event(void)
{
	const struct events *events = &host.events;

	return events->count == told_before
		       ? NULL
		       : &events->ring[(events->count - 1) % EVENTS_KEPT];
}

static inline void expect_told(const char *name, const char *detail)
{
	const struct event *event = last_event();

	assert_non_null(event);
	assert_string_equal(event->name, name);
	assert_string_equal(event->detail, detail);
}

static inline void expect_death(enum death_reason reason, const char *detail)
{
	const struct death *death = deaths_last(&vm->deaths);

	assert_non_null(death);
	assert_string_equal(death->detail, detail);
	assert_string_equal(death_reason_name(death->reason),
			    death_reason_name(reason));
}

/* Its document as a later supervisor would find it, new; NULL: none. */
static inline json_t *saved_vm(void)
{
	char path[160];
	json_t *document, *saved;

	snprintf(path, sizeof(path), "%s/state/vm-%s.json", test.dir,
		 vm->config.name);
	document = json_load_file(path, 0, NULL);
	saved = json_incref(json_object_get(document, "vm"));
	json_decref(document);
	return saved;
}

/* ---- set up and torn down */

static inline void note_review(struct timer *timer)
{
	(void)timer;
}

static inline void note_stats(void *of)
{
	assert_ptr_equal(of, &host);
	test.stats_arrived++;
}

static inline void note_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	snprintf(test.last_line, sizeof(test.last_line), "%s", line);
}

/* Each generation finds the TAP as it was made. */
static inline int on_event(struct vm *of, enum vm_event event)
{
	of->tap.untouched = true;
	of->tap.introduced = true;
	return vm_event(of, event);
}

static const struct vm_hooks test_hooks = {
	.event = on_event,
	.stats_arrived = note_stats,
	.make_process = make_process,
};

static inline int make_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", test.dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline void make_tap(void)
{
	struct stat st;

	test.tap_fd = memfd_create("tap", MFD_CLOEXEC);
	assert_int_equal(fstat(test.tap_fd, &st), 0);
	test.tap_inode = host.network_inode = st.st_ino;
}

static inline void add_vm(void)
{
	struct problem problem;
	struct vm *made = vm_alloc(&host, &problem);

	assert_non_null(made);
	vm = made;
	vm->config = config.defaults;
	snprintf(vm->config.name, sizeof(vm->config.name), "vm0");
	vm->uid = 4711;
	snprintf(vm->config.tap, sizeof(vm->config.tap), TAP_NAME);
	vm->tap.fd = fcntl(test.tap_fd, F_DUPFD_CLOEXEC, 0);
	vm->tap.mtu = 1500;
	vm->tap.untouched = true;
	vm->tap.introduced = true;
	assert_int_equal(vms_add(&host, vm), 0);
}

static inline int set_up(void **state)
{
	struct sigaction on_usr1 = { .sa_handler = exit_as_told };
	char path[128];

	(void)state;
	memset(&host, 0, sizeof(host));
	memset(&test, 0, sizeof(test));
	alarm(TEST_SECONDS);
	log_set(note_line, NULL, LOG_LEVEL_DEBUG);
	sigaction(SIGUSR1, &on_usr1, NULL);
	test.now_ns = 1000 * NSEC_PER_SEC;
	test.process.fd = -1;
	test.exit_status = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(test.exit_status, MAP_FAILED);
	snprintf(test.dir, sizeof(test.dir), "/tmp/vmsup-test-XXXXXX");
	assert_non_null(mkdtemp(test.dir));
	config_init(&config);
	host.hooks = &test_hooks;
	host.hooks_ctx = &host;
	host.config = &config;
	host.proc_fd = make_dir("proc");
	host.store_fd = make_dir("state");
	snprintf(path, sizeof(path), "%s/proc/self", test.dir);
	assert_int_equal(symlink("/proc/self", path), 0);
	host.cgroup.dir_fd = host.cgroup.parent_fd = -1;
	host.uids.lock_fd = memfd_create("uids", MFD_CLOEXEC);
	make_tap();
	host.filter_fd[GUEST_BUILTIN] = -1;
	host.filter_fd[GUEST_KVM] = -1;
	host.review.fire = note_review;
	assert_int_equal(netlink_open(&host.net.sock), 0);
	assert_int_equal(loop_init(&host.loop), 0);
	add_vm();
	told_before = 0;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int kind,
			     struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* The VM is forgotten, its process ended. */
static inline void drop_vm(void)
{
	if (!vm)
		return;
	if (vm->process.pid_fd >= 0) {
		vm_signal(vm, SIGKILL);
		waitid(WAIT_PIDFD, (id_t)vm->process.pid_fd, NULL, WEXITED);
		vm_let_go(vm);
	}
	vm_free(vm);
	vm = NULL;
	free(host.vms);
	host.vms = NULL;
	host.vm_count = 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	drop_vm();
	fd_close(&test.process.fd);
	fd_close(&test.tap_fd);
	fd_close(&host.proc_fd);
	fd_close(&host.store_fd);
	fd_close(&host.uids.lock_fd);
	nl_socket_free(host.net.sock);
	loop_uninit(&host.loop);
	config_uninit(&config);
	munmap(test.exit_status, sizeof(int));
	nftw(test.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

#define VM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- into a state */

static inline void into_starting(void)
{
	assert_int_equal(vm_raise(vm, VM_START), 0);
	assert_int_equal(vm->state, VM_STARTING);
	hear_start();
}

static inline void into_running(void)
{
	into_starting();
	assert_int_equal(vm_raise(vm, VM_LOADED), 0);
	assert_int_equal(vm->state, VM_RUNNING);
}

#endif
