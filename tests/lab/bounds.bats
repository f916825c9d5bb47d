#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What a VM may use up of its host, where the host can bound it: memory, threads
# and processor time, by cgroup v2. Who takes more dies alone, and why is told.
# What the guest is to expand stands in single quotes.
# shellcheck disable=SC2016

load guests
load ../cage/machine

GROUPS_DIR=/sys/fs/cgroup

setup_file() {
	guests_up --vms 2
	[[ -z $LAB_OBSTACLE ]] || return 0
	[[ $MACHINE == vmsup ]] || {
		LAB_OBSTACLE="$MACHINE has no cgroup"
		return
	}
	grep -qw memory $GROUPS_DIR/cgroup.controllers || {
		LAB_OBSTACLE="the lab's kernel bounds no memory"
		return
	}
	guest_run full 1 --memory 96M
	guest_ready full
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
}

teardown() {
	[[ ! -S $LAB/gluttons/run/control.sock ]] || glutton stop
}

# of NAME FILE: what the cgroup of a VM says.
of() {
	cat $GROUPS_DIR/vmsup-*/"$1"/"$2"
}

# oom_kills NAME
oom_kills() {
	of "$1" memory.events | sed -n 's/^oom_kill //p'
}

# gluttons CONFIG-LINE...: another instance, whose VM processes are gluttons.
gluttons() {
	if [[ ! -d $LAB/gluttons ]]; then
		mkdir "$LAB/gluttons"
		cp "$BUILD/vmsup" "$LAB/gluttons/vmsup"
		cp "$BUILD/tests/cage/glutton" "$LAB/gluttons/vmproc"
	fi
	printf '%s\n' 'bridge = { name = "gl0"; address = "10.79.0.1/16"; };' \
		'tap_prefix = "glt";' "$@" >"$LAB/gluttons.conf"
	glutton start -c "$LAB/gluttons.conf"
}

glutton() {
	inside "$LAB/gluttons/vmsup" --run-dir "$LAB/gluttons/run" "$@" \
		3>&- 4>&-
}

glutton_is() {
	glutton status --json "$1" | jq -e ".vms[0] | $2" >/dev/null
}

# glutton_ended NAME REASON DETAIL: its last exit.
glutton_ended() {
	local exit
	exit=$(glutton status --json "$1" |
		jq -r '.vms[0].last_exit | "\(.reason): \(.detail)"')
	[[ $exit == "$2: $3" ]] || {
		echo "$exit"
		return 1
	}
}

@test "bounds by default: of each kind of guest" {
	[[ $(of vm0 memory.max) == $((8 << 20)) ]]
	[[ $(of vm0 pids.max) == 2 ]]
	[[ $(of vm0 cpu.weight) == 100 ]]
	[[ $(of vm0 memory.oom.group) == 1 ]]
	[[ $(of full memory.max) -gt $((96 << 20)) ]]
	[[ $(of full memory.max) -lt $((144 << 20)) ]]
	[[ $(of full memory.oom.group) == 1 ]]
	# its threads, and what the kernel makes in its name
	[[ $(of full pids.current) -lt $(of full pids.max) ]]
}

@test "bounds: vmsup sandbox reads them, and says where they are others" {
	local was
	vmsup sandbox vm0
	vmsup sandbox full
	vmsup sandbox --json full | jq -e '[.checks[].check] |
		contains(["memory.max", "memory.oom.group", "pids.max",
			"cpu.weight", "oom_score_adj"])' >/dev/null
	was=$(of vm0 memory.max)
	echo max >"$(echo $GROUPS_DIR/vmsup-*/vm0/memory.max)"
	fails_with 1 vmsup sandbox vm0
	vmsup sandbox --json vm0 >"$LAB/proof" 2>/dev/null || true
	echo "$was" >"$(echo $GROUPS_DIR/vmsup-*/vm0/memory.max)"
	[[ $(jq -r '.checks[] | select(.ok | not) | .check' "$LAB/proof") == \
		memory.max ]]
}

@test "a guest that uses all of its memory is within its bound" {
	local peak max
	in_guest 1 'mkdir -p /fill; mount -t tmpfs -o size=100% none /fill
		dd if=/dev/urandom of=/fill/x bs=1M count=1024 2>/dev/null
		rm /fill/x; umount /fill' || true
	guest_ping 1
	peak=$(of full memory.peak)
	max=$(of full memory.max)
	echo "# a full guest of 96 MiB: $((peak >> 10)) of $((max >> 10)) KiB" >&3
	[[ $peak -lt $max ]]
	[[ $(oom_kills full) == 0 ]]
	vm_is full '.generation == 1 and .state == "running"'
}

@test "a builtin guest under a flood of large pings is far from its bound" {
	local peak
	inside ping -q -f -s 65000 -c 200 "$(vm_get vm0 .ipv4)" >/dev/null
	peak=$(of vm0 memory.peak)
	echo "# a builtin guest: $((peak >> 10)) of 8192 KiB" >&3
	[[ $peak -lt $((4 << 20)) ]]
}

@test "who fills memory dies alone, out of memory" {
	local supervisor
	gluttons 'vms = ( { name = "hog"; }, { name = "calm"; } );'
	supervisor=$(glutton status --json | jq .supervisor.pid)
	wait_until 60 glutton_is hog '.generation == 2 and .state == "running"'
	glutton_ended hog out-of-memory \
		"out of memory: over its 8 MiB (raise limits.memory)"
	glutton_is calm '.generation == 1 and .restarts == 0'
	[[ $(oom_kills calm) == 0 ]]
	[[ $(glutton status --json | jq .supervisor.pid) == "$supervisor" ]]
	# a death of another kind afterwards is what it is
	glutton kill hog
	wait_until 60 glutton_is hog '.generation == 3 and .state == "running"'
	glutton_ended hog signal SIGKILL
	# so it is after an upgrade, which has seen none of that
	glutton upgrade
	glutton kill hog
	wait_until 60 glutton_is hog '.generation == 4 and .state == "running"'
	glutton_ended hog signal SIGKILL
}

@test "who makes threads without end ends at a bound" {
	local said
	machine_kernel "$LAB/kernel"
	gluttons "vms = ( { name = \"bomb\"; guest = \"kvm\"; cpus = 2;
		kernel = \"$LAB/kernel\"; queues = 1; }, { name = \"calm\"; } );"
	wait_until 60 glutton_is bomb '.state == "running"'
	said=$(glutton logs bomb | sed -n 's/.* \([0-9]*\) threads: 11$/\1/p')
	echo "# bomb: $said threads, then EAGAIN" >&3
	[[ $said -gt 0 && $said -lt $(of bomb pids.max) ]]
	[[ $(of bomb pids.current) -le $(of bomb pids.max) ]]
	glutton_is calm '.generation == 1 and .state == "running"'
	glutton kill bomb
	wait_until 60 glutton_is bomb '.generation == 2 and .state == "running"'
}

@test "limits of the configuration hold, and none is none" {
	gluttons 'vms = ( { name = "hog"; limits = { memory = "16M";
		cpu_weight = 20; cpu = 50; }; },
		{ name = "free"; limits = { memory = 0; }; } );'
	wait_until 60 glutton_is hog '.generation == 2 and .state == "running"'
	glutton_ended hog out-of-memory \
		"out of memory: over its 16 MiB (raise limits.memory)"
	[[ $(of hog cpu.weight) == 20 && $(of hog cpu.max) == "50000 100000" ]]
	[[ $(of free memory.max) == max ]]
}

@test "VMs that outlive their supervisor are bounded by the next one" {
	# as an earlier version left them
	echo max >"$(echo $GROUPS_DIR/vmsup-*/vm1/memory.max)"
	vmsup detach
	vmsup start
	[[ $(of vm1 memory.max) == $((8 << 20)) ]]
	echo max >"$(echo $GROUPS_DIR/vmsup-*/vm1/pids.max)"
	vmsup upgrade
	[[ $(of vm1 pids.max) == 2 ]]
	vm_is vm1 '.generation == 1 and .state == "running"'
}
