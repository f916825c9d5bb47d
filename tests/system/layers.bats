#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# scripts/layers: a tree that is as its table says, and one breach of each kind.

load ../lib

setup() {
	need gcc nm python3
	cd "$BATS_TEST_TMPDIR" || return
	mkdir shop store far
	table "room shop: shop/* uses store" \
		"room store: store/*" \
		"room far: far/*" \
		"circle store/list store/shelf: a list knows its shelf" \
		"apart shop far"
	file shop/till.h "int till_sell(int item);" "extern int till_open[2];" \
		"typedef int till_fn(int); till_fn till_buy, till_give;"
	file shop/till.c '#include "shop/till.h"' '#include "store/shelf.h"' \
		"int till_open[2];" "int till_buy(int item) { return item; }" \
		"int till_give(int item) { return item; }" \
		"int till_sell(int item) { return shelf_take(item); }"
	file store/shelf.h "int shelf_take(int item);"
	file store/shelf.c '#include "store/shelf.h"' '#include "store/list.h"' \
		"int shelf_take(int item) { return list_next(item); }"
	file store/list.h "int list_next(int item);"
	file store/list.c '#include "store/list.h"' '#include "store/shelf.h"' \
		"int list_next(int i) { return i ? shelf_take(i - 1) : 0; }"
	file far/port.h "int port_open(void);" \
		"static inline int port_twice(void) { return 2 * port_open(); }"
	file far/port.c '#include "far/port.h"' \
		"int port_open(void) { return 1; }"
}

# file PATH LINE...; more PATH LINE...: writes, adds.
file() {
	printf '%s\n' "${@:2}" >"$1"
}

more() {
	printf '%s\n' "${@:2}" >>"$1"
}

table() {
	file table "$@"
}

# entry FROM TO: changes the table.
entry() {
	grep -q "$1" table
	sed -i "s#$1#$2#" table
}

layers() {
	local source
	for source in */*.c; do
		mkdir -p "build/obj/${source%/*}"
		gcc -w -I. -c -o "build/obj/${source%.c}.o" "$source" || return
	done
	"$ROOT/scripts/layers" table build -I.
}

# breach LINE...: these breaches are told, and no other.
breach() {
	run layers
	echo "$output"
	[ "$status" -eq 1 ]
	[ "$output" = "$(printf 'layers: %s\n' "$@")" ]
}

@test "a tree that is as its table says: silence" {
	run layers
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

# A file of the upper room that the lower one must not use.
sign() {
	file shop/sign.h "int sign_show(void);" "#define SIGN_SIZE 2"
	file shop/sign.c '#include "shop/sign.h"' \
		"int sign_show(void) { return 1; }"
}

@test "a symbol of a room above: the file, the symbol and both rooms are told" {
	sign
	more store/list.c "int sign_show(void);" \
		"int list_size(void) { return sign_show(); }"
	more store/list.h "int list_size(void);"
	breach "store/list.c: uses sign_show of shop/sign.c:\
 store may not use shop"
}

@test "a header of a room above, of which no symbol is used" {
	sign
	more store/list.h '#include "shop/sign.h"'
	breach "store/list.h: uses header shop/sign.h: store may not use shop"
}

@test "a room that one of another folder reaches by a third" {
	more far/port.c '#include "store/list.h"' \
		"int port_next(void) { return list_next(2); }"
	more far/port.h "int port_next(void);"
	table "room far: far/* uses store" \
		"room store: store/* uses shop" \
		"room shop: shop/*" \
		"circle store/list store/shelf: a list knows its shelf" \
		"apart shop far"
	file shop/till.h "int till_sell(int item);"
	file shop/till.c '#include "shop/till.h"' \
		"int till_sell(int item) { return item; }"
	more store/shelf.c '#include "shop/till.h"' \
		"int shelf_sell(void) { return till_sell(1); }"
	more store/shelf.h "int shelf_sell(void);"
	breach "table: far reaches shop: far and shop are apart"
}

@test "a use that the table has, and the tree no longer" {
	entry "room shop: shop/\* uses store" "room shop: shop/* uses store far"
	run layers
	[[ $output == *"layers: table: shop uses far no more"* ]]
}

@test "a table with a use of what stands above, or nowhere" {
	entry "room store: store/\*" "room store: store/* uses shop attic"
	run layers
	[[ $output == *"store uses shop, which is no room below it"* ]]
	[[ $output == *"store uses attic, which is no room below it"* ]]
}

@test "a table with a line that says nothing" {
	more table "circle shop/till shop/sign"
	run layers
	[ "$status" -eq 1 ]
	[[ $output == *"table: not understood: circle shop/till shop/sign"* ]]
}

@test "a circle that the table doesn't have: the way round is told" {
	file shop/key.h "int key_turn(int n);"
	file shop/key.c '#include "shop/key.h"' '#include "shop/lock.h"' \
		"int key_turn(int n) { return n ? lock_turn(n) : 0; }"
	file shop/lock.h "int lock_turn(int n);"
	file shop/lock.c '#include "shop/lock.h"' '#include "shop/key.h"' \
		"int lock_turn(int n) { return key_turn(n - 1); }"
	breach "circle shop/key shop/lock: shop/key.c uses lock_turn of\
 shop/lock.c, shop/lock.c uses key_turn of shop/key.c"
}

@test "a circle of the table that is no more, or has other files now" {
	file store/list.c '#include "store/list.h"' \
		"int list_next(int item) { return item; }"
	breach "table: no such circle: store/list store/shelf"
}

@test "a header that declares what another file defines, or none" {
	file store/stock.c '#include "store/list.h"' \
		"int list_more(int item) { return item; }"
	more store/list.h "int list_more(int item);" "int list_none(int item);" \
		"extern const char *list_names[3], *list_name;"
	breach "store/list.h: declares list_more, which store/stock.c defines" \
		"store/list.h: declares list_name, which no file defines" \
		"store/list.h: declares list_names, which no file defines" \
		"store/list.h: declares list_none, which no file defines" \
		"store/stock.c: defines list_more, but has no store/stock.h"
}

@test "a header without a file of its own declares nothing" {
	file store/all.h '#include "store/list.h"' "struct all { int item; };" \
		"static inline int all_next(void) { return list_next(1); }"
	run layers
	[ "$status" -eq 0 ]
	more store/all.h "int list_next(int item);"
	breach "store/all.h: declares list_next, which store/list.c defines"
}

@test "what a file defines and its header doesn't declare" {
	more store/list.c "int list_size;"
	breach "store/list.c: defines list_size, which store/list.h\
 doesn't declare"
}

@test "a header that needs another one before it" {
	file store/box.h "struct box { size_t sides; };"
	run layers
	[ "$status" -eq 1 ]
	[[ $output == *"store/box.h: doesn't compile alone: "*"size_t"* ]]
}

@test "names that a header gives its symbols by asm() are followed" {
	more store/list.h 'int list_last(void) __asm__("store_list_last");'
	more store/list.c "int list_last(void) { return 1; }"
	run layers
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "what stands in libc's place in one program is not the other's" {
	more far/port.c "int fcntl(int fd, int op, ...) { return fd + op; }"
	more store/list.c "int fcntl(int, int, ...);" \
		"int list_fd(void) { return fcntl(0, 1); }"
	more store/list.h "int list_fd(void);"
	run layers
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a file without a room, and one without an object" {
	entry "store: store/\*" "store: store/list store/shelf"
	file store/stock.h "int stock_count(void);"
	file store/stock.c '#include "store/stock.h"' \
		"int stock_count(void) { return 0; }"
	breach "store/stock: in no room of table"
	rm build/obj/store/stock.o
	run "$ROOT/scripts/layers" table build -I.
	[[ $output == *"store/stock.c: no object of it in build (make all tests)"* ]]
}
