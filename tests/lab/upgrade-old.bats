#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real guests under the oldest build that upgrades are promised from: they go on
# under this build, and one that dies then is started anew by this build's vmproc,
# under the system call list that was inherited.

load guests
load ../system/upgrade

setup() {
	[[ -n ${LAB_KERNEL:-} ]] ||
		LAB_OBSTACLE="tests/lab/l1 bats runs it" lab_check
	lab_up
	lab_check
	lab_vmproc vmproc
	mkdir "$LAB/cli"
	cp "$LAB/bin/"* "$LAB/cli"
	install_previous
	launch --vms 1
	truncate -s 16M "$LAB/disk.img"
	guest_run web 1 --memory 96M --cpus 2 --disk "$LAB/disk.img"
	guest_ready web
	guest_run fast 2 --memory 96M --vhost auto
	guest_ready fast
	install_present
}

teardown() {
	[[ -z ${LAB_OBSTACLE-none} ]] || return 0
	[[ -z ${PINGING:-} ]] || kill "$PINGING" 2>/dev/null || true
	provide "$BUILD/vmsup"
	guests_down
}

guest_identities() {
	vmsup status --json | jq -c '.vms[] | [.name, .state, .pid, .generation,
		.uid, .tap, .mac]'
}

# pinged_slowly COMMAND...: with web pinged all the while, as often as an
# emulated machine can; but for the last ping, which is under way, none is lost.
pinged_slowly() {
	local sent received
	nsenter --net="/run/netns/$LAB_NETNS" ping -q -i 0.2 "$(guest_ip 1)" \
		>"$LAB/pings" 3>&- 4>&- &
	PINGING=$!
	"$@"
	guest_ping 1 8 # at the same pace: at least as many of the others go out
	kill -INT $PINGING
	wait $PINGING
	PINGING=
	read -r sent received < <(sed -n \
		's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' \
		"$LAB/pings")
	cat "$LAB/pings"
	((sent >= 5 && sent - received <= 1))
}

# comes_back NAME NUMBER GENERATION: killed, it is that one, of this build.
comes_back() {
	kill -9 "$(vm_get "$1" .pid)"
	wait_until 120 vm_is "$1" ".generation == $3 and .state == \"running\""
	cmp "/proc/$(vm_get "$1" .pid)/exe" "$BUILD/vmproc"
	guest_ready "$1"
	guest_ping "$2"
	vmsup sandbox "$1" >"$LAB/sandbox" || {
		cat "$LAB/sandbox"
		return 1
	}
}

@test "guests of the oldest build: upgrade, kill -9, crash, adoption, kill -9" {
	before=$(guest_identities)
	pinged_slowly vmsup upgrade
	[ "$(guest_identities)" = "$before" ]
	cmp "/proc/$(supervisor_pid)/exe" "$BUILD/vmsup"
	comes_back web 1 2
	comes_back fast 2 2
	crash
	run launch
	echo "$output"
	[[ $status == 0 && $output == *"adopted 3 running VMs, restarted 0"* ]]
	comes_back web 1 3
}

@test "guests of the oldest build: its crash, adoption, kill -9" {
	before=$(guest_identities)
	crash_and_start() {
		crash
		launch >"$LAB/out"
	}
	pinged_slowly crash_and_start
	grep -q "adopted 3 running VMs, restarted 0" "$LAB/out"
	[ "$(guest_identities)" = "$before" ]
	comes_back web 1 2
	comes_back fast 2 2
}
