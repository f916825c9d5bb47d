/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor and a VM process say to each other: the messages, their
 * exact sizes, and the descriptors that travel beside them.
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

/* What is only added (at the end of an enum) leaves it as it is: a supervisor
 * that was upgraded speaks to VM processes of before. */
#define PROTO_VERSION 3
/* The oldest version whose VM processes are still taken over; what it lacks is
 * told by struct vm's protocol. */
#define PROTO_OLDEST 2
/* From this version on, set-up has a list of system calls of its own. */
#define PROTO_SETUP_FILTER 3
/* From this one on, LOADED says that the guest is there; before, READY did. */
#define PROTO_LOADED 3
#define PROTO_PLAN   3
/*
 * The plan of a VM process's descriptors. What is only kept, for a supervisor
 * that comes after a crash (pidfd_getfd(2)), lies below PROTO_LOOP_FD. What is
 * used lies in blocks by kind, each aligned at its size: the list of system
 * calls tells by one masked comparison what a call may be used on. There is
 * room for eight network devices of eight queues.
 */
#define PROTO_CHANNEL_FD       3
#define PROTO_ADOPT_FD         10
#define PROTO_UIDS_FD          11
#define PROTO_KERNEL_FD        12 /* kept for the next generation */
#define PROTO_INITRD_FD        13
#define PROTO_CONSOLE_ADOPT_FD 14
/* filters, /dev/kvm: closed before the guest runs */
#define PROTO_PASSING_FD  16
#define PROTO_PASSING_FDS 16
/* epoll: the main loop's, that of the disks' thread */
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
/* what is read and written: the console, and eventfds */
#define PROTO_EVENT_FD   512
#define PROTO_EVENT_FDS  512
#define PROTO_CONSOLE_FD PROTO_EVENT_FD
/* Past the last one; of the builtin guest, whose last one is its TAP. */
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
	/* to the VM process again, in the order of their coming */
	MSG_MACHINE, /* guest kvm, before its descriptors */
	MSG_COUNTERS_REQUEST,
	/* from the VM process, of version 3 on */
	MSG_LOADED, /* after READY: the guest is there, and runs */
	MSG_TYPES
};

/* Descriptors of one role, by their index from 0, are at most so many. */
#define FD_INDEX_MAX 8

enum fd_role {
	FD_ROLE_CHANNEL, /* there before the first message */
	FD_ROLE_TAP,
	FD_ROLE_FILTER, /* sealed memfd: the stage 2 program, struct sock_filter[] */
	/* Kept for the next supervisor, never used by the VM process itself: */
	FD_ROLE_ADOPT, /* the supervisor's end of the channel */
	FD_ROLE_UIDS, /* the file whose locks say which uids are in use */
	FD_ROLE_LISTENER, /* from the VM process, with READY */
	/* of guest kvm; of TAP, VHOST_NET and DISK several, by index */
	FD_ROLE_FILTER_VCPU, /* as FILTER: stacked by each vCPU thread */
	FD_ROLE_KVM, /* /dev/kvm: closed once the VM exists */
	FD_ROLE_KERNEL, /* image: read once, kept for the next generation */
	FD_ROLE_INITRD, /* the same */
	FD_ROLE_CONSOLE, /* stream socket, pty or pipe: what the UART says */
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
/* Goes on without a supervisor; else it is killed when the supervisor ends. */
#define CONFIG_STAY 1U

struct msg_fd {
	struct msg_header header;
	uint32_t role; /* enum fd_role */
	uint32_t index; /* among those of its role, from 0 */
};

/* START, PAUSE, RESUME, STOP, READY and LOADED say it all by type. */
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
	uint32_t mtu; /* as the TAP has it now */
	uint32_t reserved;
};

/*
 * Counters of one VM process, from its start. Frames and bytes are the VM's
 * view: rx is what was read from the TAP, dropped ones included; what the TAP's
 * full queue dropped was never read, and is told by the supervisor. Every frame
 * that is neither answered nor consumed is counted under exactly one reason.
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
	/* the process ends after these, see enum vmproc_exit */
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
#define MACHINE_HUGEPAGES 1U /* of the host's reserve */
#define MACHINE_FLAGS     1U /* all there are */

/* Counters by name, as many messages as it takes; the last one says so. */
#define COUNTER_NAME 32
#define COUNTERS_MAX 32
struct msg_counters {
	struct msg_header header;
	uint32_t count; /* of items that say something */
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

/* What both sides must know of a type before they look at its body. */
struct msg_spec {
	const char *name;
	uint32_t size; /* of the whole message; 0: no such type */
	uint8_t fds; /* descriptors beside it, exactly */
	bool to_vmproc;
};

extern const struct msg_spec msg_specs[MSG_TYPES];

/* How a VM process says why it ends (exit status). */
enum vmproc_exit {
	VMPROC_EXIT_OK = 0, /* stopped because it was asked to */
	VMPROC_EXIT_TAP_GONE = 69, /* the TAP was deleted */
	VMPROC_EXIT_OS = 71, /* the kernel refused something it must have */
	VMPROC_EXIT_ORPHAN = 72, /* the supervisor went away */
	VMPROC_EXIT_CAGE = 73, /* a stage of the cage could not be closed */
	VMPROC_EXIT_PROTOCOL = 76, /* the supervisor broke the protocol */
	VMPROC_EXIT_CONFIG = 78, /* bad configuration: never retried */
	/* guest kvm; the EVENT that tells the same may be lost */
	VMPROC_EXIT_POWEROFF = 80, /* the guest switched itself off: stopped */
	VMPROC_EXIT_REBOOT = 81, /* the next generation, at once */
	VMPROC_EXIT_PANIC = 82, /* its kernel panicked, and told it */
	VMPROC_EXIT_TRIPLE_FAULT = 83, /* its processor gave up */
	VMPROC_EXIT_MACHINE = 84, /* KVM could not go on: internal error */
};

/* "TAP deleted" and so on; NULL for a status that isn't of that list. */
const char *vmproc_exit_name(int status);

/* True for a version of VM processes that a supervisor of this one serves. */
bool proto_is_known(uint32_t version);

/* Where a VM process of that version of the protocol has the descriptor of that
 * role and index; 0: anywhere, for nobody takes it over. */
int proto_fd_number(uint32_t protocol, enum fd_role role, unsigned int index);

/* The name of a counter, as in STATS_TABLE. */
const char *stat_name(enum counter counter);

/* True if name is a VM name: [a-z0-9][a-z0-9-]{0,30}. */
bool vm_name_valid(const char *name);

#endif
