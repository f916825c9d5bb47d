#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A VM's life: links that never flap, hangs, crash loops, lost TAPs, orphans
# that end.

load ../lib

setup() {
	lab_up
	lab_check
	lab_vmproc vmproc
}

teardown() {
	lab_down
}

# configured LINE...: a configuration with these lines.
configured() {
	printf '%s\n' "$@" >"$LAB/conf"
	vmsup start -c "$LAB/conf" --vms 2
}

steady() {
	vm_is "$1" '.state == "running" and .uptime_s >= 1'
}

@test "the link of a killed VM never flaps, and keeps index and port" {
	vmsup start --vms 1
	wait_until 20 steady vm0
	before=$(inside ip -j link show vmtap0 |
		jq -c '.[0] | [.ifindex, .address, .master]')
	inside stdbuf -oL ip monitor link >"$LAB/links" 3>&- &
	monitor=$!
	# the monitor listens once it shows a change that we made
	wait_until 20 poke
	: >"$LAB/links"
	for _ in 1 2 3; do
		old=$(vm_get vm0 .generation)
		kill -9 "$(vm_get vm0 .pid)"
		wait_until 20 vm_has vm0 .generation $((old + 1))
		wait_until 20 steady vm0
	done
	inside ip link set lo alias end
	wait_until 20 grep -q ' lo:' "$LAB/links"
	kill "$monitor"
	refute grep -q vmtap0 "$LAB/links"
	[ "$(inside ip -j link show vmtap0 |
		jq -c '.[0] | [.ifindex, .address, .master]')" = "$before" ]
}

poke() {
	inside ip link set lo alias "$RANDOM"
	grep -q ' lo:' "$LAB/links"
}

@test "a ping sent while the VM is dead is answered when it is back" {
	configured 'defaults = { restart = { delay_min = 3.0; jitter = 0;
		steady = 50.0; }; };'
	# it hasn't run for long: the restart waits for the delay
	kill -9 "$(vm_get vm0 .pid)"
	wait_until 20 vm_has vm0 .state backoff
	run inside ping -c 1 -W 20 10.77.0.2
	[ "$status" = 0 ]
	[[ "$output" == *"1 received"* ]]
	# it waited in the queue for the next generation
	vm_has vm0 .generation 2
	[[ "$output" =~ time=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -ge 100 ]
}

@test "a stopped process is noticed by the watchdog and replaced" {
	configured 'defaults = { timeouts = { heartbeat = 0.1; watchdog = 1.5;
		abort = 0.2; }; };'
	wait_until 20 steady vm1
	vmsup kill vm1 --signal STOP
	wait_until 20 vm_has vm1 .generation 2
	wait_until 20 vm_has vm1 .state running
	vm_has vm1 .last_exit.reason watchdog
	[[ "$(vm_get vm1 .last_exit.detail)" == "no heartbeat for 1.5 s" ]]
	vm_has vm0 .generation 1
	inside ping -q -c 1 -W 5 10.77.0.3
}

@test "a crash loop backs off with jitter, fails, and reset clears it" {
	configured 'defaults = { restart = { steady = 50.0; }; };'
	for i in 1 2 3 4 5; do
		wait_until 20 vm_has vm0 .state running
		kill -9 "$(vm_get vm0 .pid)"
		wait_until 20 vm_is vm0 ".last_exit.generation == $i"
		[ $i = 1 ] || continue
		vm_is vm0 '.state != "backoff" or
			(.next_retry_s >= 0 and .next_retry_s <= 0.12)'
	done
	wait_until 20 vm_has vm0 .state failed
	vm_has vm0 .next_retry_s null
	vm_has vm0 .pid null
	vm_has vm0 .restarts 4
	vm_has vm1 .state running
	vm_has vm1 .generation 1
	vmsup status | grep -q failed
	# each delay is within 20 % of 0.1, 0.2, 0.4, 0.8 s
	vmsup logs vm0 --previous >/dev/null
	jq -rs 'map(select(.vm == "vm0" and .event == "backoff").detail)[]' \
		<<<"$(past_events)" >"$LAB/delays"
	[ "$(wc -l <"$LAB/delays")" = 4 ]
	awk '{ d = $4; want = 0.1 * 2 ^ (NR - 1)
		if (d < want * 0.79 - 0.05 || d > want * 1.21 + 0.05) exit 1
	}' "$LAB/delays"
	vmsup reset vm0
	wait_until 20 vm_has vm0 .state running
	inside ping -q -c 1 -W 5 10.77.0.2
}

@test "a policy not to restart leaves a killed VM stopped" {
	configured 'defaults = { restart = { enabled = false; }; };'
	vmsup kill vm0
	wait_until 20 vm_has vm0 .state stopped
	vm_has vm0 .last_exit.detail SIGKILL
	vmsup start vm0
	vm_has vm0 .state running
}

@test "a deleted TAP is a death with a reason, and is made anew" {
	vmsup start --vms 2
	wait_until 20 steady vm0
	inside ip link del vmtap0
	wait_until 20 vm_has vm0 .generation 2
	wait_until 20 vm_has vm0 .state running
	vm_has vm0 .last_exit.detail "exit 69: TAP deleted"
	inside ping -q -c 1 -W 5 10.77.0.2
	vm_has vm1 .generation 1
	vmsup stop
	nothing_left
}

@test "a TAP that is down drops and counts; up again, all is well" {
	vmsup start --vms 2
	wait_until 20 steady vm0
	inside ip link set vmtap0 down
	# what the VM sends now is refused with EIO
	run vmsup ping vm0 vm1 -c 2 -i 0.01 -W 0.5
	[ "$status" = 1 ]
	vm_is vm0 '.stats.drops.tx_drop_link_down >= 1 and .stats.tx_dropped >= 1'
	vm_has vm0 .generation 1
	inside ip link set vmtap0 up
	inside ping -q -c 2 -i 0.05 -W 5 10.77.0.2
	# the first may meet what vm0 asked while it was down, given up just now
	wait_until 20 vmsup ping vm0 vm1 -c 1
	vm_has vm0 .generation 1
}

@test "payloads of every size up to the MTU, beyond it, and with a larger MTU" {
	vmsup start --vms 2
	for size in 0 1 17 56 1472 1473 4000 20000 65000; do
		inside ping -q -c 1 -W 5 -s $size 10.77.0.2
		vmsup ping vm0 vm1 -c 1 -s $size
	done
	inside ip link set vmtap0 mtu 9000
	inside ip link set vmtap1 mtu 9000
	inside ip link set vmsup0 mtu 9000
	# in one frame each way, once the VMs have heard of it
	wait_until 20 jumbo
	vm_has vm0 .generation 1
}

jumbo() {
	local before after
	before=$(vm_get vm0 .stats.tx_frames)
	inside ping -q -c 1 -W 5 -s 8972 -M 'do' 10.77.0.2 || return 1
	after=$(vm_get vm0 .stats.tx_frames)
	[ $((after - before)) = 1 ]
}

@test "IPv6: link-local and given addresses answer host and VMs" {
	[ -e /proc/sys/net/ipv6 ] || cannot "no IPv6 in this kernel"
	cat >"$LAB/conf" <<-EOF
		bridge = { address6 = "fd77::1/64"; };
		vms = ( { name = "a"; address6 = "fd77::a/64"; },
			{ name = "b"; address6 = "fd77::b/64"; } );
	EOF
	vmsup start -c "$LAB/conf"
	# duplicate address detection takes its time
	wait_until 20 inside ping -q -c 1 -W 1 fd77::a
	inside ping -q -c 1 -W 5 -s 3000 fd77::b
	wait_until 20 vmsup ping a fd77::b -c 1 -W 1
	mac=$(vm_get a .mac)
	IFS=: read -r m1 m2 m3 m4 m5 m6 <<<"$mac"
	local=$(printf 'fe80::%x%s:%sff:fe%s:%s%s' $((0x$m1 ^ 2)) "$m2" "$m3" \
		"$m4" "$m5" "$m6")
	inside ping -q -c 1 -W 5 "$local%vmsup0"
	vmsup ping b "$local" -c 1 -W 5
}

@test "VMs that are to end with their supervisor do, even a stopped one" {
	configured 'vms = ( { name = "other"; } );
		defaults = { restart = { orphan = "end"; }; };'
	vmsup kill vm0 --signal STOP
	pids=$(vmsup status --json | jq '.vms[].pid')
	kill -9 "$(supervisor_pid)"
	for pid in $pids; do
		wait_until 20 gone "$pid"
	done
	fails_with 3 vmsup status
	run vmsup start
	[ "$status" = 0 ]
	[[ $output == *"adopted 0 running VMs, restarted 3"* ]]
	all_are '.generation == 2 and .last_exit.reason == "lost"'
	inside ping -q -c 1 -W 5 10.77.0.2
	vmsup stop
	nothing_left
}

@test "a supervisor that was held up doesn't blame its VMs" {
	configured 'defaults = { timeouts = { heartbeat = 0.1; watchdog = 1.5;
		abort = 0.2; }; };'
	wait_until 20 steady vm1
	pid=$(supervisor_pid)
	kill -STOP "$pid"
	sleep 3.5 # twice and more what the watchdog bears
	kill -CONT "$pid"
	wait_until 20 vm_is vm0 '.uptime_s > 6'
	vm_has vm0 .generation 1
	vm_has vm1 .generation 1
}

@test "a stop that takes its time says so, and need not take it" {
	vmsup start --vms 2
	# such a process takes no request: it is killed after 5 s
	vmsup kill vm0 --signal STOP
	run vmsup stop vm0
	echo "$output"
	[ "$status" = 0 ]
	[[ ${#lines[@]} == 1 && $output == *"vm0 was asked to stop and hasn't yet"*"'vmsup stop --now vm0'"* ]]
	# one that obeys says nothing
	run vmsup stop vm1
	[[ $status == 0 && -z $output ]]
	vmsup start vm0 vm1
	vmsup kill vm0 vm1 --signal STOP
	local before=$SECONDS
	run vmsup stop --now vm0
	[[ $status == 0 && -z $output ]]
	run vmsup stop --timeout 1 vm1
	[[ $status == 0 && -z $output ]]
	((SECONDS - before < 5))
	for name in vm0 vm1; do
		vm_is $name '.state == "stopped" and .restarts == 0 and
			.last_exit.detail == "SIGKILL"'
	done
	fails_with 2 vmsup stop --timeout -1 vm0
	fails_with 2 vmsup stop --now
	fails_with 2 vmsup stop --now --no-wait vm0
}

@test "a start while all is being stopped is refused, and the stop goes on" {
	configured 'defaults = { timeouts = { stop_guest = 3.0;
		stop_process = 0.5; }; };'
	pid=$(supervisor_pid)
	vmsup kill vm0 --signal STOP
	vmsup_background stop
	wait_until 20 vm_has vm1 .state stopped
	fails_with 1 vmsup start --no-wait vm1
	[[ $output == *stopping* ]]
	wait_until 20 gone "$pid"
	nothing_left
}

@test "children are reaped even if the caller ignores SIGCHLD" {
	inside python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$LAB/bin/vmsup" start --vms 1 3>&- 4>&-
	vmsup kill vm0
	wait_until 20 vm_has vm0 .generation 2
	vm_has vm0 .last_exit.detail SIGKILL
}

@test "each VM has a policy of its own for the end of its supervisor" {
	configured 'vms = ( { name = "goes"; restart = { orphan = "end"; }; } );'
	goes=$(vm_get goes .pid)
	stays=$(vm_get vm0 .pid)
	kill -9 "$(supervisor_pid)"
	wait_until 20 gone "$goes"
	inside ping -q -c 1 -W 5 "10.77.0.3"
	refute gone "$stays"
	run vmsup start
	[[ $output == *"adopted 2 running VMs, restarted 1"* ]]
	vm_has vm0 .pid "$stays"
	vm_has goes .generation 2
	vm_has goes .last_exit.reason lost
}

@test "frames that a full queue drops are counted, also while the VM is paused" {
	vmsup start --vms 1
	vmsup pause vm0
	inside ping -q -l 4000 -c 4000 -w 1 10.77.0.2 || true
	dropped=$(inside ip -j -s link show vmtap0 |
		jq '.[0].stats64.tx.dropped')
	[ "$dropped" -gt 0 ]
	wait_until 20 vm_is vm0 ".stats.drops.rx_drop_queue == $dropped"
	vm_is vm0 ".stats.rx_dropped >= $dropped"
	vmsup restart vm0
	wait_until 20 vm_is vm0 ".total.drops.rx_drop_queue == $dropped"
}
