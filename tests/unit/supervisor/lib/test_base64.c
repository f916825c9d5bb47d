/* SPDX-License-Identifier: ISC */
/* Base64: RFC 4648's own vectors, both ways; and what isn't any. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ipc/fd.h"
#include "supervisor/lib/base64.h"

static void vectors(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "+//+" },
	};
	char text[BASE64_LENGTH(8)], bytes[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		size_t length = strlen(pairs[i][0]);

		base64_encode(text, pairs[i][0], length);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(strlen(text) + 1, BASE64_LENGTH(length));
		assert_int_equal(base64_decode(bytes, length, text), length);
		assert_memory_equal(bytes, pairs[i][0], length);
	}
}

static void all_bytes_at_all_lengths(void **state)
{
	uint8_t bytes[257], back[257];
	char text[BASE64_LENGTH(257)];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 151 + 3);
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		base64_encode(text, bytes, length);
		memset(back, 0, sizeof(back));
		assert_int_equal(base64_decode(back, sizeof(back), text),
				 length);
		assert_memory_equal(back, bytes, length);
		if (length)
			assert_int_equal(base64_decode(back, length - 1, text),
					 -EINVAL);
	}
}

static void what_is_none(void **state)
{
	static const char *const texts[] = {
		"Z",
		"Zg",
		"Zg=",
		"Zg===",
		"=Zg=",
		"Z===",
		"====",
		"Zm9v=",
		"Zm=v",
		"Zg==Zg==",
		"Zm9v\n",
		"Zm9v Zm9",
		"Zm9-",
		"Zm9_",
		"Zm\x80v",
		"Zm9v====",
		"\xff\xff\xff\xff",
		"Zm9vZm9",
	};
	uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (base64_decode(bytes, sizeof(bytes), texts[i]) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(all_bytes_at_all_lengths),
		cmocka_unit_test(what_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
