#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vmsup as a service of systemd: its unit, as it is installed, run by a stand-in
# that checks what systemd would (notify_peer.py). No systemd runs here.

load ../lib

setup() {
	lab_up
	lab_check
	need make python3
	make -s -C "$ROOT" -o all BUILD="$BUILD" PREFIX="$LAB/usr" install
	UNITS=$LAB/usr/lib/systemd/system
	mkdir "$LAB/stub"
	# the lab's own vmsup is what is installed; upgrades come from there
	mkdir "$LAB/bin"
	cp "$BUILD/vmsup" "$BUILD/vmproc" "$LAB/bin"
	printf '#!/bin/sh\ncat %s/system\n' "$LAB" >"$LAB/stub/systemctl"
	chmod 755 "$LAB/stub/systemctl"
	echo running >"$LAB/system"
	CGROUP=
	MANAGER=
	CLIENT=
	drop_in vmsup.service Environment="VMSUP_RUN_DIR=$VMSUP_RUN_DIR" \
		ExecStart= ExecStart="$LAB/usr/sbin/vmsup start --foreground \
-c $LAB/conf"
	configure 'vms = ( { name = "vm0"; }, { name = "vm1"; } );'
}

teardown() {
	[[ -z $LAB_OBSTACLE ]] || return 0
	[[ -z $CLIENT ]] || kill "$CLIENT" 2>/dev/null || true
	[[ -z $MANAGER ]] || kill -9 "$MANAGER" 2>/dev/null || true
	# systemd's socket is left, with nobody behind it
	[[ ! -d $UNITS/vmsup.socket.d ]] || end_socket
	lab_down
	[[ -z $CGROUP ]] || rmdir "$CGROUP"
}

# Takes systemd's socket away, and all that is behind it.
end_socket() {
	local pid
	for pid in $(lab_pids); do
		kill -9 "$pid"
	done
	wait_until 20 lab_is_empty
	rm -f "$VMSUP_RUN_DIR/control.sock"
	[[ ! -d $VMSUP_RUN_DIR/state ]] || {
		vmsup start -c "$LAB/conf" >/dev/null
		vmsup stop
	}
	[[ ! -d $VMSUP_RUN_DIR ]] || rmdir "$VMSUP_RUN_DIR"
}

configure() {
	printf '%s\n' "$@" >"$LAB/conf"
}

# drop_in UNIT LINE...: as "systemctl edit" makes one.
drop_in() {
	local file=$UNITS/$1.d/test.conf
	mkdir -p "${file%/*}"
	[[ -e $file ]] || echo "[${1##*.}]" | sed 's/./\u&/2' >"$file"
	printf '%s\n' "${@:2}" >>"$file"
}

with_socket() {
	drop_in vmsup.socket ListenStream= \
		ListenStream="$VMSUP_RUN_DIR/control.sock"
}

# manage: the stand-in for systemd.
manage() {
	mkfifo "$LAB/commands"
	PATH=$LAB/stub:$PATH nsenter --net="/run/netns/$LAB_NETNS" -- python3 -B \
		"$ROOT/tests/system/notify_peer.py" "$UNITS" "$LAB/journal" \
		${CGROUP:+"$CGROUP"} <"$LAB/commands" >"$LAB/said" 2>&1 \
		3>&- 4>&- &
	MANAGER=$!
	exec {COMMANDS}>"$LAB/commands"
	wait_until 20 said 1 'state dead'
}

# The service is as it is, and nobody looks after it.
unmanage() {
	exec {COMMANDS}>&-
	wait "$MANAGER"
	rm "$LAB/commands" "$UNITS/notify"
	MANAGER=
}

ctl() {
	echo "$1" >&"$COMMANDS"
}

# said COUNT TEXT: the stand-in has said that line, so often.
said() {
	[[ $(grep -cx -- "$2" "$LAB/said") == "$1" ]]
}

state_is() {
	[[ $(grep '^state ' "$LAB/said" | tail -n 1) == "state $1" ]]
}

# started COUNT: the service runs, for the so-manieth time.
started() {
	wait_until 20 said "$1" 'state running'
}

start() {
	manage
	ctl start
	started 1
}

# What systemd takes for the main process.
main_pid() {
	sed -n 's/^main //p' "$LAB/said" | tail -n 1
}

# What must be the same before and after, a line a VM.
identities() {
	vmsup status --json | jq -c '.vms[] | [.name, .pid, .generation, .tap]'
}

answer() {
	for address; do
		inside ping -q -c 1 -W 5 "10.77.0.$address" >/dev/null
	done
}

# Nobody spoke who isn't the main process. Where systemd was late, an upgrade was
# over when it heard of the guard: then the guard's word comes to nothing, and
# the main process is what it was.
nothing_refused() {
	awk '$1 == "late:" { late[$NF] = 1 }
		$1 == "refused" && !($2 in late && $3 ~ /^MAINPID=/) ||
		/^timeout|^Traceback/ { print; bad = 1 }
		END { exit bad }' "$LAB/said"
}

# ---- the files

@test "the units are what systemd takes, with the programs where they are" {
	need systemd-analyze
	run systemd-analyze verify --man=no "$UNITS/vmsup.service" \
		"$UNITS/vmsup.socket"
	[ "$status" = 0 ]
	[ "$output" = '' ]
	refute grep -r @ "$UNITS" "$LAB/usr/libexec/vmsup/service-stop"
	grep -q "^ExecReload=$LAB/usr/sbin/vmsup upgrade$" \
		"$UNITS/vmsup.service"
	sh -n "$LAB/usr/libexec/vmsup/service-stop"
}

@test "the group and the run directory are made by sysusers.d and tmpfiles.d" {
	need systemd-sysusers systemd-tmpfiles
	mkdir -p "$LAB/root/etc"
	systemd-sysusers --root="$LAB/root" "$LAB/usr/lib/sysusers.d/vmsup.conf"
	systemd-tmpfiles --root="$LAB/root" --create \
		"$LAB/usr/lib/tmpfiles.d/vmsup.conf"
	gid=$(awk -F: '$1 == "vmsup" { print $3 }' "$LAB/root/etc/group")
	[ "$(stat -c '%a %u %g' "$LAB/root/run/vmsup")" = "750 0 $gid" ]
}

# ---- what it may do

# Those that the unit leaves, without CAP_ and in lower case.
capabilities() {
	sed -n 's/^CapabilityBoundingSet=//p' "$UNITS/vmsup.service" | xargs -n 1 |
		sed 's/^CAP_//; s/./\L&/g'
}

# bounded CAPABILITIES COMMAND...: as root with these in the bounding set, in a
# mount namespace where /etc/group has a group vmsup.
bounded() {
	local kept
	# shellcheck disable=SC2086 # a list of words
	kept=$(printf ',+%s' $1)
	# shellcheck disable=SC2016 # expanded by the inner shell
	inside unshare -m sh -c 'mount --bind "$0" /etc/group && umask 0027 &&
		exec "$@"' "$LAB/group" setpriv --no-new-privs \
		--bounding-set="-all$kept" "$LAB/usr/sbin/vmsup" "${@:2}" \
		>>"$LAB/life" 2>&1 3>&- 4>&-
}

# life CAPABILITIES: a supervisor's life with no more than these; fails at the
# first thing that doesn't work.
life() {
	local group
	# the group may enter, and talk
	bounded "$1" start -c "$LAB/conf" || return
	[[ $(stat -c '%a %g' "$VMSUP_RUN_DIR") == '1750 64999' ]] || return
	[[ $(stat -c '%a %g' "$VMSUP_RUN_DIR/control.sock") == '660 64999' ]] ||
		return
	group=$(lab_cgroups)
	# VMs come and go
	vmsup pause vm0 && vmsup resume vm0 && vmsup kill vm0 &&
		wait_until 20 vm_has vm0 .generation 2 &&
		wait_until 20 vm_has vm0 .state running &&
		vmsup restart vm1 || return
	vmsup upgrade >/dev/null || return
	vmsup detach || return
	: >"$LAB/life"
	bounded "$1" start -c "$LAB/conf" || return
	grep -q '^adopted 2 running VMs, restarted 0$' "$LAB/life" || return
	vmsup stop vm0 && vmsup start vm0 && answer 2 3 || return
	vmsup stop || return
	[[ -z $(lab_remains) && ( -z $group || ! -d $group ) ]]
}

# Whatever a life left.
after_life() {
	[[ ! -S $VMSUP_RUN_DIR/control.sock ]] ||
		timeout 20 nsenter --net="/run/netns/$LAB_NETNS" -- \
			"$LAB/bin/vmsup" stop || true
	[[ ! -d $VMSUP_RUN_DIR ]] ||
		{ vmsup start -c "$LAB/conf" && vmsup stop; } >/dev/null 2>&1
	lab_pids | xargs -r kill -KILL 2>/dev/null || true
	wait_until 20 lab_is_empty
	rm -rf "$VMSUP_RUN_DIR"
}

@test "the unit's capabilities are enough, and each of them is needed" {
	need setpriv unshare
	{
		grep -v ^vmsup: /etc/group
		echo "vmsup:x:64999:"
	} >"$LAB/group"
	all=$(capabilities)
	life "$all" || {
		cat "$LAB/life"
		false
	}
	count=0
	for one in $all; do
		if life "$(grep -vx "$one" <<<"$all")"; then
			echo "goes without $one"
			false
		fi
		after_life
		count=$((count + 1))
	done
	((count >= 8))
}

@test "what the service makes is root's and the group's alone" {
	start
	[ "$(proc_field "$(main_pid)" CapBnd)" = "$(proc_field \
		"$(main_pid)" CapPrm)" ]
	[ "$(proc_field "$(main_pid)" Umask)" = 0027 ]
	[ -z "$(find "$VMSUP_RUN_DIR" -perm /007)" ]
	[ "$(stat -c %a "$VMSUP_RUN_DIR/supervisor.log")" = 640 ]
	vmsup stop
}

# ---- what it says

@test "ready means: every VM runs, or has failed" {
	mv "$LAB/usr/libexec/vmsup/vmproc" "$LAB/usr/libexec/vmsup/away"
	cp "$BUILD/tests/cage/hostile" "$LAB/usr/libexec/vmsup/vmproc"
	configure 'defaults = { timeouts = { start = 5.0; }; };
		vms = ( { name = "ok"; }, { name = "exit-1"; restart = {
		crash_deaths = 2; delay_min = 2.0; }; } );'
	manage
	ctl start
	wait_until 20 grep -q 'STATUS=1 of 2 VMs running, 0 failed' "$LAB/said"
	state_is start
	started 1
	[ "$(grep -o 'STATUS=.*\|state running\|READY=1' "$LAB/said" |
		tail -n 3)" = "STATUS=1 of 2 VMs running, 1 failed
READY=1
state running" ]
	vm_has exit-1 .state failed
	# and afterwards it goes on telling
	vmsup stop ok
	wait_until 20 grep -q 'STATUS=0 of 2 VMs running, 1 failed' "$LAB/said"
	nothing_refused
}

@test "the watchdog is fed, and a supervisor that hangs is replaced" {
	drop_in vmsup.service WatchdogSec=2
	start
	before=$(identities)
	first=$(main_pid)
	fed() { (($(grep -c WATCHDOG=1 "$LAB/said") >= $1)); }
	wait_until 20 fed 4
	state_is running
	nothing_refused
	kill -STOP "$first"
	wait_until 20 said 1 'watchdog timeout'
	answer 2 3
	started 2
	grep -qx "ended $first SIGABRT" "$LAB/said"
	[ "$(main_pid)" != "$first" ]
	[ "$(identities)" = "$before" ]
	answer 2 3
}

# ---- upgrade

@test "20 reloads: the main process stays the same, and is always told" {
	drop_in vmsup.service WatchdogSec=2
	start
	before=$(identities)
	pid=$(main_pid)
	for i in {1..20}; do
		ctl reload
		wait_until 20 said "$i" 'control ended 0'
	done
	# to a guard and back, and nobody else speaks while it is the guard
	[ "$(grep -c 'MAINPID=' "$LAB/said")" = 40 ]
	awk -v pid="$pid" '$1 != "notify" && $1 != "refused" { next }
		sub("MAINPID=", "", $3) {
			if ($2 != (back ? guard : pid) ||
			    back != ($3 == pid))
				exit 1
			guard = $3; back = !back; next }
		back || $2 != pid { exit 1 }' "$LAB/said"
	nothing_refused
	[ "$(main_pid)" = "$pid" ]
	[ "$(supervisor_pid)" = "$pid" ]
	[ "$(identities)" = "$before" ]
	# and it goes on feeding the watchdog
	fed=$(grep -c WATCHDOG=1 "$LAB/said")
	more() { (($(grep -c WATCHDOG=1 "$LAB/said") > fed)); }
	wait_until 20 more
	said 1 'state running'
}

@test "SIGHUP, sent as a reload by hand, upgrades as well" {
	start
	kill -HUP "$(main_pid)"
	back() { [[ $(grep -c MAINPID= "$LAB/said") == 2 ]]; }
	wait_until 20 back
	nothing_refused
	[ "$(supervisor_pid)" = "$(main_pid)" ]
	answer 2 3
}

@test "a program that fails to take over: the guard is the service then" {
	drop_in vmsup.service WatchdogSec=2
	start
	before=$(identities)
	old=$(main_pid)
	mv "$LAB/usr/sbin/vmsup" "$LAB/usr/sbin/good"
	cp "$BUILD/tests/system/successor" "$LAB/usr/sbin/vmsup"
	echo 'agree crash' >"$LAB/usr/sbin/conduct"
	fails_with 1 vmsup upgrade
	wait_until 20 gone "$old"
	new=$(main_pid)
	[ "$new" != "$old" ]
	[ "$(supervisor_pid)" = "$new" ]
	grep -qx "notify $old MAINPID=$new" "$LAB/said"
	# it is that which is heard from now on, and nothing was started
	wait_until 20 grep -q "^notify $new WATCHDOG=1" "$LAB/said"
	[ "$(grep -c ^started "$LAB/said")" = 1 ]
	state_is running
	[ "$(identities)" = "$before" ]
	mv "$LAB/usr/sbin/good" "$LAB/usr/sbin/vmsup"
	# what happens to it, systemd hears: it is the parent of orphans
	kill -9 "$new"
	started 2
	grep -qx "ended $new SIGKILL" "$LAB/said"
	[ "$(identities)" = "$before" ]
	nothing_refused
	ctl reload
	wait_until 20 said 1 'control ended 0'
}

# ---- ends, and starts

@test "stop leaves the VMs, start and restart take them over" {
	start
	before=$(identities)
	pid=$(main_pid)
	ctl stop
	wait_until 20 state_is dead
	grep -qx "ended $pid 75" "$LAB/said"
	said 1 'control ended 0'
	answer 2 3
	ctl start
	started 2
	[ "$(identities)" = "$before" ]
	ctl restart
	started 3
	[ "$(identities)" = "$before" ]
	answer 2 3
	nothing_refused
	refute grep -q 'state failed' "$LAB/said"
}

@test "vmsup stop is respected, vmsup detach and a crash are followed by a start" {
	start
	before=$(identities)
	first=$(main_pid)
	vmsup detach
	started 2
	grep -qx "ended $first 75" "$LAB/said"
	[ "$(identities)" = "$before" ]
	second=$(main_pid)
	kill -9 "$second"
	started 3
	[ "$(identities)" = "$before" ]
	answer 2 3
	vmsup stop
	wait_until 20 state_is dead
	grep -qx "ended $(main_pid) 0" "$LAB/said"
	# it has made up its mind by now
	ctl nothing
	wait_until 20 said 1 "can't nothing"
	state_is dead
	[ "$(grep -c ^started "$LAB/said")" = 3 ]
	nothing_left
	nothing_refused
}

@test "SIGTERM by hand means the same as vmsup stop" {
	start
	kill "$(main_pid)"
	wait_until 20 state_is dead
	grep -qx "ended $(main_pid) 0" "$LAB/said"
	nothing_left
}

@test "where the system shuts down, VMs are asked to stop" {
	start
	echo stopping >"$LAB/system"
	ctl stop
	wait_until 20 state_is dead
	grep -qx "ended $(main_pid) 0" "$LAB/said"
	nothing_left
}

@test "a supervisor that hangs is killed by stop, and its VMs go on" {
	drop_in vmsup.service TimeoutStopSec=0.5
	start
	before=$(identities)
	kill -STOP "$(main_pid)"
	ctl stop
	wait_until 20 state_is failed
	grep -qx "ended $(main_pid) SIGKILL" "$LAB/said"
	answer 2 3
	ctl start
	started 2
	[ "$(identities)" = "$before" ]
}

@test "a configuration that can't work isn't tried again and again" {
	configure 'vms = ( { nmae = "vm0"; } );'
	manage
	ctl start
	wait_until 20 state_is failed
	[ "$(grep -c ^started "$LAB/said")" = 1 ]
	grep -q 'nmae' "$LAB/journal"
}

# ---- the control socket, held by systemd

socket_file() {
	stat -c '%a %i' "$VMSUP_RUN_DIR/control.sock"
}

# queued COUNT: so many clients wait for the control socket to be served.
queued() {
	inside ss -xlH | awk -v count="$1" -v path="$VMSUP_RUN_DIR/control.sock" '
		$5 == path && $3 == count { found = 1 } END { exit !found }'
}

@test "a command starts the service, and is served by it" {
	with_socket
	manage
	file=$(socket_file)
	[[ $file == "660 "* ]]
	vmsup status --json | jq -e '.vms | length == 2'
	said 1 activated
	started 1
	[ "$(socket_file)" = "$file" ]
	nothing_refused
}

@test "the socket outlives the service: who comes in between waits" {
	with_socket
	start
	file=$(socket_file)
	before=$(identities)
	ctl stop
	wait_until 20 state_is dead
	[ "$(socket_file)" = "$file" ]
	[ "$(identities)" = "$before" ] # served by the next one
	said 1 activated
	started 2
	# a crash, and nobody to start the next one for a while
	kill -STOP "$MANAGER"
	pid=$(main_pid)
	kill -9 "$pid"
	wait_until 20 gone "$pid"
	vmsup status --json >"$LAB/status" &
	CLIENT=$!
	wait_until 20 queued 1
	kill -0 "$CLIENT"
	kill -CONT "$MANAGER"
	wait "$CLIENT"
	jq -e '.vms | length == 2' "$LAB/status"
	started 3
	[ "$(identities)" = "$before" ]
	[ "$(socket_file)" = "$file" ]
	ctl reload
	wait_until 20 said 2 'control ended 0'
	[ "$(socket_file)" = "$file" ]
	# stopped for good: nothing but the socket is left, until the next one
	vmsup stop
	wait_until 20 state_is dead
	[ "$(find "$VMSUP_RUN_DIR" -mindepth 1)" = \
		"$VMSUP_RUN_DIR/control.sock" ]
	[ "$(socket_file)" = "$file" ]
	vmsup status --json | jq -e '.vms[0].generation == 1'
	started 4
	nothing_refused
}

@test "a start that fails leaves systemd's socket where it is" {
	with_socket
	manage
	file=$(socket_file)
	configure 'vms = ( { nmae = "vm0"; } );'
	ctl start
	wait_until 20 state_is failed
	[ "$(socket_file)" = "$file" ]
	# a TAP of that name is there already
	configure 'vms = ( { name = "vm0"; } );'
	inside ip tuntap add vmtap0 mode tap
	ctl start
	wait_until 20 said 1 'state auto-restart'
	[ "$(socket_file)" = "$file" ]
	inside ip link del vmtap0
	started 1
	[ "$(socket_file)" = "$file" ]
	vmsup status vm0
}

@test "a stop that was cut off is finished by the next start, on the same socket" {
	with_socket
	start
	file=$(socket_file)
	kill -STOP "$MANAGER"
	pid=$(main_pid)
	kill -9 "$pid"
	wait_until 20 gone "$pid"
	jq -c '.ending = true' "$LAB/run/state/instance.json" >"$LAB/instance"
	cp "$LAB/instance" "$LAB/run/state/instance.json"
	kill -CONT "$MANAGER"
	started 2
	grep -q 'finishing the stop' "$LAB/journal"
	[ "$(socket_file)" = "$file" ]
	all_are '.generation == 1 and .last_exit == null'
	nothing_refused
}

@test "systemd's own tool for socket activation is understood" {
	need systemd-socket-activate
	mkdir -m 750 "$VMSUP_RUN_DIR"
	inside systemd-socket-activate \
		-E VMSUP_RUN_DIR -l "$VMSUP_RUN_DIR/control.sock" \
		"$LAB/usr/sbin/vmsup" start --foreground -c "$LAB/conf" \
		>"$LAB/out" 2>&1 3>&- 4>&- &
	wait_until 20 test -S "$VMSUP_RUN_DIR/control.sock"
	vmsup status --json | jq -e '.vms | length == 2'
	[ "$(readlink "/proc/$(supervisor_pid)/exe")" = "$LAB/usr/sbin/vmsup" ]
	vmsup stop
	[ -S "$VMSUP_RUN_DIR/control.sock" ]
	rm -r "$VMSUP_RUN_DIR"
}

# ---- the unit's cgroup

unit_cgroup() {
	local mount
	mount=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	[[ -n $mount ]] || {
		cannot "no cgroup v2 here"
		return
	}
	CGROUP=$mount/${LAB##*/}.service
	mkdir "$CGROUP"
}

in_unit() {
	cat "$CGROUP/cgroup.procs"
}

@test "in the unit's cgroup is the supervisor alone: no kill mode reaches VMs" {
	unit_cgroup
	for mode in process control-group; do
		drop_in vmsup.service KillMode=$mode
		start
		before=$(identities)
		[ "$(in_unit)" = "$(main_pid)" ]
		ctl reload
		wait_until 20 grep -q '^control ended 0' "$LAB/said"
		[ "$(in_unit)" = "$(main_pid)" ]
		ctl stop
		wait_until 20 state_is dead
		[ -z "$(in_unit)" ]
		answer 2 3
		ctl start
		started 2
		[ "$(identities)" = "$before" ]
		ctl stop
		wait_until 20 state_is dead
		unmanage
	done
	start
}

@test "without cgroup v2 VMs are in it: KillMode=process is what saves them" {
	unit_cgroup
	# as on a host without: nothing of that type is mounted
	drop_in vmsup.service ExecStart= ExecStart="/usr/bin/unshare --mount -- \
/bin/sh -c 'umount -l ${CGROUP%/*} && exec $LAB/usr/sbin/vmsup start \
--foreground -c $LAB/conf'"
	start
	before=$(identities)
	[ "$(in_unit | wc -l)" = 3 ]
	ctl stop
	wait_until 20 state_is dead
	[ "$(in_unit | wc -l)" = 2 ]
	answer 2 3
	ctl start
	started 2
	[ "$(identities)" = "$before" ]
	ctl stop
	wait_until 20 state_is dead
	unmanage
	# all of the group: a new process for each VM, on the TAP that it had
	drop_in vmsup.service KillMode=control-group
	start
	[ "$(identities)" = "$before" ]
	ctl stop
	wait_until 20 state_is dead
	[ -z "$(in_unit)" ]
	ctl start
	started 2
	all_are '.generation == 2 and .last_exit.reason == "lost"'
	answer 2 3
}
