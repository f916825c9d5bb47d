#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A VM between READY and LOADED: its cage is closed, and its guest isn't there
# yet. What its supervisor's death or upgrade makes of it, and its own end.

load ../lib

setup() {
	lab_up
	lab_check
	lab_vmproc tests/cage/orphan
	echo 'defaults = { autostart = false; timeouts = { start = 60; }; };
		vms = ( { name = "vm0"; autostart = true; },
			{ name = "loads-alone"; }, { name = "loads-asked"; },
			{ name = "loads-late"; } );' \
		>"$LAB/conf"
	vmsup start -c "$LAB/conf"
}

teardown() {
	lab_down
}

# begins VM...: they are READY, and no more.
begins() {
	local vm
	vmsup start --no-wait "$@"
	for vm; do
		wait_until 20 logged "$vm" loading
		vm_is "$vm" '.state == "starting"'
	done
}

logged() {
	vmsup logs "$1" 2>/dev/null | grep -q -e "$2"
}

is_stopped() {
	[[ $(proc_field "$1" State) == T* ]]
}

# It has gone to sleep once more.
waits_again() {
	[[ $(proc_field "$1" State) == S* &&
		$(proc_field "$1" voluntary_ctxt_switches) -gt $2 ]]
}

# nudge PID: one that waits for that says LOADED, and waits for a message.
nudge() {
	local before
	kill -STOP "$1"
	wait_until 20 is_stopped "$1"
	before=$(proc_field "$1" voluntary_ctxt_switches)
	kill -CONT "$1"
	wait_until 20 waits_again "$1" "$before"
}

@test "LOADED makes it run" {
	begins loads-alone
	nudge "$(vm_get loads-alone .pid)"
	wait_until 20 vm_has loads-alone .state running
	vm_is loads-alone '.generation == 1 and .last_exit == null'
}

@test "its supervisor dies: it runs, whether LOADED was said by then or not" {
	local alone asked late
	begins loads-alone loads-asked loads-late
	alone=$(vm_get loads-alone .pid)
	asked=$(vm_get loads-asked .pid)
	late=$(vm_get loads-late .pid)
	crash
	nudge "$alone"
	vmsup start
	vm_is loads-alone ".state == \"running\" and .pid == $alone"
	vm_is loads-asked ".state == \"running\" and .pid == $asked"
	# one that answers says that its guest is there, and LOADED is once more
	wait_until 20 vm_is loads-late '.generation == 2 and .last_exit.detail ==
		"LOADED while running"'
	gone "$late"
	vmsup stop loads-alone loads-asked
	vm_is loads-alone '.state == "stopped" and .generation == 1'
}

@test "LOADED was heard by the supervisor that died" {
	local pid
	begins loads-alone
	pid=$(vm_get loads-alone .pid)
	nudge "$pid"
	wait_until 20 vm_has loads-alone .state running
	crash
	vmsup start
	vm_is loads-alone ".state == \"running\" and .pid == $pid"
}

@test "an upgrade: LOADED is heard by the next program" {
	local pid
	begins loads-alone
	pid=$(vm_get loads-alone .pid)
	vmsup upgrade
	vm_is loads-alone ".state == \"starting\" and .pid == $pid"
	nudge "$pid"
	wait_until 20 vm_has loads-alone .state running
	vm_is loads-alone ".pid == $pid and .generation == 1"
}

@test "it dies: its VM is started anew, and its guest has done nothing" {
	local pid
	begins loads-alone
	pid=$(vm_get loads-alone .pid)
	vmsup kill loads-alone
	wait_until 20 vm_has loads-alone .state running
	vm_is loads-alone '.generation == 2 and .restarts == 1 and
		.last_exit.detail == "SIGKILL"'
}
