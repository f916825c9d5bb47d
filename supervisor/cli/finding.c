/* SPDX-License-Identifier: ISC */
/* What one check of "vmsup check" found on this host. */
#include "supervisor/cli/finding.h"

#include <stdarg.h>
#include <stdio.h>

bool finding_there(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	return finding->there = true;
}

bool finding_missing(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	return finding->there = false;
}
