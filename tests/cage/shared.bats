#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What the supervisor shares with a VM process: whatever the process does to it,
# the supervisor neither waits nor grows, and nothing of it outlives the process.
#
# A stand-in (tests/cage/hostile: patient...) holds the descriptors, in set-up
# and after it; shared.py does to them, from outside, what a process could, so
# that it isn't the list of system calls which is tested here.

load ../lib
load machine

RESUME=8 # enum msg_type

setup_file() {
	lab_up
	need_python
	lab_vmproc tests/cage/hostile
	[[ -z $LAB_OBSTACLE ]] || return 0
	export NO_KVM
	NO_KVM=$(machine_obstacle)
	machine_kernel "$LAB/kernel"
	truncate -s 1M "$LAB/disk.img"
	configure >"$LAB/conf"
	vmsup start -c "$LAB/conf"
}

need_python() {
	command -v python3 >/dev/null || LAB_OBSTACLE="needs python3"
}

configure() {
	cat <<-EOF
		defaults = {
		  autostart = false; kernel = "kernel";
		  restart = { delay_min = "1ms"; delay_max = "1ms"; jitter = 0;
		    crash_deaths = 0; };
		  timeouts = { start = "30s"; heartbeat = "50ms";
		    watchdog = "10s"; stop_guest = "200ms"; };
		};
		vms = (
		  { name = "patient"; }, { name = "patient-once";
		    restart = { enabled = false; }; },
	EOF
	[[ -n $NO_KVM ]] ||
		echo '  { name = "kvm-patient"; guest = "kvm"; queues = 4;
			disks = ( { path = "disk.img"; } ); },'
	echo '  { name = "ok"; autostart = true; } );'
}

setup() {
	lab_check
}

teardown() {
	[[ -n $LAB_OBSTACLE ]] || vmsup stop patient patient-once
	[[ -n $LAB_OBSTACLE || -n $NO_KVM ]] || vmsup stop kvm-patient
}

teardown_file() {
	lab_down
}

need_kvm() {
	[[ -z $NO_KVM ]] || cannot "$NO_KVM"
}

# shares VM WHAT: the number of that descriptor, in a process of this generation.
shares() {
	vmsup logs "$1" | grep -o "shares .*" | tail -n 1 |
		grep -o "$2=[0-9]*" | cut -d= -f2
}

# shared VM WHAT ACTION...: does it to what the VM's process shares.
shared() {
	inside python3 -B "$ROOT/tests/cage/shared.py" "$(vm_get "$1" .pid)" \
		"$(shares "$1" "$2")" "${@:3}"
}

# Starts a VM, up to where its process shares all and isn't in its cage.
to_set_up() {
	vmsup start --no-wait "$1"
	wait_until 20 in_set_up "$1"
}

in_set_up() {
	vm_is "$1" '.state == "starting"' && [[ -n $(shares "$1" adopt) ]]
}

# Lets it close its cage and say READY.
go_on() {
	shared "$1" adopt send $RESUME "$(vm_get "$1" .generation)"
}

to_running() {
	go_on "$1"
	wait_until 20 vm_is "$1" '.state == "running"'
}

ended_by() {
	wait_until 20 vm_is "$1" '.state == "stopped"'
	vm_get "$1" '.last_exit | "\(.reason): \(.detail)"' | tee "$LAB/end"
	grep -qE "^protocol: $2\$" "$LAB/end"
}

# Answers of a VM that is asked, several times, on the kernel's clock alone.
talks() {
	for _ in 1 2 3; do
		vmsup pause "$1"
		vmsup resume "$1"
	done
}

# ---- the channel

@test "what the kernel would add to messages ends the process, and adds nothing" {
	local option before
	before=$(fds_of "$(supervisor_pid)")
	for option in SO_PASSCRED SO_PASSPIDFD SO_TIMESTAMP SO_TIMESTAMPNS; do
		to_set_up patient-once
		# a kernel without it can't be made to add that
		shared patient-once adopt set $option 1 || continue
		go_on patient-once
		ended_by patient-once 'control message of type [0-9]+, level 1'
		[[ $(fds_of "$(supervisor_pid)") == "$before" ]]
	done
}

@test "of a process that runs as well" {
	local before
	to_set_up patient-once
	to_running patient-once
	before=$(fds_of "$(supervisor_pid)")
	shared patient-once adopt set SO_PASSPIDFD 1 ||
		shared patient-once adopt set SO_PASSCRED 1
	ended_by patient-once 'control message of type [0-9]+, level 1'
	(($(fds_of "$(supervisor_pid)") < before))
}

# Sets what are_put_back expects to be otherwise by then.
tune() {
	local option
	for option in "SO_SNDBUF 1" "SO_RCVBUF 1" "SO_RCVLOWAT 100000" \
		"SO_RCVTIMEO 100" "SO_SNDTIMEO 100" "SO_PEEK_OFF 3" \
		"SO_KEEPALIVE 1" "SO_PRIORITY 6"; do
		# shellcheck disable=SC2086 # a name and a value
		shared "$1" "$2" set $option
	done
	shared "$1" "$2" flags "$3"
}

are_put_back() {
	local option
	for option in "SO_SNDBUF 212992" "SO_RCVBUF 212992" "SO_RCVLOWAT 1" \
		"SO_RCVTIMEO 0" "SO_SNDTIMEO 0" "SO_PEEK_OFF -1" \
		"SO_KEEPALIVE 0" "SO_PRIORITY 0"; do
		echo "$option, not $(shared "$1" "$2" get "${option% *}")"
		[[ $(shared "$1" "$2" get "${option% *}") == "${option#* }" ]]
	done
	[[ $(shared "$1" "$2" flags) == "0o$3" ]]
}

@test "options of the channel are put back at READY" {
	to_set_up patient
	tune patient adopt 0x2800 # O_NONBLOCK, O_ASYNC
	to_running patient
	are_put_back patient adopt 2
	talks patient
}

@test "guest kvm: and those of its console" {
	need_kvm
	to_set_up kvm-patient
	tune kvm-patient console 0x2000 # O_ASYNC, and not O_NONBLOCK
	shared kvm-patient console set SO_PASSPIDFD 1 || true
	to_running kvm-patient
	are_put_back kvm-patient console 4002
	are_put_back kvm-patient adopt 2
	talks kvm-patient
}

@test "a filter on the channel cuts messages: that ends the process" {
	to_set_up patient-once
	shared patient-once adopt filter 8
	go_on patient-once
	ended_by patient-once 'message of 8 bytes'
}

@test "a filter that nobody can take off ends the process" {
	to_set_up patient-once
	shared patient-once adopt filter 65535 lock
	go_on patient-once
	ended_by patient-once "a socket's options can't be set: .* locked .*"
}

# ---- the TAP

tap_of() {
	vm_get "$1" .tap
}

# What ip(8) and the driver show of a VM's TAP.
tap_shows() {
	ip -n "$LAB_NETNS" -j -d link show dev "$(tap_of "$1")" | jq -c '.[] |
		[.ifindex, .address, .operstate != "DOWN", (.linkinfo.info_data |
		.persist, .user, .group, .numqueues, .numdisabled)]'
	shared "$1" tap tap get-sndbuf - get-hdrsz - get-vnetle -
	shared "$1" tap flags
}

# spoil VM: whatever can be done to its TAP, in set-up.
spoil() {
	shared "$1" tap tap persist 1 owner 4242 group 4242 filter 0 \
		txfilter 1 sndbuf 1 hdrsz 64 vnetle 1 offload 7 \
		mac 02:01:01:01:01:01 carrier 0
	shared "$1" tap flags 0x2000
}

# Its process dies, and the next one shares all.
next_generation() {
	local next
	next=$(($(vm_get "$1" .generation) + 1))
	vmsup kill "$1"
	wait_until 20 vm_is "$1" ".generation == $next"
	wait_until 20 in_set_up "$1"
}

@test "what one generation does to its TAP is undone for the next" {
	local before
	to_set_up patient
	before=$(tap_shows patient)
	spoil patient
	[[ $(tap_shows patient) != "$before" ]]
	to_running patient # a cage that is closed proves nothing of what was
	next_generation patient
	echo "$before, then $(tap_shows patient)"
	[[ $(tap_shows patient) == "$before" ]]
	# and again, by one that never came so far
	spoil patient
	next_generation patient
	[[ $(tap_shows patient) == "$before" ]]
}

@test "guest kvm: of each of its queues" {
	need_kvm
	local before
	to_set_up kvm-patient
	before=$(tap_shows kvm-patient)
	spoil kvm-patient
	shared kvm-patient tap tap queue 0x400
	to_running kvm-patient
	next_generation kvm-patient
	echo "$before, then $(tap_shows kvm-patient)"
	[[ $(tap_shows kvm-patient) == "$before" ]]
}

@test "a TAP that can't be set as it was is made anew" {
	local before
	to_set_up patient
	before=$(tap_of patient)
	shared patient tap tap persist 1
	ip -n "$LAB_NETNS" link del "$before"
	next_generation patient
	[[ $(tap_shows patient) == *'true,false,"root","root"'* ]]
	past_events | jq -se 'any(.[]; .event == "tap-recreated")'
}

# The bridge knows where the guest of that VM lives.
forwarded() {
	bridge -n "$LAB_NETNS" fdb show dev "$(tap_of "$1")" |
		grep -q "$(vm_get "$1" .mac)"
}

@test "a TAP that is given a sibling's MAC costs its process, not the sibling" {
	local mac
	mac=$(vm_get ok .mac)
	to_set_up patient-once
	forwarded ok
	shared patient-once tap tap mac "$mac"
	# and back, if it is quick enough
	shared patient-once tap tap mac 02:01:01:01:01:01 || true
	ended_by patient-once "its TAP was given the MAC of a guest"
	wait_until 20 forwarded ok
}

# ---- the file of the uid locks

# lockable FIRST LENGTH: whether another instance could take these uids.
lockable() {
	python3 -B "$ROOT/tests/cage/shared.py" self /run/vmsup.uids \
		lock write "$1" "$2" 2>/dev/null
}

@test "the file of the uid locks can't be written, nor others' locks touched" {
	local uid far=4000000000
	to_set_up patient
	uid=$(vm_get patient .uid)
	run shared patient uids write 1
	[[ $output == *EBADF* ]]
	refute lockable "$uid" 1
	# locks on all would keep every other instance from starting a VM
	shared patient uids lock read $far 100
	refute lockable $far 1
	to_running patient
	lockable $far 1
	refute lockable "$uid" 1
}

@test "guest kvm: not even where its disks may grow" {
	need_kvm
	to_set_up kvm-patient
	run shared kvm-patient uids write 1
	[[ $output == *EBADF* ]]
}

@test "a process that gave its uid up has it again when it runs" {
	local uid pid
	to_set_up patient
	uid=$(vm_get patient .uid)
	shared patient uids lock none 0 0
	to_running patient
	vm_get patient .pid >"$LAB/pid"
	crash
	refute lockable "$uid" 1
	vmsup start
	vm_is patient ".state == \"running\" and .pid == $(cat "$LAB/pid")"
	vm_is patient ".uid == $uid"
}

@test "guest kvm: flags and locks of its disks are put back for the next" {
	need_kvm
	local before
	to_set_up kvm-patient
	before=$(shared kvm-patient disk flags)
	shared kvm-patient disk flags 0x6c00 # O_APPEND, O_NONBLOCK, O_DIRECT
	shared kvm-patient disk lock none 0 0
	[[ $(shared kvm-patient disk flags) != "$before" ]]
	next_generation kvm-patient
	[[ $(shared kvm-patient disk flags) == "$before" ]]
	refute python3 -B "$ROOT/tests/cage/shared.py" self "$LAB/disk.img" \
		lock read 0 0
}

# ---- over the death of a supervisor

@test "what was set on the channel heals with the next supervisor" {
	local before number option pid
	to_set_up patient
	to_running patient
	before=$(fds_of "$(supervisor_pid)")
	number=$(shares patient adopt)
	vm_get patient .pid >"$LAB/pid"
	pid=$(cat "$LAB/pid")
	crash
	for option in SO_PASSPIDFD SO_PASSCRED SO_TIMESTAMP; do
		python3 -B "$ROOT/tests/cage/shared.py" "$pid" "$number" \
			set $option 1 || true
	done
	vmsup start
	vm_is patient ".state == \"running\" and .pid == $pid"
	talks patient
	[[ $(python3 -B "$ROOT/tests/cage/shared.py" "$pid" "$number" \
		get SO_PASSCRED) == 0 ]]
	(($(fds_of "$(supervisor_pid)") <= before))
}
