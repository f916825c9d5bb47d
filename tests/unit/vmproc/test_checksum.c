/* SPDX-License-Identifier: ISC */
/* The fast checksum against one of two bytes at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/vmproc/host.h"
#include "vmproc/builtin/checksum.h"

/* What it should be, in memory order. */
static uint16_t expected(const uint8_t *data, size_t bytes)
{
	return htons(sum16(0, data, bytes));
}

static void fill(uint8_t *data, size_t bytes, uint32_t seed)
{
	for (size_t i = 0; i < bytes; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (uint8_t)(seed >> 24);
	}
}

static void every_length_and_alignment(void **state)
{
	static uint8_t data[16 + 600];

	(void)state;
	fill(data, sizeof(data), 1);
	for (size_t align = 0; align < 16; align++)
		for (size_t bytes = 0; bytes <= 600; bytes++)
			assert_int_equal(checksum_fold(checksum_add(
						 0, data + align, bytes)),
					 expected(data + align, bytes));
}

/* All ones: every addition carries. */
static void every_carry(void **state)
{
	static uint8_t data[65536];

	(void)state;
	memset(data, 0xff, sizeof(data));
	for (size_t bytes = 0; bytes <= 300; bytes++)
		assert_int_equal(checksum_fold(checksum_add(0, data, bytes)),
				 expected(data, bytes));
	assert_int_equal(checksum_fold(checksum_add(0, data, 65535)),
			 expected(data, 65535));
	assert_int_equal(checksum_fold(checksum_add(UINT64_MAX, data, 64)),
			 0xffff);
}

static void zeros_add_nothing(void **state)
{
	static const uint8_t data[1500];

	(void)state;
	assert_int_equal(checksum_fold(checksum_add(0, data, 1500)), 0);
}

static void in_pieces(void **state)
{
	static uint8_t data[9000];

	(void)state;
	fill(data, sizeof(data), 2);
	for (size_t cut = 0; cut < sizeof(data); cut += 2)
		assert_int_equal(checksum_fold(checksum_add(
					 checksum_add(0, data, cut), data + cut,
					 sizeof(data) - cut)),
				 expected(data, sizeof(data)));
}

/* For every checksum a request can have, the adjusted one is that of a full
 * computation, or the other zero. */
static void adjusted_like_computed(void **state)
{
	(void)state;
	for (uint32_t word = 0; word <= 0xffff; word++) {
		uint8_t echo[8] = {
			8, 0, 0, 0, 0, 0, (uint8_t)(word >> 8), (uint8_t)word
		};
		uint16_t adjusted;

		put16(echo + 2, (uint16_t)~sum16(0, echo, 8));
		adjusted =
			checksum_adjust(htons(get16(echo + 2)), htons(0x0800));
		echo[0] = 0;
		memcpy(echo + 2, &adjusted, 2);
		assert_int_equal(sum16(0, echo, 8), 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(every_carry),
		cmocka_unit_test(zeros_add_nothing),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(adjusted_like_computed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
