#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# scripts/setup: what it asks apt for, and what it says when apt can't. The
# tools of apt are replaced: nothing is installed.
# shellcheck disable=SC2016 # what fakes do is expanded when they run

ROOT=$BATS_TEST_DIRNAME/../..

setup() {
	BIN=$BATS_TEST_TMPDIR/bin
	mkdir "$BIN"
	export ASKED=$BATS_TEST_TMPDIR/asked HAVE=$BATS_TEST_TMPDIR/have
	: >"$HAVE"
	: >"$ASKED"
	# dpkg-query ... PACKAGE: installed if it stands in $HAVE
	fake dpkg-query 'grep -qx "${@: -1}" "$HAVE" &&
		echo "install ok installed"'
	fake apt-get 'echo "$*" >>"$ASKED"'
	fake apt-cache true
	fake sudo '"$@"'
}

# fake NAME SCRIPT
fake() {
	printf '#!/bin/bash\n%s\n' "$2" >"$BIN/$1"
	chmod +x "$BIN/$1"
}

do_setup() {
	PATH=$BIN:$PATH run "$ROOT/scripts/setup" "$@"
}

@test "what the tour types is installed before it" {
	do_setup tour
	[ "$status" = 0 ]
	for package in gcc iputils-ping jq man-db; do
		grep -q "install .* $package\( \|$\)" "$ASKED"
	done
	grep -q '^scripts/setup tour$' "$ROOT/scripts/quickstart"
}

@test "what is installed isn't asked for" {
	echo jq >"$HAVE"
	do_setup tour
	[ "$status" = 0 ]
	grep -q 'install .* man-db' "$ASKED"
	! grep -q ' jq\( \|$\)' "$ASKED" || false
}

@test "packages that apt doesn't know are named, with the remedy" {
	fake apt-cache '[[ $2 != musl-tools && $2 != jq ]]'
	do_setup tour
	[ "$status" = 1 ]
	[[ $output == *"musl-tools jq (on Ubuntu"*"universe"* ]]
	! grep -q install "$ASKED" || false
}

@test "an unknown purpose is a usage error" {
	do_setup nonsense
	[ "$status" = 2 ]
	[[ $output == *"build|tour|system|test"* ]]
}
