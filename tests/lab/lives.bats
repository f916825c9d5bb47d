#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# How guests end and begin again: power-off, reboot, panic, triple fault, a
# power button, kill -9 in the middle of a write. All are started at once.

load guests

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	truncate -s 64M "$LAB/disk.img"
	mke2fs -q -t ext4 "$LAB/disk.img"
	guest_run off 1 --memory 96M --say lab.do=poweroff
	guest_run again 2 --memory 96M
	guest_run panics 3 --memory 96M --say panic=0
	guest_run faults 4 --memory 96M --say reboot=t
	guest_run button 5 --memory 96M
	guest_run writer 6 --memory 96M --disk "$LAB/disk.img" --say lab.mount
	guest_ready again panics faults button writer
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
}

# next_generation NAME: it has one, that runs, and serves.
next_generation() {
	wait_until 30 vm_is "$1" '.generation == 2 and .state == "running"'
	guest_prints "$1" 'lab: ready' 60
}

# last_exit NAME REASON: how it died.
last_exit() {
	[[ $(vm_get "$1" .last_exit.reason) == "$2" ]] || {
		vm_get "$1" .last_exit
		return 1
	}
}

# tell NUMBER COMMAND: the guest runs it, and has no time to say so.
tell() {
	timeout 2 bash -c "$(declare -f in_guest guest_ip inside)
		LAB_NETNS=$LAB_NETNS; in_guest $1 '$2'" || true
}

@test "a guest that powers off is stopped, and stays so" {
	wait_until 30 guest_gone off
	guest_printed off 'lab: ready' || [ "$MACHINE" = vmsup ]
	[ "$MACHINE" = vmsup ] || return 0
	last_exit off poweroff
	vm_is off '.generation == 1'
}

@test "a guest that reboots is its next generation" {
	tell 2 'reboot -f'
	need_vmsup
	next_generation again
	last_exit again reboot
	guest_ping 2
}

@test "a panic is a death with its own reason, and its last words are kept" {
	tell 3 'echo c >/proc/sysrq-trigger'
	wait_until 10 guest_printed panics 'Kernel panic' ||
		[ "$MACHINE" = vmsup ]
	need_vmsup
	next_generation panics
	last_exit panics panic
	vmsup logs panics --previous | grep -q 'Kernel panic'
}

@test "a triple fault is a death with its own reason" {
	tell 4 'reboot -f'
	[ "$MACHINE" = vmsup ] || wait_until 10 guest_gone faults
	need_vmsup
	next_generation faults
	last_exit faults crash
}

@test "stop presses the power button, and the guest obeys" {
	need_vmsup
	vmsup stop button
	vm_has button .state stopped
	last_exit button poweroff
	vmsup logs button | grep -q 'lab: power button' ||
		guest_printed button 'lab: power button'
}

@test "a file system survives kill -9 in the middle of a write" {
	sum=$(in_guest 6 'dd if=/dev/urandom of=/disk/kept bs=1M count=4 2>/dev/null
		sync; sha256sum </disk/kept')
	in_guest 6 'while :; do dd if=/dev/zero of=/disk/junk bs=64k count=64 \
		conv=fsync 2>/dev/null; done' 3>&- >/dev/null 2>&1 &
	writing=$!
	wait_until 10 junk_is_written
	kill -KILL "$(guest_pid writer)"
	kill "$writing" 2>/dev/null || true
	if [ "$MACHINE" = vmsup ]; then
		next_generation writer
		last_exit writer signal
	else
		sleep 1
		guest_run writer 6 --memory 96M --disk "$LAB/disk.img" \
			--say lab.mount
		guest_ready writer
	fi
	guest_printed writer 'lab: mounted: .*kept'
	[ "$(in_guest 6 'sha256sum </disk/kept')" = "$sum" ]
	wait "$writing" || true
	# and it is in order once the journal was replayed
	in_guest 6 'umount /disk && dd if=/dev/vda bs=1M 2>/dev/null | wc -c'
	e2fsck -fn "$LAB/disk.img"
}

junk_is_written() {
	in_guest 6 'test -s /disk/junk'
}

@test "a guest killed over and over comes back each time" {
	need_vmsup
	for _ in 1 2; do
		wait_until 30 vm_is again ".state == \"running\""
		old=$(vm_get again .generation)
		kill -KILL "$(vm_get again .pid)"
		wait_until 30 vm_is again ".generation == $((old + 1))"
	done
	guest_prints again 'lab: ready' 60
	guest_ping 2
}
