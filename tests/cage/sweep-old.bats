#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The sweep can fail: the oldest build that upgrades are promised from let VM
# processes do what it looks for. What took a notification of the supervisor's and
# held it up isn't tried on it here, for that costs a minute: listener.bats.

load ../lib
load machine

setup() {
	LAB_OBSTACLE=$(lab_obstacle)
	[[ -n $LAB_OBSTACLE ]] || LAB_OBSTACLE=$(machine_obstacle)
	lab_check
	OLDEST=$("$ROOT/tests/previous" 2>&1) || cannot "$OLDEST"
}

# found TEXT: a test that has it in its name failed, and says why.
found() {
	grep -E "^not ok .*$1" <<<"$output"
}

@test "the sweep finds what the oldest build let through" {
	# by another bats, to which this one's own variables mean nothing
	run env -i PATH="${PATH#*/libexec/bats-core:}" BUILD="$BUILD" \
		SWEEP_OF="${OLDEST##*/}" SWEEP_SEED=2 bats --tap -f "goes on|stay|has changed|as the" \
		"$ROOT/tests/cage/sweep.bats"
	echo "$output"
	grep -E '^ok .* the supervisor goes on' <<<"$output"
	# pidfds that the kernel put there, with messages
	found 'its descriptors stay'
	# the uids' file, written to
	found 'no file has changed'
	# persistent, somebody's, without a carrier, deaf
	found 'no TAP and no bridge has changed'
	found "the next generation's TAP"
}
