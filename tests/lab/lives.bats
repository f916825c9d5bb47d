#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# How guests end and begin again: power-off, reboot, panic, triple fault, a
# power button, kill -9 in the middle of a write; and how they go on while the
# supervisor is replaced. Real kernels, and some of a few bytes (tiny.bash).
# What the guest is to expand stands in single quotes.
# shellcheck disable=SC2016

load guests
load tiny

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	truncate -s 64M "$LAB/disk.img"
	mke2fs -q -t ext4 "$LAB/disk.img"
	# one after another: an emulated L1 has no CPU for each
	guest_run off 1 --memory 96M --say lab.do=poweroff
	serves off
	guest_run again 2 --memory 96M
	serves again
	guest_run panics 3 --memory 96M
	serves panics
	guest_run writer 4 --memory 96M --disk "$LAB/disk.img" --say lab.mount
	serves writer
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
}

# Looks once a second: in L1, looking takes the guests' time. Limits are for an L1
# on a busy machine; they only cost time where something is wrong.
await() {
	local second limit=$1
	shift
	for ((second = 0; second < limit; second++)); do
		! "$@" || return 0
		sleep 1
	done
	echo "still not, after $limit s: $*"
	vmsup status || true
	return 1
}

# serves NAME...: until each does.
serves() {
	local name
	for name; do
		guest_prints "$name" 'lab: ready' 240
	done
}

# next_generation NAME NUMBER: it has that one, which runs, and serves.
next_generation() {
	await 120 vm_is "$1" ".generation == $2 and .state == \"running\""
	serves "$1"
}

# last_exit NAME REASON DETAIL: how it died.
last_exit() {
	local exit
	exit=$(vm_get "$1" '.last_exit | "\(.reason): \(.detail)"')
	[[ $exit == "$2: "*"$3"* ]] || {
		echo "$exit"
		return 1
	}
}

# told NUMBER COMMAND: the guest has taken the command, and does it in a second.
told() {
	in_guest "$1" "(sleep 1; $2) >/dev/null 2>&1 &"
}

# away NAME: stopped, without the time that a guest is given.
away() {
	vmsup stop --no-wait "$1"
	vmsup kill "$1"
	await 90 vm_has "$1" .state stopped
}

# run_tiny NAME WHAT [OPTION...]: see tiny.bash.
run_tiny() {
	tiny_kernel "$LAB/$2" "$2"
	vmsup run "$1" --kernel "$LAB/$2" --memory 32M "${@:3}"
}

@test "a guest that powers off is stopped, and stays so" {
	await 240 guest_gone off
	[ "$MACHINE" = vmsup ] || return 0
	last_exit off poweroff "exit 80"
	vm_is off '.generation == 1 and .restarts == 0 and .wanted == "down"'
	guest_printed off 'lab: ready'
	# and is there again when somebody wants it
	vmsup start off
	vm_is off '.generation == 2'
	await 240 guest_gone off
}

@test "a guest that reboots is its next generation" {
	told 2 'reboot -f'
	need_vmsup
	next_generation again 2
	last_exit again reboot "exit 81"
	guest_ping 2
}

@test "a panic is a death with its own reason, and its last words are kept" {
	told 3 'echo c >/proc/sysrq-trigger'
	[ "$MACHINE" = vmsup ] || await 90 guest_printed panics 'Kernel panic'
	need_vmsup
	next_generation panics 2
	last_exit panics panic "exit 82"
	vmsup logs panics --previous >"$LAB/words"
	grep -q 'lab: ready' "$LAB/words"
	grep -q 'Kernel panic' "$LAB/words"
	refute guest_printed panics 'Kernel panic'
}

@test "a triple fault is a death with its own reason; a crash loop ends" {
	need_vmsup
	run_tiny faults faults --no-wait
	await 90 vm_has faults .state failed
	last_exit faults crash "exit 83"
	vm_is faults '.generation == 5 and .restarts == 4'
	vmsup logs faults --previous | grep -q 'tiny: faults'
	vmsup logs faults | grep -q 'triple fault'
	vmsup_background events --past >"$LAB/events"
	await 90 told_crashes 5
	kill "$BACKGROUND"
}

told_crashes() {
	[[ $(grep -c 'faults.*guest-crash' "$LAB/events") == "$1" ]]
}

@test "an error of KVM's is one as well, with another detail" {
	need_vmsup
	run_tiny astray astray --no-wait
	await 90 vm_has astray .state failed
	last_exit astray crash "exit 84"
	vmsup logs astray --previous | grep -q 'tiny: astray'
	vmsup logs astray | grep -q 'KVM internal error'
}

@test "an INIT to the first processor is a reboot, as on a PC" {
	need_vmsup
	run_tiny inits inits --no-wait
	await 90 vm_is inits '.generation > 1'
	vmsup stop inits
	last_exit inits reboot "exit 81"
	vmsup logs inits --previous | grep -q 'tiny: inits'
}

@test "stop presses the power button, and the guest obeys" {
	need_vmsup
	# one that stands still can't: it is let go on for that
	vmsup pause panics
	vm_has panics .state paused
	vmsup stop panics
	vm_has panics .state stopped
	last_exit panics poweroff "exit 80"
	guest_printed panics 'lab: power button'
}

@test "a guest that ignores its power button is ended by the next rung" {
	need_vmsup
	run_tiny deaf deaf
	await 90 guest_printed deaf 'tiny: deaf'
	local before=$SECONDS
	vmsup stop deaf
	((SECONDS - before >= 29)) # stop_guest
	last_exit deaf signal SIGTERM
	vm_is deaf '.generation == 1 and .restarts == 0'
}

@test "a process that stands still is the watchdog's, its guest is not" {
	need_vmsup
	vmsup start deaf
	# its guest does nothing at all
	sleep 12 # longer than the watchdog waits
	vm_is deaf '.generation == 2 and .state == "running" and .restarts == 0'
	vmsup kill deaf --signal STOP
	await 90 vm_is deaf '.generation == 3 and .state == "running"'
	last_exit deaf watchdog heartbeat
	away deaf
}

@test "a guest that never leaves its CPU is paused, resumed, killed" {
	need_vmsup
	run_tiny spins spins
	await 90 guest_printed spins 'tiny: spins'
	vmsup pause spins
	vm_has spins .state paused
	vmsup resume spins
	vm_has spins .state running
	away spins
	vm_is spins '.generation == 1 and .restarts == 0'
}

@test "pause stops a guest, resume lets it go on" {
	need_vmsup
	vmsup pause again
	vm_has again .state paused
	refute guest_ping 2 1
	vmsup resume again
	vm_has again .state running
	guest_ping 2
	vm_is again '.generation == 2 and .restarts == 1'
}

# attach NAME: to its console; what it shows is in $LAB/shown. Keys go to 9.
attach() {
	mkfifo "$LAB/keys"
	exec 9<>"$LAB/keys"
	rm "$LAB/keys"
	: >"$LAB/shown"
	vmsup console "$1" <&9 >"$LAB/shown" 2>"$LAB/said" 9>&- &
	ATTACHED=$!
}

shows() {
	grep -q -- "$1" "$LAB/shown"
}

@test "console shows what was printed before, takes keys, and ^] detaches" {
	need_vmsup
	attach again
	await 90 shows 'lab: ready'
	# of both its lives
	shows '\[generation 2\]'
	[ "$(grep -c 'lab: ready' "$LAB/shown")" = 2 ]
	printf '\recho typed $((6 * 7))\r' >&9
	await 90 shows 'typed 42'
	kill -0 $ATTACHED
	printf 'echo not\035echo this\r' >&9
	wait $ATTACHED
	exec 9>&-
	refute shows 'echo this'
	vm_is again '.state == "running" and .generation == 2'
	guest_ping 2
}

@test "console on a terminal: ^C is the guest's, ^] detaches" {
	need_vmsup
	mkfifo "$LAB/keys"
	exec 9<>"$LAB/keys"
	rm "$LAB/keys"
	script -qefc "nsenter --net=/run/netns/$LAB_NETNS '$LAB/bin/vmsup' console again" \
		"$LAB/shown" <&9 >/dev/null 2>&1 3>&- 4>&- 9>&- &
	local terminal=$!
	await 90 shows 'Ctrl-\] detaches'
	await 90 shows 'typed 42'
	printf '\025sleep 1000\r' >&9
	await 90 in_guest 2 'pidof sleep'
	printf '\003' >&9
	await 90 refute in_guest 2 'pidof sleep'
	kill -0 $terminal
	printf '\035' >&9
	wait $terminal
	exec 9>&-
}

@test "a file system survives kill -9 in the middle of a write" {
	sum=$(in_guest 4 'dd if=/dev/urandom of=/disk/kept bs=1M count=4 2>/dev/null
		sync; sha256sum </disk/kept')
	in_guest 4 'while :; do dd if=/dev/zero of=/disk/junk bs=64k count=64 \
		conv=fsync 2>/dev/null; done >/dev/null 2>&1 &'
	await 90 in_guest 4 'test -s /disk/junk'
	kill -KILL "$(guest_pid writer)"
	if [ "$MACHINE" = vmsup ]; then
		next_generation writer 2
		last_exit writer signal SIGKILL
	else
		sleep 1
		guest_run writer 4 --memory 96M --disk "$LAB/disk.img" \
			--say lab.mount
		serves writer
	fi
	guest_printed writer 'lab: mounted: .*kept'
	[ "$(in_guest 4 'sha256sum </disk/kept')" = "$sum" ]
}

# write_locked FILE: somebody has it, to write.
write_locked() {
	grep -q "OFDLCK.* WRITE .*:$(stat -c %i "$1") " /proc/locks
}

@test "an upgrade, and kill -9 of the supervisor: guests go on, and are adopted" {
	need_vmsup
	local pid supervisor pinging
	# a start says who can't run, and these can't
	vmsup stop faults astray
	pid=$(guest_pid writer)
	vmsup pause again
	nsenter --net="/run/netns/$LAB_NETNS" ping -q -i 0.2 "$(guest_ip 4)" \
		>"$LAB/pings" 3>&- 4>&- &
	pinging=$!
	attach writer
	await 90 shows 'lab: ready'

	vmsup upgrade
	vm_is writer ".pid == $pid and .generation == 2 and .state == \"running\""
	in_guest 4 'echo lab: upgraded >/dev/console'
	await 90 shows 'lab: upgraded'
	vm_has again .state paused

	supervisor=$(supervisor_pid)
	kill -KILL "$supervisor"
	refute wait $ATTACHED
	grep -q "the supervisor hung up" "$LAB/said"
	exec 9>&-
	write_locked "$LAB/disk.img"
	in_guest 4 'echo lab: alone >/dev/console'
	run vmsup start
	echo "$output"
	[ "$status" = 0 ]
	vm_is writer ".pid == $pid and .generation == 2 and .state == \"running\" and
		.restarts == 1"
	vm_has again .state paused
	# the console goes on with what was said meanwhile
	await 90 guest_printed writer 'lab: alone'
	attach writer
	await 90 shows 'lab: alone'
	in_guest 4 'echo lab: adopted >/dev/console'
	await 90 shows 'lab: adopted'
	printf 'echo key $((6 * 7))\r\035' >&9
	wait $ATTACHED
	exec 9>&-
	await 90 guest_printed writer 'key 42'
	# the disk is still its own
	write_locked "$LAB/disk.img"
	run vmsup run thief --kernel "$LAB_KERNEL" --disk "$LAB/disk.img"
	[ "$status" = 1 ]
	[[ $output == *"in use"* ]]
	in_guest 4 'cat /disk/kept >/disk/copy && sync && cmp /disk/kept /disk/copy'
	# and not one ping was lost, but for the one that is under way
	kill -INT $pinging
	wait $pinging
	cat "$LAB/pings"
	read -r sent received < <(sed -n \
		's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' \
		"$LAB/pings")
	((sent >= 10 && sent - received <= 1))
	vmsup resume again
	await 90 guest_ping 2 1
	vm_is again '.generation == 2'
}

@test "an adopted guest ends, and begins again, like any other" {
	need_vmsup
	told 2 'reboot -f'
	next_generation again 3
	last_exit again reboot ""
	in_guest 4 umount /disk
	vmsup stop writer
	last_exit writer poweroff ""
	vm_is writer .last_exit.asked
	guest_printed writer 'lab: power button'
	e2fsck -fn "$LAB/disk.img"
}

@test "a guest killed over and over comes back each time" {
	need_vmsup
	for _ in 1 2; do
		await 90 vm_has again .state running
		old=$(vm_get again .generation)
		kill -KILL "$(vm_get again .pid)"
		await 90 vm_is again ".generation == $((old + 1))"
	done
	next_generation again 5
	guest_ping 2
}
