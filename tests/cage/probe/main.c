/* SPDX-License-Identifier: ISC */
/*
 * Stands in the VM process's place and tries what each stage of its cage must
 * refuse.
 *
 * The VM's name says what is tried. A name of stages.c is a set of probes
 * before stage 2, each reported as a line "NAME ERRNO" in the VM's log. A name
 * of calls.c is one system call after READY, reported as a line too should it
 * ever return. Any other name behaves well. In front of a name, "kvm-" means
 * nothing: it is for VMs of that guest; "vcpu-" makes the call in a thread that
 * has the vCPUs' filter.
 *
 *	probe --calls         the names of calls.c, with the call's own name
 *	probe --names         the names of stages.c
 *	probe --bind NAME     binds the abstract socket NAME until it is killed
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/cage/probe/probe.h"

static int bind_abstract(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, name, strlen(name));
	if (bind(fd, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     strlen(name))) < 0)
		return 1;
	puts("bound");
	fflush(stdout);
	for (;;)
		pause();
}

/* What a test asks it for, outside of any cage. */
static int outside(int argc, char **argv)
{
	if (strcmp(argv[1], "--calls") == 0) {
		calls_print();
		return 0;
	}
	if (strcmp(argv[1], "--names") == 0) {
		stages_print();
		return 0;
	}
	if (strcmp(argv[1], "--bind") == 0 && argc > 2 && strlen(argv[2]) < 100)
		return bind_abstract(argv[2]);
	return 2;
}

int main(int argc, char **argv)
{
	const struct attack *attack;
	struct standin s;
	const char *name;
	bool in_vcpu;

	if (argc > 1 && strncmp(argv[1], "--", 2) == 0)
		return outside(argc, argv);
	descriptors_count();
	standin_init(&s);
	standin_introduce(&s);
	standin_equip(&s);
	name = s.config.name;
	in_vcpu = strncmp(name, "vcpu-", 5) == 0;
	name += in_vcpu ? 5 : strncmp(name, "kvm-", 4) == 0 ? 4 : 0;
	stages_probe(&s, name);
	attack = calls_find(name);
	if (attack)
		calls_attack(&s, attack, in_vcpu);
	standin_behave(&s);
}
