#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Pings sent by VMs: what they say of the way.

load ../lib

setup_file() {
	lab_up
	lab_vmproc vmproc
	[[ -n $LAB_OBSTACLE ]] || vmsup start --vms 8
}

teardown_file() {
	lab_down
}

setup() {
	lab_check
}

# first_rtt FROM TO: the time of the first echo, in microseconds.
first_rtt() {
	vmsup ping "$1" "$2" -c 1 |
		sed -n 's/.* time=\([0-9]*\)\.\([0-9]*\) ms.*/\1\2/p'
}

@test "the first echo takes time too, where the neighbour must be asked for" {
	local from to time
	for from in vm0 vm1 vm2 vm3; do
		for to in vm4 vm5 vm6 vm7; do
			time=$(first_rtt $from $to)
			echo "$from $to: $time us"
			((10#$time > 0))
		done
	done
}
