#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# From the oldest build that upgrades are promised from to this one, each way
# there is: its VM processes go on, and those that die come back as this build's
# under what was inherited. Guest kvm has a stand-in here; real guests:
# tests/lab/lives.bats.

load ../lib
load upgrade
load ../cage/machine

# What must be the same before and after, a line a VM.
identities() {
	vmsup status --json | jq -c '.vms[] | [.name, .state, .pid, .generation,
		.restarts, .uid, .tap, .mac, .ipv4, .wanted,
		(.last_exit | [.reason, .detail, .generation, .asked])]'
}

# old COMMAND...: the command of the old build.
old() {
	inside "$PREVIOUS/vmsup" "$@" 3>&- 4>&-
}

# four_old_vms: of the old build; what they are is in $BEFORE.
four_old_vms() {
	install_previous
	launch --vms 4
	BEFORE=$(identities)
	install_present
}

# comes_back NAME [REASON]: killed, it is the next generation, with the program
# that lies there now. An adopted process is nobody's child: lost.
comes_back() {
	local name=$1 pid generation
	pid=$(vm_get "$name" .pid)
	generation=$(vm_get "$name" .generation)
	kill -9 "$pid"
	wait_until 20 vm_has "$name" .generation $((generation + 1))
	wait_until 20 running "$name"
	cmp "/proc/$(vm_get "$name" .pid)/exe" "$LAB/bin/vmproc"
	vm_is "$name" ".last_exit | .generation == $generation and
		.reason == \"${2:-signal}\""
}

# all_come_back [REASON]: each of the four, with a whole cage, and they answer.
all_come_back() {
	local i
	for i in 0 1 2 3; do
		comes_back "vm$i" "$@"
		vmsup sandbox "vm$i"
	done
	answers 0.2 0.3 0.4 0.5
}

@test "upgrade: no ping lost, the same processes; who dies then comes back" {
	four_old_vms
	pinged vmsup upgrade
	[ "$(identities)" = "$BEFORE" ]
	cmp "/proc/$(supervisor_pid)/exe" "$BUILD/vmsup"
	all_come_back
	# an adoption of what is left of both
	comes_back vm0
	crash
	run launch
	[[ $status == 0 && $output == *"adopted 4 running VMs, restarted 0"* ]]
	all_come_back lost
	stops
}

@test "upgrade twice, then a restart of each" {
	four_old_vms
	vmsup upgrade
	vmsup upgrade
	[ "$(identities)" = "$BEFORE" ]
	vmsup restart vm0 vm1
	comes_back vm0
	vmsup stop vm2
	vmsup start vm2
	vmsup run later --address 10.77.9.9
	comes_back later
	answers 0.2 0.3 0.4 0.5 9.9
	stops
}

@test "detach, and a start that adopts: no ping lost; who dies then comes back" {
	four_old_vms
	detach_and_start() {
		old detach
		answers 0.2 0.3 0.4 0.5
		launch >"$LAB/out"
	}
	pinged detach_and_start
	grep -q "adopted 4 running VMs, restarted 0" "$LAB/out"
	[ "$(identities)" = "$BEFORE" ]
	all_come_back lost
	stops
}

@test "a crash of the old one, and a start that adopts" {
	four_old_vms
	crash_and_start() {
		crash
		launch >"$LAB/out"
	}
	pinged crash_and_start
	grep -q "adopted 4 running VMs, restarted 0" "$LAB/out"
	[ "$(identities)" = "$BEFORE" ]
	all_come_back lost
	stops
}

@test "a VM that dies while there is no supervisor" {
	four_old_vms
	pid=$(vm_get vm1 .pid)
	crash
	kill -9 "$pid"
	wait_until 20 gone "$pid"
	run launch
	[[ $status == 0 && $output == *"adopted 3 running VMs, restarted 1"* ]]
	wait_until 20 running vm1
	cmp "/proc/$(vm_get vm1 .pid)/exe" "$BUILD/vmproc"
	vmsup sandbox vm1
	answers 0.2 0.3 0.4 0.5
	stops
}

# VMs of guest kvm and one of the other, in every state that lasts.
many_old_states() {
	install_previous
	install_program "$PREVIOUS/hostile" vmproc
	machine_kernel "$LAB/kernel"
	truncate -s 1M "$LAB/disk.img"
	head -c 4096 /dev/zero >"$LAB/initrd"
	configured 'defaults = { restart = { jitter = 0; }; };
		vms = ( { name = "ok"; }, { name = "down"; },
		{ name = "failed"; restart = { crash_deaths = 1; }; },
		{ name = "waits"; restart = { delay_min = 60.0;
			delay_max = 60.0; steady = 50.0; }; },
		{ name = "idle"; autostart = false; },
		{ name = "paused"; },
		{ name = "kvm-down"; guest = "kvm"; kernel = "kernel"; },
		{ name = "kvm-paused"; guest = "kvm"; kernel = "kernel"; },
		{ name = "kvm-ok"; guest = "kvm"; kernel = "kernel";
			initrd = "initrd"; memory = "32M"; cpus = 3;
			queues = 2; cmdline = "quiet";
			disks = ( { path = "disk.img"; } ); } );'
	old kill ok --signal SEGV
	wait_until 20 vm_is ok '.generation == 2 and .state == "running"'
	old stop down kvm-down
	old kill failed waits
	wait_until 20 vm_has failed .state failed
	wait_until 20 vm_has waits .state backoff
	old pause paused kvm-paused
	BEFORE=$(identities)
	install_program "$BUILD/tests/cage/hostile" vmproc
	provide "$BUILD/vmsup"
}

# all_go_on [REASON]: from each of these states a VM can do what it could.
all_go_on() {
	comes_back ok "$@"
	comes_back kvm-ok "$@"
	vm_has paused .state paused
	vmsup resume paused kvm-paused
	comes_back paused "$@"
	comes_back kvm-paused "$@"
	vmsup start down kvm-down idle
	vmsup reset failed
	vmsup start failed waits
	all_are '.state == "running"'
	vm_is waits '.generation == 2'
}

@test "upgrade: every state of a VM, and guest kvm" {
	obstacle=$(machine_obstacle)
	[[ -z $obstacle ]] || cannot "$obstacle"
	many_old_states
	vmsup upgrade
	[ "$(identities)" = "$BEFORE" ]
	all_go_on
	stops
}

@test "adoption: every state of a VM, and guest kvm" {
	obstacle=$(machine_obstacle)
	[[ -z $obstacle ]] || cannot "$obstacle"
	many_old_states
	crash
	# one can't be waited for: it had failed before
	run launch
	[[ $status == 1 && $output == *"adopted 4 running VMs, restarted 1"* ]]
	# which of them waited for its time has had it
	[ "$(identities | grep -v waits)" = "$(grep -v waits <<<"$BEFORE")" ]
	all_go_on lost
	stops
}

# Its listener could be asked by the process itself: it is killed unheard.
@test "a refused call of an old VM process ends it, and holds up nobody" {
	obstacle=$(machine_obstacle)
	[[ -z $obstacle ]] || cannot "$obstacle"
	install_previous
	install_program "$BUILD/tests/cage/hostile" vmproc
	machine_kernel "$LAB/kernel"
	configured 'defaults = { restart = { enabled = false; }; };
		vms = ( { name = "ok"; }, { name = "kvm-thief"; guest = "kvm";
		kernel = "kernel"; } );'
	provide "$BUILD/vmsup"
	vmsup upgrade
	run vmsup pause kvm-thief # it may be dead before it is paused
	wait_until 20 vm_has kvm-thief .state stopped
	vm_has kvm-thief .last_exit.reason seccomp
	vm_has kvm-thief .last_exit.detail "SIGSYS: a refused call"
	running ok
	stops
}

# It counted filters, and kept no digests of them: neither yes nor no.
@test "of an old VM process, its filters can't be told; of the next one, they can" {
	four_old_vms
	vmsup upgrade
	vmsup sandbox vm0
	[[ $(filters_row vm0) == '[null,"an earlier version made it'* ]]
	vmsup sandbox --json vm0 | jq -e '.ok == null and .cage.digests == null'
	comes_back vm0
	answers 0.2
	# by its supervisor's place alone: what the old one had loaded
	[[ $(filters_row vm0) == '[true,"1 older, supervisor, set-up, running"]' ||
		$(filters_row vm0) == "[null,"* ]]
	stops
}

filters_row() {
	vmsup sandbox --json "$1" | jq -c '.checks[] |
		select(.check == "filters") | [.ok, .found]'
}
