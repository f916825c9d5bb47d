/* SPDX-License-Identifier: ISC */
/* Whether the watchdog is told the truth: a disk at work isn't stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "tests/unit/vmproc/virtio_driver.h"
#include "vmproc/kvm/devices.h"
#include "vmproc/vmproc.h"

#define SIZE       256
#define PARTS      240
#define PART_BYTES (2 * MIB)
#define WAIT_NS    (60 * NSEC_PER_SEC)

/* A machine with one disk, whose thread runs. */
static void make_machine(struct vmproc *vm)
{
	int image_fd = memfd_create("image", MFD_CLOEXEC);

	for (int role = 0; role < FD_ROLES; role++) {
		vm->fds[role] = -1;
		for (int i = 0; i < FD_INDEX_MAX - 1; i++)
			vm->more_fds[role][i] = -1;
	}
	assert_int_equal(ftruncate(image_fd, PARTS * PART_BYTES), 0);
	vm->fds[FD_ROLE_DISK] = image_fd;
	assert_int_equal(loop_init(&vm->loop), 0);
	/* for what a thread gives up */
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	driver_init();
	assert_int_equal(virtio_room.setup(vm, &driver.bus, &driver.memory),
			 VMPROC_EXIT_OK);
	/* behind the bridge; a function is the first part of its device */
	attach((struct device *)(void *)driver.bus.function[1]);
}

/* Asks for all of the disk at once. */
static void read_all(struct vq *vq)
{
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	static struct part parts[PARTS + 2];
	uint64_t gpa = buffer(sizeof(header));

	memcpy(ram(gpa), &header, sizeof(header));
	parts[0] = (struct part){ gpa, sizeof(header), false };
	for (int i = 1; i <= PARTS; i++)
		parts[i] = (struct part){ 2 * MIB, PART_BYTES, true };
	parts[PARTS + 1] = (struct part){ buffer(1), 1, true };
	vq_add(vq, parts, PARTS + 2);
	vq_kick(vq);
}

static void a_busy_disk_is_healthy(void **state)
{
	static struct vmproc vm;
	uint64_t end_ns = loop_now_ns() + WAIT_NS;
	bool busy = false;

	(void)state;
	make_machine(&vm);
	assert_true(kvm_guest.healthy(&vm));
	bring_up(0, SIZE);
	read_all(&driver.vq[0]);
	while (vq_done(&driver.vq[0]) == 0) {
		busy |= virtio_room.busy_since_ms(&vm) != 0;
		assert_true(kvm_guest.healthy(&vm));
		assert_true(loop_now_ns() < end_ns);
	}
	assert_true(busy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_disk_is_healthy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
