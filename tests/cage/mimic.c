/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place, and only looks as if its cage were closed:
 * as many filters as there should be, a listener, READY.
 *
 * The VM's name says which filter it loads in the running one's place:
 *
 *	honest   the running one
 *	allow    one that allows everything
 *	loose    the running one, but for one call more, and of the same length
 *	padded   the running one, behind a jump to a return that allows
 *	deaf     the running one, and over it one that answers in its place, so
 *	         that no refused call is ever reported
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/cage/standin.h"

struct program {
	struct sock_filter code[STAGE2_MAX_FILTER + 2];
	size_t length;
};

static void read_running(const struct standin *s, struct program *program)
{
	ssize_t bytes = pread(s->fds[FD_ROLE_FILTER], program->code,
			      sizeof(program->code), 0);

	if (bytes <= 0)
		standin_bug(s, "read the filter", errno);
	program->length = (size_t)bytes / sizeof(program->code[0]);
}

static long load(const struct program *program, unsigned int flags)
{
	struct sock_filter code[STAGE2_MAX_FILTER + 2];
	const struct sock_fprog loaded = {
		.len = (unsigned short)program->length,
		.filter = code,
	};

	memcpy(code, program->code, sizeof(code));
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &loaded);
}

static void load_with_listener(struct standin *s, const struct program *program)
{
	s->listener_fd =
		(int)load(program, SECCOMP_FILTER_FLAG_NEW_LISTENER |
					   SECCOMP_FILTER_FLAG_TSYNC |
					   SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	if (s->listener_fd < 0)
		standin_bug(s, "load the filter", errno);
}

/* ---- what it loads */

static void honest(struct standin *s, struct program *program)
{
	load_with_listener(s, program);
}

static void allow(struct standin *s, struct program *program)
{
	*program = (struct program){
		.code = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) },
		.length = 2,
	};
	load_with_listener(s, program);
}

/* What would notify allows. */
static void loose(struct standin *s, struct program *program)
{
	for (size_t i = 0; i < program->length; i++)
		if (program->code[i].code == (BPF_RET | BPF_K) &&
		    program->code[i].k == SECCOMP_RET_USER_NOTIF)
			program->code[i].k = SECCOMP_RET_ALLOW;
	load_with_listener(s, program);
}

static void padded(struct standin *s, struct program *program)
{
	memmove(program->code + 1, program->code,
		program->length * sizeof(program->code[0]));
	program->length++;
	program->code[program->length++] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program->code[0] = (struct sock_filter)BPF_STMT(
		BPF_JMP | BPF_JA, (uint32_t)program->length - 2);
	load_with_listener(s, program);
}

static void deaf(struct standin *s, struct program *program)
{
	struct program over = {
		.code = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
			  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
			  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) },
		.length = 4,
	};

	if (load(&over, SECCOMP_FILTER_FLAG_TSYNC) < 0 && load(&over, 0) < 0)
		standin_bug(s, "load another filter", errno);
	load_with_listener(s, program);
}

static const struct {
	const char *name;
	void (*close)(struct standin *s, struct program *program);
} mimics[] = {
	{ "honest", honest }, { "allow", allow }, { "loose", loose },
	{ "padded", padded }, { "deaf", deaf },
};

int main(void)
{
	struct standin s;
	struct program program;

	standin_init(&s);
	standin_introduce(&s);
	standin_equip(&s);
	read_running(&s, &program);
	fd_close(&s.fds[FD_ROLE_FILTER]);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(mimics); i++)
		if (strcmp(s.config.name, mimics[i].name) == 0)
			mimics[i].close(&s, &program);
	standin_ready(&s);
	standin_serve(&s);
}
