#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input: one line that says what, why and the remedy; the right exit status;
# and nothing changed.

load ../lib

setup() {
	lab_up
	lab_check
	lab_vmproc vmproc
}

teardown() {
	lab_down
}

# refused STATUS TEXT COMMAND...: it ends with STATUS, saying one line with TEXT
# in it, and the lab is as it was.
refused() {
	local want=$1 text=$2 before after
	shift 2
	before=$(picture)
	fails_with "$want" "$@"
	after=$(picture)
	[[ ${#lines[@]} == 1 && ${lines[0]} == "vmsup: "* ]] || {
		echo "not one line of vmsup's: $output"
		return 1
	}
	[[ $output == *"$text"* ]] || {
		echo "no '$text' in: $output"
		return 1
	}
	[[ $before == "$after" ]] || {
		diff <(echo "$before") <(echo "$after")
		return 1
	}
}

picture() {
	inside ip -j link show | jq -c '.[] | [.ifname, .master, .address, .mtu]'
	inside ip -j addr show | jq -c '.[] | [.ifname, [.addr_info[].local]]'
	lab_pids
	find "$LAB" ! -path "$LAB/conf" | sort
}

as_nobody() {
	chmod 755 "$LAB"
	inside setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$LAB/bin/vmsup" "$@" 3>&- 4>&-
}

@test "usage errors name what is wrong, and exit with 2" {
	refused 2 frobnicate vmsup frobnicate
	refused 2 --frob vmsup --frob
	refused 2 --frob vmsup status --frob
	for count in 0 -1 abc 1000000000 99999999999999999999 1.5 ''; do
		refused 2 "$count" vmsup start --vms "$count"
	done
	refused 2 NOSUCH vmsup kill vm0 --signal NOSUCH
	refused 2 nosuch vmsup status -o NAME,nosuch
	run vmsup
	[ "$status" = 2 ]
	run vmsup ping vm0
	[ "$status" = 2 ]
}

@test "no supervisor is 3, no such VM is 4" {
	for command in status stop 'stop vm0' 'start vm0' 'kill vm0' events \
		'logs vm0' 'sandbox vm0' 'ping vm0 vm1 -c 1' 'pause vm0'; do
		# shellcheck disable=SC2086 # several words
		refused 3 "no supervisor" vmsup $command
	done
	vmsup start --vms 1
	for command in 'status vm9' 'stop vm9' 'start vm9' 'kill vm9' \
		'logs vm9' 'sandbox vm9' 'ping vm9 vm0 -c 1' 'restart vm9'; do
		# shellcheck disable=SC2086 # several words
		refused 4 vm9 vmsup $command
	done
	fails_with 1 vmsup start --vms 1
	[[ $output == *"$(supervisor_pid)"* ]]
}

@test "not root: what, why, remedy" {
	refused 1 root as_nobody start --vms 2
}

@test "no /dev/net/tun: what, why, remedy" {
	refused 1 /dev/net/tun inside unshare -m sh -c \
		"mount -t tmpfs none /dev/net && exec '$LAB/bin/vmsup' start --vms 2"
	[[ $output == *"modprobe tun"* ]]
}

@test "names and addresses of others are left alone" {
	inside ip link add vmsup0 type bridge
	refused 1 vmsup0 vmsup start --vms 2
	inside ip link del vmsup0
	inside ip link add vmtap1 type veth
	refused 1 vmtap1 vmsup start --vms 2
	inside ip link del vmtap1
	inside ip link add other0 type bridge
	inside ip addr add 10.77.0.1/24 dev other0
	refused 1 10.77.0.1 vmsup start --vms 2
}

@test "more VMs than the bridge has ports, or the subnet addresses" {
	refused 1 1023 vmsup start --vms 1024
	echo 'bridge = { address = "10.77.0.1/29"; };' >"$LAB/conf"
	refused 1 address vmsup start -c "$LAB/conf" --vms 6
	vmsup start -c "$LAB/conf" --vms 5
	fails_with 1 vmsup run one-more
	[[ $output == *address* ]]
}

@test "every error of a configuration is told, with file and line" {
	cat >"$LAB/conf" <<-EOF
		bridge = { name = "waytoolongforalink0"; };
		vms = ( { name = "Web"; },
			{ name = "a"; mac = "ff:ff:ff:ff:ff:ff"; },
			{ name = "b"; address = "192.168.0.1"; },
			{ name = "b"; guest = "xen"; color = "blue"; } );
	EOF
	before=$(picture)
	fails_with 2 vmsup start -c "$LAB/conf"
	[ "$(picture)" = "$before" ]
	for where in 1 2 3 4 5; do
		[[ $output == *"$LAB/conf:$where: "* ]] || {
			echo "no line $where in: $output"
			return 1
		}
	done
	[[ $output == *xen* && $output == *color* ]]
	echo 'vms = ( { name = "a" ' >"$LAB/conf"
	fails_with 2 vmsup start -c "$LAB/conf"
	[[ $output == *"$LAB/conf:"*syntax* ]]
	refused 1 /nowhere/conf vmsup start -c /nowhere/conf
}

@test "a run directory that others can write, or that is used, is refused" {
	mkdir -m 777 "$LAB/open"
	refused 1 "$LAB/open" vmsup --run-dir "$LAB/open" start --vms 1
	long=$LAB/$(printf 'x%.0s' {1..120})
	refused 2 "$long" vmsup --run-dir "$long" status
}

@test "no vmproc to be found" {
	rm "$LAB/bin/vmproc"
	refused 1 vmproc vmsup start --vms 1
}

@test "a supervisor that dies is told from one that was never there" {
	vmsup start --vms 1
	pid=$(supervisor_pid)
	kill -9 "$pid"
	wait_until 20 gone "$pid"
	for command in status stop 'stop vm0' 'kill vm0' events; do
		# shellcheck disable=SC2086 # several words
		refused 3 "outlived it ('vmsup start' takes them over" \
			vmsup $command
	done
	vmsup start
	vm_has vm0 .state running
	vm_has vm0 .generation 1
}

@test "output that can't be written is a failure" {
	vmsup start --vms 1
	run inside sh -c "'$LAB/bin/vmsup' status >/dev/full"
	[ "$status" = 1 ]
	[[ $output == *"No space left"* ]]
}

@test "check says what this host has, and --help what there is" {
	# as a terminal of 80 columns shows it
	run inside script -qec "stty cols 80; '$LAB/bin/vmsup' check" /dev/null
	[ "$status" = 0 ]
	for line in "${lines[@]}"; do
		line=${line%$'\r'}
		[ "${#line}" -le 80 ]
	done
	# whether VMs can be taken over is tried, too: it needs this capability
	run inside "$LAB/bin/vmsup" check
	[[ $output =~ adoption\ +ok\  ]]
	run inside setpriv --bounding-set=-sys_ptrace "$LAB/bin/vmsup" check
	[ "$status" = 0 ]
	[[ $output =~ adoption\ +optional\ .*CAP_SYS_PTRACE ]]
	run vmsup --help
	[ "$status" = 0 ]
	for command in start stop restart reset pause resume status events logs deaths \
		ping kill sandbox check run detach; do
		[[ $output == *"  $command "* ]]
		run vmsup "$command" --help
		[ "$status" = 0 ]
		[[ $output == "Usage: vmsup $command"* ]]
		for line in "${lines[@]}"; do
			[ "${#line}" -le 80 ]
		done
		run vmsup --help
	done
	run vmsup --version
	[[ $output =~ ^vmsup\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}
