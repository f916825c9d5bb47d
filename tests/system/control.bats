#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The control socket against rude clients (rude.py), slow ones and crowds of
# them: refused or cut off, while others are served and the VMs don't notice.
#
# One supervisor for all of it: what one test leaves in it, the next ones meet.
# It runs where /etc/group has a group vmsup, on a copy that only it sees.

load ../lib

GROUP=64999

setup_file() {
	lab_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	lab_vmproc vmproc
	chmod 755 "$LAB"
	{
		grep -v ^vmsup: /etc/group
		echo "vmsup:x:$GROUP:"
	} >"$LAB/group"
	inside unshare -m sh -c "mount --bind '$LAB/group' /etc/group &&
		exec '$LAB/bin/vmsup' start --vms 4" 3>&- 4>&-
	vmsup status >/dev/null # whatever a first client costs
	SUPERVISOR=$(supervisor_pid)
	SUPERVISOR_FDS=$(fds_of "$SUPERVISOR")
	export SUPERVISOR SUPERVISOR_FDS
}

teardown_file() {
	lab_down
}

setup() {
	lab_check
	need python3 setpriv unshare
	RUDE=()
	# what a member used in the test before is paid off
	wait_until 30 as_nobody --groups="$GROUP" "$LAB/bin/vmsup" status vm0
}

# What holds after every test, whatever was done in it.
teardown() {
	local pid
	[[ -z $LAB_OBSTACLE ]] || return 0
	for pid in "${RUDE[@]}"; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" || true
	done
	unmoved
}

# The same supervisor, as it was; the VMs never noticed.
unmoved() {
	[[ $(supervisor_pid) == "$SUPERVISOR" ]]
	wait_until 20 fds_are_back
	(($(rss_of "$SUPERVISOR") < 24 * 1024)) || {
		echo "resident: $(rss_of "$SUPERVISOR") KiB"
		return 1
	}
	all_are '.state == "running" and .restarts == 0'
	all_are '.generation == 1 or .name == "vm3"'
	for i in 2 3 4 5; do
		inside ping -q -c 1 -W 5 10.77.0.$i >/dev/null
	done
}

fds_are_back() {
	[[ $(fds_of "$SUPERVISOR") == "$SUPERVISOR_FDS" ]]
}

rude() {
	inside python3 "$ROOT/tests/system/rude.py" "${MEMBER[@]}" \
		"$VMSUP_RUN_DIR/control.sock" "$@" 3>&- 4>&-
}

rude_member() {
	local MEMBER=(--member "$GROUP")
	rude "$@"
}

# Several of the group, who together take all places that it has.
rude_members() {
	local MEMBER=(--member "$GROUP" --users 8)
	rude "$@"
}

# served: another client, soon: 3 s, as all of the machine may stand still.
served() {
	local start=${EPOCHREALTIME/./} took
	vmsup status >/dev/null
	took=$((${EPOCHREALTIME/./} - start))
	((took < 3000000)) || {
		echo "vmsup status took $took us"
		return 1
	}
}

# meanwhile COMMAND...: it succeeds, and others are served as long as it runs.
meanwhile() {
	local pid
	"$@" </dev/null >"$LAB/said" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		served
	done
	wait "$pid" || {
		cat "$LAB/said"
		return 1
	}
	served
}

# held COMMAND...: runs it until it holds what it does; it goes on until
# release, or the end of the test.
held() {
	local fifo
	fifo=$(mktemp -u "$LAB/hold-XXXXXX")
	mkfifo "$fifo"
	: >"$LAB/said"
	"$@" <"$fifo" >"$LAB/said" 2>&1 &
	RUDE+=($!)
	exec {HOLD}>"$fifo" # its stdin, open until release
	until grep -q '^held' "$LAB/said"; do
		kill -0 "${RUDE[-1]}" 2>/dev/null || {
			cat "$LAB/said"
			return 1
		}
		served
	done
}

release() {
	exec {HOLD}>&-
	wait "${RUDE[-1]}"
	RUDE=()
}

# The user that rude_member is.
as_nobody() {
	inside setpriv --reuid=65534 --regid=65534 "$@" 3>&- 4>&-
}

@test "garbage is answered with an error and cut off" {
	meanwhile rude garbage
}

@test "floods of NULs are cut off" {
	meanwhile rude nuls
}

@test "half messages and trickles are cut off in time" {
	meanwhile rude half
}

@test "deep and wide JSON is refused" {
	meanwhile rude deep
}

@test "messages over 64 KiB are refused" {
	meanwhile rude huge
}

@test "invalid UTF-8 and strange text are refused, or sent back as they were" {
	meanwhile rude utf8
}

@test "unknown interfaces and methods are named in a proper error" {
	meanwhile rude unknown
}

@test "a parameter of a wrong type is named, for every method" {
	meanwhile rude types
	[ "$(cat "$LAB/said")" -ge 150 ]
}

@test "more names than there are VMs are refused" {
	run rude call io.vmsup.Status '{"names":["vm0","vm1","vm0","vm1"]}'
	[ "$(jq '.vms | length' <<<"$output")" = 4 ]
	run rude call io.vmsup.Status '{"names":["vm0","vm0","vm0","vm0","vm0"]}'
	[ "$output" = org.varlink.service.InvalidParameter ]
	# but one that isn't there is what is wrong with such a list
	fails_with 4 vmsup status vm0 vm1 vm2 vm3 vm9
}

@test "thousands of calls pipelined without reading wait, and are answered" {
	meanwhile rude pipeline 5000
	grep -q stalled "$LAB/said"
}

@test "members who pipeline large calls and never read keep nobody waiting" {
	for names in 1 4000; do
		held rude_member flood $names
		served
		release
		held rude_members flood $names
		served
		release
	done
}

@test "subscribers who never read don't hold up restarts" {
	held rude_members subscribers 100
	for _ in {1..20}; do
		vmsup restart vm3
		served
	done
	release
}

@test "descriptors sent along are refused or dropped" {
	meanwhile rude descriptors
}

@test "10,000 silent connections of members: cut off, others are served" {
	held rude_members crowd 10000 silent
	cat "$LAB/said"
	served
	release
}

@test "10,000 busy connections of members: told so and refused, root is served" {
	held rude_members crowd 10000 busy
	cat "$LAB/said"
	served
	vmsup restart vm3
	release
}

@test "10,000 half messages of members: refused or cut off, root is served" {
	held rude_members crowd 10000 half
	cat "$LAB/said"
	served
	release
}

@test "one member has some of the group's places: others get theirs" {
	held rude_member crowd 1000 busy
	cat "$LAB/said"
	grep -q ' 32 open,' "$LAB/said"
	[ "$(inside setpriv --reuid=65533 --regid=65533 --groups="$GROUP" \
		"$LAB/bin/vmsup" status --noheadings -o NAME vm0)" = vm0 ]
	served
	release
}

@test "10,000 connections that come and go" {
	meanwhile rude_member churn 10000
	meanwhile rude_members churn 10000
}

# costs_little COUNT KIND: what a member does, as fast as it is answered, on so
# many connections, takes its share of a processor and little more.
costs_little() {
	local share answers
	rude_member storm "$1" "$2" 2 "$SUPERVISOR" >"$LAB/storm"
	read -r share answers <"$LAB/storm"
	echo "$2: $share of 1000, $answers answers a second"
	((share <= 100))
	# it was served meanwhile, as far as that share goes
	[[ $2 == connections ]] || ((answers > 0))
}

@test "whatever one member asks for, it costs a twentieth of a processor" {
	for kind in ping status events logs sandbox interface long denied \
		garbage; do
		costs_little 32 $kind
	done
	# more than there are places, and none
	costs_little 110 ping
	costs_little 110 connections
}

@test "root and others are served at once while a member asks without end" {
	rude_member storm 110 status 4 "$SUPERVISOR" >"$LAB/storm" &
	RUDE+=($!)
	for _ in {1..20}; do
		served
		inside setpriv --reuid=65533 --regid=65533 --groups="$GROUP" \
			"$LAB/bin/vmsup" status vm0 >/dev/null
		vmsup restart vm3
	done
	wait "${RUDE[@]}"
	RUDE=()
}

ignore_echoes() {
	inside sh -c "echo $1 >/proc/sys/net/ipv4/icmp_echo_ignore_all"
}

@test "one member's pings from a VM leave room for others', and for root's" {
	other() {
		as_nobody --groups="$GROUP" "$LAB/bin/vmsup" "$@"
	}
	# the host hears them, and says nothing
	ignore_echoes 1
	held rude_member pings vm3 20
	[ "$(cat "$LAB/said")" = 'held 4' ]
	fails_with 1 other ping vm3 vm1 -c 1
	[[ $output == *"too many of your pings"*"wait"* ]]
	inside setpriv --reuid=65533 --regid=65533 --groups="$GROUP" \
		"$LAB/bin/vmsup" ping vm3 vm1 -c 1
	release
	# who hangs up has them under way nevertheless
	fails_with 1 other ping vm3 vm1 -c 1
	other ping vm2 vm1 -c 1
	held rude_members pings vm3 60
	[ "$(cat "$LAB/said")" = 'held 8' ]
	fails_with 1 inside setpriv --reuid=1234 --regid=1234 \
		--groups="$GROUP" "$LAB/bin/vmsup" ping vm3 vm1 -c 1
	[[ $output == *"too many pings are under way"* ]]
	vmsup ping vm3 vm1 -c 1
	release
	ignore_echoes 0
	vmsup restart vm3
	other ping vm3 vm1 -c 1
}

@test "who isn't root nor in the group can't connect, and is told the remedy" {
	fails_with 1 as_nobody --clear-groups "$LAB/bin/vmsup" status
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"permission denied"*"root"*"group vmsup"* ]]
}

@test "a member of the group may look, but not change anything" {
	member() {
		as_nobody --groups="$GROUP" "$LAB/bin/vmsup" "$@"
	}
	run member status --raw --noheadings -o NAME,STATE vm0
	[ "$output" = "vm0 running" ]
	member logs vm0 | grep -q 'generation 1 runs'
	member ping vm0 vm1 -c 1
	for command in 'stop' 'stop vm0' 'start vm0' 'restart vm0' 'reset vm0' \
		'kill vm0' 'pause vm0' 'resume vm0' 'run other'; do
		# shellcheck disable=SC2086 # several words
		fails_with 1 member $command
		[ "${#lines[@]}" = 1 ]
		[[ $output == *"permission denied"*root* ]]
	done
	# by the interface itself, whatever the command line would say
	for method in Start Stop Restart Reset Pause Resume Kill; do
		[ "$(rude_member call io.vmsup.$method '{"names":["vm0"]}')" = \
			org.varlink.service.PermissionDenied ]
	done
	for method in Shutdown Define; do
		[ "$(rude_member call io.vmsup.$method)" = \
			org.varlink.service.PermissionDenied ]
	done
}

@test "with subscribers who never read, stop leaves nothing behind" {
	held rude_member subscribers 100
	timeout 10 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" stop 3>&- 4>&-
	nothing_left
	release
	# the end of all tests here: nothing to compare with any more
	LAB_OBSTACLE=stopped
}
