#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What bounds a VM on any host: which of processes ends first without memory,
# and what is refused where the kernel can't bound what the configuration says.
# What cgroups bound is tried in the lab: tests/lab/bounds.bats.

load ../lib

setup() {
	lab_up
	lab_vmproc vmproc
	lab_check
}

teardown() {
	lab_down
}

# Whether every group of VMs here has that controller.
offers() {
	local mount
	mount=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	[[ -n $mount ]] && grep -qw "$1" "$mount/cgroup.controllers"
}

@test "without memory, the host ends a VM's process before the supervisor" {
	local own vm
	vmsup start --vms 2
	own=$(<"/proc/$(supervisor_pid)/oom_score_adj")
	for vm in vm0 vm1; do
		[[ $(<"/proc/$(vm_get $vm .pid)/oom_score_adj") == \
			$((own + 300)) ]]
	done
	vmsup sandbox --json vm0 | jq -e '.checks[] |
		select(.check == "oom_score_adj") | .ok' >/dev/null
	# whoever comes back has no other score
	vmsup kill vm0
	wait_until 10 vm_is vm0 '.generation == 2 and .state == "running"'
	[[ $(<"/proc/$(vm_get vm0 .pid)/oom_score_adj") == $((own + 300)) ]]
}

@test "without memory, also below a supervisor with a score of its own" {
	# by a shell, whose score the supervisor inherits
	# shellcheck disable=SC2016 # expanded by the inner shell
	nsenter --net="/run/netns/$LAB_NETNS" -- sh -c '
		echo 850 >/proc/self/oom_score_adj
		exec "$0" start --vms 1' "$LAB/bin/vmsup" 3>&- 4>&-
	[[ $(<"/proc/$(supervisor_pid)/oom_score_adj") == 850 ]]
	[[ $(<"/proc/$(vm_get vm0 .pid)/oom_score_adj") == 1000 ]]
}

@test "a limit that the configuration names refuses where it can't hold" {
	! offers cpu || cannot "this host bounds CPU time"
	cat >"$LAB/conf" <<-EOF
		vms = ( { name = "a"; limits = { cpu_weight = 50; }; },
			{ name = "b"; } );
	EOF
	fails_with 1 vmsup start -c "$LAB/conf"
	[[ $output == *"cannot make the cgroup of a:"*"cgroup v2"* ]]
	vm_is b '.state == "running"'
}

@test "core scheduling is refused with a word where the kernel has none" {
	if vmsup check | grep -q '^SMT.*core_scheduling'; then
		cannot "this host has core scheduling"
	fi
	cat >"$LAB/conf" <<-EOF
		vms = ( { name = "a"; core_scheduling = true; } );
	EOF
	run vmsup start -c "$LAB/conf"
	# a kernel that has it, on a host without SMT, shares no core anyway
	if [[ $status == 0 ]]; then
		[[ $(</sys/devices/system/cpu/smt/active) == 0 ]]
		vm_is a '.state == "running"'
		return
	fi
	[[ $output == *"core_scheduling: this kernel has none (Linux 5.14"* ]]
	vm_is a '.state == "failed" and .generation == 1'
}

@test "check: cgroups by controller, SMT, mitigations, KSM" {
	local row
	vmsup check >"$LAB/check" || true
	for row in 'cgroup v2' SMT mitigations KSM; do
		grep "^$row " "$LAB/check"
	done
	offers pids || grep '^cgroup v2 .*pids' "$LAB/check"
}
