#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Supervisors killed at random moments, and nothing lost, doubled or left over.
# CHAOS_ROUNDS and CHAOS_SEED: more of them, and a run that failed once again.

load ../lib

setup() {
	lab_up
	lab_check
	need python3
	lab_vmproc vmproc
}

teardown() {
	lab_down
}

# What no lab_remains can see.
host_picture() {
	cut -d' ' -f5- /proc/self/mountinfo | grep -v nsfs
}

@test "200 supervisors killed at random: all VMs run, none twice, nothing leaks" {
	seed=${CHAOS_SEED:-$RANDOM}
	echo "# seed $seed" >&3
	host_picture >"$LAB/before"
	inside python3 "$ROOT/tests/system/chaos.py" --seed "$seed" \
		--rounds "${CHAOS_ROUNDS:-200}" "$LAB/bin/vmsup" \
		"$VMSUP_RUN_DIR" 3>&- 4>&-
	nothing_left
	host_picture >"$LAB/after"
	diff "$LAB/before" "$LAB/after"
}
