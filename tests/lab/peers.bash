# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034 # what it takes and leaves
#
# Virtual machines to compare with: QEMU's, with the same kernel, initrd, disk
# and TAP as ours. Sourced by what runs in the lab.
#
# Each start_MACHINE starts one in the background, from
#	memory MiB, cpus, tap, disk (a path or nothing), cmdline, console (a file)
# vhost (on or off) and direct (O_DIRECT for the disk, if not empty), and leaves
# its process in VMM.

start_microvm() {
	qemu -M microvm,x-option-roms=off,pit=off,pic=off,rtc=off \
		-device "virtio-net-device,netdev=net,mac=$mac" \
		${disk:+-device virtio-blk-device,drive=disk}
}

start_q35() {
	qemu -M q35 \
		-device "virtio-net-pci,netdev=net,mac=$mac,romfile=" \
		${disk:+-device virtio-blk-pci,drive=disk}
}

qemu() {
	local cache=${direct:+none}
	cache=${cache:-writeback}
	# named threads: which of them run the guest
	qemu-system-x86_64 -name guest,debug-threads=on "$@" -enable-kvm \
		-cpu host -m "$memory" -smp "$cpus" -nodefaults -no-user-config \
		-display none -no-reboot -kernel "$LAB_KERNEL" -initrd "$LAB_INITRD" \
		-append "$cmdline" -serial "file:$console" \
		-netdev "tap,id=net,ifname=$tap,script=no,downscript=no,vhost=$vhost" \
		${disk:+-drive "file=$disk,format=raw,if=none,id=disk,cache=$cache,aio=threads"} \
		</dev/null >>"$console.vmm" 2>&1 &
	VMM=$!
}

# Ours, without a supervisor around it.
start_solo() {
	local vhost_too=
	[[ $vhost != on ]] || vhost_too=-v
	solo -k "$LAB_KERNEL" ${LAB_INITRD:+-i "$LAB_INITRD"} -a "$cmdline" \
		-m "$memory" -c "$cpus" -t "$tap" $vhost_too \
		${disk:+-d "$disk${direct:+:direct}"} "$BUILD/vmproc"
}

solo() {
	"$BUILD/tests/lab/solo" "$@" </dev/null >>"$console" \
		2>>"$console.vmm" &
	VMM=$!
}

# The process that has the guest: VMM, or its child.
vm_process() {
	pgrep -P "$VMM" || echo "$VMM"
}

# Whoever holds a KVM virtual machine, whatever the program.
kvm_holders() {
	local fd
	for fd in /proc/[0-9]*/fd/*; do
		[[ $(readlink "$fd" 2>/dev/null) != anon_inode:kvm-vm ]] || {
			fd=${fd#/proc/}
			echo "${fd%%/*}"
		}
	done | sort -u
}
