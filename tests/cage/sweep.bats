#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Every system call there is, on every descriptor of a VM process, from its place,
# in its set-up and after READY, with either guest: the supervisor, its other VMs
# and the host stay as they were. See sweep/main.c. In namespaces of its own, for
# files, processes and the network.
#
#	SWEEP_SEED=N        which sample, as the first line of the output names it
#	SWEEP_WHOLE=1       all of it instead (some minutes)
#	SWEEP_OF=COMMIT     on the programs of that commit (tests/previous)

load ../lib
load machine

# The most that a status may take while VMs die a hundred times a second; and the
# hundredth slowest. This machine may do much else.
LONGEST_MS=5000
LATE_MS=1000
# What the supervisor may have more of at once, while VMs are made and unmade.
MORE_FDS=80
MORE_KIB=4096

setup_file() {
	lab_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	need python3 || return
	export SEED=${SWEEP_SEED:-$((RANDOM % 1000))}
	PROGRAMS=$BUILD
	[[ -z ${SWEEP_OF:-} ]] ||
		PROGRAMS=$("$ROOT/tests/previous" "$SWEEP_OF")
	name_vms
	echo "# SWEEP_SEED=$SEED: ${SWEPT[*]} ${MACHINES[*]}" >&3
	make_namespaces
	install vmproc "$PROGRAMS/vmproc"
	install vmsup "$PROGRAMS/vmsup"
	start_vms
	look before
	sweep
	[[ -s $LAB/trouble ]] || look after
}

# The VMs whose processes are swept: of either guest.
name_vms() {
	SWEPT=("early-$SEED" "late-$SEED") MACHINES=()
	[[ -z ${SWEEP_WHOLE:-} ]] || SWEPT=("${SWEPT[@]/%/-whole}")
	[[ -n $(machine_obstacle) ]] || MACHINES=("${SWEPT[@]/#/kvm-}")
}

# ---- namespaces of its own

# The first process of its pid namespace is the lab's keeper. What is mounted is
# seen in there alone; the lab's own directory is what it is outside.
make_namespaces() {
	# shellcheck disable=SC2016 # for the inner shell
	nsenter --net="/run/netns/$LAB_NETNS" -- unshare --pid --fork \
		--kill-child --mount --propagation private --mount-proc \
		bash -ec '
		mount -t tmpfs -o size=32m sweep /run
		mkdir /run/lab
		mount --bind "$LAB" /run/lab
		mount -t tmpfs -o size=32m sweep /tmp
		mkdir -p "$LAB"
		mount --move /run/lab "$LAB"
		rmdir /run/lab
		echo ready >"$LAB/keeper"
		while :; do sleep 1000; done' >/dev/null 2>&1 3>&- 4>&- &
	wait_until 20 test -s "$LAB/keeper"
	KEEPER=$(pgrep -P $!)
	echo "$KEEPER" >"$LAB/keeper"
}

inside() {
	nsenter -t "$(cat "$LAB/keeper")" -n -m -p -- "$@"
}

# A minute is the most that any command takes here.
vmsup() {
	inside timeout -k 1 60 "$LAB/cli/vmsup" "$@" 3>&- 4>&-
}

# install NAME FILE: what the supervisor, and then its VMs, are made of. The commands
# are copied as well: the tree may lie where other things are mounted in there.
install() {
	mkdir -p "$LAB/bin" "$LAB/cli"
	cp "$BUILD/vmsup" "$ROOT/tests/cage/sweep/watch.py" \
		"$ROOT/tests/system/rude.py" "$LAB/cli"
	cp "$2" "$LAB/bin/new"
	mv "$LAB/bin/new" "$LAB/bin/$1"
}

# ---- the sweep

start_vms() {
	local name
	machine_kernel "$LAB/kernel"
	truncate -s 4096 "$LAB/initrd"
	truncate -s 1M "$LAB/disk.img" "$LAB/other.img"
	{
		cat <<-EOF
			defaults = { restart = { crash_deaths = 0; jitter = 0;
			    delay_min = "1ms"; delay_max = "1ms"; };
			  timeouts = { start = "300ms"; heartbeat = "100ms";
			    watchdog = "400ms"; abort = "100ms";
			    stop_guest = "200ms"; stop_process = "200ms"; };
			  kernel = "kernel"; initrd = "initrd"; queues = 2; };
			vms = (
			{ name = "sibling"; timeouts = { watchdog = "60s"; }; },
			{ name = "other"; timeouts = { watchdog = "60s"; }; },
		EOF
		for name in "${SWEPT[@]}"; do
			echo "{ name = \"$name\"; },"
		done
		for name in "${MACHINES[@]}"; do
			echo "{ name = \"$name\"; guest = \"kvm\"; autostart = false;"
			[[ $name != *early* ]] && name=disk || name=other
			echo " disks = ( { path = \"$name.img\"; } ); },"
		done
		[[ ${#MACHINES[@]} == 0 ]] || echo "{ name = \"kvm-thief\";
			guest = \"kvm\"; autostart = false; },"
		echo ");"
	} | sed -z 's/,\n);/\n);/' >"$LAB/conf"
	inside "$LAB/bin/vmsup" start -c "$LAB/conf" 3>&- 4>&-
	become tests/cage/sweep
	[[ ${#MACHINES[@]} == 0 ]] || vmsup start "${MACHINES[@]}"
	# somebody who has nothing to do with it
	inside setpriv --reuid 4242 --clear-groups sleep 10000 \
		>/dev/null 2>&1 3>&- 4>&- &
	wait_until 20 inside pgrep -u 4242 >"$LAB/bystander"
}

# become PROGRAM: from now on VMs are made of that one of this build's.
become() {
	install vmproc "$BUILD/$1"
	vmsup upgrade
}

sweep() {
	local name goals=() pings=() i
	for name in "${SWEPT[@]}" "${MACHINES[@]}"; do
		goals+=("$name=$((2 + $("$BUILD/tests/cage/sweep" \
			--length "$name")))")
	done
	for i in 2 3; do
		ping_on "10.77.0.$i" >"$LAB/ping$i" 3>&- 4>&- &
		pings+=($!)
	done
	vmsup kill "${SWEPT[@]}" "${MACHINES[@]}"
	watched "${SWEEP_SECONDS:-1800}" "${goals[@]}" >"$LAB/seen" \
		2>"$LAB/trouble" || true
	touch "$LAB/enough"
	wait "${pings[@]}" || true
	echo "# $(cat "$LAB/seen" "$LAB/trouble")" >&3
}

# In rounds of fifty.
ping_on() {
	until [[ -e $LAB/enough ]]; do
		inside ping -n -c 50 -i 0.02 "$1" || true
	done
}

# Prints each reply of the file that doesn't follow the one before. For its last
# reply ping waits twice as long as for the slowest before: that one may be late.
gaps() {
	sed -n -e 's/^PING.*/0/p' -e 's/.* icmp_seq=\([0-9]*\) .*/\1/p' \
		-e 's/^--- .*/end/p' "$1" |
		awk '$1 == "end" ? last < 49 : $1 && $1 != last + 1
			$1 != "end" { last = $1 }'
}

# watched SECONDS NAME=GENERATION...: see sweep/watch.py.
watched() {
	inside python3 -B "$LAB/cli/watch.py" \
		"$VMSUP_RUN_DIR/control.sock" "$@" 3>&- 4>&-
}

# ---- what must stay as it is, a line each

# Into $LAB/NAME-WHAT: descriptors, resident, host, files, links.
look() {
	local pid
	pid=$(supervisor_pid)
	inside find "/proc/$pid/fd" -mindepth 1 | wc -l >"$LAB/$1-descriptors"
	inside sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' \
		"/proc/$pid/status" >"$LAB/$1-resident"
	host "$pid" >"$LAB/$1-host"
	files >"$LAB/$1-files"
	links >"$LAB/$1-links"
}

# Processes, mounts, the name.
host() {
	local pid
	echo "supervisor $1"
	for pid in "$1" "$(vm_get sibling .pid)" "$(vm_get other .pid)" \
		"$(cat "$LAB/bystander")"; do
		inside ps -o pid=,lstart=,uid=,ni=,cls=,args= -p "$pid"
		inside grep -E '^(Cap|NoNew|Seccomp|Cpus_allowed|Umask)' \
			"/proc/$pid/status"
		inside cat "/proc/$pid/"{limits,oom_score_adj,cgroup}
	done
	# others' network namespaces come and go
	inside grep -v ' nsfs ' "/proc/$1/mountinfo"
	inside hostname
}

# Of the host's: names, kinds, modes, owners, sizes, contents.
files() {
	inside find / -maxdepth 1 -printf '%p %y %m %U %G\n' | sort
	inside find /run /tmp -path "$LAB" -prune -o \
		-printf '%p %y %m %U %G %s\n' | sort
	inside find /dev/net /dev/kvm -printf '%p %m %U %G\n'
	inside sha256sum "$LAB/kernel" "$LAB/initrd" "$LAB/conf" "$LAB/bin/vmsup"
}

links() {
	inside ip -d -j link show | jq -c '.[] | [.ifname, .address, .mtu,
		.group, .txqlen, .master, (.flags | sort),
		.linkinfo.info_kind, (.linkinfo.info_data // {} |
			with_entries(select(.key | endswith("_timer") |
				not)))]' | sort
}

setup() {
	lab_check
	name_vms
	[[ -e $LAB/after-links ]] || {
		echo "the sweep came to no end: $(cat "$LAB/trouble")"
		return 1
	}
}

# A supervisor that hangs can't take down what it has made.
teardown_file() {
	local status=0
	[[ -z $LAB_OBSTACLE ]] || return 0
	vmsup stop || status=1
	kill -9 "$(cat "$LAB/keeper")"
	[[ $status == 0 ]] || rm -rf "$LAB/run"
	lab_down && return "$status"
}

same() {
	diff "$LAB/before-$1" "$LAB/after-$1"
}

seen() {
	jq -e "$1" "$LAB/seen"
}

@test "every line of the sweep was done, and the supervisor goes on" {
	[[ ! -s $LAB/trouble ]]
	seen '.asked > 10'
}

@test "its descriptors stay" {
	same descriptors
	seen ".fds <= $(cat "$LAB/before-descriptors") + $MORE_FDS"
}

@test "its memory stays" {
	(($(cat "$LAB/after-resident") <=
		$(cat "$LAB/before-resident") + MORE_KIB))
}

@test "it answers all the while" {
	seen ".late_ms <= $LATE_MS and .longest_ms <= $LONGEST_MS"
}

@test "no ping to another VM is lost" {
	for i in 2 3; do
		grep -q transmitted "$LAB/ping$i"
		[[ -z $(gaps "$LAB/ping$i") ]] || {
			echo "10.77.0.$i, after a gap: $(gaps "$LAB/ping$i")"
			return 1
		}
	done
	vm_is sibling '.generation == 1 and .state == "running"'
	vm_is other '.generation == 1 and .state == "running"'
}

@test "no process and no mount has changed" {
	same host
}

@test "no file has changed" {
	same files
}

@test "no TAP and no bridge has changed" {
	same links
}

@test "the next generation's TAP is as the first one's" {
	local name
	for name in "${MACHINES[@]}"; do
		vmsup logs "$name" | grep -o 'tap: .*' >"$LAB/tap"
		[[ $(cat "$LAB/tap") == "tap: send buffer 2147483647, \
header "*", filter 0, error 0" || $(cat "$LAB/tap") == *"error 38" ]] || {
			cat "$LAB/tap"
			return 1
		}
	done
	# and that of the real vmproc carries its frames
	become vmproc
	vmsup restart "${SWEPT[@]}"
	for name in "${SWEPT[@]}"; do
		inside ping -q -c 3 -i 0.1 -s 1400 -W 5 "$(vm_get "$name" .ipv4)"
	done
}

# The last one, for a supervisor that hangs is no good for anything.
@test "who takes the notification of a refused call himself hangs nobody" {
	[[ ${#MACHINES[@]} != 0 ]] || cannot "$(machine_obstacle)"
	become tests/cage/sweep
	vmsup start kvm-thief
	vmsup kill kvm-thief
	watched 120 kvm-thief=102
}
