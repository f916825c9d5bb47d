#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A hostile program in the VM process's place: whatever it sends costs it its
# process, with the reason shown, and nobody else anything. It has no list of
# system calls for its set-up: the supervisor holds by what it checks itself.

load ../lib
load machine

# How often the VM "leak" is to die before descriptors are counted.
ROUNDS=150

setup_file() {
	lab_up
	lab_vmproc tests/cage/hostile tests/cage/unlisted
	[[ -z $LAB_OBSTACLE ]] || return 0
	export NO_KVM
	NO_KVM=$(machine_obstacle)
	machine_kernel "$LAB/kernel"
	"$BUILD/tests/cage/hostile" --attacks |
		if [[ -z $NO_KVM ]]; then cat; else grep -v ^kvm-; fi \
		>"$LAB/attacks"
	configure >"$LAB/conf"
	vmsup start -c "$LAB/conf"
	supervisor_pid >"$LAB/pid"
	rss_of "$(cat "$LAB/pid")" >"$LAB/rss"
	vmsup_background events --past --json >"$LAB/events"
	echo "$BACKGROUND" >"$LAB/listener"
	wait_until 20 test -s "$LAB/events"
	# in two parts: many of them spin until they are ended
	cut -f1 "$LAB/attacks" | grep -v ^kvm- |
		xargs "$LAB/bin/vmsup" start --no-wait
	# the ones with tests of their own meet a supervisor that is busy
	vmsup start --no-wait reformed escapes chatty stubborn \
		liar-stats liar-ping liar-pause \
		exit-0 exit-1 exit-69 exit-73 exit-76 exit-255 exit-78 \
		exit-80 exit-81 late-80 late-82
	wait_until 60 attacks_over '^kvm-'
	cut -f1 "$LAB/attacks" | grep ^kvm- |
		xargs -r "$LAB/bin/vmsup" start --no-wait
	wait_until 60 attacks_over ^-
	vmsup status --json >"$LAB/status"
	# as the events have it: they say why, but not which kind of reason
	jq -r 'select(.event == "died") | "\(.vm) \(.detail)"' \
		"$LAB/events" >"$LAB/died"
}

# Those of the list have had their one generation, but for some.
attacks_over() {
	vmsup status --json | jq -e --rawfile list "$LAB/attacks" --arg but "$1" '
		($list | split("\n") | map(split("\t")[0] // "-" |
			select(test($but) | not))) as $names |
		all(.vms[] | select(.name | IN($names[]));
			.state == "stopped" and .generation == 1)' >/dev/null
}

configure() {
	cat <<-EOF
		defaults = {
		  autostart = false; kernel = "kernel";
		  restart = { enabled = false; };
		  timeouts = {
		    start = "1500ms"; heartbeat = "50ms"; watchdog = "1500ms";
		    abort = "200ms"; stop_guest = "200ms"; stop_process = "200ms";
		  };
		};
		vms = (
	EOF
	cut -f1 "$LAB/attacks" |
		sed -e 's/^kvm-.*/&"; guest = "kvm/' -e 's/.*/  { name = "&"; },/' \
			-e '/flood/s/ }/ timeouts = { start = "20s"; watchdog = "20s"; }; }/'
	[[ -n $NO_KVM ]] || printf \
		'  { name = "%s"; guest = "kvm"; timeouts = { watchdog = "10s"; }; },\n' \
		kvm-backwards kvm-secretive kvm-partial kvm-undead kvm-escapes \
		kvm-flood-text kvm-flood-bytes kvm-flood-lines kvm-fds \
		kvm-exit-{80..84} kvm-late-{80,82,83,84,85}
	[[ -n $NO_KVM ]] || cat <<-EOF
		  { name = "kvm-late-81"; guest = "kvm"; restart = {
		    enabled = true; delay_min = "200ms"; delay_max = "200ms";
		    jitter = 0; crash_deaths = 3; }; },
	EOF
	cat <<-EOF
		  { name = "escapes"; }, { name = "chatty"; },
		  { name = "liar-stats"; }, { name = "liar-ping"; },
		  { name = "liar-pause"; }, { name = "stubborn"; },
		  { name = "exit-0"; }, { name = "exit-1"; },
		  { name = "exit-69"; }, { name = "exit-73"; },
		  { name = "exit-76"; }, { name = "exit-255"; },
		  { name = "exit-80"; }, { name = "exit-81"; },
		  { name = "late-80"; }, { name = "late-82"; },
		  { name = "exit-78"; restart = { enabled = true; }; },
		  { name = "unloadable"; restart = { enabled = true; }; },
		  { name = "unloaded"; timeouts = { start = "60s"; }; },
		  { name = "leak"; restart = {
		    enabled = true; delay_min = "1ms"; delay_max = "1ms";
		    jitter = 0; crash_deaths = 0; }; },
		  { name = "reformed"; restart = {
		    enabled = true; delay_min = "1ms"; }; },
		  { name = "frozen"; autostart = true;
		    restart = { enabled = true; }; },
		  { name = "ok"; autostart = true;
		    timeouts = { watchdog = "10s"; }; },
		  { name = "ok2"; autostart = true;
		    timeouts = { watchdog = "10s"; }; }
		);
	EOF
}

setup() {
	lab_check
}

teardown_file() {
	[[ -n $LAB_OBSTACLE ]] || kill "$(cat "$LAB/listener")"
	lab_down
}

last_exit() {
	jq -r --arg vm "$1" '.vms[] | select(.name == $vm).last_exit |
		"\(.reason): \(.detail)"' "$LAB/status"
}

# attacks_cost PATTERN: of the attacks with such a name, what the list says.
attacks_cost() {
	local name costs found bad=0 count=0
	while IFS=$'\t' read -r name costs; do
		[[ $name =~ ^($1)$ ]] || continue
		count=$((count + 1))
		found=$(last_exit "$name")
		[[ $found =~ ^($costs)$ ]] || {
			echo "$name: expected $costs, found $found"
			bad=1
		}
		grep -qxF "$name ${found#*: }" "$LAB/died" || {
			echo "$name: no event"
			bad=1
		}
	done <"$LAB/attacks"
	((count > 0 && bad == 0))
}

@test "messages that nobody asked for, or in the wrong state" {
	attacks_cost '(stats|event|result)-.*|ready-twice'
}

@test "LOADED twice, before READY, never; and what comes in its place" {
	attacks_cost '(un)?loaded-.*'
}

@test "a VM whose guest isn't there yet is starting, and stops at once" {
	vmsup start --no-wait unloaded
	wait_until 20 logged unloaded loading
	vm_is unloaded '.state == "starting" and .uptime_s == null'
	run vmsup pause unloaded
	[[ $status != 0 && $output == *starting* ]]
	run vmsup ping unloaded 10.77.0.1 -c 1
	[[ $status != 0 ]]
	# its deadline is a minute away, and so is a guest's time to stop
	timeout 5 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" stop unloaded
	vm_is unloaded '.state == "stopped" and .generation == 1'
	refute jq -se 'any(.[]; .vm == "unloaded" and .event == "running")' \
		"$LAB/events"
}

@test "what a guest is made of is found bad after READY: never running, nor retried" {
	fails_with 1 vmsup start unloadable
	vm_is unloadable '.state == "failed" and .generation == 1 and
		(.last_exit.detail | startswith("exit 78: "))'
	logged unloadable 'failed: exit 78: bad configuration: it is none'
	refute jq -se 'any(.[]; .vm == "unloadable" and .event == "running")' \
		"$LAB/events"
}

@test "bodies with values out of range" {
	attacks_cost 'log-.*'
}

@test "wrong types, sizes, directions, reserved bits; empty and giant packets" {
	attacks_cost 'type-.*|size-.*|direction|reserved|tiny|empty.*|giant.*'
}

@test "another generation's messages" {
	attacks_cost 'generation-.*'
}

@test "surplus, missing and circular descriptors" {
	attacks_cost 'fd.*|ready-without|ready-with-two'
}

@test "READY with something else in the listener's place" {
	attacks_cost 'ready-(epoll|tap|channel|memfd|open|loop|nested)'
}

@test "floods" {
	attacks_cost 'flood.*'
}

@test "silence, before READY and after" {
	attacks_cost 'silence-.*|spin|deaf'
}

@test "a channel that is closed, or shut in one direction" {
	attacks_cost 'hang-up-.*|shut-.*'
}

@test "crashes and early ends keep their own reason" {
	attacks_cost 'crash|abort|trap|last-words|ready-and-die'
}

@test "every attack of the list is covered" {
	attacks_cost '.*'
	(($(wc -l <"$LAB/attacks") > 50))
}

@test "last words are heard, though the process read nothing" {
	vmsup logs last-words | grep 'these are my last words'
}

@test "an exit code is shown with its meaning" {
	wait_until 20 vm_is exit-255 '.state == "stopped"'
	vm_is exit-0 '.last_exit.detail == "exit 0: done"'
	vm_is exit-1 '.last_exit.detail == "exit 1"'
	vm_is exit-69 '.last_exit.detail == "exit 69: TAP deleted"'
	vm_is exit-73 '.last_exit.detail == "exit 73: cage not closed"'
	vm_is exit-76 '.last_exit | .reason == "exit" and
		(.detail | startswith("exit 76: "))'
	vm_is exit-255 '.last_exit.detail == "exit 255"'
}

@test "a bad configuration (exit 78) fails at once and is never retried" {
	wait_until 20 vm_is exit-78 '.state == "failed"'
	vm_is exit-78 '.generation == 1 and .restarts == 0 and
		(.last_exit.detail | startswith("exit 78: "))'
}

@test "what a VM logs can't touch the terminal, or forge a line" {
	wait_until 20 vm_is escapes '.state == "running"'
	wait_until 20 logged escapes owned
	vmsup logs escapes >"$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/run/supervisor.log"
	[[ $(grep -c forged "$LAB/escapes") == 1 ]]
	grep -q ' process: .*owned.*forged.*%s%n' "$LAB/escapes"
	grep -q 'escapes: process: .*owned' "$LAB/run/supervisor.log"
	vm_is escapes '.state == "running" and .generation == 1'
}

logged() {
	vmsup logs "$1" 2>/dev/null | grep -q -e "$2"
}

@test "a VM that logs too much loses lines, not its life" {
	wait_until 20 vm_is chatty '.state == "running"'
	wait_until 20 logged chatty 'line 10'
	vm_is chatty '.state == "running" and .generation == 1'
	vmsup logs chatty 2>&1 | grep 'dropped'
	(($(vmsup logs chatty 2>/dev/null | grep -c 'line') < 64))
}

@test "a flood is not held against the next generation" {
	wait_until 20 vm_is reformed '.state == "running"'
	wait_until 20 logged reformed 'a new leaf'
	vm_is reformed '.generation == 2 and .state == "running"'
}

@test "absurd counters are shown, and break nothing" {
	wait_until 20 vm_is liar-stats '.state == "running" and
		.stats.rx_frames > 1000000'
	vm_is liar-stats '[.stats, .total | .[] | numbers] | all(. >= 0)'
	vmsup status liar-stats
	vm_is liar-stats '.state == "running" and .generation == 1'
}

@test "a result that can't be costs the VM its process, the client a failure" {
	wait_until 20 vm_is liar-ping '.state == "running"'
	refute timeout 10 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" ping liar-ping 10.77.0.1 -c 1
	wait_until 20 vm_is liar-ping '.state == "stopped"'
	vm_is liar-ping '.last_exit.reason == "protocol" and
		.last_exit.detail == "PING-RESULT without a PING"'
}

@test "an answer to another question costs the VM its process" {
	wait_until 20 vm_is liar-pause '.state == "running"'
	vmsup pause --no-wait liar-pause
	wait_until 20 vm_is liar-pause '.state == "stopped"'
	vm_is liar-pause '.last_exit.detail == "EVENT 1 unasked"'
}

@test "a command that waits for a VM that ends instead says so" {
	vmsup start liar-pause
	run timeout 20 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" pause liar-pause
	[[ $status == 1 ]]
}

@test "a VM that ignores all requests to stop is stopped" {
	local pid
	wait_until 20 vm_is stubborn '.state == "running"'
	pid=$(vm_get stubborn .pid)
	vmsup stop stubborn
	vm_is stubborn '.state == "stopped" and .pid == null'
	[[ ! -d /proc/$pid ]]
}

@test "a VM that was stopped by a signal is noticed and cured" {
	local pid
	wait_until 20 vm_is frozen '.state == "running"'
	pid=$(vm_get frozen .pid)
	vmsup kill --signal STOP frozen
	wait_until 20 vm_is frozen '.state == "running" and .generation == 2'
	vm_is frozen '.last_exit.reason == "watchdog" and .restarts == 1'
	[[ ! -d /proc/$pid ]]
}

need_kvm() {
	[[ -z $NO_KVM ]] || cannot "$NO_KVM"
}

@test "guest kvm: its messages out of turn, malformed, endless, with descriptors" {
	need_kvm
	attacks_cost 'kvm-(machine|counters|event|hang|flood).*'
}

@test "guest kvm: what its guest did before it was there" {
	need_kvm
	attacks_cost 'kvm-unloaded-.*'
}

@test "guest kvm: READY with /dev/kvm, or with a thread outside the cage" {
	need_kvm
	attacks_cost 'kvm-ready-.*'
}

@test "exits that say what a guest did are guest kvm's alone" {
	wait_until 20 vm_is late-82 '.state == "stopped"'
	for vm in exit-80 exit-81 late-80 late-82; do
		vm_is $vm '.state == "stopped" and .generation == 1 and
			.last_exit.reason == "exit"'
	done
}

@test "guest kvm: what no guest can have done, for none ran, is a plain exit" {
	need_kvm
	vmsup start --no-wait kvm-exit-{80..84}
	for code in {80..84}; do
		wait_until 20 vm_is "kvm-exit-$code" '.state == "stopped"'
		vm_is "kvm-exit-$code" ".last_exit.reason == \"exit\" and
			(.last_exit.detail | startswith(\"exit $code: \"))"
	done
}

@test "guest kvm: the exit counts, not what was said before" {
	need_kvm
	local code
	vmsup start --no-wait kvm-late-{80,82,83,84,85}
	while read -r code reason; do
		wait_until 20 vm_is "kvm-late-$code" '.state == "stopped"'
		vm_is "kvm-late-$code" ".last_exit.reason == \"$reason\""
	done <<-EOF
		80 poweroff
		82 panic
		83 crash
		84 crash
		85 exit
	EOF
}

@test "guest kvm: one that reboots all the time waits before each try" {
	need_kvm
	vmsup start --no-wait kvm-late-81
	# past the number of deaths that makes others fail
	wait_until 60 vm_is kvm-late-81 '.generation >= 6'
	vmsup stop kvm-late-81
	jq -s 'map(select(.vm == "kvm-late-81" and .event == "starting") |
		.time | sub("\\.(?<ms>[0-9]+)Z"; "Z \(.ms)") | split(" ") |
		(.[0] | fromdate) * 1000 + (.[1] | tonumber))' \
		"$LAB/events" >"$LAB/times"
	jq -c '[.[1:], .[:-1]] | transpose | map(.[0] - .[1])' "$LAB/times"
	jq -e 'length >= 6 and
		([.[1:], .[:-1]] | transpose | all(.[0] - .[1] >= 200))' \
		"$LAB/times"
}

@test "guest kvm: counters that jump back and lie break nothing" {
	need_kvm
	vmsup start kvm-backwards
	for lie in 1000 5 0; do
		wait_until 20 vm_is kvm-backwards ".stats.rx_frames == $lie"
	done
	vm_is kvm-backwards '[.stats, .total | .[] | numbers] | all(. >= 0)'
	for value in 1000 5 0 9223372036854775807; do
		wait_until 20 stats_has kvm-backwards "$value"
	done
	vmsup status kvm-backwards
	vm_is kvm-backwards '.state == "running" and .generation == 1'
	vmsup stop kvm-backwards
	vm_is kvm-backwards '[.stats, .total | .[] | numbers] | all(. >= 0)'
}

stats_has() {
	vmsup stats "$1" | grep -E "port.* $2\$"
}

@test "guest kvm: one that keeps its counters to itself leaves nobody waiting" {
	need_kvm
	for vm in kvm-secretive kvm-partial; do
		vmsup start $vm
		run timeout 20 nsenter --net="/run/netns/$LAB_NETNS" -- \
			"$LAB/bin/vmsup" stats $vm
		[[ $status == 1 && $output == *"didn't tell its counters"* ]]
		vm_is $vm '.state == "running" and .generation == 1'
	done
}

@test "guest kvm: one that says it is off, and isn't, is shown as it is" {
	need_kvm
	vmsup start kvm-undead
	wait_until 20 grep -q '"guest-off"' "$LAB/events"
	vmsup pause kvm-undead
	vmsup resume kvm-undead
	vm_is kvm-undead '.state == "running" and .generation == 1'
	vmsup stop kvm-undead
}

@test "guest kvm: what its console prints can't touch the terminal, or forge a line" {
	need_kvm
	vmsup start kvm-escapes
	wait_until 20 logged kvm-escapes ' end$'
	vmsup logs kvm-escapes >"$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/run/supervisor.log"
	[[ $(grep -c forged "$LAB/escapes") == 1 ]]
	# time, generation and who says it are the supervisor's
	grep -Eq '^[^ ]+ +1 +console +2026-01-01T00:00:00.000Z 1 forged' \
		"$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/events"
	(($(awk '{ print length }' "$LAB/escapes" | sort -n | tail -n 1) < 1200))
	vmsup stop kvm-escapes
}

# CPU time of a process, in ms.
cpu_ms() {
	awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"
}

@test "guest kvm: a flood of console output costs the supervisor a share, no more" {
	need_kvm
	local pid before
	pid=$(cat "$LAB/pid")
	for kind in text bytes lines; do
		vmsup start "kvm-flood-$kind"
		before=$(cpu_ms "$pid")
		sleep 2 # what is measured is a rate
		echo "$kind: $(($(cpu_ms "$pid") - before)) ms of 2000"
		(($(cpu_ms "$pid") - before < 500))
		vm_is "kvm-flood-$kind" '.state == "running" and .generation == 1'
		vm_is ok '.state == "running" and .generation == 1'
		(($(vmsup logs "kvm-flood-$kind" | wc -l) <= 64))
		vmsup stop "kvm-flood-$kind"
	done
}

@test "guest kvm: descriptors that come with console output are dropped" {
	need_kvm
	local pid before
	pid=$(cat "$LAB/pid")
	vmsup stop kvm-fds
	before=$(fds_of "$pid")
	vmsup start kvm-fds
	wait_until 20 logged kvm-fds 'all sent'
	[[ -z $(find "/proc/$pid/fd" -lname /dev/kvm) ]]
	vmsup stop kvm-fds
	wait_until 20 has_fds "$pid" "$before"
}

@test "many rounds of it leak no descriptor and no memory" {
	local pid before after
	pid=$(cat "$LAB/pid")
	vmsup start --no-wait leak
	wait_until 60 vm_is leak ".generation >= $ROUNDS"
	vmsup stop leak
	before=$(fds_of "$pid")
	vmsup start --no-wait leak
	after=$(($(vm_get leak .generation) + ROUNDS))
	wait_until 60 vm_is leak ".generation >= $after"
	vmsup stop leak
	wait_until 20 has_fds "$pid" "$before"
	echo "RSS: $(cat "$LAB/rss") KiB, then $(rss_of "$pid") KiB"
	(($(rss_of "$pid") < $(cat "$LAB/rss") + 4096))
}

has_fds() {
	echo "descriptors: $(fds_of "$1") of $2" >&2
	[[ $(fds_of "$1") == "$2" ]]
}

@test "siblings and supervisor went on untouched" {
	[[ $(supervisor_pid) == "$(cat "$LAB/pid")" ]]
	for vm in ok ok2; do
		vm_is "$vm" '.state == "running" and .generation == 1 and
			.restarts == 0 and .last_exit == null'
		vmsup pause "$vm"
		vmsup resume "$vm"
	done
}
