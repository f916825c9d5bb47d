#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input for VMs with guest kvm, as far as no guest has to run for it: one
# line that says what, why and the remedy, before anything runs; never tried
# again; and nothing left.

load ../lib

setup_file() {
	lab_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	lab_vmproc vmproc
	make_bzimage "$LAB/good" 32768
	: >"$LAB/empty"
	head -c 65536 /dev/zero >"$LAB/noise"
	truncate -s 1M "$LAB/disk.img"
	truncate -s 1000001 "$LAB/odd"
	mkfifo "$LAB/fifo"
	vmsup start --vms 1
}

teardown_file() {
	lab_down
}

setup() {
	lab_check
}

# bytes FILE OFFSET ESCAPES: overwrites.
bytes() {
	printf '%b' "$3" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# make_bzimage FILE BYTES: the header of one with a setup of one sector and
# BYTES behind it (Linux, Documentation/arch/x86/boot.rst).
make_bzimage() {
	local paragraphs=$(($2 / 16))
	truncate -s $((1024 + $2)) "$1"
	bytes "$1" 0x1f1 '\x01'
	bytes "$1" 0x1f4 "$(printf '\\x%02x\\x%02x' $((paragraphs & 255)) \
		$((paragraphs >> 8)))"
	bytes "$1" 0x1fe '\x55\xaa'
	bytes "$1" 0x202 HdrS
	bytes "$1" 0x206 '\x0f\x02'
	bytes "$1" 0x211 '\x01'
	bytes "$1" 0x236 '\x01'
	bytes "$1" 0x258 '\x00\x00\x10' # pref_address: 1 MiB
}

# What refusing must not change: links, processes, VMs, files of the lab.
picture() {
	inside ip -j link show | jq -c '.[] | [.ifname, .master, .address, .mtu]'
	lab_pids
	vmsup status --json | jq -c '.. | .name? // empty' || true
	find "$LAB" ! -name 'conf*' | sort
}

# refused STATUS TEXT COMMAND...: it ends with STATUS, saying one line with TEXT
# in it, and the lab is as it was.
refused() {
	local want=$1 text=$2 before after
	shift 2
	before=$(picture)
	fails_with "$want" "$@"
	after=$(picture)
	[[ ${#lines[@]} == 1 && ${lines[0]} == *": "* && $output == *"$text"* ]] || {
		echo "not one line with '$text': $output"
		return 1
	}
	[[ $before == "$after" ]] || {
		diff <(echo "$before") <(echo "$after")
		return 1
	}
}

run_bad() {
	timeout 20 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" run bad "$@" 3>&- 4>&-
}

good_but() {
	run_bad --kernel "$LAB/good" "$@"
}

# start_bad VM...: a supervisor of its own with that configuration.
start_bad() {
	echo "vms = ( $* );" >"$LAB/conf"
	timeout 20 nsenter --net="/run/netns/$LAB_NETNS" -- "$LAB/bin/vmsup" \
		--run-dir "$LAB/other" start -c "$LAB/conf" 3>&- 4>&-
}

@test "a kernel that is missing, empty, no file or no kernel" {
	refused 1 "No such file" run_bad --kernel "$LAB/nowhere"
	refused 1 "is empty" run_bad --kernel "$LAB/empty"
	refused 1 "no ordinary file" run_bad --kernel "$LAB"
	refused 1 "no ordinary file" run_bad --kernel "$LAB/fifo"
	refused 1 "no ordinary file" run_bad --kernel /dev/zero
	refused 1 "no kernel" run_bad --kernel "$LAB/noise"
	echo hello >"$LAB/short"
	refused 1 "no kernel" run_bad --kernel "$LAB/short"
	# what people give by mistake
	gzip -c "$LAB/good" >"$LAB/short"
	refused 1 "compressed by gzip (unpack it: gzip -dc)" \
		run_bad --kernel "$LAB/short"
	bytes "$LAB/short" 0 '\x00\x00'
	bytes "$LAB/short" 0x38 'ARM\x64'
	refused 1 "a kernel for arm64" run_bad --kernel "$LAB/short"
	refused 1 "an ELF file without a PVH entry" run_bad --kernel /bin/sh
	rm "$LAB/short"
}

@test "a kernel that is truncated, at any length" {
	touch "$LAB/short"
	for length in 1 512 600 1023 1024 20000 33776; do
		head -c $length "$LAB/good" >"$LAB/short"
		refused 1 "kernel $LAB/short" run_bad --kernel "$LAB/short"
	done
	refused 1 truncated run_bad --kernel "$LAB/short"
	for length in 63 64 100 4000; do
		head -c $length "$BUILD/vmproc" >"$LAB/short"
		refused 1 "kernel $LAB/short" run_bad --kernel "$LAB/short"
	done
	refused 1 truncated run_bad --kernel "$LAB/short"
	rm "$LAB/short"
}

@test "a kernel for another architecture" {
	cp "$BUILD/vmproc" "$LAB/arm"
	bytes "$LAB/arm" 18 '\xb7\x00' # e_machine: EM_AARCH64
	refused 1 "an ELF file for arm64" run_bad --kernel "$LAB/arm"
	bytes "$LAB/arm" 18 '\x3e\x00'
	bytes "$LAB/arm" 4 '\x01' # ELFCLASS32
	refused 1 "a 32-bit ELF file" run_bad --kernel "$LAB/arm"
	cp "$LAB/good" "$LAB/old"
	bytes "$LAB/old" 0x236 '\x00' # XLF_KERNEL_64
	refused 1 "no 64-bit entry" run_bad --kernel "$LAB/old"
	rm "$LAB/arm" "$LAB/old"
}

@test "an initrd that is missing, empty or no file" {
	refused 1 "No such file" good_but --initrd "$LAB/nowhere"
	refused 1 "is empty" good_but --initrd "$LAB/empty"
	refused 1 "no ordinary file" good_but --initrd "$LAB"
	refused 1 "no ordinary file" good_but --initrd "$LAB/fifo"
}

@test "a disk that is missing, empty, of odd size or no disk" {
	refused 1 "No such file" good_but --disk "$LAB/nowhere"
	refused 1 "is empty" good_but --disk "$LAB/empty"
	refused 1 "not a multiple of 512" good_but --disk "$LAB/odd"
	refused 1 "directory" good_but --disk "$LAB"
	refused 1 "neither an ordinary file" good_but --disk "$LAB,ro"
	refused 1 "neither an ordinary file" good_but --disk "$LAB/fifo"
	# nobody writes to it: it must not be waited for
	refused 1 "neither an ordinary file" good_but --disk "$LAB/fifo,ro"
	refused 1 "neither an ordinary file" good_but --disk /dev/zero
}

@test "a disk image that isn't raw" {
	printf 'QFI\xfb\0\0\0\3' >"$LAB/image"
	truncate -s 196616 "$LAB/image"
	refused 1 "qemu-img convert -f qcow2 -O raw" \
		good_but --disk "$LAB/image"
	refused 1 "no raw image, but a qcow2 one" \
		good_but --disk "$LAB/image,ro,direct"
	truncate -s 1M "$LAB/image"
	refused 1 qcow2 good_but --disk "$LAB/image"
	rm "$LAB/image"
}

@test "a disk that can't be written" {
	mkdir "$LAB/ro"
	inside unshare -m sh -c "mount -t tmpfs none '$LAB/ro' &&
		truncate -s 1M '$LAB/ro/disk' && mount -o remount,ro '$LAB/ro' &&
		exec timeout 20 '$LAB/bin/vmsup' run bad --kernel '$LAB/good' \
			--disk '$LAB/ro/disk'" >"$LAB/said" 2>&1 3>&- 4>&- &&
		return 1
	grep -q "Read-only file system (or make it read-only" "$LAB/said"
	rmdir "$LAB/ro"
	rm "$LAB/said"
	fails_with 4 vmsup status bad
}

@test "a disk that is in use, by whoever, and not when it is shared to read" {
	local holder
	exec {holder}<>"$LAB/disk.img"
	# an open description's lock, as another VM or instance has it
	python3 -c 'import fcntl, struct, sys
fcntl.fcntl(int(sys.argv[1]), 37, struct.pack("hhqqi", 1, 0, 0, 0, 0))' "$holder"
	refused 1 "in use" good_but --disk "$LAB/disk.img"
	refused 1 "in use" good_but --disk "$LAB/disk.img,ro"
	exec {holder}>&-
	refused 1 "in use" good_but --disk "$LAB/disk.img" --disk "$LAB/disk.img"
	exec {holder}<>"$LAB/disk.img" # nothing holds it any more
	python3 -c 'import fcntl, struct, sys
fcntl.fcntl(int(sys.argv[1]), 37, struct.pack("hhqqi", 1, 0, 0, 0, 0))' "$holder"
	exec {holder}>&-
}

@test "too little memory, too many CPUs, and what is no number" {
	for size in 0 1M 15M 4096K 16777217 9T 60T much -64M '' 99999999999999999999G; do
		refused 2 --memory good_but --memory "$size"
	done
	for count in 0 255 -1 two 1.5 ''; do
		refused 2 --cpus good_but --cpus "$count"
	done
	for count in 0 9 -1 x; do
		refused 2 --queues good_but --queues "$count"
	done
	refused 2 --vhost good_but --vhost maybe
	refused 2 --cmdline good_but --cmdline "$(printf 'x%.0s' {1..2048})"
	# shellcheck disable=SC2046 # several words
	refused 2 --disk good_but $(printf -- "--disk $LAB/disk.img,ro %.0s" {1..9})
	for option in '--initrd x' '--memory 64M' '--cpus 2' --nic '--disk x'; do
		# shellcheck disable=SC2086 # several words
		refused 2 -kernel run_bad $option
	done
}

@test "a name that is no UTF-8, and no VM of another guest for it" {
	cp "$LAB/good" "$LAB/"$'g\xff'
	refused 1 UTF-8 run_bad --kernel "$LAB/"$'g\xff'
	refused 1 UTF-8 good_but --cmdline $'\xff'
	rm "$LAB/"$'g\xff'
}

@test "the same in a file is told with file and line" {
	refused 2 "conf:1: VM a: it has guest kvm and no kernel" start_bad \
		'{ name = "a"; guest = "kvm"; }'
	refused 2 "conf:1: VM a: cpus is for a VM with guest kvm" start_bad \
		'{ name = "a"; cpus = 2; }'
	refused 2 "conf:1: VM a: memory can't be" start_bad \
		'{ name = "a"; guest = "kvm"; kernel = "good"; memory = "15M"; }'
	for count in 0 255; do
		refused 2 "conf:1: VM a: cpus can't be $count" start_bad \
			"{ name = \"a\"; guest = \"kvm\"; kernel = \"good\"; cpus = $count; }"
	done
	[ ! -e "$LAB/other" ]
}

@test "files of a configured VM: it fails for good and says why, others run" {
	export VMSUP_RUN_DIR=$LAB/some
	echo 'bridge = { name = "some0"; address = "10.78.0.1/24"; };
		tap_prefix = "sometap"; vms = (
		{ name = "fine"; },
		{ name = "a"; guest = "kvm"; kernel = "nowhere"; },
		{ name = "b"; guest = "kvm"; kernel = "noise"; },
		{ name = "c"; guest = "kvm"; kernel = "good"; autostart = false;
			disks = ( { path = "disk.img"; } ); },
		{ name = "d"; guest = "kvm"; kernel = "good";
			disks = ( { path = "disk.img"; } ); },
		{ name = "e"; guest = "kvm"; kernel = "good";
			disks = ( { path = "odd"; } ); },
		{ name = "f"; guest = "kvm"; kernel = "noise";
			disks = ( { path = "image"; } ); },
		{ name = "g"; guest = "kvm"; kernel = "good";
			autostart = false; disks = ( { path = "image"; } ); } );' \
		>"$LAB/conf"
	printf 'KDMV' >"$LAB/image"
	truncate -s 1M "$LAB/image"
	fails_with 1 vmsup start -c "$LAB/conf"
	echo "$output"
	# a guest may have written that: it is warned of
	[[ $output == *"warning: disk $LAB/image of g begins as a vmdk image"* ]]
	vm_is g '.state == "stopped"'
	[[ $output == *"a: failed: cannot open kernel $LAB/nowhere of a"* ]]
	[[ $output == *"b: failed: kernel $LAB/noise of b is no kernel"* ]]
	[[ $output == *"d: failed: disk $LAB/disk.img of d is in use"* ]]
	[[ $output == *"e: failed: disk $LAB/odd of e has 1000001 bytes"* ]]
	vm_has fine .state running
	for name in a b d e; do
		vm_is $name '.state == "failed" and .restarts == 0 and
			.pid == null and .next_retry_s == null'
	done
	vmsup stop
	[ ! -e "$LAB/some" ]
}

@test "no /dev/kvm: it is told before anything runs" {
	export VMSUP_RUN_DIR=$LAB/blind
	echo 'bridge = { name = "blind0"; address = "10.78.0.1/24"; };
		tap_prefix = "blindtap"; vms = ( { name = "fine"; } );' >"$LAB/conf"
	# a /dev without it
	mkdir "$LAB/dev"
	inside unshare -m sh -c "mount -t tmpfs none '$LAB/dev' &&
		cp -a /dev/null /dev/zero /dev/urandom /dev/net '$LAB/dev' &&
		mount --bind '$LAB/dev' /dev &&
		exec '$LAB/bin/vmsup' start -c '$LAB/conf'" 3>&- 4>&-
	fails_with 1 good_but
	[[ ${#lines[@]} == 1 && $output == *"cannot open /dev/kvm"* ]]
	fails_with 4 vmsup status bad
	vmsup stop
	[ ! -e "$LAB/blind" ]
	rmdir "$LAB/dev"
}
