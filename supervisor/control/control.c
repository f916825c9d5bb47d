/* SPDX-License-Identifier: ISC */
/*
 * The control socket: who may connect, how many, and what happens when there
 * are too many.
 *
 * Theory of operation: everybody who gets here passed the socket's mode, and is
 * still not trusted with the supervisor's time, memory or descriptors. There is
 * room for a fixed number of clients. When it is used up, a newcomer takes the
 * place of the one that has been silent the longest, so a crowd that connects
 * and says nothing keeps nobody out; when all of them are busy, the newcomer is
 * told so and sent away. Some places are root's, so that members of the group
 * can't keep root from stopping what they do.
 *
 * Nobody can make a connection fail in a way that is felt elsewhere: accept()
 * without descriptors or memory neither spins nor stops the listener for good,
 * and a flood of refusals becomes one line in the log and a number.
 */
#include "supervisor/control/control.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/control/client.h"
#include "supervisor/lib/sockets.h"

/* Connections accepted in one turn: a flood of them must
 * leave time for other work. */
#define ACCEPTS_PER_TURN 16
/* The time of an accept() before the user is known, as measured. */
#define ACCEPT_NS 8000
/* The pause after an accept() that failed for lack of descriptors or memory. */
#define ACCEPT_PAUSE_MS 200
/* The pause after a turn in which a user connected who is far over its
 * share: a refusal costs as much time as a place. So a flood of connections
 * takes no more than the share of its user, and a client behind a queue full
 * of them waits for a second. */
#define FLOOD_PAUSE_MS 4
/* The log has one line per kind of event in this time. */
#define NOTE_NS (10 * NSEC_PER_SEC)

/* ---- counts and log */

static const struct {
	enum log_level level;
	const char *what;
} note_texts[] = {
	[CONTROL_NOTE_REFUSED] = { LOG_LEVEL_WARN, "refused a connection" },
	[CONTROL_NOTE_EVICTED] = { LOG_LEVEL_WARN, "closed a connection" },
	[CONTROL_NOTE_IDLE] = { LOG_LEVEL_INFO, "closed a connection" },
	[CONTROL_NOTE_MISBEHAVED] = { LOG_LEVEL_WARN, "cut off a client" },
	[CONTROL_NOTE_LOST] = { LOG_LEVEL_WARN,
				"lost a client in the upgrade" },
};
static_assert(ARRAY_SIZE(note_texts) == CONTROL_NOTES, "a text per note");

/* True: a line may be written now. False: it is counted as unsaid. */
static bool may_log(struct note_limit *limit)
{
	uint64_t now_ns = loop_now_ns();

	if (now_ns < limit->next_ns) {
		limit->unsaid++;
		return false;
	}
	limit->next_ns = now_ns + NOTE_NS;
	return true;
}

void control_note(struct control *control, enum control_note note, uid_t uid,
		  pid_t pid, const char *why)
{
	struct note_limit *limit = &control->notes[note];

	if (note == CONTROL_NOTE_REFUSED)
		control->counts.refused++;
	else
		control->counts.cut_off++;
	if (!may_log(limit))
		return;
	log_line(note_texts[note].level,
		 "control socket: %s (uid %u, pid %d): %s; %llu earlier ones "
		 "not logged",
		 note_texts[note].what, (unsigned int)uid, (int)pid, why,
		 limit->unsaid);
	limit->unsaid = 0;
}

void control_counts(const struct control *control,
		    struct control_counts *counts)
{
	*counts = control->counts;
}

/* ---- work that must not be done while a method runs */

void control_queue(struct control *control, struct control_client *client)
{
	if (client->queued)
		return;
	client->queued = true;
	TAILQ_INSERT_TAIL(&control->work, client, by_work);
	control->work_count++;
	if (!control->work_timer.armed)
		loop_timer_in(control->loop, &control->work_timer, 0);
}

void control_unqueue(struct control *control, struct control_client *client)
{
	if (!client->queued)
		return;
	client->queued = false;
	TAILQ_REMOVE(&control->work, client, by_work);
	control->work_count--;
}

/* Works for the clients that are queued now. Clients that are queued
 * meanwhile have the next turn. */
static void do_work(struct timer *timer)
{
	struct control *control = timer->ctx;
	struct control_client *client;

	for (unsigned int left = control->work_count; left > 0; left--) {
		client = TAILQ_FIRST(&control->work);
		if (!client)
			break;
		control_unqueue(control, client);
		client_work(client);
	}
	if (control->work_count > 0 && !timer->armed)
		loop_timer_in(control->loop, timer, 0);
}

/* ---- room for newcomers */

/* Finds a client to evict for a newcomer: of the idle ones, else of the stuck
 * ones, the one that was silent for the longest time. Only root takes root's
 * places. own: only clients of the newcomer's user count. */
static struct control_client *find_quiet(const struct control *control,
					 const struct control_user *user,
					 bool own)
{
	struct control_client *client, *stuck = NULL;
	uint64_t now_ns = loop_now_ns();

	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age)) {
		if (own ? client->user != user
			: user->uid != 0 && client->uid == 0)
			continue;
		if (client_is_idle(client))
			return client;
		if (!stuck && client_is_stuck(client, now_ns))
			stuck = client;
	}
	return stuck;
}

/* If all are busy: of the user with the most places, the client that was
 * silent for the longest time; only if that user has more places than the
 * newcomer's would have then. */
static struct control_client *find_excess(const struct control *control,
					  const struct control_user *user)
{
	unsigned int most = user->uid == 0 ? 0 : user->clients + 1;
	struct control_client *client, *victim = NULL;

	for (client = TAILQ_FIRST(&control->clients); client;
	     client = TAILQ_NEXT(client, by_age)) {
		if (client->uid == 0 || client->user->clients <= most)
			continue;
		most = client->user->clients;
		victim = client;
	}
	return victim;
}

static void evict(struct control *control, struct control_client *victim,
		  const char *why)
{
	control_note(control, CONTROL_NOTE_EVICTED, victim->uid, victim->pid,
		     why);
	client_free(victim);
}

/* Makes room for one more client of that user. NULL:
 * there is room; else why not. */
static const char *free_place(struct control *control,
			      const struct control_user *user)
{
	bool own = user->uid != 0 && user->clients >= CONTROL_USER_CLIENTS;
	unsigned int most = CONTROL_MAX_CLIENTS;
	struct control_client *victim;

	if (user_is_far_over(user)) {
		control->flooded = true;
		return "its user asks for too much; try again in some seconds";
	}
	if (user->uid != 0)
		most -= CONTROL_ROOT_RESERVE;
	if (!own && control->counts.clients < most)
		return NULL;
	victim = find_quiet(control, user, own);
	if (victim) {
		evict(control, victim,
		      "it was idle or stuck, and its place was needed");
		return NULL;
	}
	if (own)
		return "too many of its user's are connected and busy";
	victim = find_excess(control, user);
	if (!victim)
		return "too many are connected and busy; try again";
	evict(control, victim, "its user has the most, and one was needed");
	return NULL;
}

/* Sends why, if the socket takes it at once, and closes the connection. */
static void refuse_connection(struct control *control, int fd,
			      const struct ucred *peer, const char *why)
{
	struct buffer out = { .limit = 4096 };

	control_note(control, CONTROL_NOTE_REFUSED, peer->uid, peer->pid, why);
	if (client_put_failure(control->config, &out,
			       "the connection is refused", why) == 0)
		send(fd, buffer_head(&out), buffer_length(&out),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	buffer_clear(&out);
	fd_close(&fd);
}

/* Descriptors are taken from root alone: the close of another user's last
 * descriptor can take as long as that user likes (a TCP socket that lingers).
 * Kernels before 6.16 install and close them all the same: there, a member of
 * the group can delay the supervisor. */
void control_allow_descriptors(int fd, bool allow)
{
	/* a socket inherits the options of the listening
	 * one, which may be systemd's */
	sockets_ask_for_nothing(fd);
	sockets_allow_descriptors(fd, allow);
}

int control_adopt(struct control *control, int fd, uid_t uid, pid_t pid)
{
	const struct control_user *user = user_of(control, uid);
	const char *why = user ? free_place(control, user) : NULL;
	int error = -ENOMEM;

	if (why) {
		control_note(control, CONTROL_NOTE_REFUSED, uid, pid, why);
		return -EBUSY;
	}
	control_allow_descriptors(fd, uid == 0);
	client_new(control, fd, uid, pid, &error);
	return error;
}

/* ---- the listener */

/* Makes a client of a connection. NULL: it is one; else why not. */
static const char *admit_peer(struct control *control, int fd,
			      const struct ucred *peer,
			      const struct control_user *user)
{
	const char *why = free_place(control, user);
	int error;

	if (why)
		return why;
	control_allow_descriptors(fd, peer->uid == 0);
	return client_new(control, fd, peer->uid, peer->pid, &error)
		       ? NULL
		       : "no memory is left for it";
}

static void admit(struct control *control, int fd, bool last_descriptor)
{
	struct ucred peer = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	socklen_t length = sizeof(peer);
	struct control_user *user;
	struct user_meter meter;
	const char *why;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		refuse_connection(control, fd, &peer,
				  "its identity is unknown");
		return;
	}
	user = user_of(control, peer.uid);
	if (!user) {
		refuse_connection(control, fd, &peer,
				  "no memory is left for it");
		return;
	}
	user_charge(control, user, ACCEPT_NS);
	user_meter_start(&meter, control, user);
	if (last_descriptor)
		why = "the supervisor has no file descriptor left (raise "
		      "LimitNOFILE or ulimit -n)";
	else
		why = admit_peer(control, fd, &peer, user);
	if (why)
		refuse_connection(control, fd, &peer, why);
	user_meter_stop(&meter);
}

static int accept_one(const struct control *control)
{
	int fd = accept4(control->listen_fd, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* Opens some descriptor, which holds a place in the table. */
static void reserve_descriptor(struct control *control)
{
	if (control->reserve_fd < 0)
		control->reserve_fd =
			fcntl(control->listen_fd, F_DUPFD_CLOEXEC, 0);
}

/* For an accept() that found no free descriptor: gives up the reserve, to tell
 * the newcomer. 0 or -errno. */
static int accept_with_reserve(struct control *control)
{
	int fd;

	if (control->reserve_fd < 0)
		return -EMFILE;
	fd_close(&control->reserve_fd);
	fd = accept_one(control);
	if (fd >= 0)
		admit(control, fd, true);
	reserve_descriptor(control);
	return fd < 0 ? fd : 0;
}

/* Pauses accept(): new connections stay in the queue. */
static void pause_accepting(struct control *control, unsigned int ms)
{
	loop_modify(control->loop, &control->listener, 0);
	loop_timer_in(control->loop, &control->accept_timer, ms);
}

static void accept_again(struct timer *timer)
{
	struct control *control = timer->ctx;

	reserve_descriptor(control);
	loop_modify(control->loop, &control->listener, EPOLLIN);
}

/* Accepts the connections that are there, at most those
 * of one turn. 0 or -errno. */
static int accept_some(struct control *control)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept_one(control);

		if (fd >= 0) {
			admit(control, fd, false);
			continue;
		}
		if (fd == -EMFILE)
			fd = accept_with_reserve(control);
		if (fd == -EAGAIN)
			return 0;
		if (fd < 0 && fd != -EINTR && fd != -ECONNABORTED)
			return fd;
	}
	return 0;
}

static void listener_ready(struct source *source, uint32_t events)
{
	struct control *control = source->ctx;
	int error;

	(void)events;
	/* another one: the reserve is lost if the limit was
	 * lowered while it was in use */
	reserve_descriptor(control);
	control->flooded = false;
	error = accept_some(control);
	if (error && may_log(&control->pauses))
		log_warn("control socket: cannot accept a connection: %s "
			 "(trying again)",
			 strerror(-error));
	if (error || control->flooded)
		pause_accepting(control,
				error ? ACCEPT_PAUSE_MS : FLOOD_PAUSE_MS);
}

int control_serve(struct control *control, int listen_fd)
{
	int flags = fcntl(listen_fd, F_GETFL), error;

	/* an inherited socket may lack either flag */
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(listen_fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	error = loop_add(control->loop, &control->listener, listen_fd, EPOLLIN,
			 listener_ready, control);
	if (error)
		return error;
	/* accepted sockets inherit the option: each
	 * has it from the beginning */
	control_allow_descriptors(listen_fd, false);
	control->listen_fd = listen_fd;
	reserve_descriptor(control);
	return 0;
}

struct control *control_new(struct loop *loop, int listen_fd,
			    const struct control_config *config)
{
	struct control *control = calloc(1, sizeof(*control));
	int error;

	if (!control)
		return NULL;
	*control = (struct control){
		.loop = loop,
		.config = config,
		.work_timer = { .fire = do_work, .ctx = control },
		.accept_timer = { .fire = accept_again, .ctx = control },
		.listener.fd = -1,
		.listen_fd = -1,
		.reserve_fd = -1,
	};
	TAILQ_INIT(&control->clients);
	TAILQ_INIT(&control->work);
	user_init(control);
	/* While /dev/urandom can still be opened: with a random seed, no client
	 * can make the keys of a message collide. */
	json_object_seed(0);
	error = listen_fd < 0 ? 0 : control_serve(control, listen_fd);
	if (error) {
		free(control);
		errno = -error;
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	struct control_client *client;

	if (!control)
		return;
	loop_remove(control->loop, &control->listener);
	while ((client = TAILQ_FIRST(&control->clients))) {
		/* the loop doesn't tell any more whether the socket has room */
		client->blocked = false;
		client_flush(client);
		client_free(client);
	}
	loop_timer_cancel(control->loop, &control->work_timer);
	loop_timer_cancel(control->loop, &control->accept_timer);
	user_uninit(control);
	fd_close(&control->listen_fd);
	fd_close(&control->reserve_fd);
	free(control);
}

/* ---- the socket */

static int remove_stale(const char *path, struct problem *problem)
{
	struct stat info;

	if (lstat(path, &info) < 0)
		return 0; /* bind() reports what is wrong, if anything is */
	if (!S_ISSOCK(info.st_mode))
		return problem_set(problem, -EEXIST,
				   "cannot create the control socket %s: "
				   "something that is no socket is there "
				   "(move it away, or choose another run "
				   "directory)",
				   path);
	if (unlink(path) < 0)
		return problem_set(problem, -errno,
				   "cannot remove the stale control socket %s: "
				   "%s (remove it)",
				   path, strerror(errno));
	return 0;
}

/* Nobody can connect before listen(): so the mode may be set after bind(). */
static int make_socket(int fd, const struct sockaddr_un *address, gid_t group)
{
	bool has_group = group != (gid_t)-1;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	if ((has_group && lchown(address->sun_path, (uid_t)-1, group) < 0) ||
	    chmod(address->sun_path, has_group ? 0660 : 0600) < 0 ||
	    listen(fd, SOMAXCONN) < 0) {
		int error = -errno;

		unlink(address->sun_path);
		return error;
	}
	return 0;
}

int control_listen(const char *path, gid_t group, struct problem *problem)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -1;
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return problem_set(problem, -ENAMETOOLONG,
				   "cannot create the control socket %s: the "
				   "path is longer than %zu characters (choose "
				   "a shorter run directory)",
				   path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	error = remove_stale(path, problem);
	if (error)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = fd < 0 ? -errno : make_socket(fd, &address, group);
	if (error)
		return problem_set(problem, error,
				   "cannot create the control socket %s: %s "
				   "(run as root, or choose a run directory "
				   "that you may write to)",
				   path, strerror(-error));
	return steal_fd(&fd);
}
