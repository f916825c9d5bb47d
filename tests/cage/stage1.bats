#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Stage 1 from inside, before stage 2: no privilege, an empty room, nobody else.
# The list of set-up is left out, for it would answer most of this before the
# kernel does (filters.bats has what it allows). What only the filter that the
# supervisor lets its children inherit refuses is ENOSYS; everything else is the
# kernel's own no. What that one allows, for the supervisor's own program to be
# replaced, and gives no right here is OK.

load ../lib

setup_file() {
	lab_up
	lab_vmproc tests/cage/probe tests/cage/unlisted
	[[ -z $LAB_OBSTACLE ]] || return 0
	{
		echo 'vms = ( { name = "ok"; }'
		"$BUILD/tests/cage/probe" --names |
			sed 's/.*/  , { name = "&"; }/'
		echo ');'
	} >"$LAB/conf"
	# one on the host's side, in the namespace that the supervisor is in
	nsenter --net="/run/netns/$LAB_NETNS" -- "$LAB/bin/vmproc" --bind \
		vmsup-cage-host >"$LAB/bound" 3>&- 4>&- &
	echo $! >"$LAB/binder"
	wait_until 20 grep -q bound "$LAB/bound"
	vmsup start -c "$LAB/conf"
	while read -r vm; do
		vmsup logs "$vm" | sed 's/^[^ ]* *1 *info *\(process: \)\?//' >"$LAB/$vm.log"
	done < <("$BUILD/tests/cage/probe" --names)
}

setup() {
	lab_check
}

teardown_file() {
	[[ -n $LAB_OBSTACLE ]] || kill "$(cat "$LAB/binder")"
	lab_down
}

# expect VM < lines of "WHAT PATTERN": each probe of that VM said WHAT, and an
# answer that the pattern matches whole. Nothing that it said is left out.
expect() {
	local vm=$1 what pattern found bad=0 count=0
	while read -r what pattern; do
		[[ -n $what ]] || continue
		count=$((count + 1))
		found=$(awk -v what="$what " 'index($0, what) == 1' \
			"$LAB/$vm.log")
		[[ ${found#"$what "} =~ ^($pattern)$ ]] || {
			echo "$what: expected $pattern, found: $found"
			bad=1
		}
	done
	[[ $(grep -vc '^generation 1 runs' "$LAB/$vm.log") == "$count" ]] || {
		echo "more probes than expectations ($count):"
		cat "$LAB/$vm.log"
		bad=1
	}
	((bad == 0))
}

@test "no privilege, and no way to one" {
	local uid
	uid=$(vm_get rights .uid)
	expect rights <<-EOF
		bounding 0
		ambient 0
		nonewprivs 1
		uid $uid
		euid $uid
		gid $uid
		secure 0
		environment 0
		capset EPERM
		ambient-raise EPERM
		setresuid EPERM
		setresgid EPERM
		setgroups EPERM
		setuid ENOSYS|EPERM
		nofile EPERM
		nproc EPERM
		core EPERM
		fsize EPERM
		memlock EPERM
		prlimit-1 EPERM
		keepcaps-off EPERM
	EOF
}

@test "no other process can be signalled, traced or read, and none made" {
	expect processes <<-EOF
		signalled 0
		tgkill-1 EPERM
		kill-1 ENOSYS
		kill-all ENOSYS
		tkill-1 ENOSYS
		getppid OK
		ptrace-attach ENOSYS
		ptrace-traceme ENOSYS
		process_vm_readv ENOSYS
		process_vm_writev ENOSYS
		pidfd_open OK
		pidfd_send_signal EBADF
		pidfd_getfd ENOSYS
		kcmp ENOSYS
		fork ENOSYS
		vfork ENOSYS
		clone ENOSYS
		clone3 EAGAIN
		clone3-user EAGAIN|EPERM
		clone3-pid EAGAIN|EPERM
		execve ENOSYS
		execveat ENOSYS
		execveat-empty ENOENT
		setns EINVAL
		unshare-user ENOSYS
		unshare-net ENOSYS
	EOF
}

@test "the root directory is empty, read-only and the whole world" {
	expect files <<-EOF
		root-entries 0
		open:/proc ENOENT
		open:/proc/1/mem ENOENT
		open:/dev/kvm ENOENT
		open:/dev/net/tun ENOENT
		open:/etc ENOENT
		open:/run ENOENT
		open:/sys ENOENT
		open:/vmproc ENOENT
		open:/tmp ENOENT
		open:../etc ENOENT
		open:../../../.. OK
		create EROFS|EACCES
		tmpfile EROFS|EACCES
		mkdir EROFS|EACCES|ENOSYS
		unlink EROFS|ENOENT|ENOSYS
		rename EBUSY|EROFS|ENOSYS
		mknod ENOSYS
		chmod ENOSYS
		link ENOSYS
		symlink ENOSYS
		chroot ENOSYS
		mount ENOSYS
		umount2 ENOSYS
		pivot_root ENOSYS
		fsopen ENOSYS
		open_tree ENOSYS
		open_by_handle_at ENOSYS
		memfd_create OK
		mmap-exec OK
		filter-write EFBIG|EPERM
		filter-map EPERM
	EOF
}

@test "no network but a loopback that is down, and nobody to talk to" {
	expect networks <<-EOF
		socket-1 ENOSYS
		socket-16 ENOSYS
		socket-2 ENOSYS
		socket-10 ENOSYS
		socket-17 ENOSYS
		socket-40 ENOSYS
		socket-15 ENOSYS
		socket-38 ENOSYS
		socket-31 ENOSYS
		socket-30 ENOSYS
		socket-21 ENOSYS
		links 1
		links-up 0
		lo-up EPERM
		host-socket ECONNREFUSED
		bind ENOSYS
		connect ENOSYS
		listen EOPNOTSUPP
	EOF
}

@test "no descriptor but the channel, then those that were given" {
	expect descriptors <<-EOF
		born with: 3 32
		more than given:
		tap $(vm_get descriptors .tap)
		tap-other E[A-Z]+
	EOF
}

@test "none of the kernel's other doors is open" {
	local count
	count=$(grep -c ' ENOSYS$' "$LAB/kernel.log")
	((count > 30))
	refute grep -vE ' ENOSYS$|^generation 1 runs' "$LAB/kernel.log"
}

@test "stage 2 closes Landlock, MDWE and dumps before its filter" {
	if grep -q '^landlock-version -1' "$LAB/landlock.log"; then
		cannot "this kernel has no Landlock"
	fi
	expect landlock <<-EOF
		before:open OK
		landlock-version [0-9]+
		stage2 system call filter: EBADF
		dumpable 0
		mdwe 1
		mdwe-off EPERM
		after:open EACCES
		after:create EROFS|EACCES
	EOF
}
