#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A program that only looks as if its cage were closed: it has a filter of its own
# choice where the running one should be. The supervisor, which has a filter itself,
# can't see the difference. vmsup sandbox reads the filters, and does.

load ../lib

setup_file() {
	lab_up
	# no list of set-up: it loads what filters it likes
	lab_vmproc tests/cage/mimic tests/cage/unlisted
	[[ -z $LAB_OBSTACLE ]] || return 0
	cat >"$LAB/conf" <<-EOF
		defaults = { restart = { enabled = false; }; };
		vms = ( { name = "honest"; }, { name = "allow"; },
			{ name = "loose"; }, { name = "padded"; },
			{ name = "deaf"; } );
	EOF
	vmsup start -c "$LAB/conf" || true
}

setup() {
	lab_check
}

teardown_file() {
	lab_down
}

# rows NAME: of its filters, as [wanted, found, ok].
rows() {
	vmsup sandbox --json "$1" 2>/dev/null | jq -c '.checks[] |
		select(.check == "filters") | [.wanted, .found, .ok]'
}

# found_out NAME: it is running, but its filters aren't what they should be, and
# that alone is wrong.
found_out() {
	vm_is "$1" '.state == "running"'
	fails_with 1 vmsup sandbox "$1"
	[[ $(vmsup sandbox --json "$1" 2>/dev/null | jq -r '.checks[] |
		select(.ok != true).check') == filters ]]
	[[ $(rows "$1") == '["'*'running","'*UNKNOWN*'",false]' ]]
}

# Whether this host shows filters at all.
shown() {
	[[ $(rows honest) == *",true]" ]] || cannot "$(rows honest)"
}

@test "the running filter is known by what it is" {
	vmsup sandbox honest
	shown
	vmsup sandbox --json honest | jq -e '.ok == true'
}

@test "a filter that allows everything is no running one" {
	shown
	found_out allow
}

@test "the running filter, changed in one place, is no running one" {
	shown
	found_out loose
}

@test "the running filter with something before it is no running one" {
	shown
	found_out padded
}

@test "one filter more, which hides what is refused: the supervisor ends it" {
	vm_is deaf '.state == "stopped" and .last_exit.reason == "protocol"'
	[[ $(vm_get deaf .last_exit.detail) == "cage not closed: "*filters* ]]
}

@test "a VM isn't held up for longer than 5 ms" {
	shown
	for _ in {1..20}; do
		vmsup sandbox --json honest |
			jq -e '.ok == true and .held_us > 0 and .held_us < 5000'
	done
}

@test "one that is stopped stays so, and is looked at all the same" {
	shown
	vmsup kill --signal STOP honest
	[[ $(rows honest) == *",true]" ]]
	wait_until 5 stopped "$(vm_get honest .pid)"
	vmsup kill --signal CONT honest
}

stopped() {
	grep -q '^State:.T (stopped)' "/proc/$1/status"
}

# Who is traced by another shows nothing, and isn't taken for caged.
@test "one that somebody else traces is not proved" {
	shown
	need python3
	python3 -c 'import ctypes, signal, sys; seize = 0x4206
ctypes.CDLL(None).ptrace(seize, int(sys.argv[1]), 0, 0); signal.pause()' "$(vm_get honest .pid)" 3>&- 4>&- &
	tracer=$!
	wait_until 20 traced
	[[ $(rows honest) == *TracerPid*",false]" ]]
	kill "$tracer"
	wait "$tracer" || true
	[[ $(rows honest) == *",true]" ]]
}

traced() {
	[[ $(proc_field "$(vm_get honest .pid)" TracerPid) != 0 ]]
}

# Such a command sees no filter, and says so: neither yes nor no.
@test "with a filter of its own, the command says that it can't tell" {
	inside python3 -B - "$LAB/bin/vmsup" >"$LAB/seccomped" 3>&- 4>&- <<-'EOF'
		import ctypes, os, struct, sys
		allow = struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
		code = ctypes.create_string_buffer(allow)
		program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))
		libc = ctypes.CDLL(None)
		libc.prctl(38, 1, 0, 0, 0)
		libc.prctl(22, 2, program, 0, 0)
		os.execv(sys.argv[1], ["vmsup", "sandbox", "--json", "honest"])
	EOF
	jq -e '.ok == null' "$LAB/seccomped"
	jq -e '.checks[] | select(.check == "filters") | .ok == null and
		(.found | test("has a filter itself"))' "$LAB/seccomped"
	jq -e 'all(.checks[]; .ok != false)' "$LAB/seccomped"
}
