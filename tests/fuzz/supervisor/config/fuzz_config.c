/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes config_read() with whole files. An error must have been told if and
 * only if it refuses; what it accepts, config_assign() must accept or refuse
 * for a reason that it tells.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/config/config_file.h"
#include "supervisor/config/config_assign.h"
#include "supervisor/config/config.h"

/* libconfig 1.5 loses a string that a syntax error follows. The name is
 * LeakSanitizer's. NOLINTBEGIN(*-reserved-identifier,cert-dcl*) */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}
/* NOLINTEND(*-reserved-identifier,cert-dcl*) */

/* Run within the same process, thousands of times a second. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* fmemopen() takes a buffer that it could write to, and no empty one */
	union {
		const uint8_t *read_only;
		void *buffer;
	} bytes = { .read_only = data };
	struct problem problem = { .text = "" };
	struct config config;
	char *said = NULL;
	size_t length = 0;
	FILE *file = size ? fmemopen(bytes.buffer, size, "r")
			  : fopen("/dev/null", "r");
	FILE *errors = open_memstream(&said, &length);
	int error;

	if (!file || !errors)
		abort();
	config_init(&config);
	error = config_read(&config, file, "fuzz", errors);
	fclose(file);
	fclose(errors);
	if (!error != !length)
		abort();
	if (!error && config_assign(&config, "id", "/run/fuzz", &problem))
		abort();
	config_uninit(&config);
	free(said);
	return 0;
}
