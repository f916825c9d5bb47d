/* SPDX-License-Identifier: ISC */
/* Which paths lead nowhere but where root and the caller want it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/lib/safepath.h"

#define STRANGER 4242

static char base[64];

static const char *at(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned int next;
	char *to = path[next++ % ARRAY_SIZE(path)];

	snprintf(to, PATH_MAX, "%s/%s", base, name);
	return to;
}

static int set_up(void **state)
{
	(void)state;
	umask(0);
	snprintf(base, sizeof(base), "/tmp/vmsup-safepath-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int what,
		      struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	if (getenv("MUST_RUN"))
		fail_msg("only root can make what is a stranger's");
	print_message("# skipped: only root can make what is a stranger's\n");
	skip();
}

static void make(const char *name, mode_t mode, uid_t owner)
{
	assert_int_equal(mkdir(at(name), 0700), 0);
	if (owner != geteuid())
		assert_int_equal(chown(at(name), owner, (gid_t)-1), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void make_link(const char *text, const char *name, uid_t owner)
{
	assert_int_equal(symlink(text, at(name)), 0);
	if (owner != geteuid())
		assert_int_equal(lchown(at(name), owner, (gid_t)-1), 0);
}

/* path leads to the directory of that name. */
static void leads(const char *path, const char *name)
{
	struct problem problem;
	struct stat got, want;
	cleanup_fd int fd = safepath_open(path, 0, &problem);

	assert_string_equal(problem.text, "");
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(stat(at(name), &want), 0);
	assert_int_equal(got.st_ino, want.st_ino);
}

/* Nothing is made on the way to a refusal, either. */
static void refused(const char *path, const char *why)
{
	for (mode_t mode = 0; mode <= 0700; mode += 0700) {
		struct problem problem;

		assert_int_equal(safepath_open(path, mode, &problem), -EPERM);
		if (!strstr(problem.text, why))
			fail_msg("not \"%s\": %s", why, problem.text);
	}
}

static void cannot(int error, const char *path)
{
	struct problem problem;

	assert_int_equal(safepath_open(path, 0, &problem), error);
	assert_string_equal(problem.text, "");
}

static void made(const char *path, const char *name)
{
	struct problem problem;
	cleanup_fd int fd = safepath_open(path, 0750, &problem);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(stat(at(name), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void ones_own_path_is_safe(void **state)
{
	(void)state;
	make("a", 0755, geteuid());
	make("a/run", 0750, geteuid());
	leads(at("a/run"), "a/run");
	leads(at("a//./run//"), "a/run");
	leads(at("a/run/../../a/run"), "a/run");
}

static void a_strangers_directory_is_not(void **state)
{
	(void)state;
	need_root();
	make("his", 0755, STRANGER);
	make("his/run", 0750, 0);
	make("his/run/deeper", 0750, 0);
	refused(at("his"), "directory his belongs to uid 4242");
	refused(at("his/run"), "directory his belongs to uid 4242");
	refused(at("his/run/deeper"), "directory his belongs to uid 4242");
	/* also where the way only leads through it */
	make("run", 0750, 0);
	refused(at("his/../run"), "directory his belongs to uid 4242");
	make("tmp", 01777, 0);
	make("tmp/run", 0750, STRANGER);
	refused(at("tmp/run"), "directory run belongs to uid 4242");
	refused(at("his/none"), "directory his belongs to uid 4242");
	assert_int_equal(access(at("his/none"), F_OK), -1);
}

static void others_may_write_only_where_it_is_sticky(void **state)
{
	static const mode_t modes[] = { 0775, 0757, 0777 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		make("open", modes[i], geteuid());
		make("open/run", 0750, geteuid());
		refused(at("open/run"), "others may write into the directory");
		assert_int_equal(chmod(at("open"), modes[i] | 01000), 0);
		leads(at("open/run"), "open/run");
		/* a socket in there would be anybody's */
		refused(at("open"), "others may write into the directory");
		rmdir(at("open/run"));
		rmdir(at("open"));
	}
}

static void ones_own_links_are_followed(void **state)
{
	(void)state;
	make("var", 0755, geteuid());
	make("real", 0755, geteuid());
	make("real/run", 0750, geteuid());
	make_link(at("real"), "var/absolute", geteuid());
	make_link("../real", "var/relative", geteuid());
	make_link("absolute/run", "var/end", geteuid());
	leads(at("var/absolute/run"), "real/run");
	leads(at("var/relative/run"), "real/run");
	leads(at("var/end"), "real/run");
	leads(at("var/end/"), "real/run");
}

static void a_strangers_link_is_not(void **state)
{
	(void)state;
	need_root();
	make("tmp", 01777, 0);
	make("real", 0755, 0);
	make("real/run", 0750, 0);
	make_link(at("real"), "tmp/his", STRANGER);
	refused(at("tmp/his/run"), "symbolic link his belongs to uid 4242");
	refused(at("tmp/his/none"), "symbolic link his belongs to uid 4242");
	refused(at("tmp/his"), "symbolic link his belongs to uid 4242");
	assert_int_equal(access(at("real/none"), F_OK), -1);
	/* nor behind one of root's */
	make_link(at("tmp/his"), "ours", 0);
	refused(at("ours/run"), "symbolic link his belongs to uid 4242");
}

static void what_is_behind_a_link_and_around_it_counts(void **state)
{
	(void)state;
	need_root();
	make("his", 0755, STRANGER);
	make("his/run", 0750, 0);
	make("run", 0750, 0);
	make_link(at("his/run"), "there", 0);
	refused(at("there"), "directory his belongs to uid 4242");
	/* root's link lies where its text can be exchanged */
	make_link(at("run"), "his/link", 0);
	refused(at("his/link"), "directory his belongs to uid 4242");
	make_link(at("his/link"), "far", 0);
	refused(at("far"), "directory his belongs to uid 4242");
	make("open", 0777, 0);
	make_link(at("run"), "open/link", 0);
	refused(at("open/link"), "others may write into the directory open");
}

static void links_end_somewhere(void **state)
{
	char long_path[PATH_MAX + 2], long_name[NAME_MAX + 3];

	(void)state;
	make_link("loop", "loop", geteuid());
	cannot(-ELOOP, at("loop"));
	make_link("again/again", "again", geteuid());
	cannot(-ELOOP, at("again/run"));
	make_link("none", "dangling", geteuid());
	cannot(-ENOENT, at("dangling"));
	memset(long_path, '/', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	cannot(-ENAMETOOLONG, long_path);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	cannot(-ENAMETOOLONG, long_name);
}

static void what_is_no_directory_leads_nowhere(void **state)
{
	cleanup_fd int fd = -1;

	(void)state;
	fd = open(at("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	cannot(-ENOTDIR, at("file"));
	cannot(-ENOTDIR, at("file/run"));
	cannot(-ENOENT, at("none"));
	cannot(-ENOENT, at("none/run"));
	unlink(at("file"));
}

static void only_the_last_one_is_made(void **state)
{
	struct problem problem;

	(void)state;
	made(at("run"), "run");
	made(at("run"), "run");
	assert_int_equal(safepath_open(at("none/run"), 0750, &problem),
			 -ENOENT);
	assert_int_equal(access(at("none"), F_OK), -1);
	make("real", 0755, geteuid());
	make_link("real", "link", geteuid());
	made(at("link/run/"), "real/run");
	make_link("real/later", "dangling", geteuid());
	assert_int_equal(safepath_open(at("dangling"), 0750, &problem),
			 -ENOENT);
	assert_int_equal(access(at("real/later"), F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ones_own_path_is_safe),
		TEST(a_strangers_directory_is_not),
		TEST(others_may_write_only_where_it_is_sticky),
		TEST(ones_own_links_are_followed),
		TEST(a_strangers_link_is_not),
		TEST(what_is_behind_a_link_and_around_it_counts),
		TEST(links_end_somewhere),
		TEST(what_is_no_directory_leads_nowhere),
		TEST(only_the_last_one_is_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("safepath", tests, NULL, NULL);
}
