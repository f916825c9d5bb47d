/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor and a VM process say to each other: the messages, their
 * exact sizes, and the descriptors that travel with them.
 *
 * The channel is an AF_UNIX SOCK_SEQPACKET pair. One packet is one message: a
 * struct msg_header, then the body of its type, nothing more. Natural
 * alignment, host byte order unless a field says otherwise, no pointers.
 * Addresses are in network byte order, as they are on the wire.
 */
#ifndef VMSUP_IPC_PROTO_H
#define VMSUP_IPC_PROTO_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

/* An addition at the end of an enum doesn't change the version: an upgraded
 * supervisor speaks to VM processes that were started before the upgrade. */
#define PROTO_VERSION 3
/* The oldest version whose VM processes are still taken over. The record of a
 * VM says which version its process speaks. */
#define PROTO_OLDEST 2
/* From this version on, set-up has a list of system calls of its own. */
#define PROTO_SETUP_FILTER 3
/* From this version on, LOADED says that the guest is there; READY did
 * before. */
#define PROTO_LOADED 3
/* From this version on, descriptors have the numbers that follow. */
#define PROTO_PLAN 3
/*
 * The plan of a VM process's descriptors. Descriptors that the process only
 * keeps, for the next supervisor after a crash (pidfd_getfd(2)), lie below
 * PROTO_LOOP_FD. Descriptors that it uses lie in blocks by kind. Each block is
 * aligned at its size, so that the system call filter checks by one masked
 * comparison which descriptors a call may be used on. There is room for eight
 * network devices of eight queues.
 */
#define PROTO_CHANNEL_FD       3
#define PROTO_ADOPT_FD         10
#define PROTO_UIDS_FD          11
#define PROTO_KERNEL_FD        12 /* kept for the next generation */
#define PROTO_INITRD_FD        13
#define PROTO_CONSOLE_ADOPT_FD 14
/* filters and /dev/kvm, which are closed before the guest runs */
#define PROTO_PASSING_FD  16
#define PROTO_PASSING_FDS 16
/* epoll: one of the main loop, one of the disks' thread */
#define PROTO_LOOP_FD       32
#define PROTO_DISKS_LOOP_FD (PROTO_LOOP_FD + 1)
#define PROTO_LOOP_FDS      16
#define PROTO_DISK_FD       48
#define PROTO_DISK_FDS      16
#define PROTO_TAP_FD        64
#define PROTO_TAP_FDS       64
#define PROTO_VHOST_FD      128
#define PROTO_VHOST_FDS     64
#define PROTO_VM_FD         192
#define PROTO_VM_FDS        64
#define PROTO_VCPU_FD       256
#define PROTO_VCPU_FDS      256
/* the console and eventfds, which are read and written */
#define PROTO_EVENT_FD   512
#define PROTO_EVENT_FDS  512
#define PROTO_CONSOLE_FD PROTO_EVENT_FD
/* One more than the highest number; and for the builtin guest, whose highest
 * one is its TAP's. */
#define PROTO_FDS         1024
#define PROTO_BUILTIN_FDS (PROTO_TAP_FD + 1)
/* No message carries more descriptors than this. */
#define PROTO_MAX_FDS 1

#define VM_NAME_MAX 31 /* [a-z0-9][a-z0-9-]{0,30} */

enum msg_type {
	MSG_NONE, /* never sent: a zeroed packet is an error */
	/* to the VM process */
	MSG_CONFIG,
	MSG_FD,
	MSG_START,
	MSG_STATS_REQUEST, /* also the heartbeat */
	MSG_PING,
	MSG_LINK,
	MSG_PAUSE,
	MSG_RESUME,
	MSG_STOP,
	/* from the VM process */
	MSG_READY,
	MSG_STATS,
	MSG_PING_RESULT,
	MSG_EVENT,
	MSG_LOG,
	MSG_COUNTERS,
	/* added later, to the VM process */
	MSG_MACHINE, /* guest kvm, before its descriptors */
	MSG_COUNTERS_REQUEST,
	/* added later, from the VM process: from version 3 on */
	MSG_LOADED, /* after READY: the guest is there, and runs */
	MSG_TYPES
};

/* The most descriptors of one role; their index counts from 0. */
#define FD_INDEX_MAX 8

enum fd_role {
	FD_ROLE_CHANNEL, /* the process is born with it */
	FD_ROLE_TAP,
	FD_ROLE_FILTER, /* sealed memfd: stage 2, struct sock_filter[] */
	/* Kept for the next supervisor, never used by the VM process itself: */
	FD_ROLE_ADOPT, /* the supervisor's end of the channel */
	FD_ROLE_UIDS, /* the file whose locks say which uids are in use */
	FD_ROLE_LISTENER, /* from the VM process, with READY */
	/* For guest kvm, which has several of TAP, VHOST_NET and DISK: */
	FD_ROLE_FILTER_VCPU, /* as FILTER: stacked by each vCPU thread */
	FD_ROLE_KVM, /* /dev/kvm: closed once the VM exists */
	FD_ROLE_KERNEL, /* image: read once, kept for the next generation */
	FD_ROLE_INITRD, /* as KERNEL */
	FD_ROLE_CONSOLE, /* stream socket, pty or pipe: the UART's other end */
	FD_ROLE_DISK, /* raw image or block device; may be read-only */
	FD_ROLE_VHOST_NET, /* one per TAP descriptor */
	FD_ROLE_CONSOLE_ADOPT, /* the console's other end, as ADOPT */
	FD_ROLES
};

enum guest_kind {
	GUEST_BUILTIN,
	GUEST_KVM,
	GUEST_KINDS
};

struct msg_header {
	uint16_t type;
	uint16_t reserved; /* zero */
	uint32_t size; /* of the whole message, this header included */
	uint64_t generation; /* of the VM process, counted from 1 */
};

struct msg_config {
	struct msg_header header;
	uint32_t version; /* PROTO_VERSION */
	uint32_t guest; /* enum guest_kind */
	char name[VM_NAME_MAX + 1];
	uint8_t mac[6];
	uint16_t mtu; /* bytes of IP in a frame */
	struct in_addr ipv4;
	uint32_t ipv4_prefix; /* 0 to 32 */
	struct in6_addr ipv6; /* unspecified: link-local only */
	uint32_t ipv6_prefix; /* 0 to 128 */
	uint32_t flags; /* CONFIG_* */
};
/* The process goes on without a supervisor. Without this flag, it is killed
 * when the supervisor ends. */
#define CONFIG_STAY 1U

struct msg_fd {
	struct msg_header header;
	uint32_t role; /* enum fd_role */
	uint32_t index; /* among those of its role, from 0 */
};

/* START, PAUSE, RESUME, STOP, READY and LOADED have no body. */
struct msg_plain {
	struct msg_header header;
};

struct msg_stats_request {
	struct msg_header header;
	uint64_t id; /* comes back in the answer */
};

struct msg_ping {
	struct msg_header header;
	uint32_t id; /* comes back in the result */
	uint16_t payload_bytes; /* ICMP payload, 0 to PING_PAYLOAD_MAX */
	uint16_t sequence;
	uint32_t timeout_ms;
	uint32_t family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr ipv4;
		struct in6_addr ipv6;
	} target;
};
#define PING_PAYLOAD_MAX 65000

struct msg_link {
	struct msg_header header;
	uint32_t mtu; /* the TAP's present one */
	uint32_t reserved;
};

/*
 * Counters of one VM process, from its start. Frames and bytes are the VM's
 * view: rx counts the frames that were read from the TAP, those that were
 * dropped afterwards included. Frames that the TAP's full queue dropped were
 * never read: the supervisor counts them. Each frame that is neither answered
 * nor consumed is counted under exactly one reason.
 */
#define STATS_TABLE(X)                                                         \
	X(RX_FRAMES, "rx_frames")                                              \
	X(RX_BYTES, "rx_bytes")                                                \
	X(TX_FRAMES, "tx_frames")                                              \
	X(TX_BYTES, "tx_bytes")                                                \
	X(RX_DROP_QUEUE, "rx_drop_queue") /* never read: queue full */         \
	X(RX_DROP_SHORT, "rx_drop_short") /* cut off within a header */        \
	X(RX_DROP_LONG, "rx_drop_long") /* over the receive buffer */          \
	X(RX_DROP_FOREIGN, "rx_drop_foreign") /* for another MAC or address */ \
	X(RX_DROP_ETHERTYPE, "rx_drop_ethertype") /* not ARP, IPv4, IPv6 */    \
	X(RX_DROP_PROTOCOL, "rx_drop_protocol") /* not ICMP, unused type */    \
	X(RX_DROP_MALFORMED, "rx_drop_malformed") /* version, length, field */ \
	X(RX_DROP_CHECKSUM, "rx_drop_checksum")                                \
	X(RX_DROP_FRAGMENT, "rx_drop_fragment") /* reassembly: limit, time */  \
	X(TX_DROP_LINK_DOWN, "tx_drop_link_down") /* EIO */                    \
	X(TX_DROP_FULL, "tx_drop_full") /* EAGAIN, ENOBUFS */                  \
	X(TX_DROP_ERROR, "tx_drop_error") /* any other refusal */              \
	X(TX_DROP_UNRESOLVED, "tx_drop_unresolved") /* next hop unknown */

enum counter {
#define X(id, name) STAT_##id,
	STATS_TABLE(X)
#undef X
	STATS
};
#define STAT_RX_DROP_FIRST STAT_RX_DROP_QUEUE
#define STAT_TX_DROP_FIRST STAT_TX_DROP_LINK_DOWN

struct msg_stats {
	struct msg_header header;
	uint64_t id; /* of the request */
	uint32_t paused; /* 0 or 1 */
	uint32_t reserved;
	uint64_t counters[STATS]; /* by enum counter */
};

enum ping_status {
	PING_REPLY,
	PING_TIMEOUT,
	PING_UNREACHABLE, /* no neighbour answered for the next hop */
	PING_BUSY, /* too many pings under way */
	PING_STATUSES
};

struct msg_ping_result {
	struct msg_header header;
	uint32_t id;
	uint32_t status; /* enum ping_status */
	uint64_t rtt_ns; /* of a reply */
	uint32_t ttl; /* of a reply: TTL or hop limit */
	uint32_t payload_bytes; /* of a reply */
};

enum guest_event {
	GUEST_PAUSED,
	GUEST_RESUMED,
	/* The process ends after these; see enum vmproc_exit. */
	GUEST_POWERED_OFF,
	GUEST_REBOOTED,
	GUEST_PANICKED,
	GUEST_CRASHED, /* triple fault */
	GUEST_EVENTS
};

struct msg_event {
	struct msg_header header;
	uint32_t event; /* enum guest_event */
	uint32_t reserved;
};

/* What guest kvm's machine is made of. */
#define MACHINE_CMDLINE 2048 /* of Linux on x86, its NUL included */
struct msg_machine {
	struct msg_header header;
	uint64_t memory_bytes; /* a multiple of 1 MiB */
	uint32_t vcpus; /* from 1 */
	uint32_t flags; /* MACHINE_* */
	char cmdline[MACHINE_CMDLINE]; /* ended by NUL */
};
#define MACHINE_HUGEPAGES 1U /* memory is the host's reserved huge pages */
#define MACHINE_FLAGS     1U /* all flags that there are */

/* Counters by name, in as many messages as needed; the last one is marked. */
#define COUNTER_NAME 32
#define COUNTERS_MAX 32
struct msg_counters {
	struct msg_header header;
	uint32_t count; /* of items that are used */
	uint32_t last; /* 0 or 1: nothing comes after this */
	struct {
		char name[COUNTER_NAME]; /* [a-z0-9._], ended by NUL */
		uint64_t value;
	} item[COUNTERS_MAX];
};

#define MSG_LOG_TEXT 240
struct msg_log {
	struct msg_header header;
	uint32_t level; /* enum log_level */
	uint32_t length; /* of text, without NUL; below MSG_LOG_TEXT */
	char text[MSG_LOG_TEXT];
};

union msg {
	struct msg_header header;
	struct msg_config config;
	struct msg_fd fd;
	struct msg_ping ping;
	struct msg_link link;
	struct msg_stats_request stats_request;
	struct msg_stats stats;
	struct msg_ping_result ping_result;
	struct msg_event event;
	struct msg_log log;
	struct msg_machine machine;
	struct msg_counters counters;
};

/* What both sides check of a message before they look at its body. */
struct msg_spec {
	const char *name;
	uint32_t size; /* of the whole message; 0: no such type */
	uint8_t fds; /* descriptors that come with it, exactly */
	bool to_vmproc;
};

extern const struct msg_spec msg_specs[MSG_TYPES];

/* Exit statuses of a VM process: why it ended. */
enum vmproc_exit {
	VMPROC_EXIT_OK = 0, /* it was asked to stop */
	VMPROC_EXIT_TAP_GONE = 69, /* the TAP was deleted */
	VMPROC_EXIT_OS = 71, /* the host's kernel refused what it must have */
	VMPROC_EXIT_ORPHAN = 72, /* the supervisor went away */
	VMPROC_EXIT_CAGE = 73, /* a stage of the cage could not be closed */
	VMPROC_EXIT_PROTOCOL = 76, /* the supervisor broke the protocol */
	VMPROC_EXIT_CONFIG = 78, /* bad configuration: never retried */
	/* Guest kvm's own. The EVENT that tells the same may be lost. */
	VMPROC_EXIT_POWEROFF =
		80, /* the guest powered off: the VM is stopped */
	VMPROC_EXIT_REBOOT = 81, /* the guest rebooted: start it at once */
	VMPROC_EXIT_PANIC =
		82, /* the guest's kernel panicked, and reported it */
	VMPROC_EXIT_TRIPLE_FAULT = 83, /* the guest's processor shut down */
	VMPROC_EXIT_MACHINE = 84, /* KVM could not go on: internal error */
};

/* "TAP deleted" and so on; NULL for a status that isn't in enum vmproc_exit. */
const char *vmproc_exit_name(int status);

/* True if this program can serve VM processes of that protocol version. */
bool proto_is_known(uint32_t version);

/* The number that the descriptor of a role and index has in a VM process of
 * that protocol version; 0: no fixed one, since no supervisor takes it over. */
int proto_fd_number(uint32_t protocol, enum fd_role role, unsigned int index);

/* The name of a counter, as in STATS_TABLE. */
const char *stat_name(enum counter counter);

/* True if name is a VM name: [a-z0-9][a-z0-9-]{0,30}. */
bool vm_name_valid(const char *name);

#endif
