/* SPDX-License-Identifier: ISC */
/*
 * A program in the place of the supervisor's next one, that fails: in the trial
 * or, having agreed to all, when it is to take over. The file "conduct" beside
 * it has one word for each of the two; tests/system/upgrade.bats writes it.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* HANDOVER_AGREED */
#define AGREED 42

static int beside(const char *name, int flags)
{
	char path[PATH_MAX + 32];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);

	if (length < 0)
		return -1;
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

static int agree(int state_fd)
{
	(void)state_fd;
	return AGREED;
}

static int leave(int state_fd)
{
	(void)state_fd;
	return 1;
}

static int crash(int state_fd)
{
	(void)state_fd;
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 1;
}

static int hang(int state_fd)
{
	(void)state_fd;
	while (pause() < 0)
		;
	return 1;
}

static int spin(int state_fd)
{
	volatile int turn = 0;

	(void)state_fd;
	while (turn >= 0)
		turn ^= 1;
	return 1;
}

/* Ten megabytes, to where its last words are read from. */
static int flood(int state_fd)
{
	static char line[1024];

	(void)state_fd;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 10 * 1024; i++)
		if (write(STDERR_FILENO, line, sizeof(line)) < 0)
			return 1;
	return 1;
}

/* What a terminal would obey, without an end of the line. */
static int curse(int state_fd)
{
	static const char text[] = "\033]0;owned\007 \033[2Jevil";

	(void)state_fd;
	return write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? 2 : 1;
}

/* Leaves the document in the file "state", and agrees. */
static int copy(int state_fd)
{
	int fd = beside("state", O_WRONLY | O_CREAT | O_TRUNC);
	char bytes[4096];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(state_fd, bytes, sizeof(bytes), at)) > 0) {
		if (write(fd, bytes, (size_t)got) != got)
			return 1;
		at += got;
	}
	return fd < 0 || got < 0 ? 1 : AGREED;
}

static const struct {
	const char *word;
	int (*act)(int state_fd);
} conducts[] = {
	{ "agree", agree }, { "leave", leave }, { "crash", crash },
	{ "hang", hang },   { "spin", spin },   { "flood", flood },
	{ "curse", curse }, { "copy", copy },
};

/* __take-over check|go STATE_FD */
int main(int argc, char **argv)
{
	char words[2][16] = { "", "" }, text[64] = "";
	const char *word;

	if (argc != 4 ||
	    read(beside("conduct", O_RDONLY), text, sizeof(text) - 1) < 0 ||
	    sscanf(text, "%15s %15s", words[0], words[1]) != 2)
		return 2;
	word = words[strcmp(argv[2], "go") == 0];
	for (size_t i = 0; i < sizeof(conducts) / sizeof(conducts[0]); i++)
		if (strcmp(conducts[i].word, word) == 0)
			return conducts[i].act(atoi(argv[3]));
	return 2;
}
