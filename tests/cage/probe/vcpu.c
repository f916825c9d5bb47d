/* SPDX-License-Identifier: ISC */
/* A vCPU's thread: it begins before the cage closes, and waits for that. */
#include <linux/filter.h>
#include <pthread.h>

#include "tests/cage/probe/probe.h"

struct vcpu {
	const struct standin *s;
	const struct attack *attack;
	pthread_mutex_t gate;
	pthread_cond_t moved;
	bool begun, open;
};

static void pass_gate(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->gate);
	vcpu->begun = true;
	pthread_cond_broadcast(&vcpu->moved);
	while (!vcpu->open)
		pthread_cond_wait(&vcpu->moved, &vcpu->gate);
	pthread_mutex_unlock(&vcpu->gate);
}

static void *vcpu_main(void *argument)
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
	pthread_mutex_lock(&vcpu->gate);
	for (;;)
		pthread_cond_wait(&vcpu->moved, &vcpu->gate);
}

static struct vcpu vcpu = {
	.gate = PTHREAD_MUTEX_INITIALIZER,
	.moved = PTHREAD_COND_INITIALIZER,
};

void vcpu_begin(const struct standin *s, const struct attack *attack)
{
	pthread_t thread;

	vcpu.s = s;
	vcpu.attack = attack;
	if (pthread_create(&thread, NULL, vcpu_main, &vcpu) != 0)
		standin_bug(s, "thread", errno);
	pthread_mutex_lock(&vcpu.gate);
	while (!vcpu.begun)
		pthread_cond_wait(&vcpu.moved, &vcpu.gate);
	pthread_mutex_unlock(&vcpu.gate);
}

void vcpu_go(void)
{
	pthread_mutex_lock(&vcpu.gate);
	vcpu.open = true;
	pthread_cond_broadcast(&vcpu.moved);
	pthread_mutex_unlock(&vcpu.gate);
}
