/* SPDX-License-Identifier: ISC */
/*
 * The state store: documents in the run directory, for the supervisor that
 * comes after a crash.
 *
 * Theory of operation: a document is written to a new file and renamed into
 * place, so that there is a whole one at any moment. A VM's document is written
 * before its process is told anything that lets it outlive the supervisor, and
 * whenever an intent or a death changes. Documents aren't synced: they survive
 * the process, not the host, and one from before the host's last boot is
 * ignored.
 *
 * A document that can't be written, as on a full file system, is reported once,
 * shown by status, and written again until that succeeds. Meanwhile the command
 * that caused the change fails, and a VM whose document can't be written isn't
 * made.
 *
 * Only root can write here (host/rundir.c checks that). Still the documents
 * only say what to look for: takeover/adopt.c verifies every process and
 * descriptor by the kernel.
 */
#include "supervisor/state/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/fd.h"
#include "ipc/log.h"
#include "supervisor/lib/dir.h"
#include "supervisor/state/state.h"
#include "supervisor/state/state_config.h"
#include "supervisor/state/state_sandbox.h"
#include "supervisor/state/state_machine.h"
#include "supervisor/state/state_vm.h"
#include "supervisor/vm/host.h"

#define INSTANCE   "instance.json"
#define UNFINISHED "unfinished"
/* The time between one try and the next. */
#define AGAIN_MS 1000
/* The largest document that is read. A VM's with a hundred deaths is far
 * smaller. */
#define DOCUMENT_BYTES (1024 * 1024)

/* ---- files */

/* "vm-NAME.json" */
static void file_of(char file[VM_NAME_MAX + 16], const char *name)
{
	snprintf(file, VM_NAME_MAX + 16, "vm-%s.json", name);
}

static int write_whole(int dir_fd, const char *text, size_t bytes)
{
	cleanup_fd int fd = openat(
		dir_fd, UNFINISHED,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, bytes);
	if (written < 0)
		return -errno;
	return (size_t)written == bytes ? 0 : -ENOSPC;
}

/* Writes document, and releases it. NULL: there was no memory for it. */
static int write_document(int dir_fd, const char *file, json_t *document)
{
	cleanup_free char *text = document ? json_dumps(document, JSON_COMPACT)
					   : NULL;
	int error;

	json_decref(document);
	if (!text)
		return -ENOMEM;
	error = write_whole(dir_fd, text, strlen(text));
	if (!error && renameat(dir_fd, UNFINISHED, dir_fd, file) < 0)
		error = -errno;
	if (error)
		unlinkat(dir_fd, UNFINISHED, 0);
	return error;
}

const char *store_remedy(int error)
{
	return error == -EMFILE || error == -ENFILE
		       ? "raise LimitNOFILE or ulimit -n"
		       : "make room there";
}

static void try_again(struct timer *timer);

/* Reports that a document couldn't be written, and sets the next try. */
static void retry_later(struct host *host, int error)
{
	if (!host->store_error)
		log_warn("cannot keep the state of VMs in %s/" STORE_DIRECTORY
			 ": %s (%s; a supervisor that comes after a crash of "
			 "this one would find it outdated)",
			 host->rundir.path, strerror(-error),
			 store_remedy(error));
	host->store_error = error;
	host->store_again.fire = try_again;
	host->store_again.ctx = host;
	if (!host->store_again.armed)
		loop_timer_in(&host->loop, &host->store_again, AGAIN_MS);
}

/* The document in a file. NULL: there is no such file, or no JSON in it. */
static json_t *read_document(int dir_fd, const char *file)
{
	cleanup_fd int fd =
		openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *text = NULL;
	struct stat st;
	ssize_t bytes;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > DOCUMENT_BYTES)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	bytes = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (bytes < 0)
		return NULL;
	return json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, NULL);
}

/* Which boot of the host this is; "" if it can't be told. */
static void boot_id(char id[40])
{
	cleanup_fd int fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t bytes = fd < 0 ? -1 : read(fd, id, 39);

	id[bytes > 0 ? bytes : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
}

/* ---- written */

int store_instance(struct host *host)
{
	json_t *document;
	int error;

	if (host->store_fd < 0)
		return 0;
	document = json_pack("{s:i, s:s, s:b, s:I, s:o, s:o}", "version",
			     STATE_VERSION, "boot", host->boot_id, "ending",
			     host->ending, "network",
			     (json_int_t)host->network_inode, "room",
			     state_sandbox_namespaces(&host->room), "config",
			     state_config_save(host->config));
	error = write_document(host->store_fd, INSTANCE, document);
	host->unsaved = error != 0;
	if (error)
		retry_later(host, error);
	return error;
}

static int write_vm(const struct host *host, const struct vm *vm, size_t index)
{
	char file[VM_NAME_MAX + 16];

	file_of(file, vm->config.name);
	return write_document(host->store_fd, file,
			      json_pack("{s:i, s:I, s:o}", "version",
					STATE_VERSION, "index",
					(json_int_t)index, "vm",
					state_vm_save(vm, STATE_CRASH)));
}

int store_vm(struct vm *vm)
{
	struct host *host = vm->host;
	int error;

	if (host->store_fd < 0)
		return 0;
	/* while everything is taken down there is nothing to come back to, but
	 * for who has been told to stop: nobody is to be told twice */
	if (host->ending && vm->state != VM_STOPPING)
		return 0;
	error = write_vm(host, vm, vm->index);
	vm->stored = true;
	if (error && !host->store_error)
		events_add(&host->events, vm, "unsaved", strerror(-error));
	vm->unsaved = error != 0;
	if (error)
		retry_later(host, error);
	return error;
}

/* Writes the documents that couldn't be written before; stops at the first that
 * fails again. */
static void try_again(struct timer *timer)
{
	struct host *host = timer->ctx;
	int error = host->unsaved ? store_instance(host) : 0;

	for (size_t i = 0; i < host->vm_count && !error; i++)
		if (host->vms[i]->unsaved)
			error = store_vm(host->vms[i]);
	if (error)
		return;
	host->store_error = 0;
	log_info("the state of VMs can be saved again");
}

void store_resume(struct host *host)
{
	for (size_t i = 0; i < host->vm_count; i++)
		if (host->vms[i]->unsaved)
			(void)store_vm(host->vms[i]);
}

/* Writes the document of a VM that is configured, and not made yet. */
static int store_planned(const struct host *host, size_t index)
{
	const struct vm_config *config = &host->config->vms[index];
	struct vm vm = {
		.config = *config,
		.wanted = config->autostart,
		.tap.fd = -1,
		.process = VM_PROCESS_NONE,
	};

	return write_vm(host, &vm, index);
}

int store_defined(struct host *host, size_t index, struct problem *problem)
{
	int error = host->store_fd < 0 ? 0 : store_planned(host, index);

	if (!error)
		return 0;
	return problem_set(problem, error,
			   "cannot keep the state of %s in %s/" STORE_DIRECTORY
			   ": %s (%s)",
			   host->config->vms[index].name, host->rundir.path,
			   strerror(-error), store_remedy(error));
}

void store_drop(const struct host *host, const char *name)
{
	char file[VM_NAME_MAX + 16];

	file_of(file, name);
	if (host->store_fd >= 0)
		unlinkat(host->store_fd, file, 0);
}

int store_begin(struct host *host)
{
	const struct rundir *rundir = &host->rundir;
	int error = 0;

	boot_id(host->boot_id);
	if (mkdirat(rundir->dir_fd, STORE_DIRECTORY, 0700) < 0 &&
	    errno != EEXIST) {
		log_error("cannot make %s/" STORE_DIRECTORY ": %s",
			  rundir->path, strerror(errno));
		return -errno;
	}
	host->store_fd =
		openat(rundir->dir_fd, STORE_DIRECTORY,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (host->store_fd < 0) {
		log_error("cannot open %s/" STORE_DIRECTORY ": %s",
			  rundir->path, strerror(errno));
		return -errno;
	}
	error = store_instance(host);
	for (size_t i = host->vm_count; i < host->config->vm_count && !error;
	     i++)
		error = store_planned(host, i);
	if (error)
		log_error("cannot write to %s/" STORE_DIRECTORY ": %s",
			  rundir->path, strerror(-error));
	return error;
}

void store_forget(const struct rundir *rundir)
{
	int fd = openat(rundir->dir_fd, STORE_DIRECTORY,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	unlinkat(rundir->dir_fd, STORE_DIRECTORY, AT_REMOVEDIR);
}

/* ---- read */

struct found {
	json_t *vm;
	json_int_t index;
};

static int compare_found(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	return (a->index > b->index) - (a->index < b->index);
}

struct finding {
	int dir_fd;
	struct found *list; /* owned */
	size_t count;
};

/* Reads one file of the directory; passes over files that aren't a VM's. */
static int take_file(void *ctx, const char *file)
{
	struct finding *finding = ctx;
	json_t *document;
	struct found *grown;

	if (strncmp(file, "vm-", 3) != 0)
		return 0;
	document = read_document(finding->dir_fd, file);
	if (!json_is_object(json_object_get(document, "vm"))) {
		log_warn("%s in the run directory can't be read: a process of "
			 "that VM is ended",
			 file);
		json_decref(document);
		return 0;
	}
	grown = realloc(finding->list,
			(finding->count + 1) * sizeof(*finding->list));
	if (!grown) {
		json_decref(document);
		return -ENOMEM;
	}
	finding->list = grown;
	grown += finding->count++;
	grown->vm = json_incref(json_object_get(document, "vm"));
	grown->index = json_integer_value(json_object_get(document, "index"));
	json_decref(document);
	return 0;
}

static int read_vms(struct stored *stored, int dir_fd)
{
	struct finding finding = { .dir_fd = dir_fd };
	int error = dir_each(dir_fd, ".", take_file, &finding);
	struct found *list = finding.list;
	size_t count = finding.count;

	if (count)
		qsort(list, count, sizeof(*list), compare_found);
	stored->vms = calloc(count + 1, sizeof(json_t *));
	for (size_t i = 0; i < count; i++) {
		if (stored->vms)
			stored->vms[stored->count++] = list[i].vm;
		else
			json_decref(list[i].vm);
	}
	free(list);
	return stored->vms ? error : -ENOMEM;
}

/* 1: the document is of this boot, and of a version that this program reads; 0:
 * it is ignored; or -errno with problem set. */
static int check_instance(const json_t *instance, const struct rundir *rundir,
			  struct problem *problem)
{
	const char *boot = json_string_value(json_object_get(instance, "boot"));
	char now[40];

	boot_id(now);
	if (!boot || strcmp(boot, now) != 0)
		return 0;
	if (json_integer_value(json_object_get(instance, "version")) >
	    STATE_VERSION)
		return problem_set(problem, -EPROTO,
				   "the VMs of %s were left by a newer vmsup "
				   "(start that version)",
				   rundir->path);
	return 1;
}

int store_read(struct stored *stored, const struct rundir *rundir,
	       struct problem *problem)
{
	cleanup_fd int dir_fd =
		openat(rundir->dir_fd, STORE_DIRECTORY,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int result;

	*stored = (struct stored){ 0 };
	if (dir_fd < 0)
		return 0;
	stored->instance = read_document(dir_fd, INSTANCE);
	result = stored->instance
			 ? check_instance(stored->instance, rundir, problem)
			 : 0;
	if (result > 0) {
		result = read_vms(stored, dir_fd);
		if (!result)
			return 0;
		problem_set(problem, result,
			    "cannot read %s/" STORE_DIRECTORY ": %s",
			    rundir->path, strerror(-result));
	}
	store_uninit(stored);
	if (!result)
		store_forget(rundir);
	return result;
}

void store_uninit(struct stored *stored)
{
	json_decref(stored->instance);
	for (size_t i = 0; i < stored->count; i++)
		json_decref(stored->vms[i]);
	free(stored->vms);
	*stored = (struct stored){ 0 };
}

bool store_was_ending(const struct stored *stored)
{
	return json_is_true(json_object_get(stored->instance, "ending"));
}

/* ---- merged with what the user asks for */

static const struct vm_config *find_config(const struct config *config,
					   const char *name)
{
	for (size_t i = 0; i < config->vm_count; i++)
		if (strcmp(config->vms[i].name, name) == 0)
			return &config->vms[i];
	return NULL;
}

/* Says what to do about a document that isn't as it should be. */
static int explain_document(struct problem *problem, int error)
{
	struct problem what = *problem;

	return problem_set(problem, error,
			   "%.*s (remove its file in " STORE_DIRECTORY
			   "/ of the run directory: that VM's process is ended "
			   "then)",
			   (int)sizeof(what.text) - 120, what.text);
}

static int add_stored(struct config *config, const struct stored *stored,
		      struct problem *problem)
{
	for (size_t i = 0; i < stored->count; i++) {
		struct vm_config read = config->defaults, *vm;
		int error = state_vm_config_load(
			&read, json_object_get(stored->vms[i], "config"),
			problem);

		if (error)
			return explain_document(problem, error);
		vm = config_add_vm(config, read.name, problem);
		if (!vm)
			return -EINVAL;
		*vm = read;
		error = state_machine_load(
			&vm->machine,
			json_object_get(stored->vms[i], "machine"), STATE_CRASH,
			vm->name, problem);
		if (error)
			return error;
	}
	return 0;
}

static int add_asked(struct config *config, const struct config *asked,
		     struct problem *problem)
{
	for (size_t i = 0; i < asked->vm_count; i++) {
		struct vm_config *vm;

		if (find_config(config, asked->vms[i].name))
			continue;
		vm = config_add_vm(config, asked->vms[i].name, problem);
		if (!vm)
			return -EINVAL;
		*vm = asked->vms[i];
		asked->vms[i].machine = NULL; /* *vm owns it now */
	}
	return 0;
}

int store_merge(const struct stored *stored, struct config *config,
		struct problem *problem)
{
	struct config merged;
	int error;

	config_init(&merged);
	error = state_config_load(
		&merged, json_object_get(stored->instance, "config"), problem);
	if (!error)
		error = add_stored(&merged, stored, problem);
	if (!error)
		error = add_asked(&merged, config, problem);
	if (error) {
		config_uninit(&merged);
		return error;
	}
	merged.log_level = config->log_level;
	merged.guard = config->guard; /* may change: no VM depends on it */
	config_uninit(config);
	*config = merged;
	return 0;
}
