/* SPDX-License-Identifier: ISC */
/*
 * What the tokens of a pattern stand for, and the calls that result: the
 * product of all its tokens' values.
 */
#include "tests/cage/sweep/sweep.h"

#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "vmproc/place.h"

#define PATTERN_ARGS 6

/* Descriptors: the first ones are kept, never used. */
enum target {
	TARGET_CHANNEL,
	TARGET_ADOPT,
	TARGET_UIDS,
	TARGET_TAP,
	TARGETS_KEPT,
	TARGET_QUEUE = TARGETS_KEPT, /* the second one's TAP */
	TARGET_EPOLL,
	TARGET_FILTER, /* of stage 2: before it */
	TARGET_LISTENER, /* of the same: after it */
	TARGET_KVM,
	TARGET_VM,
	TARGET_VCPU,
	TARGET_KERNEL,
	TARGET_INITRD,
	TARGET_DISK,
	TARGET_VHOST,
	TARGET_CONSOLE,
	TARGET_CONSOLE_ADOPT,
	TARGET_EVENT,
	TARGET_NONE,
	TARGETS
};

static long targets[TARGETS];
static long pids[4];
static char zeros[16384], ones[16384];
static const char *const paths[] = {
	"/", ".", "", "/run/vmsup.uids", "/dev/net/tun", "/proc/1/root",
};
static const long signals[] = { 0, SIGKILL, SIGSTOP, SIGCONT };
static const long namespaces[] = {
	CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
	CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_FILES,
};

static const size_t counts[TOKENS] = {
	[TOKEN_FD] = TARGETS,
	[TOKEN_FD_KEPT] = TARGETS_KEPT,
	[TOKEN_PID] = ARRAY_SIZE(pids),
	[TOKEN_PATH] = ARRAY_SIZE(paths),
	[TOKEN_SIGNAL] = ARRAY_SIZE(signals),
	[TOKEN_VALUE] = 6,
	[TOKEN_REQUEST] = 1,
	[TOKEN_FAMILY] = 46,
	[TOKEN_NAMESPACE] = ARRAY_SIZE(namespaces),
	[TOKEN_LIMIT] = 16,
};

/* What a machine has besides what it is given, in the places that the list of
 * system calls has for them: elsewhere they could be used for nothing. */
static void make_machine(void)
{
	int vm = ioctl((int)targets[TARGET_KVM], KVM_CREATE_VM, 0L);

	targets[TARGET_EVENT] = place_eventfd();
	if (vm < 0)
		return;
	vm = place_fd(vm, PROTO_VM_FD, PROTO_VM_FDS);
	targets[TARGET_VM] = vm;
	targets[TARGET_VCPU] = place_fd(ioctl(vm, KVM_CREATE_VCPU, 0L),
					PROTO_VCPU_FD, PROTO_VCPU_FDS);
}

void values_prepare(const struct standin *s, bool late)
{
	memset(targets, -1, sizeof(targets));
	memset(ones, 1, sizeof(ones));
	targets[TARGET_CHANNEL] = s->channel.fd;
	targets[TARGET_ADOPT] = s->fds[FD_ROLE_ADOPT];
	targets[TARGET_UIDS] = s->fds[FD_ROLE_UIDS];
	targets[TARGET_TAP] = s->fds[FD_ROLE_TAP];
	targets[TARGET_QUEUE] = s->more_fds[FD_ROLE_TAP][1];
	targets[TARGET_EPOLL] = s->epoll_fd;
	targets[TARGET_FILTER] = late ? -1 : s->fds[FD_ROLE_FILTER];
	targets[TARGET_KVM] = late ? -1 : s->fds[FD_ROLE_KVM];
	targets[TARGET_KERNEL] = s->fds[FD_ROLE_KERNEL];
	targets[TARGET_INITRD] = s->fds[FD_ROLE_INITRD];
	targets[TARGET_DISK] = s->fds[FD_ROLE_DISK];
	targets[TARGET_VHOST] = s->fds[FD_ROLE_VHOST_NET];
	targets[TARGET_CONSOLE] = s->fds[FD_ROLE_CONSOLE];
	targets[TARGET_CONSOLE_ADOPT] = s->fds[FD_ROLE_CONSOLE_ADOPT];
	if (s->config.guest == GUEST_KVM)
		make_machine();
	pids[0] = getpid();
	pids[1] = getppid();
	pids[2] = 1;
	pids[3] = -1;
}

void values_listener(int fd)
{
	targets[TARGET_LISTENER] = fd;
}

static bool is_token(long arg)
{
	return arg >= LONG_MIN && arg < LONG_MIN + TOKENS;
}

static size_t pattern_cases(const struct pattern *pattern)
{
	size_t cases = 1;

	for (size_t i = 0; i < PATTERN_ARGS; i++)
		if (is_token(pattern->args[i]))
			cases *= counts[pattern->args[i] - LONG_MIN];
	return cases;
}

size_t values_cases(const struct line *line)
{
	size_t cases = 0;

	for (size_t i = 0; i < line->count; i++)
		cases += pattern_cases(&line->patterns[i]);
	return cases;
}

/* An argument of a request: its own last, for that does the most. */
static long value(const struct line *line, size_t i)
{
	const long values[] = {
		0,          1,
		-1,         (long)zeros,
		(long)ones, (long)(line->argument ? line->argument : zeros),
	};

	return values[i];
}

static long resolve(const struct line *line, enum token token, size_t i)
{
	switch (token) {
	case TOKEN_FD:
	case TOKEN_FD_KEPT:
		return targets[i];
	case TOKEN_PID:
		return pids[i];
	case TOKEN_PATH:
		return (long)paths[i];
	case TOKEN_SIGNAL:
		return signals[i];
	case TOKEN_NAMESPACE:
		return namespaces[i];
	case TOKEN_REQUEST:
		return (long)line->request;
	case TOKEN_VALUE:
		return value(line, i);
	default:
		return (long)i;
	}
}

void values_try(const struct line *line, size_t i)
{
	const struct pattern *pattern = line->patterns;
	long args[PATTERN_ARGS];

	while (i >= pattern_cases(pattern)) {
		i -= pattern_cases(pattern);
		pattern++;
	}
	for (size_t j = 0; j < PATTERN_ARGS; j++) {
		long arg = pattern->args[j];
		size_t token = (size_t)(arg - LONG_MIN);

		args[j] = arg;
		if (!is_token(arg))
			continue;
		args[j] = resolve(line, (enum token)token, i % counts[token]);
		i /= counts[token];
	}
	syscall(pattern->number == ANY_NUMBER ? line->number : pattern->number,
		args[0], args[1], args[2], args[3], args[4], args[5]);
}
