# SPDX-License-Identifier: ISC
# What bats files share: a network namespace and a run directory of their own,
# a supervisor in them, waiting with a deadline, and leaving nothing behind.
#
#	load ../lib
#	setup_file() { lab_up && lab_vmproc vmproc && vmsup start --vms 2; }
#	teardown_file() { lab_down; }
#
# Whatever a test starts in the lab is found and ended by lab_down, which fails
# if the product itself left something.

BUILD=${BUILD:-build}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD

# cannot REASON: this case can't run here.
cannot() {
	if [[ ${MUST_RUN:-0} == 1 ]]; then
		echo "must run, but: $*" >&2
		return 1
	fi
	skip "$*"
}

# need TOOL...: programs that a test uses.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || {
			cannot "no $tool here"
			return
		}
	done
}

# Says why a lab can't be made here; silent if it can.
lab_obstacle() {
	[[ $EUID == 0 ]] || { echo "needs root" && return; }
	command -v jq ip nsenter >/dev/null || {
		echo "needs jq, ip and nsenter" && return
	}
	[[ -c /dev/net/tun ]] || { echo "needs /dev/net/tun" && return; }
	[[ -x $BUILD/vmsup ]] || { echo "needs $BUILD/vmsup (make)" && return; }
}

# lab_up: a network namespace and a directory; for setup_file or setup. Where
# that can't be, lab_check in each test's setup skips.
lab_up() {
	LAB_OBSTACLE=$(lab_obstacle)
	export LAB_OBSTACLE
	[[ -z $LAB_OBSTACLE ]] || return 0
	LAB=$(mktemp -d /tmp/vmsup-lab-XXXXXX)
	LAB_NETNS=${LAB##*/}
	export LAB LAB_NETNS VMSUP_RUN_DIR=$LAB/run
	ip netns add "$LAB_NETNS" && ip -n "$LAB_NETNS" link set lo up
}

lab_check() {
	[[ -z $LAB_OBSTACLE ]] || cannot "$LAB_OBSTACLE"
}

# inside COMMAND...: in the lab's network namespace. Not by "ip netns exec":
# that hides the host's /sys, and the cgroups with it.
inside() {
	nsenter --net="/run/netns/$LAB_NETNS" -- "$@"
}

# lab_vmproc PROGRAM [VMSUP]: which of the build's programs vmsup finds as its
# vmproc; and which is vmsup, if it isn't the product.
lab_vmproc() {
	[[ -z $LAB_OBSTACLE ]] || return 0
	mkdir -p "$LAB/bin"
	cp "$BUILD/${2:-vmsup}" "$LAB/bin/vmsup"
	cp "$BUILD/$1" "$LAB/bin/vmproc"
}

# The product, in the lab, not holding the pipes of bats open.
vmsup() {
	inside "$LAB/bin/vmsup" "$@" 3>&- 4>&-
}

# Processes that run the lab's programs or work in it, supervisors and VM
# processes alike.
lab_pids() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$LAB/*" 2>/dev/null |
		cut -d/ -f3
}

# What is left of the lab, one thing a line; nothing after a clean stop.
lab_remains() {
	local pid group
	for pid in $(lab_pids); do
		echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
	done
	ip -n "$LAB_NETNS" -o link show | grep -v ': lo:' || true
	find "$LAB/run" -mindepth 0 2>/dev/null || true
	for group in "${LAB_CGROUPS[@]}"; do
		[[ ! -d $group ]] || echo "cgroup $group"
	done
}

# lab_down: stops what runs, and takes the lab down. Fails, and says what, if
# the stop left anything.
lab_down() {
	local remains='' group status=0 LAB_CGROUPS=()
	[[ -z $LAB_OBSTACLE ]] || return 0
	for group in $(lab_cgroups); do
		LAB_CGROUPS+=("$group")
	done
	if [[ -S $VMSUP_RUN_DIR/control.sock ]]; then
		timeout 120 nsenter --net="/run/netns/$LAB_NETNS" -- \
			"$LAB/bin/vmsup" stop || status=1
		wait_until 20 lab_is_clean || true
		remains=$(lab_remains)
	fi
	lab_pids | xargs -r kill -KILL 2>/dev/null || true
	wait_until 20 lab_is_empty || status=1
	for group in "${LAB_CGROUPS[@]}"; do
		[[ ! -d $group ]] ||
			find "$group" -depth -type d -exec rmdir {} + || true
	done
	ip netns del "$LAB_NETNS"
	rm -rf "$LAB"
	if [[ -n $remains ]]; then
		echo "# left behind:" >&3
		while read -r; do echo "#   $REPLY"; done <<<"$remains" >&3
		status=1
	fi
	return "$status"
}

lab_is_empty() {
	[[ -z $(lab_pids) ]]
}

lab_is_clean() {
	[[ -z $(lab_remains) ]]
}

# The cgroups (v2) that processes of the lab live in, below the root.
lab_cgroups() {
	local mount pid path
	mount=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	[[ -n $mount ]] || return 0
	for pid in $(lab_pids); do
		path=$(sed -n 's/^0:://p' "/proc/$pid/cgroup" 2>/dev/null)
		case $path in
		/vmsup-*/*) echo "$mount/$(cut -d/ -f2 <<<"$path")" ;;
		esac
	done | sort -u
}

# refute COMMAND...: it must fail ("! command" alone doesn't fail a test).
refute() {
	if "$@"; then
		echo "should have failed: $*" >&2
		return 1
	fi
}

# wait_until SECONDS COMMAND...: until it succeeds; fails at the deadline.
wait_until() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		if ((${EPOCHREALTIME/./} > deadline)); then
			echo "still not, after the deadline: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# vm_get NAME FILTER: of a VM's status, by a jq filter.
vm_get() {
	vmsup status --json "$1" | jq -r ".vms[0] | $2"
}

# vm_is NAME FILTER: whether the filter is true of the VM's status.
vm_is() {
	vmsup status --json "$1" | jq -e ".vms[0] | $2" >/dev/null
}

# all_are FILTER: whether it is true of every VM.
all_are() {
	vmsup status --json | jq -e "all(.vms[]; $1)" >/dev/null
}

supervisor_pid() {
	vmsup status --json | jq -r .supervisor.pid
}

# The events of the past, each a JSON object. (vmsup events would go on.)
past_events() {
	inside python3 -B "$ROOT/tests/system/patient.py" \
		"$VMSUP_RUN_DIR/control.sock" past 3>&- 4>&-
}

# Open descriptors of a process.
fds_of() {
	find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}

# Resident memory of a process, in KiB.
rss_of() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

# A field of /proc/PID/status.
proc_field() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# It has ended; whose child it is by now may not have looked yet.
gone() {
	[[ ! -d /proc/$1 || $(proc_field "$1" State) == Z* ]]
}

# Kills the supervisor, and waits for its end.
crash() {
	local pid
	pid=$(supervisor_pid)
	kill -KILL "$pid"
	wait_until 60 gone "$pid"
}

# vm_has NAME FILTER TEXT: whether the filter prints that text.
vm_has() {
	[[ $(vm_get "$1" "$2" 2>/dev/null) == "$3" ]]
}

# Runs vmsup in the background; its pid is in BACKGROUND.
vmsup_background() {
	nsenter --net="/run/netns/$LAB_NETNS" -- "$LAB/bin/vmsup" "$@" \
		3>&- 4>&- &
	# shellcheck disable=SC2034 # for the caller
	BACKGROUND=$!
}

# fails_with STATUS COMMAND...: it must end with that status; what it says is
# in $output.
fails_with() {
	local want=$1
	shift
	run "$@"
	# shellcheck disable=SC2154 # bats sets status and output
	[[ $status == "$want" ]] || {
		echo "exit $status, not $want: $*"
		echo "$output"
		return 1
	}
}

# Fails, and says what, if anything of the lab is left.
nothing_left() {
	local left
	wait_until 20 lab_is_clean || true
	left=$(lab_remains)
	[[ -z $left ]] || {
		echo "$left"
		return 1
	}
}
