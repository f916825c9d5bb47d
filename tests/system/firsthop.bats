#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The first-hop guard: what one VM may send the others. Frames are written in a
# VM's place; what each kind is counted as, tests/unit/supervisor/net/test_guard.c
# has in full.

load ../lib
load upgrade

FRAMES=$BUILD/tests/system/frames
ALL_NODES=333300000001
LINK_LOCAL="fe800000000000000000000000000001 ff020000000000000000000000000001"

setup_file() {
	need nft
}

# four_vms: a victim, a friend of its, an attacker, and a router, which may.
four_vms() {
	configured 'bridge = { address6 = "fd77::1/64"; };' 'vms = (' \
		'{ name = "victim"; address6 = "fd77::2/64"; },' \
		'{ name = "friend"; address6 = "fd77::3/64"; },' \
		'{ name = "attacker"; },' \
		'{ name = "router"; allow = ( "ra", "dhcp-server",' \
		'"mld-query", "redirect" ); } );'
}

# own NAME: its MAC, as in a frame.
own() {
	vm_get "$1" .mac | tr -d :
}

# say NAME COUNT TO REST...: it sends that, from its own MAC.
say() {
	local mac rest frames=()
	mac=$(own "$1")
	for rest in "${@:4}"; do
		frames+=("$3$mac$rest")
	done
	"$FRAMES" "$(vm_get "$1" .pid)" "$2" "${frames[@]}"
}

# dropped NAME REASON: how many frames of it, in all.
dropped() {
	vm_get "$1" ".total.drops.tx_drop_$2 // 0"
}

heard() {
	vm_get "$1" .stats.rx_frames
}

v6() { # LENGTH-AND-NEXT-HEADER PAYLOAD
	echo "86dd 60000000 $1 $LINK_LOCAL $2"
}

mld_query() {
	v6 "0020 00 01" "3a 00 0502 0000 0100 8200 7d17 2710 0000 $(zeroes 16)"
}

router_advertisement() {
	v6 "0010 3a ff" "8600 0000 40 00 0708 $(zeroes 8)"
}

redirect() {
	v6 "0028 3a ff" "8900 0000 00000000 $(zeroes 32)"
}

dhcp_answer() {
	echo "0800 4500 001c 0001 0000 40 11 0000 0a4d0004 ffffffff" \
		"0043 0044 0008 0000 $(zeroes 18)"
}

zeroes() {
	printf '%0*d' $((2 * $1)) 0
}

# each_kind NAME COUNT: of frames that not everybody may send.
each_kind() {
	say "$1" "$2" "$ALL_NODES" "$(mld_query)" "$(router_advertisement)" \
		"$(redirect)"
	say "$1" "$2" ffffffffffff "$(dhcp_answer)"
}

# of_ours: tables in this network namespace that are vmsup's.
of_ours() {
	inside nft list tables | grep -c '^table netdev vmsup-' || true
}

# guarded COUNT: so many TAPs are.
guarded() {
	[ "$(inside nft list ruleset | grep -c 'hook ingress device "vmtap')" = "$1" ]
}

# ---- what passes

@test "what only a router says doesn't reach the siblings, but for who may" {
	local reason before
	four_vms
	all_are '.guarded'
	vm_is router '.allow == ["ra", "redirect", "mld-query", "dhcp-server"]'
	vm_is attacker '.allow == []'
	# the siblings have their addresses by then, and are quiet, or nearly so
	wait_until 20 vmsup ping friend fd77::2 -c 1
	before=$(heard victim)
	each_kind attacker 50
	(($(heard victim) - before < 50))
	for reason in mld_query ra redirect dhcp_server; do
		[ "$(dropped attacker $reason)" = 50 ]
		[ "$(dropped router $reason)" = 0 ]
	done
	before=$(heard victim)
	each_kind router 50
	# the bridge itself takes no query and no IPv4 without its checksums
	wait_until 20 heard_more victim $((before + 100))
	[ "$(vm_get router '[.total.drops | to_entries[] |
		select(.key | startswith("tx_"))] | length')" = 0 ]
	vmsup ping friend fd77::2 -c 3
}

heard_more() {
	(($(heard "$1") >= $2))
}

@test "one query a second takes nobody's group away" {
	four_vms
	# once its address is known to be its own (RFC 4862)
	wait_until 10 vmsup ping friend fd77::2 -c 1
	for ((i = 0; i < 3; i++)); do
		say attacker 1 "$ALL_NODES" "$(mld_query)"
		# and one that may be heard, from who may
		say router 1 "$ALL_NODES" "$(mld_query)"
		sleep 1 # the query's own pace
		vmsup ping friend fd77::2 -c 1
	done
	[ "$(dropped attacker mld_query)" = 3 ]
	inside bridge -d mdb show dev vmsup0 | grep -q 'vmtap0 grp ff02::1:ff00:2 permanent'
}

@test "foreign sources, hidden frames and floods are dropped and counted" {
	local mac
	four_vms
	mac=$(own victim)
	"$FRAMES" "$(vm_get attacker .pid)" 3 "${mac}${mac}88b5$(zeroes 46)"
	say attacker 4 "$ALL_NODES" "8100 0000 8100 0000 $(router_advertisement)"
	[ "$(dropped attacker foreign)" = 3 ]
	[ "$(dropped attacker hidden)" = 4 ]
	say attacker 5000 ffffffffffff "88b5 $(zeroes 46)"
	(($(dropped attacker flood) > 1000))
	# what is for one VM isn't bounded by that
	vmsup ping attacker 10.77.0.2 -c 3
	vmsup stats attacker >"$LAB/stats"
	grep -q '^guard.hidden *4$' "$LAB/stats"
	vmsup sandbox router | grep -q \
		'^First-hop guard: in force; allowed: ra, redirect, mld-query, dhcp-server$'
	vmsup sandbox attacker | grep -q '^First-hop guard: in force$'
}

# ---- its life

@test "counters go on: a new generation, an upgrade, a crash, a TAP made anew" {
	local pid
	four_vms
	say attacker 2 "$ALL_NODES" "$(router_advertisement)"
	vm_is attacker '.stats.drops.tx_drop_ra == 2'
	vmsup kill attacker
	wait_until 20 vm_is attacker '.state == "running" and .generation == 2'
	say attacker 3 "$ALL_NODES" "$(router_advertisement)"
	vm_is attacker '.stats.drops.tx_drop_ra == 3 and .total.drops.tx_drop_ra == 5'
	vmsup upgrade
	say attacker 4 "$ALL_NODES" "$(router_advertisement)"
	vm_is attacker '.stats.drops.tx_drop_ra == 7 and .total.drops.tx_drop_ra == 9'
	all_are '.guarded'
	pid=$(supervisor_pid)
	kill -9 "$pid"
	wait_until 20 gone "$pid"
	# nobody supervises, and the rules hold
	"$FRAMES" "$(lab_vm_pid attacker)" 5 \
		"$ALL_NODES$(jq -r .vm.config.mac "$LAB/run/state/vm-attacker.json" |
			tr -d :)$(router_advertisement)"
	launch
	vm_is attacker '.stats.drops.tx_drop_ra == 12 and .total.drops.tx_drop_ra == 14'
	inside ip link delete vmtap2
	vmsup restart attacker
	say attacker 1 "$ALL_NODES" "$(router_advertisement)"
	vm_is attacker '.stats.drops.tx_drop_ra == 1 and .total.drops.tx_drop_ra == 15'
	guarded 4
	vmsup stop
	[ "$(of_ours)" = 0 ]
}

# lab_vm_pid NAME: while there is no supervisor to ask.
lab_vm_pid() {
	jq -r .vm.process.pid "$LAB/run/state/vm-$1.json"
}

@test "a firewall that is loaded anew takes it away from nobody" {
	four_vms
	# who owns a table (Linux 6.9) keeps it; else it is put back
	inside nft flush ruleset || true
	wait_until 20 guarded 4
	say attacker 2 "$ALL_NODES" "$(router_advertisement)"
	[ "$(dropped attacker ra)" = 2 ]
}

@test "guard = off takes it down at the next start, and no VM with it" {
	four_vms
	vmsup detach
	guarded 4
	echo 'guard = "off";' >>"$LAB/conf"
	run launch -c "$LAB/conf"
	[[ $status == 0 && $output == *"adopted 4 running VMs"* ]]
	[ "$(of_ours)" = 0 ]
	all_are '.guarded == false'
	vmsup status --json | jq -e '.supervisor |
		.guard == false and (.guard_off | contains("configuration"))'
	vmsup detach
	sed -i 's/^guard = .*/guard = "required";/' "$LAB/conf"
	launch -c "$LAB/conf"
	all_are '.guarded'
}

@test "an upgrade from a vmsup without guard goes on without, and says how to get it" {
	install_previous
	launch --vms 4
	before=$(vm_pids)
	install_present
	vmsup upgrade
	[ "$(of_ours)" = 0 ]
	all_are '.guarded == false'
	vmsup status --json | jq -e '.supervisor | .guard == false and
		(.guard_off | contains("vmsup detach && vmsup start"))'
	grep -q 'without a first-hop guard.*vmsup detach && vmsup start' \
		"$LAB/run/supervisor.log"
	# said once, and by the next upgrade as well
	vmsup upgrade
	vmsup status --json | jq -e '.supervisor.guard_off | contains("detach")'
	vmsup detach
	launch
	[ "$(vm_pids)" = "$before" ]
	guarded 4
	all_are '.guarded and .broadcast_rate == 1000'
	inside bridge -d mdb show dev vmsup0 | grep -q 'vmtap0 grp.*permanent'
}

# lacking COMMAND...: in the lab, as on a kernel without nf_tables.
lacking() {
	inside "$BUILD/tests/system/lacking" "$@" 3>&- 4>&-
}

@test "a kernel without it: VMs run, start says so in a line; required refuses" {
	run lacking "$LAB/bin/vmsup" start --vms 2
	echo "$output"
	[ "$status" = 0 ]
	[ "$(grep -c 'run without a first-hop guard' <<<"$output")" = 1 ]
	all_are '.guarded == false and .state == "running"'
	vmsup status 2>&1 | grep -q '^vmsup: no first-hop guard: .*modprobe nf_tables'
	vmsup stop
	echo 'guard = "required";' >"$LAB/conf"
	run lacking "$LAB/bin/vmsup" start --vms 2 -c "$LAB/conf"
	[ "$status" = 1 ]
	[[ $output == *"first-hop guard is required"*"modprobe nf_tables"* ]]
	nothing_left
	run lacking "$LAB/bin/vmsup" check
	[[ $output =~ "first-hop guard"\ +optional ]]
	run vmsup check
	[[ $output =~ "first-hop guard"\ +ok ]]
}

# ---- nothing is left

# picture: the rules of others.
picture() {
	inside nft -s list ruleset
}

# others_rules: some of a firewall's, at our hook and elsewhere.
others_rules() {
	inside nft -f - <<-RULES
		table inet firewall {
			chain in {
				type filter hook input priority 0; policy accept
				tcp dport 22 counter accept
			}
		}
		table netdev vmsup {
			chain eth {
				type filter hook ingress device lo priority -500; policy accept
				meta l4proto icmp accept
			}
		}
	RULES
}

# killed_after MS COMMAND...: with it, the supervisor that it starts.
killed_after() {
	background "$LAB/said" "${@:2}"
	sleep "$(printf '0.%03d' "$1")"
	kill_supervisors || true
	# shellcheck disable=SC2153 # background's
	wait "$PID" 2>/dev/null || true
	PIDS=("${PIDS[@]/$PID/}")
	# the guard of an upgrade goes on in the place of one that is killed
	wait_until 20 kill_supervisors
}

lab_supervisors() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$LAB/bin/vmsup*" 2>/dev/null |
		cut -d/ -f3
}

# Whether there was none; else there is one less.
kill_supervisors() {
	local pid pids
	pids=$(lab_supervisors)
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null || true
	done
	[[ -z $pids ]]
}

@test "50 deaths at any moment leave no table, and others' rules as they were" {
	local before round
	others_rules
	before=$(picture)
	for ((round = 0; round < 50; round++)); do
		case $((round % 3)) in
		0) killed_after $((RANDOM % 150)) "$LAB/bin/vmsup" start --vms 12 ;;
		1)
			launch --vms 12 >/dev/null
			killed_after $((RANDOM % 40)) "$LAB/cli/vmsup" run "new$round"
			;;
		2)
			launch --vms 12 >/dev/null
			killed_after $((RANDOM % 120)) "$LAB/cli/vmsup" upgrade
			;;
		esac
		launch --vms 12 >/dev/null
		[ "$(of_ours)" = 1 ]
		guarded "$(vmsup status --json | jq '.vms | length')"
		all_are '.guarded'
		vmsup stop
		[ "$(picture)" = "$before" ]
	done
}
