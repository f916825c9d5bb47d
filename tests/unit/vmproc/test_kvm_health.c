/* SPDX-License-Identifier: ISC */
/* Whether the watchdog is told the truth: of a disk that is slow, and of a
 * thread that is stuck. The host's calls are ours here, to take as long as we
 * like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/virtio/devices.h"
#include "vmproc/kvm/kvm.h"

#define SIZE        8
#define IMAGE_BYTES (1 << 20)
/* For longer than a thread may be stuck. */
#define HELD_NS (3500 * NSEC_PER_MSEC)
#define WAIT_NS (60 * NSEC_PER_SEC)

static struct vmproc vm;

/* ---- the host's calls: one of them may be held, in the disks' thread */

enum held {
	HELD_NOTHING,
	HELD_READ,
	HELD_SIGNAL
};
static _Atomic enum held held;
static atomic_bool is_held;
static pthread_t main_thread;

static void hold(enum held what)
{
	if (atomic_load(&held) != what ||
	    pthread_equal(pthread_self(), main_thread))
		return;
	atomic_store(&is_held, true);
	while (atomic_load(&held) == what)
		usleep(1000);
	atomic_store(&is_held, false);
}

/* Disks are read by the bare call. */
long syscall(long sysno, ...)
{
	static long (*libcs)(long, ...);
	long argument[6];
	va_list args;

	if (!libcs)
		*(void **)&libcs = dlsym(RTLD_NEXT, "syscall");
	va_start(args, sysno);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(args, long);
	va_end(args);
	if (sysno == SYS_preadv)
		hold(HELD_READ);
	return libcs(sysno, argument[0], argument[1], argument[2], argument[3],
		     argument[4], argument[5]);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	hold(HELD_SIGNAL);
	return syscall(SYS_write, fd, buf, n);
}

/* ---- a machine */

/* With one disk, whose thread runs. */
static int make_machine(void **state)
{
	int image_fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	main_thread = pthread_self();
	for (int role = 0; role < FD_ROLES; role++) {
		vm.fds[role] = -1;
		for (int i = 0; i < FD_INDEX_MAX - 1; i++)
			vm.more_fds[role][i] = -1;
	}
	assert_int_equal(ftruncate(image_fd, IMAGE_BYTES), 0);
	vm.fds[FD_ROLE_DISK] = image_fd;
	assert_int_equal(loop_init(&vm.loop), 0);
	/* as stage 1 does */
	assert_int_equal(
		dup2(epoll_create1(EPOLL_CLOEXEC), PROTO_DISKS_LOOP_FD),
		PROTO_DISKS_LOOP_FD);
	/* for what a thread gives up */
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	driver_init();
	assert_int_equal(devices_setup(&vm, &driver.bus, &driver.memory),
			 VMPROC_EXIT_OK);
	assert_int_equal(devices_start(), 0);
	/* behind the bridge; a function is the first part of its device */
	attach((struct device *)(void *)driver.bus.function[1]);
	bring_up(0, SIZE);
	return 0;
}

static void read_sector(struct vq *vq)
{
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	uint64_t gpa = buffer(sizeof(header));
	const struct part parts[] = {
		{ gpa, sizeof(header), false },
		{ buffer(512), 512, true },
		{ buffer(1), 1, true },
	};

	memcpy(ram(gpa), &header, sizeof(header));
	vq_add(vq, parts, 3);
	vq_kick(vq);
}

static void wait_until_held(bool wanted)
{
	uint64_t end_ns = loop_now_ns() + WAIT_NS;

	while (atomic_load(&is_held) != wanted) {
		assert_true(loop_now_ns() < end_ns);
		usleep(1000);
	}
}

/* Has a request of the disk held there; whether it was healthy all the time. */
static bool healthy_while(enum held what)
{
	struct vq *vq = &driver.vq[0];
	bool healthy = true;
	uint64_t end_ns;

	assert_true(kvm_guest.healthy(&vm));
	atomic_store(&held, what);
	read_sector(vq);
	wait_until_held(true);
	for (end_ns = loop_now_ns() + HELD_NS; loop_now_ns() < end_ns;) {
		healthy &= kvm_guest.healthy(&vm);
		usleep(10000);
	}
	atomic_store(&held, HELD_NOTHING);
	wait_until_held(false);
	end_ns = loop_now_ns() + WAIT_NS;
	while (vq_done(vq) == 0 || devices_busy_since_ms() != 0) {
		assert_true(loop_now_ns() < end_ns);
		usleep(1000);
	}
	vq_take(vq);
	return healthy;
}

static uint64_t slow;

static void take_slow(void *ctx, const char *name, uint64_t value)
{
	(void)ctx;
	if (strcmp(name, "disk0.slow") == 0)
		slow = value;
}

static void a_slow_disk_is_healthy(void **state)
{
	(void)state;
	assert_true(healthy_while(HELD_READ));
	devices_counters(take_slow, NULL);
	assert_int_equal(slow, 1);
}

static void a_stuck_thread_is_not(void **state)
{
	(void)state;
	assert_false(healthy_while(HELD_SIGNAL));
	assert_true(kvm_guest.healthy(&vm)); /* and is again, once it goes on */
	devices_counters(take_slow, NULL);
	assert_int_equal(slow, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_disk_is_healthy),
		cmocka_unit_test(a_stuck_thread_is_not),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_machine, NULL);
}
