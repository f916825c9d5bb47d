#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input for guests: a clear error before anything runs, never retried, and
# nothing left. No guest is booted here.

load guests

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	truncate -s 16M "$LAB/disk.img"
	head -c 100000 /dev/urandom >"$LAB/noise"
	: >"$LAB/empty"
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
	need_vmsup
}

# Runs a guest "bad" with what should be right, and then what the test says.
run_bad() {
	vmsup run bad --cmdline console=ttyS0 "$@"
}

with_kernel() {
	run_bad --kernel "$1" --initrd "$LAB_INITRD" "${@:2}"
}

good_but() {
	with_kernel "$LAB_KERNEL" "$@"
}

# refused TEXT COMMAND...: it fails, with the text in what it says; no VM of
# that name runs, or is tried again.
refused() {
	local text=$1
	shift
	run "$@"
	[[ $status != 0 && ${lines[0]} == vmsup:* && $output == *"$text"* ]] || {
		echo "exit $status, wanted '$text', got: $output"
		return 1
	}
	if vmsup status bad >/dev/null 2>&1; then
		vm_is bad '(.state == "failed" or .state == "stopped") and
			.next_retry_s == null and .restarts == 0'
		[[ $(vm_get bad .last_exit.detail) == *"$text"* ]]
		vmsup remove bad 2>/dev/null || vmsup stop bad || true
	fi
	[[ -z $(kvm_holders) ]]
}

@test "a kernel that isn't one" {
	refused kernel with_kernel "$LAB/noise"
	refused kernel with_kernel "$LAB/empty"
	refused kernel with_kernel /bin/busybox
	refused "$LAB" with_kernel "$LAB"
	refused /nowhere/vmlinuz with_kernel /nowhere/vmlinuz
}

@test "a kernel that is truncated, at any length" {
	for bytes in 512 600 1024 16384 1000000; do
		head -c $bytes "$LAB_KERNEL" >"$LAB/short"
		refused kernel with_kernel "$LAB/short"
	done
}

@test "a kernel for another architecture" {
	# an ELF's machine: AArch64 (183), in the little order
	cp "$BUILD/vmproc" "$LAB/arm"
	printf '\267\000' | dd of="$LAB/arm" bs=1 seek=18 conv=notrunc 2>/dev/null
	refused architecture with_kernel "$LAB/arm" ||
		refused x86-64 with_kernel "$LAB/arm"
	# a bzImage without a 64-bit entry (xloadflags, boot protocol 2.12)
	cp "$LAB_KERNEL" "$LAB/old"
	printf '\000\000' | dd of="$LAB/old" bs=1 seek=$((0x236)) conv=notrunc \
		2>/dev/null
	refused 64-bit with_kernel "$LAB/old"
}

@test "an initrd that doesn't fit" {
	truncate -s 200M "$LAB/large"
	refused initrd run_bad --kernel "$LAB_KERNEL" --initrd "$LAB/large" \
		--memory 128M
	refused /nowhere/initrd run_bad --kernel "$LAB_KERNEL" \
		--initrd /nowhere/initrd
}

@test "memory: too little, too much, no number" {
	refused memory good_but --memory 4M
	refused memory good_but --memory 0
	refused memory good_but --memory much
	refused memory good_but --memory -128M
	refused memory good_but --memory 99999999999999999999G
}

@test "vCPUs: none, no number, more than the host allows" {
	refused cpus good_but --cpus 0
	refused cpus good_but --cpus two
	refused cpus good_but --cpus 100000
}

@test "a disk that is in use, read-only, empty, odd or no disk" {
	refused "$LAB/empty" good_but --disk "$LAB/empty"
	truncate -s 1000000 "$LAB/odd"
	refused "$LAB/odd" good_but --disk "$LAB/odd"
	refused "$LAB" good_but --disk "$LAB"
	refused /nowhere/disk good_but --disk /nowhere/disk
	mkdir -p "$LAB/ro"
	mount -t tmpfs -o size=1m tmpfs "$LAB/ro"
	truncate -s 65536 "$LAB/ro/disk"
	mount -o remount,ro "$LAB/ro"
	refused "$LAB/ro/disk" good_but --disk "$LAB/ro/disk"
	umount "$LAB/ro"
}

@test "no /dev/kvm" {
	mv /dev/kvm /dev/kvm.away
	run good_but
	mv /dev/kvm.away /dev/kvm
	[ "$status" != 0 ]
	[[ $output == *"/dev/kvm"* ]]
}

@test "a command line that is too long" {
	refused cmdline run_bad --kernel "$LAB_KERNEL" \
		--cmdline "$(printf 'x%.0s' {1..5000})"
}

@test "a writable disk belongs to one guest at a time" {
	guest_run first 1 --memory 96M --disk "$LAB/disk.img"
	guest_ready first
	run good_but --disk "$LAB/disk.img"
	[ "$status" != 0 ]
	[[ $output == *"$LAB/disk.img"*use* ]]
	vm_has first .state running
	vmsup kill first || true
}
