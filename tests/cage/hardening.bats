#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# How vmproc is built: what a mistake in it meets before the cage does.

bats_require_minimum_version 1.5.0
load ../lib

setup_file() {
	lab_up
	lab_vmproc vmproc
	[[ -n $LAB_OBSTACLE ]] || vmsup start --vms 1
}

teardown_file() {
	lab_down
}

setup() {
	need readelf objdump nm
}

# ends_by SIGNAL... ARGUMENT: of one of them, and had no chance to say more.
ends_by() {
	local signal signals=("${@:1:$#-1}")
	run "$BUILD/tests/cage/hardening" "${@: -1}"
	[[ $output != *survived* ]]
	for signal in "${signals[@]}"; do
		[[ $status != "$((128 + $(kill -l "$signal")))" ]] || return 0
	done
	echo "status $status" && false
}

need_musl() {
	grep -q musl "$BUILD/obj-caged/compiler" ||
		cannot "built with $(cat "$BUILD/obj-caged/compiler"), not musl"
}

@test "it is static, lies at a random address, and binds at its start" {
	run -0 readelf -lW "$BUILD/vmproc"
	[[ $output == *"Elf file type is DYN"* ]]
	[[ $output != *INTERP* ]]
	[[ $output == *GNU_RELRO* ]]
	[[ $output =~ GNU_STACK[^$'\n']*\ RW\  ]]
	[[ ! $output =~ LOAD[^$'\n']*\ RWE ]]
	run -0 readelf -dW "$BUILD/vmproc"
	[[ $output == *NOW* ]]
	[[ $output != *NEEDED* && $output != *TEXTREL* ]]
}

# The kernel's view of the running one: what the file asks for isn't enough.
@test "addresses that its start filled in are read-only from then on" {
	lab_check
	local pid base begin bytes
	pid=$(vmsup status --json | jq '.vms[0].pid')
	read -r begin bytes < <(readelf -lW "$BUILD/vmproc" |
		awk '$1 == "GNU_RELRO" { print $3, $6 }')
	base=$((16#$(head -n 1 <(grep "$LAB/bin/vmproc" "/proc/$pid/maps" ||
		grep vmproc "/proc/$pid/maps") | cut -d- -f1)))
	begin=$((base + begin / 4096 * 4096))
	while read -r from to rights _; do
		((16#$from <= begin && begin < 16#$to)) || continue
		echo "$from-$to $rights, $bytes bytes of RELRO from $begin"
		[[ $rights == r--p ]]
		return
	done < <(sed 's/-/ /' "/proc/$pid/maps")
	false # no such address
}

@test "what is written there all the same ends the process" {
	ends_by SEGV relro
}

@test "a stack that was overrun isn't returned to, on any thread" {
	ends_by SEGV ABRT smash
	ends_by SEGV ABRT smash-thread
}

@test "a thread whose stack is full reaches nobody else's memory" {
	ends_by SEGV deep-thread
}

@test "the stack protector is in vmproc's own functions" {
	# of those that have an array: some hundred
	(($(objdump -d --no-show-raw-insn "$BUILD/vmproc" |
		grep -c 'call.*<__stack_chk_fail') > 50))
}

@test "the stack protector's value is random, and all threads have it" {
	local first
	run -0 "$BUILD/tests/cage/hardening" threads
	first=$(grep -o 'canary=[0-9a-f]*' <<<"$output" | sort -u)
	[ "$(wc -l <<<"$first")" = 1 ]
	[[ $first =~ canary=[0-9a-f]{12} ]]
	run -0 "$BUILD/tests/cage/hardening" threads
	[[ $output != *"$first"* ]]
}

@test "each thread has errors of its own, and can say them" {
	run -0 "$BUILD/tests/cage/hardening" threads
	printf '%s\n' "$output" | sed 's/canary=[0-9a-f]*//' | diff - <(
		cat <<-EOF
			0  errno=EBADF text=0   |0x0abc
			1  errno=EINVAL text=1   |0x0abc
			2  errno=EFAULT text=2   |0x0abc
			first  errno=ENOTDIR text=first|0x0abc
		EOF
	)
}

# Threads that musl doesn't know of lack what is thread-local, and locks of its
# heap and its streams. What is on this list needs neither.
@test "vmproc calls of its C library what any thread may call, nothing else" {
	need_musl
	local objects
	objects=$(find "$BUILD"/obj-caged/{vmproc,ipc,sandbox} -name '*.o')
	# shellcheck disable=SC2086 # names without blanks
	comm -23 <(nm $objects | awk '$1 == "U" { print $2 }' | sort -u) \
		<(nm $objects | awk 'NF == 3 { print $3 }' | sort -u) |
		grep -vxF -f <(
			cat <<-EOF
				_GLOBAL_OFFSET_TABLE_
				__ehdr_start
				__errno_location
				__stack_chk_fail
				_exit
				clock_gettime
				close
				dprintf
				dup3
				epoll_create1
				epoll_ctl
				eventfd
				fallocate
				fcntl
				fdatasync
				fstat
				getpid
				getrandom
				htonl
				htons
				inet_ntop
				ioctl
				lseek
				madvise
				memchr
				memcmp
				memcpy
				memmove
				memset
				mmap
				mprotect
				munmap
				ntohl
				ntohs
				prctl
				pread
				read
				readv
				recvmsg
				sendmsg
				sigaction
				sigaddset
				sigemptyset
				sigfillset
				sigprocmask
				snprintf
				socketpair
				strlen
				strnlen
				strspn
				syscall
				vsnprintf
				write
				writev
			EOF
		) >"$BATS_TEST_TMPDIR/others" || true
	cat "$BATS_TEST_TMPDIR/others"
	[[ ! -s $BATS_TEST_TMPDIR/others ]]
	# and nothing of it is thread-local: threads have no room for that
	run ! grep -w TLS <(readelf -lW "$BUILD/vmproc")
}
