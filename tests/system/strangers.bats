#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A control socket that is a stranger's, and a run directory that one can lead
# elsewhere: no command says a word to it, and nothing is made there.

load ../lib

STRANGER=4242

setup() {
	lab_up
	lab_check
	need python3 setpriv
	lab_vmproc vmproc
	chmod 755 "$LAB"
	IMPOSTOR=
	# big enough to be looked at, and not to be one
	head -c 4096 /dev/zero >"$LAB/image"
}

teardown() {
	[[ -z $LAB_OBSTACLE ]] || return 0
	[[ -z $IMPOSTOR ]] || {
		kill "$IMPOSTOR"
		wait "$IMPOSTOR" || true
		rm -f "$LAB"/{run,his/run}/control.sock
	}
	lab_down
}

as_stranger() {
	inside setpriv --reuid=$STRANGER --regid=$STRANGER --clear-groups \
		"$@" 3>&- 4>&-
}

# impostor DIRECTORY: a stranger listens there.
impostor() {
	nsenter --net="/run/netns/$LAB_NETNS" -- python3 -B \
		"$ROOT/tests/system/impostor.py" $STRANGER "$1/control.sock" \
		"$LAB/heard" >"$LAB/said" 3>&- 4>&- &
	IMPOSTOR=$!
	wait_until 20 grep -q ready "$LAB/said"
}

# every_command CHECK: runs CHECK with each command that talks to a supervisor.
every_command() {
	local check=$1 tried=0 command
	for command in stop 'stop vm0' 'start vm0' start 'start --vms 2' \
		'start --foreground --vms 2' 'restart vm0' 'reset vm0' \
		'pause vm0' 'resume vm0' 'kill vm0' status 'status --json vm0' \
		events 'logs vm0' 'deaths vm0' 'ping vm0 10.77.0.1' \
		'stats vm0' 'sandbox vm0' 'console vm0' upgrade detach \
		'run other' "run other --kernel $(kernel)"; do
		# shellcheck disable=SC2086 # several words
		"$check" $command
		tried=$((tried + 1))
	done
	# none that was added since is left out
	for command in $(vmsup __complete commands); do
		case $command in check | help) ;;
		*)
			grep -qx "$command" "$LAB/tried"
			;;
		esac
	done
	((tried > 20))
}

# A kernel that passes the looks that run takes at it: a bzImage's header.
kernel() {
	put() {
		printf '%b' "$2" |
			dd of="$LAB/image" bs=1 seek=$(($1)) conv=notrunc \
				status=none
	}
	put 0x1f1 '\x01'             # setup_sects
	put 0x1f4 '\x80\x00\x00\x00' # syssize: 2 KiB
	put 0x1fe '\x55\xaa'
	put 0x202 'HdrS\x0f\x02'
	put 0x211 '\x01' # loaded high
	put 0x22c '\xff\xff\xff\x7f'
	put 0x236 '\x01'             # a 64-bit entry
	put 0x258 '\x00\x00\x10\x00' # pref_address: 1 MiB
	echo "$LAB/image"
}

refused() {
	echo "$1" >>"$LAB/tried"
	run timeout 20 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" "$@" 3>&- 4>&-
	[[ $status == 1 && ${#lines[@]} == 1 && $output == *"$WHY"* ]] || {
		echo "$*: exit $status: $output"
		return 1
	}
}

heard_nothing() {
	refute grep . "$LAB/heard"
}

@test "a stranger who listens in a directory of root's is told nothing" {
	mkdir -m 755 "$LAB/run"
	impostor "$LAB/run"
	WHY="uid $STRANGER listens there, process $IMPOSTOR, and not root"
	every_command refused
	heard_nothing
	# and it does listen: its own user may believe it
	as_stranger "$LAB/bin/vmsup" status >/dev/null
	grep -q 'io.vmsup.Status' "$LAB/heard"
	rm -r "$LAB/run/control.sock"
	# nothing was made there
	rmdir "$LAB/run"
}

@test "a directory of a stranger's is not used, by the environment or by name" {
	mkdir -p "$LAB/his/run"
	chmod 755 "$LAB/his" "$LAB/his/run"
	chown -R $STRANGER "$LAB/his"
	impostor "$LAB/his/run"
	VMSUP_RUN_DIR=$LAB/his/run
	WHY="$LAB/his/run can't be trusted: the directory his belongs to uid \
$STRANGER"
	every_command refused
	VMSUP_RUN_DIR=
	refused --run-dir "$LAB/his/run" status
	refused status --run-dir "$LAB/his/run"
	cd "$LAB/his"
	refused --run-dir run status
	cd /
	heard_nothing
	[ "$(find "$LAB/his" | sort)" = "$LAB/his
$LAB/his/run
$LAB/his/run/control.sock" ]
	rm -r "$LAB/his"
}

@test "a start makes nothing behind a stranger's link, or where others write" {
	mkdir -m 1777 "$LAB/tmp"
	mkdir -m 755 "$LAB/real"
	ln -s ../real "$LAB/tmp/his"
	chown -h $STRANGER "$LAB/tmp/his"
	WHY="the symbolic link his belongs to uid $STRANGER"
	refused --run-dir "$LAB/tmp/his/run" start --vms 1
	refused --run-dir "$LAB/tmp/his" start --vms 1
	refused --run-dir "$LAB/tmp/his/run" status
	chmod 0777 "$LAB/tmp"
	WHY='others may write into the directory tmp, mode 0777'
	refused --run-dir "$LAB/tmp/run" start --vms 1
	refused --run-dir "$LAB/tmp/run" status
	rmdir "$LAB/real"
}

@test "root's own links are followed, by start as by each client" {
	mkdir -m 1777 "$LAB/tmp"
	mkdir -m 755 "$LAB/real"
	ln -s ../real "$LAB/tmp/ours"
	export VMSUP_RUN_DIR=$LAB/tmp/ours/run
	vmsup start --vms 1
	vm_is vm0 '.state == "running"'
	inside "$LAB/bin/vmsup" --run-dir "$LAB/real/run" ping vm0 10.77.0.1 \
		-c 1 3>&- 4>&-
	vmsup detach
	vmsup start
	vmsup upgrade
	vmsup stop
	[ ! -e "$LAB/real/run" ]
	export VMSUP_RUN_DIR=$LAB/run
	nothing_left
}

@test "who isn't root may use what is root's, and what is his own" {
	vmsup start --vms 1
	# not in the group: as far as the socket, and no reason to distrust
	fails_with 1 as_stranger "$LAB/bin/vmsup" status
	[[ $output == *"permission denied"*"group vmsup"* ]]
	chmod 755 "$VMSUP_RUN_DIR"
	chmod 666 "$VMSUP_RUN_DIR/control.sock"
	as_stranger "$LAB/bin/vmsup" status vm0 | grep -q running
	vmsup stop
	mkdir -p "$LAB/his/run"
	chmod 755 "$LAB/his" "$LAB/his/run"
	chown -R $STRANGER "$LAB/his"
	impostor "$LAB/his/run"
	as_stranger "$LAB/bin/vmsup" --run-dir "$LAB/his/run" status >/dev/null
	grep -q 'io.vmsup.Status' "$LAB/heard"
	# but not what is a third one's
	run inside setpriv --reuid=4243 --regid=4243 --clear-groups \
		"$LAB/bin/vmsup" --run-dir "$LAB/his/run" status
	[ "$status" = 1 ]
	[[ $output == *"the directory his belongs to uid $STRANGER"* ]]
	rm -r "$LAB/his"
	# what that stop left: nothing
	nothing_left
}
