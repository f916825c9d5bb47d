#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Running out of descriptors, processes, memory and disk: a clear error for that
# request, running VMs go on, and all is well once there is enough again.

load ../lib

setup() {
	lab_up
	lab_check
	need prlimit python3 ss
	lab_vmproc vmproc
	HOLDER=''
}

teardown() {
	local status=0
	[[ -z $LAB_OBSTACLE ]] || return 0
	# lab_down asks it to stop
	[[ -z ${SUPERVISOR:-} ]] || enough_fds || true
	[[ -z $HOLDER ]] || kill "$HOLDER" 2>/dev/null || true
	# a test that failed may have left it
	! mountpoint -q "$LAB/disk" || umount -l "$LAB/disk"
	lab_down || status=1
	remove_group
	return "$status"
}

# Starts two VMs that may die often.
start_two() {
	echo 'defaults = { restart = { crash_deaths = 100; delay_max = 0.2; };
		};' >"$LAB/conf"
	vmsup start --vms 2 -c "$LAB/conf"
	know_supervisor
}

# Its pid, and how many descriptors it has when nobody asks it anything.
know_supervisor() {
	SUPERVISOR=$(supervisor_pid)
	# without the connection that asked
	wait_until 20 settled_fds
	BEFORE=$(fds_of "$SUPERVISOR")
}

settled_fds() {
	[[ -z $(inside ss -xH state established src "$VMSUP_RUN_DIR/control.sock") ]]
}

# Those that ran still run, whatever can't be had now.
vms_go_on() {
	for i; do
		inside ping -q -c 1 -W 5 "10.77.0.$i"
	done
}

steady() {
	vm_is "$1" '.state == "running" and .uptime_s >= 1'
}

one_line() {
	[[ ${#lines[@]} == 1 && $output == "vmsup: "* ]] || {
		echo "not one line of vmsup's: $output"
		return 1
	}
}

# ---- descriptors

# leave_fds COUNT: so many descriptors may the supervisor still open; others
# hold the rest, by connections that are in use.
leave_fds() {
	local left=$1 limit fifo=$LAB/hold-$1
	limit=$(($(used_fds | tail -n 1) + 5))
	prlimit --pid "$SUPERVISOR" --nofile="$limit:"
	rm -f "$fifo"
	mkfifo "$fifo"
	inside python3 "$ROOT/tests/system/rude.py" \
		"$VMSUP_RUN_DIR/control.sock" subscribers \
		$((limit - $(fds_of "$SUPERVISOR") - left)) \
		<"$fifo" >"$LAB/held" 3>&- 4>&- &
	HOLDER=$!
	exec {HOLD}>"$fifo"
	wait_until 20 grep -q held "$LAB/held"
	wait_until 20 has_fds $((limit - left))
}

used_fds() {
	find "/proc/$SUPERVISOR/fd" -mindepth 1 -printf '%f\n' | sort -n
}

enough_fds() {
	prlimit --pid "$SUPERVISOR" --nofile=1024:
}

let_go() {
	exec {HOLD}>&-
	wait "$HOLDER"
	HOLDER=''
}

has_fds() {
	[[ $(fds_of "$SUPERVISOR") == "$1" ]]
}

refused_for_fds() {
	fails_with 1 vmsup status
	one_line
	[[ $output == *"no file descriptor left"*"LimitNOFILE"* ]] || {
		echo "$output"
		return 1
	}
}

@test "without a descriptor newcomers are told so, and VMs go on" {
	start_two
	leave_fds 0
	for command in status 'run more' 'stop vm0'; do
		# shellcheck disable=SC2086 # several words
		fails_with 1 vmsup $command
		one_line
	done
	refused_for_fds
	vms_go_on 2 3
	# as soon as somebody hangs up
	let_go
	wait_until 20 has_fds "$BEFORE"
	all_are '.generation == 1 and .state == "running"'
	leave_fds 0
	refused_for_fds
	# or as the limit is raised
	enough_fds
	vmsup run more
	vms_go_on 2 3 4
	let_go
}

@test "a limit that is lowered far makes newcomers wait until it is raised" {
	start_two
	prlimit --pid "$SUPERVISOR" --nofile=5:
	vmsup_background status >"$LAB/status"
	vms_go_on 2 3
	[ ! -s "$LAB/status" ]
	enough_fds
	wait "$BACKGROUND"
	grep -q running "$LAB/status"
	wait_until 20 has_fds "$BEFORE"
	# and who comes when there are none later is told again
	leave_fds 0
	refused_for_fds
	let_go
}

@test "without descriptors, run fails with a reason; later it works" {
	start_two
	leave_fds 2 # its two connections
	fails_with 1 vmsup run more
	one_line
	[[ $output == *"state of more"*"Too many open files"*"LimitNOFILE"* ]]
	vms_go_on 2 3
	let_go
	enough_fds
	# nothing is left of the attempt: the same name, the next address
	wait_until 20 has_fds "$BEFORE"
	fails_with 4 vmsup status more
	vmsup run more
	vm_has more .ipv4 10.77.0.4
	vms_go_on 4
}

@test "without descriptors for its process, run ends in failed, with a reason" {
	vmsup start --vms 2
	know_supervisor
	leave_fds 3 # its two connections, and the TAP
	fails_with 1 vmsup run more
	one_line
	[[ $output == *"more: failed: 5 deaths"*"Too many open files"* ]]
	vms_go_on 2 3
	let_go
	enough_fds
	vmsup reset more
	wait_until 20 vm_has more .state running
	vms_go_on 2 3 4
}

@test "a VM killed without a descriptor to spare comes back, then or later" {
	start_two
	wait_until 20 steady vm1
	pid=$(vm_get vm1 .pid)
	leave_fds 0
	kill -9 "$pid"
	wait_until 20 gone "$pid"
	vms_go_on 2
	let_go
	enough_fds
	wait_until 20 vm_is vm1 '.state == "running" and .generation > 1'
	vms_go_on 3
	wait_until 20 has_fds "$BEFORE"
	vm_has vm0 .generation 1
}

@test "a hard limit too low for that many VMs is refused at the start" {
	run inside bash -c "ulimit -n 300; exec '$LAB/bin/vmsup' start --vms 100"
	[ "$status" = 1 ]
	one_line
	[[ $output == *"100 VMs need"*"descriptors, the limit is 300"* ]]
	[[ $output == *"ulimit -Hn"*"LimitNOFILE"* ]]
	nothing_left
}

# ---- processes

# Puts the supervisor, and what it will fork, into a pids cgroup of its own.
# v1: any of that hierarchy; v2: the group that its VMs are in already.
join_group() {
	local mount
	mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' \
		/proc/mounts)
	if [[ -n $mount ]] && mkdir "$mount/$LAB_NETNS" 2>/dev/null; then
		PIDS_GROUP=$mount/$LAB_NETNS
		PIDS_MADE=1
		echo "$SUPERVISOR" >"$PIDS_GROUP/cgroup.procs"
		return
	fi
	PIDS_GROUP=$(lab_cgroups)
	[[ -n $PIDS_GROUP && -w $PIDS_GROUP/pids.max ]] ||
		cannot "no writable cgroup with the pids controller"
}

# After lab_down, which ended what was in it.
remove_group() {
	[[ -z ${PIDS_MADE:-} ]] || rmdir "$PIDS_GROUP"
}

@test "a VM that no process can be made for waits, and comes back" {
	start_two
	wait_until 20 steady vm1
	join_group
	echo 0 >"$PIDS_GROUP/pids.max"
	kill -9 "$(vm_get vm1 .pid)"
	wait_until 20 vm_is vm1 '.state == "backoff" and
		(.last_exit.detail | startswith("cannot make a process for vm1"))'
	vm_is vm1 '.next_retry_s >= 0 and .pid == null'
	vmsup status | grep -q backoff
	vmsup logs vm1 | grep -q 'too many processes'
	vms_go_on 2
	vm_has vm0 .generation 1
	echo max >"$PIDS_GROUP/pids.max"
	wait_until 20 vm_has vm1 .state running
	vms_go_on 3
}

@test "a start that no process can be made for ends in failed, with the reason" {
	vmsup start --vms 1
	know_supervisor
	join_group
	echo 0 >"$PIDS_GROUP/pids.max"
	run vmsup run more
	[ "$status" = 1 ]
	[[ $output == *more*"5 deaths"*"cannot make a process"* ]]
	vm_has more .state failed
	vms_go_on 2
	echo max >"$PIDS_GROUP/pids.max"
	vmsup reset more
	wait_until 20 vm_has more .state running
	vms_go_on 2 3
}

# ---- memory

# Clients that make the supervisor hold their messages, as many as it can.
hold_memory() {
	python3 - "$VMSUP_RUN_DIR/control.sock" <<-'EOF'
		import socket, sys
		clients = []
		cut = 0
		for _ in range(100):
		    client = socket.socket(socket.AF_UNIX)
		    client.connect(sys.argv[1])
		    client.settimeout(1)
		    try:
		        client.sendall(b'{"method":"' + b"x" * 65000)
		        client.sendall(b"x")
		    except OSError:
		        pass
		    clients.append(client)
		for client in clients:
		    client.settimeout(0.01)
		    try:
		        client.recv(1)
		        cut += 1
		    except TimeoutError:
		        pass
		    except OSError:
		        cut += 1
		print(cut)
	EOF
}

@test "without memory requests fail, the supervisor and its VMs go on" {
	start_two
	wait_until 20 steady vm1
	size=$(sed -n 's/^VmSize:[^0-9]*\([0-9]*\).*/\1/p' \
		"/proc/$SUPERVISOR/status")
	prlimit --pid "$SUPERVISOR" --as="$((size * 1024)):"
	cut=$(hold_memory)
	echo "cut off: $cut of 100"
	[ "$cut" -gt 0 ]
	grep -q 'no memory is left' "$VMSUP_RUN_DIR/supervisor.log"
	vms_go_on 2 3
	prlimit --pid "$SUPERVISOR" --as=unlimited:
	[ "$(supervisor_pid)" = "$SUPERVISOR" ]
	all_are '.generation == 1 and .state == "running"'
	vmsup run more
	vms_go_on 4
}

# ---- disk

# A run directory on a disk of its own, of that size.
small_disk() {
	mkdir "$LAB/disk"
	mount -t tmpfs -o "size=$1,mode=755" tmpfs "$LAB/disk"
	VMSUP_RUN_DIR=$LAB/disk/run
}

# What a crash would take back is a failure, though it is done.
restart_unsaved() {
	local next
	next=$(($(vm_get "$1" .generation) + 1))
	vmsup restart "$1" || true
	wait_until 20 vm_is "$1" \
		".generation == $next and .state == \"running\""
}

@test "a full disk costs lines of the log, which are counted, and no VM" {
	small_disk 64k
	start_two
	wait_until 20 steady vm1
	log=$VMSUP_RUN_DIR/supervisor.log
	cat /dev/zero >"$LAB/disk/fill" 2>/dev/null || true
	# until no more fits into what the log has of the disk, and some more
	size=0
	while [[ $(stat -c %s "$log") != "$size" ]]; do
		size=$(stat -c %s "$log")
		for _ in 1 2 3; do
			restart_unsaved vm1
		done
	done
	kill -9 "$(vm_get vm1 .pid)"
	wait_until 20 vm_has vm1 .last_exit.detail SIGKILL
	wait_until 20 vm_has vm1 .state running
	# VMs keep their own last lines, in memory
	vmsup logs vm1 --previous | grep -q 'ended, nobody asked for it: SIGKILL'
	vms_go_on 2 3
	vm_has vm0 .generation 1
	refute grep -q SIGKILL "$log"
	rm "$LAB/disk/fill"
	vmsup restart vm1
	grep -Eq '^[^ ]+Z [a-z]+: \([0-9]+ lines lost\) ' "$log"
	tail -n 1 "$log" | grep -q 'runs: pid'
	vmsup stop
	umount "$LAB/disk"
	rmdir "$LAB/disk"
	nothing_left
}

@test "a disk that is full already: the start fails in one line, nothing left" {
	small_disk 64k
	cat /dev/zero >"$LAB/disk/fill" 2>/dev/null || true
	# what its successor must know has its place there
	fails_with 1 vmsup start --vms 1
	one_line
	[[ $output == *"$VMSUP_RUN_DIR"*"No space left on device"* ]]
	[ "$(ls "$LAB/disk")" = fill ]
	nothing_left
	umount "$LAB/disk"
	rmdir "$LAB/disk"
	small_disk 64k,nr_inodes=2
	fails_with 1 vmsup start --vms 1
	one_line
	[[ $output == *"$VMSUP_RUN_DIR"*"No space left on device"* ]]
	[ -z "$(ls "$LAB/disk")" ]
	nothing_left
	umount "$LAB/disk"
}
