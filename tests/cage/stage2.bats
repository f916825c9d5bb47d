#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Stage 2 from inside: every call outside the filter's list ends the process,
# unexecuted, and is named.

load ../lib

setup_file() {
	lab_up
	lab_vmproc tests/cage/probe
	[[ -z $LAB_OBSTACLE ]] || return 0
	"$BUILD/tests/cage/probe" --calls >"$LAB/calls"
	{
		echo 'defaults = { restart = { enabled = false; }; };'
		echo 'vms = ('
		awk '{
			printf "{ name = \"%s\"; autostart = false; },\n", $1
		}' "$LAB/calls"
		echo '{ name = "ok"; } );'
	} >"$LAB/conf"
	vmsup start -c "$LAB/conf"
	vmsup_background events --past --json >"$LAB/events"
	echo "$BACKGROUND" >"$LAB/listener"
	wait_until 20 test -s "$LAB/events"
	awk '{ print $1 }' "$LAB/calls" | xargs "$LAB/bin/vmsup" start --no-wait
	wait_until 20 all_are \
		'.name == "ok" or (.state == "stopped" and .generation == 1)'
	vmsup status --json >"$LAB/status"
}

setup() {
	lab_check
}

teardown_file() {
	[[ -n $LAB_OBSTACLE ]] || kill "$(cat "$LAB/listener")"
	lab_down
}

# The calls whose way of dying the supervisor sees by their name.
named() {
	awk 'NF == 2' "$LAB/calls"
}

last_exit() {
	jq -r --arg vm "$1" '.vms[] | select(.name == $vm).last_exit |
		"\(.reason): \(.detail)"' "$LAB/status"
}

@test "a blocked call is the VM's last exit, by name" {
	local vm call found bad=0 count=0
	while read -r vm call; do
		found=$(last_exit "$vm")
		count=$((count + 1))
		[[ $found == "seccomp: SIGSYS $call" ]] || {
			echo "$vm: $found"
			bad=1
		}
	done < <(named)
	((count > 90))
	((bad == 0))
}

@test "a blocked call is an event, by name" {
	named | sed 's/ / SIGSYS /' | sort >"$LAB/wanted"
	jq -r 'select(.event == "died") | "\(.vm) \(.detail)"' "$LAB/events" |
		grep -Ev '^(x32|int80) ' | sort >"$LAB/found"
	diff "$LAB/wanted" "$LAB/found"
}

@test "a blocked call is in the table of vmsup status" {
	vmsup status openat execve | tee "$LAB/table"
	grep -q 'openat.*SIGSYS openat' "$LAB/table"
	grep -q 'execve.*SIGSYS execve' "$LAB/table"
}

@test "a blocked call is never executed" {
	refute grep EXECUTED "$LAB/run/supervisor.log"
	grep -q 'blocked: openat(' "$LAB/run/supervisor.log"
}

@test "a blocked call is logged with its arguments" {
	vmsup logs kill-all | grep -F 'blocked: kill(0xffffffffffffffff, 0x9'
}

@test "calls of the x32 ABI end the process" {
	[[ $(last_exit x32) == "signal: SIGSYS" ]]
}

@test "calls of 32-bit programs (int 0x80) end the process" {
	[[ $(last_exit int80) != "signal: SIGSEGV" ]] ||
		cannot "this kernel has no 32-bit calls"
	[[ $(last_exit int80) == "signal: SIGSYS" ]]
}

@test "the calls of a well-behaved VM are allowed" {
	vm_is ok '.state == "running" and .generation == 1'
	vmsup pause ok
	vm_is ok '.state == "paused"'
	vmsup resume ok
	vm_is ok '.state == "running" and .generation == 1'
}

@test "the VMs beside it never notice" {
	vm_is ok '.generation == 1 and .restarts == 0 and .last_exit == null'
}
