/* SPDX-License-Identifier: ISC */
/* A vCPU's thread: it begins before the cage closes, and waits for that. */
#include <linux/filter.h>

#include "tests/cage/probe/probe.h"
#include "vmproc/lock.h"
#include "vmproc/thread.h"

struct vcpu {
	const struct standin *s;
	const struct attack *attack;
	struct lock gate;
	bool begun, open;
};

static void pass_gate(struct vcpu *vcpu)
{
	lock_take(&vcpu->gate);
	vcpu->begun = true;
	lock_wake(&vcpu->gate);
	while (!vcpu->open)
		lock_wait(&vcpu->gate);
	lock_release(&vcpu->gate);
}

static void vcpu_main(void *argument)
{
	static struct sock_filter filter[STAGE2_MAX_FILTER];
	struct vcpu *vcpu = argument;
	const struct standin *s = vcpu->s;
	ssize_t bytes =
		pread(s->fds[FD_ROLE_FILTER_VCPU], filter, sizeof(filter), 0);
	int error = stage2_thread();

	pass_gate(vcpu);
	if (bytes <= 0 || error)
		standin_bug(s, "a vCPU's filter", errno);
	error = stage2_stack(
		filter, (unsigned short)((size_t)bytes / sizeof(filter[0])));
	if (error)
		standin_bug(s, "stack a vCPU's filter", error);
	calls_make(s, vcpu->attack);
	/* for good: it may do no more than a vCPU's */
	lock_take(&vcpu->gate);
	for (;;)
		lock_wait(&vcpu->gate);
}

static struct vcpu vcpu;

void vcpu_begin(const struct standin *s, const struct attack *attack)
{
	static struct thread thread;
	int error;

	vcpu.s = s;
	vcpu.attack = attack;
	error = thread_start(&thread, vcpu_main, &vcpu);
	if (error)
		standin_bug(s, "thread", error);
	lock_take(&vcpu.gate);
	while (!vcpu.begun)
		lock_wait(&vcpu.gate);
	lock_release(&vcpu.gate);
}

void vcpu_go(void)
{
	lock_take(&vcpu.gate);
	vcpu.open = true;
	lock_wake(&vcpu.gate);
	lock_release(&vcpu.gate);
}
