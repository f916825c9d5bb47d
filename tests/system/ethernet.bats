#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Several hosts on one Ethernet: two instances, each in a network namespace with
# an uplink to a switch in a third; a VM that runs now here, now there.

load ../lib

setup() {
	lab_up
	lab_check
	lab_vmproc vmproc
	SWITCH=$LAB_NETNS-sw OTHER=$LAB_NETNS-b
	for name in "$SWITCH" "$OTHER"; do
		ip netns add "$name"
		ip -n "$name" link set lo up
	done
	ip -n "$SWITCH" link add sw type bridge
	ip -n "$SWITCH" link set sw up
	echo 'vms = ( { name = "web"; mac = "02:00:00:00:07:07";
		address = "10.77.0.7"; autostart = false; } );' >"$LAB/here"
	{ echo 'bridge = { address = "10.77.0.2/16"; };' && cat "$LAB/here"; } \
		>"$LAB/there"
	vmsup start -c "$LAB/here"
	there start -c "$LAB/there"
	uplink "$LAB_NETNS" porta
	uplink "$OTHER" portb
}

teardown() {
	[[ -z ${OTHER:-} ]] || {
		[[ ! -S $LAB/there.d/control.sock ]] || there stop
		ip netns del "$OTHER"
		ip netns del "$SWITCH"
	}
	# its own, which vmsup leaves
	ip -n "$LAB_NETNS" link del up0 2>/dev/null || true
	lab_down
}

# The same product, on the other host.
there() {
	nsenter --net="/run/netns/$OTHER" -- "$LAB/bin/vmsup" \
		--run-dir "$LAB/there.d" "$@" 3>&- 4>&-
}

# uplink NAMESPACE PORT: from the bridge there to the switch.
uplink() {
	ip -n "$1" link add up0 type veth peer name "$2" netns "$SWITCH"
	ip -n "$SWITCH" link set "$2" master sw up
	ip -n "$1" link set up0 master vmsup0 up
}

ping_here() {
	inside ping -q -c 1 -W 2 10.77.0.7
}

ping_there() {
	nsenter --net="/run/netns/$OTHER" -- ping -q -c 1 -W 2 10.77.0.7
}

# entry NAMESPACE: what the bridge there knows of the guest's MAC.
entry() {
	ip netns exec "$1" bridge fdb show | grep ^02:00:00:00:07:07
}

@test "a VM fails over to another host and back, and each reaches it" {
	# a VM that isn't wanted up here is nobody's here
	refute entry "$OTHER"
	vmsup start web
	ping_here
	ping_there
	[[ $(entry "$OTHER") == *"dev up0 "* ]]

	vmsup stop web
	refute entry "$LAB_NETNS"
	there start web
	[[ $(entry "$OTHER") == *"dev vmtap0 "*static* ]]
	ping_there
	ping_here

	# nobody begins to know better
	vmsup upgrade
	ping_here
	[[ $(entry "$LAB_NETNS") != *static* ]]

	there stop web
	vmsup start web
	ping_there
	ping_here
	vmsup kill web
	wait_until 20 vm_is web '.generation == 3 and .state == "running"'
	ping_there
}

@test "an entry that somebody pinned is refused, with the remedy" {
	inside bridge fdb add 02:00:00:00:07:07 dev up0 master static
	fails_with 1 vmsup start web
	[[ $output == *"bridge fdb del 02:00:00:00:07:07 dev up0 master"* ]]
	vm_has web .state failed
	vm_has web .restarts 0
	inside bridge fdb del 02:00:00:00:07:07 dev up0 master
	vmsup reset web
	wait_until 20 vm_has web .state running
	ping_there
}
