/* SPDX-License-Identifier: ISC */
/*
 * What a supervisor decides of the VM processes that outlived another: who is
 * taken over, who is ended, and where each VM goes from there.
 *
 * The process is a child that holds what a VM process holds, at the numbers of
 * the protocol, and does nothing; /proc is the test's own, the TAP a file that
 * answers as one.
 */
#include "tests/unit/supervisor/life/vm_fixture.h"

#include <sys/wait.h>

#include "ipc/proto.h"
#include "supervisor/life/verify.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/takeover/adopt.h"
#include "supervisor/vm/tap.h"

#define UID 4711

static struct stored stored;
static uint64_t room[ROOM_NAMESPACES];

/* What the orphan was given, and what the document says of it. */
static struct {
	int pid_fd;
	/* before it is made */
	int channel_fd, tap_fd, uids_fd; /* -1: as it should be */
	enum vm_state state;
	bool unwanted, stranger;
	uint32_t protocol;
	/* a line of its /proc/PID/status, and what stands there instead */
	const char *line, *instead;
} orphan;

static int set_up_adoption(void **state)
{
	int error = set_up(state);

	drop_vm();
	memset(&orphan, 0, sizeof(orphan));
	orphan.pid_fd = -1;
	orphan.channel_fd = orphan.tap_fd = orphan.uids_fd = -1;
	orphan.state = VM_RUNNING;
	orphan.protocol = PROTO_VERSION;
	host.uids.first = host.uids.next = UID + 1;
	host.uids.end = UID + 100;
	stored = (struct stored){ .instance = json_object() };
	return error;
}

static int tear_down_adoption(void **state)
{
	if (orphan.pid_fd >= 0) {
		syscall(SYS_pidfd_send_signal, orphan.pid_fd, SIGKILL, NULL, 0);
		waitid(WAIT_PIDFD, (id_t)orphan.pid_fd, NULL, WEXITED);
		fd_close(&orphan.pid_fd);
	}
	store_uninit(&stored);
	return tear_down(state);
}
#define ADOPT_TEST(name)                                       \
	cmocka_unit_test_setup_teardown(name, set_up_adoption, \
					tear_down_adoption)

/* ---- an orphan and its document */

static _Noreturn void be_orphan(const int fds[4])
{
	static const int numbers[] = { PROTO_CHANNEL_FD, PROTO_ADOPT_FD,
				       PROTO_TAP_FD, PROTO_UIDS_FD };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (dup2(fds[i], numbers[i]) < 0)
			_exit(1);
	syscall(SYS_close_range, PROTO_CHANNEL_FD + 1, PROTO_ADOPT_FD - 1, 0);
	syscall(SYS_close_range, PROTO_UIDS_FD + 1, PROTO_TAP_FD - 1, 0);
	/* the pipe with it: it is made */
	syscall(SYS_close_range, PROTO_TAP_FD + 1, ~0U, 0);
	for (;;)
		pause();
}

/* Above all numbers of the protocol that the orphan has. */
static int above(int fd)
{
	int number = fcntl(fd, F_DUPFD_CLOEXEC, PROTO_TAP_FD + 1);

	assert_true(number >= 0);
	return number;
}

/* Its namespaces: a link each to a file with the number that it has there. */
static void show_room(pid_t pid)
{
	char path[96], target[64];
	cleanup_fd int dir_fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "proc/%d/ns", pid);
	dir_fd = make_dir(path);
	for (int ns = 0; ns < ROOM_NAMESPACES; ns++) {
		const char *name = room_namespace_name(ns);
		cleanup_fd int fd = openat(
			dir_fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_int_equal(fstat(fd, &st), 0);
		room[ns] = st.st_ino;
		snprintf(target, sizeof(target), "%s:[%llu]", name,
			 (unsigned long long)st.st_ino);
		assert_int_equal(renameat(dir_fd, "new", dir_fd, target), 0);
		assert_int_equal(symlinkat(target, dir_fd, name), 0);
	}
}

static void keep_room(void)
{
	json_t *inodes = json_object();

	for (int ns = 0; ns < ROOM_NAMESPACES; ns++)
		json_object_set_new(inodes, room_namespace_name(ns),
				    json_integer((json_int_t)room[ns]));
	json_object_set_new(stored.instance, "room", inodes);
}

/* One more VM of the configuration, and the document of it. */
static void keep_document(struct vm *of)
{
	stored.vms =
		reallocarray(stored.vms, stored.count + 1, sizeof(json_t *));
	assert_non_null(stored.vms);
	stored.vms[stored.count] = state_vm_save(of, STATE_CRASH);
	assert_non_null(stored.vms[stored.count++]);
}

static struct vm *former_vm(const char *name)
{
	struct problem problem;
	struct vm *former = vm_alloc(&host, &problem);
	struct vm_config *vm_config = config_add_vm(&config, name, &problem);

	assert_non_null(former);
	assert_non_null(vm_config);
	snprintf(vm_config->tap, sizeof(vm_config->tap), "%s", TAP_NAME);
	former->config = *vm_config;
	former->uid = UID;
	former->state = orphan.state;
	former->wanted = !orphan.unwanted;
	former->generation = 3;
	former->restarts = 1;
	former->process.spawned_ns = test.now_ns - 5 * NSEC_PER_SEC;
	former->tap.ifindex = 5;
	former->tap.mtu = 1500;
	return former;
}

/* The process, with the ends of a new channel; its pid. */
static pid_t make_orphan(int ends[2])
{
	int made[2], made_fd, fds[4];
	char byte;
	pid_t pid;

	assert_int_equal(channel_pair(ends), 0);
	assert_int_equal(pipe2(made, O_CLOEXEC), 0);
	fds[0] = above(ends[1]);
	fds[1] = above(orphan.channel_fd >= 0 ? orphan.channel_fd : ends[0]);
	fds[2] = above(orphan.tap_fd >= 0 ? orphan.tap_fd : test.tap_fd);
	if (orphan.uids_fd < 0)
		orphan.uids_fd = uids_open(&host.uids, host.proc_fd, UID);
	fds[3] = above(orphan.uids_fd);
	made_fd = above(made[1]);
	close(made[1]);
	pid = process_clone(0, -1, &orphan.pid_fd);
	if (pid == 0)
		be_orphan(fds);
	assert_true(pid > 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(made_fd);
	assert_int_equal(read(made[0], &byte, 1), 0);
	close(made[0]);
	return pid;
}

/* A supervisor died, and left this: its VM's document and process. */
static void leave_behind(void)
{
	struct vm *former = former_vm("vm0");
	struct stat st;
	int ends[2];
	pid_t pid = make_orphan(ends);

	vm = former; /* for what /proc shows */
	show_process(pid);
	if (orphan.line)
		show_status(pid, orphan.line, orphan.instead);
	show_room(pid);
	keep_room();
	assert_int_equal(fstat(ends[0], &st), 0);
	former->process.pid = pid;
	former->process.pid_fd = orphan.pid_fd;
	former->process.channel_inode = st.st_ino;
	former->process.filters = 2;
	former->process.protocol = orphan.protocol;
	former->process.running_ns = test.now_ns - 4 * NSEC_PER_SEC;
	assert_int_equal(
		process_started(host.proc_fd, pid, &former->process.started),
		0);
	former->process.started += orphan.stranger;
	keep_document(former);
	former->process.pid_fd = -1;
	vm_free(former);
	vm = NULL;
	close(ends[0]);
	test.process = (struct channel){ .fd = ends[1],
					 .side = CHANNEL_VMPROC,
					 .generation = 3 };
}

static void adopt(void)
{
	assert_int_equal(adopt_processes(&host, &stored), 0);
	assert_int_equal(host.vm_count, stored.count);
	vm = host.vms[0];
	fd_close(&orphan.uids_fd);
}

static bool was_killed(void)
{
	siginfo_t info = { 0 };

	assert_int_equal(waitid(WAIT_PIDFD, (id_t)orphan.pid_fd, &info,
				WEXITED | WNOHANG | WNOWAIT),
			 0);
	return info.si_pid != 0 && info.si_status == SIGKILL;
}

static void expect_not_adopted(const char *why)
{
	char detail[80];

	snprintf(detail, sizeof(detail), "not adopted: %s", why);
	assert_string_equal(vm->process.exit.detail, detail);
	assert_int_equal(vm->process.exit.reason, DEATH_PROTOCOL);
	assert_int_equal(vm->process.pid_fd, -1);
	assert_int_equal(vm->process.channel.fd, -1);
	assert_int_equal(vm->tap.fd, -1);
	assert_false(vm->process.adopting || vm->taken_over);
	assert_int_equal(vm->state, VM_BACKOFF);
}

/* ---- taken over */

static void what_proves_itself_is_taken_over(void **state)
{
	union msg message;
	union msg answer = { 0 };

	(void)state;
	leave_behind();
	adopt();
	assert_string_equal(vm->process.exit.detail, "");
	assert_true(vm->process.adopting && vm->taken_over);
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm->process.pid_fd >= 0 && vm->tap.fd >= 0);
	assert_int_equal(adopt_sandbox(&host, &stored), 1); /* in that room */
	assert_int_equal(vm->uid, UID);
	adopt_resume(&host);
	assert_int_equal(vm->timer.due_ns - test.now_ns,
			 vm->config.timeouts.start_ms * NSEC_PER_MSEC);
	assert_int_equal(heard_message(&message), MSG_STATS_REQUEST);
	answer.stats.id = message.stats_request.id;
	nothing_told();
	assert_int_equal(channel_send(&test.process, MSG_STATS, &answer, -1),
			 0);
	turn();
	assert_int_equal(vm->state, VM_RUNNING);
	expect_told("adopted", "");
	assert_int_equal(vm->generation, 3);
	assert_false(was_killed());
}

static void a_stop_under_way_goes_on(void **state)
{
	(void)state;
	orphan.state = VM_STOPPING;
	orphan.unwanted = true;
	leave_behind();
	adopt();
	assert_true(vm->process.adopting && vm->process.stop_told);
	assert_false(vm->restart_due);
	assert_int_equal(vm->state, VM_STARTING);
}

static void a_restart_under_way_goes_on(void **state)
{
	(void)state;
	orphan.state = VM_STOPPING;
	leave_behind();
	adopt();
	assert_true(vm->process.stop_told && vm->restart_due);
}

/* ---- not taken over: why, and whether the process is ended here */

static void what_has_ended_is_lost(void **state)
{
	(void)state;
	leave_behind();
	syscall(SYS_pidfd_send_signal, orphan.pid_fd, SIGKILL, NULL, 0);
	waitid(WAIT_PIDFD, (id_t)orphan.pid_fd, NULL, WEXITED);
	fd_close(&orphan.pid_fd);
	adopt();
	assert_int_equal(vm->process.exit.reason, DEATH_LOST);
	assert_string_equal(vm->process.exit.detail,
			    "ended while there was no supervisor");
	assert_int_equal(vm->state, VM_BACKOFF);
	assert_int_equal(vm->process.pid_fd, -1);
}

/* The number means another process by now: that one isn't touched. */
static void a_process_of_another_start_is_none_of_ours(void **state)
{
	(void)state;
	orphan.stranger = true;
	leave_behind();
	adopt();
	assert_int_equal(vm->process.exit.reason, DEATH_LOST);
	assert_false(was_killed());
}

static void an_open_sandbox_is_ended(void **state)
{
	(void)state;
	orphan.line = "Seccomp:\t2";
	orphan.instead = "Seccomp:\t0";
	leave_behind();
	adopt();
	assert_int_equal(vm->process.exit.reason, DEATH_PROTOCOL);
	assert_non_null(
		strstr(vm->process.exit.detail, "closed: Seccomp isn't 2"));
	assert_int_equal(vm->state, VM_BACKOFF);
	assert_true(was_killed());
}

/* Whoever it is, it isn't the VM's to end. */
static void a_process_of_another_uid_is_left_alone(void **state)
{
	(void)state;
	orphan.line = "Uid:\t4711";
	orphan.instead = "Uid:\t0";
	leave_behind();
	adopt();
	assert_int_equal(vm->process.exit.reason, DEATH_PROTOCOL);
	assert_false(was_killed());
}

static void another_room_is_ended(void **state)
{
	(void)state;
	leave_behind();
	room[ROOM_MNT]++;
	keep_room();
	adopt();
	expect_not_adopted("it isn't in its room");
	assert_true(was_killed());
}

static void another_protocol_is_ended(void **state)
{
	(void)state;
	orphan.protocol = PROTO_VERSION + 1;
	leave_behind();
	adopt();
	expect_not_adopted("it speaks another version of the protocol");
	assert_true(was_killed());
	/* nor is it waited for */
	adopt_resume(&host);
	assert_false(vm->timer.armed);
}

static void another_channel_is_ended(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(channel_pair(ends), 0);
	orphan.channel_fd = ends[0];
	leave_behind();
	adopt();
	close(ends[0]);
	close(ends[1]);
	expect_not_adopted("it doesn't hold the channel that it was given");
	assert_true(was_killed());
}

/* As documents have inodes. */
static json_t *hex_json(uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	return json_string(text);
}

/* Anything but a socket, even one of that inode. */
static void a_channel_is_a_socket(void **state)
{
	struct stat st;

	(void)state;
	orphan.channel_fd = test.tap_fd;
	leave_behind();
	assert_int_equal(fstat(test.tap_fd, &st), 0);
	json_object_set_new(json_object_get(stored.vms[0], "process"),
			    "channel_inode", hex_json(st.st_ino));
	adopt();
	expect_not_adopted("it doesn't hold the channel that it was given");
}

static void no_tap_is_ended(void **state)
{
	(void)state;
	orphan.tap_fd = STDIN_FILENO;
	leave_behind();
	adopt();
	expect_not_adopted("it doesn't hold the TAP that it was given");
	assert_true(was_killed());
}

static void a_tap_of_another_network_is_ended(void **state)
{
	(void)state;
	leave_behind();
	host.network_inode++;
	adopt();
	expect_not_adopted("it doesn't hold the TAP that it was given");
	assert_true(was_killed());
}

/* What isn't ended by its number is by its room: the sweep's work. */
static void no_lock_is_swept(void **state)
{
	uint64_t inodes[ROOM_NAMESPACES];

	(void)state;
	orphan.uids_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	leave_behind();
	adopt();
	assert_true(vm->process.adopting);
	assert_int_equal(adopt_sandbox(&host, &stored), 0);
	expect_not_adopted(
		"it doesn't hold the lock of its uid that it was given");
	assert_false(was_killed());
	adopt_room_inodes(&stored, inodes);
	assert_int_equal(adopt_sweep(&host, inodes), 0);
	assert_true(was_killed());
}

static void the_sweep_spares_who_was_taken_over(void **state)
{
	uint64_t inodes[ROOM_NAMESPACES];

	(void)state;
	leave_behind();
	adopt();
	adopt_room_inodes(&stored, inodes);
	assert_int_equal(adopt_sweep(&host, inodes), 0);
	assert_false(was_killed());
}

/* Nobody was looked at: that is no success. */
static void a_sweep_that_sees_nobody_fails(void **state)
{
	uint64_t inodes[ROOM_NAMESPACES];
	int proc_fd = host.proc_fd;

	(void)state;
	leave_behind();
	adopt();
	adopt_room_inodes(&stored, inodes);
	host.proc_fd = -1;
	assert_int_equal(adopt_sweep(&host, inodes), -EBADF);
	host.proc_fd = proc_fd;
	assert_false(was_killed());
}

/* No room is known: everybody could be in it. */
static void without_a_room_nobody_is_swept(void **state)
{
	const uint64_t none[ROOM_NAMESPACES] = { 0 };

	(void)state;
	leave_behind();
	json_object_del(stored.instance, "room");
	adopt();
	expect_not_adopted("it isn't in its room");
	assert_int_equal(adopt_sweep(&host, none), 0);
}

static void another_instance_has_its_uid(void **state)
{
	cleanup_fd int other_fd = -1;
	struct flock range = { .l_type = F_WRLCK,
			       .l_whence = SEEK_SET,
			       .l_start = UID,
			       .l_len = 1 };
	char path[32];

	(void)state;
	/* the process holds no lock on it, and another instance does */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", host.uids.lock_fd);
	orphan.uids_fd = open(path, O_RDONLY | O_CLOEXEC);
	other_fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(other_fd, F_OFD_SETLK, &range), 0);
	leave_behind();
	adopt();
	assert_int_equal(adopt_sandbox(&host, &stored), 0);
	expect_not_adopted("another instance has its uid");
	assert_int_equal(vm->uid, UID + 1);
}

static void a_tap_that_left_the_bridge_is_given_up(void **state)
{
	struct net_adopted *links;
	size_t count;

	(void)state;
	leave_behind();
	adopt();
	links = adopt_links(&host, &count);
	assert_int_equal(count, 1);
	assert_string_equal(links[0].name, TAP_NAME);
	assert_int_equal(links[0].ifindex, 5);
	links[0].found = true;
	adopt_check_links(&host, links, count);
	assert_true(vm->process.adopting);
	links[0].found = false;
	adopt_check_links(&host, links, count);
	free(links);
	expect_not_adopted("its TAP is no port of the bridge any more");
}

/* ---- VMs without a process: where each goes. They have no network, so that
 * nothing is made for them, and no kernel, so that a start ends at once. */

static void find_without_process(enum vm_state state, bool wanted,
				 uint64_t generation)
{
	struct vm *former;

	orphan.state = state;
	orphan.unwanted = !wanted;
	former = former_vm("vm0");
	former->generation = generation;
	config.vms[0].machine = machine_new();
	assert_non_null(config.vms[0].machine);
	config.vms[0].guest = GUEST_KVM;
	config.vms[0].machine->queues = 0;
	former->config = config.vms[0];
	keep_document(former);
	former->config.machine = NULL;
	vm_free(former);
	adopt();
}

static void revive(void)
{
	struct problem problem = { "" };

	assert_int_equal(adopt_revive(vm, &problem), 0);
}

static void what_was_taken_over_needs_no_revival(void **state)
{
	(void)state;
	leave_behind();
	adopt();
	revive();
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm->process.adopting);
	assert_int_equal(vm->generation, 3);
}

static void what_was_given_up_stays_given_up(void **state)
{
	(void)state;
	find_without_process(VM_FAILED, true, 3);
	assert_int_equal(vm->state, VM_FAILED);
	revive();
	assert_int_equal(vm->state, VM_FAILED);
	assert_int_equal(vm->generation, 3);
}

static void what_isnt_wanted_is_stopped(void **state)
{
	json_t *saved;

	(void)state;
	find_without_process(VM_BACKOFF, false, 3);
	revive();
	assert_int_equal(vm->state, VM_STOPPED);
	assert_int_equal(vm->generation, 3);
	saved = saved_vm();
	assert_string_equal(json_string_value(json_object_get(saved, "state")),
			    "stopped");
	json_decref(saved);
}

/* The end of its supervisor isn't held against it. */
static void what_is_wanted_is_started_at_once(void **state)
{
	(void)state;
	find_without_process(VM_BACKOFF, true, 3);
	revive();
	assert_int_equal(vm->generation, 4);
	assert_int_equal(vm->restarts, 2);
}

static void what_never_ran_is_no_restart(void **state)
{
	(void)state;
	find_without_process(VM_STOPPED, true, 0);
	revive();
	assert_int_equal(vm->generation, 1);
	assert_int_equal(vm->restarts, 1);
}

/* It ended meanwhile: that is a death like others, and recorded as one. */
static void lose_process(bool restart)
{
	find_without_process(VM_RUNNING, true, 3);
	vm->process.exit = (struct death){
		.reason = DEATH_LOST,
		.detail = "ended while there was no supervisor",
	};
	vm->config.restart.enabled = restart;
	vm->stats[STAT_TX_FRAMES] = 7;
	revive();
	assert_int_equal(deaths_at(&vm->deaths, 0)->reason, DEATH_LOST);
	assert_int_equal(deaths_at(&vm->deaths, 0)->generation, 3);
	assert_int_equal(deaths_at(&vm->deaths, 0)->uptime_ns,
			 5 * NSEC_PER_SEC);
	assert_int_equal(vm->settled[STAT_TX_FRAMES], 7);
	assert_int_equal(vm->stats[STAT_TX_FRAMES], 0);
}

static void its_end_is_recorded(void **state)
{
	(void)state;
	lose_process(true);
	assert_int_equal(vm->generation, 4);
	assert_true(vm->wanted);
}

static void a_policy_not_to_restart_holds_over_a_crash(void **state)
{
	(void)state;
	lose_process(false);
	assert_int_equal(vm->generation, 3);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_false(vm->wanted);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ADOPT_TEST(what_proves_itself_is_taken_over),
		ADOPT_TEST(a_stop_under_way_goes_on),
		ADOPT_TEST(a_restart_under_way_goes_on),
		ADOPT_TEST(what_has_ended_is_lost),
		ADOPT_TEST(a_process_of_another_start_is_none_of_ours),
		ADOPT_TEST(an_open_sandbox_is_ended),
		ADOPT_TEST(a_process_of_another_uid_is_left_alone),
		ADOPT_TEST(another_room_is_ended),
		ADOPT_TEST(another_protocol_is_ended),
		ADOPT_TEST(another_channel_is_ended),
		ADOPT_TEST(a_channel_is_a_socket),
		ADOPT_TEST(no_tap_is_ended),
		ADOPT_TEST(a_tap_of_another_network_is_ended),
		ADOPT_TEST(no_lock_is_swept),
		ADOPT_TEST(the_sweep_spares_who_was_taken_over),
		ADOPT_TEST(a_sweep_that_sees_nobody_fails),
		ADOPT_TEST(without_a_room_nobody_is_swept),
		ADOPT_TEST(another_instance_has_its_uid),
		ADOPT_TEST(a_tap_that_left_the_bridge_is_given_up),
		ADOPT_TEST(what_was_taken_over_needs_no_revival),
		ADOPT_TEST(what_was_given_up_stays_given_up),
		ADOPT_TEST(what_isnt_wanted_is_stopped),
		ADOPT_TEST(what_is_wanted_is_started_at_once),
		ADOPT_TEST(what_never_ran_is_no_restart),
		ADOPT_TEST(its_end_is_recorded),
		ADOPT_TEST(a_policy_not_to_restart_holds_over_a_crash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
