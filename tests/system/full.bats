#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The run directory's file system is full: what can't be saved is said, by the
# command that asked for it, and saved as soon as there is room.

load ../lib

# In a mount namespace with a run directory of so many KiB of its own.
RUN_KIB=192

setup() {
	lab_up
	lab_check
	need unshare
	lab_vmproc vmproc
	mkdir "$LAB/run"
	chmod 0755 "$LAB/run"
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m sh -c 'mount -t tmpfs -o mode=0755,size="$1"k run "$2" &&
		echo ready >"$3" && exec sleep infinity' - \
		$RUN_KIB "$LAB/run" "$LAB/ready" 3>&- 4>&- &
	HOLDER=$!
	wait_until 20 test -s "$LAB/ready"
}

teardown() {
	[[ -z $LAB_OBSTACLE ]] || return 0
	vmsup stop || true
	kill "$HOLDER"
	wait "$HOLDER" || true
	lab_down
}

inside() {
	nsenter --mount="/proc/$HOLDER/ns/mnt" \
		--net="/run/netns/$LAB_NETNS" -- "$@"
}

fill() {
	inside sh -c "cat /dev/zero >'$LAB/run/filling'" 2>/dev/null || true
}

make_room() {
	inside rm "$LAB/run/filling"
}

# The document of a VM.
document() {
	inside cat "$LAB/run/state/vm-$1.json"
}

unsaved() {
	vmsup status --json | jq -e '.supervisor.state_error |
		contains("No space left")' >/dev/null
}

saved() {
	vmsup status --json | jq -e '.supervisor.state_error == null' >/dev/null
}

@test "run: fails with the reason and the remedy, and leaves nothing" {
	local links files
	vmsup start --vms 1
	links=$(inside ip -o link | wc -l)
	files=$(inside ls "$LAB/run/state")
	fill
	fails_with 1 vmsup run web
	[[ $output == *"cannot keep the state of web"*"No space left"*room* ]]
	fails_with 4 vmsup status web
	[[ $(inside ip -o link | wc -l) == "$links" ]]
	[[ $(inside ls "$LAB/run/state") == "$files" ]]
	make_room
	vmsup run web
	crash
	vmsup start
	vm_is web '.state == "running" and .generation == 1'
}

@test "a VM that dies comes back, and its state is saved once there is room" {
	local pid
	vmsup start --vms 1
	fill
	kill -KILL "$(vm_get vm0 .pid)"
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 2'
	unsaved
	run vmsup status
	[[ $status == 0 && $output == *"can't be kept"*"No space left"* ]]
	# each time anew is too often
	[[ $(past_events | jq -s 'map(select(.event == "unsaved")) | length') \
		== 1 ]]
	[[ $(document vm0 | jq .vm.generation) == 1 ]]
	make_room
	wait_until 20 saved
	pid=$(vm_get vm0 .pid)
	document vm0 | jq -e ".vm.generation == 2 and .vm.process.pid == $pid"
	crash
	vmsup start
	vm_is vm0 ".state == \"running\" and .pid == $pid"
}

@test "a command that a crash would take back fails, and is carried out" {
	vmsup start --vms 2
	fill
	fails_with 1 vmsup stop vm0
	[[ $output == *"the state of vm0 can't be kept"*"No space left"* ]]
	wait_until 20 vm_is vm0 '.state == "stopped"'
	make_room
	wait_until 20 saved
	vmsup start vm0
	vmsup stop vm0
	crash
	vmsup start
	vm_is vm0 '.state == "stopped"'
	vm_is vm1 '.state == "running" and .generation == 1'
}

@test "detach: refused, for the next supervisor would find old documents" {
	local pid
	vmsup start --vms 1
	pid=$(supervisor_pid)
	fill
	fails_with 1 vmsup detach
	[[ $output == *"not detached"*"No space left"* ]]
	[[ $(supervisor_pid) == "$pid" ]]
	vm_is vm0 '.state == "running"'
	make_room
	vmsup detach
	vmsup start
	vm_is vm0 '.state == "running" and .generation == 1'
}

@test "an upgrade forgets nothing that is to be saved" {
	vmsup start --vms 1
	fill
	kill -KILL "$(vm_get vm0 .pid)"
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 2'
	vmsup upgrade
	unsaved
	make_room
	wait_until 20 saved
	document vm0 | jq -e '.vm.generation == 2'
}

@test "stop: of all, even so" {
	vmsup start --vms 2
	fill
	vmsup stop
	fails_with 3 vmsup status
}

@test "start: fails with the reason" {
	fill
	run vmsup start --vms 3
	[[ $status == 1 && $output == *"No space left"* ]]
	make_room
	vmsup start --vms 3
}
