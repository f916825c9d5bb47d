#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What people run by hand says why it can't do its work, and leaves nothing.

load ../lib

@test "lint without files says so, and doesn't wait for them" {
	# nothing comes, and no end either
	mkfifo "$BATS_TEST_TMPDIR/input"
	fails_with 2 timeout 10 "$ROOT/scripts/lint" "$BUILD/obj" \
		<>"$BATS_TEST_TMPDIR/input"
	[[ $output == *"no files"* ]]
}

# On port 9 of a network namespace without anything, nobody is.
@test "debian13 without a network says so, and leaves no half of a system" {
	[[ $EUID == 0 ]] || cannot "needs root"
	need debootstrap
	export DEBIAN13=$BATS_TEST_TMPDIR/cache/debian13
	export DEBIAN_MIRROR=http://127.0.0.1:9/debian
	fails_with 1 timeout 60 unshare -n "$ROOT/scripts/debian13" true
	[[ $output == *"debootstrap failed"*"DEBIAN_MIRROR="* ]]
	[[ $(ls "$BATS_TEST_TMPDIR/cache") == debian13.lock ]]
}

# A system whose packages are half installed isn't taken for a whole one.
@test "debian13 whose packages can't be fetched says so" {
	[[ $EUID == 0 ]] || cannot "needs root"
	export DEBIAN13=$BATS_TEST_TMPDIR/debian13
	mkdir -p "$DEBIAN13"/{dev,proc,sys,run,tmp,src,usr,etc,var/log}
	mount --bind /usr "$DEBIAN13/usr"
	for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$DEBIAN13/$dir"; done
	# no package is installed, by a dpkg that knows none
	mkdir -p "$DEBIAN13"/var/lib/dpkg "$DEBIAN13"/var/lib/apt
	run timeout 60 unshare -n "$ROOT/scripts/debian13" true
	umount "$DEBIAN13/usr"
	[[ $status == 1 ]]
	[[ $output == *"its packages can't be installed"* ]]
}
