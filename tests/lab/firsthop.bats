#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The first-hop guard between Linux guests, with vhost-net and without: what a
# guest's own root sends its siblings. tests/lab/l1 runs it where that can be.
# What the guest is to expand stands in single quotes.
# shellcheck disable=SC2016

load guests

REASONS="ra redirect mld_query dhcp_server"

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	guest_run plain 1
	guest_run vhost 2 --vhost on
	guest_ready plain vhost
	wait_until 30 settled 1
	wait_until 30 settled 2
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
	need_vmsup
}

# settled NUMBER: the guest knows that its link-local address is its own, and can
# send from it.
settled() {
	in_guest "$1" 'ip addr show dev eth0' |
		grep -q 'inet6 fe80.* scope link *$'
}

# attack NUMBER: by the guest's root; five frames of each kind.
attack() {
	# of 1,800 s; for ff02::1, which every host hears
	in_guest "$1" 'wire raw 58 ff02::1%eth0 5 "8600 0000 40 00 0708 00000000 00000000"'
	in_guest "$1" 'wire raw 58 ff02::1%eth0 5 "8200 0000 2710 0000 00000000000000000000000000000000"'
	in_guest "$1" 'wire raw 58 ff02::1%eth0 5 "8900 0000 00000000 fe800000000000000000000000000001 20010db8000000000000000000000001"'
	in_guest "$1" "wire raw 17 10.77.255.255 5 '0043 0044 0010 0000 0201060000000000'"
}

# link_local NUMBER: a guest's address.
link_local() {
	in_guest "$1" 'ip -6 addr show dev eth0 scope link' |
		sed -n 's|.*inet6 \(fe80[^/]*\)/.*|\1|p'
}

dropped() {
	vm_get "$1" ".total.drops.tx_drop_$2 // 0"
}

has_default_route() {
	in_guest "$1" 'ip -6 route show default' | grep -q '^default'
}

# attacks NAME NUMBER VICTIM: they have no effect there, and are counted.
attacks() {
	local reason
	[ "$(in_guest "$3" 'cat /proc/sys/net/ipv6/conf/eth0/accept_ra')" = 1 ]
	attack "$2"
	for reason in $REASONS; do
		[ "$(dropped "$1" "$reason")" = 5 ]
	done
	refute has_default_route "$3"
	in_guest "$2" "ping -c 2 -I eth0 $(link_local "$3")"
}

@test "what a guest under vhost-net says is dropped, counted, and deceives nobody" {
	vm_is vhost '.guarded'
	attacks vhost 2 1
}

@test "what a guest without it says is so as well" {
	attacks plain 1 2
}

@test "a query a second, and the siblings still find each other" {
	local second
	for ((second = 0; second < 5; second++)); do
		in_guest 2 'wire raw 58 ff02::1%eth0 1 "8200 0000 2710 0000 00000000000000000000000000000000"'
		in_guest 1 "ip neigh flush dev eth0; ping -c 1 -I eth0 $(link_local 2)"
	done
}

@test "a guest that may is heard" {
	guest_run router 3 --allow ra
	guest_ready router
	wait_until 30 settled 3
	vm_is router '.allow == ["ra"]'
	attack 3
	[ "$(dropped router ra)" = 0 ]
	[ "$(dropped router mld_query)" = 5 ]
	wait_until 30 has_default_route 1
	has_default_route 2
	in_guest 1 'ip -6 route show default' | grep -q "$(link_local 3)"
}

@test "counted in this process's life and in all, and after a take-over as well" {
	local pid ra
	ra=$(dropped vhost ra)
	pid=$(supervisor_pid)
	kill -9 "$pid"
	wait_until 60 gone "$pid"
	attack 2
	vmsup start
	[ "$(dropped vhost ra)" = $((ra + 5)) ]
	vm_is vhost ".generation == 1 and .stats.drops.tx_drop_ra == $((ra + 5))"
}

# A kernel before 6.9 has no table that is its owner's alone.
@test "a firewall that is loaded anew takes it away from nobody" {
	need nft
	inside nft flush ruleset || true
	wait_until 60 guarded
	[ "$(vmsup status --json | jq .supervisor.guard)" = true ]
}

guarded() {
	inside nft list ruleset | grep -q 'hook ingress device "vmtap'
}
