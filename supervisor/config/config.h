/* SPDX-License-Identifier: ISC */
/* The configuration: all settings, checked, with defaults filled in. */
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
	GUARD_POLICY_ON, /* if the kernel has what it needs */
	GUARD_POLICY_OFF,
	GUARD_POLICY_REQUIRED, /* without it, nothing starts */
	GUARD_POLICIES
};

/* What a VM may be allowed to send, as bits 1 << this. Documents have the
 * numbers: new ones are added at the end. */
enum allow {
	ALLOW_RA,
	ALLOW_REDIRECT,
	ALLOW_MLD_QUERY,
	ALLOW_DHCP_SERVER,
	ALLOWS
};

#define CONFIG_DEFAULT_FILE "/etc/vmsup/vmsup.conf"
/* The ports of a Linux bridge: BR_MAX_PORTS, without port 0. */
#define CONFIG_MAX_VMS 1023

/* What a VM does while there is no supervisor. */
enum orphan_policy {
	ORPHAN_STAY, /* it runs, and waits to be adopted */
	ORPHAN_END, /* it ends with the supervisor */
	ORPHAN_POLICIES
};

struct restart_policy {
	bool enabled; /* restart a VM that died by itself */
	/* after RUNNING for this long: restart without delay */
	uint32_t steady_ms;
	/* else after a delay that doubles, from min to max */
	uint32_t delay_min_ms, delay_max_ms;
	uint32_t jitter_percent;
	/* after RUNNING for this long: the delay is min again */
	uint32_t forget_ms;
	/* FAILED after so many deaths (0: no limit) ... */
	uint32_t crash_deaths;
	uint32_t crash_window_ms; /* ... within this time */
	uint32_t orphan; /* enum orphan_policy */
};

struct vm_timeouts {
	uint32_t start_ms; /* from spawn to LOADED */
	uint32_t heartbeat_ms; /* from one STATS? to the next */
	uint32_t watchdog_ms; /* SIGABRT after this long without an answer */
	uint32_t abort_ms; /* from SIGABRT to SIGKILL */
	uint32_t stop_guest_ms; /* from STOP to SIGTERM */
	uint32_t stop_process_ms; /* from SIGTERM to SIGKILL */
};

/* The configuration says that there is no limit. */
#define VM_LIMIT_NONE INT64_MAX

/* Limits by cgroup v2. 0: the limit that bounds.c
 * gives each VM of this kind. */
struct vm_limits {
	uint64_t memory_bytes; /* memory.max; VM_LIMIT_NONE */
	uint32_t cpu_percent; /* cpu.max, of one CPU; 0: no limit */
	uint32_t cpu_weight; /* cpu.weight, 1 to 10,000 */
};

/* Whether the host kernel's vhost-net moves frames. */
enum vhost_policy {
	VHOST_AUTO, /* if the host has vhost-net */
	VHOST_ON, /* without vhost-net, the VM fails */
	VHOST_OFF,
	VHOST_POLICIES
};

/* The longest path of an image, with its NUL. */
#define MACHINE_PATH 1024
/* The most disks of a VM, and queue pairs of its network device. */
#define MACHINE_DISKS          FD_INDEX_MAX
#define MACHINE_QUEUES         FD_INDEX_MAX
#define MACHINE_MEMORY_DEFAULT (256ULL << 20)
#define MACHINE_MEMORY_MIN     (16ULL << 20)
/* KVM takes at most 2^31 - 1 pages as one slot. Memory
 * below 4 GiB is another slot. */
#define MACHINE_MEMORY_MAX (8ULL << 40)
#define MACHINE_CPUS_MAX   254 /* APIC IDs have one byte */

struct machine_disk {
	char path[MACHINE_PATH]; /* for Status; the supervisor opens no path */
	/* raw, whatever the image begins with; only the command uses this */
	bool raw;
	bool read_only;
	bool direct; /* O_DIRECT */
	int fd; /* owned; -1: not open. Its lock says that the disk is in use */
};

/* The machine of a VM with guest kvm. */
struct machine_config {
	char kernel[MACHINE_PATH], initrd[MACHINE_PATH]; /* initrd: may be "" */
	int kernel_fd, initrd_fd; /* owned; -1: not open */
	char why_closed[320]; /* why a file isn't open; "": not known */
	char cmdline[MACHINE_CMDLINE];
	uint64_t memory_bytes; /* a multiple of 1 MiB */
	uint32_t cpus;
	bool hugepages; /* memory of the host's huge pages */
	/* queue pairs, 1 to MACHINE_QUEUES; 0: no network device */
	uint32_t queues;
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
	uint32_t allow; /* what the VM may send: bits of enum allow */
	/* broadcast and multicast frames a second; 0: no limit */
	uint32_t broadcast_rate;
	char tap[IFNAMSIZ]; /* empty: <tap_prefix>N */
	struct restart_policy restart;
	struct vm_timeouts timeouts;
	struct vm_limits limits;
	bool core_scheduling; /* no other VM runs on its core: PR_SCHED_CORE */
	/* The machine of guest kvm; NULL for other guests. config owns the
	 * machines of config->vms and config->defaults; copies of a
	 * vm_config borrow them. That of the defaults has the settings for
	 * all VMs with guest kvm. */
	struct machine_config *machine;
};

/* Of the domain of MACs, with its NUL. */
#define CONFIG_MAC_DOMAIN 64

struct config {
	char bridge[IFNAMSIZ];
	struct in_addr bridge_ipv4;
	uint32_t bridge_ipv4_prefix; /* 8 to 30 */
	bool has_bridge_ipv6;
	struct in6_addr bridge_ipv6;
	uint32_t bridge_ipv6_prefix;
	uint16_t mtu;
	char tap_prefix[IFNAMSIZ]; /* at most 11 characters */
	char mac_domain[CONFIG_MAC_DOMAIN]; /* goes into derived MACs; "": nothing */
	uint32_t uid_first, uid_count; /* one uid for each VM */
	uint32_t log_level; /* enum log_level */
	uint32_t guard; /* enum guard_policy */
	/* the settings of a VM that has none of its own */
	struct vm_config defaults;
	struct vm_config *vms; /* owned; the defaults are applied */
	size_t vm_count;
};

/* libconfig has functions config_init() and config_read(), which it
 * calls itself. So the symbols of ours have another name: else the
 * linker would give libconfig these. */
#define CONFIG_SYMBOL(name) __asm__("vmsup_" #name)

/* Makes a configuration of the defaults in vmsup.conf(5), without VMs. */
void config_init(struct config *config) CONFIG_SYMBOL(config_init);
void config_uninit(struct config *config);

/* Appends count VMs with the defaults, named vm0, vm1, ...: each gets the
 * lowest free number. 0; -E2BIG: more than CONFIG_MAX_VMS; -EINVAL: the
 * defaults are of guest kvm and have no kernel; -ENOMEM. */
int config_add_vms(struct config *config, size_t count,
		   struct problem *problem);

/* Appends a VM with the defaults and that name, but without machine; the caller
 * fills it in. NULL with problem set: the name isn't valid, or is taken, or
 * there are too many VMs. The pointer is valid until the next addition. */
struct vm_config *config_add_vm(struct config *config, const char *name,
				struct problem *problem);

/* Like config_add_vm(), but without a name: the caller sets a valid one. */
struct vm_config *config_add_unnamed(struct config *config,
				     struct problem *problem);

/* Makes a machine with the defaults and without open files. NULL: no memory. */
struct machine_config *machine_new(void);
/* Copies a machine (NULL: the defaults), without open files. The
 * caller's; NULL: no memory. */
struct machine_config *machine_copy(const struct machine_config *machine);
/* Closes the files of a machine and frees it. It may be NULL. */
void machine_free(struct machine_config *machine);

/* For options of the command line, with the rules of the file: parse "02:...",
 * "10.77.0.9", "fd77::9/64" into vm. 0; or -EINVAL with problem set. */
int config_set_mac(struct vm_config *vm, const char *text,
		   struct problem *problem);
int config_set_ipv4(const struct config *config, struct vm_config *vm,
		    const char *text, struct problem *problem);
int config_set_ipv6(struct vm_config *vm, const char *text,
		    struct problem *problem);
/* Adds one of config_allow_names to what the VM may send. 0; or
 * -EINVAL with problem set. */
int config_set_allow(struct vm_config *vm, const char *name,
		     struct problem *problem);

/* False: a VM with guest kvm without network device. */
bool config_has_network(const struct vm_config *vm);

#endif
