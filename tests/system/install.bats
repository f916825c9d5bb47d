#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What make install puts where, and that it works from there.

load ../lib

setup_file() {
	lab_up
	[[ -z $LAB_OBSTACLE ]] || return 0
	install_into "$LAB" PREFIX=/usr
	# where the lab looks for the product
	mkdir "$LAB/bin"
	ln -s ../usr/sbin/vmsup "$LAB/bin/vmsup"
}

teardown_file() {
	lab_down
}

setup() {
	lab_check
	need make
}

# install_into DESTDIR VARIABLE=VALUE...: of the build under test, as it is.
install_into() {
	make -s -C "$ROOT" -o all BUILD="$BUILD" DESTDIR="$1" "${@:2}" install
}

@test "every file comes to its place, with the mode it needs" {
	run find "$LAB/usr" -type f -printf '%m %P\n'
	[ "$(sort <<<"$output")" = "\
644 lib/systemd/system/vmsup.service
644 lib/systemd/system/vmsup.socket
644 lib/sysusers.d/vmsup.conf
644 lib/tmpfiles.d/vmsup.conf
644 share/bash-completion/completions/vmsup
644 share/man/man5/vmsup.conf.5
644 share/man/man7/vmsup-protocol.7
644 share/man/man8/vmproc.8
644 share/man/man8/vmsup.8
755 libexec/vmsup/service-stop
755 libexec/vmsup/vmproc
755 sbin/vmsup" ]
}

@test "each place can be chosen" {
	install_into "$LAB/other" SBINDIR=/s LIBEXECDIR=/l MANDIR=/m \
		COMPLETIONDIR=/c SYSUSERSDIR=/u TMPFILESDIR=/t UNITDIR=/d
	[ -x "$LAB/other/s/vmsup" ]
	[ -x "$LAB/other/l/vmproc" ]
	[ -f "$LAB/other/m/man8/vmsup.8" ]
	[ -f "$LAB/other/c/vmsup" ]
	[ -f "$LAB/other/u/vmsup.conf" ]
	[ -f "$LAB/other/t/vmsup.conf" ]
	[ -f "$LAB/other/d/vmsup.socket" ]
	[ "$(find "$LAB/other" -type f | wc -l)" = 12 ]
	# and is known where it matters
	grep -qx 'ExecStart=/s/vmsup start --foreground' \
		"$LAB/other/d/vmsup.service"
	grep -qx 'ExecStop=/l/service-stop' "$LAB/other/d/vmsup.service"
	grep -q ' /s/vmsup detach$' "$LAB/other/l/service-stop"
}

@test "what is installed starts VMs with the vmproc that came with it" {
	vmsup start --vms 2
	[ "$(readlink "/proc/$(supervisor_pid)/exe")" = "$LAB/usr/sbin/vmsup" ]
	[ "$(readlink "/proc/$(vm_get vm1 .pid)/exe")" = \
		"$LAB/usr/libexec/vmsup/vmproc" ]
	inside ping -q -c 1 -W 5 10.77.0.3
	vmsup stop
	nothing_left
}

@test "without its vmproc, vmsup says where it looked, and makes nothing" {
	mv "$LAB/usr/libexec/vmsup/vmproc" "$LAB/away"
	run vmsup start --vms 1
	mv "$LAB/away" "$LAB/usr/libexec/vmsup/vmproc"
	[ "$status" != 0 ]
	[[ "$output" == *"vmproc: not in $LAB/usr/sbin"*"make"* ]]
	nothing_left
}

# completions WORD...: what bash offers for the last word of a command line.
completions() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	PATH=$LAB/usr/sbin:$PATH bash -eu -c '
		source "$1"
		shift
		[[ $(complete -p vmsup) == "complete -F _vmsup vmsup" ]]
		set +eu # as it is where people type
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_vmsup
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$LAB/usr/share/bash-completion/completions/vmsup" vmsup "$@"
}

@test "the completion offers commands, options, signals and the VMs there are" {
	[ "$(completions sta | sort | xargs)" = "start stats status" ]
	[ "$(completions --ver)" = --version ]
	completions start --v | grep -qx -- --vms
	completions kill vm0 --signal SEG | grep -q SEGV
	[ -z "$(completions stop vm)" ]
	vmsup start --vms 3
	[ "$(completions stop vm | sort | xargs)" = "vm0 vm1 vm2" ]
	vmsup stop
}

# caged COMPILER TARGET: a file of vmproc's build, in a place of its own.
caged() {
	make -s -C "$ROOT" BUILD="$LAB/build" VMPROC_CC="$1" "$LAB/build/$2"
}

@test "without vmproc's compiler there is no other: what to install is said" {
	run caged "$LAB/musl-gcc" vmproc
	[ "$status" -ne 0 ]
	[[ $output == *"$LAB/musl-gcc, which isn't here: install musl-tools"* ]]
	[ -z "$(find "$LAB/build" -name '*.o')" ]
}

@test "with another compiler all of vmproc is compiled anew" {
	need musl-gcc
	local object=obj-caged/ipc/error.o first
	caged musl-gcc $object
	first=$(stat -c %y "$LAB/build/$object")
	caged musl-gcc $object
	[ "$(stat -c %y "$LAB/build/$object")" = "$first" ]
	caged gcc $object
	[ "$(stat -c %y "$LAB/build/$object")" != "$first" ]
}
