/* SPDX-License-Identifier: ISC */
/* The log in the run directory when the disk or the descriptors run out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/host/rundir.h"

static char path[] = "/tmp/vmsup-rundir-XXXXXX";
static struct rundir rundir;

static int set_up(void **state)
{
	struct problem problem;

	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	assert_non_null(mkdtemp(path));
	assert_int_equal(rundir_init(&rundir, path, &problem), 0);
	assert_int_equal(rundir_open_log(&rundir, false, &problem), 0);
	return 0;
}

/* Whatever happened, nothing is left. */
static int tear_down(void **state)
{
	(void)state;
	rundir_uninit(&rundir);
	return rmdir(path);
}

/* The text of a file in the directory; the caller's. */
static char *text_of(const char *name)
{
	struct stat st;
	char *text;
	int fd = openat(rundir.dir_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	return text;
}

static void set_limit(int resource, rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(resource, &limit), 0);
	limit.rlim_cur = most ? most : limit.rlim_max;
	assert_int_equal(setrlimit(resource, &limit), 0);
}

/* A limit of the file's size stands for the disk's end: both cut a line. */
static void a_full_disk_costs_lines_which_are_counted(void **state)
{
	cleanup_free char *text = NULL;
	const char *last;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	rundir_log(&rundir, "info", "first");
	set_limit(RLIMIT_FSIZE, (rlim_t)rundir.log_bytes + 10);
	rundir_log(&rundir, "info", "half of this");
	rundir_log(&rundir, "info", "nothing of this");
	rundir_log(&rundir, "info", "nor of this");
	set_limit(RLIMIT_FSIZE, 0);
	rundir_log(&rundir, "warning", "room again");
	rundir_log(&rundir, "info", "last");
	text = text_of(RUNDIR_LOG);
	assert_int_equal(strlen(text), rundir.log_bytes);
	assert_null(strstr(text, "of this"));
	/* what is torn ends there: the next line is one of its own */
	last = strstr(text, "Z warning: (3 lines lost) room again\n");
	assert_non_null(last);
	assert_int_equal(last[-24], '\n');
	assert_non_null(strstr(last, "Z info: last\n"));
}

static void fill(char letter)
{
	char line[400];

	memset(line, letter, sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	while (rundir.log_bytes <= RUNDIR_LOG_BYTES)
		rundir_log(&rundir, "info", line);
}

static void the_log_is_turned_over(void **state)
{
	cleanup_free char *old = NULL, *text = NULL;

	(void)state;
	fill('a');
	rundir_log(&rundir, "info", "next");
	old = text_of(RUNDIR_LOG ".1");
	text = text_of(RUNDIR_LOG);
	assert_true(strlen(old) > RUNDIR_LOG_BYTES);
	assert_true(strlen(text) < 100);
	assert_non_null(strstr(text, " info: next\n"));
}

static void without_descriptors_the_turn_waits(void **state)
{
	cleanup_free char *text = NULL;
	struct rlimit limit;

	(void)state;
	fill('a');
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	set_limit(RLIMIT_NOFILE, 3);
	rundir_log(&rundir, "info", "lost");
	rundir_log(&rundir, "info", "lost too");
	set_limit(RLIMIT_NOFILE, limit.rlim_cur);
	rundir_log(&rundir, "info", "found");
	text = text_of(RUNDIR_LOG);
	assert_non_null(strstr(text, "(2 lines lost) found\n"));
	assert_true(strlen(text) < 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_full_disk_costs_lines_which_are_counted, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(the_log_is_turned_over, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			without_descriptors_the_turn_waits, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rundir", tests, NULL, NULL);
}
