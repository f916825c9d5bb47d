#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The filters of VM processes, of both guests and of vCPU threads, tried in the
# kernel: every system call, the arguments that are pinned, 100,000 requests of
# ioctl(), and the entries of other architectures. What is on a list stands here
# a second time: a list that grew is seen.

load ../lib

# uretprobe and uprobe: the kernel lets these two pass every filter, and ends
# who calls them without a probe of its own. Kernels that have them, that is;
# a libseccomp that has them knows their names.
KERNELS_OWN='^(#335|#336|uretprobe|uprobe) (passed|SIGILL|ENOSYS)$'

setup() {
	[[ $EUID == 0 ]] || cannot "needs root"
	FILTERS=$BUILD/tests/cage/filters
	[[ -x $FILTERS ]] || cannot "needs $FILTERS (make tests)"
}

# tried ROLE WHAT: what became of it, sorted, but for what is refused.
tried() {
	local said=$BATS_TEST_TMPDIR/said
	"$FILTERS" "$@" >"$said" 2>"$BATS_TEST_TMPDIR/count" || return 1
	grep -v ' refused$' "$said" | grep -Ev "$KERNELS_OWN" | sort
}

# passes ROLE WHAT < lines: these pass, in this way, and nothing else.
passes() {
	diff <(sort) <(tried "$@")
}

all_tried() {
	(($(cut -d' ' -f1 "$BATS_TEST_TMPDIR/count") >= $1))
}

@test "builtin: of all system calls, those of its list pass" {
	passes builtin calls <<-EOF
		read passed
		write passed
		clock_gettime passed
		epoll_wait passed
		exit_group passed
	EOF
	all_tried 1024
}

# Those that are for no descriptor: with others, -1 isn't in their block.
@test "kvm: of all system calls, those of its list pass" {
	# rt_sigreturn without a signal: executed, and the end
	passes kvm calls <<-EOF
		clock_gettime passed
		exit_group passed
		rt_sigreturn SIGSEGV
		seccomp SIGSYS
		getrandom passed
	EOF
	all_tried 1024
}

@test "a vCPU: of all system calls, those of both lists pass" {
	# ENOSYS: the process has it, its vCPU threads don't
	passes vcpu calls <<-EOF
		exit_group passed
		rt_sigreturn SIGSEGV
		clock_gettime ENOSYS
		getrandom ENOSYS
	EOF
	all_tried 1024
}

# What is only kept, below the blocks, is on nobody's list; vhost-net's, which
# would take a write for an update of its IOTLB, isn't on that of write().
@test "kvm: each call passes on the blocks that it is for, and on no other" {
	lines read-console read-last-event write-tap write-last-tap \
		write-console write-last-event readv-tap readv-last-tap \
		writev-tap writev-last-tap preadv-disk pwritev-disk \
		fdatasync-disk epoll_wait-loop >"$BATS_TEST_TMPDIR/wanted"
	passes kvm blocks <"$BATS_TEST_TMPDIR/wanted"
	passes kvm-setup blocks <"$BATS_TEST_TMPDIR/wanted"
	all_tried 190
}

@test "a vCPU: eventfds are read and written, nothing else" {
	passes vcpu blocks < <(
		lines read-console read-last-event write-console write-last-event
		for name in write-tap write-last-tap readv-tap readv-last-tap \
			writev-tap writev-last-tap preadv-disk pwritev-disk \
			fdatasync-disk epoll_wait-loop; do
			echo "$name ENOSYS"
		done
	)
}

# ---- set-up: what isn't listed is ENOSYS, and nobody hears of it

SETUP_CALLS="brk clock_gettime close exit_group getrandom
	landlock_create_ruleset landlock_restrict_self munmap pread64 rseq
	set_robust_list set_tid_address uname"
SETUP_CASES="sendmsg-channel recvmsg-channel epoll-add epoll-add-channel
	epoll-mod epoll-mod-channel
	close-listener close-filter close-adopt close-uids close-kernel
	close-disk close-tap close-console
	filter-stage2 mmap mmap-guest mprotect munmap brk prctl-undumpable
	prctl-outlive prctl-mdwe thread-pointer limit-own execveat-program
	place fcntl-nonblocking fcntl-dup offloads-none"

lines() {
	printf '%s passed\n' "$@"
}

@test "builtin set-up: of all system calls, those of its list pass" {
	# shellcheck disable=SC2086 # words
	lines $SETUP_CALLS epoll_wait read write |
		passes builtin-setup calls
	all_tried 1024
}

@test "kvm set-up: of all system calls, those of its list pass" {
	# shellcheck disable=SC2086 # words
	passes kvm-setup calls < <(
		lines $SETUP_CALLS exit fstat getpid gettid lseek \
			rt_sigprocmask
		echo "rt_sigreturn SIGSEGV"
	)
	all_tried 1024
}

# No option of a socket, no identity, no lock, no owner of a descriptor, no
# filter but stage 2's; tgkill, prlimit64 and sched_setscheduler for itself.
@test "builtin set-up: arguments that are pinned" {
	# shellcheck disable=SC2086 # words
	lines $SETUP_CASES | passes builtin-setup cases
}

@test "kvm set-up: arguments that are pinned" {
	# shellcheck disable=SC2086 # words
	lines $SETUP_CASES epoll-add-event epoll-del epoll-del-event \
		epoll-mod-event futex-wait-private futex-wake-private \
		kick-self stack-a-filter discard zeroes prctl-name batch-own \
		handler-kick eventfd stat-descriptor hugepages no-dump \
		fcntl-get-flags mmap-reserve offloads | passes kvm-setup cases
}

@test "builtin set-up: two requests of ioctl() pass, the TAP's" {
	lines TUNGETIFF TUNSETOFFLOAD | passes builtin-setup ioctls
	all_tried 100000
}

@test "kvm set-up: requests that make a machine pass; none of the listener's" {
	lines KVM_RUN KVM_IRQFD KVM_SET_GSI_ROUTING KVM_IOEVENTFD \
		KVM_KVMCLOCK_CTRL KVM_GET_REGS KVM_GET_API_VERSION \
		KVM_GET_SUPPORTED_CPUID KVM_GET_VCPU_MMAP_SIZE \
		KVM_SET_IDENTITY_MAP_ADDR KVM_SET_TSS_ADDR KVM_CREATE_VM \
		KVM_CREATE_VCPU KVM_CREATE_IRQCHIP KVM_CHECK_EXTENSION \
		KVM_SET_USER_MEMORY_REGION KVM_GET_SREGS \
		KVM_SET_MSRS KVM_SET_CPUID2 TUNSETOFFLOAD \
		TUNSETQUEUE TUNGETIFF TUNSETVNETHDRSZ VHOST_SET_OWNER \
		VHOST_SET_MEM_TABLE VHOST_GET_FEATURES VHOST_SET_FEATURES \
		VHOST_SET_VRING_NUM VHOST_SET_VRING_BASE \
		VHOST_GET_VRING_BASE VHOST_SET_VRING_ADDR \
		VHOST_SET_VRING_KICK VHOST_SET_VRING_CALL \
		VHOST_SET_VRING_ERR VHOST_NET_SET_BACKEND |
		passes kvm-setup ioctls
	all_tried 100000
}

# ---- after stage 2

@test "builtin: arguments that are pinned" {
	passes builtin cases <<-EOF
		sendmsg-channel passed
		recvmsg-channel passed
		epoll-mod passed
		epoll-mod-channel passed
		close-listener passed
		close-filter passed
	EOF
	all_tried 60
}

# SIGSYS: no filter can be stacked that answers in the supervisor's place.
@test "kvm: arguments that are pinned; no new code, memory, process or thread" {
	passes kvm cases <<-EOF
		sendmsg-channel passed
		recvmsg-channel passed
		epoll-add passed
		epoll-add-event passed
		epoll-mod passed
		epoll-mod-channel passed
		epoll-mod-event passed
		epoll-del passed
		epoll-del-event passed
		futex-wait-private passed
		futex-wake-private passed
		kick ENOSYS
		kick-self passed
		stack-a-filter SIGSYS
		filter-listener SIGSYS
		filter-all SIGSYS
		filter-stage2 SIGSYS
		filter-strict SIGSYS
		filter-sizes SIGSYS
		discard passed
		zeroes passed
		close-listener passed
		close-filter passed
		close-console passed
		offloads-none passed
		offloads passed
	EOF
	for what in mmap-exec mprotect-exec pkey-exec mmap fork vfork clone \
		clone-thread clone3 execveat futex-high sendmsg-high; do
		"$FILTERS" kvm cases 2>/dev/null | grep -qx "$what refused"
	done
}

@test "a vCPU: arguments that are pinned" {
	passes vcpu cases <<-EOF
		sendmsg-channel passed
		futex-wait-private passed
		futex-wake-private passed
		recvmsg-channel ENOSYS
		epoll-add ENOSYS
		epoll-add-event ENOSYS
		epoll-mod ENOSYS
		epoll-mod-channel ENOSYS
		epoll-mod-event ENOSYS
		epoll-del ENOSYS
		epoll-del-event ENOSYS
		kick ENOSYS
		kick-self ENOSYS
		stack-a-filter ENOSYS
		discard ENOSYS
		zeroes ENOSYS
		close-listener ENOSYS
		close-filter ENOSYS
		close-console ENOSYS
		offloads-none ENOSYS
		offloads ENOSYS
	EOF
}

# Tried are all numbers of all kinds, all shapes of KVM's, vhost's and the
# TAP's, and around each that has a name, every single bit of all 64. The
# kernel looks at the lower 32 alone: with anything above, a filter refuses.
@test "builtin: no request of ioctl() passes" {
	passes builtin ioctls </dev/null
	all_tried 100000
}

@test "kvm: the requests of ioctl() of its list pass, exactly" {
	passes kvm ioctls <<-EOF
		KVM_RUN passed
		KVM_IRQFD passed
		KVM_SET_GSI_ROUTING passed
		KVM_IOEVENTFD passed
		KVM_KVMCLOCK_CTRL passed
		KVM_GET_REGS passed
		TUNSETOFFLOAD passed
		TUNSETQUEUE passed
		VHOST_SET_FEATURES passed
		VHOST_SET_VRING_NUM passed
		VHOST_SET_VRING_BASE passed
		VHOST_GET_VRING_BASE passed
		VHOST_SET_VRING_ADDR passed
		VHOST_SET_VRING_KICK passed
		VHOST_SET_VRING_CALL passed
		VHOST_SET_VRING_ERR passed
		VHOST_NET_SET_BACKEND passed
	EOF
	all_tried 100000
}

@test "a vCPU: KVM's requests pass, the network's don't" {
	passes vcpu ioctls <<-EOF
		KVM_RUN passed
		KVM_IRQFD passed
		KVM_SET_GSI_ROUTING passed
		KVM_IOEVENTFD passed
		KVM_KVMCLOCK_CTRL passed
		KVM_GET_REGS passed
		TUNSETOFFLOAD ENOSYS
		TUNSETQUEUE ENOSYS
		VHOST_SET_FEATURES ENOSYS
		VHOST_SET_VRING_NUM ENOSYS
		VHOST_SET_VRING_BASE ENOSYS
		VHOST_GET_VRING_BASE ENOSYS
		VHOST_SET_VRING_ADDR ENOSYS
		VHOST_SET_VRING_KICK ENOSYS
		VHOST_SET_VRING_CALL ENOSYS
		VHOST_SET_VRING_ERR ENOSYS
		VHOST_NET_SET_BACKEND ENOSYS
	EOF
	all_tried 100000
}

@test "x32 and i386 entries end the process, whatever the call" {
	for role in builtin kvm vcpu builtin-setup kvm-setup; do
		"$FILTERS" $role abi >"$BATS_TEST_TMPDIR/said"
		(($(wc -l <"$BATS_TEST_TMPDIR/said") == 10))
		refute grep -v '^x32 SIGSYS$' <(grep ^x32 "$BATS_TEST_TMPDIR/said")
		# without 32-bit calls, the entry is a fault
		grep -Eqx 'int80 (SIGSYS|SIGSEGV)' "$BATS_TEST_TMPDIR/said"
	done
}
