#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Guests of other shapes: several processors, queues and disks, memory above the
# hole below 4 GiB and in huge pages, an ELF kernel; and what becomes of a guest
# when the host changes its TAP. tests/lab/l1 runs it where that can be.
# What the guest is to expand stands in single quotes.
# shellcheck disable=SC2016

load guests

RESERVE=/proc/sys/vm/nr_hugepages
HUGE_PAGES=64 # of 2 MiB: all of guest huge's memory

setup_file() {
	lab_obstacle >"$BATS_FILE_TMPDIR/obstacle"
	if [[ -z ${LAB_KERNEL:-} || -s $BATS_FILE_TMPDIR/obstacle ||
		$MACHINE != vmsup ]]; then
		guests_up
		return
	fi
	cd "$BATS_FILE_TMPDIR" || return
	cat $RESERVE >reserve
	echo $(($(<reserve) + HUGE_PAGES)) >$RESERVE
	unpack "$LAB_KERNEL" vmlinux
	truncate -s 16M direct.img other.img
	head -c 4194304 /dev/urandom >fixed.img
	losetup -f --show direct.img >loop
	configuration >vmsup.conf
	guests_up --config "$PWD/vmsup.conf"
	guest_ready huge
	vmsup run wide --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
		--cmdline "console=ttyS0 quiet lab.ip=$(guest_ip 1)/16" \
		--memory 4G --cpus 4 --queues 4 --vhost off \
		--disk "$(<loop),direct" --disk fixed.img,ro --disk other.img
	guest_ready wide
}

configuration() {
	cat <<-END
		vms = ( {
		  name = "huge"; guest = "kvm"; memory = "$((2 * HUGE_PAGES))M";
		  kernel = "vmlinux"; initrd = "$LAB_INITRD";
		  cmdline = "console=ttyS0 quiet lab.ip=$(guest_ip 2)/16";
		  cpus = 2; queues = 2; vhost = "on"; hugepages = true;
		} );
	END
}

teardown_file() {
	local status=0
	guests_down || status=1
	cd "$BATS_FILE_TMPDIR" || return
	[[ ! -s loop ]] || losetup -d "$(<loop)"
	[[ ! -s reserve ]] || cat reserve >$RESERVE
	return $status
}

setup() {
	lab_check
	need_vmsup
	cd "$BATS_FILE_TMPDIR" || return
}

# unpack BZIMAGE FILE: the ELF kernel in it, found by the header of the boot
# protocol. The payload ends with its size unpacked, which for some of the
# programs is rubbish behind their own end: so not their status counts.
unpack() {
	local start bytes program
	start=$((($(number "$1" 1 $((0x1f1))) + 1) * 512 +
		$(number "$1" 4 $((0x248)))))
	bytes=$(number "$1" 4 $((0x24c)))
	tail -c +$((start + 1)) "$1" | head -c "$bytes" >payload
	case $(number payload 4 0) in
	$((0x184c2102))) program=lz4 ;;
	$((0xfd2fb528))) program=zstd ;;
	$((0x587a37fd))) program=xz ;;
	*) program=gzip ;;
	esac
	$program -dc <payload >"$2" 2>unpack.log || true
	[[ $(stat -c %s "$2") == "$(number payload 4 $((bytes - 4)))" ]] || {
		echo "$1 isn't unpacked by $program: $(<unpack.log)"
		return 1
	}
	rm payload
}

# number FILE BYTES OFFSET: the little-endian number there.
number() {
	od -An -t "u$2" -N "$2" -j "$3" "$1" | tr -d ' '
}

# on_each NUMBER CPUS COMMAND: runs it on each of a guest's processors, all at
# the same time; $cpu is which. Each must succeed.
on_each() {
	local all='' cpu
	for ((cpu = 0; cpu < $2; cpu++)); do
		all+=" $cpu"
	done
	in_guest "$1" "for cpu in$all; do
			cpu=\$cpu taskset -c \$cpu sh -c '$3' &
			all=\"\$all \$!\"
		done
		for one in \$all; do wait \$one || exit; done"
}

# How often the queues of that name interrupted the guest, a line each.
interrupts() {
	in_guest "$1" "awk '/-$2\.[0-9]+\$/ { sum = 0
		for (i = 2; i <= NF && \$i ~ /^[0-9]+\$/; i++) sum += \$i
		print sum }' /proc/interrupts"
}

# queue_pairs NUMBER COUNT: the guest has so many, TCP from each of as many
# processors comes through, and every pair's queue receives.
queue_pairs() {
	local way before after line other=$((3 - $1))
	for way in rx tx; do
		[ "$(in_guest "$1" "ls -d /sys/class/net/eth0/queues/$way-*" |
			wc -l)" = "$2" ]
	done
	before=$(interrupts "$1" input)
	[ "$(wc -l <<<"$before")" = "$2" ]
	guest_tcp send "$1" 2
	guest_tcp get "$1" 2
	on_each "$1" "$2" "wire send $(guest_ip $other) 1"
	after=$(interrupts "$1" input)
	paste <(echo "$before") <(echo "$after") >"$LAB/interrupts"
	while read -r line; do
		# shellcheck disable=SC2086 # two numbers
		((${line#*[[:blank:]]} > ${line%%[[:blank:]]*}))
	done <"$LAB/interrupts"
}

# counter NAME COUNTER: of vmsup stats.
counter() {
	vmsup stats --json "$1" | jq ".[\"$2\"]"
}

@test "four processors work at once, and are interrupted each" {
	guest_printed wide 'lab: ready .*cpus=4 '
	vm_is wide '.vcpus == 4'
	on_each 1 4 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; echo $i' \
		>"$LAB/counted"
	[ "$(grep -c '^2000$' "$LAB/counted")" = 4 ]
	in_guest 1 "awk '/LOC:/ { exit !(\$2 > 10 && \$3 > 10 && \$4 > 10 && \
		\$5 > 10) }' /proc/interrupts"
}

@test "memory goes on above the hole below 4 GiB, and is made when it is used" {
	vm_is wide '.memory_bytes == 4 * 1024 * 1024 * 1024'
	kib=$(in_guest 1 "sed -n 's/MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo")
	((kib > 3500 * 1024 && kib <= 4096 * 1024))
	in_guest 1 cat /proc/iomem >"$LAB/iomem"
	grep -qi '^ *100000000-13fffffff : System RAM' "$LAB/iomem"
	# the frame of the page that this shell's stack has at its lower end
	frame=$(in_guest 1 'page=$((0x$(sed -n "s/^\([0-9a-f]*\)-\([0-9a-f]*\) .*\[stack\]/\2/p" \
			/proc/$$/maps) / 4096 - 1))
		dd if=/proc/$$/pagemap bs=8 skip=$page count=1 2>/dev/null |
			od -An -t u8')
	(((frame & ((1 << 55) - 1)) >= 1 << 20))
	# RAM of L1, or of the host, isn't 4 GiB less for it
	(($(rss_of "$(guest_pid wide)") < 1024 * 1024))
}

@test "several queue pairs, TCP from every processor, every byte compared" {
	queue_pairs 1 4
	for queue in 0 1 2 3; do
		(($(counter wide "net0.$queue.tx_frames") > 0))
		(($(counter wide "net0.$queue.rx_frames") > 0))
	done
}

@test "several queue pairs under vhost-net" {
	queue_pairs 2 2
	[ "$(fds_to huge /dev/vhost-net)" = 2 ]
}

# fds_to NAME FILE: how many descriptors the VM's process has of it.
fds_to() {
	find "/proc/$(guest_pid "$1")/fd" -lname "$2" | wc -l
}

@test "an ELF kernel is entered by PVH" {
	in_guest 2 uname -r >"$LAB/release"
	in_guest 1 uname -r | cmp - "$LAB/release"
	# which loader Linux saw: Linux's own number for PVH, and "none known"
	[ "$(in_guest 2 cat /proc/sys/kernel/bootloader_type)" = 176 ]
	[ "$(in_guest 1 cat /proc/sys/kernel/bootloader_type)" = 255 ]
}

@test "huge pages on request, all of them at the start" {
	kib=$(sed -n 's/^Private_Hugetlb: *\([1-9][0-9]*\) kB/\1/p' \
		"/proc/$(guest_pid huge)/smaps")
	[ "$kib" = $((HUGE_PAGES * 2048)) ]
	[ "$(awk '/^Private_Hugetlb:/ { kib += $2 } END { print kib }' \
		"/proc/$(guest_pid wide)/smaps")" = 0 ]
}

@test "no huge pages left: it fails, and says so, once" {
	mib=$((2 * $(sed -n 's/^HugePages_Free: *//p' /proc/meminfo) + 128))
	fails_with 1 vmsup run more --kernel "$LAB_KERNEL" --hugepages \
		--memory ${mib}M
	vmsup logs more >"$LAB/more.log"
	grep -q "no $mib MiB of huge pages left" "$LAB/more.log"
	vm_is more '.state == "failed" and .restarts == 0'
}

@test "memory that isn't made of huge pages is refused before anything runs" {
	fails_with 1 vmsup run odd --kernel "$LAB_KERNEL" --hugepages \
		--memory 129M
	[[ $output == *"129 MiB of memory"*"2 MiB"* ]]
	refute vmsup status odd
}

@test "several disks, in the order given" {
	guest_printed wide 'disks=vda vdb vdc'
	[ "$(in_guest 1 'cat /sys/block/vd[abc]/size' | tr '\n' ' ')" = \
		"32768 8192 32768 " ]
	[ "$(in_guest 1 'cat /sys/block/vd[abc]/ro' | tr '\n' ' ')" = "0 1 0 " ]
}

@test "a disk's queues, one for each processor, all at work" {
	[ "$(in_guest 1 'ls -d /sys/block/vdc/mq/*' | wc -l)" = 4 ]
	on_each 1 4 'head -c 1048576 /dev/urandom >/tmp/part$cpu
		dd if=/tmp/part$cpu of=/dev/vdc bs=64k seek=$((cpu * 16)) \
			oflag=direct 2>/dev/null'
	[ "$(in_guest 1 'cat /tmp/part[0-3] | sha256sum')" = \
		"$(head -c 4194304 other.img | sha256sum)" ]
	for queue in 0 1 2 3; do
		(($(counter wide "disk2.vq$queue.kicks") > 0))
	done
	# and read back
	on_each 1 4 'dd if=/dev/vdc bs=64k skip=$((cpu * 16)) count=16 \
		iflag=direct 2>/dev/null | cmp - /tmp/part$cpu && rm /tmp/part$cpu'
}

@test "a disk past the host's page cache, every byte compared" {
	flags=$(flags_of wide "$(<loop)")
	((flags & 040000)) # O_DIRECT
	# in the middle, and the last sector
	sums=$(in_guest 1 'head -c 2097152 /dev/urandom >/tmp/data
		dd if=/tmp/data of=/dev/vda bs=64k seek=16 conv=fsync 2>/dev/null
		head -c 512 /tmp/data >/tmp/last
		dd if=/tmp/last of=/dev/vda bs=512 seek=32767 oflag=direct \
			2>/dev/null
		sha256sum </tmp/data
		sha256sum </tmp/last')
	[ "$(tail -c +1048577 direct.img | head -c 2097152 | sha256sum
		tail -c 512 direct.img | sha256sum)" = "$sums" ]
	in_guest 1 'echo 3 >/proc/sys/vm/drop_caches
		dd if=/dev/vda bs=64k skip=16 count=32 2>/dev/null |
			cmp - /tmp/data && rm /tmp/data /tmp/last'
	# who didn't ask for it goes through the cache
	flags=$(flags_of wide "$PWD/other.img")
	((!(flags & 040000)))
}

# flags_of NAME FILE: with which the VM's process has it open.
flags_of() {
	local pid fd
	pid=$(guest_pid "$1")
	fd=$(find "/proc/$pid/fd" -lname "$2")
	sed -n 's/^flags:[^0-9]*\([0-9]*\)/\1/p' "/proc/$pid/fdinfo/${fd##*/}"
}

@test "a read-only disk is read, and stays what it is" {
	flags=$(flags_of wide "$PWD/fixed.img")
	[ -n "$flags" ]
	(((flags & 3) == 0)) # O_RDONLY
	sum=$(sha256sum <fixed.img)
	[ "$(in_guest 1 'cat /dev/vdb | sha256sum')" = "$sum" ]
	refute in_guest 1 'dd if=/dev/zero of=/dev/vdb bs=4k count=1 \
		oflag=direct 2>/dev/null'
	[ "$(sha256sum <fixed.img)" = "$sum" ]
	guest_ping 1
}

@test "a TAP that is taken down and up again: the guests go on" {
	for guest in wide=1 huge=2; do
		name=${guest%=*} number=${guest#*=}
		tap=$(guest_tap "$name" "$number")
		pid=$(guest_pid "$name")
		inside ip link set "$tap" down
		refute guest_ping "$number" 1
		inside ip link set "$tap" up
		wait_until 20 guest_ping "$number" 1
		guest_tcp send "$number" 1
		guest_tcp get "$number" 1
		[ "$(guest_pid "$name")" = "$pid" ]
	done
}

@test "the guest keeps the MTU that it was told, the next generation has the new" {
	[ "$(in_guest 2 cat /sys/class/net/eth0/mtu)" = 1500 ]
	tap=$(guest_tap huge 2)
	for mtu in 1400 4000; do
		inside ip link set "$tap" mtu $mtu
		inside ip link set vmsup0 mtu $mtu
		guest_tcp send 2 1
		guest_tcp get 2 1
		[ "$(in_guest 2 cat /sys/class/net/eth0/mtu)" = 1500 ]
	done
	inside ping -q -c 1 -W 5 -M "do" -s 3900 "$(guest_ip 2)"
	vmsup restart huge
	guest_ready huge
	[ "$(in_guest 2 cat /sys/class/net/eth0/mtu)" = 4000 ]
	guest_tcp send 2 1
	guest_tcp get 2 1
}
