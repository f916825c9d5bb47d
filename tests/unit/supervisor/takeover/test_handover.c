/* SPDX-License-Identifier: ISC */
/* The document of an upgrade: the names in it, which other builds read. */
#include "tests/unit/supervisor/control/control_fixture.h"

#include <netlink/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "supervisor/takeover/handover.h"

/* Of the object "supervisor": a build at any of them may read it, and this
 * build reads theirs. */
static const char *const names[] = {
	"boot_id",
	"cgroup.dir_fd",
	"cgroup.parent_fd",
	"cgroup.path",
	"firsthop.guard.flags",
	"firsthop.guard.limits",
	"firsthop.why_off",
	"foreground",
	"keep_fd",
	"loaded",
	"net.alias",
	"net.bridge_ifindex",
	"net.group",
	"net.multicast",
	"network_inode",
	"ping_id",
	"program",
	"querying",
	"room.ns_fd[ROOM_IPC]",
	"room.ns_fd[ROOM_MNT]",
	"room.ns_fd[ROOM_NET]",
	"room.ns_fd[ROOM_UTS]",
	"rundir.dir_fd",
	"rundir.instance",
	"rundir.keep_socket",
	"rundir.lock_fd",
	"rundir.log_bytes",
	"rundir.log_fd",
	"rundir.log_torn",
	"rundir.made",
	"rundir.path",
	"settled",
	"started_ns",
	"starter_source.fd",
	"took_over",
	"uids.end",
	"uids.first",
	"uids.lock_fd",
	"uids.next",
	"upgrade.guard_fd",
	"upgrade.guard_pid_fd",
};

static struct supervisor supervisor, loaded;
static struct config configs[2];

static void preset(struct supervisor *each, struct config *config_of_it)
{
	memset(each, 0, sizeof(*each));
	config_init(config_of_it);
	each->host.config = config_of_it;
	each->upgrade = UPGRADE_NONE;
}

static int set_up_both(void **state)
{
	int error = set_up(state);

	preset(&supervisor, &configs[0]);
	preset(&loaded, &configs[1]);
	supervisor.control = test.control;
	supervisor.host.net.sock = nl_socket_alloc();
	supervisor.monitor.sock = nl_socket_alloc();
	return error;
}

static int tear_down_both(void **state)
{
	nl_socket_free(supervisor.host.net.sock);
	nl_socket_free(supervisor.monitor.sock);
	config_uninit(&configs[0]);
	config_uninit(&configs[1]);
	return tear_down(state);
}

#define BOTH_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_both, tear_down_both)

static void names_stay(void **state)
{
	cleanup_fd int fd = handover_save(&supervisor);
	cleanup_fd int read_fd = dup(fd);
	json_t *document, *own;

	(void)state;
	assert_true(fd >= 0);
	lseek(read_fd, 0, SEEK_SET);
	document = json_loadfd(read_fd, 0, NULL);
	own = json_object_get(document, "supervisor");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!json_object_get(own, names[i]))
			fail_msg("%s isn't there", names[i]);
	assert_int_equal(json_object_size(own), ARRAY_SIZE(names));
	json_decref(document);
}

/* Of each room one value, and one descriptor. */
static void what_is_saved_is_loaded(void **state)
{
	struct problem problem;
	json_t *document;
	int fd;

	(void)state;
	snprintf(supervisor.host.rundir.path,
		 sizeof(supervisor.host.rundir.path), "/run/some");
	supervisor.host.rundir.lock_fd = 17;
	supervisor.host.uids.next = 70000;
	supervisor.host.net.group = 4711;
	supervisor.host.firsthop.guard.limits = true;
	supervisor.host.room.ns_fd[ROOM_UTS] = 23;
	supervisor.host.cgroup.dir_fd = 29;
	supervisor.host.network_inode = 31;
	supervisor.upgrade.guard_fd = 37;
	supervisor.ping_id = 41;
	fd = handover_save(&supervisor);
	assert_true(fd >= 0);
	assert_int_equal(handover_load(&loaded, fd, &document, &problem), 0);
	assert_string_equal(loaded.host.rundir.path, "/run/some");
	assert_int_equal(loaded.host.rundir.lock_fd, 17);
	assert_int_equal(loaded.host.uids.next, 70000);
	assert_int_equal(loaded.host.net.group, 4711);
	assert_true(loaded.host.firsthop.guard.limits);
	assert_int_equal(loaded.host.room.ns_fd[ROOM_UTS], 23);
	assert_int_equal(loaded.host.cgroup.dir_fd, 29);
	assert_int_equal(loaded.host.network_inode, 31);
	assert_int_equal(loaded.upgrade.guard_fd, 37);
	assert_int_equal(loaded.ping_id, 41);
	json_decref(document);
	fd_close(&fd);
}

/* A value that can't be is refused by its name. */
static void nonsense_is_refused(void **state)
{
	static const char text[] =
		"{\"version\": 1, \"supervisor\": {\"rundir.lock_fd\": -7}}";
	cleanup_fd int fd = memfd_create("test", MFD_CLOEXEC);
	struct problem problem;
	json_t *document;

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_true(handover_load(&loaded, fd, &document, &problem) < 0);
	assert_non_null(strstr(problem.text, "rundir.lock_fd"));
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_TEST(names_stay),
		BOTH_TEST(what_is_saved_is_loaded),
		BOTH_TEST(nonsense_is_refused),
	};

	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
