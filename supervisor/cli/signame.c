/* SPDX-License-Identifier: ISC */
/* Names of signals, as kill(1) takes them. */
#include "supervisor/cli/signame.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "supervisor/cli/text.h"

const char *signame_parse(const char *text)
{
	const char *name;
	long number;

	if (text_number(text, 1, NSIG - 1, &number))
		return sigabbrev_np((int)number);
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < NSIG; i++) {
		name = sigabbrev_np(i);
		if (name && strcasecmp(name, text) == 0)
			return name;
	}
	return NULL;
}

void signame_list(void)
{
	for (int i = 1; i < NSIG; i++)
		if (sigabbrev_np(i))
			printf("%s\n", sigabbrev_np(i));
}
