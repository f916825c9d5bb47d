#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# vmsup upgrade: another program for the supervisor, and nobody notices: no VM,
# no ping, no client. And if that program is no good, the old one goes on.

load ../lib
load upgrade

# refused TEXT: an upgrade is, with that in the reason, and the old one goes on.
refused() {
	local before
	before=$(pids)
	fails_with 1 vmsup upgrade
	[[ ${#lines[@]} == 1 && $output == "vmsup: "*"$1"* ]] || {
		echo "refused, but not because of '$1': $output"
		return 1
	}
	[ "$(pids)" = "$before" ]
	childless
}

# Nothing of an attempt is left: the supervisor's children are its VMs.
childless() {
	local pid
	pid=$(supervisor_pid)
	wait_until 20 only_vms "$pid"
}

only_vms() {
	[[ $(children_of "$1") == $(vmsup status --json |
		jq -r '.vms[].pid | select(.)' | sort) ]]
}

children_of() {
	xargs -n 1 <"/proc/$1/task/$1/children" | sort
}

# ended_with STATUS PID: what runs in the background ends so.
ended_with() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

# lab_has COUNT: so many processes.
lab_has() {
	[ "$(lab_pids | wc -l)" = "$1" ]
}

patient() {
	inside "${FIRST[@]}" python3 -B "$ROOT/tests/system/patient.py" \
		"$VMSUP_RUN_DIR/control.sock" "$@" 3>&- 4>&-
}

# ---- nobody notices

# A machine may stand still for a while, all of it, if it is a virtual one
# itself. That hits one upgrade or two of a hundred; what an upgrade costs, it
# costs each time. So two may be late; make bench has the precise figures.
@test "100 upgrades: no ping lost, the same processes, answers within 50 ms" {
	need python3 chrt
	launch --vms 4
	before=$(pids)
	# what else this machine has to do isn't measured
	FIRST=(chrt -f 1)
	chrt -f -p 1 "$(supervisor_pid)"
	pinged patient gaps 100 >"$LAB/gaps"
	[ "$(pids)" = "$before" ]
	[ "$(grep -c ' upgraded: ' "$LAB/run/supervisor.log")" = 100 ]
	all_are '.generation == 1 and .restarts == 0 and .last_exit == null'
	read -r median third longest <"$LAB/gaps"
	echo "# without an answer: median $median ms, longest $longest ms" >&3
	echo "third longest: $third ms"
	((third < 50))
	childless
	stops
}

@test "SIGHUP upgrades as well" {
	launch --vms 4
	before=$(pids)
	for i in 1 2 3; do
		kill -HUP "$(supervisor_pid)"
		wait_until 20 logged $i ' upgraded: '
	done
	[ "$(pids)" = "$before" ]
	answers 0.2 0.3 0.4 0.5
	# without a client to tell it to, the log has the reason
	provide /bin/false
	kill -HUP "$(supervisor_pid)"
	wait_until 20 logged 1 'error: not upgraded: '
	[ "$(pids)" = "$before" ]
}

# logged COUNT TEXT: so many lines of the supervisor's log have it.
logged() {
	[ "$(grep -c -- "$2" "$LAB/run/supervisor.log")" = "$1" ]
}

@test "another build takes over: its version is shown, and VMs get its vmproc" {
	need make cc
	launch --vms 4
	before=$(pids)
	refute vm_version 9.9.9
	# what names the version is compiled again, the rest is this build's
	cp -a "$BUILD/obj" "$LAB/obj"
	grep -rlF "$("$BUILD/vmsup" --version | grep -o '[0-9.]*$')" "$LAB/obj" \
		--include='*.o' | xargs rm
	make -C "$ROOT" -s BUILD="$LAB" VERSION=9.9.9 all >&2 3>&-
	mv "$LAB/vmproc" "$LAB/bin/vmproc"
	provide "$LAB/vmsup"
	run vmsup upgrade
	[ "$output" = "supervisor $(jq '.[0]' <<<"$before") is now \
$LAB/bin/vmsup, version 9.9.9" ]
	[ "$(pids)" = "$before" ]
	vm_version 9.9.9
	answers 0.2 0.3 0.4 0.5
	[[ $(vm_program vm1) == *"(deleted)" ]]
	kill -9 "$(vm_get vm1 .pid)"
	wait_until 20 vm_has vm1 .generation 2
	wait_until 20 running vm1
	cmp "/proc/$(vm_get vm1 .pid)/exe" "$LAB/bin/vmproc"
	[[ $(vm_program vm1) != *"(deleted)" ]]
	# and back again
	provide "$BUILD/vmsup"
	upgrades
	refute vm_version 9.9.9
	[ "$(supervisor_pid)" = "$(jq '.[0]' <<<"$before")" ]
}

vm_version() {
	vmsup status --json | jq -e ".supervisor.version == \"$1\"" >/dev/null
}

vm_program() {
	readlink "/proc/$(vm_get "$1" .pid)/exe"
}

@test "a VM killed after an upgrade, or in the midst of one, comes back" {
	configured 'defaults = { restart = { crash_deaths = 0;
			delay_min = "1ms"; delay_max = "1ms"; }; };
		vms = ( { name = "vm0"; }, { name = "vm1"; } );'
	upgrades 2
	kill -SEGV "$(vm_get vm0 .pid)"
	wait_until 20 vm_has vm0 .generation 2
	wait_until 20 running vm0
	# it is the supervisor's child still: it knows how it ended
	vm_has vm0 '.last_exit | "\(.reason) \(.detail) \(.generation)"' \
		"signal SIGSEGV 1"
	answers 0.2
	pid=$(supervisor_pid)
	for i in {1..8}; do
		wait_until 20 running vm1
		kill -9 "$(vm_get vm1 .pid)" & # just then, more or less
		kill -HUP "$pid"
		wait $!
		wait_until 20 vm_has vm1 .generation $((i + 1))
		wait_until 20 logged $((i + 2)) ' upgraded: '
		vm_has vm1 .last_exit.detail SIGKILL
	done
	wait_until 20 running vm1
	[ "$(vmsup deaths vm1 --json | jq 'map(.detail) | unique |
		join(" ")')" = '"SIGKILL"' ]
	[ "$(supervisor_pid)" = "$pid" ]
	answers 0.2 0.3
}

@test "what status, deaths, logs and events tell goes on" {
	configured 'defaults = { restart = { jitter = 0; }; };
		vms = (
		{ name = "old"; }, { name = "paused"; }, { name = "down"; },
		{ name = "failed"; restart = { crash_deaths = 1; }; },
		{ name = "waits"; restart = { delay_min = 60.0;
			delay_max = 60.0; steady = 50.0; }; },
		{ name = "soon"; restart = { delay_min = 3.0;
			steady = 50.0; }; },
		{ name = "idle"; autostart = false; },
		{ name = "never"; restart = { enabled = false; }; } );'
	vmsup run later --address 10.77.9.9
	inside ping -q -c 50 -i 0.002 10.77.0.2
	vmsup restart old
	vmsup kill old --signal SEGV
	vmsup pause paused
	vmsup stop down
	vmsup kill failed never
	wait_until 20 running old
	wait_until 20 vm_has failed .state failed
	wait_until 20 vm_has never .state stopped
	vmsup kill waits
	wait_until 20 vm_has waits .state backoff
	lasting >"$LAB/before"
	vmsup status --json >"$LAB/status"
	upgrades 3
	lasting >"$LAB/after"
	vmsup status --json >>"$LAB/status"
	diff "$LAB/before" "$LAB/after"
	jq -es '.[0].supervisor.uptime_s < .[1].supervisor.uptime_s and
		([.[0].vms, .[1].vms] | transpose | all(
			.[0].uptime_s == null and .[1].uptime_s == null or
			.[0].uptime_s < .[1].uptime_s)) and
		([.[0].vms, .[1].vms] | transpose | all(
			.[0].total.rx_frames <= .[1].total.rx_frames)) and
		(.[1].vms[0].total.rx_frames >= 50) and
		(map(.vms[] | select(.name == "waits").next_retry_s) |
			.[0] > .[1] and .[1] > 0) and
		# by as much as time went on meanwhile
		(map((.vms[] | select(.name == "waits").next_retry_s) +
			.supervisor.uptime_s) |
			.[0] - .[1] < 1 and .[1] - .[0] < 1)' \
		"$LAB/status"
	# and each of them can still do what it could
	vmsup kill soon
	wait_until 20 vm_has soon .state backoff
	upgrades
	wait_until 20 running soon
	vm_is soon '.start_ms != null and .generation == 2'
	vmsup resume paused
	vmsup start down idle never waits
	vmsup reset failed
	wait_until 20 all_are '.state == "running"'
	answers 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 9.9
}

# What an upgrade must not change.
lasting() {
	local vm
	vmsup status --json | jq 'del(.supervisor.uptime_s,
		.vms[].uptime_s, .vms[].next_retry_s, .vms[].stats, .vms[].total)'
	for vm in old paused down failed waits soon idle never later; do
		vmsup deaths "$vm" --json
		vmsup logs "$vm"
		vmsup logs "$vm" --previous
	done
	past_events
}

@test "deaths are counted over upgrades: a crash loop is one still" {
	configured 'vms = ( { name = "vm0"; restart = { delay_min = "1ms";
		delay_max = "1ms"; }; } );'
	for i in 1 2 3 4 5; do
		wait_until 20 running vm0
		kill -9 "$(vm_get vm0 .pid)"
		wait_until 20 vm_is vm0 ".last_exit.generation == $i"
		upgrades
	done
	vm_has vm0 .state failed
	vm_has vm0 .restarts 4
}

# ---- clients

@test "events and logs -f miss nothing and repeat nothing over 20 upgrades" {
	configured 'vms = ( { name = "vm0"; restart = { crash_deaths = 0;
		delay_min = "1ms"; delay_max = "1ms"; steady = 50.0; }; },
		{ name = "vm1"; } );'
	background "$LAB/events" "$LAB/cli/vmsup" events --past --json
	events=$PID
	background "$LAB/logs" "$LAB/cli/vmsup" logs -f vm0
	wait_until 20 grep -q 'generation 1 runs' "$LAB/logs"
	for i in {1..20}; do
		wait_until 20 running vm0
		kill -9 "$(vm_get vm0 .pid)" &
		vmsup upgrade >/dev/null
		wait $!
		wait_until 20 vm_is vm0 ".generation == $i + 1"
	done
	wait_until 20 grep -q 'generation 21 runs' "$LAB/logs"
	past_events | jq -cS . >"$LAB/past"
	[ "$(wc -l <"$LAB/past")" -gt 80 ]
	wait_until 20 heard_all
	[ "$(jq -s 'map(.lost) | add' "$LAB/past")" = 0 ]
	[ "$(grep -o 'generation [0-9]* runs' "$LAB/logs")" = \
		"$(seq -f 'generation %.0f runs' 21)" ]
	[ "$(sort "$LAB/logs" | uniq -d)" = '' ]
	kill -TERM "$events"
}

heard_all() {
	jq -cS . "$LAB/events" | cmp - "$LAB/past"
}

@test "vmsup ping goes on" {
	launch --vms 4
	background "$LAB/out" "$LAB/cli/vmsup" ping vm0 vm3 -c 200 -i 0.005
	wait_until 20 grep -q 'seq=' "$LAB/out"
	upgrades 10
	wait "$PID"
	grep -q '200 packets transmitted, 200 received, 0% packet loss' "$LAB/out"
	# one that is on its way all the while
	vmsup pause vm3
	sent=$(vm_get vm0 .stats.tx_frames)
	background "$LAB/out" "$LAB/cli/vmsup" ping vm0 vm3 -c 1 -W 10
	wait_until 20 vm_is vm0 ".stats.tx_frames > $sent"
	upgrades 2
	vmsup resume vm3
	wait "$PID"
	grep -q ' 1 received' "$LAB/out"
	# and one that nobody answers
	vmsup pause vm3
	background "$LAB/out" "$LAB/cli/vmsup" ping vm0 vm3 -c 1 -W 5
	upgrades 2
	ended_with 1 "$PID"
	grep -q ' 0 received' "$LAB/out"
	vm_has vm0 .generation 1
}

# Clients that hold something, as in control.bats.
held() {
	mkfifo "$LAB/hold-$1"
	patient "$@" <"$LAB/hold-$1" >"$LAB/said-$1" 2>&1 &
	PID=$!
	PIDS+=("$PID")
	exec {HOLD}>"$LAB/hold-$1"
	wait_until 20 grep -q '^held' "$LAB/said-$1"
}

@test "half a message, unread replies and silence go through upgrades" {
	need python3
	launch --vms 4
	for client in half unread silent; do
		held $client
		upgrades 3
		exec {HOLD}>&-
		wait "$PID" || {
			cat "$LAB/said-$client"
			return 1
		}
	done
}

@test "a Status that waits for a VM's counters is answered" {
	need python3
	launch --vms 2
	vmsup kill vm0 --signal STOP
	patient waiting 10
	vmsup kill vm0 --signal CONT
	answers 0.2
	vm_has vm0 .generation 1
}

# ---- what is under way

@test "a start that isn't over yet goes on to its end" {
	lab_vmproc tests/cage/hostile
	rm -f "$LAB/bin/new"
	printf '%s\n' 'defaults = { restart = { delay_min = 2.0; jitter = 0; };
		};
		vms = ( { name = "ok"; }, { name = "exit-1"; restart = {
			crash_deaths = 2; }; }, { name = "reformed"; } );' \
		>"$LAB/conf"
	background "$LAB/out" "$LAB/bin/vmsup" start -c "$LAB/conf"
	wait_until 20 vm_has exit-1 .state backoff
	upgrades
	kill -0 "$PID"
	ended_with 1 "$PID"
	grep -q '^vmsup: .*exit-1' "$LAB/out"
	refute grep -e ' ok' -e reformed -e 'hung up' "$LAB/out"
	running ok
	running reformed
	vm_has exit-1 .state failed
	# over means: nobody's terminal is held any more
	upgrades
	[ "$(readlink "/proc/$(supervisor_pid)/fd/2")" = /dev/null ]
	stops
}

@test "an interrupted start is undone, upgraded or not" {
	lab_vmproc tests/cage/hostile
	printf '%s\n' 'vms = ( { name = "ok"; }, { name = "silence-early"; } );' \
		>"$LAB/conf"
	background "$LAB/out" "$LAB/bin/vmsup" start -c "$LAB/conf"
	wait_until 20 running ok
	upgrades
	stops kill -TERM "$PID"
	ended_with 1 "$PID"
}

@test "VMs that are starting, stopping or hanging get where they would have" {
	lab_vmproc tests/cage/hostile tests/cage/unlisted # it ignores signals
	printf '%s\n' 'defaults = { autostart = false;
			restart = { enabled = false; };
			timeouts = { start = 5.0; heartbeat = 0.1;
				watchdog = 3.0; abort = 0.2; stop_guest = 4.0;
				stop_process = 0.5; }; };
		vms = ( { name = "ok"; autostart = true; },
			{ name = "silence-early"; }, { name = "silence-late"; },
			{ name = "stubborn"; } );' >"$LAB/conf"
	launch -c "$LAB/conf"
	vmsup start stubborn
	vmsup start --no-wait silence-early silence-late
	vm_has silence-early .state starting
	background "$LAB/out" "$LAB/cli/vmsup" stop stubborn
	stop=$PID
	wait_until 20 vm_has stubborn .state stopping
	for _ in 1 2 3 4 5; do
		vmsup upgrade
	done
	vm_has stubborn .state stopping
	vm_has silence-early .state starting
	wait "$stop"
	vm_has stubborn '"\(.state) \(.last_exit.detail) \(.last_exit.asked)"' \
		"stopped SIGKILL true"
	for vm in silence-early silence-late; do
		wait_until 20 vm_has $vm .state stopped
		vm_get $vm '.last_exit.reason'
	done >"$LAB/reasons"
	[ "$(xargs <"$LAB/reasons")" = "start-timeout watchdog" ]
	vm_has ok .generation 1
}

# ---- nothing piles up

@test "50 upgrades leave filters, rights, descriptors and children as they were" {
	launch --vms 4
	upgrades 2
	pid=$(supervisor_pid)
	confinement "$pid" >"$LAB/before"
	fds=$(fds_of "$pid")
	rss=$(rss_of "$pid")
	grep -q 'Seccomp_filters:[[:space:]]1$' "$LAB/before"
	grep -q 'NoNewPrivs:[[:space:]]1$' "$LAB/before"
	upgrades 50
	confinement "$pid" >"$LAB/after"
	diff "$LAB/before" "$LAB/after"
	[ "$(fds_of "$pid")" = "$fds" ]
	(($(rss_of "$pid") < rss + 2048)) || {
		echo "resident: $rss, then $(rss_of "$pid") KiB"
		return 1
	}
	childless
	lab_has 5
	vmsup sandbox vm0
	# and a VM that is made now has no more than one before had
	vmsup restart vm0
	[ "$(confinement "$(vm_get vm0 .pid)" | grep -v id:)" = \
		"$(confinement "$(vm_get vm1 .pid)" | grep -v id:)" ]
	vmsup sandbox vm0
	stops
}

confinement() {
	grep -E '^(Cap|Seccomp|NoNewPrivs|[UG]id|Sig(Blk|Ign|Cgt)|Threads)' \
		"/proc/$1/status"
}

@test "a system call that a VM mustn't make is named after an upgrade as before" {
	launch --vms 2
	upgrades 2
	# openat: as if the guest had taken over the VM process
	"$BUILD/tests/system/inject" "$(vm_get vm0 .pid)" 257
	answers 0.2 # so that it leaves the wait that it was in
	wait_until 20 vm_has vm0 .generation 2
	vm_has vm0 '"\(.last_exit.reason) \(.last_exit.detail)"' \
		"seccomp SIGSYS openat"
	wait_until 20 running vm0
	vm_has vm1 .generation 1
}

# ---- programs that are no good

@test "a program that can't take over is refused, with the reason" {
	launch --vms 4
	good=$LAB/cli/vmsup

	rm "$LAB/bin/vmsup"
	refused "cannot open $LAB/bin/vmsup: No such file"
	mkdir "$LAB/bin/vmsup"
	refused "$LAB/bin/vmsup: it can't be executed"
	rmdir "$LAB/bin/vmsup"
	mkfifo "$LAB/bin/vmsup"
	refused "it can't be executed"
	provide "$good"
	chmod 644 "$LAB/bin/vmsup"
	refused "it can't be executed"
	provide /dev/null
	refused "it can't be executed"
	echo 'not a program' >"$LAB/text"
	provide "$LAB/text"
	refused "it can't be executed"
	printf '#!/bin/sh\nexit 42\n' >"$LAB/text"
	provide "$LAB/text"
	refused "it can't be executed"
	# e_machine: AArch64
	cp "$good" "$LAB/other"
	printf '\267\000' | dd of="$LAB/other" bs=1 seek=18 conv=notrunc status=none
	provide "$LAB/other"
	refused "it can't be executed"
	for part in 100 5000 300000; do
		head -c $part "$good" >"$LAB/part"
		provide "$LAB/part"
		refused "$LAB/bin/vmsup: "
	done
	provide /bin/false
	refused "it doesn't know how to take over"
	provide /bin/true
	refused "it doesn't know how to take over"
	provide_successor 'leave agree'
	refused "it doesn't know how to take over"
	provide_successor 'crash agree'
	refused "it crashed when it was tried"
	provide_successor 'curse agree'
	refused "evil"
	[[ $output != *$'\033'* && $output != *$'\007'* ]]
	provide "$good"
	mv "$LAB/bin/vmproc" "$LAB/bin/away"
	refused "it finds no vmproc beside itself"
	mv "$LAB/bin/away" "$LAB/bin/vmproc"

	answers 0.2 0.3 0.4 0.5
	all_are '.generation == 1'
	vmsup upgrade
}

@test "a document that it can't take over is refused, never crashed on" {
	launch --vms 2
	vmsup stop vm1
	provide_successor 'copy leave'
	fails_with 1 vmsup upgrade
	[[ $output == *"the new program failed to take over"* ]]
	state=$LAB/bin/state
	fails_with 42 check <"$state"
	jq -c '.version = 2' "$state" >"$LAB/doc"
	fails_with 1 check <"$LAB/doc"
	[ "$output" = "vmsup: the state is of version 2, this vmsup reads up to \
1 (vmsup stop, then start)" ]
	# what a newer one adds is passed over
	jq -c '.new = 1 | .vms[].new = {} | .supervisor.new = []' "$state" \
		>"$LAB/doc"
	fails_with 42 check <"$LAB/doc"
	for text in '' '{' '[]' 'null' '{}' '{"version":"1"}' '{"version":0}'; do
		echo -n "$text" >"$LAB/doc"
		fails_with 1 check <"$LAB/doc"
		[[ ${#lines[@]} == 1 && $output == "vmsup: "* ]]
	done
	# each of its parts, wrong in one way or another
	jq -c '. as $whole | [paths | select(length < 4 and .[1] != 1)] |
		to_entries[] | [null, -1, "x", [], {}][.key % 5] as $wrong |
		.value as $path | $whole | setpath($path; $wrong)' "$state" \
		>"$LAB/docs"
	split -l 1 -a 5 "$LAB/docs" "$LAB/doc-"
	for doc in "$LAB"/doc-*; do
		run check <"$doc"
		[[ $status == 42 || ($status == 1 && $output == "vmsup: "*) ]] || {
			echo "exit $status: $output"
			cat "$doc"
			return 1
		}
	done
}

# What the trial of a new program says of the document on stdin.
check() {
	"$LAB/cli/vmsup" __take-over check 0 3>&- 4>&-
}

# ---- programs that take their time, each in an instance of its own

# instance NUMBER: its programs, run directory, bridge, and two VMs.
instance() {
	mkdir "$LAB/bin$1"
	cp "$BUILD/vmsup" "$BUILD/vmproc" "$LAB/bin$1"
	cat >"$LAB/conf$1" <<-END
		bridge = { name = "br$1"; address = "10.78.$1.1/24"; };
		tap_prefix = "tap$1-";
	END
	inside "$LAB/bin$1/vmsup" --run-dir "$LAB/run$1" start --vms 2 \
		-c "$LAB/conf$1" 3>&- 4>&-
}

# of NUMBER COMMAND...: the command in that instance, with the helpers.
of() {
	local VMSUP_RUN_DIR=$LAB/run$1
	export VMSUP_RUN_DIR
	"${@:2}"
}

@test "programs that hang or flood, tried or taking over, cost only their time" {
	local -A asked
	for i in 1 2 3 4; do
		instance $i
		of $i pids >"$LAB/pids$i"
	done
	background "$LAB/ping" ping -q -c 1200 -i 0.005 -W 2 10.78.3.3
	ping=$PID
	of 3 background "$LAB/events" "$LAB/cli/vmsup" events --json
	provide_successor 'hang agree' "$LAB/bin1"
	provide_successor 'flood agree' "$LAB/bin2"
	provide_successor 'agree hang' "$LAB/bin3"
	provide_successor 'agree spin' "$LAB/bin4"
	for i in 1 2 3 4; do
		of $i background "$LAB/out$i" "$LAB/cli/vmsup" upgrade
		asked[$i]=$PID
	done

	# taking over: nobody serves, and no VM notices
	wait_until 20 of 3 is_taking_over
	kill -9 "$(jq '.[1]' "$LAB/pids3")"
	# tried: the old one serves all the while
	for i in 1 2; do
		wait_until 20 grep -q 'upgrading to' "$LAB/run$i/supervisor.log"
		run of $i vmsup upgrade
		[ "$status" = 1 ]
		[[ $output == *"an upgrade is under way already"* ]]
	done
	kill "${asked[2]}" # who asked needn't wait for it
	for i in 1 2; do
		kill -9 "$(jq '.[1]' "$LAB/pids$i")"
		wait_until 20 of $i vm_has vm0 .generation 2
		of $i vm_has vm0 .last_exit.detail SIGKILL
	done

	for i in 1 3 4; do
		ended_with 1 "${asked[$i]}"
	done
	grep -q "$LAB/bin1/vmsup: it didn't answer within 5 s when it was tried" \
		"$LAB/out1"
	wait_until 20 grep -q "not upgraded: $LAB/bin2/vmsup: " \
		"$LAB/run2/supervisor.log"
	for i in 1 2; do
		[ "$(of $i supervisor_pid)" = "$(jq '.[0]' "$LAB/pids$i")" ]
		of $i childless
	done
	for i in 3 4; do
		grep -q 'not upgraded: the new program failed to take over' \
			"$LAB/out$i"
		[ "$(of $i supervisor_pid)" != "$(jq '.[0]' "$LAB/pids$i")" ]
		[ "$(of $i vm_get vm1 .pid)" = "$(jq '.[2]' "$LAB/pids$i")" ]
		of $i vm_has vm1 .generation 1
	done
	ended_with 0 "$ping"
	lossless "$LAB/ping"
	# the one that died meanwhile: nobody knows how
	wait_until 20 of 3 vm_has vm0 .generation 2
	of 3 vm_has vm0 .last_exit.reason lost
	wait_until 20 grep -q '"event": *"died"' "$LAB/events"
	note_cgroups
	for i in 1 2 3; do
		provide "$BUILD/vmsup" "$LAB/bin$i"
		of $i vmsup upgrade
		of $i vmsup stop
	done
	kill "$(of 4 supervisor_pid)"
	wait_until 20 test ! -e "$LAB/run4"
	nothing_left
}

# Its successor has begun, and serves nobody.
is_taking_over() {
	tr '\0' ' ' <"/proc/$(jq '.[0]' "$LAB/pids3")/cmdline" |
		grep -q '__take-over go'
}

@test "a program that agrees and then fails: the old one goes on in its place" {
	configured 'defaults = { restart = { crash_deaths = 0;
			delay_min = "1ms"; delay_max = "1ms"; }; };
		vms = ( { name = "vm0"; }, { name = "vm1"; }, { name = "vm2"; },
			{ name = "vm3"; } );'
	vms=$(vm_pids)
	fds=$(fds_of "$(supervisor_pid)")
	for conduct in 'agree crash' 'agree leave' 'agree crash'; do
		old=$(supervisor_pid)
		confinement "$old" >"$LAB/before"
		provide_successor "$conduct"
		pinged fails_with 1 vmsup upgrade
		new=$(supervisor_pid)
		[[ $output == "vmsup: not upgraded: the new program failed to \
take over (process $new goes on as it was)" ]]
		[ "$new" != "$old" ]
		[ "$(vm_pids)" = "$vms" ]
		confinement "$new" | diff "$LAB/before" -
		[ "$(fds_of "$new")" = "$fds" ]
		wait_until 20 lab_has 5
	done
	all_are '.generation == 1 and .state == "running"'
	# how its VMs end it can't hear any more, but that they do
	for reason in lost signal; do
		kill -9 "$(vm_get vm2 .pid)"
		wait_until 20 vm_has vm2 .last_exit.reason $reason
		wait_until 20 running vm2
	done
	vmsup restart vm3
	vmsup sandbox vm1 >/dev/null
	answers 0.2 0.3 0.4 0.5
	provide "$BUILD/vmsup"
	upgrades 2
	[ "$(supervisor_pid)" = "$new" ]
	[ "$(jq '.[:2]' <<<"$(vm_pids)")" = "$(jq '.[:2]' <<<"$vms")" ]
	stops
}

# ---- the end

@test "no upgrade begins in a stop, and a stop ends one" {
	configured 'defaults = { timeouts = { stop_guest = 4.0;
			stop_process = 0.5; }; };
		vms = ( { name = "vm0"; }, { name = "vm1"; } );'
	pid=$(supervisor_pid)
	vmsup kill vm0 --signal STOP
	note_cgroups
	background "$LAB/out" "$LAB/cli/vmsup" stop
	wait_until 20 vm_has vm1 .state stopped
	refused stopping
	kill -HUP "$pid"
	ended_with 0 "$PID"
	nothing_left

	launch --vms 2
	provide_successor 'hang agree'
	background "$LAB/out" "$LAB/cli/vmsup" upgrade
	wait_until 20 logged 1 'upgrading to'
	stops
	ended_with 1 "$PID"
	grep -q 'not upgraded: ' "$LAB/out"
}

@test "a supervisor that was upgraded and killed is adopted from like any other" {
	launch --vms 4
	before=$(vm_pids)
	for conduct in good 'agree crash'; do
		if [ "$conduct" = good ]; then
			vmsup upgrade
		else
			provide_successor "$conduct"
			fails_with 1 vmsup upgrade
			provide "$BUILD/vmsup"
		fi
		pid=$(supervisor_pid)
		kill -9 "$pid"
		wait_until 20 gone "$pid"
		run launch --vms 4
		[ "$status" = 0 ]
		[[ $output == *"adopted 4 running VMs, restarted 0"* ]]
		[ "$(vm_pids)" = "$before" ]
	done
	answers 0.2 0.3 0.4 0.5
	upgrades 2
	stops
}

# ---- the commit before this one

@test "from the commit before this one to this one" {
	need git
	git -C "$ROOT" rev-parse -q --verify HEAD^ >/dev/null ||
		cannot "no history here (git fetch --unshallow)"
	for commit in $(git -C "$ROOT" rev-list HEAD^); do
		git -C "$ROOT" grep -q HANDOVER_COMMAND "$commit" -- \
			supervisor && break
		commit=
	done
	[ -n "$commit" ] ||
		cannot "no commit here has upgrades (git fetch --unshallow)"
	install_previous "$commit"
	launch --vms 4
	inside "$LAB/bin/vmsup" stop vm3 3>&- 4>&-
	before=$(pids)
	install_present
	vmsup start vm3
	pinged vmsup upgrade
	[ "$(jq '.[:4]' <<<"$(pids)")" = "$(jq '.[:4]' <<<"$before")" ]
	cmp "/proc/$(supervisor_pid)/exe" "$BUILD/vmsup"
	kill -9 "$(vm_get vm1 .pid)"
	wait_until 20 vm_has vm1 .generation 2
	vm_has vm1 .last_exit.detail SIGKILL
	wait_until 20 running vm1
	cmp "/proc/$(vm_get vm1 .pid)/exe" "$BUILD/vmproc"
	answers 0.2 0.3 0.4 0.5
	stops
}
