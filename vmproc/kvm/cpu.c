/* SPDX-License-Identifier: ISC */
/*
 * The features of the vCPUs, and the initial state of the first one. The
 * features are those that the host's KVM offers, except for the topology. The
 * state is what the boot protocol demands. The other vCPUs wait for a start-up
 * interrupt from the first one, as on any machine.
 */
#include "vmproc/kvm/cpu.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ipc/fd.h"

#define CPUID_ENTRIES    256
#define CPUID_ADDRESSES  0x80000008U
#define ADDRESS_BITS_MIN 36 /* if CPUID doesn't say */

#define CPUID_1_ECX_VMX          (1U << 5)
#define CPUID_1_ECX_TSC_DEADLINE (1U << 24)
#define CPUID_1_ECX_HYPERVISOR   (1U << 31)
#define CPUID_1_EDX_SIBLINGS     (1U << 28)
#define CPUID_AMD_1_ECX_SVM      (1U << 2)
#define CR0_PE                   0x1ULL
#define CR0_ET                   0x10ULL
#define CR0_PG                   0x80000000ULL
#define CR4_PAE                  0x20ULL
#define EFER_LONG                0x500ULL /* LME, LMA */
#define PAGE_TABLE               0x3ULL /* present, writable */
#define PAGE_LARGE               0x83ULL /* the same, 2 MiB */
#define MSR_MISC_ENABLE          0x1a0
#define MISC_FAST_STRINGS        1
#define MSR_MTRR_DEFAULT         0x2ff
#define MTRR_WRITE_BACK          0x806 /* enabled; all memory write-back */
#define SELECTOR_CODE            0x10
#define SELECTOR_DATA            0x18
#define SELECTOR_TASK            0x20

static union {
	struct kvm_cpuid2 table;
	uint8_t room[sizeof(struct kvm_cpuid2) +
		     CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
} offered, given;
static bool tsc_deadline;
/* The state of the first vCPU after its reset, from KVM. */
static struct kvm_sregs reset_state;

int cpu_init(int kvm_fd)
{
	offered.table.nent = CPUID_ENTRIES;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &offered) < 0)
		return -errno;
	tsc_deadline = ioctl(kvm_fd, KVM_CHECK_EXTENSION,
			     KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	return 0;
}

unsigned int cpu_address_bits(void)
{
	for (uint32_t i = 0; i < offered.table.nent; i++) {
		const struct kvm_cpuid_entry2 *entry =
			&offered.table.entries[i];

		if (entry->function == CPUID_ADDRESSES)
			return entry->eax & 0xff;
	}
	return ADDRESS_BITS_MIN;
}

/* How many bits of an APIC id are needed for count processors. */
static unsigned int id_bits(unsigned int count)
{
	unsigned int bits = 0;

	while (1U << bits < count)
		bits++;
	return bits;
}

/* The topology is one package of vcpus cores of one thread each. There is no
 * nested virtualization: the host's code for that is large, and few guests need
 * it. */
static void shape_entry(struct kvm_cpuid_entry2 *entry, unsigned int id,
			unsigned int vcpus)
{
	unsigned int bits = id_bits(vcpus);

	switch (entry->function) {
	case 0x1:
		entry->ebx = (entry->ebx & 0xffff) | vcpus << 16 | id << 24;
		entry->ecx |= CPUID_1_ECX_HYPERVISOR;
		entry->ecx &= ~CPUID_1_ECX_VMX;
		if (tsc_deadline)
			entry->ecx |= CPUID_1_ECX_TSC_DEADLINE;
		entry->edx &= ~CPUID_1_EDX_SIBLINGS;
		if (vcpus > 1)
			entry->edx |= CPUID_1_EDX_SIBLINGS;
		break;
	case 0x4: /* caches: cores in the package; shared by how many */
		if ((entry->eax & 0x1f) == 0)
			break;
		entry->eax &= 0x3fff;
		entry->eax |= ((1U << bits) - 1) << 26;
		if ((entry->eax >> 5 & 7) >= 3)
			entry->eax |= (vcpus - 1) << 14;
		break;
	case 0xa: /* no performance counters */
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		entry->edx = id;
		entry->ecx = entry->index;
		if (entry->index == 0) { /* threads of a core */
			entry->eax = 0;
			entry->ebx = 1;
			entry->ecx |= 1 << 8;
		} else if (entry->index == 1) { /* cores of the package */
			entry->eax = bits;
			entry->ebx = vcpus;
			entry->ecx |= 2 << 8;
		} else {
			entry->eax = entry->ebx = 0;
		}
		break;
	case 0x80000001:
		entry->ecx &= ~CPUID_AMD_1_ECX_SVM;
		break;
	case CPUID_ADDRESSES: /* AMD: cores, bits of the id */
		entry->ecx = (vcpus - 1) | bits << 12;
		break;
	case 0x8000000a: /* AMD: what SVM can do */
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	case 0x8000001d: /* AMD: caches */
		if ((entry->eax & 0x1f) == 0)
			break;
		entry->eax &= 0x3fff;
		if ((entry->eax >> 5 & 7) >= 3)
			entry->eax |= (vcpus - 1) << 14;
		break;
	case 0x8000001e: /* AMD: ids, one thread a core, one node */
		entry->eax = id;
		entry->ebx = id;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

static int set_features(const struct vcpu *vcpu)
{
	given = offered;
	for (uint32_t i = 0; i < given.table.nent; i++)
		shape_entry(&given.table.entries[i], vcpu->index,
			    vcpu->machine->vcpus);
	return ioctl(vcpu->fd, KVM_SET_CPUID2, &given) < 0 ? -errno : 0;
}

/* The state of these MSRs is what firmware leaves behind. */
static int set_msrs(const struct vcpu *vcpu)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_FAST_STRINGS },
		{ .index = MSR_MTRR_DEFAULT, .data = MTRR_WRITE_BACK },
	};
	union {
		struct kvm_msrs table;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(entries)];
	} msrs = { .table.nmsrs = ARRAY_SIZE(entries) };

	memcpy(msrs.table.entries, entries, sizeof(entries));
	return ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) < 0 ? -errno : 0;
}

static void set_segments(struct kvm_sregs *sregs, bool pvh)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = SELECTOR_CODE,
		.type = 0xb, /* execute, read, accessed */
		.present = 1,
		.s = 1,
		.g = 1,
		.l = !pvh,
		.db = pvh,
	};
	struct kvm_segment data = code;

	data.selector = SELECTOR_DATA;
	data.type = 0x3; /* read, write, accessed */
	data.l = 0;
	data.db = 1;
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct kvm_segment){
		.limit = 0x67,
		.selector = SELECTOR_TASK,
		.type = 0xb, /* 32-bit or 64-bit TSS, busy */
		.present = 1,
	};
	sregs->gdt.base = LAYOUT_GDT;
	sregs->gdt.limit = 5 * 8 - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

/*
 * Writes the registers into kvm_run, from which KVM_RUN takes them before the
 * first instruction. KVM_SET_REGS can't be used: the state depends on the
 * kernel, and when the kernel is read, the filter no longer allows that
 * request.
 */
static void set_state(const struct vcpu *vcpu, const struct boot_entry *entry)
{
	struct kvm_sync_regs *state = &vcpu->run->s.regs;
	struct kvm_sregs sregs = reset_state;

	state->regs = (struct kvm_regs){
		.rip = entry->rip,
		.rsp = LAYOUT_STACK,
		.rflags = 2,
		/* boot protocol: boot_params in rsi; PVH: start info in ebx */
		.rsi = entry->pvh ? 0 : entry->info,
		.rbx = entry->pvh ? entry->info : 0,
	};
	set_segments(&sregs, entry->pvh);
	sregs.cr0 = CR0_PE | CR0_ET;
	if (!entry->pvh) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = LAYOUT_TABLES;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LONG;
	}
	state->sregs = sregs;
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

int cpu_setup(const struct vcpu *vcpu)
{
	int error = set_features(vcpu);

	if (!error)
		error = set_msrs(vcpu);
	if (!error && vcpu->index == 0 &&
	    ioctl(vcpu->fd, KVM_GET_SREGS, &reset_state) < 0)
		error = -errno;
	return error;
}

/* The tables map the first 4 GiB to themselves: one table of each higher level,
 * and four of the lowest. A kernel that is entered by PVH doesn't use them. */
int cpu_tables(const struct memory *memory)
{
	uint64_t *top = guest_ptr(memory, LAYOUT_TABLES, 6 * 4096ULL);
	uint64_t *second, *large;

	if (!top)
		return -ENOSPC;
	second = top + 512;
	large = second + 512;
	top[0] = (LAYOUT_TABLES + 4096) | PAGE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		second[i] = (LAYOUT_TABLES + (2 + i) * 4096) | PAGE_TABLE;
	for (uint64_t i = 0; i < 4 * 512ULL; i++)
		large[i] = i * 2 * MIB | PAGE_LARGE;
	return 0;
}

int cpu_enter(const struct vcpu *vcpu, const struct boot_entry *entry)
{
	/* flat segments: null, unused, code (64-bit or 32-bit), data, task */
	const uint64_t gdt[] = {
		0,
		0,
		entry->pvh ? 0x00cf9b000000ffffULL : 0x00af9b000000ffffULL,
		0x00cf93000000ffffULL,
		0x00008b0000000067ULL,
	};
	void *at = guest_ptr(&vcpu->machine->memory, LAYOUT_GDT, sizeof(gdt));

	if (!at)
		return -ENOSPC;
	memcpy(at, gdt, sizeof(gdt));
	set_state(vcpu, entry);
	return 0;
}
