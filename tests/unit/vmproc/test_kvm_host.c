/* SPDX-License-Identifier: ISC */
/* What is said of a host whose KVM can't have the machine that was asked for.
 * KVM's answers are ours here: no host is so poor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmproc/kvm/kvm.h"

#define KVM_FD  1000 /* nobody's */
#define NOTHING (~0UL)

/* ---- the host's KVM */

static struct {
	int error; /* of each call, if not 0 */
	int version;
	unsigned long lacks; /* KVM_CAP_*, or NOTHING */
	int vcpus; /* as many as it allows; 0: it doesn't say */
	unsigned int address_bits; /* of its processor; 0: it doesn't say */
	int refusal; /* of the first thing that isn't a question */
	uint64_t memory_bytes; /* of the VM */
} host;

static int tell_features(struct kvm_cpuid2 *features)
{
	features->nent = host.address_bits ? 1 : 0;
	features->entries[0] = (struct kvm_cpuid_entry2){
		.function = 0x80000008,
		.eax = 0x3000 | host.address_bits,
	};
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, unsigned long);
	va_end(args);
	errno = fd == KVM_FD ? host.error : EBADF;
	if (errno)
		return -1;
	if (request == KVM_GET_API_VERSION)
		return host.version;
	if (request == KVM_CHECK_EXTENSION && argument == KVM_CAP_MAX_VCPUS)
		return host.vcpus;
	if (request == KVM_CHECK_EXTENSION)
		return argument != host.lacks;
	if (request == KVM_GET_SUPPORTED_CPUID && host.memory_bytes)
		return tell_features((void *)argument);
	errno = host.refusal;
	return -1;
}

/* ---- a process that is set up on it */

static void say(void *ctx, enum log_level level, const char *line)
{
	const int *fd = ctx;

	(void)level;
	(void)!write(*fd, line, strlen(line));
}

/* Which exit status it ends with, and its words. */
static int set_up(uint32_t vcpus, char *words, size_t bytes)
{
	static const struct guest *const guest = &kvm_guest;
	static struct vmproc vm;
	const struct msg_machine machine = {
		.memory_bytes = host.memory_bytes ? host.memory_bytes
						  : 64 << 20,
		.vcpus = vcpus,
	};
	int ends[2], status;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		memset(vm.fds, -1, sizeof(vm.fds));
		memset(vm.more_fds, -1, sizeof(vm.more_fds));
		vm.fds[FD_ROLE_KVM] = KVM_FD;
		log_set(say, &ends[1], LOG_LEVEL_INFO);
		guest->machine(&vm, &machine);
		_exit(guest->setup(&vm));
	}
	close(ends[1]);
	got = read(ends[0], words, bytes - 1);
	assert_true(got >= 0);
	words[got] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_refused(uint32_t vcpus, const char *wanted)
{
	char words[LOG_LINE_BYTES];

	assert_int_equal(set_up(vcpus, words, sizeof(words)),
			 VMPROC_EXIT_CONFIG);
	assert_string_equal(words, wanted);
}

static int make_host(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	host.version = KVM_API_VERSION;
	host.lacks = NOTHING;
	host.refusal = ENOMEM;
	return 0;
}

/* ---- */

static void more_vcpus_than_it_allows(void **state)
{
	char words[LOG_LINE_BYTES];

	(void)state;
	host.vcpus = 2;
	assert_refused(3, "3 vCPUs: this host's KVM allows 2 (change cpus)");
	/* no more than that is asked for: it is the next step that fails */
	assert_int_equal(set_up(2, words, sizeof(words)), VMPROC_EXIT_OS);
	host.vcpus = 0;
	assert_int_equal(set_up(3, words, sizeof(words)), VMPROC_EXIT_OS);
}

static void a_kvm_that_lacks_something(void **state)
{
	(void)state;
	host.lacks = KVM_CAP_IRQFD;
	assert_refused(1, "this host's KVM has no irqfd");
	host.lacks = KVM_CAP_IRQCHIP;
	assert_refused(1, "this host's KVM has no interrupt controllers");
}

static void another_kvm(void **state)
{
	(void)state;
	host.version = KVM_API_VERSION + 1;
	assert_refused(1, "KVM's interface 13 isn't 12");
}

static void something_else(void **state)
{
	(void)state;
	host.error = ENOTTY;
	assert_refused(1, "/dev/kvm: ENOTTY (is it KVM's device?)");
}

/* What memory or time makes good is tried again; what the host would say each
 * time isn't. */
static void what_lasts_and_what_passes(void **state)
{
	static const int passing[] = { ENOMEM, EBUSY, EMFILE, ENFILE, EAGAIN };
	static const int lasting[] = { EINVAL, E2BIG, ENOTTY, EPERM, ENODEV };
	char words[LOG_LINE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		host.refusal = passing[i];
		assert_int_equal(set_up(1, words, sizeof(words)),
				 VMPROC_EXIT_OS);
	}
	for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++) {
		host.refusal = lasting[i];
		assert_int_equal(set_up(1, words, sizeof(words)),
				 VMPROC_EXIT_CONFIG);
	}
	assert_string_equal(words, "KVM: processor features: ENODEV");
}

/* 2^31 - 1 pages are one piece of memory for KVM; it says EINVAL to more. */
static void more_memory_than_it_takes(void **state)
{
	(void)state;
	host.memory_bytes = UINT64_C(9) << 40;
	assert_refused(1, "9437184 MiB of memory: KVM takes 8388608 at most "
			  "(give the VM less)");
}

static void more_memory_than_addresses(void **state)
{
	char words[LOG_LINE_BYTES];

	(void)state;
	host.address_bits = 36;
	host.memory_bytes = UINT64_C(64) << 30;
	assert_refused(1, "65536 MiB of memory: this host's processor has 36 "
			  "bits of addresses, 65536 MiB (give the VM less)");
	/* a GiB below 4 GiB isn't memory's */
	host.memory_bytes -= UINT64_C(1) << 30;
	set_up(1, words, sizeof(words));
	assert_null(strstr(words, "addresses"));
	host.address_bits = 0;
	host.memory_bytes = UINT64_C(64) << 30;
	assert_refused(1, "65536 MiB of memory: this host's processor has 36 "
			  "bits of addresses, 65536 MiB (give the VM less)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(more_vcpus_than_it_allows, make_host),
		cmocka_unit_test_setup(a_kvm_that_lacks_something, make_host),
		cmocka_unit_test_setup(another_kvm, make_host),
		cmocka_unit_test_setup(something_else, make_host),
		cmocka_unit_test_setup(what_lasts_and_what_passes, make_host),
		cmocka_unit_test_setup(more_memory_than_it_takes, make_host),
		cmocka_unit_test_setup(more_memory_than_addresses, make_host),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
