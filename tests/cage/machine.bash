# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# What bats files share about VMs of guest kvm whose process is a stand-in:
# nothing boots, and no more is needed of /dev/kvm than that it can be opened.

# Says why such a VM can't be made here; silent if it can.
machine_obstacle() {
	[[ -c /dev/kvm ]] || echo "needs /dev/kvm (modprobe kvm_intel or kvm_amd)"
}

# machine_kernel FILE: as much of a bzImage as is looked at before a boot: the
# header of one with a setup of one sector and 32 KiB behind it (Linux,
# Documentation/arch/x86/boot.rst).
machine_kernel() {
	truncate -s $((1024 + 32768)) "$1"
	machine_bytes "$1" 0x1f1 '\x01'
	machine_bytes "$1" 0x1f4 '\x00\x08'
	machine_bytes "$1" 0x1fe '\x55\xaa'
	machine_bytes "$1" 0x202 HdrS
	machine_bytes "$1" 0x206 '\x0f\x02'
	machine_bytes "$1" 0x211 '\x01'
	machine_bytes "$1" 0x22c '\xff\xff\xff\x7f' # where initrds end
	machine_bytes "$1" 0x236 '\x01'
	machine_bytes "$1" 0x258 '\x00\x00\x00\x01' # 16 MiB: where it lies
	machine_bytes "$1" 0x260 '\x00\x00\x10\x00' # 1 MiB of memory
}

machine_bytes() {
	printf '%b' "$3" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}
