/* SPDX-License-Identifier: ISC */
/*
 * The kvm guest: an unmodified kernel on /dev/kvm.
 *
 * Theory of operation: set-up makes the machine from the descriptors that the
 * supervisor sent, and closes those that are needed for that alone (/dev/kvm).
 * After the cage has closed, the thread of the first vCPU reads the kernel and
 * the initrd, which may be hostile. Then the supervisor is told that the VM
 * runs. vCPU threads run guest code and emulate its accesses to ports and
 * device memory. The thread of the main loop serves the console and the
 * network, and reports how the machine ends. Other threads notify it of the end
 * by an eventfd: only the main loop ends the process in good order.
 */
#include "vmproc/kvm/kvm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/error.h"
#include "ipc/fd.h"
#include "ipc/log.h"
#include "vmproc/kvm/console.h"
#include "vmproc/kvm/counters.h"
#include "vmproc/kvm/cpu.h"
#include "vmproc/kvm/kvm_irq.h"
#include "vmproc/kvm/vcpu.h"
#include "vmproc/place.h"
#include "vmproc/virtio/devices.h"

/* If the disks' thread works on one request for longer, host calls not counted,
 * it is stuck. */
#define STUCK_MS 3000

static struct machine machine = { .vm_fd = -1 };
static struct msg_machine wanted;
static bool has_wanted;

/* ---- MACHINE */

static enum vmproc_exit kvm_machine(struct vmproc *vm,
				    const struct msg_machine *message)
{
	(void)vm;
	if (has_wanted)
		vmproc_end(VMPROC_EXIT_PROTOCOL, "MACHINE twice");
	if (message->flags & ~MACHINE_FLAGS ||
	    !memchr(message->cmdline, '\0', sizeof(message->cmdline)))
		vmproc_end(VMPROC_EXIT_PROTOCOL, "MACHINE malformed");
	wanted = *message;
	has_wanted = true;
	return VMPROC_EXIT_OK;
}

/* MACHINE is checked at START, not before: an exit before the supervisor has
 * sent everything would end the channel before it reads the reason. */
static void check_machine(void)
{
	if (!has_wanted)
		vmproc_end(VMPROC_EXIT_PROTOCOL, "START without MACHINE");
	if (wanted.vcpus == 0 || wanted.vcpus > MACHINE_VCPUS_MAX)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "%u vCPUs: a VM has 1 to %d (change cpus)",
			   wanted.vcpus, MACHINE_VCPUS_MAX);
	if (wanted.memory_bytes == 0 || wanted.memory_bytes % MIB != 0)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "%llu bytes of memory: not a multiple of 1 MiB",
			   (unsigned long long)wanted.memory_bytes);
	if (wanted.memory_bytes > MEMORY_MAX)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "%llu MiB of memory: KVM takes %llu at most (give "
			   "the VM less)",
			   (unsigned long long)(wanted.memory_bytes / MIB),
			   (unsigned long long)(MEMORY_MAX / MIB));
}

/* ---- setup: the hypervisor */

/* What the machine needs of KVM. Without this check, a later ioctl would fail
 * with a less clear reason. */
static const struct {
	unsigned long extension;
	const char *name;
} extensions[] = {
	{ KVM_CAP_IRQCHIP, "interrupt controllers" },
	{ KVM_CAP_USER_MEMORY, "user memory" },
	{ KVM_CAP_EXT_CPUID, "processor features" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routes" },
	{ KVM_CAP_IRQFD, "irqfd" },
	{ KVM_CAP_IOEVENTFD, "ioeventfd" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any length" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
	{ KVM_CAP_SET_TSS_ADDR, "TSS address" },
	{ KVM_CAP_SYNC_REGS, "synchronised registers" },
};

static void check_kvm(int kvm_fd)
{
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);
	int most;

	if (version < 0)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "/dev/kvm: %s (is it KVM's device?)",
			   error_name(errno));
	if (version != KVM_API_VERSION)
		vmproc_end(VMPROC_EXIT_CONFIG, "KVM's interface %d isn't %d",
			   version, KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION,
			  extensions[i].extension) <= 0)
			vmproc_end(VMPROC_EXIT_CONFIG,
				   "this host's KVM has no %s",
				   extensions[i].name);
	most = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (most > 0 && wanted.vcpus > (unsigned int)most)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "%u vCPUs: this host's KVM allows %d (change cpus)",
			   wanted.vcpus, most);
}

static _Noreturn void refused(const char *what, int error)
{
	vmproc_end(vmproc_exit_for(error), "KVM: %s: %s", what,
		   error_name(-error));
}

static void create_vm(int kvm_fd)
{
	uint64_t identity = LAYOUT_IDENTITY;
	int error;

	do /* a signal interrupts this request */
		machine.vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	while (machine.vm_fd < 0 && errno == EINTR);
	machine.vm_fd = place_fd(machine.vm_fd, PROTO_VM_FD, PROTO_VM_FDS);
	if (machine.vm_fd < 0)
		refused("create the VM", machine.vm_fd);
	if (ioctl(machine.vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(machine.vm_fd, KVM_SET_TSS_ADDR, LAYOUT_TSS) < 0)
		refused("place the TSS", -errno);
	if (ioctl(machine.vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		refused("interrupt controllers", -errno);
	error = kvm_irq_init(machine.vm_fd);
	if (error)
		refused("interrupt routes", error);
}

static void create_vcpus(int kvm_fd)
{
	int bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (bytes < (int)sizeof(struct kvm_run))
		refused("size of a vCPU's state", bytes < 0 ? -errno : -EINVAL);
	for (unsigned int i = 0; i < machine.vcpus; i++) {
		struct vcpu *vcpu = &machine.vcpu[i];

		vcpu->fd = place_fd(ioctl(machine.vm_fd, KVM_CREATE_VCPU, i),
				    PROTO_VCPU_FD, PROTO_VCPU_FDS);
		if (vcpu->fd < 0)
			refused("create a vCPU", vcpu->fd);
		vcpu->run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
				 MAP_SHARED, vcpu->fd, 0);
		if (vcpu->run == MAP_FAILED)
			refused("map a vCPU's state", -errno);
	}
}

static void map_memory(void)
{
	bool hugepages = wanted.flags & MACHINE_HUGEPAGES;
	unsigned long long mib = wanted.memory_bytes / MIB;
	int error;

	error = memory_init(&machine.memory, wanted.memory_bytes, hugepages);
	if (error == -EINVAL)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "%llu MiB of memory: not made of 2 MiB pages", mib);
	if (error && hugepages)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "the host has no %llu MiB of huge pages left (%s; "
			   "raise vm.nr_hugepages)",
			   mib, error_name(-error));
	if (error)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "the host can't map %llu MiB of memory: %s", mib,
			   error_name(-error));
}

static void give_region(uint32_t slot, uint64_t gpa, uint64_t bytes,
			const uint8_t *base)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)base,
	};

	if (bytes > 0 &&
	    ioctl(machine.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		refused("memory", -errno);
}

static void give_memory(void)
{
	const struct memory *memory = &machine.memory;

	for (uint32_t i = 0; i < MEMORY_REGIONS; i++)
		give_region(i, memory->region[i].gpa, memory->region[i].bytes,
			    memory->region[i].base);
	/* as on a PC, where the firmware is in both places */
	give_region(MEMORY_REGIONS, LAYOUT_TOP, LAYOUT_TOP_BYTES,
		    memory->base +
			    LAYOUT_RESET / LAYOUT_TOP_BYTES * LAYOUT_TOP_BYTES);
}

/* KVM accepts memory above the processor's addresses, but no guest can reach
 * it. */
static void check_addresses(void)
{
	unsigned int bits = cpu_address_bits();
	uint64_t end = wanted.memory_bytes;

	if (end > LAYOUT_HOLE)
		end += LAYOUT_HOLE_END - LAYOUT_HOLE;
	if (bits < 64 && end > UINT64_C(1) << bits)
		vmproc_end(VMPROC_EXIT_CONFIG,
			   "%llu MiB of memory: this host's processor has %u "
			   "bits of addresses, %llu MiB (give the VM less)",
			   (unsigned long long)(wanted.memory_bytes / MIB),
			   bits, (1ULL << bits) / MIB);
}

/* ---- setup: what is in it */

static int make_eventfd(void)
{
	int fd = place_eventfd();

	if (fd < 0)
		vmproc_end(VMPROC_EXIT_OS, "eventfd: %s", error_name(-fd));
	return fd;
}

static void make_board(void)
{
	const struct hv hv = { &kvm_irq_ops, &machine };
	int error;

	machine.uart_irq_fd = make_eventfd();
	machine.button_fd = make_eventfd();
	machine.wake_fd = make_eventfd();
	error = hv.ops->irqfd(hv.ctx, machine.uart_irq_fd, GSI_UART, true);
	if (!error)
		error = hv.ops->irqfd(hv.ctx, machine.button_fd, GSI_BUTTON,
				      true);
	if (error)
		refused("irqfd", error);
	pci_init(&machine.board.bus, &hv);
	uart_init(&machine.board.uart, machine.uart_irq_fd, machine.wake_fd);
}

static void measure_images(struct vmproc *vm)
{
	struct boot_problem problem;

	machine.boot = (struct boot){
		.kernel_fd = vmproc_fd(vm, FD_ROLE_KERNEL, 0),
		.initrd_fd = vmproc_fd(vm, FD_ROLE_INITRD, 0),
		.cmdline = wanted.cmdline,
	};
	if (boot_measure(&machine.boot, &problem) < 0)
		vmproc_end(VMPROC_EXIT_CONFIG, "%s", problem.text);
}

/* The first thread has written the tables in guest memory by then. */
static void set_up_vcpus(void)
{
	int error = vcpu_await(&machine);

	if (error)
		vmproc_end(VMPROC_EXIT_OS, "vCPU threads: %s",
			   error_name(-error));
	for (unsigned int i = 0; i < machine.vcpus && !error; i++)
		error = cpu_setup(&machine.vcpu[i]);
	if (error)
		refused("state of a vCPU", error);
}

static void read_filter(struct vmproc *vm)
{
	int fd = vmproc_fd(vm, FD_ROLE_FILTER_VCPU, 0);
	ssize_t bytes = pread(fd, machine.filter, sizeof(machine.filter), 0);

	if (bytes <= 0 || (size_t)bytes % sizeof(machine.filter[0]) != 0)
		vmproc_end(VMPROC_EXIT_CAGE, "the vCPUs' filter: %s",
			   bytes < 0 ? error_name(errno) : "malformed");
	machine.filter_length =
		(unsigned short)((size_t)bytes / sizeof(machine.filter[0]));
	vmproc_close(vm, FD_ROLE_FILTER_VCPU, 0);
}

/*
 * The thread of the main loop serves the network. With SCHED_BATCH, a frame
 * that wakes it doesn't preempt the sender of the next frame on the same
 * processor, such as the guest: frames come in batches, and each costs less. If
 * the host refuses, the batches are smaller. The threads of the vCPUs and the
 * disks keep their policy.
 */
static void prefer_batches(void)
{
	const struct sched_param none = { 0 };

	/* the system call itself: musl's wrapper always fails with ENOSYS */
	syscall(SYS_sched_setscheduler, 0, (long)SCHED_BATCH, &none);
}

static enum vmproc_exit kvm_setup(struct vmproc *vm)
{
	int kvm_fd = vmproc_fd(vm, FD_ROLE_KVM, 0);
	enum vmproc_exit status;
	int error;

	machine.vm = vm;
	check_machine();
	check_kvm(kvm_fd);
	error = cpu_init(kvm_fd);
	if (error)
		refused("processor features", error);
	check_addresses();
	measure_images(vm);
	map_memory();
	/* The first vCPU's thread writes the tables while this thread makes the
	 * VM: the former needs the processor, the latter waits for the host. */
	machine.vcpus = wanted.vcpus;
	error = vcpu_threads(&machine);
	if (error)
		vmproc_end(VMPROC_EXIT_OS, "vCPU threads: %s",
			   error_name(-error));
	create_vm(kvm_fd);
	create_vcpus(kvm_fd);
	vmproc_close(vm, FD_ROLE_KVM, 0);
	give_memory();
	make_board();
	status = devices_setup(vm, &machine.board.bus, &machine.memory);
	if (status != VMPROC_EXIT_OK)
		return status;
	console_init(&machine);
	read_filter(vm);
	set_up_vcpus();
	prefer_batches();
	return VMPROC_EXIT_OK;
}

/* ---- life */

static void kvm_start(struct vmproc *vm)
{
	int error = stage2_seal();

	(void)vm;
	if (!error)
		error = devices_start();
	if (error)
		vmproc_end(VMPROC_EXIT_CAGE, "cage: no more filters: %s",
			   error_name(-error));
	console_start(&machine);
	vcpu_release(&machine);
}

static void kvm_pause(struct vmproc *vm)
{
	(void)vm;
	vcpu_hold(&machine);
	devices_pause();
}

static void kvm_resume(struct vmproc *vm)
{
	(void)vm;
	devices_resume();
	vcpu_release(&machine);
}

/* Presses the power button. False for a second request: the process ends. */
static bool kvm_stop(struct vmproc *vm)
{
	const uint64_t one = 1;

	(void)vm;
	if (machine.stop_asked)
		return false;
	machine.stop_asked = true;
	return write(machine.button_fd, &one, sizeof(one)) == sizeof(one);
}

/* This guest can't ping: that is for the guest builtin alone. */
static void kvm_ping(struct vmproc *vm, const struct msg_ping *request)
{
	union msg answer = {
		.ping_result = { .id = request->id, .status = PING_BUSY },
	};

	vmproc_send(vm, MSG_PING_RESULT, &answer);
}

/* A guest can't be told of another MTU later (virtio 1.2 §5.1.4.1). */
static void kvm_link(struct vmproc *vm, uint32_t mtu)
{
	(void)vm;
	(void)mtu;
}

static bool kvm_healthy(struct vmproc *vm)
{
	uint64_t since_ms;

	(void)vm;
	devices_check();
	since_ms = devices_busy_since_ms();
	if (since_ms && loop_now_ns() / NSEC_PER_MSEC - since_ms > STUCK_MS)
		return false;
	return vcpu_healthy(&machine);
}

static void kvm_counters(struct vmproc *vm)
{
	counters_tell(vm, &machine);
}

const struct guest kvm_guest = {
	.name = "kvm",
	.needs = 1U << FD_ROLE_FILTER | 1U << FD_ROLE_FILTER_VCPU |
		 1U << FD_ROLE_KVM | 1U << FD_ROLE_KERNEL,
	.takes = {
		[FD_ROLE_INITRD] = 1,
		[FD_ROLE_CONSOLE] = 1,
		[FD_ROLE_CONSOLE_ADOPT] = 1,
		[FD_ROLE_TAP] = FD_INDEX_MAX,
		[FD_ROLE_VHOST_NET] = FD_INDEX_MAX,
		[FD_ROLE_DISK] = FD_INDEX_MAX,
	},
	.setup = kvm_setup,
	.start = kvm_start,
	.pause = kvm_pause,
	.resume = kvm_resume,
	.ping = kvm_ping,
	.link = kvm_link,
	.machine = kvm_machine,
	.stop = kvm_stop,
	.healthy = kvm_healthy,
	.counters = kvm_counters,
};
