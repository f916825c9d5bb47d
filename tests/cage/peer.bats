#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A wrong supervisor before the real vmproc: another version, messages in the
# wrong state, descriptors that it can't use. It ends, with its reason.

load ../lib

PEER=$BUILD/tests/cage/peer

@test "what a wrong supervisor says ends vmproc, with the reason" {
	local name status says found bad=0 count=0
	while IFS=$'\t' read -r name status says; do
		count=$((count + 1))
		found=$(timeout 20 "$PEER" "$BUILD/vmproc" "$name" | tail -n 2)
		[[ ${found##*$'\n'} == "exit $status" &&
			${found%$'\n'*} =~ ^($says)$ ]] || {
			echo "$name: expected exit $status, $says; found:"
			echo "$found"
			bad=1
		}
	done < <("$PEER" --cases)
	((count > 20 && bad == 0))
}
