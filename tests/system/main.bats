#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The main job: four VMs, pings, kills, statistics, commands, nothing left.

load ../lib

setup() {
	lab_up
	lab_check
	lab_vmproc vmproc
}

teardown() {
	lab_down
}

@test "four VMs start, answer the host and each other, and leave nothing" {
	run vmsup start --vms 4
	[ "$status" = 0 ]
	[[ "$output" == *"4 VMs running on vmsup0 (10.77.0.1/16)"* ]]
	for i in 2 3 4 5; do
		inside ping -q -c 3 -i 0.01 -W 5 10.77.0.$i
	done
	run vmsup ping vm0 vm3 -c 3 -i 0.01
	[ "$status" = 0 ]
	[[ "$output" == *"3 packets transmitted, 3 received, 0% packet loss"* ]]
	vmsup stop
	nothing_left
}

@test "status is a table that fits 80 columns, and JSON with every field" {
	vmsup start --vms 4
	run vmsup status
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 5 ]
	for line in "${lines[@]}"; do
		[ "${#line}" -le 80 ]
	done
	[[ "${lines[0]}" == NAME*STATE*PID*RESTARTS*"LAST-EXIT"* ]]
	run vmsup status --json
	[ "$(jq -r '.supervisor | keys | join(" ")' <<<"$output")" = \
		"bridge guard guard_off pid run_dir state_error uptime_s version" ]
	jq -e '.vms | length == 4 and all(.state == "running" and
		.generation == 1 and .restarts == 0 and .guest == "builtin" and
		.last_exit == null and .next_retry_s == null and
		(.pid | type == "number") and (.uptime_s >= 0) and
		(.mac | test("^([0-9a-f]{2}:){5}[0-9a-f]{2}$")) and
		(.stats | has("rx_frames") and has("rx_bytes") and
			has("rx_dropped") and has("tx_frames") and
			has("tx_bytes") and has("tx_dropped")) and
		(.total | has("rx_frames")))' <<<"$output"
	[ "$(jq -r '[.vms[].ipv4] | join(" ")' <<<"$output")" = \
		"10.77.0.2 10.77.0.3 10.77.0.4 10.77.0.5" ]
	[ "$(jq -r '[.vms[].tap] | join(" ")' <<<"$output")" = \
		"vmtap0 vmtap1 vmtap2 vmtap3" ]
	[ "$(jq '[.vms[].uid] | unique | length' <<<"$output")" = 4 ]
	[ "$(jq '[.vms[].mac] | unique | length' <<<"$output")" = 4 ]
	run vmsup status --raw --noheadings -o NAME,STATE vm2
	[ "$output" = "vm2 running" ]
}

@test "a killed VM comes back as generation 2, with the signal as last exit" {
	vmsup start --vms 4
	old=$(vm_get vm2 .pid)
	kill -9 "$old"
	wait_until 20 vm_has vm2 .generation 2
	wait_until 20 vm_has vm2 .state running
	[ "$(vm_get vm2 .restarts)" = 1 ]
	[ "$(vm_get vm2 .last_exit.reason)" = signal ]
	[ "$(vm_get vm2 .last_exit.detail)" = SIGKILL ]
	[ "$(vm_get vm2 .last_exit.generation)" = 1 ]
	[ "$(vm_get vm2 .pid)" != "$old" ]
	[ "$(vm_get vm1 .generation)" = 1 ]
	inside ping -q -c 1 -W 5 10.77.0.4
}

@test "kill --signal names any signal, and the death names it too" {
	vmsup start --vms 3
	for signal in SEGV TERM ABRT; do
		before=$(vm_get vm1 .generation)
		vmsup kill vm1 --signal $signal
		wait_until 20 vm_has vm1 .generation $((before + 1))
		[ "$(vm_get vm1 .last_exit.detail)" = SIG$signal ]
		wait_until 20 vm_has vm1 .state running
		wait_until 20 vm_steady vm1
	done
	[ "$(vm_get vm0 .restarts)" = 0 ]
}

vm_steady() {
	[ "$(vm_get "$1" '.uptime_s >= 1')" = true ]
}

@test "stop, start, restart, pause, resume and reset do what they say" {
	vmsup start --vms 2
	vmsup stop vm1
	vm_has vm1 .state stopped
	vm_has vm1 .wanted down
	vm_has vm1 .pid null
	vm_has vm1 .last_exit.asked true
	refute inside ping -q -c 1 -W 0.2 10.77.0.3
	vmsup start vm1
	vm_has vm1 .state running
	vm_has vm1 .generation 2
	vm_has vm1 .restarts 0
	inside ping -q -c 1 -W 5 10.77.0.3
	vmsup restart vm1
	vm_has vm1 .generation 3
	vm_has vm1 .restarts 0
	pid=$(vm_get vm1 .pid)
	vmsup pause vm1
	vm_has vm1 .state paused
	refute inside ping -q -c 1 -W 0.2 10.77.0.3
	vmsup resume vm1
	vm_has vm1 .state running
	[ "$(vm_get vm1 .pid)" = "$pid" ]
	inside ping -q -c 1 -W 5 10.77.0.3
	vmsup reset vm1
	vm_has vm1 .state running
	vmsup start vm1 # already wanted: no error, no change
	[ "$(vm_get vm1 .pid)" = "$pid" ]
	vm_has vm0 .generation 1
}

@test "deaths remembers how each generation ended" {
	vmsup start --vms 1
	for signal in SEGV KILL; do
		before=$(vm_get vm0 .generation)
		vmsup kill vm0 --signal $signal
		wait_until 20 vm_has vm0 .generation $((before + 1))
		wait_until 20 vm_has vm0 .state running
		wait_until 20 vm_steady vm0
	done
	vmsup restart vm0
	[ "$(vmsup deaths vm0 --json |
		jq -r 'map("\(.generation) \(.detail) \(.asked)") | join(", ")')" = \
		"1 SIGSEGV false, 2 SIGKILL false, 3 exit 0: done true" ]
	run vmsup deaths vm0
	[ "${#lines[@]}" = 4 ]
	[[ "${lines[1]}" == *SIGSEGV* ]]
}

@test "what a state has no place for is refused with the remedy" {
	vmsup start --vms 1
	vmsup stop vm0
	fails_with 1 vmsup pause vm0
	[[ "$output" == *"vm0"*"stopped"* ]]
	fails_with 1 vmsup kill vm0
	[[ "$output" == *"no process"* ]]
	fails_with 1 vmsup ping vm0 10.77.0.1 -c 1
}

@test "events tell every change as it happens" {
	vmsup start --vms 2
	wait_until 20 vm_steady vm1
	vmsup_background events --past --json >"$LAB/events"
	wait_until 20 heard vm1 "defined starting running"
	vmsup kill vm1
	wait_until 20 heard vm1 \
		"defined starting running died starting running"
	kill -TERM "$BACKGROUND"
	jq -es 'map(select(.event == "died"))[0].detail == "SIGKILL"' \
		<"$LAB/events"
}

heard() {
	[ "$(jq -rs "map(select(.vm == \"$1\").event) | join(\" \")" \
		<"$LAB/events")" = "$2" ]
}

@test "logs keep the last words of the generation that died" {
	vmsup start --vms 1
	vmsup kill vm0 --signal SEGV
	wait_until 20 vm_has vm0 .generation 2
	wait_until 20 vm_has vm0 .state running
	run vmsup logs vm0 --previous
	[[ "$output" == *"generation 1 ended, nobody asked for it: SIGSEGV"* ]]
	run vmsup logs vm0
	[[ "$output" == *"generation 2 runs"* ]]
	[[ "$output" != *"SIGSEGV"* ]]
}

@test "totals lose nothing when a VM is killed in the middle of traffic" {
	vmsup start --vms 1
	for _ in 1 2 3; do
		inside ping -q -f -c 200 -W 5 10.77.0.2
		old=$(vm_get vm0 .generation)
		kill -9 "$(vm_get vm0 .pid)"
		wait_until 20 vm_has vm0 .generation $((old + 1))
		wait_until 20 vm_has vm0 .state running
		wait_until 20 vm_steady vm0
	done
	# the TAP's own counters, of all generations together
	read -r frames bytes < <(inside ip -j -s link show vmtap0 |
		jq -r '.[0].stats64 | "\(.tx.packets) \(.tx.bytes)"')
	[ "$(vm_get vm0 .total.rx_frames)" = "$frames" ]
	[ "$(vm_get vm0 .total.rx_bytes)" = "$bytes" ]
	[ "$(vm_get vm0 .total.tx_frames)" -ge 600 ]
	[ "$(vm_get vm0 .stats.tx_frames)" -lt 600 ]
}

@test "two instances live side by side, and no uid is shared" {
	vmsup start --vms 2
	cat >"$LAB/two.conf" <<-EOF
		bridge = { name = "other0"; address = "10.78.0.1/24"; };
		tap_prefix = "othertap";
	EOF
	other() {
		inside env VMSUP_RUN_DIR="$LAB/run2" "$LAB/bin/vmsup" "$@" \
			3>&- 4>&-
	}
	other start --vms 2 -c "$LAB/two.conf"
	inside ping -q -c 1 -W 5 10.78.0.2
	inside ping -q -c 1 -W 5 10.77.0.2
	uids=$({
		other status --json
		vmsup status --json
	} | jq -s '[.[].vms[].uid] | unique | length')
	[ "$uids" = 4 ]
	other stop
	inside ping -q -c 1 -W 5 10.77.0.2
	vmsup stop
	nothing_left
	[ ! -e "$LAB/run2" ]
}

@test "a VM defined at run time lives like the others" {
	vmsup start --vms 1
	vmsup run web --address 10.77.5.5
	inside ping -q -c 1 -W 5 10.77.5.5
	vmsup run db
	vm_has db .ipv4 10.77.0.3
	fails_with 1 vmsup run web
	[[ "$output" == *"web"* ]]
	vmsup stop
	nothing_left
}

# What a worker begins as: more is defined later.
@test "a configuration without a VM: a supervisor that takes them later" {
	echo 'bridge = { name = "few0"; };' >"$LAB/conf"
	run vmsup start -c "$LAB/conf"
	[ "$status" = 0 ]
	[[ "$output" == *"0 VMs running on few0"* ]]
	vmsup status --json | jq -e '.vms == []'
	vmsup upgrade
	vmsup detach
	# without a word on what: as it was
	run vmsup start
	[ "$status" = 0 ]
	[[ "$output" == *"0 VMs running on few0"* ]]
	kill -KILL "$(supervisor_pid)"
	vmsup start
	vmsup run web
	inside ping -q -c 1 -W 5 "$(vm_get web .ipv4)"
	vmsup stop
	nothing_left
	# but somebody must have said so
	fails_with 2 vmsup start
	[[ "$output" == *"no VM to start: give --vms N or -c FILE"* ]]
}

@test "VMs that don't start by themselves are there, stopped, after a start" {
	{
		echo 'vms = ( { name = "first"; }'
		for i in $(seq 200); do
			echo ", { name = \"idle$i\"; autostart = false; }"
		done
		echo ');'
	} >"$LAB/conf"
	run vmsup start -c "$LAB/conf"
	[ "$status" = 0 ]
	[[ "$output" == *"1 VM running"* ]]
	vm_has first .state running
	vm_has idle200 .state stopped
	vm_has idle200 .generation 0
	vmsup start idle200
	vm_has idle200 .state running
}
