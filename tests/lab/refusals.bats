#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input for guests: a clear error before anything runs, never retried, and
# nothing left. No real guest is booted here.

load guests
load tiny

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	truncate -s 16M "$LAB/disk.img"
	head -c 100000 /dev/urandom >"$LAB/noise"
	: >"$LAB/empty"
	tiny_kernel "$LAB/spins" spins
	tiny_kernel "$LAB/deaf" deaf
	picture >"$LAB/before"
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

# What a refusal must not change.
picture() {
	lab_pids
	vmsup status --json | jq -c '.vms[] | [.name, .state, .pid, .restarts]'
	inside ip -o link show | cut -d: -f2
}

# nothing_came: no VM, no process, no link. Looked at once a test, for in L1
# looking takes more time than all that is looked for.
nothing_came() {
	diff "$LAB/before" <(picture)
}

# refused TEXT COMMAND...: it fails, with the text in the one line that it says.
refused() {
	local text=$1
	shift
	run "$@"
	# shellcheck disable=SC2154 # bats sets them
	[[ $status == [12] && ${#lines[@]} == 1 && ${lines[0]} == vmsup* &&
		$output == *"$text"* ]] || {
		echo "exit $status, wanted '$text', got: $output"
		return 1
	}
}

@test "a kernel that isn't one" {
	refused "is no kernel" with_kernel "$LAB/noise"
	refused "is empty" with_kernel "$LAB/empty"
	# packed or not
	gzip -c "$LAB_INITRD" >"$LAB/packed"
	refused "compressed by gzip" with_kernel "$LAB/packed"
	# an executable, of the right architecture
	refused "without a PVH entry" with_kernel /bin/busybox
	refused "$LAB" with_kernel "$LAB"
	refused /nowhere/vmlinuz with_kernel /nowhere/vmlinuz
	nothing_came
}

@test "a kernel that is truncated, at any length" {
	for bytes in 1 512 600; do
		head -c $bytes "$LAB_KERNEL" >"$LAB/short"
		refused "kernel $LAB/short" with_kernel "$LAB/short"
	done
	for bytes in 1024 16384 1000000; do
		head -c $bytes "$LAB_KERNEL" >"$LAB/short"
		refused "is truncated" with_kernel "$LAB/short"
	done
	nothing_came
}

@test "a kernel for another architecture" {
	cp /bin/busybox "$LAB/arm"
	at "$LAB/arm" 18 '\xb7\x00' # e_machine: AArch64
	refused "an ELF file for arm64" with_kernel "$LAB/arm"
	cp /bin/busybox "$LAB/i386"
	at "$LAB/i386" 4 '\x01' # ELFCLASS32
	refused "a 32-bit ELF file" with_kernel "$LAB/i386"
	# a bzImage without a 64-bit entry (xloadflags)
	cp "$LAB_KERNEL" "$LAB/old"
	at "$LAB/old" 0x236 '\x00\x00'
	refused "no 64-bit entry" with_kernel "$LAB/old"
	# arm64's Image has a header of its own
	truncate -s 1M "$LAB/image"
	at "$LAB/image" 0x38 'ARM\x64'
	refused "a kernel for arm64" with_kernel "$LAB/image"
	nothing_came
}

@test "an initrd that doesn't fit, isn't there, is empty" {
	truncate -s 200M "$LAB/large"
	refused "doesn't fit" run_bad --kernel "$LAB_KERNEL" \
		--initrd "$LAB/large" --memory 128M
	# the last page that doesn't
	refused "doesn't fit" run_bad --kernel "$LAB/spins" \
		--initrd "$LAB/disk.img" --memory 17M
	refused /nowhere/initrd run_bad --kernel "$LAB_KERNEL" \
		--initrd /nowhere/initrd
	refused "is empty" run_bad --kernel "$LAB_KERNEL" --initrd "$LAB/empty"
	nothing_came
}

@test "memory: too little, too much, no number" {
	refused "too little for kernel" good_but --memory 16M
	refused memory good_but --memory 4M
	refused memory good_but --memory 0
	refused memory good_but --memory much
	refused memory good_but --memory -128M
	refused memory good_but --memory 99999999999999999999G
	nothing_came
}

@test "vCPUs: none, no number, more than any VM has" {
	refused cpus good_but --cpus 0
	refused cpus good_but --cpus two
	refused cpus good_but --cpus 255
	refused cpus good_but --cpus 100000
	nothing_came
}

@test "a disk that is read-only, empty, odd or no disk" {
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
	nothing_came
}

@test "a command line that is too long" {
	refused cmdline run_bad --kernel "$LAB_KERNEL" \
		--cmdline "$(printf 'x%.0s' {1..5000})"
	nothing_came
}

@test "no /dev/kvm, or one that isn't KVM's" {
	mv /dev/kvm "$LAB/kvm"
	run refused "cannot open /dev/kvm" good_but
	mknod "$LAB/fake" c 1 3 # null
	mv "$LAB/fake" /dev/kvm
	local first=$status said=$output
	run refused "is it KVM's device?" good_but
	mv "$LAB/kvm" /dev/kvm
	echo "$said"
	echo "$output"
	[ "$first" = 0 ]
	[ "$status" = 0 ]
	nothing_came
}

# away NAME: stopped, without the time that a guest is given.
away() {
	vmsup stop --no-wait "$1"
	vmsup kill "$1"
	wait_until 60 vm_has "$1" .state stopped
}

@test "a block device that is read-only, or in use" {
	local loop
	loop=$(losetup -r -f --show "$LAB/disk.img")
	refused "$loop" good_but --disk "$loop"
	losetup -d "$loop"
	loop=$(losetup -f --show "$LAB/disk.img")
	vmsup run first --kernel "$LAB/deaf" --disk "$loop"
	refused "in use" good_but --disk "$loop"
	away first
	losetup -d "$loop"
}

@test "a writable disk belongs to one guest at a time" {
	vmsup run second --kernel "$LAB/deaf" --disk "$LAB/disk.img"
	refused "in use" good_but --disk "$LAB/disk.img"
	refused "in use" good_but --disk "$LAB/disk.img,ro"
	vm_is second '.state == "running" and .restarts == 0'
	# it has it for the next generation as well, and when it is stopped
	vmsup kill second
	wait_until 60 vm_is second '.state == "running" and .generation == 2'
	refused "in use" good_but --disk "$LAB/disk.img"
	away second
	refused "in use" good_but --disk "$LAB/disk.img"
}

@test "vhost where the host has none" {
	mv /dev/vhost-net "$LAB/vhost"
	run vmsup run none --kernel "$LAB/deaf" --nic --vhost on
	mv "$LAB/vhost" /dev/vhost-net
	[ "$status" = 1 ]
	[[ $output == *"none: failed: cannot open /dev/vhost-net"* ]]
	never_tried none
	[[ $(vmsup logs none) == *"cannot open /dev/vhost-net"* ]]
}

# never_tried NAME: it has failed without a second try.
never_tried() {
	vm_is "$1" '.state == "failed" and .restarts == 0 and .pid == null and
		.next_retry_s == null'
}

@test "what only the VM process can find out is told, and never retried" {
	run vmsup run huge --kernel "$LAB/deaf" --memory 512M --hugepages
	[ "$status" = 1 ]
	[[ $output == *"huge: failed: "*"has no 512 MiB of huge pages"* ]]
	never_tried huge
	[[ $(vmsup logs huge) == *"huge pages"* ]]
	# of addresses, the lab's processor has 40 bits
	run vmsup run vast --kernel "$LAB/deaf" --memory 2T
	[ "$status" = 1 ]
	[[ $output == *"vast: failed: "*"2097152 MiB of memory: this host's "* ]]
	never_tried vast
}

@test "a kernel that has become none is found so behind the closed cage" {
	tiny_kernel "$LAB/fickle" deaf
	vmsup run fickle --kernel "$LAB/fickle" --memory 16M
	# in place: the VM has it open
	at "$LAB/fickle" 0x202 'none'
	vmsup kill fickle
	wait_until 60 vm_has fickle .state failed
	never_runs fickle 2 'the kernel is not a kernel'
	# what is known of it before it is read, too
	: >"$LAB/fickle"
	vmsup reset fickle
	wait_until 60 vm_is fickle '.state == "failed" and .generation == 3'
	never_runs fickle 3 'the kernel is empty'
}

# never_runs NAME GENERATION WHY: that one failed, was never running, and isn't
# tried again.
never_runs() {
	vm_is "$1" ".state == \"failed\" and .pid == null and
		.generation == $2 and .next_retry_s == null and
		.last_exit.detail == \"exit 78: bad configuration\""
	vmsup logs "$1" >"$LAB/said"
	cat "$LAB/said"
	grep -q "failed: exit 78: bad configuration: $3" "$LAB/said"
	refute grep -q "generation $2 runs" "$LAB/said"
}

# other COMMAND...: of a second supervisor.
other() {
	VMSUP_RUN_DIR=$LAB/other vmsup "$@"
}

other_is() {
	VMSUP_RUN_DIR=$LAB/other vm_is "$@"
}

# A configuration of these VMs, with a bridge that is nobody else's.
configure() {
	{
		echo 'bridge = { name = "other0"; address = "10.78.0.1/24"; };'
		echo 'tap_prefix = "othertap";'
		echo "vms = ( $* );"
	} >"$LAB/conf"
}

@test "by the configuration: who can't be started says so, the others run" {
	head -c 1000000 "$LAB_KERNEL" >"$LAB/short"
	cp "$LAB/disk.img" "$LAB/shared"
	rm -f "$LAB/later"
	configure '{ name = "fine"; guest = "kvm"; kernel = "deaf"; queues = 0;
			disks = ( { path = "shared"; } ); },
		{ name = "host"; },
		{ name = "short"; guest = "kvm"; kernel = "short"; },
		{ name = "noise"; guest = "kvm"; kernel = "noise"; },
		{ name = "little"; guest = "kvm"; kernel = "'"$LAB_KERNEL"'";
			memory = "16M"; },
		{ name = "large"; guest = "kvm"; kernel = "deaf";
			initrd = "disk.img"; memory = "17M"; },
		{ name = "used"; guest = "kvm"; kernel = "deaf";
			disks = ( { path = "shared"; } ); },
		{ name = "missing"; guest = "kvm"; kernel = "deaf";
			disks = ( { path = "later"; } ); }'
	run other start --config "$LAB/conf"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"vmsup: short: failed: "*"is truncated"* ]]
	[[ $output == *"vmsup: noise: failed: "*"is no kernel"* ]]
	[[ $output == *"vmsup: little: failed: "*"too little for kernel"* ]]
	[[ $output == *"vmsup: large: failed: "*"doesn't fit"* ]]
	[[ $output == *"vmsup: used: failed: "*"in use"* ]]
	[[ $output == *"vmsup: missing: failed: "*"$LAB/later"* ]]
	other_is fine '.state == "running" and .restarts == 0'
	other_is host '.state == "running" and .restarts == 0'
	for name in short noise little large used missing; do
		VMSUP_RUN_DIR=$LAB/other never_tried $name
	done
	[[ $(other logs missing) == *"$LAB/later"* ]]
}

@test "what was put right runs after a reset" {
	truncate -s 1M "$LAB/later"
	# the supervisor that runs never opens a file by its name
	other reset missing
	VMSUP_RUN_DIR=$LAB/other never_tried missing
	other detach
	run other start
	echo "$output"
	VMSUP_RUN_DIR=$LAB/other never_tried missing
	other reset missing
	wait_until 60 other_is missing '.state == "running"'
	VMSUP_RUN_DIR=$LAB/other away fine
	VMSUP_RUN_DIR=$LAB/other away missing
	other stop
}

@test "by the configuration: no /dev/kvm" {
	configure '{ name = "host"; }, { name = "kvm"; guest = "kvm";
		kernel = "deaf"; }'
	mv /dev/kvm "$LAB/kvm"
	run other start --config "$LAB/conf"
	mv "$LAB/kvm" /dev/kvm
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"vmsup: kvm: failed: cannot open /dev/kvm"* ]]
	VMSUP_RUN_DIR=$LAB/other never_tried kvm
	other_is host '.state == "running"'
	# and where it is there again, it runs
	other reset kvm
	wait_until 60 other_is kvm '.state == "running"'
	VMSUP_RUN_DIR=$LAB/other away kvm
	other stop
	[ ! -e "$LAB/other" ]
}
