#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A guest under the rights that the service unit leaves: it is opened what it is
# made of, lives, dies, is adopted, and goes through an upgrade.

load guests
load tiny

setup() {
	guests_up_bounded
	lab_check
}

teardown() {
	guests_down
}

# The lab, and nothing that runs there.
guests_up_bounded() {
	if [[ -z ${LAB_KERNEL:-} ]]; then
		export LAB_OBSTACLE="tests/lab/l1 bats runs it"
		return
	fi
	lab_up
	lab_vmproc vmproc
}

# bounded COMMAND...: vmsup as the service runs it.
bounded() {
	local kept
	kept=$(sed -n 's/^CapabilityBoundingSet=//p' \
		"$ROOT/scripts/systemd/vmsup.service.in" | xargs -n 1 |
		sed 's/^CAP_\(.*\)/,+\L\1/' | tr -d '\n')
	[[ $kept == *,+sys_admin* ]]
	inside setpriv --no-new-privs --bounding-set="-all$kept" \
		"$LAB/bin/vmsup" "$@" 3>&- 4>&-
}

@test "the unit's capabilities are enough for guest kvm" {
	need setpriv
	tiny_kernel "$LAB/kernel" deaf
	truncate -s 1M "$LAB/disk.img"
	# what a user's own VM is made of: nobody else's to read
	chown 4242 "$LAB/kernel" "$LAB/disk.img"
	chmod 600 "$LAB/kernel" "$LAB/disk.img"
	cat >"$LAB/conf" <<-END
		vms = ( { name = "vm0"; guest = "kvm"; kernel = "$LAB/kernel";
			memory = "16M"; disks = ( { path = "$LAB/disk.img"; } ); } );
	END
	bounded start -c "$LAB/conf"
	vm_has vm0 .state running
	grep -q '^CapBnd:.*[1-9a-f]' "/proc/$(supervisor_pid)/status"
	vmsup kill vm0
	wait_until 60 vm_has vm0 .generation 2
	wait_until 60 vm_has vm0 .state running
	vmsup upgrade
	vmsup detach
	run bounded start -c "$LAB/conf"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"adopted 1 running VM, restarted 0"* ]]
	vmsup kill vm0
	wait_until 60 vm_has vm0 .generation 3
	wait_until 60 vm_has vm0 .state running
	vmsup kill vm0
}
