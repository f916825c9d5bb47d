#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vmsup in a chroot, as schroot, sbuild and rescue shells make it: the room of
# VM processes is as empty as anywhere else.
# shellcheck disable=SC2016 # most of it is for the shell in there

load ../lib
load upgrade

# A bind mount of the host's root, entered by chroot.
bind_root() {
	ENTER='mkdir "$LAB/root"; mount --rbind / "$LAB/root"'
}

# A directory that is no mount point, with what is needed in it.
plain_root() {
	ENTER='mkdir "$LAB/root"; cd "$LAB/root"
		for dir in usr proc sys dev run tmp etc; do
			mkdir "$dir"; mount --rbind "/$dir" "$dir"
		done
		for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$dir"; done'
}

# chrooted SCRIPT: runs it in that root, whose mounts end with it.
chrooted() {
	export ROOM SCRIPT
	inside timeout -k 5 200 unshare -m --propagation private bash -euc "
		PATH=\$LAB/bin:\$PATH
		$ENTER
		exec chroot \"\$LAB/root\" bash -euo pipefail -c \"\$ROOM\$SCRIPT\"" \
		3>&- 4>&-
}

# In the chroot: what the VM's process sees as its root.
ROOM='
	get() { vmsup status --json | jq -r ".vms[0] | $1"; }
	room_of() { ls -A "/proc/$(get .pid)/root/" | wc -l
		wc -l <"/proc/$(get .pid)/mountinfo"; }
	answers() { ping -q -c 1 -W 5 10.77.0.2 >/dev/null; }
	becomes() { for i in {1..500}; do [[ $(get "$1") == "$2" ]] && return
		sleep 0.02; done; echo "$1: $(get "$1"), not $2"; false; }
'

# A VM of two generations there, and both have an empty root.
empty_room() {
	SCRIPT='
		trap "vmsup stop" EXIT
		vmsup start --vms 1
		answers
		vmsup sandbox vm0
		[[ $(room_of | xargs) == "0 1" ]]
		kill -9 "$(get .pid)"
		becomes .generation 2
		becomes .state running
		answers
		vmsup sandbox vm0
		[[ $(room_of | xargs) == "0 1" ]]
		[[ $(vmsup check | grep "^namespaces ") == *" ok "* ]]
	' chrooted
	nothing_left
}

@test "in a bind mount that was entered by chroot" {
	bind_root
	empty_room
}

@test "in a plain directory that was entered by chroot" {
	[[ -L /bin && -L /lib64 ]] || cannot "/usr isn't merged here"
	plain_root
	empty_room
}

# The oldest build that upgrades are promised from made rooms with the host's
# root in them there. A process in one is as good as uncaged: it isn't adopted,
# and no VM is started in such a room.
@test "a room that an earlier version made there is not gone on with" {
	install_previous
	bind_root
	export PREVIOUS BUILD
	SCRIPT='
		trap "vmsup stop" EXIT
		vmsup start --vms 1
		[[ $(room_of | head -n 1) -gt 5 ]]
		before=$(get .pid)
		cp "$BUILD/vmproc" "$LAB/bin/new" && mv "$LAB/bin/new" "$LAB/bin/vmproc"
		cp "$BUILD/vmsup" "$LAB/bin/new" && mv "$LAB/bin/new" "$LAB/bin/vmsup"
		if vmsup upgrade 2>"$LAB/refused"; then false; fi
		grep "vm0.*root directory.*(vmsup detach && vmsup start" "$LAB/refused"
		[[ $(get .pid) == "$before" ]]
		vmsup detach
		vmsup start
		becomes .state running
		answers
		[[ $(get .generation) == 2 ]]
		[[ $(get .last_exit.detail) == "not adopted: cage not closed: "*room* ]]
		if readlink "/proc/$before/exe"; then false; fi
		vmsup sandbox vm0
		[[ $(room_of | xargs) == "0 1" ]]
	' chrooted
	nothing_left
}
