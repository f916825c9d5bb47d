#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The cage of the real vmproc, and what the supervisor keeps for itself, read
# from outside: /proc, and the proof that vmsup sandbox prints.

load ../lib

# The supervisor's capabilities, as sandbox/caps.c lists them, by number.
KEPT=(12 21 18 7 6 8 5) # NET_ADMIN SYS_ADMIN SYS_CHROOT SETUID SETGID SETPCAP
# KILL
AT_END=1 # DAC_OVERRIDE: not in force before the end

setup_file() {
	lab_up
	lab_vmproc vmproc
	[[ -z $LAB_OBSTACLE ]] || return 0
	vmsup start --vms 3
	# a second instance, on the same host and in the same network namespace
	cat >"$LAB/conf2" <<-EOF
		bridge = { name = "obr0"; address = "10.78.0.1/16"; };
		tap_prefix = "otap";
		vms = ( { name = "vm0"; }, { name = "vm1"; } );
	EOF
	second start -c "$LAB/conf2"
}

second() {
	vmsup --run-dir "$LAB/run2" "$@"
}

setup() {
	lab_check
	if [[ $BATS_TEST_NAME != *teardown* ]]; then
		SUPERVISOR=$(supervisor_pid)
		VM=$(vm_get vm1 .pid)
	fi
}

teardown_file() {
	local status=0
	if [[ -z $LAB_OBSTACLE ]]; then
		second stop || status=1
		[[ ! -e $LAB/run2 ]] || status=1
	fi
	lab_down && return "$status"
}

# The limit's soft and hard value in /proc/PID/limits.
limit_of() {
	sed -n "s|^$2  *||p" "/proc/$1/limits" | awk '{ print $1 "/" $2 }'
}

@test "vmsup sandbox finds nothing wrong" {
	local vm
	for vm in vm0 vm1 vm2; do
		vmsup sandbox "$vm"
		vmsup sandbox --json "$vm" |
			jq -e '.ok and (.checks | length > 15) and
				all(.checks[]; .ok)' >/dev/null
	done
}

@test "no capability in any set, no new privileges, its filters" {
	local set
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[[ $(proc_field "$VM" "$set") == 0000000000000000 ]]
	done
	[[ $(proc_field "$VM" NoNewPrivs) == 1 ]]
	[[ $(proc_field "$VM" Seccomp) == 2 ]]
	# one inherited; that of its set-up, and its own
	[[ $(proc_field "$VM" Seccomp_filters) == \
		$(($(proc_field "$SUPERVISOR" Seccomp_filters) + 2)) ]]
}

@test "a uid and gid of its own, no groups, over all instances" {
	local uids uid
	uids=$({ vmsup status --json && second status --json; } |
		jq -r '.vms[].pid' | while read -r pid; do
		uid=$(proc_field "$pid" Uid | cut -f1)
		[[ $(proc_field "$pid" Uid) == "$uid"$'\t'"$uid"$'\t'"$uid"$'\t'"$uid" ]]
		[[ $(proc_field "$pid" Gid) == "$uid"$'\t'"$uid"$'\t'"$uid"$'\t'"$uid" ]]
		[[ -z $(proc_field "$pid" Groups | tr -d ' ') ]]
		echo "$uid"
	done)
	[[ $(wc -l <<<"$uids") == 5 ]]
	[[ $(sort -u <<<"$uids" | wc -l) == 5 ]]
	# away from those that systemd and distributions give out
	for uid in $uids; do
		((uid > 65536 && uid < 2147483648))
		refute getent passwd "$uid"
	done
}

@test "the shared room: no namespace of the host's" {
	local ns mine sibling other
	other=$(second status --json | jq -r '.vms[0].pid')
	for ns in mnt net ipc uts; do
		mine=$(readlink "/proc/$VM/ns/$ns")
		sibling=$(readlink "/proc/$(vm_get vm2 .pid)/ns/$ns")
		[[ $mine != "$(readlink "/proc/$SUPERVISOR/ns/$ns")" ]]
		[[ $mine == "$sibling" ]]
		# of this instance's VMs, not of all
		[[ $mine != "$(readlink "/proc/$other/ns/$ns")" ]]
	done
}

@test "an empty read-only root, and nothing else mounted" {
	[[ -z $(find "/proc/$VM/root/" -mindepth 1) ]]
	[[ $(wc -l <"/proc/$VM/mountinfo") == 1 ]]
	grep -q ' / / ro,nosuid,nodev,noexec' "/proc/$VM/mountinfo"
	[[ $(readlink "/proc/$VM/cwd") == / ]]
}

@test "no network interface but a loopback that is down" {
	local links
	links=$(nsenter --net="/proc/$VM/ns/net" ip -o link show)
	[[ $(wc -l <<<"$links") == 1 ]]
	grep -q ' lo: <LOOPBACK> .* state DOWN' <<<"$links"
	[[ -z $(nsenter --net="/proc/$VM/ns/net" ip route show table all) ]]
}

@test "the descriptors of the manifest, exactly" {
	[[ $(fds_of "$VM") == 5 ]]
	[[ $(readlink "/proc/$VM/fd/3") == socket:* ]]
	[[ $(find "/proc/$VM/fd" -lname 'anon_inode:?eventpoll?' | wc -l) == 1 ]]
	[[ $(readlink "/proc/$VM/fd/32") == *eventpoll* ]]
	[[ $(sed -n 's/^iff:[[:space:]]*//p' "/proc/$VM/fdinfo/64") == \
		$(vm_get vm1 .tap) ]]
	# what it keeps for the next supervisor: the other end of its channel,
	# which this one holds too, and the file with the locks on uids
	[[ $(readlink "/proc/$VM/fd/10") == socket:* ]]
	[[ $(readlink "/proc/$VM/fd/10") != "$(readlink "/proc/$VM/fd/3")" ]]
	[[ -n $(find "/proc/$SUPERVISOR/fd" \
		-lname "$(readlink "/proc/$VM/fd/10" | sed 's/[][]/?/g')") ]]
	[[ $(readlink "/proc/$VM/fd/11") == /run/vmsup.uids ]]
	# above all not the listener of its own filter
	[[ -z $(find "/proc/$VM/fd" -lname '*seccomp*') ]]
}

@test "a session of its own, without a terminal" {
	# pid (comm) state ppid pgrp session tty
	read -r _ _ _ _ pgrp session tty _ <"/proc/$VM/stat"
	[[ $session == "$VM" && $pgrp == "$VM" && $tty == 0 ]]
}

@test "limits: no process, no file, no core, nothing locked" {
	[[ $(limit_of "$VM" 'Max processes') == 1/1 ]]
	[[ $(limit_of "$VM" 'Max open files') == 65/65 ]]
	[[ $(limit_of "$VM" 'Max core file size') == 0/0 ]]
	[[ $(limit_of "$VM" 'Max file size') == 0/0 ]]
	[[ $(limit_of "$VM" 'Max locked memory') == 0/0 ]]
	[[ $(limit_of "$VM" 'Max msgqueue size') == 0/0 ]]
}

@test "one thread, an empty environment, nothing of the supervisor's memory" {
	[[ $(find "/proc/$VM/task" -mindepth 1 -maxdepth 1 | wc -l) == 1 ]]
	[[ ! -s /proc/$VM/environ ]]
	[[ $(tr '\0' ' ' <"/proc/$VM/cmdline") == "vmproc vm1 " ]]
	# no file is mapped but the program
	[[ $(awk '$6 ~ "^/" { print $6 }' "/proc/$VM/maps" | sort -u) == \
		"$LAB/bin/vmproc" ]]
	[[ -z $(awk '$2 ~ /w.*x/' "/proc/$VM/maps") ]]
}

@test "not dumpable: its files in /proc are root's" {
	[[ $(stat -c %u "/proc/$VM/mem") == 0 ]]
	[[ $(stat -c %u "/proc/$VM/fd") == 0 ]]
}

@test "signals as a new program has them" {
	[[ $(proc_field "$VM" SigBlk) == 0000000000000000 ]]
	[[ $(proc_field "$VM" SigIgn) == 0000000000000000 ]]
	[[ $(proc_field "$VM" SigCgt) == 0000000000000000 ]]
}

@test "a cgroup of its own" {
	local group
	findmnt -t cgroup2 >/dev/null || cannot "no cgroup v2 here"
	group=$(sed -n 's/^0:://p' "/proc/$VM/cgroup")
	[[ $group == /vmsup-*/vm1 ]]
	[[ $(cat "$(findmnt -nt cgroup2 -o TARGET | head -n 1)$group/cgroup.procs") \
		== "$VM" ]]
}

@test "the supervisor keeps the capabilities of its list and no other" {
	local mask=0 cap set
	for cap in "${KEPT[@]}"; do
		mask=$((mask | 1 << cap))
	done
	[[ $(proc_field "$SUPERVISOR" CapEff) == "$(printf %016x "$mask")" ]]
	printf -v mask %016x $((mask | 1 << AT_END))
	for set in CapPrm CapBnd; do
		[[ $(proc_field "$SUPERVISOR" "$set") == "$mask" ]]
	done
	[[ $(proc_field "$SUPERVISOR" CapInh) == 0000000000000000 ]]
	[[ $(proc_field "$SUPERVISOR" CapAmb) == 0000000000000000 ]]
	[[ $(proc_field "$SUPERVISOR" NoNewPrivs) == 1 ]]
}

@test "the supervisor has a system call filter of its own" {
	[[ $(proc_field "$SUPERVISOR" Seccomp) == 2 ]]
}

@test "the supervisor holds what it should, and no descriptor of the caller's" {
	local kinds
	kinds=$(find "/proc/$SUPERVISOR/fd" -mindepth 1 -printf '%l\n')
	# two TAPs of another instance aren't here
	[[ $(grep -c '^/dev/net/tun$' <<<"$kinds") == 3 ]]
	[[ $(grep -c 'seccomp notify' <<<"$kinds") == 3 ]]
	[[ $(grep -c 'pidfd' <<<"$kinds") == 3 ]]
	refute grep -E 'pts/|tty' <<<"$kinds"
}

# "dc": not copied by a fork
@test "nothing of the supervisor's heap is in a VM process before its exec" {
	local flags
	flags=$(sed -n '/\[heap\]$/,/^VmFlags:/s/^VmFlags: //p' \
		"/proc/$SUPERVISOR/smaps")
	[[ -n $flags ]]
	refute grep -vw dc <<<"$flags"
}

@test "the cage is the same in the next generation" {
	local before
	before=$(vm_get vm0 .uid)
	vmsup kill vm0
	wait_until 20 vm_is vm0 '.state == "running" and .generation == 2'
	[[ $(vm_get vm0 .uid) == "$before" ]]
	vmsup sandbox vm0
	[[ $(fds_of "$(vm_get vm0 .pid)") == 5 ]]
}
