/* SPDX-License-Identifier: ISC */
/* What a kernel's command line asks for that this machine doesn't have (Linux,
 * Documentation/admin-guide/kernel-parameters.txt). */
#include "supervisor/cli/cmdline.h"

#include <stdbool.h>
#include <string.h>

#include "ipc/fd.h"

#define WORD_BYTES 64 /* longer ones aren't known */

static const struct {
	const char *word; /* "name=value": one of the values between commas */
	const char *hint;
} known[] = {
	{ "pci=off", "pci=off: no disk and no network are found" },
	{ "pci=nomsi", "pci=nomsi: disks and network have no other interrupts, "
		       "and don't work" },
	{ "acpi=off", "acpi=off: one processor, no interrupts of disks and "
		      "network, and no power button for 'vmsup stop'" },
	{ "noapic", "noapic: there is no other interrupt controller" },
	{ "nolapic", "nolapic: there is no other interrupt controller" },
	{ "no-kvmclock", "no-kvmclock: the machine has no other clock (no PIT, "
			 "HPET or RTC), and the guest may keep no time" },
};

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

/* Whether word is wanted, or has its value among others: "pci=nomsi,off". */
static bool asks_for(const char *word, const char *wanted)
{
	const char *value = strchr(wanted, '=');
	size_t name = value ? (size_t)(value - wanted) + 1 : 0;

	if (!value)
		return strcmp(word, wanted) == 0;
	if (strncmp(word, wanted, name) != 0)
		return false;
	value++;
	for (word += name; *word; word += strspn(word, ",")) {
		size_t length = strcspn(word, ",");

		if (length == strlen(value) &&
		    strncmp(word, value, length) == 0)
			return true;
		word += length;
	}
	return false;
}

/* Copies the next word, "" if it is too long; NULL at the end. Spaces between
 * double quotes are part of it. */
static const char *next_word(const char *at, char word[WORD_BYTES])
{
	bool quoted = false;
	size_t length = 0;

	at += strspn(at, " \t\n");
	if (!*at)
		return NULL;
	for (; *at && (quoted || !strchr(" \t\n", *at)); at++) {
		quoted ^= *at == '"';
		if (*at != '"' && length < WORD_BYTES)
			word[length++] = *at;
	}
	word[length < WORD_BYTES ? length : 0] = '\0';
	return at;
}

void cmdline_hints(const char *cmdline,
		   void (*tell)(void *ctx, const char *hint), void *ctx)
{
	char word[WORD_BYTES];
	bool console = false;

	while ((cmdline = next_word(cmdline, word)) &&
	       strcmp(word, "--") != 0) { /* the rest is for init */
		console |= begins(word, "console=ttyS0") ||
			   begins(word, "console=uart");
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (asks_for(word, known[i].word))
				tell(ctx, known[i].hint);
	}
	if (!console)
		tell(ctx, "no console=ttyS0: its console stays empty");
}
