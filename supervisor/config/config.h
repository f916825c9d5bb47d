/* SPDX-License-Identifier: ISC */
/* What the user asked for: the configuration file, read and checked whole. */
#ifndef VMSUP_SUPERVISOR_CONFIG_H
#define VMSUP_SUPERVISOR_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/proto.h"
#include "supervisor/lib/problem.h"

/* Whether the first-hop guard is in force. */
enum guard_policy {
	GUARD_POLICY_ON, /* if the kernel has it */
	GUARD_POLICY_OFF,
	GUARD_POLICY_REQUIRED, /* or nothing starts */
	GUARD_POLICIES
};

/* What it lets pass if a VM is allowed to, as bits 1 << this. The numbers are in
 * documents: new ones stand at the end. */
enum allow {
	ALLOW_RA,
	ALLOW_REDIRECT,
	ALLOW_MLD_QUERY,
	ALLOW_DHCP_SERVER,
	ALLOWS
};

#define CONFIG_DEFAULT_FILE "/etc/vmsup/vmsup.conf"
/* A Linux bridge takes this many ports (BR_MAX_PORTS less the zeroth). */
#define CONFIG_MAX_VMS 1023

/* What a VM does while there is no supervisor. */
enum orphan_policy {
	ORPHAN_STAY, /* it goes on, and waits to be adopted */
	ORPHAN_END, /* it ends with the supervisor */
	ORPHAN_POLICIES
};

struct restart_policy {
	bool enabled; /* restart deaths that nobody asked for */
	uint32_t steady_ms; /* RUNNING this long: restart without delay */
	uint32_t delay_min_ms, delay_max_ms; /* else this, doubling, to that */
	uint32_t jitter_percent;
	uint32_t forget_ms; /* RUNNING this long: the delay starts over */
	uint32_t crash_deaths; /* this many deaths (0: no limit) ... */
	uint32_t crash_window_ms; /* ... in this time: FAILED */
	uint32_t orphan; /* enum orphan_policy */
};

struct vm_timeouts {
	uint32_t start_ms; /* spawn to LOADED */
	uint32_t heartbeat_ms; /* between two STATS? */
	uint32_t watchdog_ms; /* without an answer: SIGABRT */
	uint32_t abort_ms; /* SIGABRT to SIGKILL */
	uint32_t stop_guest_ms; /* STOP to SIGTERM */
	uint32_t stop_process_ms; /* SIGTERM to SIGKILL */
};

/* The configuration says that there is none. */
#define VM_LIMIT_NONE INT64_MAX

/* Applied through cgroup v2; 0: what bounds.c gives every VM of its kind. */
struct vm_limits {
	uint64_t memory_bytes; /* memory.max; VM_LIMIT_NONE */
	uint32_t cpu_percent; /* cpu.max, of one CPU; 0: no limit */
	uint32_t cpu_weight; /* cpu.weight, 1 to 10,000 */
};

/* Whether frames go through the host kernel's vhost-net. */
enum vhost_policy {
	VHOST_AUTO, /* if the host has it */
	VHOST_ON, /* or the VM fails */
	VHOST_OFF,
	VHOST_POLICIES
};

/* The longest path of an image, its NUL included. */
#define MACHINE_PATH 1024
/* Disks of a VM, and queue pairs of its network device. */
#define MACHINE_DISKS          FD_INDEX_MAX
#define MACHINE_QUEUES         FD_INDEX_MAX
#define MACHINE_MEMORY_DEFAULT (256ULL << 20)
#define MACHINE_MEMORY_MIN     (16ULL << 20)
/* KVM takes 2^31 - 1 pages as one piece; the part below 4 GiB is another. */
#define MACHINE_MEMORY_MAX (8ULL << 40)
#define MACHINE_CPUS_MAX   254 /* APIC ids of one byte */

struct machine_disk {
	char path[MACHINE_PATH]; /* to be shown; the supervisor opens none */
	bool raw; /* whatever it begins with; for the command alone */
	bool read_only;
	bool direct; /* O_DIRECT */
	int fd; /* owned; -1: not opened yet. Its lock says it is in use */
};

/* What a VM with guest kvm is made of. */
struct machine_config {
	char kernel[MACHINE_PATH], initrd[MACHINE_PATH]; /* initrd: may be "" */
	int kernel_fd, initrd_fd; /* owned; -1: not opened (yet) */
	char why_closed[320]; /* why one of its files isn't open; "": unknown */
	char cmdline[MACHINE_CMDLINE];
	uint64_t memory_bytes; /* a multiple of 1 MiB */
	uint32_t cpus;
	bool hugepages; /* of the host's reserve */
	uint32_t queues; /* pairs, 1 to MACHINE_QUEUES; 0: no network */
	uint32_t vhost; /* enum vhost_policy */
	uint32_t disk_count;
	struct machine_disk disks[MACHINE_DISKS];
};

struct vm_config {
	char name[VM_NAME_MAX + 1];
	enum guest_kind guest;
	bool autostart;
	bool has_mac, has_ipv4, has_ipv6;
	uint8_t mac[6];
	struct in_addr ipv4;
	struct in6_addr ipv6;
	uint32_t ipv6_prefix;
	uint32_t allow; /* what it may send: bits of enum allow */
	uint32_t broadcast_rate; /* frames to groups a second; 0: any number */
	char tap[IFNAMSIZ]; /* empty: <tap_prefix>N */
	struct restart_policy restart;
	struct vm_timeouts timeouts;
	struct vm_limits limits;
	bool core_scheduling; /* no other VM on its core: PR_SCHED_CORE */
	/* Guest kvm: what it is made of; NULL for others. Of config->vms and
	 * config->defaults it is owned by config; copies of a vm_config borrow
	 * it. Of the defaults it is what the file says for any such VM. */
	struct machine_config *machine;
};

struct config {
	char bridge[IFNAMSIZ];
	struct in_addr bridge_ipv4;
	uint32_t bridge_ipv4_prefix; /* 8 to 30 */
	bool has_bridge_ipv6;
	struct in6_addr bridge_ipv6;
	uint32_t bridge_ipv6_prefix;
	uint16_t mtu;
	char tap_prefix[IFNAMSIZ]; /* at most 11 characters */
	uint32_t uid_first, uid_count; /* one for each VM */
	uint32_t log_level; /* enum log_level */
	uint32_t guard; /* enum guard_policy */
	struct vm_config defaults; /* what a VM has that says nothing */
	struct vm_config *vms; /* owned; each complete, defaults applied */
	size_t vm_count;
};

/* libconfig exports functions called config_init() and config_read() and calls
 * its own by name: as symbols, ours are called otherwise, or the linker would
 * give it these. */
#define CONFIG_SYMBOL(name) __asm__("vmsup_" #name)

/* Fills in the defaults of DESIGN section 5 and 8; no VM. */
void config_init(struct config *config) CONFIG_SYMBOL(config_init);
void config_uninit(struct config *config);

/* Appends count VMs with the defaults, named vm0, vm1, ...: the lowest numbers
 * that are free. 0; -E2BIG over CONFIG_MAX_VMS; -EINVAL if the defaults are of
 * guest kvm without a kernel; -ENOMEM. */
int config_add_vms(struct config *config, size_t count,
		   struct problem *problem);

/* Appends one VM with the defaults and that name, but no machine, for the
 * caller to fill in;
 * NULL with problem set if the name isn't valid or taken, or there are too
 * many. The pointer is good until the next addition. */
struct vm_config *config_add_vm(struct config *config, const char *name,
				struct problem *problem);

/* Appends one VM with the defaults, but no machine and no name yet, for the
 * caller to give it one that is valid; else like config_add_vm(). */
struct vm_config *config_add_unnamed(struct config *config,
				     struct problem *problem);

/* A machine with the defaults and nothing opened; NULL without memory. */
struct machine_config *machine_new(void);
/* One of the same, nothing opened: of machine, or of the defaults if that is
 * NULL. The caller's; NULL without memory. */
struct machine_config *machine_copy(const struct machine_config *machine);
/* Closes its descriptors and frees it; NULL is fine. */
void machine_free(struct machine_config *machine);

/* For options of the command line, same rules as in the file: parse "02:.." ,
 * "10.77.0.9", "fd77::9/64" into vm. 0 or -EINVAL with problem set. */
int config_set_mac(struct vm_config *vm, const char *text,
		   struct problem *problem);
int config_set_ipv4(const struct config *config, struct vm_config *vm,
		    const char *text, struct problem *problem);
int config_set_ipv6(struct vm_config *vm, const char *text,
		    struct problem *problem);
/* Adds one of config_allow_names to what the VM may send. 0 or -EINVAL with
 * problem set. */
int config_set_allow(struct vm_config *vm, const char *name,
		     struct problem *problem);

/* False for a kvm guest that was given no network device. */
bool config_has_network(const struct vm_config *vm);

#endif
