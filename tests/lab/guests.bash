# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What the lab's bats files share: guests by name, whatever runs them.
#
#	load guests
#	setup_file() { guests_up; guest_run web --memory 128M; }
#	teardown_file() { guests_down; }
#
# They are vmsup's, unless LAB_MACHINE says microvm or q35 (QEMU's, to see that
# a test is right) or solo (our machine without a supervisor).

load ../lib
# shellcheck source=/dev/null
. "$ROOT/tests/lab/peers.bash"
MACHINE=${LAB_MACHINE:-vmsup}

# guests_up [OPTION...]: the lab, with a bridge at 10.77.0.1 and no guest yet,
# unless vmsup start is told of some by these options.
guests_up() {
	if [[ -z ${LAB_KERNEL:-} ]]; then
		export LAB_OBSTACLE="tests/lab/l1 bats runs it"
		return
	fi
	lab_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	if [[ $MACHINE == vmsup ]]; then
		lab_vmproc vmproc
		# it starts for no less than one
		[[ $# -gt 0 ]] || set -- --vms 1
		vmsup start "$@"
	else
		inside ip link add vmsup0 type bridge
		inside ip addr add 10.77.0.1/16 dev vmsup0
		inside ip link set vmsup0 up
	fi
}

guests_down() {
	local file
	[[ -z $LAB_OBSTACLE ]] || return 0
	for file in "$LAB"/*.pid; do
		[[ ! -e $file ]] || kill -KILL "$(<"$file")" 2>/dev/null || true
	done
	lab_down
}

# guest_ip NUMBER: the guests have numbers, from 1 on, and addresses by them.
guest_ip() {
	echo "10.77.1.$1"
}

# guest_run NAME NUMBER [--memory N] [--cpus N] [--disk FILE] [--vhost on|off]
# [--allow WHAT] [--say WORD...]: starts one; the words go to its kernel's command line.
guest_run() {
	# shellcheck disable=SC2034 # what peers.bash takes
	local name=$1 number=$2 memory=128M cpus=1 vhost=off direct='' disk='' allow=''
	local cmdline mac tap
	cmdline="console=ttyS0 quiet lab.ip=$(guest_ip "$2")/16"
	shift 2
	while [[ $# -gt 0 ]]; do
		case $1 in
		--memory) memory=$2 ;;
		--cpus) cpus=$2 ;;
		--disk) disk=$2 ;;
		--vhost) vhost=$2 ;;
		--allow) allow=$2 ;;
		--say) cmdline+=" ${*:2}" && break ;;
		esac
		shift 2
	done
	if [[ $MACHINE == vmsup ]]; then
		vmsup run "$name" --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
			--cmdline "$cmdline" --memory "$memory" --cpus "$cpus" \
			${disk:+--disk "$disk"} ${allow:+--allow "$allow"} \
			--vhost "$vhost" --nic
		return
	fi
	local console=$LAB/$name.console
	# shellcheck disable=SC2034 # what peers.bash takes
	tap=vmtap$number mac=52:54:00:77:00:0$number
	memory=${memory%M}
	inside ip tuntap add "$tap" mode tap vnet_hdr 2>/dev/null || true
	inside ip link set "$tap" master vmsup0 up
	: >"$console"
	"start_$MACHINE" 3>&- 4>&-
	echo "$VMM" >"$LAB/$name.pid"
}

# The peers' programs, too, run in the lab's network.
qemu-system-x86_64() {
	exec nsenter --net="/run/netns/$LAB_NETNS" -- \
		/usr/bin/qemu-system-x86_64 "$@"
}

solo() {
	nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$BUILD/tests/lab/solo" "$@" </dev/null >>"$console" \
		2>>"$console.vmm" &
	VMM=$!
}

# What the guest of this generation has printed, by lines.
guest_console() {
	if [[ $MACHINE == vmsup ]]; then
		vmsup logs "$1"
	else
		cat "$LAB/$1.console"
	fi
}

# guest_tap NAME NUMBER: its TAP.
guest_tap() {
	if [[ $MACHINE == vmsup ]]; then
		vm_get "$1" .tap
	else
		echo "vmtap$2"
	fi
}

guest_printed() {
	guest_console "$1" | grep -q -- "$2"
}

# guest_prints NAME PATTERN SECONDS: until it does. Looks now and then only:
# in L1, looking takes the guests' time.
guest_prints() {
	local second
	for ((second = 0; second <= $3; second++)); do
		! guest_printed "$1" "$2" || return 0
		sleep 1
	done
	echo "$1 didn't print '$2' in $3 seconds, but:"
	guest_console "$1" | tail -n 20
	cat "$LAB/$1.console.vmm" 2>/dev/null || true
	return 1
}

# guest_ready NAME...: until each serves.
guest_ready() {
	local name
	for name; do
		guest_prints "$name" 'lab: ready' 240
	done
}

# in_guest NUMBER COMMAND...: its output and status.
in_guest() {
	local ip
	ip=$(guest_ip "$1")
	shift
	inside "$(type -P wire)" run "$ip" "$*"
}

# wire WAY NUMBER ARGUMENT...: TCP and floods, to and from a guest.
guest_tcp() {
	inside "$(type -P wire)" "$1" "$(guest_ip "$2")" "${@:3}"
}

guest_ping() {
	inside ping -q -c "${2:-3}" -i 0.2 -W 2 "$(guest_ip "$1")"
}

guest_pid() {
	if [[ $MACHINE == vmsup ]]; then
		vm_get "$1" .pid
	else
		cat "$LAB/$1.pid"
	fi
}

# guest_gone NAME: it has stopped, and nobody starts it again.
guest_gone() {
	if [[ $MACHINE == vmsup ]]; then
		vm_has "$1" .state stopped
	else
		! kill -0 "$(guest_pid "$1")" 2>/dev/null
	fi
}

# What only a supervisor can do.
need_vmsup() {
	[[ $MACHINE == vmsup ]] || skip "$MACHINE has no supervisor"
}
