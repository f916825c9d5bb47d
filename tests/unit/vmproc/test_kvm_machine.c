/* SPDX-License-Identifier: ISC */
/*
 * A whole machine of several vCPUs, on a KVM that is ours: it is paused and
 * resumed at any moment, and every vCPU is at every device at once. Under the
 * thread sanitizer (make tsan) this tells which of it isn't guarded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "vmproc/kvm/kvm.h"
#include "vmproc/kvm/layout.h"
#include "vmproc/virtio/devices.h"
#include "vmproc/virtio/transport.h"
#include "vmproc/vmproc.h"

#define VCPUS        3
#define SLOTS        4 /* bridge, network, disk, random numbers */
#define DISK_SLOT    2U
#define STATE_BYTES  8192 /* of a vCPU, data of ports behind it */
#define MEMORY_BYTES (64 * MIB)
#define RING_GPA     (32 * MIB) /* each device's, a MiB apart */
/* How often the machine is paused in each test, unless the environment says. */
#define TURNS 200
/* What hangs is a failure. */
#define SECONDS 300

static struct vmproc vm;
static int console_fd, channel_fd, tap_fd;
static struct kvm_run *states[VCPUS];
/* What memory the guest has been given. */
static struct kvm_userspace_memory_region regions[4];
static _Atomic enum {
	GUEST_IDLES, /* until it is interrupted */
	GUEST_TRIES_ALL,
	GUEST_SWITCHES, /* the disk's ports on and off, by all its vCPUs */
} work;
/* What the hypervisor takes to learn of a notification. */
static atomic_uint notify_us;

/* ---- a KVM */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void access_port(struct kvm_run *run, uint16_t port, uint8_t bytes,
			bool write, uint32_t value)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = bytes;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = STATE_BYTES / 2;
	memcpy((uint8_t *)run + STATE_BYTES / 2, &value, sizeof(value));
}

static void access_memory(struct kvm_run *run, uint64_t gpa, uint32_t bytes,
			  bool write, uint64_t value)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = bytes;
	run->mmio.is_write = write;
	memcpy(run->mmio.data, &value, sizeof(value));
}

/* A step of a driver, or of something that has no idea. */
static void access_device(struct kvm_run *run, uint32_t *random)
{
	static const struct {
		uint16_t offset;
		uint8_t bytes;
		uint32_t values[4];
	} registers[] = {
		{ VIRTIO_PCI_COMMON_STATUS, 1, { 0, 3, 11, 15 } },
		{ VIRTIO_PCI_COMMON_GFSELECT, 4, { 0, 1, 0, 1 } },
		{ VIRTIO_PCI_COMMON_GF, 4, { 0, 1, 1, ~0U } },
		{ VIRTIO_PCI_COMMON_MSIX, 2, { 0, 1, 2, 0xffff } },
		{ VIRTIO_PCI_COMMON_Q_SELECT, 2, { 0, 1, 2, 3 } },
		{ VIRTIO_PCI_COMMON_Q_SIZE, 2, { 16, 16, 64, 0 } },
		{ VIRTIO_PCI_COMMON_Q_MSIX, 2, { 1, 2, 3, 0xffff } },
		{ VIRTIO_PCI_COMMON_Q_ENABLE, 2, { 1, 1, 1, 1 } },
		{ VIRTIO_PCI_COMMON_Q_DESCLO, 4, { 0, 0, 0, 0 } },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, 4, { 8192, 8192, 8192, 8192 } },
		{ VIRTIO_PCI_COMMON_Q_USEDLO,
		  4,
		  { 16384, 16384, 16384, 20480 } },
		{ TRANSPORT_ISR, 1, { 0 } },
		{ TRANSPORT_CONFIG, 4, { 0 } },
		{ TRANSPORT_VECTORS, 4, { 0xfee00000, 0xfee01000, 0, 1 } },
		{ TRANSPORT_VECTORS + 8, 4, { 32, 33, 34, 35 } },
		{ TRANSPORT_VECTORS + 12, 4, { 0, 1, 0, 1 } },
		{ TRANSPORT_PENDING, 4, { 0 } },
	};
	uint32_t kind = next_random(random) % ARRAY_SIZE(registers);
	uint32_t slot = 1 + next_random(random) % (SLOTS - 1);
	uint32_t value = registers[kind].values[next_random(random) % 4];
	uint32_t offset = registers[kind].offset;

	if (offset >= VIRTIO_PCI_COMMON_Q_DESCLO &&
	    offset <= VIRTIO_PCI_COMMON_Q_USEDHI)
		value += (uint32_t)(RING_GPA + slot * MIB);
	access_memory(run, LAYOUT_BARS + (slot - 1) * TRANSPORT_BYTES + offset,
		      registers[kind].bytes, next_random(random) % 4, value);
}

static void access_config(struct kvm_run *run, uint32_t *random)
{
	uint32_t slot = next_random(random) % (SLOTS + 1);
	/* command, BARs as they are, MSI-X and what else there is */
	static const struct {
		uint16_t offset;
		uint8_t bytes;
	} registers[] = {
		{ 0, 4 },    { 4, 2 },    { 4, 2 },    { 0x10, 4 },
		{ 0x18, 4 }, { 0x40, 4 }, { 0x52, 2 }, { 0xf0, 1 },
	};
	uint32_t kind = next_random(random) % ARRAY_SIZE(registers);
	bool write = kind != 3 && kind != 4 && next_random(random) % 2;

	access_memory(run, LAYOUT_ECAM + (slot << 15) + registers[kind].offset,
		      registers[kind].bytes, write,
		      next_random(random) % 2 ? 0x8007 : 0x0007);
}

static void access_something(struct kvm_run *run, uint32_t *random)
{
	uint32_t value = next_random(random);

	switch (next_random(random) % 8) {
	case 0:
		access_port(run, (uint16_t)(PORT_UART + value % 8), 1,
			    value & 8, value >> 8);
		break;
	case 1: /* not those that end the machine */
		access_port(run, (uint16_t)(PORT_SLEEP_CONTROL + value % 4), 1,
			    false, 0);
		break;
	case 2:
		access_port(run, PORT_CONFIG_ADDRESS, 4, value & 1,
			    0x80000000U | (value & 0xf8fc));
		break;
	case 3:
		access_port(run, (uint16_t)(LAYOUT_PORTS + value % 1024), 2,
			    true, value >> 8 & 3);
		break;
	case 4:
		access_config(run, random);
		break;
	default:
		access_device(run, random);
		break;
	}
}

static int run_vcpu(unsigned int index)
{
	static uint32_t random[VCPUS] = { 1, 2, 3 };
	struct kvm_run *run = states[index];

	while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
		switch (atomic_load(&work)) {
		case GUEST_TRIES_ALL:
			access_something(run, &random[index]);
			return 0;
		case GUEST_SWITCHES:
			access_memory(run, LAYOUT_ECAM + (DISK_SLOT << 15) + 4,
				      2, true, next_random(&random[index]) & 1);
			return 0;
		default:
			break;
		}
	/* the signal may have come too early: the flag alone must do */
	errno = EINTR;
	return -1;
}

static int make_vcpu(unsigned long index)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "vcpu%lu", index);
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, STATE_BYTES) < 0)
		abort();
	return fd;
}

static void give_memory(const struct kvm_userspace_memory_region *region)
{
	if (region->slot >= ARRAY_SIZE(regions))
		abort();
	regions[region->slot] = *region;
}

/* NULL: nothing is there. */
static const uint8_t *memory_at(uint64_t gpa)
{
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		uint64_t first = regions[i].guest_phys_addr;

		if (gpa >= first && gpa - first < regions[i].memory_size)
			return (const uint8_t
					*)(uintptr_t)(regions[i].userspace_addr +
						      gpa - first);
	}
	return NULL;
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, unsigned long);
	va_end(args);
	switch (request) {
	case KVM_RUN:
		return run_vcpu((unsigned int)fd - PROTO_VCPU_FD);
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CHECK_EXTENSION:
		return argument == KVM_CAP_MAX_VCPUS ? VCPUS : 1;
	case KVM_GET_VCPU_MMAP_SIZE:
		return STATE_BYTES;
	case KVM_CREATE_VM:
		return memfd_create("vm", MFD_CLOEXEC);
	case KVM_CREATE_VCPU:
		return make_vcpu(argument);
	case KVM_GET_SUPPORTED_CPUID:
		((struct kvm_cpuid2 *)argument)->nent = 0;
		return 0;
	case KVM_IOEVENTFD:
		usleep(atomic_load(&notify_us));
		return 0;
	case KVM_SET_USER_MEMORY_REGION:
		give_memory((const void *)argument);
		return 0;
	case TUNGETIFF:
		((struct ifreq *)argument)->ifr_flags = IFF_TAP | IFF_NO_PI |
							IFF_VNET_HDR;
		return 0;
	default:
		return 0;
	}
}

/* ---- a machine */

static int file_of(const void *data, size_t bytes)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), (ssize_t)bytes);
	return fd;
}

static int make_kernel(void)
{
	uint8_t image[1024 + 4096] = { 0 };
	struct setup_header header = {
		.setup_sects = 1,
		.syssize = 4096 / 16,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.xloadflags = XLF_KERNEL_64,
		.initrd_addr_max = 0x7fffffff,
		.pref_address = 16 * MIB,
		.init_size = 4 * MIB,
		.cmdline_size = 255,
	};

	memcpy(image + 0x1f1, &header, sizeof(header));
	return file_of(image, sizeof(image));
}

static int make_disk(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, MIB), 0);
	return fd;
}

static void give(enum fd_role role, int fd, int number)
{
	assert_int_equal(dup2(fd, number), number);
	close(fd);
	vm.fds[role] = number;
}

static void pair(int type, int ends[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), 0);
}

static void give_files(void)
{
	const struct sock_filter allow =
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	int ends[2];

	memset(vm.fds, -1, sizeof(vm.fds));
	memset(vm.more_fds, -1, sizeof(vm.more_fds));
	vm.fds[FD_ROLE_KVM] = memfd_create("kvm", MFD_CLOEXEC);
	vm.fds[FD_ROLE_FILTER_VCPU] = file_of(&allow, sizeof(allow));
	give(FD_ROLE_KERNEL, make_kernel(), PROTO_KERNEL_FD);
	give(FD_ROLE_DISK, make_disk(), PROTO_DISK_FD);
	pair(SOCK_DGRAM, ends);
	tap_fd = ends[0];
	give(FD_ROLE_TAP, ends[1], PROTO_TAP_FD);
	pair(SOCK_STREAM, ends);
	console_fd = ends[0];
	give(FD_ROLE_CONSOLE, ends[1], PROTO_CONSOLE_FD);
	pair(SOCK_SEQPACKET, ends);
	channel_fd = ends[0];
	vm.channel = (struct channel){ .fd = ends[1], .side = CHANNEL_VMPROC };
	/* as stage 1 does */
	assert_int_equal(dup2(epoll_create1(0), PROTO_DISKS_LOOP_FD),
			 PROTO_DISKS_LOOP_FD);
}

/* Where the machine has mapped a vCPU's state, whose file bears its name. */
static struct kvm_run *find_state(unsigned int index)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char name[32], line[256];
	uintptr_t at = 0;

	assert_non_null(maps);
	snprintf(name, sizeof(name), "memfd:vcpu%u ", index);
	while (!at && fgets(line, sizeof(line), maps))
		if (strstr(line, name))
			assert_int_equal(sscanf(line, "%lx", &at), 1);
	fclose(maps);
	assert_true(at != 0);
	return (struct kvm_run *)at;
}

static void on_channel(struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
}

static void turn(void)
{
	uint8_t bytes[2048];

	assert_int_equal(loop_turn(&vm.loop, 0), 0);
	/* the other sides: what is said, typed and sent */
	while (read(channel_fd, bytes, sizeof(bytes)) > 0)
		;
	while (read(console_fd, bytes, sizeof(bytes)) > 0)
		;
	while (read(tap_fd, bytes, sizeof(bytes)) > 0)
		;
	if (write(console_fd, "x", 1) < 0 || write(tap_fd, bytes, 60) < 0)
		assert_true(errno == EAGAIN);
}

static int start_machine(void **state)
{
	const struct msg_machine machine = { .memory_bytes = MEMORY_BYTES,
					     .vcpus = VCPUS };

	(void)state;
	alarm(SECONDS);
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(loop_init(&vm.loop), 0);
	give_files();
	assert_int_equal(loop_add(&vm.loop, &vm.channel_source, vm.channel.fd,
				  0, on_channel, NULL),
			 0);
	assert_int_equal(kvm_guest.machine(&vm, &machine), VMPROC_EXIT_OK);
	assert_int_equal(kvm_guest.setup(&vm), VMPROC_EXIT_OK);
	for (unsigned int i = 0; i < VCPUS; i++)
		states[i] = find_state(i);
	vm.state = VMPROC_LOADING;
	kvm_guest.start(&vm);
	while (vm.state != VMPROC_RUNNING)
		turn();
	return 0;
}

static unsigned int turns(void)
{
	const char *given = getenv("KVM_MACHINE_TURNS");

	return given ? (unsigned int)strtoul(given, NULL, 10) : TURNS;
}

/* ---- */

/* The first processor begins there when it is reset (INIT); Linux goes to the
 * other one, in real mode. */
static void the_reset_vector_asks_for_a_reboot(void **state)
{
	/* mov dx, port; mov al, 1; out dx, al */
	static const uint8_t code[] = {
		0xba, PORT_RESET & 0xff, PORT_RESET >> 8, 0xb0, 1, 0xee
	};

	(void)state;
	assert_non_null(memory_at(0xfffffff0));
	assert_memory_equal(memory_at(0xfffffff0), code, sizeof(code));
	assert_memory_equal(memory_at(0xffff0), code, sizeof(code));
	assert_non_null(memory_at(MEMORY_BYTES - 1));
	assert_null(memory_at(MEMORY_BYTES));
	assert_null(memory_at(LAYOUT_LAPIC));
}

/* Each that is asked for right after the other. */
static void pauses_are_never_lost(void **state)
{
	(void)state;
	for (unsigned int i = turns() * 500; i > 0; i--) {
		kvm_guest.pause(&vm);
		kvm_guest.resume(&vm);
	}
	assert_true(kvm_guest.healthy(&vm));
}

/* Counts those that show that a device was at work. */
static void look(void *ctx, const char *name, uint64_t value)
{
	static const char *const wanted[] = { "net0.0.rx_stalls",
					      "net0.vq1.kicks",
					      "disk0.vq0.kicks",
					      "rng0.vq0.kicks" };
	unsigned int *missing = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (strcmp(name, wanted[i]) == 0 && value == 0)
			++*missing;
}

static bool all_were_at_work(void)
{
	unsigned int missing = 0;

	devices_counters(look, &missing);
	return missing == 0;
}

static void every_vcpu_at_every_device(void **state)
{
	(void)state;
	atomic_store(&work, GUEST_TRIES_ALL);
	for (unsigned int i = 0; i < turns() || !all_were_at_work(); i++) {
		for (int j = 0; j < 20; j++)
			turn();
		kvm_guest.counters(&vm);
		assert_true(kvm_guest.healthy(&vm));
		kvm_guest.pause(&vm);
		turn();
		kvm_guest.resume(&vm);
	}
	kvm_guest.pause(&vm);
}

/* A vCPU that waits for the bus, or has the hypervisor wait for others, isn't
 * stuck. For longer than one may be. */
static void waiting_for_the_bus_is_no_stall(void **state)
{
	uint64_t end_ns;

	(void)state;
	kvm_guest.pause(&vm);
	atomic_store(&work, GUEST_SWITCHES);
	atomic_store(&notify_us, 500000);
	kvm_guest.resume(&vm);
	end_ns = loop_now_ns() + 5 * NSEC_PER_SEC;
	while (loop_now_ns() < end_ns) {
		assert_true(kvm_guest.healthy(&vm));
		usleep(10000);
	}
	atomic_store(&notify_us, 0);
	atomic_store(&work, GUEST_IDLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reset_vector_asks_for_a_reboot),
		cmocka_unit_test(pauses_are_never_lost),
		cmocka_unit_test(waiting_for_the_bus_is_no_stall),
		cmocka_unit_test(every_vcpu_at_every_device),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kvm_machine", tests, start_machine,
					   NULL);
}
