#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The control interface as a varlink client sees it that nobody here wrote:
# client.go, on github.com/varlink/go (Debian: golang-go and
# golang-github-varlink-go-dev).

load ../lib

GO_SOURCES=/usr/share/gocode

setup_file() {
	lab_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	[[ -z $(go_obstacle) ]] || return 0
	lab_vmproc vmproc
	HOME=$LAB GO111MODULE=off GOPATH=$GO_SOURCES GOCACHE=$LAB/gocache \
		GOFLAGS='' go build -o "$LAB/client" \
		"$ROOT/tests/system/client.go" 3>&- 4>&-
	vmsup start --vms 2
}

teardown_file() {
	lab_down
}

setup() {
	lab_check
	local obstacle
	obstacle=$(go_obstacle)
	[[ -z $obstacle ]] || cannot "$obstacle"
}

go_obstacle() {
	command -v go >/dev/null || { echo "no go here (golang-go)" && return; }
	[[ -d $GO_SOURCES/src/github.com/varlink/go/varlink ]] ||
		echo "no varlink for go here (golang-github-varlink-go-dev)"
}

client() {
	inside timeout 10 "$LAB/client" \
		"unix:$VMSUP_RUN_DIR/control.sock" "$@" 3>&- 4>&-
}

@test "GetInfo names the product and its interfaces" {
	run client info
	[ "$status" = 0 ]
	jq -e '.product == "vmsup" and (.version | test("^[0-9.]+$")) and
		.interfaces == ["org.varlink.service", "io.vmsup"]' <<<"$output"
}

@test "the description of io.vmsup is parsed, with all that can be called" {
	run client parse io.vmsup
	[ "$status" = 0 ]
	jq -e '.name == "io.vmsup" and (.doc | test("irtual machines")) and
		.methods.Ping[:2] == ["name", "address"] and
		(.errors | contains(["NoSuchVm", "WrongState", "Failed"])) and
		(.types | contains(["Vm", "Event", "Supervisor"]))' <<<"$output"
	# each of them is there: none answers that it isn't
	for method in $(jq -r '.methods | keys[]' <<<"$output"); do
		case $method in Shutdown | Detach | Upgrade) continue ;; esac
		run client call "io.vmsup.$method" '{"names":[1],"name":1}'
		[[ $output != *MethodNot* ]]
	done
}

@test "the description of org.varlink.service is parsed, and is varlink's" {
	run client parse org.varlink.service
	[ "$status" = 0 ]
	jq -e '.name == "org.varlink.service" and
		.methods == {"GetInfo": [],
			"GetInterfaceDescription": ["interface"]} and
		(.errors | contains(["InterfaceNotFound", "MethodNotFound",
			"MethodNotImplemented", "InvalidParameter",
			"PermissionDenied", "ExpectedMore"]))' <<<"$output"
}

@test "Status is what the command line shows" {
	run client call io.vmsup.Status '{}'
	[ "$status" = 0 ]
	[ "$(jq -c '[.vms[] | [.name, .state, .pid, .mac]]' <<<"$output")" = \
		"$(vmsup status --json |
			jq -c '[.vms[] | [.name, .state, .pid, .mac]]')" ]
	run client call io.vmsup.Status '{"names":["vm1"]}'
	[ "$(jq -c '[.vms[].name]' <<<"$output")" = '["vm1"]' ]
}

@test "errors arrive as the types that the library has for them" {
	run client call io.vmsup.Nope '{}'
	[ "$status" = 1 ]
	[[ $output == *varlink.MethodNotFound* ]]
	run client call io.nowhere.Status '{}'
	[[ $output == *varlink.InterfaceNotFound* ]]
	run client call io.vmsup.Logs '{"name":1}'
	[[ $output == *varlink.InvalidParameter* ]]
	run client call io.vmsup.Logs '{"name":"vm9"}'
	[[ $output == *io.vmsup.NoSuchVm* ]]
	run client parse io.nowhere
	[[ $output == *varlink.InterfaceNotFound* ]]
}

@test "Events with more are a stream of replies, one for each change" {
	before=$(vm_get vm0 .generation)
	client events 5 >"$LAB/events" &
	listener=$!
	# the first reply, empty, says that it listens
	wait_until 20 test -s "$LAB/events"
	client call io.vmsup.Restart '{"names":["vm0"]}'
	wait "$listener"
	jq -es 'all(.[]; .continues)' <"$LAB/events"
	[ "$(jq -rs '[.[].reply.events[].event] | join(" ")' \
		<"$LAB/events")" = "stopping died starting running" ]
	vm_has vm0 .generation $((before + 1))
}
