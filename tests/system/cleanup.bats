#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Nothing is left behind: after stop, after a start that failed or was
# interrupted at any moment, after signals to the supervisor.

load ../lib

setup() {
	lab_up
	lab_check
	lab_vmproc vmproc
}

teardown() {
	lab_down
}

# What no lab_remains can see: mounts of the host.
host_picture() {
	cut -d' ' -f5- /proc/self/mountinfo | grep -v nsfs
	lab_cgroups
}

taps() {
	[ "$(inside ip -o link show | grep -c vmtap)" -ge "$1" ]
}

@test "stop leaves nothing of 100 VMs, killed, paused or failed ones included" {
	vmsup start --vms 100
	cgroups=$(lab_cgroups)
	vmsup pause vm1 vm2
	vmsup stop vm3
	vmsup kill vm4 vm5
	vmsup stop
	nothing_left
	for group in $cgroups; do
		[ ! -e "$group" ]
	done
	refute grep -q "$LAB" /proc/self/mounts
}

@test "Ctrl-C in the middle of a start of 500 undoes it" {
	# one that never gets ready: the start isn't over before, on any machine
	lab_vmproc tests/cage/hostile
	echo 'vms = ( { name = "silence-early"; } );' >"$LAB/conf"
	for many in 1 50 200; do
		# bash makes background commands deaf to SIGINT
		setsid env --default-signal=INT nsenter --net="/run/netns/$LAB_NETNS" -- \
			"$LAB/bin/vmsup" start -c "$LAB/conf" --vms 499 \
			3>&- 4>&- 2>"$LAB/said" &
		wait_until 60 taps $many
		# as the terminal sends it: to the command's process group
		pid=$(pgrep -f "^$LAB/bin/vmsup start" | head -n 1)
		kill -INT -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
		wait_until 60 lab_is_empty
		nothing_left
		grep -q 'interrupted' "$LAB/said"
	done
}

@test "Ctrl-C while the supervisor doesn't answer isn't lost" {
	lab_vmproc tests/cage/hostile
	echo 'vms = ( { name = "silence-early"; } );' >"$LAB/conf"
	env --default-signal=INT nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" start -c "$LAB/conf" 3>&- 4>&- 2>"$LAB/said" &
	command=$!
	wait_until 20 vm_has silence-early .state starting
	supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	wait_until 20 asked
	kill -INT "$command"
	wait_until 20 has_taken_it
	kill -CONT "$supervisor"
	wait_until 60 lab_is_empty
	nothing_left
	grep -q 'interrupted' "$LAB/said"
}

# The command has connected once more, and waits.
asked() {
	[[ $(inside ss -xlH | awk '$3 > 0') ]]
}

# The signal is pending no more: it got through the wait.
has_taken_it() {
	((0x$(proc_field "$command" ShdPnd) & 2)) && return 1
	return 0
}

@test "a start whose command is killed is undone as well" {
	vmsup_background start --vms 300
	wait_until 20 taps 20
	kill -9 "$BACKGROUND"
	wait_until 60 lab_is_empty
	nothing_left
}

@test "SIGTERM to the supervisor is a stop" {
	vmsup start --vms 20
	kill -TERM "$(supervisor_pid)"
	wait_until 60 lab_is_empty
	nothing_left
}

@test "in the foreground it logs to the terminal, and Ctrl-C ends it" {
	setsid nsenter --net="/run/netns/$LAB_NETNS" -- "$LAB/bin/vmsup" \
		start --foreground --vms 3 3>&- 4>&- 2>"$LAB/said" &
	wait_until 20 all_run 3
	pid=$(supervisor_pid)
	kill -INT "$pid"
	wait_until 60 lab_is_empty
	nothing_left
	grep -q 'vm2: generation 1 runs' "$LAB/said"
}

all_run() {
	[ "$(vmsup status --json 2>/dev/null |
		jq '[.vms[] | select(.state == "running")] | length')" = "$1" ]
}

@test "a start that fails in its middle is undone" {
	vmsup_background start --vms 500 2>"$LAB/said"
	wait_until 20 taps 20
	# held for a moment, in which somebody takes the last TAP's name
	pid=$(pgrep -f "^$LAB/bin/vmsup start" | tail -n 1)
	kill -STOP "$pid"
	inside ip link add vmtap499 type veth peer name peer499
	kill -CONT "$pid"
	wait "$BACKGROUND" && code=0 || code=$?
	[ "$code" = 1 ]
	grep -q vmtap499 "$LAB/said"
	[ "$(wc -l <"$LAB/said")" = 1 ]
	inside ip link del vmtap499
	nothing_left
}

@test "ten starts and stops in a row leave the host as it was" {
	host_picture >"$LAB/before"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		vmsup start --vms 5
		vmsup stop
	done
	nothing_left
	host_picture >"$LAB/after"
	diff "$LAB/before" "$LAB/after"
}
