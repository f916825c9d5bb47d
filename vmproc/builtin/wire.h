/* SPDX-License-Identifier: ISC */
/*
 * Headers as they are on the wire. Each structure is packed and may alias
 * anything: it is laid over bytes at any address. Numbers are in network byte
 * order. Addresses that are passed by pointer are plain bytes.
 */
#ifndef VMSUP_VMPROC_WIRE_H
#define VMSUP_VMPROC_WIRE_H

#include <assert.h>
#include <stdint.h>

#define WIRE __attribute__((packed, may_alias))

/* Ethernet (IEEE 802.3 §3.1.1), without check sequence */
#define MAC_BYTES 6
struct eth_header {
	uint8_t destination[MAC_BYTES];
	uint8_t source[MAC_BYTES];
	uint16_t type;
} WIRE;

enum ethertype {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ADDRESS_RESOLUTION = 0x0806,
	ETHERTYPE_IPV6 = 0x86dd,
};

/* ARP for IPv4 over Ethernet (RFC 826) */
struct arp_packet {
	uint16_t hardware;
	uint16_t protocol;
	uint8_t hardware_bytes;
	uint8_t protocol_bytes;
	uint16_t operation;
	uint8_t sender_mac[MAC_BYTES];
	uint32_t sender;
	uint8_t target_mac[MAC_BYTES];
	uint32_t target;
} WIRE;

enum arp_number {
	ARP_HARDWARE_ETHERNET = 1,
	ARP_OPERATION_REQUEST = 1,
	ARP_OPERATION_REPLY = 2,
};

/* IPv4 (RFC 791 §3.1) */
struct ipv4_header {
	uint8_t version_length;
	uint8_t service;
	uint16_t total_bytes;
	uint16_t id;
	uint16_t fragment;
	uint8_t ttl;
	uint8_t protocol;
	uint16_t checksum;
	uint32_t source;
	uint32_t destination;
} WIRE;

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET         0x1fff
#define IPV4_PACKET_MAX     65535

enum ipv4_option {
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_LOOSE_ROUTE = 131,
	IPV4_OPTION_STRICT_ROUTE = 137,
};

/* IPv6 (RFC 8200 §3) */
struct ipv6_header {
	uint32_t flow; /* version, traffic class, flow label */
	uint16_t payload_bytes;
	uint8_t next;
	uint8_t hop_limit;
	uint8_t source[16];
	uint8_t destination[16];
} WIRE;

#define IPV6_VERSION        0x60000000
#define IPV6_VERSION_MASK   0xf0000000
#define IPV6_CLASS_MASK     0x0ff00000
#define IPV6_MTU_MIN        1280 /* RFC 8200 §5 */
#define IPV6_PAYLOAD_MAX    65535
#define IPV6_EXTENSIONS_MAX 8 /* the most before the message */

/* RFC 8200 §4.3, §4.6 */
struct ipv6_options {
	uint8_t next;
	uint8_t length; /* in units of 8 bytes, without the first */
} WIRE;

/* RFC 8200 §4.2 */
enum ipv6_option {
	IPV6_OPTION_PAD1 = 0,
	IPV6_OPTION_PADN = 1,
	IPV6_OPTION_ROUTER_ALERT = 5, /* RFC 2711 */
	IPV6_OPTION_REFUSE = 0xc0, /* one of these bits: don't skip it */
};

/* RFC 8200 §4.5 */
struct ipv6_fragment {
	uint8_t next;
	uint8_t reserved;
	uint16_t offset_more;
	uint32_t id;
} WIRE;

#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_FRAGMENT_MORE   0x0001

/* Protocol numbers, and next headers */
enum protocol {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_DESTINATION_OPTIONS = 60,
};

/* ICMP echo (RFC 792), and ICMPv6 echo (RFC 4443 §4) alike */
struct icmp_echo {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t identifier;
	uint16_t sequence;
} WIRE;

enum icmp_type {
	ICMP_TYPE_ECHO_REPLY = 0,
	ICMP_TYPE_ECHO_REQUEST = 8,
};

enum icmpv6_type {
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_LISTENER_QUERY = 130,
	ICMPV6_LISTENER_REPORT = 131,
	ICMPV6_SOLICITATION = 135,
	ICMPV6_ADVERTISEMENT = 136,
};

/* Neighbour solicitation and advertisement (RFC 4861 §4.3, §4.4) */
struct ndp_message {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint32_t flags;
	uint8_t target[16];
} WIRE;

#define NDP_SOLICITED 0x40000000
#define NDP_OVERRIDE  0x20000000
#define NDP_HOP_LIMIT 255

/* Link-layer address option (RFC 4861 §4.6.1) */
struct ndp_link_address {
	uint8_t type;
	uint8_t length; /* in units of 8 bytes */
	uint8_t mac[MAC_BYTES];
} WIRE;

enum ndp_option {
	NDP_OPTION_SOURCE = 1,
	NDP_OPTION_TARGET = 2,
};

/* Multicast listener query and report, version 1 (RFC 2710 §3) */
struct mld_message {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t delay_ms;
	uint16_t reserved;
	uint8_t group[16];
} WIRE;

static_assert(sizeof(struct eth_header) == 14, "RFC 894");
static_assert(sizeof(struct arp_packet) == 28, "RFC 826");
static_assert(sizeof(struct ipv4_header) == 20, "RFC 791");
static_assert(sizeof(struct ipv6_header) == 40, "RFC 8200");
static_assert(sizeof(struct ipv6_fragment) == 8, "RFC 8200");
static_assert(sizeof(struct icmp_echo) == 8, "RFC 792");
static_assert(sizeof(struct ndp_message) == 24, "RFC 4861");
static_assert(sizeof(struct ndp_link_address) == 8, "RFC 4861");
static_assert(sizeof(struct mld_message) == 24, "RFC 2710");

#endif
