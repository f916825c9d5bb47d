#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A VM process that takes the notifications of its own refused calls: the
# supervisor waits for none that isn't there. See hostile/listener.c.

load ../lib
load machine

setup() {
	lab_up
	[[ -n $LAB_OBSTACLE ]] || LAB_OBSTACLE=$(machine_obstacle)
	lab_check
	lab_vmproc tests/cage/hostile
	machine_kernel "$LAB/kernel"
	cat >"$LAB/conf" <<-EOF
		defaults = { guest = "kvm"; kernel = "kernel";
			restart = { enabled = false; }; };
		vms = ( { name = "kvm-thief"; },
			{ name = "ok"; guest = "builtin"; } );
	EOF
}

teardown() {
	lab_down
}

@test "whoever keeps a copy of its listener can't take a notification by it" {
	vmsup start -c "$LAB/conf"
	run vmsup pause kvm-thief # it may be dead before it is paused
	wait_until 20 vm_is kvm-thief '.state == "stopped"'
	vm_is kvm-thief '.last_exit.reason == "seccomp"'
	vm_is kvm-thief '.last_exit.detail | test("^SIGSYS (ioctl|getppid)$")'
	refute grep stolen "$LAB/run/supervisor.log"
	vm_is ok '.state == "running" and .generation == 1'
}
