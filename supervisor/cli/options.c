/* SPDX-License-Identifier: ISC */
/* Parses the options of a command, and lists them for help and completion. */
#include "supervisor/cli/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/cli/report.h"

/* What getopt_long() returns for the options that each command has. For an
 * option of the command it is the index plus OPTION_FIRST, above any letter. */
enum {
	OPTION_HELP = 1000,
	OPTION_RUN_DIR,
	OPTION_VERSION,
	OPTION_FIRST,
};

static const struct option common_options[] = {
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
};
#define COMMON_COUNT (sizeof(common_options) / sizeof(common_options[0]))

/* Reports what is wrong with the option that getopt_long() just refused. */
static enum options_result refuse_option(const char *command, int result,
					 char **argv)
{
	const char *word = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, '\0' };

	if (strncmp(word, "--", 2) == 0 && word[2] != '\0') {
		if (result == ':')
			report_usage(command, "option %s needs an argument",
				     word);
		else if (optopt != 0)
			report_usage(command, "option %s takes no argument",
				     word);
		else
			report_usage(command, "unknown option %s", word);
	} else if (result == ':') {
		report_usage(command, "option %s needs an argument", letter);
	} else {
		report_usage(command, "unknown option %s", letter);
	}
	return OPTIONS_BAD;
}

enum options_result options_global(int argc, char **argv, int *next,
				   const char **run_dir)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:hV", longs, NULL)) != -1) {
		if (c == 'h')
			return OPTIONS_HELP;
		if (c == 'V')
			return OPTIONS_VERSION;
		if (c != OPTION_RUN_DIR)
			return refuse_option(NULL, c, argv);
		*run_dir = optarg;
	}
	*next = optind;
	return OPTIONS_RUN;
}

/* Fills in the tables of getopt_long() from the command's. */
static void make_tables(const struct cli_command *command, struct option *longs,
			char *shorts)
{
	size_t n = 0;

	*shorts++ = ':';
	*shorts++ = 'h';
	memcpy(longs, common_options, sizeof(common_options));
	longs += COMMON_COUNT;
	for (const struct cli_option *option = command->options;
	     option && option->name; option++, n++) {
		longs[n].name = option->name;
		longs[n].has_arg = !option->arg           ? no_argument
				   : option->arg_optional ? optional_argument
							  : required_argument;
		longs[n].val = OPTION_FIRST + (int)n;
		if (!option->letter)
			continue;
		*shorts++ = option->letter;
		if (option->arg)
			*shorts++ = ':';
		if (option->arg && option->arg_optional)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

/* The index of the command's option for which getopt_long() returned c. */
static int option_index(const struct cli_command *command, int c)
{
	if (c >= OPTION_FIRST)
		return c - OPTION_FIRST;
	for (int i = 0; command->options && command->options[i].name; i++)
		if (command->options[i].letter == c)
			return i;
	return -1;
}

static enum options_result check_count(const struct cli_command *command,
				       const struct cli_args *args)
{
	if (args->count < command->min_args) {
		report_usage(command->name, "%s", command->missing);
		return OPTIONS_BAD;
	}
	if (command->max_args >= 0 && args->count > command->max_args) {
		report_usage(command->name, "unexpected argument \"%s\"",
			     args->names[command->max_args]);
		return OPTIONS_BAD;
	}
	return OPTIONS_RUN;
}

enum options_result options_parse(const struct cli_command *command, int argc,
				  char **argv, struct cli_args *args,
				  const char **run_dir)
{
	struct option longs[CLI_MAX_OPTIONS + COMMON_COUNT + 1] = { 0 };
	char shorts[3 * CLI_MAX_OPTIONS + 3];
	int c, i;

	make_tables(command, longs, shorts);
	*args = (struct cli_args){ 0 };
	optind = 0; /* glibc starts over, with a new table */
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'h' || c == OPTION_HELP)
			return OPTIONS_HELP;
		if (c == OPTION_RUN_DIR) {
			*run_dir = optarg;
			continue;
		}
		i = option_index(command, c);
		if (i < 0)
			return refuse_option(command->name, c, argv);
		args->values[i] = optarg ? optarg : "";
		if (!command->repeats || i != command->repeats)
			continue;
		if (args->repeated_count == CLI_MAX_REPEATS) {
			report_usage(command->name, "too many of --%s",
				     command->options[i].name);
			return OPTIONS_BAD;
		}
		args->repeated[args->repeated_count++] = optarg;
	}
	args->names = argv + optind;
	args->count = argc - optind;
	return check_count(command, args);
}

static void help_option(const struct cli_option *option)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s%s",
		 option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ',
		 option->letter ? "," : " ", option->name,
		 !option->arg           ? ""
		 : option->arg_optional ? "[="
					: " ",
		 option->arg ? option->arg : "",
		 option->arg && option->arg_optional ? "]" : "");
	if (strlen(left) > 24)
		printf("  %s\n%28s%s\n", left, "", option->help);
	else
		printf("  %-24s  %s\n", left, option->help);
}

void options_help(const struct cli_command *command)
{
	static const struct cli_option common[] = {
		{ .name = "run-dir",
		  .arg = "DIR",
		  .help = "the instance (VMSUP_RUN_DIR; /run/vmsup)" },
		{ .name = "help", .letter = 'h', .help = "this" },
	};

	printf("Usage: vmsup %s %s\n\n%c%s.\n", command->name, command->usage,
	       toupper((unsigned char)command->summary[0]),
	       command->summary + 1);
	if (command->details)
		printf("\n%s", command->details);
	printf("\nOptions:\n");
	for (const struct cli_option *option = command->options;
	     option && option->name; option++)
		help_option(option);
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		help_option(&common[i]);
	if (command->more_help)
		command->more_help();
}

void options_complete(const struct cli_command *command)
{
	for (const struct cli_option *option = command->options;
	     option && option->name; option++) {
		bool needs = option->arg && !option->arg_optional;

		printf("--%s%s\n", option->name, needs ? "=" : "");
		if (option->letter)
			printf("-%c%s\n", option->letter, needs ? "=" : "");
	}
	printf("--run-dir=\n--help\n");
}
