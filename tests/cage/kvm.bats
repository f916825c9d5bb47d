#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The cage of a VM of guest kvm, with a stand-in in its process's place: what
# stage 1 leaves, with disks, network and console; and what becomes of a call
# that is refused after stage 2, in the process and in a vCPU's thread. Which
# calls those are: filters.bats. Real guests: tests/lab/cage.bats.

load ../lib
load machine

STAGES=(rights processes files networks descriptors kernel)
CALLS=(openat execve clone clone3 fork mmap mmap-exec mprotect-exec socket
	ioctl ioctl-tiocsti ioctl-listener-send ptrace prctl setns
	tgkill memfd-create io-uring-setup bpf unknown x32 int80)

setup_file() {
	lab_up
	[[ -n $LAB_OBSTACLE ]] || LAB_OBSTACLE=$(machine_obstacle)
	lab_vmproc tests/cage/probe
	[[ -z $LAB_OBSTACLE ]] || return 0
	machine_kernel "$LAB/kernel"
	head -c 4096 /dev/zero >"$LAB/initrd"
	# each its own: a writable disk belongs to one VM
	for stage in "${STAGES[@]}"; do
		truncate -s 1M "$LAB/$stage.img"
	done
	truncate -s 1M "$LAB/shared.img"
	configure >"$LAB/conf"
	vmsup start -c "$LAB/conf"
	callers | xargs "$LAB/bin/vmsup" start --no-wait
	wait_until 60 all_called
	vmsup status --json >"$LAB/status"
	for stage in "${STAGES[@]}"; do
		vmsup logs "kvm-$stage" |
			sed 's/^[^ ]* *1 *info *\(process: \)\?//' >"$LAB/$stage.log"
	done
}

# The VMs that make a call: from the process, and from a vCPU's thread.
callers() {
	printf '%s\n' "${CALLS[@]/#/kvm-}" "${CALLS[@]/#/vcpu-}"
}

all_called() {
	vmsup status --json | jq -e --arg calls "$(callers)" '
		($calls | split("\n")) as $names |
		all(.vms[] | select(.name | IN($names[]));
			.state == "stopped" and .generation == 1)' >/dev/null
}

configure() {
	cat <<-EOF
		defaults = { restart = { enabled = false; };
		  guest = "kvm"; kernel = "kernel"; };
		vms = (
	EOF
	for stage in "${STAGES[@]}"; do
		cat <<-EOF
			{ name = "kvm-$stage"; initrd = "initrd"; cpus = 2;
			  memory = "64M"; queues = 2; cmdline = "quiet";
			  disks = ( { path = "$stage.img"; },
			    { path = "shared.img"; read_only = true; } ); },
		EOF
	done
	callers | sed 's/.*/{ name = "&"; autostart = false; },/'
	cat <<-EOF
		{ name = "kvm-getrandom"; }, { name = "vcpu-getrandom"; },
		{ name = "diskless"; cpus = 3; },
		{ name = "ok"; guest = "builtin"; } );
	EOF
}

setup() {
	lab_check
}

teardown_file() {
	lab_down
}

# expect STAGE < lines of "WHAT PATTERN": those probes answered so, others too.
expect() {
	local what pattern found bad=0
	while read -r what pattern; do
		found=$(awk -v what="$what " 'index($0, what) == 1' \
			"$LAB/$1.log")
		[[ ${found#"$what "} =~ ^($pattern)$ ]] || {
			echo "$what: expected $pattern, found: $found"
			bad=1
		}
	done
	((bad == 0))
}

last_exit() {
	jq -r --arg vm "$1" '.vms[] | select(.name == $vm).last_exit |
		"\(.reason): \(.detail)"' "$LAB/status"
}

limit_of() {
	sed -n "s|^$2  *||p" "/proc/$1/limits" | awk '{ print $1 "/" $2 }'
}

# ---- stage 1

# What the kernel says behind the list of set-up is in stage1.bats, with a guest
# of the other kind: nothing of it depends on the guest.

@test "set-up: no privilege, and no call that could give one" {
	local uid
	uid=$(vm_get kvm-rights .uid)
	expect rights <<-EOF
		bounding 0
		ambient 0
		uid $uid
		euid $uid
		gid $uid
		secure 0
		environment 0
		capset ENOSYS
		ambient-raise ENOSYS
		setresuid ENOSYS
		setresgid ENOSYS
		setgroups ENOSYS
		nofile ENOSYS
		nproc ENOSYS
		core ENOSYS
		memlock ENOSYS
		prlimit-1 ENOSYS
		keepcaps-off ENOSYS
	EOF
}

# There is room for threads under the limit of processes, and for those alone.
@test "set-up: no other process is named, traced or read, and none made" {
	expect processes <<-EOF
		signalled 0
		tgkill-1 ENOSYS
		kill-1 ENOSYS
		kill-all ENOSYS
		getppid ENOSYS
		ptrace-attach ENOSYS
		process_vm_readv ENOSYS
		process_vm_writev ENOSYS
		pidfd_open ENOSYS
		pidfd_getfd ENOSYS
		pidfd_send_signal ENOSYS
		execve ENOSYS
		execveat-empty ENOSYS
		setns ENOSYS
		unshare-user ENOSYS
		unshare-net ENOSYS
		fork ENOSYS
		vfork ENOSYS
		clone ENOSYS
		clone3 ENOSYS
		clone3-user ENOSYS
		clone3-pid ENOSYS
	EOF
}

@test "set-up: no file is named or made, no code mapped, no filter changed" {
	expect files <<-EOF
		open:/dev/kvm ENOSYS
		open:/dev/net/tun ENOSYS
		open:/proc ENOSYS
		create ENOSYS
		mkdir ENOSYS
		mknod ENOSYS
		mount ENOSYS
		memfd_create ENOSYS
		mmap-exec ENOSYS
		filter-write ENOSYS
		filter-map EPERM
	EOF
}

@test "set-up: no socket is made, used or changed but the channel" {
	expect networks <<-EOF
		socket-1 ENOSYS
		socket-16 ENOSYS
		socket-17 ENOSYS
		socket-40 ENOSYS
		links 0
		lo-up ENOSYS
		listen ENOSYS
	EOF
}

@test "set-up: none of the kernel's other doors is open" {
	(($(grep -c ' ENOSYS$' "$LAB/kernel.log") > 30))
	refute grep -vE ' ENOSYS$|^generation 1 runs' "$LAB/kernel.log"
}

@test "set-up: the channel and the loops alone, then the machine's descriptors, as given" {
	# two of a kind stand one below the other
	grep -vE '^(generation 1 runs|tap-other E)' "$LAB/descriptors.log" \
		>"$LAB/found"
	diff - "$LAB/found" <<-EOF
		born with: 3 32 33
		more than given:
		machine: 2 vCPUs, 64 MiB, quiet
		kvm: 18 to read and write
		kernel: 12 to read
		initrd: 13 to read
		disk: 48 to read and write
		disk: 49 to read
		tap: 64 to read and write
		tap: 65 to read and write
		console: 512 to read and write
		console-adopt: 14 to read and write
		filter-vcpu: 17 to read and write
		tap $(vm_get kvm-descriptors .tap)
	EOF
}

# ---- from outside

@test "a uid of its own, no groups, no capability, in each thread" {
	local pid uid uids
	for vm in kvm-rights kvm-files diskless vcpu-getrandom; do
		pid=$(vm_get $vm .pid)
		uid=$(vm_get $vm .uid)
		uids+=$uid$'\n'
		for task in "/proc/$pid/task/"*; do
			task=${task#/proc/}
			[[ $(proc_field "$task" Uid) == \
				"$uid"$'\t'"$uid"$'\t'"$uid"$'\t'"$uid" ]]
			[[ -z $(proc_field "$task" Groups | tr -d ' ') ]]
			for set in CapInh CapPrm CapEff CapBnd CapAmb; do
				[[ $(proc_field "$task" $set) == 0000000000000000 ]]
			done
			[[ $(proc_field "$task" NoNewPrivs) == 1 ]]
			[[ $(proc_field "$task" Seccomp) == 2 ]]
		done
	done
	[[ $(sort -u <<<"${uids%$'\n'}" | wc -l) == 4 ]]
}

@test "a vCPU's thread has one filter more than its process" {
	local pid inherited filters
	inherited=$(proc_field "$(supervisor_pid)" Seccomp_filters)
	pid=$(vm_get vcpu-getrandom .pid)
	wait_until 20 logged vcpu-getrandom EXECUTED
	# the process: inherited, stage 1's, stage 2's
	filters=$(for task in "/proc/$pid/task/"*; do
		proc_field "${task#/proc/}" Seccomp_filters
	done | tr '\n' ' ')
	[[ $filters == "$((inherited + 2)) $((inherited + 3)) " ]]
}

logged() {
	vmsup logs "$1" 2>/dev/null | grep -q -e "$2"
}

@test "limits: its threads, no core, nothing locked; its disks alone may be written" {
	local pid
	pid=$(vm_get kvm-files .pid)
	# vCPUs, queues (vhost), disks, one to spare, and itself
	[[ $(limit_of "$pid" 'Max processes') == 7/7 ]]
	[[ $(limit_of "$pid" 'Max open files') == 1024/1024 ]]
	[[ $(limit_of "$pid" 'Max core file size') == 0/0 ]]
	[[ $(limit_of "$pid" 'Max locked memory') == 0/0 ]]
	[[ $(limit_of "$pid" 'Max msgqueue size') == 0/0 ]]
	# offsets count as size: up to where the largest disk ends
	[[ $(limit_of "$pid" 'Max file size') == 1048576/1048576 ]]
	pid=$(vm_get diskless .pid)
	[[ $(limit_of "$pid" 'Max file size') == 0/0 ]]
	[[ $(limit_of "$pid" 'Max processes') == 7/7 ]]
}

@test "the same room as all others, and its root is empty" {
	local pid
	pid=$(vm_get diskless .pid)
	for ns in mnt net ipc uts; do
		readlink "/proc/$pid/ns/$ns" "/proc/$(vm_get ok .pid)/ns/$ns" |
			uniq | wc -l | grep -qx 1
	done
	[[ -z $(find "/proc/$pid/root/" -mindepth 1) ]]
}

@test "the supervisor keeps neither /dev/kvm nor /dev/vhost-net" {
	[[ -z $(find "/proc/$(supervisor_pid)/fd" -lname '/dev/kvm' \
		-o -lname '/dev/vhost-net') ]]
}

# ---- stage 2

@test "stage 2: a blocked call of the process, or of a vCPU, is its last exit" {
	local vm name found bad=0
	for vm in $(callers); do
		name=$("$BUILD/tests/cage/probe" --calls |
			awk -v vm="${vm#*-}" '$1 == vm { print $2 }')
		found=$(last_exit "$vm")
		case $vm in
		# entries of other architectures: not even notified
		*-x32) [[ $found == "signal: SIGSYS" ]] ;;
		*-int80) [[ $found =~ ^signal:\ SIG(SYS|SEGV)$ ]] ;;
		*) [[ $found == "seccomp: SIGSYS $name" ]] ;;
		esac || {
			echo "$vm: $found"
			bad=1
		}
	done
	((bad == 0))
}

@test "stage 2: none of them was executed" {
	refute grep -E '(kvm|vcpu)-.*EXECUTED' <(grep -vE \
		'(kvm|vcpu)-getrandom' "$LAB/run/supervisor.log")
	grep -q 'blocked: openat(' "$LAB/run/supervisor.log"
}

@test "stage 2: what the process may and its vCPUs mayn't is refused to those" {
	wait_until 20 logged kvm-getrandom 'EXECUTED getrandom: 16 '
	wait_until 20 logged vcpu-getrandom 'EXECUTED getrandom: -1 (ENOSYS)'
	vm_is vcpu-getrandom '.state == "running" and .generation == 1'
}

@test "the VMs beside it never notice" {
	vm_is ok '.state == "running" and .generation == 1'
	vmsup pause diskless
	vmsup resume diskless
	vm_is diskless '.state == "running" and .generation == 1'
}
