# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# What bats files about upgrades share.
#
# What the supervisor was started from is $LAB/bin, as if it were installed;
# each test puts there what it is to be upgraded to. Commands are run from
# $LAB/cli, which stays.

setup() {
	lab_up
	lab_check
	lab_vmproc vmproc
	mkdir "$LAB/cli"
	cp "$LAB/bin/"* "$LAB/cli"
	PIDS=()
	LAB_CGROUPS=()
}

teardown() {
	[[ -z $LAB_OBSTACLE ]] || return 0
	((${#PIDS[@]} == 0)) || kill "${PIDS[@]}" 2>/dev/null || true
	provide "$BUILD/vmsup"
	lab_down
}

# The commands, and a start: as lib.bash has them, but for the program.
vmsup() {
	inside "$LAB/cli/vmsup" "$@" 3>&- 4>&-
}

launch() {
	inside "$LAB/bin/vmsup" start "$@" 3>&- 4>&-
}

# background FILE COMMAND...: its output goes to the file; its pid to $PID.
background() {
	nsenter --net="/run/netns/$LAB_NETNS" -- "${@:2}" >"$1" 2>&1 \
		3>&- 4>&- &
	PID=$!
	PIDS+=("$PID")
}

# configured LINE...: starts with a configuration of these lines.
configured() {
	printf '%s\n' "$@" >"$LAB/conf"
	launch -c "$LAB/conf"
}

# provide PROGRAM [DIRECTORY]: puts it where the supervisor was started from, as
# an installation does.
provide() {
	local dir=${2:-$LAB/bin}
	[[ ! -d $dir/vmsup ]] || rmdir "$dir/vmsup"
	cp "$1" "$dir/new"
	chmod 755 "$dir/new"
	mv "$dir/new" "$dir/vmsup"
}

# provide_successor CONDUCT [DIRECTORY]: see successor.c.
provide_successor() {
	echo "$1" >"${2:-$LAB/bin}/conduct"
	provide "$BUILD/tests/system/successor" "${2:-$LAB/bin}"
}

# Pids of supervisor and VMs.
pids() {
	vmsup status --json | jq -c '[.supervisor.pid, .vms[].pid]'
}

vm_pids() {
	vmsup status --json | jq -c '[.vms[].pid]'
}

# upgrades [COUNT]
upgrades() {
	for ((i = 0; i < ${1:-1}; i++)); do
		vmsup upgrade >/dev/null
	done
}

answers() {
	for address; do
		inside ping -q -c 1 -W 5 "10.77.$address" >/dev/null
	done
}

# pinged COMMAND...: runs it with four VMs pinged all the time, a thousand times
# a second; fails if one reply is lost.
pinged() {
	local i loops=()
	rm -f "$LAB/enough"
	for i in 2 3 4 5; do
		ping_on "10.77.0.$i" >"$LAB/ping$i" 3>&- 4>&- &
		loops+=($!)
		wait_until 20 test -s "$LAB/ping$i"
	done
	"$@"
	touch "$LAB/enough"
	wait "${loops[@]}"
	for i in 2 3 4 5; do
		lossless "$LAB/ping$i"
	done
}

ping_on() {
	until [[ -e $LAB/enough ]]; do
		inside ping -q -c 300 -i 0.001 -W 2 "$1"
	done
}

# Every ping of the file had all its replies.
lossless() {
	grep -q transmitted "$1"
	refute grep -v -e ' 0% packet loss' -e '^PING' -e '^rtt' -e '^---' -e '^$' \
		"$1"
}

# So that nothing_left looks for the cgroups as well.
note_cgroups() {
	local group
	for group in $(lab_cgroups); do
		LAB_CGROUPS+=("$group")
	done
}

# stops [COMMAND...]: that ends the instance (vmsup stop), and leaves nothing.
stops() {
	note_cgroups
	if (($#)); then "$@"; else vmsup stop; fi
	nothing_left
}

running() {
	vm_has "$1" .state running
}

# install_previous [COMMIT]: what is to be started is that commit's, or the oldest
# one's that upgrades are promised from; see tests/previous. It is in $PREVIOUS.
install_previous() {
	PREVIOUS=$("$ROOT/tests/previous" "$@" 2>"$LAB/made" 3>&-) ||
		cannot "$(cat "$LAB/made")"
	install_program "$PREVIOUS/vmproc" vmproc
	install_program "$PREVIOUS/vmsup" vmsup
}

# install_present: this build's programs in their place, as make install would.
install_present() {
	install_program "$BUILD/vmproc" vmproc
	provide "$BUILD/vmsup"
}

# install_program FILE NAME: by a new file, as install(1) does.
install_program() {
	cp "$1" "$LAB/bin/new"
	chmod 755 "$LAB/bin/new"
	mv "$LAB/bin/new" "$LAB/bin/$2"
}
