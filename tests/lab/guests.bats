#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Unmodified Debian kernels as guests, with network and disk, one with two CPUs:
# what a user sees of them while they run. tests/lab/l1 runs it where that can be.
# What the guest is to expand stands in single quotes.
# shellcheck disable=SC2016

load guests

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	truncate -s 64M "$LAB/web.img" "$LAB/db.img"
	mke2fs -q -t ext4 "$LAB/web.img"
	guest_run web 1 --disk "$LAB/web.img" --say lab.mount
	guest_run db 2 --vhost on --disk "$LAB/db.img"
	guest_ready web db
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
}

@test "the guests' kernels find what they were given" {
	guest_printed web 'lab: ready .*cpus=1 '
	guest_printed db 'lab: ready .*cpus=1 '
	guest_printed web 'disks=vda'
	guest_printed web 'lab: mounted: lost+found'
	[ "$(in_guest 1 uname -r)" = "$(uname -r)" ] ||
		[ "$LAB_HOW" = direct ]
	kib=$(in_guest 1 "sed -n 's/MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo")
	((kib > 80 * 1024 && kib <= 128 * 1024))
	[ "$(in_guest 1 blockdev --getsize64 /dev/vda)" = $((64 << 20)) ]
	# the host's processor can virtualize, the guest's is not to
	grep -qwE 'svm|vmx' /proc/cpuinfo
	[ "$MACHINE" != vmsup ] ||
		refute in_guest 1 grep -qwE 'svm|vmx' /proc/cpuinfo
}

@test "status tells guest, memory and vCPUs" {
	need_vmsup
	vm_is web '.guest == "kvm" and .state == "running" and .restarts == 0'
	vm_is web '.vcpus == 1 and .memory_bytes == 128 * 1024 * 1024'
	vmsup status web | grep -Eq '^web +running +kvm +128M +1 '
}

@test "ping from the host to both, and from guest to guest" {
	guest_ping 1
	guest_ping 2
	in_guest 1 ping -q -c 3 "$(guest_ip 2)"
	in_guest 2 ping -q -c 3 "$(guest_ip 1)"
}

@test "TCP both ways, every byte compared" {
	for guest in 1 2; do
		guest_tcp send $guest 8
		guest_tcp get $guest 8
	done
}

@test "TCP from guest to guest, every byte compared" {
	in_guest 1 wire send "$(guest_ip 2)" 8
	in_guest 2 wire send "$(guest_ip 1)" 8
}

@test "several streams at once, both ways, every byte compared" {
	local pid pids=()
	for way in send get send get; do
		for guest in 1 2; do
			guest_tcp $way $guest 2 3>&- &
			pids+=($!)
		done
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}

@test "a flood of small frames doesn't stop a ping" {
	flood to 1
	flood from 1
	flood to 2
	flood from 2
	guest_ping 1
	guest_ping 2
}

flood() {
	inside "$(type -P wire)" flood "$1" "$(guest_ip "$2")" 1
}

@test "offloads are on, and segments of 64 KiB pass" {
	tap=$(guest_tap web 1)
	before=$(frames tx)
	guest_tcp send 1 8 plain
	after=$(frames tx)
	# 8 MiB would be 5,800 frames of 1448 bytes
	((after - before < 2000))
	before=$(frames rx)
	guest_tcp get 1 8 plain
	after=$(frames rx)
	((after - before < 2000))
}

# By ip: /sys shows another namespace's.
frames() {
	inside ip -s -j link show "$tap" | jq ".[0].stats64.$1.packets"
}

@test "frames of a foreign source are dropped and counted, under vhost-net too" {
	need_vmsup
	before=$(vm_get web .stats.tx_dropped)
	sends_as_another 1
	(($(vm_get web .stats.tx_dropped) > before))
	# past the process, under vhost-net: by the TAP, of which we are told
	before=$(vm_get db '.stats.drops.tx_drop_foreign // 0')
	sends_as_another 2
	(($(vm_get db .stats.drops.tx_drop_foreign) > before))
}

# No answer comes while the guest's address is not its own.
sends_as_another() {
	in_guest "$1" 'mac=$(cat /sys/class/net/eth0/address)
		ip link set eth0 address 02:00:00:00:00:99
		ping -c 2 -W 1 10.77.0.1 && answered=1
		ip link set eth0 address $mac
		[ "$answered" != 1 ]'
	wait_until 60 guest_ping "$1" 1
}

@test "random numbers and the host's clock reach the guest" {
	source=$(in_guest 1 cat \
		/sys/devices/system/clocksource/clocksource0/current_clocksource)
	[[ $source == kvm-clock || $source == tsc ]]
	now=$(date +%s)
	guest=$(in_guest 1 date +%s)
	((guest - now < 5 && now - guest < 5))
	[ "$MACHINE" = microvm ] || [ "$MACHINE" = q35 ] ||
		[ "$(in_guest 1 'head -c 64 /dev/hwrng | wc -c')" = 64 ]
}

@test "what a guest writes to its disk is what the image has" {
	# db has no file system: 16 MiB of its own making, read back outside
	sum=$(in_guest 2 'dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null
		dd if=/tmp/data of=/dev/vda bs=64k seek=16 conv=fsync 2>/dev/null
		sha256sum </tmp/data; rm /tmp/data')
	[ "$(dd if="$LAB/db.img" bs=1M skip=1 count=16 2>/dev/null |
		sha256sum)" = "$sum" ]
	# unaligned to everything but the sector, at the very end
	in_guest 2 'head -c 512 /dev/urandom >/tmp/last
		dd if=/tmp/last of=/dev/vda bs=512 seek=131071 conv=fsync 2>/dev/null
		echo 3 >/proc/sys/vm/drop_caches
		dd if=/dev/vda bs=512 skip=131071 2>/dev/null | cmp - /tmp/last'
	refute in_guest 2 'dd if=/tmp/last of=/dev/vda bs=512 seek=131072 \
		conv=fsync 2>/dev/null'
}

@test "discard gives the image's blocks back" {
	need_vmsup # QEMU's disks have to be asked for it
	used=$(stat -c %b "$LAB/db.img")
	in_guest 2 blkdiscard /dev/vda
	(($(stat -c %b "$LAB/db.img") < used))
	in_guest 2 'dd if=/dev/vda bs=1M skip=1 count=1 2>/dev/null |
		tr -d "\000" | wc -c' | grep -qx 0
}

@test "a disk at work doesn't stall the network" {
	in_guest 1 'dd if=/dev/zero of=/disk/big bs=1M count=24 2>/dev/null; sync' \
		3>&- &
	guest_ping 1 10
	wait $!
	in_guest 1 rm /disk/big
}

@test "an idle guest is healthy" {
	need_vmsup
	before=$(vm_get web .pid)
	sleep 12 # longer than the watchdog waits
	[ "$(vm_get web .pid)" = "$before" ]
	vm_is web '.state == "running" and .restarts == 0'
}

@test "a guest whose CPUs are all busy is healthy, and answers" {
	in_guest 2 'timeout 3 sh -c "while :; do :; done"' 3>&- &
	guest_ping 2
	[ "$MACHINE" != vmsup ] || vm_has db .state running
	wait $! || true
}

@test "pause stops the CPUs, resume lets them go on" {
	need_vmsup
	vmsup pause web
	vm_has web .state paused
	refute guest_ping 1 1
	guest_ping 2
	vmsup resume web
	wait_until 60 guest_ping 1 1
	guest_tcp send 1 1
	vm_is web '.restarts == 0'
}

@test "the console shows what was printed, and takes what is typed" {
	need_vmsup
	{
		sleep 1
		echo 'echo typed $((6 * 7))'
		sleep 2
	} | vmsup console db >"$LAB/typed"
	grep -q 'lab: ready' "$LAB/typed"
	grep -q 'typed 42' "$LAB/typed"
}

@test "the cage holds for guests as well" {
	need_vmsup
	vmsup sandbox web
	pid=$(vm_get web .pid)
	refute grep -q /dev/kvm <<<"$(ls -l "/proc/$pid/fd")"
	for task in "/proc/$pid/task/"*; do
		grep -q '^Seccomp:.*2' "$task/status"
		grep -q '^NoNewPrivs:.*1' "$task/status"
		grep -q '^CapEff:.*0000000000000000' "$task/status"
	done
	# a vCPU's and the disk's besides the loop
	(($(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l) >= 3))
}

@test "counters per device and queue, exits by kind" {
	need_vmsup
	for name in web db; do # in the process, and past it under vhost-net
		vm_is $name '.stats | .rx_frames > 0 and .tx_frames > 0'
		vmsup stats $name >"$LAB/stats"
		grep -qi exit "$LAB/stats"
		# one truth: what the process doesn't count, it doesn't tell
		refute grep -Eq '^net0\.0\.[rt]x_frames +0$' "$LAB/stats"
	done
	refute grep -Eq '^net0\.(0|vq[01])\.' "$LAB/stats"
	grep -q '^disk0\.vq0\.kicks ' "$LAB/stats"
}

@test "two CPUs work at once, and are interrupted each" {
	guest_run pair 3 --memory 96M --cpus 2
	guest_ready pair
	[ "$MACHINE" != vmsup ] || vm_is pair '.vcpus == 2'
	[ "$(in_guest 3 nproc)" = 2 ]
	# shellcheck disable=SC2016 # for the guest's shell
	in_guest 3 'for cpu in 0 1; do
			taskset $((cpu + 1)) sh -c "i=0; while [ \$i -lt 2000 ]; do
				i=\$((i + 1)); done; echo \$i" &
		done; wait' >"$LAB/out"
	[ "$(grep -c 2000 "$LAB/out")" = 2 ]
	# the timer's interrupts, on each
	in_guest 3 "awk '/LOC:/ { exit !(\$2 > 10 && \$3 > 10) }' /proc/interrupts"
	guest_tcp send 3 2
	guest_tcp get 3 2
}

@test "a TAP that is deleted ends its VM, which begins again on a new one" {
	need_vmsup
	local name
	for name in web db; do # vhost-net or not
		inside ip link delete "$(vm_get $name .tap)"
		wait_until 60 vm_is $name '.generation == 2 and
			.last_exit.detail == "exit 69: TAP deleted"'
	done
	guest_ready web db
	guest_tcp get 1 1
	guest_tcp get 2 1
	# each generation's own, and the sum of all
	[ "$(vm_get db '.stats.drops.tx_drop_foreign')" = null ]
	(($(vm_get db .total.drops.tx_drop_foreign) > 0))
	sends_as_another 2
	(($(vm_get db .stats.drops.tx_drop_foreign) > 0))
}
