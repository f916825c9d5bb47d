#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# VMs outlive their supervisor, and the next one takes them over: what is true
# of them it keeps, what can't be trusted it starts anew.

load ../lib

setup() {
	lab_up
	lab_check
	need python3
	lab_vmproc vmproc
	EXTRA=()
}

teardown() {
	local pid
	for pid in "${EXTRA[@]}"; do
		kill -9 "$pid" 2>/dev/null || true
	done
	lab_down
}

# says TEXT COMMAND...: it succeeds, and says that.
says() {
	local text=$1
	shift
	run "$@"
	[[ $status == 0 && $output == *"$text"* ]] || {
		echo "exit $status, no '$text' in: $output"
		return 1
	}
}

# What must be the same before and after, a line a VM.
identities() {
	vmsup status --json | jq -c '.vms[] |
		[.name, .pid, .generation, .restarts, .uid, .tap, .mac, .ipv4]'
}

steady() {
	vm_is "$1" '.state == "running" and .uptime_s >= 1'
}

answers() {
	local i
	for i; do
		inside ping -q -c 1 -W 5 "10.77.0.$i"
	done
}

ifindex() {
	inside ip -j link show "$1" | jq '.[0].ifindex'
}

# edit FILE FILTER: of the state that the dead supervisor left.
edit() {
	jq -c "$2" "$VMSUP_RUN_DIR/state/$1" >"$LAB/edited"
	cp "$LAB/edited" "$VMSUP_RUN_DIR/state/$1"
}

# A process of the test's own, nothing to do with vmsup; its pid is in BYSTANDER.
bystander() {
	sleep 1000 3>&- 4>&- &
	BYSTANDER=$!
	EXTRA+=("$BYSTANDER")
}

# adopted_but NAME PATTERN: that VM was started anew, with such a last exit, and
# its old process is gone; the others go on.
adopted_but() {
	local name=$1 pattern=$2 other
	wait_until 20 vm_is "$name" '.state == "running" and .generation == 2'
	[[ $(vm_get "$name" '.last_exit | "\(.reason): \(.detail)"') \
		=~ ^($pattern)$ ]] || {
		vm_get "$name" .last_exit
		return 1
	}
	vm_is "$name" '.last_exit.generation == 1'
	wait_until 20 gone "$OLD"
	for other in $(vmsup status --raw --noheadings -o NAME); do
		[[ $other == "$name" ]] ||
			vm_is "$other" '.state == "running" and
				.generation == 1 and .last_exit == null'
	done
}

@test "a killed supervisor costs no ping, and the next one adopts all VMs" {
	local pings=() i pid before
	vmsup start --vms 4
	before=$(identities)
	for i in 2 3 4 5; do
		inside ping -q -i 0.005 -c 800 "10.77.0.$i" >"$LAB/ping$i" 3>&- 4>&- &
		pings+=($!)
	done
	crash
	fails_with 3 vmsup status
	[[ $output == *"its VMs outlived it ('vmsup start' takes them over"* ]]
	answers 2 3 4 5
	says "adopted 4 running VMs, restarted 0" vmsup start
	[[ $output == *"4 VMs running on vmsup0 (10.77.0.1/16)"* ]]
	[[ $(identities) == "$before" ]]
	# each process runs on, and nobody else
	for pid in "${pings[@]}"; do
		wait "$pid"
	done
	for i in 2 3 4 5; do
		grep -q '800 packets transmitted, 800 received, 0% packet loss' \
			"$LAB/ping$i"
	done
	all_are '.state == "running" and .last_exit == null'
	grep -q 'vm3: generation 1 adopted: pid' "$VMSUP_RUN_DIR/supervisor.log"
	# what the dead one wrote is still there
	grep -q 'vm3: generation 1 runs: pid' "$VMSUP_RUN_DIR/supervisor.log"
	vmsup stop
	nothing_left
}

@test "crash after crash after crash" {
	local before round
	vmsup start --vms 3
	before=$(identities)
	for round in 1 2 3 4 5; do
		crash
		says "adopted 3 running VMs, restarted 0" vmsup start
		[[ $(identities) == "$before" ]]
	done
	vmsup kill vm1
	wait_until 20 vm_is vm1 '.state == "running" and .generation == 2'
	crash
	says "adopted 3 running VMs, restarted 0" vmsup start
	vm_is vm1 '.state == "running" and .generation == 2'
	vmsup stop
	nothing_left
}

# The TAP's own counters are of all generations together. A frame may come while
# both are read, but a count that is wrong stays wrong.
counted_as_by_tap() {
	local frames bytes
	read -r frames bytes < <(inside ip -j -s link show vmtap0 |
		jq -r '.[0].stats64 | "\(.tx.packets) \(.tx.bytes)"')
	vm_is vm0 ".total.rx_frames == $frames and .total.rx_bytes == $bytes"
}

@test "counters go on over a crash, and are exact after a later kill" {
	local before
	vmsup start --vms 1
	wait_until 20 steady vm0
	vmsup kill vm0
	wait_until 20 vm_has vm0 .generation 2
	wait_until 20 vm_has vm0 .state running
	inside ping -q -f -c 200 -W 5 10.77.0.2
	before=$(vm_get vm0 .total.rx_frames)
	crash
	inside ping -q -f -c 200 -W 5 10.77.0.2
	vmsup start
	vm_is vm0 ".total.rx_frames >= $before + 200"
	before=$(vm_get vm0 .total.rx_frames)
	inside ping -q -f -c 200 -W 5 10.77.0.2
	vm_is vm0 ".total.rx_frames >= $before + 200"
	wait_until 20 steady vm0
	vmsup kill vm0
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 3'
	wait_until 20 counted_as_by_tap
	vm_is vm0 '.total.tx_frames >= 600 and .stats.tx_frames < 600'
}

@test "deaths and the tally of a crash loop are kept" {
	local deaths i
	vmsup start --vms 2
	for i in 1 2 3 4; do
		wait_until 20 vm_has vm0 .state running
		vmsup kill vm0 --signal SEGV
		wait_until 20 vm_is vm0 ".last_exit.generation == $i"
	done
	wait_until 20 vm_has vm0 .state running
	deaths=$(vmsup deaths vm0 --json)
	crash
	says "adopted 2 running VMs, restarted 0" vmsup start
	[[ $(vmsup deaths vm0 --json) == "$deaths" ]]
	vm_is vm0 '.generation == 5 and .restarts == 4'
	# the fifth within a minute
	vmsup kill vm0 --signal SEGV
	wait_until 20 vm_has vm0 .state failed
	vm_has vm1 .generation 1
}

@test "a VM that failed stays failed" {
	local i
	vmsup start --vms 2
	for i in 1 2 3 4 5; do
		wait_until 20 vm_has vm0 .state running
		vmsup kill vm0
		wait_until 20 vm_is vm0 ".last_exit.generation == $i"
	done
	wait_until 20 vm_has vm0 .state failed
	crash
	run vmsup start
	echo "$output"
	[[ $status == 1 && $output == *"vm0: failed: "* ]]
	vm_is vm0 '.state == "failed" and .generation == 5 and
		.last_exit.detail == "SIGKILL"'
	vm_is vm1 '.state == "running" and .generation == 1'
	vmsup reset vm0
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 6'
	answers 2 3
}

@test "a VM that waits for its restart gets it from the next supervisor" {
	echo 'defaults = { restart = { delay_min = 60.0; jitter = 0;
		delay_max = 60.0; steady = 50.0; }; };' >"$LAB/conf"
	vmsup start -c "$LAB/conf" --vms 2
	vmsup kill vm0
	wait_until 20 vm_has vm0 .state backoff
	crash
	says "adopted 1 running VM, restarted 1" vmsup start
	vm_is vm0 '.state == "running" and .generation == 2 and
		.restarts == 1 and .last_exit.detail == "SIGKILL"'
}

@test "a VM that died meanwhile is started anew, its exit status lost" {
	vmsup start --vms 3
	OLD=$(vm_get vm1 .pid)
	crash
	kill -SEGV "$OLD"
	wait_until 20 gone "$OLD"
	says "adopted 2 running VMs, restarted 1" vmsup start
	adopted_but vm1 'lost: ended while there was no supervisor'
	answers 2 3 4
	says "ended while there was no supervisor" vmsup deaths vm1
}

@test "VMs that are stopped, or never were started, stay so" {
	echo 'vms = ( { name = "idle"; autostart = false; }, { name = "a"; },
		{ name = "b"; } );' >"$LAB/conf"
	vmsup start -c "$LAB/conf"
	vmsup stop b
	crash
	says "adopted 1 running VM, restarted 0" vmsup start
	vm_is a '.state == "running" and .generation == 1'
	vm_is b '.state == "stopped" and .wanted == "down" and
		.last_exit.asked'
	vm_is idle '.state == "stopped" and .generation == 0'
	vmsup start idle b
	vm_is b '.state == "running" and .generation == 2'
	vm_is idle '.state == "running" and .generation == 1'
}

@test "a paused VM is adopted paused" {
	local before
	vmsup start --vms 2
	vmsup pause vm0
	before=$(identities)
	crash
	says "adopted 2 running VMs, restarted 0" vmsup start
	[[ $(identities) == "$before" ]]
	vm_has vm0 .state paused
	vm_has vm1 .state running
	refute inside ping -q -c 1 -W 0.2 10.77.0.2
	vmsup resume vm0
	answers 2
	[[ $(identities) == "$before" ]]
}

@test "a process that hangs is killed and started anew, with the reason" {
	echo 'defaults = { timeouts = { start = 2.0; }; };' >"$LAB/conf"
	vmsup start -c "$LAB/conf" --vms 3
	OLD=$(vm_get vm2 .pid)
	vmsup kill vm2 --signal STOP
	crash
	says "adopted 2 running VMs, restarted 1" vmsup start
	adopted_but vm2 \
		'protocol: not adopted: silent for 2.0 s after it was asked'
	answers 2 3 4
}

@test "a process that only hung for a moment is adopted" {
	local before
	vmsup start --vms 2
	before=$(identities)
	vmsup kill vm1 --signal STOP
	crash
	vmsup_background start >"$LAB/said"
	wait_until 20 vm_has vm0 .state running
	vm_has vm1 .state starting
	kill -CONT "$(jq -r 'select(.[0] == "vm1")[1]' <<<"$before")"
	wait "$BACKGROUND"
	grep -q 'adopted 2 running VMs, restarted 0' "$LAB/said"
	[[ $(identities) == "$before" ]]
}

@test "after adoption all is as before: kill, stop, restart, pause, logs, proof" {
	local index pid
	vmsup start --vms 3
	index=$(ifindex vmtap0)
	crash
	vmsup start
	vmsup sandbox vm0
	vmsup ping vm0 vm2 -c 2 -i 0.01
	[[ $(ifindex vmtap0) == "$index" ]]
	wait_until 20 steady vm0
	vmsup_background events --json >"$LAB/events"
	wait_until 20 subscribed
	vmsup kill vm0 --signal SEGV
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 2'
	kill "$BACKGROUND"
	# nobody but a parent hears how a process ended
	vm_is vm0 '.last_exit.reason == "lost" and .restarts == 1'
	# at once: between its death and the next generation no second passes
	jq -es 'map(select(.vm == "vm0").event) == ["died", "starting",
		"running"]' <"$LAB/events"
	[[ $(ifindex vmtap0) == "$index" ]]
	answers 2
	vmsup sandbox vm0
	# the second death is its own child's
	wait_until 20 steady vm0
	vmsup kill vm0 --signal SEGV
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 3'
	vm_has vm0 .last_exit.detail SIGSEGV
	# what was adopted obeys
	pid=$(vm_get vm1 .pid)
	vmsup pause vm1
	refute inside ping -q -c 1 -W 0.2 10.77.0.3
	vmsup resume vm1
	answers 3
	vm_has vm1 .pid "$pid"
	vmsup stop vm1
	vm_is vm1 '.state == "stopped" and .last_exit.asked'
	vmsup start vm1
	vm_has vm1 .generation 2
	vmsup restart vm2
	vm_is vm2 '.state == "running" and .generation == 2 and .restarts == 0'
	says "generation 2 runs" vmsup logs vm2
	says "generation 1 adopted" vmsup logs --previous vm2
	answers 2 3 4
	vmsup run web
	answers 5
	fails_with 1 vmsup start
	[[ $output == *"$(supervisor_pid)"* ]]
	vmsup stop
	nothing_left
}

subscribed() {
	vmsup reset vm2
	grep -q reset "$LAB/events"
}

@test "the watchdog watches adopted VMs" {
	echo 'defaults = { timeouts = { heartbeat = 0.1; watchdog = 1.5;
		abort = 0.2; }; };' >"$LAB/conf"
	vmsup start -c "$LAB/conf" --vms 2
	crash
	vmsup start
	OLD=$(vm_get vm1 .pid)
	vmsup kill vm1 --signal STOP
	adopted_but vm1 'watchdog: no heartbeat for 1.5 s'
	answers 2 3
}

@test "VMs that were defined at run time are adopted with their address" {
	local before
	vmsup start --vms 1
	vmsup run web --address 10.77.5.5
	vmsup run db
	before=$(identities)
	crash
	says "adopted 3 running VMs, restarted 0" vmsup start
	[[ $(identities) == "$before" ]]
	inside ping -q -c 1 -W 5 10.77.5.5
	vmsup run more
	vm_has more .ipv4 10.77.0.4
	vmsup stop
	nothing_left
}

@test "a start that asks for more adopts what is there and makes the rest" {
	local before
	vmsup start --vms 4
	before=$(identities)
	crash
	says "adopted 4 running VMs, restarted 0" vmsup start --vms 6
	[[ $output == *"6 VMs running"* ]]
	[[ $(identities | head -n 4) == "$before" ]]
	[[ $(identities | wc -l) == 6 ]]
	vm_is vm5 '.state == "running" and .generation == 1'
	answers 2 3 4 5 6 7
	crash
	# fewer is no wish to end any
	says "adopted 6 running VMs, restarted 0" vmsup start --vms 2
}

@test "of two starts at the same time one adopts, the other is refused" {
	local before round first second winner
	vmsup start --vms 4
	before=$(identities)
	for round in 1 2 3; do
		crash
		vmsup_background start >"$LAB/one" 2>&1
		winner=$BACKGROUND
		vmsup_background start >"$LAB/two" 2>&1
		wait "$winner" && first=0 || first=$?
		wait "$BACKGROUND" && second=0 || second=$?
		echo "round $round: $first $second"
		cat "$LAB/one" "$LAB/two"
		((first + second == 1))
		grep -q 'adopted 4 running VMs, restarted 0' \
			"$LAB/one" "$LAB/two"
		grep -q 'a supervisor runs ' "$LAB/one" "$LAB/two"
		[[ $(identities) == "$before" ]]
		[[ $(lab_pids | wc -l) == 5 ]]
	done
	vmsup stop
	nothing_left
}

@test "a start in another network namespace is refused and touches nothing" {
	local before
	vmsup start --vms 2
	before=$(identities)
	crash
	run unshare --net -- "$LAB/bin/vmsup" start 3>&- 4>&-
	[[ $status == 1 && $output == *"another network namespace"* ]]
	[[ ${#lines[@]} == 1 ]]
	answers 2 3
	says "adopted 2 running VMs, restarted 0" vmsup start
	[[ $(identities) == "$before" ]]
}

# ---- what was under way

# A configuration in which a VM that doesn't stop is given up soon.
stops_soon() {
	echo 'defaults = { timeouts = { stop_guest = 3.0; stop_process = 0.5; };
		};' >"$LAB/conf"
}

@test "a stop of one VM that was under way is finished" {
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	vmsup kill vm1 --signal STOP
	vmsup stop --no-wait vm1
	vm_has vm1 .state stopping
	crash
	kill -CONT "$OLD"
	vmsup start
	wait_until 20 vm_has vm1 .state stopped
	vm_is vm1 '.wanted == "down" and .generation == 1'
	gone "$OLD"
	vm_has vm0 .generation 1
}

@test "a stop of one VM is finished even if its process hangs" {
	echo 'defaults = { timeouts = { start = 2.0; stop_guest = 60.0; }; };' \
		>"$LAB/conf"
	vmsup start -c "$LAB/conf" --vms 2
	OLD=$(vm_get vm1 .pid)
	vmsup kill vm1 --signal STOP
	vmsup stop --no-wait vm1
	crash
	vmsup start
	wait_until 20 gone "$OLD"
	wait_until 20 vm_has vm1 .state stopped
	vm_is vm1 '.wanted == "down" and .generation == 1'
	answers 2
}

@test "a restart that was under way is finished" {
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	vmsup kill vm1 --signal STOP
	vmsup_background restart vm1
	wait_until 20 vm_has vm1 .state stopping
	crash
	kill -CONT "$OLD"
	wait_until 20 gone "$OLD"
	vmsup start
	vm_is vm1 '.state == "running" and .generation == 2'
	answers 2 3
}

@test "a stop of everything that was cut off is finished by the next start" {
	stops_soon
	vmsup start -c "$LAB/conf" --vms 3
	OLD=$(vm_get vm0 .pid)
	vmsup kill vm0 --signal STOP
	vmsup_background stop
	wait_until 20 vm_has vm2 .state stopped
	crash
	refute gone "$OLD"
	says "finishing the stop that was cut off" vmsup start --vms 2
	[[ $output == *"2 VMs running"* && $output != *adopted* ]]
	gone "$OLD"
	all_are '.generation == 1 and .last_exit == null'
	[[ $(identities | wc -l) == 2 ]]
	vmsup stop
	nothing_left
}

@test "a guest that is stopping is asked once, whoever asks" {
	lab_vmproc tests/cage/orphan
	stops_soon
	echo 'vms = ( { name = "slow"; }, { name = "vm0"; } );' >>"$LAB/conf"
	vmsup start -c "$LAB/conf"
	OLD=$(vm_get slow .pid)
	vmsup stop --no-wait slow
	wait_until 20 says "asked to stop" vmsup logs slow
	crash
	vmsup start
	# its time is over before it is ended
	wait_until 20 vm_is slow '.state == "stopped" and .wanted == "down"'
	gone "$OLD"
	refute says "asked to stop again" vmsup logs slow
	# and if all is stopped meanwhile
	vmsup start slow
	vmsup stop --no-wait slow
	wait_until 20 says "asked to stop" vmsup logs slow
	vmsup_background stop
	wait_until 20 vm_has vm0 .state stopped
	crash
	vmsup_background start >"$LAB/said" 2>&1
	wait_until 20 vm_has slow .state stopping
	refute says "asked to stop again" vmsup logs slow
	wait "$BACKGROUND" || true
	grep -q 'finishing the stop' "$LAB/said"
	nothing_left
}

@test "that stop is finished as well if the start then has nothing to do" {
	stops_soon
	vmsup start -c "$LAB/conf" --vms 2
	vmsup kill vm0 --signal STOP
	vmsup_background stop
	wait_until 20 vm_has vm1 .state stopped
	crash
	run vmsup start
	[[ $status == 2 && $output == *"finishing the stop"*"no VM to start"* ]]
	nothing_left
}

@test "a supervisor that dies in the middle of its start is taken over from" {
	local many
	for many in 5 40; do
		vmsup_background start --vms 60 2>/dev/null
		wait_until 20 taps "$many"
		kill -9 "$(pgrep -f "^$LAB/bin/vmsup start" | tail -n 1)"
		wait "$BACKGROUND" || true
		run vmsup start
		echo "$output"
		[[ $status == 0 && $output == *"60 VMs running"* ]]
		[[ $(vmsup status --json | jq '.vms | length') == 60 ]]
		all_are '.state == "running"'
		[[ $(lab_pids | wc -l) == 61 ]]
		vmsup stop
		nothing_left
	done
}

taps() {
	[[ $(inside ip -o link show | grep -c vmtap) -ge $1 ]]
}

# ---- state that can't be trusted

@test "a pid that is another process's by now is not touched" {
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	bystander
	crash
	edit vm-vm1.json ".vm.process.pid = $BYSTANDER"
	says "adopted 1 running VM, restarted 1" vmsup start
	refute gone "$BYSTANDER"
	adopted_but vm1 'lost: ended while there was no supervisor'
}

@test "a process that only looks like ours is not touched" {
	local started
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	bystander
	crash
	started=$(awk '{ print $22 }' "/proc/$BYSTANDER/stat")
	edit vm-vm1.json ".vm.process.pid = $BYSTANDER |
		.vm.process.pid_started = $started"
	says "adopted 1 running VM, restarted 1" vmsup start
	refute gone "$BYSTANDER"
	adopted_but vm1 "protocol: not adopted: cage not closed: .*"
}

@test "another start time: that process has ended, and ours isn't trusted" {
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	crash
	edit vm-vm1.json '.vm.process.pid_started += 1'
	says "adopted 1 running VM, restarted 1" vmsup start
	adopted_but vm1 'lost: ended while there was no supervisor'
}

@test "another channel, another uid, another protocol: not adopted" {
	local change reason
	while IFS=$'\t' read -r change reason; do
		vmsup start --vms 2
		OLD=$(vm_get vm1 .pid)
		crash
		edit vm-vm1.json "$change"
		says "adopted 1 running VM, restarted 1" vmsup start </dev/null
		adopted_but vm1 "protocol: not adopted: $reason"
		answers 2 3
		vmsup stop </dev/null
		nothing_left
	done <<-EOF
		.vm.process.channel_inode = "0x1"	it doesn't hold the channel .*
		.vm.uid += 1	cage not closed: Uid .*
		.vm.process.protocol = 1	it speaks another version .*
		.vm.process.protocol = 4	it speaks another version .*
		.vm.process.filters += 1	cage not closed: 3 filters, not 4
		.vm.process.filters -= 1	cage not closed: 3 filters, not 2
	EOF
}

@test "one VM's channel is not taken for another's" {
	local inode
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	crash
	inode=$(jq .vm.process.channel_inode "$VMSUP_RUN_DIR/state/vm-vm0.json")
	edit vm-vm1.json ".vm.process.channel_inode = $inode"
	says "adopted 1 running VM, restarted 1" vmsup start
	adopted_but vm1 "protocol: not adopted: it doesn't hold the channel .*"
}

@test "two documents with the same process: it is one VM's at most" {
	local process
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	crash
	process=$(jq -c .vm.process "$VMSUP_RUN_DIR/state/vm-vm0.json")
	edit vm-vm1.json ".vm.process = $process"
	says "adopted 1 running VM, restarted 1" vmsup start
	adopted_but vm1 'protocol: not adopted: .*'
	answers 2 3
}

@test "a document that can't be read: its process is ended, others are adopted" {
	local content
	for content in '' '{' '[]' '{"vm": 7}' '{"version": 1, "index": 1}'; do
		vmsup start --vms 3
		OLD=$(vm_get vm1 .pid)
		crash
		echo "$content" >"$VMSUP_RUN_DIR/state/vm-vm1.json"
		says "adopted 2 running VMs, restarted 0" vmsup start
		wait_until 20 gone "$OLD"
		grep -q "vm-vm1.json .* can't be read" \
			"$VMSUP_RUN_DIR/supervisor.log" ||
			[[ $output == *"vm-vm1.json"*"can't be read"* ]]
		all_are '.name != "vm1" and .state == "running" and
			.generation == 1'
		answers 2 4
		vmsup stop
		nothing_left
	done
}

@test "a document with a value that can't be is refused, nothing is touched" {
	local before
	vmsup start --vms 2
	before=$(identities)
	crash
	cp "$VMSUP_RUN_DIR/state/vm-vm1.json" "$LAB/whole"
	edit vm-vm1.json '.vm.generation = "many"'
	fails_with 1 vmsup start
	[[ $output == "vmsup: "*vm1*generation* ]]
	answers 2 3
	cp "$LAB/whole" "$VMSUP_RUN_DIR/state/vm-vm1.json"
	says "adopted 2 running VMs, restarted 0" vmsup start
	[[ $(identities) == "$before" ]]
}

@test "state of a newer vmsup is refused, and nothing is touched" {
	local before
	vmsup start --vms 2
	before=$(identities)
	crash
	cp "$VMSUP_RUN_DIR/state/instance.json" "$LAB/whole"
	edit instance.json '.version = 1000'
	fails_with 1 vmsup start
	[[ ${#lines[@]} == 1 && $output == *"newer vmsup"* ]]
	answers 2 3
	cp "$LAB/whole" "$VMSUP_RUN_DIR/state/instance.json"
	says "adopted 2 running VMs, restarted 0" vmsup start
	[[ $(identities) == "$before" ]]
}

@test "state of another boot, or none at all, counts for nothing" {
	local pids pid round
	for round in boot gone broken; do
		vmsup start --vms 2
		pids=$(vmsup status --json | jq '.vms[].pid')
		crash
		case $round in
		boot) edit instance.json '.boot = "another"' ;;
		gone) rm -r "$VMSUP_RUN_DIR/state" ;;
		broken) echo '{' >"$VMSUP_RUN_DIR/state/instance.json" ;;
		esac
		says "2 VMs running" vmsup start --vms 2
		[[ $output != *adopted* ]]
		all_are '.generation == 1 and .state == "running"'
		# their links are gone, and they with them
		for pid in $pids; do
			wait_until 20 gone "$pid"
		done
		answers 2 3
		vmsup stop
		nothing_left
	done
}

@test "whoever else is in the room is killed" {
	local room stranger
	vmsup start --vms 2
	room=$(vm_get vm0 .pid)
	# as a VM process that no document tells of, deaf to what can be ignored
	python3 - "$room" >"$LAB/in" 3>&- 4>&- <<-'EOF' &
		import ctypes, os, signal, sys
		libc = ctypes.CDLL(None, use_errno=True)
		fds = [os.open(f"/proc/{sys.argv[1]}/ns/{ns}", os.O_RDONLY)
		       for ns in ("net", "ipc", "uts", "mnt")]
		signal.signal(signal.SIGTERM, signal.SIG_IGN)
		if not all(libc.setns(fd, 0) == 0 for fd in fds):
		    sys.exit(os.strerror(ctypes.get_errno()))
		print("in", flush=True)
		while True:
		    signal.pause()
	EOF
	stranger=$!
	EXTRA+=("$stranger")
	wait_until 20 grep -q in "$LAB/in"
	crash
	says "adopted 2 running VMs, restarted 0" vmsup start
	# it is the test's own child: a zombie until it is waited for
	wait "$stranger" && code=0 || code=$?
	[[ $code == 137 ]]
	grep -q "killed process $stranger" "$VMSUP_RUN_DIR/supervisor.log"
	answers 2 3
}

@test "a VM whose link was deleted meanwhile is started anew on a new one" {
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	crash
	inside ip link del vmtap1
	wait_until 20 gone "$OLD"
	says "adopted 1 running VM, restarted 1" vmsup start
	adopted_but vm1 'lost: ended while there was no supervisor'
	answers 2 3
}

@test "a VM whose link left the bridge is started anew, with the reason" {
	vmsup start --vms 2
	OLD=$(vm_get vm1 .pid)
	crash
	inside ip link set vmtap1 nomaster
	says "adopted 1 running VM, restarted 1" vmsup start
	adopted_but vm1 \
		'protocol: not adopted: its TAP is no port of the bridge any more'
	answers 2 3
}

@test "a bridge that was deleted meanwhile: all are started anew" {
	vmsup start --vms 2
	crash
	inside ip link del vmsup0
	says "adopted 0 running VMs, restarted 2" vmsup start
	all_are '.state == "running" and .generation == 2'
	answers 2 3
	vmsup stop
	nothing_left
}

# ---- others on the host

@test "another instance never gets the uids of VMs without a supervisor" {
	local uids other
	vmsup start --vms 3
	uids=$(vmsup status --json | jq '.vms[].uid')
	crash
	cat >"$LAB/two.conf" <<-EOF
		bridge = { name = "other0"; address = "10.78.0.1/24"; };
		tap_prefix = "othertap";
	EOF
	vmsup --run-dir "$LAB/run2" start --vms 3 -c "$LAB/two.conf"
	other=$(vmsup --run-dir "$LAB/run2" status --json | jq '.vms[].uid')
	[[ $(sort -u <<<"$uids"$'\n'"$other" | wc -l) == 6 ]]
	says "adopted 3 running VMs, restarted 0" vmsup start
	[[ $(vmsup status --json | jq '.vms[].uid') == "$uids" ]]
	# and what the first one makes now is neither's
	vmsup run more
	other+=$'\n'$(vm_get more .uid)
	[[ $(sort -u <<<"$uids"$'\n'"$other" | wc -l) == 7 ]]
	vmsup --run-dir "$LAB/run2" stop
	[[ ! -e $LAB/run2 ]]
}

# ---- VM processes that lie

@test "a VM process that lies is started anew with the reason, others go on" {
	local lie costs found bad=0
	# which makes sockets, and would be refused them by the list of set-up
	lab_vmproc tests/cage/orphan tests/cage/unlisted
	"$BUILD/tests/cage/orphan" --lies >"$LAB/lies"
	{
		echo 'defaults = { timeouts = { start = 1.5; heartbeat = 0.1; };
			}; vms = ( { name = "honest"; }'
		cut -f1 "$LAB/lies" | sed 's/.*/, { name = "&"; }/'
		echo ');'
	} >"$LAB/conf"
	vmsup start -c "$LAB/conf"
	vmsup status --json | jq -r '.vms[] | "\(.name) \(.pid)"' >"$LAB/pids"
	crash
	# time for those that do it while they are alone
	sleep 3
	run vmsup start
	echo "$output"
	[[ $status == 0 ]]
	wait_until 20 all_are '.state == "running"'
	# what comes after the answer costs it its life, too
	wait_until 20 vm_has answer-twice .generation 2
	wait_until 20 all_are '.state == "running"'
	vmsup status --json >"$LAB/status"
	while IFS=$'\t' read -r lie costs; do
		found=$(jq -r --arg vm "$lie" '.vms[] | select(.name == $vm) |
			if .generation == 1 then "adopted" else .last_exit |
			"\(.reason): \(.detail)" end' "$LAB/status")
		[[ $found =~ ^($costs)$ ]] || {
			echo "$lie: expected $costs, found $found"
			bad=1
		}
		[[ $found == adopted ]] ||
			gone "$(sed -n "s/^$lie //p" "$LAB/pids")" || {
			echo "$lie: its old process is still there"
			bad=1
		}
	done <"$LAB/lies"
	vm_is honest '.generation == 1 and .last_exit == null'
	((bad == 0))
	# a call that is blocked while nobody listens is refused, and hangs
	# nobody
	says "a blocked call: ENOSYS" vmsup logs blocked-call
	# what was said alone is kept within a bound
	says "alone, line 0" vmsup logs talk
	(($(vmsup logs talk 2>/dev/null | grep -c alone) < 100))
	vmsup stop
	nothing_left
}
