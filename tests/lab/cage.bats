#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The cage of VMs with real guests, from outside: what the processes hold, and
# what they needn't while the guests use all that they have. What a filter
# refuses, and what stage 1 leaves, is told by tests/cage.
# What the guest is to expand stands in single quotes.
# shellcheck disable=SC2016

load guests
load tiny

setup_file() {
	guests_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	[[ $MACHINE == vmsup ]] || {
		LAB_OBSTACLE="$MACHINE has no cage"
		return
	}
	truncate -s 64M "$LAB/one.img" "$LAB/two.img"
	# what is left to be zeroed is zeroed once it is mounted
	mke2fs -q -t ext4 -E lazy_itable_init=1,nodiscard \
		"$LAB/one.img"
	# one after the other: two that boot at once hold each other up
	guest_run plain 1
	guest_ready plain
	vmsup run full --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
		--cmdline "console=ttyS0 quiet lab.ip=$(guest_ip 2)/16" \
		--memory 128M --disk "$LAB/one.img" --disk "$LAB/two.img,ro" \
		--vhost on --queues 2 --nic
	guest_ready full
}

teardown_file() {
	guests_down
}

setup() {
	lab_check
}

# What a process has open, one a line, of which there are many once.
held() {
	find "/proc/$(vm_get "$1" .pid)/fd" -mindepth 1 -printf '%l\n' |
		sed 's/^socket:.*/socket/; s/^anon_inode:\[*//; s/\]$//' |
		sed '/^eventfd$/d' | sort | uniq -c | awk '{ print $1, $2 }' | sort
}

# holds NAME < lines: that, and nothing else.
holds() {
	diff <(sort) <(held "$1")
}

@test "descriptors: those of the manifest, and /dev/kvm not among them" {
	# four sockets: channel and console, each with its other end for the
	# next supervisor; loops: the main one, the disks'
	holds plain <<-EOF
		1 $LAB_INITRD
		1 $LAB_KERNEL
		1 /dev/net/tun
		1 eventpoll
		1 kvm-vcpu:0
		1 kvm-vm
		1 /run/vmsup.uids
		4 socket
	EOF
	holds full <<-EOF
		1 $LAB/one.img
		1 $LAB/two.img
		2 /dev/net/tun
		2 /dev/vhost-net
		2 eventpoll
		1 kvm-vcpu:0
		1 kvm-vm
		1 $LAB_INITRD
		1 $LAB_KERNEL
		1 /run/vmsup.uids
		4 socket
	EOF
}

@test "descriptors: vmsup sandbox finds each in the manifest" {
	for vm in plain full; do
		vmsup sandbox "$vm"
		vmsup sandbox --json "$vm" | jq -e '.ok and all(.checks[]; .ok)
			and (.cage.descriptors | map(.role) | index("kvm") | not)'
	done
	# the supervisor has none of it either
	[[ -z $(find "/proc/$(supervisor_pid)/fd" -lname '/dev/kvm' \
		-o -lname '/dev/vhost-net') ]]
}

@test "disks are open for what was granted, and no more" {
	local pid fd flags
	pid=$(vm_get full .pid)
	for fd in 48:0100002 49:0100000 12:0100000 13:0100000; do
		flags=$(sed -n 's/^flags:[[:space:]]*//p' \
			"/proc/$pid/fdinfo/${fd%:*}")
		echo "${fd%:*}: $flags"
		# O_ACCMODE
		((0$flags % 4 == 0${fd#*:} % 4))
	done
}

@test "each thread: its filters, no new privileges, no capability, its uid" {
	local pid uid own task filters
	own=$(($(proc_field "$(supervisor_pid)" Seccomp_filters) + 2))
	for vm in plain full; do
		pid=$(vm_get $vm .pid)
		uid=$(vm_get $vm .uid)
		for task in "/proc/$pid/task/"*; do
			task=${task#/proc/}
			[[ $(proc_field "$task" Seccomp) == 2 ]]
			[[ $(proc_field "$task" NoNewPrivs) == 1 ]]
			for set in CapInh CapPrm CapEff CapBnd CapAmb; do
				[[ $(proc_field "$task" $set) == 0000000000000000 ]]
			done
			[[ $(proc_field "$task" Uid) == \
				"$uid"$'\t'"$uid"$'\t'"$uid"$'\t'"$uid" ]]
			filters=$(proc_field "$task" Seccomp_filters)
			case $(proc_field "$task" Name) in
			# the kernel's own threads in it load none; KVM's is made
			# by the first vCPU to run since Linux 6.12, and has its
			vhost-*) [[ $filters == "$own" ]] ;;
			kvm-*) ((filters == own || filters == own + 1)) ;;
			# a vCPU's narrower one; another's, against more
			*) [[ $filters == $((own + 1)) ]] ;;
			esac
		done
		grep -lx 'Name:.vcpu0' "/proc/$pid/task/"*/status
	done
	grep -lx 'Name:.vm-blk' "/proc/$pid/task/"*/status
}

@test "the network's thread is a batch for the scheduler, no other is" {
	local pid task want fields
	for vm in plain full; do
		pid=$(vm_get $vm .pid)
		for task in "/proc/$pid/task/"*; do
			want=0
			[[ ${task##*/} != "$pid" ]] || want=3
			# what comes after the name, the state first
			read -ra fields < <(sed 's/.*) //' "$task/stat")
			[[ ${fields[38]} == "$want" ]]
		done
	done
}

@test "no memory is written and executed; no program but one is mapped" {
	local pid
	pid=$(vm_get full .pid)
	[[ -z $(awk '$2 ~ /w.*x/' "/proc/$pid/maps") ]]
	[[ $(awk '$6 ~ "^/" { print $6 }' "/proc/$pid/maps" | sort -u) == \
		"$LAB/bin/vmproc" ]]
}

@test "all that guests do is within the filters" {
	guest_ping 1
	guest_ping 2
	guest_tcp send 1 1
	guest_tcp get 1 1
	guest_tcp send 2 1
	guest_tcp get 2 1
	in_guest 2 'dd if=/dev/vdb of=/dev/null bs=1M count=1 2>/dev/null
		blkdiscard -o 33554432 -l 1048576 /dev/vda
		mkdir -p /m && mount -t ext4 -o init_itable=0 /dev/vda /m
		dd if=/dev/urandom of=/m/file bs=64k count=16 2>/dev/null; sync
		head -c 64 /dev/hwrng >/dev/null'
	wait_until 60 has_zeroed
	# queues, offloads and filters of the network device, changed while up
	for guest in 1 2; do
		in_guest $guest 'ip link set eth0 promisc on
			ip link set eth0 promisc off'
	done
	for vm in plain full; do
		vmsup pause $vm
		vmsup resume $vm
	done
	{
		sleep 1 # as somebody types
		echo 'echo typed $((6 * 7))'
		sleep 1
	} | vmsup console full >"$LAB/typed"
	guest_prints full 'typed 42' 60
	# what was in a call when it was stopped goes on with it
	for vm in plain full; do
		vmsup kill --signal STOP $vm
		vmsup kill --signal CONT $vm
	done
	guest_ping 1
	guest_ping 2
	vmsup stats full >"$LAB/stats"
	cat "$LAB/stats"
	unharmed
}

has_zeroed() {
	vmsup stats full | awk '/zeroes/ && $NF > 0 { found = 1 }
		END { exit !found }'
}

unharmed() {
	refute grep -E 'blocked|SIGSYS' "$LAB/run/supervisor.log"
	for vm in plain full; do
		vm_is $vm '.state == "running" and .generation == 1 and
			.restarts == 0 and .last_exit == null'
	done
}

@test "drivers that come and go are within the filters" {
	# by the disk's queues; the network's are the way to the guest
	in_guest 2 'umount /m
		cd /sys/bus/virtio/drivers/virtio_blk
		for device in virtio*; do
			echo $device >unbind; echo $device >bind
		done
		dd if=/dev/vdb of=/dev/null bs=64k count=1 2>/dev/null'
	in_guest 2 '(sleep 1; cd /sys/bus/virtio/drivers/virtio_net
		for device in virtio*; do
			echo $device >unbind; echo $device >bind
		done
		ip addr add '"$(guest_ip 2)"'/16 dev eth0
		ip link set eth0 up) >/dev/null 2>&1 &'
	wait_until 60 guest_ping 2 1
	unharmed
}

@test "power-off and reboot are within the filters" {
	vmsup stop full
	vm_is full '.state == "stopped" and .last_exit.reason == "poweroff"'
	in_guest 1 '(sleep 1; reboot -f) >/dev/null 2>&1 &'
	wait_until 60 vm_is plain '.generation == 2 and .state == "running"'
	vm_is plain '.last_exit.reason == "reboot"'
	refute grep -E 'blocked|SIGSYS' "$LAB/run/supervisor.log"
	vmsup kill plain
}

# lines_of PATTERN: which lines of the trace are such.
lines_of() {
	grep -nE "$1" "$LAB/trace" | cut -d: -f1
}

@test "no byte of kernel and initrd is read before the cage has closed" {
	tiny_kernel "$LAB/deaf" deaf
	strace -f -qq -o "$LAB/trace" -e trace='!ioctl,futex' -- \
		"$BUILD/tests/lab/solo" -k "$LAB/deaf" -i "$LAB/deaf" \
		"$BUILD/vmproc" >"$LAB/said" 2>&1 \
		<<<$'expect tiny: deaf\nkill' || (($? == 137))
	# before it, the numbers are those of who stands in for the supervisor
	born=$(lines_of 'execve(at)?\(' | tail -n 1)
	closed=$(lines_of 'seccomp\(.*NEW_LISTENER.*len=')
	# once before, by who stands in for the supervisor
	stacked=$(lines_of 'seccomp\(SECCOMP_SET_MODE_FILTER, 0,' | tail -n 1)
	# the numbers that the VM process has for them
	for fd in 12 13; do
		reads=$(lines_of "(read|pread64|preadv|mmap)\(([^,]*, ){0,4}$fd," |
			awk -v from="$born" '$1 > from')
		echo "$fd: cage closed $closed, read" "$reads," "stacked $stacked"
		[[ -n $reads ]]
		for line in $reads; do
			((closed < line && line < stacked))
		done
	done
	grep -q 'tiny: deaf' "$LAB/said"
}

@test "a wrong supervisor ends a VM that runs, with the reason" {
	local name status says found bad=0 count=0
	vmsup stop plain
	"$BUILD/tests/cage/filters" kvm export >"$LAB/filter"
	"$BUILD/tests/cage/filters" vcpu export >"$LAB/vcpu-filter"
	while IFS=$'\t' read -r name status says; do
		count=$((count + 1))
		found=$(timeout 30 "$BUILD/tests/cage/peer" "$BUILD/vmproc" \
			"$name" "$LAB_KERNEL" "$LAB/filter" "$LAB/vcpu-filter" |
			tail -n 2)
		[[ ${found##*$'\n'} == "exit $status" &&
			${found%$'\n'*} =~ ^($says)$ ]] || {
			echo "$name: expected exit $status, $says; found:"
			echo "$found"
			bad=1
		}
	done < <("$BUILD/tests/cage/peer" --kvm-cases)
	((count > 10 && bad == 0))
}
