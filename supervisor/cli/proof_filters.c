/* SPDX-License-Identifier: ISC */
/*
 * The proof of a cage: the system call filters themselves.
 *
 * Theory of operation: how many filters a thread has says nothing of what they
 * allow. So the kernel is asked for their code, and each must be one that the
 * supervisor names: those that it had itself when it made the process, that of
 * the set-up, the running one, and what some threads stack on that. One that
 * allows everything, in the place of the running one, has another digest.
 * Where the kernel shows filters to nobody, a row says so.
 */
#include "supervisor/cli/proof_filters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"
#include "sandbox/filter_digest.h"
#include "supervisor/cli/field.h"
#include "supervisor/cli/proc.h"
#include "supervisor/cli/tracer.h"
#include "supervisor/lib/dir.h"

#define TEXT_SIZE 256
#define CHECK     "filters"
#define VCPU      "vCPU"

struct filters {
	struct proof *proof;
	const json_t *cage, *digests;
	struct tracer *tracer;
	int task_fd;
	pid_t pid; /* of the process */
	/* how many; how many of them come before the known ones */
	size_t inherited, older;
	char wanted[TEXT_SIZE]; /* what each thread should have */
	size_t count; /* how many digests */
	bool one_more; /* a thread may have one more */
	unsigned int threads, vcpus;
	unsigned int kernels; /* threads of the kernel's own */
	char kernel_names[TEXT_SIZE];
};

/* Adds an item to a list that is printed. */
static void list(char text[TEXT_SIZE], const char *item)
{
	size_t length = strlen(text);

	snprintf(text + length, TEXT_SIZE - length, "%s%s", length ? ", " : "",
		 item);
}

/* ---- what the filters should be */

static void list_wanted(struct filters *filters)
{
	char older[32];

	if (filters->older) {
		snprintf(older, sizeof(older), "%zu older", filters->older);
		list(filters->wanted, older);
	}
	for (size_t i = filters->older; i < filters->inherited; i++)
		list(filters->wanted, "supervisor");
	if (!field_absent(filters->digests, "setup"))
		list(filters->wanted, "set-up");
	list(filters->wanted, "running");
	filters->one_more = !field_absent(filters->digests, "seal");
}

/* Counts the filters that each thread should have. Of the inherited ones, the
 * last are known: those that supervisors loaded. Older ones were in force
 * before, in a container for instance. No VM process can add a filter there. */
static void count_wanted(struct filters *filters)
{
	const json_t *known = json_object_get(filters->digests, "inherited");
	long long own_filters = field_absent(filters->digests, "setup") ? 1 : 2;
	long long all = field_int(filters->cage, "filters");

	filters->count = all > own_filters ? (size_t)all : 0;
	filters->inherited = filters->count ? (size_t)(all - own_filters) : 0;
	filters->older = filters->inherited > json_array_size(known)
				 ? filters->inherited - json_array_size(known)
				 : 0;
	list_wanted(filters);
}

/* ---- what they are */

static bool digest_fits(const struct filters *filters, size_t i,
			const char *digest)
{
	const struct tracer *tracer = filters->tracer;

	return digest && *digest &&
	       filter_digest_fits(tracer->code + tracer->at[i],
				  tracer->at[i + 1] - tracer->at[i],
				  (uint32_t)filters->pid, digest);
}

/* The names of the filters that a VM process loads itself. */
static const struct {
	const char *key, *name;
	bool threads_own; /* only some threads have it, after the others */
} own[] = {
	{ "setup", "set-up", false },
	{ "running", "running", false },
	{ "vcpu", VCPU, true },
	{ "seal", "seal", true },
};

static bool is_inherited(const struct filters *filters, size_t i)
{
	const json_t *known = json_object_get(filters->digests, "inherited");

	return digest_fits(
		filters, i,
		json_string_value(json_array_get(known, i - filters->older)));
}

/* The name of the i-th filter of a thread. NULL: it doesn't belong there. */
static const char *name_of(const struct filters *filters, size_t i)
{
	if (i < filters->older)
		return "older";
	if (i < filters->inherited)
		return is_inherited(filters, i) ? "supervisor" : NULL;
	for (size_t k = 0; k < ARRAY_SIZE(own); k++)
		if (own[k].threads_own == (i >= filters->count) &&
		    digest_fits(filters, i,
				field_text(filters->digests, own[k].key)))
			return own[k].name;
	return NULL;
}

/* Lists the filters of a thread. The name of the last one; NULL: they aren't
 * the ones that are wanted. */
static const char *list_found(const struct filters *filters,
			      char found[TEXT_SIZE])
{
	size_t count = filters->tracer->count;
	size_t older = filters->older < count ? filters->older : count;
	const char *name = NULL;
	bool known = count > 0;
	char item[32];

	found[0] = '\0';
	if (older) {
		snprintf(item, sizeof(item), "%zu older", older);
		list(found, item);
	}
	for (size_t i = older; i < count; i++) {
		name = name_of(filters, i);
		known = known && name;
		list(found, name ? name : "UNKNOWN");
	}
	/* the order counts: the text begins with what is wanted */
	return known && count == filters->count + filters->one_more &&
			       strncmp(found, filters->wanted,
				       strlen(filters->wanted)) == 0
		       ? name
		       : NULL;
}

static const char *explain_filters(const struct tracer *tracer, int error)
{
	if (error == -ETIMEDOUT)
		return "it doesn't stop to be looked at";
	if (tracer->step == TRACER_SEIZE)
		return "it can't be traced: another does (see TracerPid)";
	if (error == -EMEDIUMTYPE)
		return "one of them is no classic BPF";
	return strerror(-error);
}

static void look_at_thread(struct filters *filters, pid_t tid)
{
	struct tracer *tracer = filters->tracer;
	int error = tracer_read(tracer, filters->task_fd, tid);
	char found[TEXT_SIZE], wanted[TEXT_SIZE + 16];
	const char *last = NULL;

	if (error == -ESRCH)
		return; /* the thread has ended */
	filters->threads++;
	if (tracer->held_ns > filters->proof->held_ns)
		filters->proof->held_ns = tracer->held_ns;
	if (error)
		snprintf(found, sizeof(found), "%s",
			 explain_filters(tracer, error));
	else
		last = list_found(filters, found);
	filters->vcpus += last && strcmp(last, VCPU) == 0;
	snprintf(wanted, sizeof(wanted), "%s%s", filters->wanted,
		 filters->one_more ? ", " VCPU " or seal" : "");
	/* the first thread is shown; of the others, the failures */
	if (filters->threads == 1 || !last)
		proof_add(filters->proof, CHECK, wanted, found, last);
}

/* ---- threads */

/* Threads that the kernel makes in a process for its own work (vhost, KVM):
 * they run no code of the process. Before Linux 6.4 such threads were not the
 * process's, and the flag had another meaning. */
#define PF_USER_WORKER 0x4000U

static bool is_kernels(int task_fd, const char *tid, char *name, size_t size)
{
	char path[32], stat[1024];
	unsigned int flags = 0;
	char *end, *start;

	snprintf(path, sizeof(path), "%.16s/stat", tid);
	if (!proc_kernel_is(6, 4) ||
	    proc_read(task_fd, path, stat, sizeof(stat)) < 0)
		return false;
	start = strchr(stat, '(');
	end = strrchr(stat, ')');
	/* state, ppid, pgrp, session, tty, tpgid, flags */
	if (!start || !end ||
	    sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	*end = '\0';
	snprintf(name, size, "%s", start + 1);
	return flags & PF_USER_WORKER;
}

static int each_thread(void *ctx, const char *tid)
{
	struct filters *filters = ctx;
	char name[32];

	if (is_kernels(filters->task_fd, tid, name, sizeof(name))) {
		filters->kernels++;
		list(filters->kernel_names, name);
	} else {
		look_at_thread(filters, (pid_t)atoi(tid));
	}
	return 0;
}

static void check_threads(struct filters *filters, int dir_fd)
{
	char wanted[32], found[32];
	long long cpus = field_int(filters->cage, "cpus");

	if (dir_each(dir_fd, "task", each_thread, filters) < 0 ||
	    filters->threads == 0)
		proof_add(filters->proof, CHECK, filters->wanted,
			  "no thread to look at", false);
	if (cpus > 0) {
		snprintf(wanted, sizeof(wanted), "on %lld threads", cpus);
		snprintf(found, sizeof(found), "on %u threads", filters->vcpus);
		proof_compare(filters->proof, "filter " VCPU, wanted, found);
	}
	if (filters->kernels)
		proof_add(filters->proof, "kernel's threads", "not looked at",
			  filters->kernel_names, true);
}

void proof_filters(struct proof *proof, const json_t *cage, int dir_fd)
{
	struct filters filters = {
		.proof = proof,
		.cage = cage,
		.digests = json_object_get(cage, "digests"),
		.pid = (pid_t)field_int(cage, "pid"),
		.tracer = tracer_new(),
	};
	cleanup_fd int task_fd =
		openat(dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *obstacle;

	filters.task_fd = task_fd;
	if (!json_is_object(filters.digests)) {
		proof_unknown(proof, CHECK, "those of its version",
			      "an earlier version made it, and didn't note "
			      "them (vmsup restart it)");
	} else if (!filters.tracer) {
		proof_unknown(proof, CHECK, "known ones", "no memory to look");
	} else {
		count_wanted(&filters);
		obstacle = tracer_obstacle(filters.tracer);
		if (obstacle)
			proof_unknown(proof, CHECK, filters.wanted, obstacle);
		else
			check_threads(&filters, dir_fd);
	}
	tracer_free(filters.tracer);
}
