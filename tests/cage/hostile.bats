#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A hostile program in the VM process's place: whatever it sends costs it its
# process, with the reason shown, and nobody else anything.

load ../lib

# How often the VM "leak" is to die before descriptors are counted.
ROUNDS=150

setup_file() {
	lab_up
	lab_vmproc tests/cage/hostile
	[[ -z $LAB_OBSTACLE ]] || return 0
	"$BUILD/tests/cage/hostile" --attacks >"$LAB/attacks"
	configure >"$LAB/conf"
	vmsup start -c "$LAB/conf"
	supervisor_pid >"$LAB/pid"
	rss_of "$(cat "$LAB/pid")" >"$LAB/rss"
	vmsup_background events --past --json >"$LAB/events"
	echo "$BACKGROUND" >"$LAB/listener"
	wait_until 5 test -s "$LAB/events"
	cut -f1 "$LAB/attacks" | xargs "$LAB/bin/vmsup" start --no-wait
	# the ones with tests of their own meet a supervisor that is busy
	vmsup start --no-wait leak reformed escapes chatty stubborn \
		liar-stats liar-ping liar-pause \
		exit-0 exit-1 exit-69 exit-73 exit-76 exit-255 exit-78
	wait_until 20 attacks_over
	vmsup status --json >"$LAB/status"
	# as the events have it: they say why, but not which kind of reason
	jq -r 'select(.event == "died") | "\(.vm) \(.detail)"' \
		"$LAB/events" >"$LAB/died"
}

# Those of the list have had their one generation.
attacks_over() {
	vmsup status --json | jq -e --rawfile list "$LAB/attacks" '
		($list | split("\n") | map(split("\t")[0])) as $names |
		all(.vms[] | select(.name | IN($names[]));
			.state == "stopped" and .generation == 1)' >/dev/null
}

configure() {
	cat <<-EOF
		defaults = {
		  autostart = false;
		  restart = { enabled = false; };
		  timeouts = {
		    start = "1500ms"; heartbeat = "50ms"; watchdog = "1500ms";
		    abort = "200ms"; stop_guest = "200ms"; stop_process = "200ms";
		  };
		};
		vms = (
	EOF
	cut -f1 "$LAB/attacks" | sed 's/.*/  { name = "&"; },/'
	cat <<-EOF
		  { name = "escapes"; }, { name = "chatty"; },
		  { name = "liar-stats"; }, { name = "liar-ping"; },
		  { name = "liar-pause"; }, { name = "stubborn"; },
		  { name = "exit-0"; }, { name = "exit-1"; },
		  { name = "exit-69"; }, { name = "exit-73"; },
		  { name = "exit-76"; }, { name = "exit-255"; },
		  { name = "exit-78"; restart = { enabled = true; }; },
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
	wait_until 5 vm_is exit-255 '.state == "stopped"'
	vm_is exit-0 '.last_exit.detail == "exit 0: done"'
	vm_is exit-1 '.last_exit.detail == "exit 1"'
	vm_is exit-69 '.last_exit.detail == "exit 69: TAP deleted"'
	vm_is exit-73 '.last_exit.detail == "exit 73: cage not closed"'
	vm_is exit-76 '.last_exit | .reason == "exit" and
		(.detail | startswith("exit 76: "))'
	vm_is exit-255 '.last_exit.detail == "exit 255"'
}

@test "a bad configuration (exit 78) fails at once and is never retried" {
	wait_until 5 vm_is exit-78 '.state == "failed"'
	vm_is exit-78 '.generation == 1 and .restarts == 0 and
		(.last_exit.detail | startswith("exit 78: "))'
}

@test "what a VM logs can't touch the terminal, or forge a line" {
	wait_until 5 vm_is escapes '.state == "running"'
	wait_until 5 logged escapes owned
	vmsup logs escapes >"$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/escapes"
	refute env LC_ALL=C grep -n '[^[:print:]]' "$LAB/run/supervisor.log"
	[[ $(grep -c forged "$LAB/escapes") == 1 ]]
	grep -q 'owned.*forged.*%s%n' "$LAB/escapes"
	vm_is escapes '.state == "running" and .generation == 1'
}

logged() {
	vmsup logs "$1" 2>/dev/null | grep -q -e "$2"
}

@test "a VM that logs too much loses lines, not its life" {
	wait_until 5 vm_is chatty '.state == "running"'
	wait_until 5 logged chatty 'line 10'
	vm_is chatty '.state == "running" and .generation == 1'
	vmsup logs chatty 2>&1 | grep 'dropped'
	(($(vmsup logs chatty 2>/dev/null | grep -c 'line') < 64))
}

@test "a flood is not held against the next generation" {
	wait_until 5 vm_is reformed '.state == "running"'
	wait_until 5 logged reformed 'a new leaf'
	vm_is reformed '.generation == 2 and .state == "running"'
}

@test "absurd counters are shown, and break nothing" {
	wait_until 5 vm_is liar-stats '.state == "running" and
		.stats.rx_frames > 1000000'
	vm_is liar-stats '[.stats, .total | .[] | numbers] | all(. >= 0)'
	vmsup status liar-stats
	vm_is liar-stats '.state == "running" and .generation == 1'
}

@test "a result that can't be costs the VM its process, the client a failure" {
	wait_until 5 vm_is liar-ping '.state == "running"'
	refute timeout 10 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" ping liar-ping 10.77.0.1 -c 1
	wait_until 5 vm_is liar-ping '.state == "stopped"'
	vm_is liar-ping '.last_exit.reason == "protocol" and
		.last_exit.detail == "PING-RESULT without a PING"'
}

@test "an answer to another question costs the VM its process" {
	wait_until 5 vm_is liar-pause '.state == "running"'
	vmsup pause --no-wait liar-pause
	wait_until 5 vm_is liar-pause '.state == "stopped"'
	vm_is liar-pause '.last_exit.detail == "EVENT 1 unasked"'
}

@test "a command that waits for a VM that ends instead says so" {
	vmsup start liar-pause
	run timeout 5 nsenter --net="/run/netns/$LAB_NETNS" -- \
		"$LAB/bin/vmsup" pause liar-pause
	[[ $status == 1 ]]
}

@test "a VM that ignores all requests to stop is stopped" {
	local pid
	wait_until 5 vm_is stubborn '.state == "running"'
	pid=$(vm_get stubborn .pid)
	vmsup stop stubborn
	vm_is stubborn '.state == "stopped" and .pid == null'
	[[ ! -d /proc/$pid ]]
}

@test "a VM that was stopped by a signal is noticed and cured" {
	local pid
	wait_until 5 vm_is frozen '.state == "running"'
	pid=$(vm_get frozen .pid)
	vmsup kill --signal STOP frozen
	wait_until 10 vm_is frozen '.state == "running" and .generation == 2'
	vm_is frozen '.last_exit.reason == "watchdog" and .restarts == 1'
	[[ ! -d /proc/$pid ]]
}

@test "many rounds of it leak no descriptor and no memory" {
	local pid before after
	pid=$(cat "$LAB/pid")
	wait_until 20 vm_is leak ".generation >= $ROUNDS"
	vmsup stop leak
	before=$(fds_of "$pid")
	vmsup start --no-wait leak
	after=$(($(vm_get leak .generation) + ROUNDS))
	wait_until 20 vm_is leak ".generation >= $after"
	vmsup stop leak
	wait_until 5 has_fds "$pid" "$before"
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
